"""The command line: verify, list, show, experiment, distributed, conform."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from . import store
from .check import case_name
from .claims.base import Case, Claim, Verdict
from .errors import UserError
from .report import words
from .verify import Interrupted, Outcome, check_options, exit_status, select
from .verify import verify as run_claims

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
                  help="Check theorems about adaptive sampling by experiment.")
COLOURS = {"confirmed": "green", "open": "cyan", "denied": "magenta", "unsure": "yellow", "wrong": "bold red"}
Ids = Annotated[list[str] | None, typer.Argument(
    metavar="ID", show_default=False, help="Claims, or patterns such as 'espath2021/*'; all if none is given.")]
HEADER = "  sharpness    factor  controls      time  claim: verdict"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; what the user can mend is one line on stderr and 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode must not cost the verdicts
    try:
        return int(app(args=argv, prog_name="samplingtheory", standalone_mode=False) or 0)
    except BrokenPipeError:  # `samplingtheory list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", 130)
    except (UserError, ValueError, OSError) as error:
        return _complain(str(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's usage errors have it, wherever their class lives
            raise
        return _complain(f"{error.format_message()} (see samplingtheory --help)")


def _complain(message: str, status: int = 2) -> int:
    print(f"samplingtheory: {' '.join(message.split())}", file=sys.stderr)
    return status


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        print(f"samplingtheory {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _top(context: typer.Context, version: Annotated[bool, typer.Option(
        "--version", callback=_version, is_eager=True, help="Print the version and leave.")] = False) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


# ---------------------------------------------------------------- verify


@app.command()
def verify(
    ids: Ids = None,
    level: Annotated[str, typer.Option(help="quick, or full: ten times the runs.")] = "quick",
    out: Annotated[Path, typer.Option(help="Folder for verdicts.json, report.html and the cache.")] = Path(
        "samplingtheory-out"),
    jobs: Annotated[int | None, typer.Option(help="Processes; by default one a usable core.")] = None,
    seed: Annotated[int, typer.Option(help="Root of all random numbers.")] = 0,
) -> int:
    """Run claims; one row each, verdicts.json and report.html.

    Exit status: 0 every claim as expected, 1 one is not (or a broken case survived), 2 usage, 3 neither, but
    some inconclusive, 130 interrupted (what was finished is kept).
    """
    if seed < 0:
        raise UserError(f"seed is {seed}; give a whole number, at least 0")
    chosen = select(ids or None)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    rows, missing = _Rows(), 0
    jobs = _cores() if jobs is None else jobs
    check_options(level, jobs)
    store.open_output(out)
    console.print(HEADER)
    try:
        with _bar(console, len(chosen)) as advance:
            verdicts = run_claims(chosen, level, seed, jobs=jobs, out=out,
                                  progress=lambda outcome: advance(rows(outcome)))
    except Interrupted as stopped:
        verdicts, missing = stopped.verdicts, len(chosen) - len(stopped.verdicts)
    _report(verdicts, chosen, out, level, seed, missing)
    for verdict in verdicts:
        if verdict.verdict != rows.seen[verdict.id]:
            console.print(rows(Outcome(verdict, remark="after correction for the number of claims")))
    console.print(f"\n{words.summary(verdicts)}\n{out / 'verdicts.json'}\n{out / 'report.html'}")
    if missing:
        return _complain(f"interrupted: {len(verdicts)} of {len(chosen)} claims finished and kept; "
                         "the same command goes on from there", 130)
    return exit_status(verdicts)


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())


def _report(verdicts: list[Verdict], chosen: list[Claim], out: Path, level: str, seed: int, missing: int) -> None:
    from .report.page import render

    now = datetime.now().astimezone()
    date = f"{now.day} {now:%B %Y, %H:%M %Z}"
    store.write(out / "report.html", render(verdicts, chosen, level=level, seed=seed, date=date, missing=missing))


class _Rows:
    """One line a claim; remembers the verdicts that were printed."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def __call__(self, outcome: Outcome) -> Text:
        v, status = outcome.verdict, words.status(outcome.verdict)
        self.seen[v.id] = v.verdict
        said = status.words if len(status.words) <= 120 else status.words[:119] + "…"
        controls = f"{v.controls['killed']}/{v.controls['total']}"
        colour = COLOURS[status.key]
        row = Text().append(status.symbol, colour)
        row.append(f" {words.ratio(v.sharpness):>9}  {words.number(v.detectable_factor):>8}  {controls:>8}"
                   f"  {words.seconds(v.seconds):>8}  {v.id}: ").append(said, colour)
        row.append(" (cached)" if outcome.cached else "", "dim")
        row.append(f"\n  {outcome.remark}" if outcome.remark else "", "yellow")
        return row


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Any]:
    """A function that prints a row, if it gets one; on a terminal, above a bar that it moves on."""
    if not console.is_terminal:
        yield lambda row=None: row is None or print(row.plain, flush=True)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    columns = SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)

        def advance(row: Text | None = None) -> None:
            if row is not None:
                progress.console.print(row, soft_wrap=True)
            progress.advance(task)

        yield advance


