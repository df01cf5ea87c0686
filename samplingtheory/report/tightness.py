"""The tightness table: the paper's bound, the exact worst case, what attains it, and what real data shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..claims.base import Claim, Verdict


@dataclass(frozen=True)
class Row:
    """One rate at one set of parameters. paper, real: nan where there is none."""

    id: str
    title: str
    case: str
    paper: float
    claimed: float
    exact: float
    gap: float
    attained: str
    certificate: str
    real: float
    related: str


def rows(verdicts: Iterable[Verdict], claims: Mapping[str, Claim]) -> list[Row]:
    """A row for each tight or generic case of a claim about a class."""
    verdicts = list(verdicts)
    found = {v.id: v for v in verdicts}
    out = []
    for v in verdicts:
        claim = claims[v.id]
        for case in v.cases:
            series = case.evidence.series
            if case.role == "broken" or series.get("kind") != "worst":
                continue
            words = "exact" if str(series["certificate"]).startswith("exact") else \
                "rational" if str(series["certificate"]).startswith("certified") else "numerical"
            out.append(Row(v.id, claim.title, case.name, _number(series["paper"]), _number(series["claimed"]),
                           (series["primal"] + series["dual"]) / 2, abs(series["primal"] - series["dual"]), case.note,
                           words, _real(found.get(claim.related)), claim.related))
    return out


def _number(value: float | str) -> float:
    return float(value) if value != "nan" else math.nan


def _real(verdict: Verdict | None) -> float:
    """Largest measured / bound over the real cases of the related claim."""
    values = [c.evidence.value for c in verdict.cases if c.role == "real"] if verdict else []
    return max(values, default=math.nan)
