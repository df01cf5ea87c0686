"""Claims: theorems as values that can be run, can fail, and say how sharply they were tested."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import Any

from ..evidence.base import ASYMPTOTIC, CERTIFICATE, EXACT, MC, Evidence, Quantity

KINDS = ("step", "statement", "pathwise", "probability", "class", "rate")
STATED, RECONSTRUCTED, OURS = "stated", "reconstructed", "ours"


@dataclass(frozen=True)
class Source:
    """Where a claim comes from. provenance: 'stated' (seen in the paper), 'reconstructed' (its setting, our
    proof and constants) or 'ours' (new or sharper)."""

    paper: str
    label: str
    provenance: str

    def __post_init__(self) -> None:
        if self.provenance not in (STATED, RECONSTRUCTED, OURS):
            raise ValueError(f"provenance is {self.provenance!r}; use {STATED!r}, {RECONSTRUCTED!r} or {OURS!r}")


class Symbols(SimpleNamespace):
    """What the theorem is told: alpha, growth, L, mu, ... Bounds are computed from these, never from a
    planted mistake, so that a broken case cannot make its own bound meaningless."""


@dataclass(frozen=True)
class Case:
    """One experiment: problem, method, sizing, start, the evidence to collect, and the theorem's symbols."""

    name: str
    problem: Any
    method: Any
    sizing: Any
    x0: Any
    evidence: Any
    symbols: Symbols
    note: str = ""


Margin = Callable[[Case, Mapping[str, float]], float]


