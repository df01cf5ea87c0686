"""Checks of a claim, one's own or ours: does its tight case hold and reach the bound, do its broken cases fail, and
could it fail at all.

The claim is run once by `samplingtheory.check`; each check reads the verdict, and `falsifiable` runs it again with the
measured side (for rates: the rate) enlarged. A claim expected to fail must be refuted by its tight cases instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hypothesis import strategies as st

from ..check import check
from ..claims.base import CaseResult, Claim, Verdict
from ..evidence.base import CERTIFICATE, MC, Quantity
from .engine import EXAMPLES, Check, Deferred, Report, deferred, need, run_checks
from .guard import fixed_chance

NEAR = {MC: 0.5}  # what each tight case must reach of the bound; other evidence: 0.99, for laws that tend to it
REACHED = {CERTIFICATE: 0.99, MC: 0.5}  # what the best tight case must reach; exact evidence: 1 - 1e-5
EDGE = 0.01  # margins are relative to 1; up to here a case stands at the edge of a hypothesis
ENLARGED = 1.5  # a claim that holds with its measured side this much beyond its own sharpness cannot fail


@dataclass(frozen=True)
class Theorem:
    """A claim under test, run at `level` from `seed`."""

    claim: Claim
    level: str = "quick"
    root: int = 0
    kind: str = field(default="theorem", init=False)

    @property
    def name(self) -> str:
        return self.claim.id

    @cached_property
    def verdict(self) -> Verdict:
        return check(self.claim, self.level, self.root)

    def cases(self, *roles: str) -> list[CaseResult]:
        return [c for c in self.verdict.cases if c.role in roles]


def runs(t: Theorem, _: None) -> None:
    for case in t.verdict.cases:
        need(not case.words.startswith("inconclusive (error"), f"{case.name}: {case.words}")


def hypotheses_hold(t: Theorem, _: None) -> None:
    for case in t.cases("tight", "generic", "real"):
        need(not case.words.startswith("inconclusive (hypothesis"), f"{case.name}: {case.words}")


def as_claimed(t: Theorem, _: None) -> None:
    if t.claim.expected == "fails":
        survivors = [c.name for c in t.cases("tight") if not c.refuted]
        need(not survivors, f"expected to fail, but not refuted: {', '.join(survivors)}")
        return
    refuted = [f"{c.name} ({c.evidence.value:.6g} times the bound)" for c in t.cases("tight", "generic", "real")
               if c.refuted]
    need(not refuted, f"refuted: {', '.join(refuted)}")


def share(c: CaseResult) -> float:
    """What a case reaches of the bound; by Monte Carlo: what is certified at its risk."""
    return c.evidence.lower if c.evidence.grade == MC else c.evidence.value


def reaches(t: Theorem, _: None) -> None:
    """Every tight case comes near the bound, and one of them reaches it."""
    tight = [c for c in t.cases("tight") if not c.words.startswith("inconclusive")]
    for c in tight:
        need(share(c) >= NEAR.get(c.evidence.grade, 0.99),
             f"{c.name} is called tight, but reaches only {share(c):.6g} of the bound")
    need(not tight or any(share(c) >= REACHED.get(c.evidence.grade, 1 - 1e-5) for c in tight),
         lambda: f"no tight case reaches the bound: the best comes to {max(map(share, tight)):.8g} of it")


def uncontrolled(claim: Claim) -> tuple[str, ...]:
    """Hypotheses that no case breaks."""
    return tuple(name for name in claim.hypotheses if not claim.broken.get(name))


def controlled(t: Theorem, _: None) -> None:
    bare = uncontrolled(t.claim)
    need(not bare, f"no case breaks the hypothesis {', '.join(map(repr, bare))}: nothing shows that it is needed")


def far_from_edge(t: Theorem) -> dict[str, float]:
    """Hypotheses that every case meets with room to spare, and the least margin."""
    held = t.cases("tight", "generic", "real")
    return {name: least for name in t.claim.hypotheses if (least := min(c.margins[name] for c in held)) > EDGE}


def edges(t: Theorem, _: None) -> None:
    """A hypothesis that is never met with equality may say less than the theorem needs."""
    far = far_from_edge(t)
    need(not far, "no case stands at the edge of " + ", ".join(f"{n!r} (least margin {m:.3g})" for n, m in far.items()))


def separate(t: Theorem, _: None) -> None:
    for c in t.cases("broken"):
        need(not c.words.startswith("inconclusive (hypothesis"),
             f"{c.name} should violate {c.violates!r} and no other hypothesis: {c.words}")


def broken_fail(t: Theorem, _: None) -> None:
    for c in t.cases("broken"):
        if not c.words.startswith("inconclusive"):
            need(c.refuted, f"{c.name} violates {c.violates!r}, and the bound holds all the same (measured/bound = "
                            f"{c.evidence.value:.4g})")


def falsifiable(t: Theorem, _: None) -> None:
    """With the measured side enlarged beyond its distance from the bound, the claim must be refuted; where it is 0, as
    for events that never happen, a broken case must have been."""
    held = [c for c in t.cases("tight", "generic", "real") if not c.words.startswith("inconclusive")]
    best = max((c.evidence.lower for c in held), default=0.0)
    need(best > 0 or any(c.refuted for c in t.cases("broken")),
         "measured/bound is 0 in every case: nothing that could happen would refute it")
    if best == 0:
        return
    factor = ENLARGED / min(best, 1.0)
    other = replace(t.claim, quantity=enlarged(t.claim, factor), broken={})
    words = check(other, t.level, t.root).cases
    need(any(c.refuted for c in words), f"{factor:.3g} times the measured side is not refuted by any case: the evidence "
                                        "does not depend on it")


def enlarged(claim: Claim, factor: float) -> Quantity:
    """The claim's quantity with `factor` times the measured side; for a rate, `factor` times the rate."""
    sides, rate = claim.quantity.sides, claim.kind == "rate"

    def larger(*given: Any) -> Any:
        measured, bound = sides(*given)
        return (measured, bound * factor) if rate else (measured * factor, bound)

    return replace(claim.quantity, sides=larger)


