"""Moments of gradients s_i a_i + shift, from sums over the rows a_i: the n x d table is never built."""

from __future__ import annotations

import copy
import math
from functools import cached_property
from typing import Any

import numpy as np

from ..moments import Array, dot
from .rows import Rows, pieces

KEPT = 1e-6  # least share of a sum of squares that may survive a subtraction


class Factored:
    """Moments of g_i = s_i a_i + shift over weighted rows; every spread is (second moment - |mean|^2) scale.

    size (R,) or a number: sum of the counts; scale: n/(n-1) for a batch, N/(N-1) for a population drawn
    without replacement, 1 for a law; shift (R, d). Spreads are inf where dof = 0. Where less than 1e-6 of the
    second moment survives the subtraction, that replicate is summed again in centred form: relative error
    about 1e-9 at worst.
    """

    def __init__(self, rows: Rows, s: Array, shift: Array, size: Any, scale: Any, n: Array, dof: Array,
                 population: float = math.inf) -> None:
        self.rows, self.s, self.shift, self.size = rows, s, shift, size
        self.scale, self.n, self.dof, self.population = scale, n, dof, population
        self._direction: Array | None = None

    def toward(self, direction: Array) -> Factored:
        """The same batch, compared with another direction (R, d); what is known already is shared."""
        other = copy.copy(self)
        other._direction = direction
        for name in ("signal", "along"):
            other.__dict__.pop(name, None)
        return other

    def _known(self, spread: Array) -> Array:
        return np.where(self.dof > 0, self.scale * spread, math.inf)

    def _over(self, sums: Array) -> Array:
        return sums / (self.size if sums.ndim == 1 else np.reshape(self.size, (-1, 1)))

    @cached_property
    def _raw(self) -> Array:
        return self._over(self.rows.combine(self.s, self.rows.data.A))

    @cached_property
    def mean(self) -> Array:
        return self._raw + self.shift

    @property
    def direction(self) -> Array:
        return self.mean if self._direction is None else self._direction

    @cached_property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

    def _centred(self, r: int) -> Array:
        """Mean of (s_i a_i - raw mean)^2 over replicate r, (d,), in row blocks."""
        data, out = self.rows.data, np.zeros(self.rows.data.d)
        index, counts, s = self.rows.members(r, self.s)
        for b in pieces(len(index), data.d):
            rest = s[b, None] * data.A[index[b]] - self._raw[r]
            out += counts[b] @ (rest * rest)
        return out / counts.sum()

    @cached_property
    def total(self) -> Array:
        first = self._over(self.rows.squared(self.s, self.rows.data.norms))
        kept = first - dot(self._raw, self._raw)
        for r in np.flatnonzero((kept < KEPT * first) & (self.dof > 0)):
            kept[r] = self._centred(r).sum()
        return self._known(kept)

    @cached_property
    def variances(self) -> Array:
        first = self._over(self.rows.squared(self.s, self.rows.data.squares))
        kept = first - self._raw * self._raw
        for r in np.flatnonzero((kept < KEPT * first).any(-1) & (self.dof > 0)):
            kept[r] = self._centred(r)
        return self._known(kept.T).T

    @cached_property
    def along(self) -> Array:
        p = self.rows.project(self.direction)
        p *= self.s
        p -= self.rows.spread(dot(self._raw, self.direction))
        p *= p
        positive = self.signal > 0
        known = self._known(self._over(self.rows.add(p)) / np.where(positive, self.signal, 1.0))
        return known if positive.all() else np.where(positive, known, self.total)
