"""What to draw for a case, as data: measured against bound, sorted ratios, wealth, counted failures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..claims.base import CaseResult

LOWEST_WEALTH = -6.0  # decades; a claim with slack loses all of its stake, and how fast says little


@dataclass(frozen=True)
class Curve:
    """role: 'measured', 'limit' (of confidence), 'bound' or 'interval' (x: lower, value, upper)."""

    role: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Plot:
    """Curves on axes; `level` is a horizontal, `limit` a vertical line that separates right from wrong."""

    title: str
    x_label: str
    curves: tuple[Curve, ...]
    height: int = 190
    log_x: bool = False
    log_y: bool = False
    level: float | None = None
    limit: float | None = None
    floor: float | None = None
    shaded: bool = True  # whether lying above the bound means something: an average over runs may by chance


def plots(case: CaseResult, horizontal: str = "iteration k") -> list[Plot]:
    """One or two plots of a case; none if its evidence kept no series."""
    series = case.evidence.series
    if series.get("kind") == "count":
        return [_count(series)]
    if series.get("kind") == "slopes":
        return _slopes(series)
    if series.get("kind") == "points" or (series.get("measured") and not series.get("k")):
        return [_points(series)]
    drawn = []
    if series.get("measured") and series.get("bound"):
        drawn += _path(series, horizontal)
    if series.get("wealth"):
        drawn.append(_wealth(series))
    return drawn


def _path(series: Mapping[str, Any], horizontal: str) -> list[Plot]:
    """Both sides, and their quotient, in which an excess of 5 % is seen over any number of decades."""
    measured, bound = _floats(series["measured"]), _floats(series["bound"])
    k = _spread(_floats(series["k"]), len(measured))
    ratios = [m / b if b else math.nan for m, b in zip(measured, bound, strict=True)]
    simulated = "wealth" in series
    title = "measured / bound" + (", mean over the runs" if simulated else "")
    quotient = Plot(title, horizontal, (Curve("measured", k, ratios),), 190 if simulated else 120,
                    log_y=_decades(ratios), level=1.0, shaded=not simulated)
    if simulated:
        return [quotient]
    log_y = _decades([*measured, *bound])
    both = Plot("measured and bound", "", (Curve("measured", k, measured), Curve("bound", k, bound)), 170,
                log_y=log_y, floor=None if log_y else 0.0)
    return [both, quotient]


def _points(series: Mapping[str, Any]) -> Plot:
    measured, bound = _floats(series["measured"]), series.get("bound", 1.0)
    scale = _floats(bound) if isinstance(bound, (list, tuple)) else [float(bound)] * len(measured)
    ratios = sorted(m / b if b else math.inf for m, b in zip(measured, scale, strict=True))
    ratios = ratios * 2 if len(ratios) == 1 else ratios
    share = [100 * i / (len(ratios) - 1) for i in range(len(ratios))]
    return Plot("measured / bound at every point, sorted", "share of the points (%)",
                (Curve("measured", share, ratios),), log_y=_decades(ratios), level=1.0, floor=0.0)


def _wealth(series: Mapping[str, Any]) -> Plot:
    decades = [max(w / math.log(10), LOWEST_WEALTH) for w in _floats(series["wealth"])]
    runs = _spread(_floats(series.get("runs") or range(1, len(decades) + 1)), len(decades))
    threshold = float(series.get("threshold", math.log(100))) / math.log(10)
    return Plot("log₁₀ wealth of a bet against the claim", "runs", (Curve("measured", runs, decades),), 150,
                log_x=max(runs) > 30, level=threshold, floor=0.0)


def _slopes(series: Mapping[str, Any]) -> list[Plot]:
    """The mean, beside a line of the claimed rate through its end; and the local exponents, which say more."""
    K, means, rate = _floats(series["k"]), _floats(series["means"]), float(series["rate"])
    line = [means[-1] * (K[-1] / k) ** rate for k in K]
    middle = [math.sqrt(a * b) for a, b in pairwise(K)]
    local = (Curve("limit", middle, _floats(series["low"])), Curve("limit", middle, _floats(series["high"])),
             Curve("measured", middle, _floats(series["measured"])))
    return [Plot("mean over the runs, and a line of the claimed rate", "", (Curve("measured", K, means),
                 Curve("bound", K, line)), 150, log_x=True, log_y=True, shaded=False),
            Plot("local exponent from K to 2K: claimed is at least the dashed line", "K", local, 150, log_x=True,
                 level=rate, shaded=False)]


def _count(series: Mapping[str, Any]) -> Plot:
    rate = series["failures"] / series["runs"]
    spread = (float(series["lower"]), rate, float(series["upper"]))
    title = f"{series['failures']:,} failures in {series['runs']:,} runs, with confidence limits"
    return Plot(title, "failure rate", (Curve("interval", spread, (0.0, 0.0, 0.0)),), 90,
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
