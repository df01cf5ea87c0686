"""From a spread, a signal and a tolerance to a sample size, real and then whole.

    spread / n * (1 - n/N)  <=  tol^2 * signal            smallest n = 1 / (tol^2 signal / spread + 1/N)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..moments import Array, Moments, exact

Criterion = Callable[[Moments], Array]
SLACK = 1e-12  # what meets its test with equality passes, whatever the last digits say


def smallest(spread: Array, signal: Array, tol: Array, population: float) -> Array:
    """Smallest real n with spread/n (1 - n/N) <= tol^2 signal: 0 without spread, N (or inf) without signal."""
    spread, signal = np.asarray(spread), np.asarray(signal)
    if spread.dtype == object:
        return _smallest_exact(spread, signal, tol, population)
    tol = np.asarray(tol, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = 1.0 / (np.square(tol) * signal / spread + 1.0 / population)
    size = np.where(spread > 0, size, np.where(spread == 0, 0.0, np.nan))
    if np.isnan(size).any():
        raise ValueError(
            "a batch-size test met NaN (or a negative variance): the gradients behind it are not finite, or so large "
            "(above 1e150) that their squares are not"
        )
    return size[()]


def _smallest_exact(spread: Array, signal: Array, tol: Array, population: float) -> Array:
    tol2 = exact(tol, spread) ** 2
    rest = Fraction(0) if math.isinf(population) else 1 / Fraction(population)
    out = np.empty(spread.shape, dtype=object)
    for i in np.ndindex(spread.shape):
        if spread[i] == 0:
            out[i] = Fraction(0)
        elif spread[i] == math.inf:
            out[i] = 1 / rest if rest else math.inf
        else:
            inverse = tol2 * signal[i] / spread[i] + rest
            out[i] = 1 / inverse if inverse else math.inf
    return out[()]


def whole(n: Array, least: float = 1.0, cap: float = 1e15) -> Array:
    """n rounded up to a whole size in [least, cap], as float64.

    n within SLACK (relative) above an integer counts as that integer: an oracle that meets its test with
    equality would otherwise draw two samples for one at most points, and the tight case would test nothing.
    """
    n = np.asarray(n)
    if (n != n).any():
        raise ValueError("a batch-size test asked for NaN samples; return a size from 0 to inf for each replicate")
    if n.dtype == object:
        n = np.array([v if v == math.inf else math.ceil(v) for v in n.ravel()], dtype=float).reshape(n.shape)
    else:
        low = np.minimum(n, cap)
        n = np.where(n < cap, np.ceil(low - SLACK * np.maximum(low, 1.0)), cap)
    return np.clip(n, least, cap)


def check_criterion(criterion: Any) -> None:
    """One line unless `criterion` is a test or a function; a class is a test without its tolerance."""
    if isinstance(criterion, type) or not callable(criterion):
        raise ValueError(f"criterion is {criterion!r}; need a test with its tolerance, such as NormTest(0.5), or a "
                         "function from moments to a size")


def positive(name: str, value: Any) -> None:
    try:
        good = bool(np.all(np.asarray(value, dtype=float) > 0) and np.all(np.isfinite(np.asarray(value, dtype=float))))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"{name} is {value}; a tolerance must be a finite number above 0")