def repeats(t: Theorem, _: None) -> None:
    """Run again in another global random state, which a claim must not read."""
    with fixed_chance(1):
        again = check(replace(t.claim, broken={}), t.level, t.root)
    first = [(c.name, c.words, c.evidence.value) for c in t.cases("tight", "generic", "real")]
    need(first == [(c.name, c.words, c.evidence.value) for c in again.cases], "the same seed gives another verdict")


def once(subject: Any) -> Any:
    return st.none()


def _class(t: Theorem) -> str:
    if t.claim.kind == "class":
        return "the worst case of a class is computed, not measured"
    return _fails(t) and "that it fails is what as-claimed asks"


def _fails(t: Theorem) -> str:
    return "it is expected to fail" if t.claim.expected == "fails" else ""


def _check(name: str, words: str, body: Callable[[Theorem, None], None], applies: Any = lambda t: "") -> Check:
    return Check(name, words, body, once, applies=applies)


THEOREM_CHECKS: tuple[Check, ...] = (
    _check("runs", "no case ends in an error", runs),
    _check("hypotheses-hold", "tight, generic and real cases satisfy every hypothesis", hypotheses_hold),
    _check("as-claimed", "no tight, generic or real case refutes it (or, if expected to fail, all tight ones do)",
           as_claimed),
    _check("tight-reaches-bound", "tight cases come within 1 % of the bound, and one reaches it", reaches, _fails),
    _check("every-hypothesis-broken", "each hypothesis has a case that violates it", controlled, _fails),
    _check("edge-of-hypotheses", "each hypothesis is met within 1 % of its edge by a case that holds", edges, _fails),
    _check("broken-violate-one", "broken cases violate the hypothesis they name, and no other", separate),
    _check("broken-fail", "the bound fails in every broken case", broken_fail),
    _check("falsifiable", "a larger measured side is refuted", falsifiable, _class),
    _check("repeats", "the same seed, the same verdict", repeats),
)


def theorem(claim: Any, **flags: Any) -> Theorem:
    if isinstance(claim, Theorem):
        return claim
    if not isinstance(claim, Claim):
        raise ValueError(f"the claim is {claim!r}; give a samplingtheory.claims.base.Claim")
    return Theorem(claim, **flags)


def check_theorem(claim: Any, *, expected_failures: Mapping[str, str] | None = None, level: str = "quick",
                  seed: int = 0) -> Report:
    """Every check on a `Claim`; level and seed as in `verify`."""
    return run_checks(theorem(claim, level=level, root=seed), THEOREM_CHECKS, expected=expected_failures)


def theorem_checks(claim: Any, *, expected_failures: Mapping[str, str] | None = None, level: str = "quick",
                   seed: int = 0) -> list[Deferred]:
    """The same checks one by one, for pytest."""
    return deferred(theorem(claim, level=level, root=seed), THEOREM_CHECKS, expected_failures, EXAMPLES, None)
