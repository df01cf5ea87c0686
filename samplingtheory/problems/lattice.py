"""The law of a batch that stops itself: reach probabilities on the lattice of the 2^N subsets of a finite sum.

Whether a rule stops depends on the set that was drawn, not on its order. A batch of n that must grow to t moves up the
lattice one uniform component at a time, mass(S + i) += mass(S)/(N - n), whatever the rule:

    extend by one     mass(S) = sum_{i in S} mass(S - i) [not stopped at S - i]/(N - |S| + 1)

so that 2^N numbers replace N! orderings. Floats or Fractions; source: ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..moments import Array

MOST = 20  # largest N
Asked = Callable[[float, Array], Array]  # n, counts (L, N) -> the size that the test asks for, (P, L)
Next = Callable[[Array, Array], Array]  # n and asked -> the size to grow to


class Layer(NamedTuple):
    """Batches that stopped: n samples, `drawn` paid for, counts (L, N), probabilities weight (P, L) a point."""

    n: int
    drawn: int
    counts: Array
    weight: Array


@lru_cache(maxsize=64)
def members(N: int, n: int) -> Array:
    """All subsets of size n as bits, (C(N, n), N), in the order of their binary numbers."""
    masks = np.arange(2**N, dtype=np.uint32)
    return _bits(masks[np.bitwise_count(masks) == n], N)


def _bits(masks: Array, N: int) -> Array:
    return (masks[:, None] >> np.arange(N, dtype=np.uint32) & 1).astype(bool)


def _up(mass: Array, N: int, n: int) -> Array:
    """Mass (P, C(N, n)) after one more uniform component, (P, C(N, n + 1))."""
    here, there = members(N, n), members(N, n + 1)
    powers = 2 ** np.arange(N, dtype=np.int64)
    masks, rank = here @ powers, there @ powers
    out = np.zeros((len(mass), len(there)), dtype=mass.dtype) + 0 * mass[:, :1]
    share = mass / (N - n)
    for i in range(N):
        free = np.flatnonzero(~here[:, i])
        out[:, np.searchsorted(rank, masks[free] + powers[i])] += share[:, free]  # distinct targets for one i
    return out


def extended(start: Array, N: int, asked: Asked, larger: Next, cap: float, corrections: float,
             one: Any) -> Iterator[Layer]:
    """Stopped batches when failed ones keep their samples; start (P,) whole sizes, one for each point.

    A batch of n < cap fails if asked > n, and grows to larger(n, asked); it is accepted after `corrections` failures.
    """
    _check(N)
    moving: dict[tuple[int, int], Array] = {}  # (size to reach, failures so far) -> mass on this layer
    for n in range(int(start.min()), N + 1):
        fresh = np.where(start == n, one, 0 * one)
        if (fresh > 0).any():
            first = np.repeat((fresh / math.comb(N, n))[:, None], math.comb(N, n), axis=1)
            moving[n, 0] = moving[n, 0] + first if (n, 0) in moving else first
        for key in sorted(k for k in moving if k[0] == n):
            mass = moving.pop(key)
            alive = np.flatnonzero((mass > 0).any(axis=0))
            counts, mass = members(N, n)[alive], mass[:, alive]
            failed, target = _judge(n, counts, asked, larger, n < cap and key[1] < corrections, mass)
            yield Layer(n, n, counts, np.where(failed, 0 * one, mass))
            for t in np.unique(target[failed]).astype(int).tolist():
                left = np.full((len(mass), math.comb(N, n)), 0 * one)
                left[:, alive] = np.where(failed & (target == t), mass, 0 * one)
                to = t, key[1] + 1 if corrections < math.inf else 0
                moving[to] = moving[to] + left if to in moving else left
        moving = {key: _up(mass, N, n) for key, mass in moving.items()}


def redrawn(start: Array, N: int, asked: Asked, larger: Next, cap: float, corrections: float,
            one: Any) -> Iterator[Layer]:
    """Stopped batches when failed ones are replaced by fresh ones: only the sizes have a history."""
    _check(N)
    waiting = {(int(n), int(n), 0): np.where(start == n, one, 0 * one) for n in np.unique(start)}
    while waiting:
        n, drawn, failures = key = min(waiting)
        counts, mass = members(N, n), waiting.pop(key)
        each = np.repeat((mass / math.comb(N, n))[:, None], len(counts), axis=1)
        failed, target = _judge(n, counts, asked, larger, n < cap and failures < corrections, each)
        yield Layer(n, drawn, counts, np.where(failed, 0 * one, each))
        for t in np.unique(target[failed]).astype(int).tolist():
            to = t, drawn + t, failures + 1 if corrections < math.inf else 0
            waiting[to] = waiting.get(to, 0 * one) + np.where(failed & (target == t), each, 0 * one).sum(axis=1)


def _judge(n: int, counts: Array, asked: Asked, larger: Next, tested: bool, mass: Array) -> tuple[Array, Array]:
    """Which batches fail, and the size that each must reach; those without mass do not fail."""
    if not tested:
        return np.zeros(mass.shape, bool), np.zeros(mass.shape)
    size = asked(float(n), counts)
    failed = (size > n) & (mass > 0)
    return failed, larger(np.full(size.shape, float(n)), size)


def _check(N: int) -> None:
    if N > MOST:
        raise ValueError(f"N = {N}: the lattice has 2^N subsets, at most 2^{MOST} are followed; simulate instead")