@dataclass(frozen=True)
class Hypothesis:
    """An assumption with its margin, >= 0 when it holds; `columns` are the recorded extremes that it reads."""

    words: str
    margin: Margin
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A theorem as data. `statement` is LaTeX; cases may be callables, built when run (data is loaded lazily).

    tight    cases that reach the bound            generic, real   cases that need not
    broken   hypothesis -> cases that violate it and no other: they must be refuted
    expected 'holds', or 'fails' for wrong bounds and rules: then the tight cases are counter-examples
    no_tight why there is no tight case, if there is none
    related  for a claim about a class: the claim that tests the same rate along runs
    """

    id: str
    kind: str
    source: Source
    title: str
    statement: str
    quantity: Quantity
    hypotheses: Mapping[str, Hypothesis]
    tight: tuple[Case | Callable[[], Case], ...] = ()
    generic: tuple[Case | Callable[[], Case], ...] = ()
    real: tuple[Case | Callable[[], Case], ...] = ()
    broken: Mapping[str, tuple[Case | Callable[[], Case], ...]] = field(default_factory=dict)
    expected: str = "holds"
    no_tight: str = ""
    explain: str = ""
    related: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.id}: kind is {self.kind!r}; use one of {', '.join(KINDS)}")
        if self.expected not in ("holds", "fails"):
            raise ValueError(f"{self.id}: expected is {self.expected!r}; use 'holds' or 'fails'")
        if not self.tight and not self.no_tight:
            raise ValueError(f"{self.id}: has no tight case; add one, or say why there is none in no_tight=")
        unknown = [name for name in self.broken if name not in self.hypotheses]
        if unknown:
            raise ValueError(f"{self.id}: broken names {unknown[0]!r}; hypotheses are {', '.join(self.hypotheses)}")

    @property
    def watched(self) -> tuple[str, ...]:
        """Columns that the hypotheses read."""
        return tuple(dict.fromkeys(c for h in self.hypotheses.values() for c in h.columns))

    def cases(self) -> list[tuple[str, str, Case | Callable[[], Case]]]:
        """(role, violated hypothesis or '', case) of every case, in order."""
        held = [(role, "", case) for role in ("tight", "generic", "real") for case in getattr(self, role)]
        return held + [("broken", name, case) for name, group in self.broken.items() for case in group]


@dataclass(frozen=True)
class CaseResult:
    """One case judged. `words` is the verdict of this case alone."""

    name: str
    role: str
    violates: str
    words: str
    evidence: Evidence
    margins: Mapping[str, float]
    note: str
    plan: str
    seconds: float = 0.0

    @property
    def refuted(self) -> bool:
        """Refuted, or contradicted by slopes: what a broken case is there for, in the words of its grade."""
        return self.words.startswith(AGAINST)


AGAINST = ("refuted", "contradicted")
MARGIN = -1e-9  # margins are relative to 1; below this a hypothesis counts as violated


def judge_case(role: str, violates: str, case: Case, evidence: Evidence,
               hypotheses: Mapping[str, Hypothesis]) -> CaseResult:
    """The word for one case: hypotheses first, then the evidence, in the vocabulary of its grade."""
    margins = {name: float(h.margin(case, evidence.seen)) for name, h in hypotheses.items()}
    failed = [name for name, m in margins.items() if not m >= MARGIN]
    if [name for name in failed if name != violates] or (violates and violates not in failed):
        wrong = [name for name in failed if name != violates] or [f"{violates} is not violated"]
        words = f"inconclusive (hypothesis: {', '.join(wrong)})"
    elif evidence.grade == ASYMPTOTIC:
        words = _slopes(evidence)
    elif evidence.refutes:
        words = {MC: f"refuted at risk {evidence.risk:g}", CERTIFICATE: "refuted by this function"}.get(
            evidence.grade, "refuted")
    elif evidence.grade == CERTIFICATE and evidence.confirmed:
        words = "holds for the whole class" + (f" within {evidence.error:.0e}" if evidence.error else "")
    elif evidence.grade == CERTIFICATE:
        words = "not refuted (numerical)"  # `where` has the gap, or how far the certificate reaches
    elif evidence.grade == EXACT and evidence.upper > 1 + 1e-6:
        words = "inconclusive (floating point)"
    elif evidence.grade == MC:
        words = f"confirmed at risk {evidence.risk:g}" if evidence.confirmed else "not refuted"
    else:
        words = "confirmed on this instance"
    return CaseResult(case.name, role, violates, words, evidence, margins, case.note, repr(case.evidence))


def _slopes(evidence: Evidence) -> str:
    """Slopes support, contradict or leave undecided; they never refute. Both ends must lie on the same side of 1."""
    if evidence.lower > 1:
        return "contradicted by slopes"
    return "supported by slopes" if evidence.upper <= 1 else "undecided by slopes"


@dataclass(frozen=True)
class Verdict:
    """One row: what was found for a claim, how sharply, and whether its controls were caught."""

    id: str
    paper: str
    label: str
    provenance: str
    kind: str
    expected: str
    grade: str
    verdict: str
    sharpness: float
    detectable_factor: float
    resolution: float
    hypotheses: Mapping[str, float]
    controls: Mapping[str, int]
    as_expected: bool
    cases: tuple[CaseResult, ...]
    seed: int
    seconds: float

    @property
    def inconclusive(self) -> bool:
        return self.verdict.startswith(("inconclusive", "undecided"))


ORDER = ("refuted", "contradicted", "inconclusive", "undecided", "not refuted", "supported", "confirmed", "holds")


def judge(claim: Claim, results: list[CaseResult], seed: int, seconds: float) -> Verdict:
    """The worst word over the tight, generic and real cases, with the grade of the case that decided it."""
    held = [r for r in results if r.role != "broken"]
    controls = [r for r in results if r.role == "broken"]
    rank = {word: i for i, word in enumerate(ORDER)}
    decisive = min(held, key=lambda r: next(i for w, i in rank.items() if r.words.startswith(w)))
    usable = [r for r in held if not r.words.startswith(("inconclusive", "undecided"))] or held
    sharpest = max(usable, key=lambda r: r.evidence.lower)
    resolution = min(r.evidence.resolution for r in usable)
    words = decisive.words
    if words.startswith("not refuted"):
        if resolution > 1.5:
            words = "inconclusive (power)"
        elif all(r.evidence.value < 2 / 3 for r in held):
            words = "not refuted, loose"
    killed = sum(r.refuted for r in controls)
    if claim.expected == "holds":
        fine = not any(r.refuted for r in held)
    else:
        fine = all(r.refuted for r in held if r.role == "tight")
    lower = sharpest.evidence.lower
    return Verdict(
        claim.id, claim.source.paper, claim.source.label, claim.source.provenance, claim.kind, claim.expected,
        decisive.evidence.grade, words, lower, 1 / lower if lower > 0 else math.inf, resolution,
        {name: min(r.margins[name] for r in held) for name in claim.hypotheses},
        {"killed": killed, "total": len(controls)}, fine and killed == len(controls),
        tuple(results), seed, seconds,
    )


def as_plain(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON values: infinities become the strings 'inf' and '-inf'."""
    return _plain(asdict(verdict))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


__all__ = [
    "CERTIFICATE", "EXACT", "KINDS", "MC", "OURS", "RECONSTRUCTED", "STATED", "Case", "CaseResult", "Claim", "Evidence",
    "Hypothesis", "Quantity", "Source", "Symbols", "Verdict", "as_plain", "judge", "judge_case",
]
