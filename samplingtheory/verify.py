"""Claims in, verdicts out: every case of every claim is run and judged, in parallel, with nothing lost."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from . import seeds, store
from .claims.base import Case, CaseResult, Claim, Verdict, as_plain, judge, judge_case
from .errors import UserError
from .evidence.base import MC, Evidence

CATALOGUE = "samplingtheory.claims.catalogue"  # by name: a worker process imports it and looks its claims up
EFFORT = {"quick": 1, "full": 10}
LEVEL = 0.01  # false discovery rate of all Monte Carlo refutations together


@dataclass(frozen=True)
class Outcome:
    """A verdict as it arrives; `remark` says what went wrong with the cache, if anything did."""

    verdict: Verdict
    cached: bool = False
    remark: str = ""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; `verdicts` are those that were finished (and are in the cache, if there is one)."""

    def __init__(self, verdicts: list[Verdict]) -> None:
        super().__init__(f"interrupted after {len(verdicts)} claims")
        self.verdicts = verdicts


def verify(claims: str | Claim | Iterable[str | Claim] | None = None, level: str = "quick",
           rng: seeds.Seedable = 0, *, jobs: int = 1, out: str | Path | None = None,
           progress: Callable[[Outcome], None] | None = None) -> list[Verdict]:
    """Verdicts of `claims` (ids, patterns such as 'espath2021/*', or Claims; None: all), in catalogue order.

    out       folder for verdicts.json and the cache (of catalogue claims only: it cannot see that another changed)
    progress  called with each Outcome as it finishes, in any order
    The same seed gives the same verdicts, whatever `jobs` and order. UserError: unknown id or level, bad folder.
    Interrupted: Ctrl-C, with what was finished.
    """
    if level not in EFFORT:
        raise UserError(f"level is {level!r}; use {' or '.join(map(repr, EFFORT))}")
    if jobs < 1:
        raise UserError(f"jobs is {jobs}; give the number of processes, at least 1")
    chosen, seed = select(claims), seeds.root_seed(rng)
    folder = None if out is None else store.open_output(out)
    cache = None if folder is None else store.Cache(folder / "cache", level, seed)
    finished: dict[str, Verdict] = {}

    def settle() -> list[Verdict]:
        verdicts = correct([claim for claim in chosen if claim.id in finished], finished)
        if folder is not None:
            store.write_verdicts(folder / "verdicts.json", verdicts, level)
        return verdicts

    try:
        for outcome in _outcomes(chosen, level, seed, jobs, cache):
            finished[outcome.verdict.id] = outcome.verdict
            if progress is not None:
                progress(outcome)
            elif outcome.remark:
                warnings.warn(outcome.remark, stacklevel=2)
    except KeyboardInterrupt:
        raise Interrupted(settle()) from None
    return settle()


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """0 every claim as expected; 1 one is not, or a control survived; 3 neither, but some are inconclusive."""
    verdicts = list(verdicts)
    if not all(v.as_expected for v in verdicts):
        return 1
    return 3 if any(v.inconclusive for v in verdicts) else 0


# ---------------------------------------------------------------- which claims


def known() -> dict[str, Claim]:
    """The catalogue by id."""
    return {claim.id: claim for claim in import_module(CATALOGUE).catalogue}


def select(claims: str | Claim | Iterable[str | Claim] | None = None) -> list[Claim]:
    """The claims meant, each once, in catalogue order, others after them by id. UserError: an unknown id."""
    listed = [claims] if isinstance(claims, (str, Claim)) else claims
    table = known() if listed is None or not all(isinstance(c, Claim) for c in (listed := list(listed))) else {}
    if listed is None:
        return list(table.values())
    chosen: dict[str, Claim] = {}
    for item in listed:
        for claim in [item] if isinstance(item, Claim) else _matching(item, table):
            if chosen.setdefault(claim.id, claim) is not claim:
                raise UserError(f"two claims have the id {claim.id}; verdicts are told apart by id: rename one")
    place = {id: i for i, id in enumerate(table or known())}
    return sorted(chosen.values(), key=lambda c: (place.get(c.id, len(place)), c.id))


def _matching(pattern: str, table: dict[str, Claim]) -> list[Claim]:
    found = [claim for id, claim in table.items() if id == pattern or fnmatchcase(id, pattern)]
    if not found:
        names = {id.rpartition("/")[2]: id for id in table} | {id: id for id in table}
        nearest = get_close_matches(pattern, names, 1, cutoff=0.0)
        hint = f"the nearest is {names[nearest[0]]!r}; " if nearest else ""
        raise UserError(f"no claim is called {pattern!r}; {hint}`samplingtheory list` shows all")
    return found


# ---------------------------------------------------------------- running them


def _outcomes(chosen: Sequence[Claim], level: str, seed: int, jobs: int,
              cache: store.Cache | None) -> Iterator[Outcome]:
    """Cached ones first, then as they finish: catalogue claims in the workers, the others here."""
    table = known() if cache or jobs > 1 else {}
    remarks: dict[str, str] = {}
    here: list[Claim] = []
    there: list[Claim] = []
    for claim in chosen:
        ours = table.get(claim.id) is claim
        verdict, remarks[claim.id] = cache.get(claim.id) if cache and ours else (None, "")
        if verdict is not None:
            yield Outcome(verdict, cached=True)
        else:
            (there if ours and jobs > 1 else here).append(claim)
    if len(there) == 1:  # one claim is not worth starting processes for
        here, there = [*there, *here], []
    for verdict in _run(here, there, level, seed, jobs):
        remark = remarks[verdict.id]
        if cache and verdict.id in table and table[verdict.id] in chosen:
            remark = "; ".join(filter(None, (remark, cache.put(verdict))))
        yield Outcome(verdict, remark=remark)


