"""Claims in, verdicts out: in parallel, with nothing lost to an error, a dead worker or Ctrl-C."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import import_module
from numbers import Integral
from pathlib import Path

from . import seeds, store, workers
from .check import EFFORT, check, correct
from .claims.base import Claim, Verdict, as_plain
from .errors import UserError

CATALOGUE = "samplingtheory.claims.catalogue"  # by name: a worker process imports it and looks its claims up
Chosen = str | Claim | Iterable[str | Claim] | None


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


def verify(claims: Chosen = None, level: str = "quick", rng: seeds.Seedable = 0, *, jobs: int = 1,
           out: str | Path | None = None, progress: Callable[[Outcome], None] | None = None) -> list[Verdict]:
    """Verdicts of `claims` (ids, patterns such as 'espath2021/*', or Claims; None: all), in catalogue order.

    out       folder for verdicts.json and the cache (of catalogue claims only: others may change unseen)
    progress  called with each Outcome as it finishes, in any order
    The same seed gives the same verdicts, whatever `jobs` and order. UserError: unknown id or level, a bad
    folder. Interrupted: Ctrl-C, with what was finished.
    """
    check_options(level, jobs)
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
    except UserError:
        settle()
        raise
    return settle()


def check_options(level: str, jobs: int) -> None:
    """UserError unless the level is known and there is at least one process."""
    if level not in EFFORT:
        raise UserError(f"level is {level!r}; use {' or '.join(map(repr, EFFORT))}")
    if not (isinstance(jobs, Integral) and jobs >= 1):
        raise UserError(f"jobs is {jobs!r}; give the number of processes, at least 1")


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """0: every claim as expected; 1: one is not, or a control survived; 3: neither, some inconclusive."""
    verdicts = list(verdicts)
    if not all(v.as_expected for v in verdicts):
        return 1
    return 3 if any(v.inconclusive for v in verdicts) else 0


# ---------------------------------------------------------------- which claims


def known() -> dict[str, Claim]:
    """The catalogue by id."""
    return {claim.id: claim for claim in import_module(CATALOGUE).catalogue}


def select(claims: Chosen = None) -> list[Claim]:
    """The claims meant, each once, in catalogue order, others after them by id. UserError: an unknown id."""
    table = known()
    if claims is None:
        return list(table.values())
    chosen: dict[str, Claim] = {}
    items = list(claims) if isinstance(claims, Iterable) and not isinstance(claims, str) else [claims]
    for item in items:
        if not isinstance(item, (str, Claim)):
            raise UserError(f"a claim is {item!r}; give ids, patterns such as 'espath2021/*', or Claims")
        for claim in [item] if isinstance(item, Claim) else _matching(item, table):
            if chosen.setdefault(claim.id, claim) is not claim:
                raise UserError(f"two claims have the id {claim.id}; verdicts go by id: rename one")
    place = {id: i for i, id in enumerate(table)}
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
    ours = {id for id, claim in known().items() if any(claim is c for c in chosen)}
    remarks: dict[str, str] = {}
    todo: list[Claim] = []
    for claim in chosen:
        verdict, remarks[claim.id] = cache.get(claim.id) if cache and claim.id in ours else (None, "")
        if verdict is None:
            todo.append(claim)
        else:
            yield Outcome(verdict, cached=True)
    for verdict in _run(todo, ours, level, seed, jobs):
        kept = cache.put(verdict) if cache and verdict.id in ours else ""
        yield Outcome(verdict, remark="; ".join(filter(None, (remarks[verdict.id], kept))))


def _run(todo: Sequence[Claim], ours: set[str], level: str, seed: int, jobs: int) -> Iterator[Verdict]:
    there = [claim.id for claim in todo if claim.id in ours]
    if min(jobs, len(there)) > 1:  # one claim is not worth starting processes for
        calls = [(CATALOGUE, id, level, seed) for id in there]
        yield from (store.verdict_from_plain(json.loads(text))
                    for text in workers.unordered(_work, calls, min(jobs, len(there))))
        todo = [claim for claim in todo if claim.id not in ours]
    if todo:
        import scipy.linalg  # noqa: F401  loads SciPy's BLAS, which is limited only if it is there
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # as in the workers: the last bit of a sum depends on how many threads add
            for claim in todo:
                yield check(claim, level, seed)


def _work(catalogue: str, id: str, level: str, seed: int) -> str:
    """In a worker: claims hold lambdas, which do not pickle, so an id comes in and JSON goes out."""
    claim = next(c for c in import_module(catalogue).catalogue if c.id == id)
    return store.dumps(as_plain(check(claim, level, seed)))
