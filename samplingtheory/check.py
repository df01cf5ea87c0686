"""One claim: every case run and judged, errors included; and the correction across claims."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np

from . import seeds, store
from .claims.base import Case, CaseResult, Claim, Verdict, judge, judge_case
from .evidence.base import MC, Evidence

EFFORT = {"quick": 1, "full": 10}
LEVEL = 0.01  # false discovery rate of all Monte Carlo refutations together


def check(claim: Claim, level: str, seed: int) -> Verdict:
    """Run and judge one claim. An error in a case is that case's verdict; it never ends the run."""
    start = perf_counter()
    results = [_check_case(claim, *which, level, seed) for which in claim.cases()]
    if all(r.role == "broken" for r in results):
        nothing = ValueError("the claim has no tight, generic or real case")
        results.insert(0, _failed(claim, "(none)", "generic", "", None, nothing))
    return store.settled(_judge(claim, results, seed, perf_counter() - start))


def _check_case(claim: Claim, role: str, violates: str, given: Case | Callable[[], Case], level: str,
                seed: int) -> CaseResult:
    start, case = perf_counter(), None
    try:
        case = given if isinstance(given, Case) else given()
        rng = seeds.child(seed, claim.id, case.name)
        evidence = case.evidence.collect(claim.kind, claim.quantity, claim.watched, case, rng, EFFORT[level])
        result = judge_case(role, violates, case, evidence, claim.hypotheses)
    except Exception as error:
        result = _failed(claim, case_name(given if case is None else case), role, violates, case, error)
    return replace(result, seconds=perf_counter() - start)


def case_name(given: Case | Callable[[], Case]) -> str:
    """What to call a case, built or not: else the name of its builder, without `<locals>.build`."""
    if isinstance(given, Case):
        return given.name
    return getattr(given, "__qualname__", "?").split(".<locals>")[0].strip("_").replace("_", " ")


def _failed(claim: Claim, name: str, role: str, violates: str, case: Case | None,
            error: Exception) -> CaseResult:
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


def correct(claims: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> list[Verdict]:
    """Verdicts in the order of `claims`, Monte Carlo refutations of what should hold corrected by e-BH.

    The family is every MC row (a tight, generic or real case of a claim expected to hold) of this run.
    """
    from .evidence.betting import e_bh

    rows = [(c.id, i, r) for c in claims if c.expected == "holds" for i, r in enumerate(verdicts[c.id].cases)
            if r.role != "broken" and r.evidence.grade == MC]
    kept = [True] * len(rows)
    if len(rows) > 1:
        kept = e_bh(np.array([_log_e(r.evidence) for _, _, r in rows]), LEVEL).tolist()
    lost = {(id, i) for (id, i, r), keep in zip(rows, kept, strict=True) if r.refuted and not keep}
    return [_without(c, verdicts[c.id], {i for id, i in lost if id == c.id}) for c in claims]


def _log_e(evidence: Evidence) -> float:
    """The wealth at the end, where it was kept: the largest wealth along the way is not an e-value."""
    wealth = evidence.series.get("wealth")
    return float(wealth[-1]) if wealth else evidence.log_e


def _without(claim: Claim, verdict: Verdict, lost: set[int]) -> Verdict:
    if not lost:
        return verdict
    cases = [replace(r, words="inconclusive (multiplicity)") if i in lost else r
             for i, r in enumerate(verdict.cases)]
    return store.settled(_judge(claim, cases, verdict.seed, verdict.seconds))
