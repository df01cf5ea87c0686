"""Betting against E[X] <= bound, X >= 0: wealth that no honest claim lets grow.

    W_n = mean over lambda of prod_{i <= n} (1 + lambda (X_i / bound - 1)),     P(sup_n W_n >= 1/risk) <= risk

The inequality is Ville's (1939); betting on means: Waudby-Smith and Ramdas (2024). It needs nothing beyond
X >= 0 and E[X_i | past] <= bound, so runs may be added until the claim is refuted or the budget ends.
Axis 0 holds the runs, further axes hold separate wealths (one per step k). Everything is a logarithm: wealths
that share runs are averaged, never multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..moments import Array

# Every lambda is below 1, so that one observation of 0 does not end the game. The mixture costs at most
# log 12 against the best of them and needs no tuning to the size of the excess.
LAMBDAS = 0.99 * 2.0 ** -np.arange(12)

RESOLUTION = 1e-9  # relative, of a lower confidence bound; the end that was refuted is the one returned


def log_wealth(x: Array, bound: Array = 1.0) -> Array:
    """log W_n against E[X] <= bound after each run n (axis 0); same shape as x.

    Waudby-Smith and Ramdas (2024), with a uniform mixture over LAMBDAS. An infinite observation makes the
    wealth infinite for good. ValueError: x is empty, negative or NaN, or bound is not a positive number.
    """
    x = _observations(x)
    bound = np.asarray(bound, dtype=float)
    if not ((bound > 0) & np.isfinite(bound)).all():
        raise ValueError(f"bound is {bound}; betting divides by it: give a finite number above 0")
    with np.errstate(over="ignore"):
        return _log_mixture(x / bound - 1.0)


def log_wealth_pooled(x: Array) -> Array:
    """log of ONE wealth that bets on all R*K ratios, run by run, at the end of each run: (R, K) -> (R,).

    K data a run instead of one: fast when every step has the same excess, diluted when a few have it.
    """
    x = _table(x)
    return log_wealth(x.reshape(-1))[x.shape[1] - 1 :: x.shape[1]]


def average_wealth(x: Array) -> Array:
    """log of the mean over k of the wealths against E[X_k] <= 1: (R, K) -> (R,).

    A mean of supermartingales is one, whatever their dependence: testing K steps costs log K, not a factor K.
    """
    x = _table(x)
    return np.logaddexp.reduce(log_wealth(x), axis=1) - math.log(x.shape[1])


def step_wealth(x: Array) -> Array:
    """log of (mean over k of the wealths + pooled wealth) / 2, for ratios E[R_k | past] <= 1: (R, K) -> (R,).

    Per-step bets find an excess at a few steps, pooled bets a small one at all; half the stake on each.
    """
    return np.logaddexp(average_wealth(x), log_wealth_pooled(x)) - math.log(2.0)


def log_wealth_mirrored(x: Array, bound: float, upper: float) -> Array:
    """log of mean over lambda of prod(1 - lambda (X/bound - 1)), against E[X] >= bound, 0 <= X <= upper.

    Refuting that confirms E[X] < bound. `upper` must be proved for the instance, not read off the sample:
    without one no sample confirms a mean (Bahadur and Savage, 1956). Shape of x. ValueError: an observation
    outside [0, upper], or not 0 < bound < upper.
    """
    x = _observations(x)
    if not (0 < bound < upper < math.inf):
        raise ValueError(f"bound is {bound}, upper {upper}; confirming needs 0 < bound < upper < infinity")
    if (x > upper).any():
        raise ValueError(f"an observation is {x.max()}, above upper = {upper}; give a bound that is proved")
    largest = bound / (upper - bound)  # a larger stake could lose more than there is, at X = upper
    return _log_mixture(largest * (1.0 - x / bound))


def lower_confidence(x: Array, risk: float, wealth: Callable[[Array], Array] = average_wealth) -> float:
    """Largest b such that "E[X] <= b" was refuted at `risk` after some run: P(result > E[X]) <= risk.

    x is (R,), or (R, K) against one b for all k (result <= max over k of E[X_k]); `wealth` maps x / b to log
    wealths (R,). They fall in b, and so does their maximum over runs: bisection on log b, to 1e-9. 0 if there
    is none, infinite if an observation is.
    """
    x, threshold = _table(x), -math.log(_risk(risk))
    scale = float(x.max())
    if scale == 0.0 or math.isinf(scale):
        return scale
    x = x / scale  # now b = 1 is never refuted, and no x / b below overflows

    def refuted(log_b: float) -> bool:
        return bool(wealth(x / math.exp(log_b)).max() >= threshold)

    low, high = -1.0, 0.0
    while not refuted(low):
        low, high = 2.0 * low, low
        if low < -690.0:  # exp would leave the doubles; 0 is always a valid answer
            return 0.0
    while high - low > RESOLUTION:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return scale * math.exp(low)


def first_refutation(logw: Array, risk: float) -> int | None:
    """Number of runs after which log wealth (R,) first reaches log(1/risk); None if it never does."""
    logw = np.asarray(logw, dtype=float)
    if logw.ndim != 1 or np.isnan(logw).any():
        raise ValueError(f"log wealths of shape {logw.shape}, or NaN among them; give one number per run")
    crossed = logw >= -math.log(_risk(risk))
    return int(crossed.argmax()) + 1 if crossed.any() else None


def e_bh(log_e_values: Array, level: float) -> Array:
    """Reject the k* largest e-values, k* = max{k : e_(k) >= m / (level k)}: Boolean (m,).

    e-BH, Wang and Ramdas (2022): false discovery rate <= level under any dependence: claims may share runs.
    """
    e = np.asarray(log_e_values, dtype=float)
    if e.ndim != 1 or np.isnan(e).any():
        raise ValueError(f"log e-values of shape {e.shape}, or NaN among them; give one number per claim")
    threshold = math.log(max(e.size, 1)) - math.log(_risk(level)) - np.log(np.arange(1, e.size + 1))
    order = np.argsort(-e, kind="stable")
    passed = np.flatnonzero(e[order] >= threshold)
    rejected = np.zeros(e.size, dtype=bool)
    rejected[order[: passed[-1] + 1 if passed.size else 0]] = True
    return rejected


def _log_mixture(returns: Array) -> Array:
    """log of the mean over lambda of prod_i (1 + lambda returns_i), returns >= -1, products along axis 0."""
    total = np.full(returns.shape, -np.inf)
    for stake in LAMBDAS:  # one at a time: 12 copies of the data would not fit
        np.logaddexp(total, np.cumsum(np.log1p(stake * returns), axis=0), out=total)
    return total - math.log(len(LAMBDAS))


def _observations(x: Array) -> Array:
    x = np.asarray(x, dtype=float)
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"the data has shape {x.shape}; betting needs at least one run along axis 0")
    good = x >= 0  # false for NaN
    if not good.all():
        where = tuple(int(i) for i in np.argwhere(~good)[0])
        raise ValueError(f"observation {where} is {x[where]}; betting needs data >= 0, such as gap / bound")
    return x


def _table(x: Array) -> Array:
    """x as (R, K): a vector is one column."""
    x = _observations(x)
    if x.ndim > 2:
        raise ValueError(f"the data has shape {x.shape}; give (runs,) or (runs, steps)")
    return x[:, None] if x.ndim == 1 else x


def _risk(risk: float) -> float:
    if not 0 < risk < 1:
        raise ValueError(f"the error level is {risk}; give a number between 0 and 1, such as 0.01")
    return risk
