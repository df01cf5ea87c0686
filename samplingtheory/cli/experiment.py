"""samplingtheory experiment"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .terminal import bar, complain, cores, plain_console


def experiment(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="NAME", show_default=False,
        help="Experiments (e01 is enough), all, files or importable modules; none: list them with their questions.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer tasks: all of them in minutes.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Processes; by default one a usable core.")] = None,
    backend: Annotated[str, typer.Option(help="loky: this machine; dask: a Dask cluster.")] = "loky",
    scheduler: Annotated[str, typer.Option(help="Address of the Dask scheduler; by default a local cluster.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Keep the results that are there; else all anew.")] = False,
    draw: Annotated[bool, typer.Option("--draw", help="Compute nothing: draw from the results.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for results, figures and experiments.html.")] = Path(
        "samplingtheory-out"),
) -> int:
    """Run experiments, draw their figures, and set them beside what the papers report.

    Exit status: 0 all drawn, 1 one is not, 2 usage, 130 interrupted (finished tasks are kept: --resume).
    """
    from ..experiment import Options, modules, run_experiments

    if not names:
        return _questions(modules.found())
    chosen = modules.select(names)
    jobs = cores() if jobs is None else jobs
    console = plain_console()

    def say(line: str) -> None:
        console.print(line)

    options = Options(quick, jobs, backend, scheduler, resume, draw, out)
    try:
        report = run_experiments(chosen, options, say, lambda total: bar(console, total))
    except KeyboardInterrupt:
        return complain("interrupted: finished tasks are kept; the same command with --resume goes on from there", 130)
    for name, caption in report.captions.items():
        console.print(f"{name}: {caption}")
    console.print(f"\n{report.page}")
    return 1 if report.failed else 0


def _questions(found: Mapping[str, Any]) -> int:
    width = max(map(len, found))
    for name, one in found.items():
        own = f" (python -m {one.module})" if one.missing else ""
        print(f"{name:<{width}}  {one.question}{own}")
    return 0
