"""Tasks in, figures and a page out; what is finished is kept at once, so that a kill loses only tasks in flight."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import store, workers
from ..errors import UserError
from .modules import Experiment, provenance
from .plots import style, svg
from .results import DAMAGED, KEPT, STALE, Results, task_key

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to run: `resume` keeps what the folder holds, `draw` computes nothing."""

    quick: bool = False
    jobs: int = 1
    backend: str = "loky"
    scheduler: str = ""
    resume: bool = False
    draw: bool = False
    out: Path = Path("samplingtheory-out")


@dataclass
class Job:
    """One experiment of a run: its tasks and what is done of them, by key."""

    experiment: Experiment
    module: ModuleType
    results: Results
    tasks: dict[str, dict[str, Any]]
    done: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def todo(self) -> list[str]:
        return [key for key in self.tasks if key not in self.done]


@dataclass(frozen=True)
class Report:
    """What a run came to. `failed`: experiments without figures, with the reason."""

    captions: Mapping[str, str]
    failed: Mapping[str, str]
    page: Path


def run_experiments(experiments: list[Experiment], options: Options, say: Say = print,
                    bar: Callable[[int], Any] | None = None) -> Report:
    """Compute what is missing, draw, and write the page. An experiment that fails does not stop the others.

    say  called with lines for the reader      bar(total) -> a context that gives a function to call after each task
    UserError: a folder or option that cannot be used. KeyboardInterrupt passes; finished tasks are kept.
    """
    if options.jobs < 1:
        raise UserError(f"jobs is {options.jobs}; give the number of processes, at least 1")
    folder = store.open_output(options.out, "experiments") / "experiments"
    failed: dict[str, str] = {}
    jobs = []
    for experiment in experiments:
        try:
            jobs.append(_prepare(experiment, folder, options, say))
        except Exception as error:  # whatever a module raises is its own failure
            failed[experiment.name] = _words(error)
            say(f"{experiment.name}: cannot start ({failed[experiment.name]})")
    if not options.draw:
        _compute(jobs, options, bar, say)
    captions = {}
    for job in jobs:
        name = job.experiment.name
        try:
            captions[name] = _drawn(job, folder, options)
        except Exception as error:
            failed[name] = _words(error)
            say(f"{name}: no figure ({failed[name]})")
    from .page import write_page

    return Report(captions, failed, write_page(options.out))


def _words(error: Exception) -> str:
    kind = "" if isinstance(error, (UserError, ValueError)) else f"{type(error).__name__}: "
    return kind + (" ".join(str(error).split()) or "no message")


# ---------------------------------------------------------------- what there is to do


def _prepare(experiment: Experiment, folder: Path, options: Options, say: Say) -> Job:
    module = experiment.load()
    tasks: dict[str, dict[str, Any]] = {}
    for task in module.tasks(options.quick):
        if tasks.setdefault(task_key(task), task) is not task:
            raise ValueError(f"two tasks are equal: {task}; give each its own seed or parameters")
    if not tasks:
        raise ValueError("it has no tasks")
    place = folder / experiment.name
    store.open_output(place, "results")
    for leftovers in (place, place / "results"):
        store.sweep_up(leftovers)
    job = Job(experiment, module, Results(place / "results", provenance(experiment, module)), tasks)
    if options.resume or options.draw:
        _gather(job, options, say)
    return job


def _gather(job: Job, options: Options, say: Say) -> None:
    """Take what the folder holds. Old results are drawn if nothing may be computed, and said to be old."""
    usable, stale = {KEPT, STALE} if options.draw else {KEPT}, 0
    name, verb = job.experiment.name, "left out" if options.draw else "computed again"
    for key, task in job.tasks.items():
        found = job.results.get(task)
        stale += found.state == STALE
        if found.state in usable:
            job.done[key] = found.result
        elif found.state == DAMAGED:
            say(f"{name}: {found.why}; {verb}")
    if stale:
        say(f"{name}: {stale} of {len(job.tasks)} results come from another source, version or data; "
            + ("drawn as they are" if options.draw else "computed again"))


# ---------------------------------------------------------------- doing it


