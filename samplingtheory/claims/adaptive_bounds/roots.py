"""Largest roots and best splits, which turn self-bounding inequalities into explicit bounds."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq


def largest_root(f: Callable[[float], float], start: float = 1.0) -> float:
    """The largest zero of a convex f with f(0) <= 0 and f(inf) = inf; 0 if that is the only one."""
    high = start
    while f(high) <= 0:
        high *= 2
    low = high / 2
    while f(low) > 0:
        low /= 2
        if low < 1e-300:
            return 0.0
    return float(brentq(f, low, high, xtol=1e-300, rtol=1e-13))


def best_split(C: float, A: float, jump: float, threshold: float, root: float) -> float:
    """min over lambda in (0, 1) of (C + [b > root] A (jump + ln(b/root)))/lambda with b = threshold/(1 - lambda).

    The share 1 - lambda of the descent pays for the second-order term once sqrt(v) >= b; before that a logarithm does.
    Where b > root the derivative vanishes at z = 1/(1 - lambda) with z - 1 - ln z = C/A + jump + ln(threshold/root),
    and the value there is A z; where b <= root the best is b = root, the largest such lambda.
    """
    free = 1 - threshold / root
    plain = C / free if free > 0 else math.inf
    q = C / A + jump + math.log(threshold / root)
    z = 1.0 if q <= 0 else 1 + largest_root(lambda s: s - math.log1p(s) - q)
    return min(plain, A * z) if threshold * z > root else plain