# ---------------------------------------------------------------- distributed


@app.command()
def distributed(
    nproc: Annotated[int, typer.Option(help="Ranks, at least 2.")] = 2,
    backend: Annotated[str, typer.Option(help="gloo, or nccl (one GPU per rank).")] = "gloo",
    device: Annotated[str, typer.Option(help="cpu, or cuda: gloo on GPU tensors.")] = "cpu",
    timeout: Annotated[float, typer.Option(help="Seconds after which all ranks are ended.")] = 300.0,
    fault: Annotated[str, typer.Option(
        help="Plant one on the last rank: kill, nan, differ, frozen, stall, disagree or share.")] = "",
) -> int:
    """Compare the statistics of DDP, FSDP2, accumulation and one process with NumPy, over ranks.

    Exit status: 0 everything agrees, 1 it does not or a rank failed, 2 usage (or no PyTorch), 130 interrupted.
    """
    from .distributed.launch import PARTS, launch

    parts = PARTS if not fault else ("checks",) if fault == "disagree" else ("train",)
    outcome = launch(nproc, backend, "cuda" if backend == "nccl" else device, timeout, parts, fault)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for row in outcome.rows:
        console.print(_agreement(row))
    for line in outcome.errors:
        print(f"samplingtheory: {line}", file=sys.stderr)
    good = sum(row["passed"] for row in outcome.rows)
    console.print(f"\n{good} of {len(outcome.rows)} checks agree on {nproc} ranks ({backend})" if outcome.rows else
                  f"\nno verdict on {nproc} ranks ({backend}): a rank failed")
    return outcome.status


def _agreement(row: dict[str, Any]) -> Text:
    """One line of the verdict table: error and limit, what was computed how, from how many units."""
    colour = "green" if row["passed"] else "bold red"
    if "losses" in row:
        return Text("✓", colour).append("  losses " + " ".join(f"{loss:.6g}" for loss in row["losses"]), "default")
    text = Text("✓" if row["passed"] else "✗", colour)
    text.append(f" {float(row['error']):>8.1e} {'<=' if row['passed'] else '> '} {row['limit']:<7.0e} ")
    return text.append(f"{row['model']:<11} {row['dtype']:<7}  {row['units']:>2} {row['scope']:<16} ").append(
        row["check"], colour)


# ---------------------------------------------------------------- conform


@app.command()
def conform(
    target: Annotated[str | None, typer.Argument(metavar="[MODULE:CALLABLE]", show_default=False,
                                                 help="What to check; our own implementations if left out.")] = None,
    kind: Annotated[str | None, typer.Option(help="norm, inner-product, ..., adam, prox, theorem; required unless the "
                                                  "object carries it.")] = None,
    role: Annotated[str | None, typer.Option(help="exact, same-batch, lagged or pilot.")] = None,
    replacement: Annotated[bool, typer.Option("--replacement", help="Batches are drawn with replacement.")] = False,
    flag: Annotated[list[str] | None, typer.Option(metavar="NAME[=VALUE]", help="A further flag of the check, such as "
                                                   "monotone, layout=2,3 or answers=accept; repeatable.")] = None,
    expect: Annotated[list[str] | None, typer.Option(metavar="CHECK=REASON", help="An expected failure; it is an error "
                                                     "if it passes. Repeatable.")] = None,
    value: Annotated[str | None, typer.Option(metavar="MODULE:CALLABLE", help="For a prox: x -> h(x).")] = None,
    examples: Annotated[int | None, typer.Option(help="Examples a check: 50; for our own 360, over all kinds.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random examples from this seed; else always the same.")] = None,
    third_party: Annotated[bool, typer.Option("--third-party", help="Check torch and optax, if installed.")] = False,
    matrix: Annotated[Path | None, typer.Option(help="Write the kill matrix (checks x planted mistakes) here.")] = None,
    vectors: Annotated[Path | None, typer.Option(help="Write the language-neutral test vectors here.")] = None,
) -> int:
    """Check an implementation of a batch-size test, an optimizer, a prox or a claim.

    Exit status: 0 every check passed (or failed as expected), 1 one did not, 2 usage.
    """
    if (examples is not None and examples < 1) or (seed is not None and seed < 0):
        raise UserError(f"examples is {examples}, seed {seed}; give examples at least 1, seed at least 0")
    try:
        from .testing import conform as kit
    except ModuleNotFoundError as error:
        raise UserError(str(error)) from None
    if target is not None:
        flags = kit.flags_of({"role": role, "replacement": replacement or None, "value": value}, flag or [])
        report = kit.conform(kit.load(target), kind, flags, expected=kit.expected_of(expect or []),
                             examples=examples or 50, seed=seed)
        print(report)
        return 0 if report.ok else 1
    done = kit.write_files(matrix, vectors, examples, lambda line: print(line, flush=True))
    if done is not None:
        return done
    reports = kit.check_third_party(examples or 50, seed) if third_party else kit.check_ourselves(examples or 360, seed)
    return kit.print_reports(reports, lambda line: print(line, flush=True))


