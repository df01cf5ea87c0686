"""Rates by local slopes: how fast a mean falls from K to 2K, with whole runs resampled. Grade ASYMPTOTIC.

"O(K^-rate)" without a constant is not falsifiable by finite data: what is found is evidence on the range of K that is
stated, and never called refuted or confirmed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..moments import Array
from .base import ASYMPTOTIC, Evidence, Quantity, extremes, namespace
from .exact import follow_case, recorded


@dataclass(frozen=True)
class Slopes:
    """Is log2(mean X_K / mean X_2K) at least the rate at the end of `steps` steps?

    The quantity's sides(s, path) give X (K, R), rows k = 1..K, one column a run, and the rate. The local exponents at
    K = steps/2, steps/4, ... >= start are shown with their percentile intervals; what decides is their mean over the
    last `windows[0]` and the last `windows[1]` of them: both intervals must lie on one side of the rate. Points along K
    depend on each other, so the bootstrap resamples whole runs. value = rate/exponent; the claim says it is at most 1.
    """

    steps: int = 4096
    runs: int = 100
    start: int = 64
    windows: tuple[int, int] = (2, 4)
    resamples: int = 1000
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.steps & (self.steps - 1) or self.start < 1:
            raise ValueError(f"steps is {self.steps}, start {self.start}; slopes need a power of two, and start >= 1")
        if not 1 <= self.windows[0] < self.windows[1] <= math.log2(self.steps / self.start):
            raise ValueError(f"windows {self.windows} do not fit between start {self.start} and steps {self.steps}")

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        runs = self.runs * effort
        trace = follow_case(case, self.steps, recorded(quantity, watch), replicates=runs, rng=rng)
        path = {n: trace[n] for n in (*trace.points, *trace.steps)}
        measured, rate = quantity.sides(case.symbols, namespace(path))
        ends = self.steps >> np.arange(int(math.log2(self.steps / self.start)), -1, -1)
        means = resampled(measured[ends - 1], self.resamples, rng)
        exponents = np.log2(means[:-1] / means[1:])  # (windows, 1 + resamples), column 0 the runs themselves
        return self._judge(float(rate), ends, means[:, 0], exponents, runs, extremes({n: path[n] for n in watch
                                                                                     if n in path}))

    def _judge(self, rate: float, ends: Array, means: Array, exponents: Array, runs: int,
               seen: dict[str, float]) -> Evidence:
        tail = 100 * (1 - self.level) / 2
        low, high = np.percentile(exponents[:, 1:], [tail, 100 - tail], axis=1)
        ratios = []
        for last in self.windows:
            late = exponents[-last:].mean(axis=0)
            ratios.append([_over(rate, v) for v in (late[0], *np.percentile(late[1:], [100 - tail, tail]))])
        value, lower, upper = ratios[0][0], min(r[1] for r in ratios), max(r[2] for r in ratios)
        kept = [_over(rate, r[0]) for r in ratios]
        where = f"K = {ends[-1 - self.windows[1]]} to {ends[-1]}: mean exponent " + ", ".join(
            f"{v:.3f} (last {w})" for v, w in zip(kept, self.windows, strict=True)) + f", rate {rate:g}"
        series = {"kind": "slopes", "k": [int(k) for k in ends], "means": [float(v) for v in means],
                  "measured": [float(v) for v in exponents[:, 0]], "low": [float(v) for v in low],
                  "high": [float(v) for v in high], "rate": rate}
        return Evidence(ASYMPTOTIC, value, min(lower, value), max(upper, value), 0.0, where, runs, 1 - self.level,
                        seen=seen, series=series)


def resampled(rows: Array, resamples: int, rng: Any) -> Array:
    """Means over runs of rows (n, R), (n, 1 + resamples): of the runs as they are, then of resampled whole runs."""
    runs = rows.shape[1]
    weights = np.random.default_rng(rng).multinomial(runs, np.full(runs, 1 / runs), size=resamples) / runs
    means = np.concatenate([rows.mean(axis=1, keepdims=True), rows @ weights.T], axis=1)
    if not (means > 0).all():
        raise ValueError("a mean is 0 or negative: it has no logarithmic slope; end the run earlier")
    return means


def _over(rate: float, exponent: float) -> float:
    return rate / exponent if exponent > 0 else math.inf


__all__ = ["Slopes", "resampled"]
