"""What to draw for a case, as data: measured against bound, sorted ratios, wealth, counted failures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..claims.base import CaseResult

LOWEST_WEALTH = -6.0  # decades; a claim with slack loses all of its stake, and how fast says little


@dataclass(frozen=True)
class Curve:
    """role: 'measured', 'bound' or 'interval' (x: lower, value, upper)."""

    role: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Plot:
    """Curves on axes; `level` is a horizontal, `limit` a vertical line that separates right from wrong."""

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    log_y: bool = False
    level: float | None = None
    limit: float | None = None
    floor: float | None = None


def plots(case: CaseResult, horizontal: str = "iteration k") -> list[Plot]:
    """One or two plots of a case; none if its evidence kept no series."""
    series = case.evidence.series
    if series.get("kind") == "count":
        return [_count(series)]
    if series.get("kind") == "points" or (series.get("measured") and not series.get("k")):
        return [_points(series)]
    drawn = []
    if series.get("measured") and series.get("bound"):
        drawn.append(_path(series, horizontal))
    if series.get("wealth"):
        drawn.append(_wealth(series))
    return drawn


def _path(series: dict, horizontal: str) -> Plot:
    measured, bound = _floats(series["measured"]), _floats(series["bound"])
    k = _spread(_floats(series["k"]), len(measured))
    if "wealth" in series:
        ratios = [m / b if b else math.nan for m, b in zip(measured, bound, strict=True)]
        return Plot("mean of measured / bound over the runs", horizontal, "measured / bound",
                    (Curve("measured", k, ratios),), log_y=_decades(ratios), level=1.0, floor=0.0)
    curves = (Curve("measured", k, measured), Curve("bound", k, bound))
    log_y = _decades([*measured, *bound])
    return Plot("measured and bound", horizontal, "", curves, log_y=log_y, floor=None if log_y else 0.0)


def _points(series: dict) -> Plot:
    measured, bound = _floats(series["measured"]), series.get("bound", 1.0)
    scale = _floats(bound) if isinstance(bound, (list, tuple)) else [float(bound)] * len(measured)
    ratios = sorted(m / b if b else math.inf for m, b in zip(measured, scale, strict=True))
    share = [100 * (i + 0.5) / len(ratios) for i in range(len(ratios))]
    return Plot("measured / bound, sorted", "share of the points (%)", "measured / bound",
                (Curve("measured", share, ratios),), log_y=_decades(ratios), level=1.0, floor=0.0)


def _wealth(series: dict) -> Plot:
    decades = [max(w / math.log(10), LOWEST_WEALTH) for w in _floats(series["wealth"])]
    runs = _spread(_floats(series.get("runs") or range(1, len(decades) + 1)), len(decades))
    threshold = float(series.get("threshold", math.log(100))) / math.log(10)
    return Plot("evidence against the claim; it is refuted at the line", "runs", "log₁₀ wealth",
                (Curve("measured", runs, decades),), log_x=max(runs) > 30, level=threshold, floor=0.0)


def _count(series: dict) -> Plot:
    rate = series["failures"] / series["runs"]
    spread = (float(series["lower"]), rate, float(series["upper"]))
    title = f"{series['failures']:,} failures in {series['runs']:,} runs, with 99 % limits"
    return Plot(title, "failure rate", "", (Curve("interval", spread, (0.0, 0.0, 0.0)),),
                limit=float(series["delta"]))


def _floats(values: Sequence[float]) -> list[float]:
    return [float(v) for v in values]


def _spread(k: list[float], n: int) -> list[float]:
    """k thinned as the values beside it were, ends included."""
    if len(k) == n or n < 2:
        return k[:n]
    return [k[round(i * (len(k) - 1) / (n - 1))] for i in range(n)]


def _decades(values: Sequence[float]) -> bool:
    """Whether a logarithmic axis helps: all positive, over more than one decade."""
    finite = [v for v in values if math.isfinite(v)]
    return bool(finite) and min(finite) > 0 and max(finite) > 10 * min(finite)