# ---------------------------------------------------------------- list, show


@app.command("list")
def list_claims(ids: Ids = None) -> None:
    """All claims, one a line."""
    chosen = select(ids or None)
    width, kind = (max((len(text) for text in texts), default=0)
                   for texts in ([c.id for c in chosen], [c.kind for c in chosen]))
    for c in chosen:
        print(f"{c.id:<{width}}  {c.kind:<{kind}}  {c.source.provenance:<13}  {c.title}"
              + (" (must be refuted)" if c.expected == "fails" else ""))


@app.command()
def show(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Claims, or patterns.")]) -> None:
    """What a claim says, where it comes from, how it is tested."""
    print("\n\n".join(map(describe, select(ids))))


def describe(claim: Claim) -> str:
    """A claim in words."""
    source = claim.source
    lines = [f"{claim.id}: {claim.title}", "", f"  {claim.statement}", ""]
    if claim.expected == "fails":
        lines += ["Expected to be wrong: its tight cases are counter-examples and must be refuted."]
    lines += [words.pretty(claim.explain)] if claim.explain else []
    lines += [f"No tight case: {words.pretty(claim.no_tight)}"] if claim.no_tight else []
    lines += ["", f"source      {source.paper}, {source.label}", f"provenance  {words.PROVENANCE[source.provenance]}",
              f"kind        {words.KIND[claim.kind]}", "", "Hypotheses"]
    lines += [f"  {name}: {words.pretty(h.words)}" for name, h in claim.hypotheses.items()] or ["  none"]
    rows = [(f"broken: {violates}" if violates else role, *_built(case)) for role, violates, case in claim.cases()]
    width = max((len(role) for role, *_ in rows), default=0)
    lines += ["", "Cases", *(f"  {role:<{width}}  {words.pretty(name)}; {plan}" for role, name, plan in rows)]
    return "\n".join([*lines, "", f"Run it:  samplingtheory verify {claim.id}"])


def _built(given: Case | Callable[[], Case]) -> tuple[str, str]:
    """Name and evidence of a case; data that cannot be loaded are no reason to say nothing of the claim."""
    try:
        case = given if isinstance(given, Case) else given()
    except Exception as error:
        return case_name(given), f"cannot be built: {error}"
    return case.name, repr(case.evidence)


# ---------------------------------------------------------------- experiment


@app.command()
def experiment(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="NAME", show_default=False,
        help="Experiments (e01 is enough), all, or importable modules; none: list them with their questions.")] = None,
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
    from .experiment import Options, modules, run_experiments

    if not names:
        return _questions(modules.found())
    chosen = modules.select(names)
    jobs = _cores() if jobs is None else jobs
    console = Console(highlight=False, markup=False, soft_wrap=True)

    def say(line: str) -> None:
        console.print(line)

    options = Options(quick, jobs, backend, scheduler, resume, draw, out)
    try:
        report = run_experiments(chosen, options, say, lambda total: _bar(console, total))
    except KeyboardInterrupt:
        return _complain("interrupted: finished tasks are kept; the same command with --resume goes on from there", 130)
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
