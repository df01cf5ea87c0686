"""Counting failures: what s failures in n runs say about P(failure), in both directions.

A failure is a Bernoulli variable, bounded by 1, so (unlike a mean) a probability can be confirmed as well as
refuted. `clopper_pearson` is for a number of runs fixed beforehand, `log_evidence` for a look after each run.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy.special import betainc, betaincc, betainccinv, betaincinv, betaln

from ..moments import Array


def clopper_pearson(failures: Array, runs: Array, risk: float) -> tuple[Array, Array]:
    """(lower, upper): P(Bin(n, lower) >= s) = risk and P(Bin(n, upper) <= s) = risk.

    Clopper and Pearson (1934). Each is one-sided at `risk`; both together hold at 2 risk. Scalars, or arrays
    that broadcast. ValueError: counts that are not whole, or more failures than runs.
    """
    s, n = _counts(failures, runs)
    _probability("risk", risk)
    lower = np.where(s > 0, betaincinv(np.maximum(s, 1.0), n - s + 1.0, risk), 0.0)
    upper = np.where(s < n, betainccinv(s + 1.0, np.maximum(n - s, 1.0), risk), 1.0)
    return lower[()], upper[()]


def log_evidence(failures: Array, runs: Array, delta: float, side: Literal["above", "below"]) -> Array:
    """log of the mean over p of (p/delta)^s ((1-p)/(1-delta))^(n-s), p uniform on one side of delta.

    side = "above": p in (delta, 1), evidence against P(failure) <= delta; "below": p in (0, delta), against
    P(failure) >= delta, so that reaching log(1/risk) confirms. Either is a supermartingale in n under what it
    is against, so one may look after every run (Ville). Mixture: Robbins (1970). Shape: that of the counts.
    """
    s, n = _counts(failures, runs)
    _probability("delta", delta)
    inside, outside = math.log(delta), math.log1p(-delta)
    if side == "below":
        a, b, tail = s + 1.0, n - s + 1.0, betainc(s + 1.0, n - s + 1.0, delta)
        x = delta
    elif side == "above":  # the same with failures and successes exchanged
        a, b, tail = n - s + 1.0, s + 1.0, betaincc(s + 1.0, n - s + 1.0, delta)
        x, inside, outside = 1.0 - delta, outside, inside
    else:
        raise ValueError(f"side is {side!r}; give 'above' (refutes <= delta) or 'below' (confirms < delta)")
    far = tail < 1e-20  # on its way to underflow: there the powers cancel by hand and the fraction converges
    out = np.array(betaln(a, b) + np.log(np.where(far, 1.0, tail)) - a * inside - (b - 1.0) * outside)
    out[far] = outside - np.log(a[far]) + np.log(_fraction(a[far], b[far], x))
    return out[()]


def runs_to_confirm(delta: float, risk: float) -> int:
    """Smallest n with (1 - delta)^n <= risk: n runs without failure confirm P(failure) < delta at `risk`.

    The zero-failure case of Clopper and Pearson (1934); 90 at delta = 0.05, risk = 0.01.
    """
    _probability("delta", delta)
    _probability("risk", risk)
    return math.ceil(math.log(risk) / math.log1p(-delta))


def quantile_upper(sample: Array, delta: float, risk: float) -> float:
    """Order statistic x_(j) that is at least the (1 - delta) quantile of X, except with probability `risk`.

    j is the smallest with P(Bin(n, 1 - delta) >= j) <= risk. Divided by the theorem's bound it is the
    sharpness of a high-probability claim. Infinite if the runs are fewer than `runs_to_confirm(delta, risk)`.
    """
    x = np.sort(np.asarray(sample, dtype=float))
    if x.ndim != 1 or np.isnan(x).any():
        raise ValueError(f"a sample of shape {x.shape}, or NaN in it; give one number per run")
    _probability("delta", delta)
    _probability("risk", risk)
    j = np.arange(1.0, x.size + 1.0)
    enough = betainc(j, x.size - j + 1.0, 1.0 - delta) <= risk
    return float(x[enough.argmax()]) if enough.any() else math.inf


def _fraction(a: Array, b: Array, x: float, levels: int = 60) -> Array:
    """Euler-Gauss continued fraction f with B(x; a, b) = x^a (1-x)^b / a * f, x well below a/(a+b).

    DLMF 8.17.22. Where the tail is below 1e-20, 50 levels give every digit, at any counts up to 1e9.
    """
    f = np.ones_like(a)
    for j in range(levels, 0, -1):
        m = j // 2
        odd = -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))
        f = 1.0 + x * (odd if j % 2 else m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m))) / f
    return 1.0 / f


def _counts(failures: Array, runs: Array) -> tuple[Array, Array]:
    s, n = np.broadcast_arrays(np.asarray(failures, dtype=float), np.asarray(runs, dtype=float))
    good = (s >= 0) & (s <= n) & (s == np.floor(s)) & (n == np.floor(n)) & np.isfinite(n)
    if not good.all():
        raise ValueError(f"{failures} failures in {runs} runs; counts must be whole, 0 <= failures <= runs")
    return s, n


def _probability(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; give a probability strictly between 0 and 1")
