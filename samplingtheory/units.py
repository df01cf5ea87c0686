"""The norm test from units: ranks or micro-batches of several samples each, of which only squared norms travel.

Unit j holds the mean g_j of c_j samples and enters the reduced gradient gbar = sum w_j g_j, where sum w_j = 1.
With A = sum w_j |g_j|^2, V = tr Sigma of one sample gradient and G its mean,

    E A = |G|^2 + V sum w_j/c_j         E |gbar|^2 = |G|^2 + V sum w_j^2/c_j

so (A - |gbar|^2) / sum w_j (1 - w_j)/c_j is unbiased for V and |gbar|^2 - V sum w_j^2/c_j for |G|^2. Weights c_j/n give
the divisors of `moments(units, counts)`; equal weights 1/J are what averaging over ranks does, whatever their sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .criteria import NormTest, smallest
from .moments import Array, divide, exact, is_number

MODES = ("paper", "scaled", "unbiased", "lagged")
WEIGHTINGS = ("equal", "samples")


@dataclass(frozen=True)
class UnitStatistics:
    """What squared norms of units tell of one sample gradient. Numbers, or arrays with the replicate axis first.

    mean_square  A = sum w_j |g_j|^2, for equal sizes mean_j |g_j|^2
    signal       |gbar|^2, biased: its mean is |G|^2 + V/n
    units        J, or J M when micro-batches are the units; dof = units - 1 are behind `total`
    samples      samples drawn in this step, by all ranks
    n            effective size 1 / sum w_j^2/c_j, which is `samples` when the weights are proportional to the sizes
    spread       sum w_j (1 - w_j)/c_j, the divisor of `total`; for equal sizes (units - 1)/samples
    scope        what a unit is: 'ranks', 'micro-batches' or 'last micro-batch' (over ranks)
    """

    mean_square: Array
    signal: Array
    units: int
    samples: int
    n: Array
    spread: Array
    scope: str = "ranks"

    @property
    def dof(self) -> int:
        return self.units - 1

    @property
    def between(self) -> Array:
        """Vhat = A - |gbar|^2 = sum w_j |g_j - gbar|^2, divisor J: the statistic printed by Lau et al. (2024).

        Its mean is spread * V, (J - 1) V/b for equal sizes: not V. Rounding below 0 is cut off.
        """
        return np.maximum(self.mean_square - self.signal, 0)

    @property
    def total(self) -> Array:
        """tr Sigma of ONE sample gradient, unbiased: Vhat / spread; inf from a single unit."""
        return divide(np.asarray(self.between), np.asarray(self.spread), math.inf)

    @property
    def gradient2(self) -> Array:
        """|grad F|^2, unbiased: |gbar|^2 - total/n. May be negative; -inf from a single unit."""
        return self.signal - self.total / self.n

    @property
    def noise_scale(self) -> Array:
        """tr Sigma / |grad F|^2 of the two unbiased estimates (their ratio is biased); inf without a signal."""
        return divide(np.asarray(self.total), np.asarray(self.gradient2), math.inf)

    def required(self, eps: float, mode: str = "lagged") -> Array:
        """Smallest global batch (real, 0 to inf) that passes the norm test with `eps`.

        paper     Vhat / (eps^2 |gbar|^2): as printed by Lau et al. (2024), without the factor b/(J - 1)
        scaled    total / (eps^2 |gbar|^2)
        unbiased  total / (eps^2 gradient2), inf where gradient2 <= 0
        lagged    total / (eps'^2 |gbar|^2), eps'^2 = eps^2/(1 + eps^2): keeps the step range of the exact test when
                  this batch sizes the next one (variance known up to a bound; ours)
        """
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; need one of {', '.join(map(repr, MODES))}")
        eps = NormTest(eps).eps  # which refuses what is no tolerance
        spread = self.between if mode == "paper" else self.total
        signal = np.maximum(self.gradient2, 0) if mode == "unbiased" else self.signal
        size = smallest(spread, signal, eps, math.inf)
        return size * (1 + exact(eps, np.asarray(self.signal)) ** 2) if mode == "lagged" else size


def _whole(count: Any) -> bool:
    return is_number(count) and 0 < count < math.inf and count == int(count)


def unit_statistics(squares: Array, signal: Array, counts: Array, weighting: str = "equal",
                    scope: str = "ranks") -> UnitStatistics:
    """Statistics from |g_j|^2 (..., J), |gbar|^2 (...) and sizes c_j (J,), whole and positive.

    weighting  'equal': gbar is the plain mean of the g_j;  'samples': gbar weighs them by c_j/n. Fractions pass.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting is {weighting!r}; need one of {', '.join(map(repr, WEIGHTINGS))}")
    squares, sizes = np.asarray(squares), np.asarray(counts)
    if squares.ndim == 0 or np.shape(signal) not in ((), squares.shape[:-1]):
        raise ValueError(f"squares have shape {squares.shape} and signal {np.shape(signal)}; need (..., J) and (...)")
    if sizes.shape != squares.shape[-1:] or not all(_whole(c) for c in sizes):
        raise ValueError(f"counts are {counts}; need {squares.shape[-1]} positive sizes, whole, one a unit")
    fractions = squares.dtype == object
    c = np.array([Fraction(int(v)) for v in sizes], dtype=object) if fractions else sizes.astype(float)
    w = c / c.sum() if weighting == "samples" else c / c / len(c)
    return UnitStatistics((w * squares).sum(-1), signal, len(c), int(sizes.sum()), 1 / (w * w / c).sum(),
                          (w * (1 - w) / c).sum(), scope)