def _run(here: list[Claim], there: list[Claim], level: str, seed: int, jobs: int) -> Iterator[Verdict]:
    if there:
        yield from _in_workers([claim.id for claim in there], level, seed, min(jobs, len(there)))
    if here:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # as in the workers: the last bit of a sum depends on the number of threads
            for claim in here:
                yield check(claim, level, seed)


def _in_workers(ids: list[str], level: str, seed: int, jobs: int) -> Iterator[Verdict]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    with parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    try:
        for text in parallel(delayed(_work)(CATALOGUE, id, level, seed) for id in ids):
            yield store.verdict_from_plain(json.loads(text))
    except BrokenProcessPool as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"a worker process died, out of memory perhaps ({reason}); try --jobs 1") from None
    except (KeyboardInterrupt, GeneratorExit):
        get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise


def _work(catalogue: str, id: str, level: str, seed: int) -> str:
    """In a worker: claims hold lambdas, which do not pickle, so an id comes in and JSON goes out."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; the parent answers it
    claim = next(c for c in import_module(catalogue).catalogue if c.id == id)
    return store.dumps(as_plain(check(claim, level, seed)))


def check(claim: Claim, level: str, seed: int) -> Verdict:
    """Run and judge one claim. An error in a case is that case's verdict; it never ends the run."""
    start = perf_counter()
    results = [_check_case(claim, *which, level, seed) for which in claim.cases()]
    if all(r.role == "broken" for r in results):
        nothing = ValueError("the claim has no tight, generic or real case")
        results.insert(0, _failed(claim, "(none)", "generic", "", None, nothing))
    return store.settled(_judge(claim, results, seed, perf_counter() - start))


def _check_case(claim: Claim, role: str, violates: str, build: Any, level: str, seed: int) -> CaseResult:
    start = perf_counter()
    case = None if callable(build) and not isinstance(build, Case) else build
    try:
        case = build() if case is None else case
        rng = seeds.child(seed, claim.id, case.name)
        evidence = case.evidence.collect(claim.kind, claim.quantity, claim.watched, case, rng, EFFORT[level])
        result = judge_case(role, violates, case, evidence, claim.hypotheses)
    except Exception as error:
        name = getattr(case or build, "name", None) or getattr(build, "__name__", "?").strip("_").replace("_", " ")
        result = _failed(claim, name, role, violates, case, error)
    return replace(result, seconds=perf_counter() - start)


def _failed(claim: Claim, name: str, role: str, violates: str, case: Case | None, error: Exception) -> CaseResult:
    """An error as a result: the ratio lies between 0 and infinity, and no margin was measured (+inf)."""
    kind = "" if isinstance(error, (ValueError, FloatingPointError)) else f"{type(error).__name__}: "
    words = f"inconclusive (error: {kind}{' '.join(str(error).split()) or 'no message'})"
    nothing = Evidence("NONE", 0.0, 0.0, math.inf, math.inf)
    margins = {name: math.inf for name in claim.hypotheses}
    note, plan = ("", "") if case is None else (case.note, repr(case.evidence))
    return CaseResult(name, role, violates, words, nothing, margins, note, plan)


def _judge(claim: Claim, results: list[CaseResult], seed: int, seconds: float) -> Verdict:
    verdict = judge(claim, results, seed, seconds)
    failed = any(r.words.startswith("inconclusive (error") for r in results)
    return replace(verdict, as_expected=verdict.as_expected and not failed)


# ---------------------------------------------------------------- across claims


def correct(claims: Sequence[Claim], verdicts: dict[str, Verdict]) -> list[Verdict]:
    """Verdicts in the order of `claims`, Monte Carlo refutations of what should hold corrected by e-BH.

    The family is every MC row (a tight, generic or real case of a claim expected to hold) of this run.
    """
    from .evidence.betting import e_bh

    rows = [(c.id, i) for c in claims if c.expected == "holds" for i, r in enumerate(verdicts[c.id].cases)
            if r.role != "broken" and r.evidence.grade == MC]
    if len(rows) < 2:
        return [verdicts[c.id] for c in claims]
    kept = e_bh(np.array([_log_e(verdicts[id].cases[i].evidence) for id, i in rows]), LEVEL)
    lost = {row for row, keep in zip(rows, kept, strict=True) if not keep and verdicts[row[0]].cases[row[1]].refuted}
    return [_without(c, verdicts[c.id], {i for id, i in lost if id == c.id}) for c in claims]


def _log_e(evidence: Evidence) -> float:
    """The wealth at the end, where it was kept: the largest wealth along the way is not an e-value."""
    wealth = evidence.series.get("wealth")
    return float(wealth[-1]) if wealth else evidence.log_e


def _without(claim: Claim, verdict: Verdict, lost: set[int]) -> Verdict:
    if not lost:
        return verdict
    cases = [replace(r, words="inconclusive (multiplicity)") if i in lost else r for i, r in enumerate(verdict.cases)]
    return store.settled(_judge(claim, cases, verdict.seed, verdict.seconds))
