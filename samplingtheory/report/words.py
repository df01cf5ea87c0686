"""Numbers and verdicts as a reader wants them; shared by the page and the command line."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..claims.base import AGAINST, CaseResult, Verdict

SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
PROVENANCE = {
    "stated": "stated in the paper",
    "reconstructed": "reconstructed: the paper's setting, our proof and constants",
    "ours": "ours: new, or sharper than the paper",
}
KIND = {
    "step": "one step, given the iterate",
    "statement": "expectation over whole runs",
    "pathwise": "on every path",
    "probability": "probability of failure",
    "class": "worst case over a function class",
    "rate": "asymptotic rate",
}


@dataclass(frozen=True)
class Status:
    """How an outcome is shown: `key` picks the colour, `symbol` says the same without colour."""

    key: str
    symbol: str
    words: str


def number(value: float) -> str:
    """About four digits: 0.9999999 -> 1.000, 12345.6 -> 12,346, 3e-7 -> 3.0·10⁻⁷, infinity -> ∞."""
    if math.isnan(value):
        return "–"
    sign, size = "−" if value < 0 else "", abs(value)
    if math.isinf(value):
        return f"{sign}∞"
    if size == 0:
        return "0"
    if not 1e-3 <= size < 1e6:
        digits, exponent = f"{size:.1e}".split("e")
        return f"{sign}{digits}·10{str(int(exponent)).translate(SUPERSCRIPT)}"
    places = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 0.1 else 4
    return f"{sign}{size:,.{places}f}"


def ratio(value: float) -> str:
    """A ratio to be compared with 1: a small excess stays visible."""
    return f"1 + {number(value - 1)}" if 1e-9 < value - 1 < 5e-4 else number(value)


def margin(value: float) -> str:
    """A hypothesis's margin: 0 is equality, below 0 it is violated."""
    if value == math.inf:
        return "not measured"
    return "0 (equality)" if abs(value) < 1e-9 else ("+" if value > 0 else "") + number(value)


def seconds(value: float) -> str:
    if value < 0.05:
        return "< 0.1 s"
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"


def status(v: Verdict) -> Status:
    """The row's word, and whether it is what was expected."""
    if not v.as_expected:
        return Status("wrong", "✗", _complaint(v))
    if v.inconclusive:
        return Status("unsure", "?", v.verdict)
    if v.verdict.startswith(AGAINST):
        return Status("denied", "¬", f"{v.verdict}, as it should be")
    sure = v.verdict.startswith(("confirmed", "holds"))
    return Status("confirmed", "✓", v.verdict) if sure else Status("open", "○", v.verdict)


def _complaint(v: Verdict) -> str:
    refuted, survived = v.verdict.startswith(AGAINST), v.controls["total"] - v.controls["killed"]
    words = v.verdict
    if v.expected == "holds" and refuted:
        words += ", though it should hold"
    elif v.expected == "fails" and not refuted:
        words += ", though it should be refuted"
    if survived:
        words += f"; {survived} of {v.controls['total']} controls survived"
    failed = sum(c.words.startswith("inconclusive (error") for c in v.cases)
    return words + (f"; {failed} of {len(v.cases)} cases failed" if failed else "")


def case_status(case: CaseResult, expected: str) -> Status:
    """A control is there to be refuted; so is every tight case of a statement that is expected to fail."""
    said = case.words.removesuffix(" on this instance")  # a case is one
    meant = case.role == "broken" or (expected == "fails" and case.role == "tight")
    if case.words.startswith(("inconclusive", "undecided")):
        return Status("wrong" if meant or "(error" in case.words else "unsure", "?", said)
    if case.refuted:
        fine = meant or expected == "fails"
        return Status("denied", "¬", said) if fine else Status("wrong", "✗", said)
    if meant:
        return Status("wrong", "✗", f"survived: {said}")
    return Status("confirmed", "✓", said) if said.startswith(("confirmed", "holds")) else Status("open", "○", said)


def summary(verdicts: Iterable[Verdict]) -> str:
    """Two sentences about a run."""
    verdicts = list(verdicts)
    if not verdicts:
        return "No claim was checked."
    counts = Counter(status(v).key for v in verdicts)
    parts = ("confirmed", "confirmed"), ("open", "not refuted"), (
        "denied", "refuted as they should be" if counts["denied"] != 1 else "refuted as it should be"), (
        "unsure", "inconclusive"), ("wrong", "not as expected")
    found = ", ".join(f"{counts[key]} {words}" for key, words in parts if counts[key])
    killed, total = (sum(v.controls[name] for v in verdicts) for name in ("killed", "total"))
    kept = "Every claim came out as expected." if not counts["wrong"] and not counts["unsure"] else ""
    controls = f"{killed} of {plural(total, 'planted violation')} caught." if total else "No violation was planted."
    return " ".join(filter(None, (f"{plural(len(verdicts), 'claim')}: {found}.", kept, controls)))


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


GREEK = {"alpha": "α", "theta": "θ", "mu": "μ", "nu": "ν", "eps": "ε", "eta": "η", "xi": "ξ", "delta": "δ",
         "gamma": "γ", "kappa": "κ", "lambda": "λ", "grad": "∇", "sigma": "σ", "Sigma": "Σ"}
_NAMES = re.compile(r"(?<![A-Za-z])(" + "|".join(sorted(GREEK, key=len, reverse=True)) + r")(?![A-Za-z])")


def pretty(text: str) -> str:
    """ASCII formulas in running text as they are printed: nu^2 <= theta -> ν² ≤ θ."""
    text = _NAMES.sub(lambda m: GREEK[m[1]], text)
    text = re.sub(r"\^(-?\d+)", lambda m: m[1].translate(SUPERSCRIPT), text).replace("∇ ", "∇")
    for ascii, sign in (("<=", "≤"), (">=", "≥"), ("->", "→"), ("+-", "±")):
        text = text.replace(ascii, sign)
    return text
