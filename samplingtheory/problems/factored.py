"""Moments of gradients s_i a_i + shift, from sums over the rows a_i: the n x d table is never built."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from ..moments import Array, dot
from .rows import BLOCK, Parts, Rows, pieces

KEPT = 1e-6  # least share of a sum of squares that may survive a subtraction
WIDE = 32  # from this d on, keeping s costs less than computing it again
ROOM = 2**24  # entries of s that are kept at most


class Factored:
    """Moments of g_i = s_i a_i + shift over weighted rows; every spread is (second moment - |mean|^2) scale.

    slopes(rows, r) gives s at the samples of the replicates r; size (R,): sum of the counts; scale: n/(n-1)
    for a batch, N/(N-1) for a population drawn without replacement, 1 for a law; shift (R, d). Spreads are
    inf where dof = 0. Where less than 1e-6 of the second moment survives the subtraction, that replicate is
    summed again in centred form: relative error about 1e-9 at worst.
    """

    def __init__(self, parts: Parts, slopes: Callable[[Rows, slice], Array], shift: Array, size: Array,
                 scale: Any, n: Array, dof: Array, population: float = math.inf) -> None:
        self.parts, self.slopes, self.shift, self.size = parts, slopes, shift, size
        self.scale, self.n, self.dof, self.population = scale, n, dof, population
        self.data = parts[0][1].data
        self._kept: dict[int, Array] = {}
        self._direction: Array | None = None

    def toward(self, direction: Array) -> Factored:
        """The same batch, compared with another direction (R, d); what is known already is shared."""
        other = copy.copy(self)
        other._direction = direction
        for name in ("signal", "along"):
            other.__dict__.pop(name, None)
        return other

    def _each(self) -> Iterator[tuple[slice, Rows, Array]]:
        """Replicates, their rows and their s, part by part."""
        entries = len(self.parts) * max(BLOCK, self.data.N)
        keep = len(self.parts) == 1 or (self.data.d >= WIDE and entries <= ROOM)
        for r, rows in self.parts:
            s = self._kept.get(r.start)
            if s is None:
                s = self.slopes(rows, r)
            if keep:
                self._kept[r.start] = s
            yield r, rows, s

    def _known(self, spread: Array) -> Array:
        return np.where(self.dof > 0, self.scale * spread, math.inf)

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        """Means of s_i a_i (R, d) and of s_i^2 |a_i|^2 (R,), together while s is in cache."""
        first, second = np.empty_like(self.shift), np.empty(len(self.shift))
        for r, rows, s in self._each():
            first[r] = rows.combine(s, self.data.A)
            second[r] = rows.combine(s * s, self.data.norms)
        return first / self.size[:, None], second / self.size

    @cached_property
    def mean(self) -> Array:
        return self._sums[0] + self.shift

    @property
    def direction(self) -> Array:
        return self.mean if self._direction is None else self._direction

    @cached_property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

    def _centred(self, j: int) -> Array:
        """Mean of (s_i a_i - raw mean)^2 over replicate j, (d,), in row blocks."""
        r, rows = next((r, rows) for r, rows in self.parts if j < r.stop)
        index, counts, s = rows.members(j - r.start, self.slopes(rows, r))
        out = np.zeros(self.data.d)
        for b in pieces(len(index), self.data.d):
            rest = s[b, None] * self.data.A[index[b]] - self._sums[0][j]
            out += counts[b] @ (rest * rest)
        return out / self.size[j]

    @cached_property
    def total(self) -> Array:
        mean, second = self._sums
        kept = second - dot(mean, mean)
        for j in np.flatnonzero((kept < KEPT * second) & (self.dof > 0)).tolist():
            kept[j] = self._centred(j).sum()
        return self._known(kept)

    @cached_property
    def variances(self) -> Array:
        mean, second = self._sums[0], np.empty_like(self.shift)
        for r, rows, s in self._each():
            second[r] = rows.combine(s * s, self.data.squares)
        second /= self.size[:, None]
        kept = second - mean * mean
        for j in np.flatnonzero((kept < KEPT * second).any(-1) & (self.dof > 0)).tolist():
            kept[j] = self._centred(j)
        return self._known(kept.T).T

    @cached_property
    def along(self) -> Array:
        direction, kept = self.direction, np.empty(len(self.shift))
        centre = dot(self._sums[0], direction)
        for r, rows, s in self._each():
            p = rows.project(direction[r])
            p *= s
            p -= rows.spread(centre[r])
            p *= p
            kept[r] = rows.add(p)
        positive = self.signal > 0
        known = self._known(kept / self.size / np.where(positive, self.signal, 1.0))
        return known if positive.all() else np.where(positive, known, self.total)