def _compute(jobs: list[Job], options: Options, bar: Callable[[int], Any] | None, say: Say) -> None:
    """All tasks of all experiments through one pool; each result is written as it arrives."""
    calls = [(job.experiment, key, job.tasks[key]) for job in jobs for key in job.todo]
    table = {job.experiment.name: job for job in jobs}
    if not calls:
        return
    with closing(_answers(calls, options)) as answers, (bar(len(calls)) if bar else nullcontext()) as advance:
        for text in answers:
            answer = json.loads(text)
            _settle(table[answer["name"]], answer, say)
            if advance:
                advance()


def _answers(calls: list[tuple[Any, ...]], options: Options) -> Generator[str, None, None]:
    if options.jobs == 1 and options.backend == "loky" and not options.scheduler:
        for call in calls:
            yield _work(*call)
    else:
        yield from workers.unordered(_work, calls, min(options.jobs, len(calls)), options.backend, options.scheduler)


def _settle(job: Job, answer: dict[str, Any], say: Say) -> None:
    """Keep one answer; a task that failed is said (once a reason), and the rest goes on."""
    name, key = job.experiment.name, answer["key"]
    if "error" in answer:
        if answer["error"] not in job.errors:
            say(f"{name}: task {job.tasks[key]} failed ({answer['error']})")
        job.errors.append(answer["error"])
        return
    if answer["provenance"] != job.results.provenance:
        there, here = answer["provenance"], job.results.provenance
        differs = next(k for k in here if there.get(k) != here[k])
        raise UserError(f"a worker has another {differs} for {name} than this process ({_short(there.get(differs))} "
                        f"against {_short(here[differs])}); install the same checkout on all workers")
    job.results.put(job.tasks[key], answer["result"])
    job.done[key] = answer["result"]
    if not job.todo:
        say(f"{name}: all {len(job.tasks)} tasks done")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _work(experiment: Experiment, key: str, task: dict[str, Any]) -> str:
    """In a worker: one task; JSON comes out, so that a result is plain before it leaves."""
    import scipy.linalg  # noqa: F401  loads SciPy's BLAS, which is limited only if it is there
    from threadpoolctl import threadpool_limits

    head = {"name": experiment.name, "key": key}
    try:
        module, known = _loaded(experiment)
        with threadpool_limits(1):  # the last bit of a sum depends on how many threads add
            result = module.compute(task)
        return store.dumps(head | {"result": result, "provenance": known})
    except Exception as error:
        if "Out of range float" in str(error):
            error = ValueError("its result holds NaN or infinity; use None for what there is no number for")
        return store.dumps(head | {"error": _words(error)})


@lru_cache  # once a process: long-lived workers keep what they imported, and say so by its hash
def _loaded(experiment: Experiment) -> tuple[ModuleType, dict[str, Any]]:
    module = experiment.load()
    return module, provenance(experiment, module)


# ---------------------------------------------------------------- drawing


def _drawn(job: Job, folder: Path, options: Options) -> str:
    """Write the figures and the summary from which the page is made; returns the caption."""
    if job.errors:
        raise ValueError(f"{len(job.errors)} of {len(job.tasks)} tasks failed: {job.errors[0]}")
    if job.todo:
        raise UserError(f"{len(job.todo)} of {len(job.tasks)} results are missing; run it without --draw")
    module, place = job.module, job.results.folder.parent
    pairs = [(json.loads(store.dumps(task)), job.done[key]) for key, task in job.tasks.items()]
    shaped = module.shape(pairs)
    with style():
        figures = {name: svg(figure) for name, figure in module.draw(shaped).items()}
    compare = getattr(module, "compare", None)
    summary = {
        "name": job.experiment.name, "module": job.experiment.module, "doc": job.experiment.doc,
        "question": job.experiment.question, "caption": module.caption(shaped), "paper": module.PAPER,
        "compare": compare(shaped) if compare else "", "figures": list(figures), "tasks": len(pairs),
        "quick": options.quick, "provenance": dict(job.results.provenance),
    }
    try:
        for old in place.glob("*.svg"):
            if old.stem not in figures:
                old.unlink(missing_ok=True)
        for name, text in figures.items():
            store.write(place / f"{name}.svg", text)
        store.write(place / "summary.json", store.dumps(summary, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"cannot write figures to {place} ({store.reason(error)})") from None
    return str(summary["caption"])
