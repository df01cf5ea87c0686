"""What a test promises, by listing every batch: no closed form, no reference, exact rational arithmetic.

A table holds N gradients with rational entries. `sampling` says what a size means:

    without   batches of the N rows without replacement: every subset is listed
    with      batches with replacement: every multiset, with its multinomial weight
    batch     the rows are themselves a batch of a larger law: the unbiased variance is the mean over all pairs of
              half the squared difference, and the mean of n fresh samples has 1/n of it
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np

from .engine import need

MOST = 1500  # batches that one listing may hold
SAMPLINGS = ("without", "with", "batch")
BOUNDARY = 1e-6  # ratios closer to 1 than this are not judged: rounding decides them
Row = Sequence[Fraction]


@dataclass(frozen=True)
class Parts:
    """Exact E of the parts of |g - G|^2 for the batch mean g: total = along + across, and each coordinate's."""

    total: Fraction
    along: Fraction
    variances: tuple[Fraction, ...]
    mean: tuple[Fraction, ...]

    @property
    def across(self) -> Fraction:
        return self.total - self.along

    @property
    def signal(self) -> Fraction:
        return sum((m * m for m in self.mean), Fraction(0))


@lru_cache(maxsize=512)
def _batches(N: int, n: int, sampling: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts (M, N) and whole weights (M,) of every batch of n, as Python integers."""
    if sampling == "without":
        rows, ways = list(combinations(range(N), n)), None
    else:
        rows, ways = list(combinations_with_replacement(range(N), n)), n
    counts = np.array([[row.count(i) for i in range(N)] for row in rows], dtype=object).reshape(-1, N)
    weights = [1 if ways is None else math.factorial(n) // math.prod(math.factorial(c) for c in row)
               for row in counts]
    return counts, np.array(weights, dtype=object)


def listable(N: int, n: int, sampling: str) -> bool:
    """Whether every batch of n can be listed here."""
    if sampling == "batch":
        return N >= 2 and n >= 1
    if sampling == "without":
        return 1 <= n <= N and math.comb(N, n) <= MOST
    return 1 <= n and math.comb(N + n - 1, n) <= MOST


def _errors(table: np.ndarray, n: int, sampling: str) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Whole errors E (M, d), weights (M,), and (a, b) such that the expectation of f(error) is sum w f(E) a / b."""
    N = len(table)
    if sampling == "batch":
        pairs = np.array(list(combinations(range(N), 2)))
        return table[pairs[:, 0]] - table[pairs[:, 1]], np.full(len(pairs), 1, dtype=object), 1, 2 * n * len(pairs)
    counts, weights = _batches(N, n, sampling)
    return N * (counts @ table) - n * table.sum(0), weights, 1, int(weights.sum()) * (N * n) ** 2


def parts(rows: Sequence[Row], n: int, sampling: str) -> Parts:
    """Exact moments of the error of the mean of a batch of n rows."""
    D = math.lcm(*(v.denominator for row in rows for v in row))
    table = np.array([[int(v * D) for v in row] for row in rows], dtype=object)
    errors, weights, top, bottom = _errors(table, n, sampling)
    whole = table.sum(0)  # N D times the mean
    squares = (weights[:, None] * errors * errors).sum(0)
    inner = errors @ whole
    signal = int(whole @ whole)
    scale = Fraction(top, bottom * D * D)
    variances = tuple(Fraction(int(s)) * scale for s in squares)
    total = sum(variances, Fraction(0))
    along = Fraction(int((weights * inner * inner).sum()), signal) * scale if signal else total
    return Parts(total, along, variances, tuple(Fraction(int(v), len(rows) * D) for v in whole))


def soft(v: Fraction, t: Fraction) -> Fraction:
    return v - t if v > t else v + t if v < -t else Fraction(0)


def mapping(mean: Row, alpha: Fraction, weight: Fraction, x: Row) -> list[Fraction]:
    """(x - x+)/alpha for the proximal step x+ = soft(x - alpha mean, alpha weight)."""
    return [(p - soft(p - alpha * g, alpha * weight)) / alpha for p, g in zip(x, mean, strict=True)]


def inequalities(kind: str, params: Mapping[str, Any], p: Parts) -> list[tuple[Fraction, Fraction]]:
    """(measured, allowed) of every inequality that a test of this kind asserts of a batch."""
    def squared(name: str) -> Fraction:
        return params[name] * params[name]

    if kind == "norm":
        return [(p.total, squared("eps") * p.signal)]
    if kind == "inner-product":
        return [(p.along, squared("theta") * p.signal)]
    if kind == "orthogonality":
        return [(p.across, squared("nu") * p.signal)]
    if kind == "augmented":
        return [(p.along, squared("theta") * p.signal), (p.across, squared("nu") * p.signal)]
    if kind == "coordinate-wise":
        return [(v, squared("eps") * m * m) for v, m in zip(p.variances, p.mean, strict=True)]
    step = mapping(p.mean, params["alpha"], params["weight"], params["x"])
    return [(p.total, params["xi"] * sum((s * s for s in step), Fraction(0)))]


def ratio(pairs: Sequence[tuple[Fraction, Fraction]]) -> Fraction | float:
    """The largest measured/allowed: at most 1 if and only if the test holds. 0/0 = 0."""
    found: Fraction | float = Fraction(0)
    for measured, allowed in pairs:
        found = max(found, measured / allowed if allowed > 0 else math.inf if measured > 0 else Fraction(0))
    return found


def holds(pairs: Sequence[tuple[Fraction, Fraction]]) -> bool | None:
    """Whether the test holds; None within `BOUNDARY` of equality, where rounding decides."""
    value = ratio(pairs)
    if value != 0 and abs(float(value) - 1) < BOUNDARY:
        return None
    return value <= 1


def promise(kind: str, params: Mapping[str, Any], rows: Sequence[Row], n: int, sampling: str) -> bool | None:
    """Whether a batch of n meets the test, by listing."""
    need(listable(len(rows), n, sampling), f"a batch of {n} from {len(rows)} rows cannot be listed")
    return holds(inequalities(kind, params, parts(rows, n, sampling)))
