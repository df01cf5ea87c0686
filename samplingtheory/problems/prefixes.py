"""All prefixes of a random order at once: what a batch looks like at every size that it could be extended to."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from ..moments import Array, dot


class Prefixes:
    """Moments of the first j of W ordered sample gradients, j = 1..W, by cumulative sums: fields (R, W) or (R, W, d).

    table (R, W, d). With y_i = g_i - centre and s_j = y_1 + ... + y_j: mean = centre + s_j/j, and every spread is
    (sum of squares - square of the sum / j)/(j - 1), with the mean of the table as centre.
    """

    def __init__(self, table: Array, population: float = math.inf) -> None:
        R, W, _ = table.shape
        self.population = population
        self.n = np.broadcast_to(np.arange(1.0, W + 1), (R, W))
        self.dof = self.n - 1
        centre = table.mean(axis=1, keepdims=True)
        self._y = table - centre
        self._sums = np.cumsum(self._y, axis=1)
        self.mean = centre + self._sums / self.n[..., None]

    @cached_property
    def signal(self) -> Array:
        return dot(self.mean, self.mean)

    def _spread(self, squares: Array, sums: Array) -> Array:
        """Sample variance from cumulative squares and sums, axis 1 the prefix; inf for one sample."""
        j = self.n[0].reshape(-1, *[1] * (squares.ndim - 2))
        kept = np.maximum(squares - sums * sums / j, 0)
        kept[:, 1:] /= j[1:] - 1
        kept[:, 0] = math.inf
        return kept

    @cached_property
    def variances(self) -> Array:
        return self._spread(np.cumsum(self._y * self._y, axis=1), self._sums)

    @cached_property
    def total(self) -> Array:
        return self._spread(np.cumsum(dot(self._y, self._y), axis=1), np.sqrt(dot(self._sums, self._sums)))

    @cached_property
    def along(self) -> Array:
        """Along the mean of each prefix: all inner products <y_i, mean_j>, of which i <= j count."""
        upper = np.triu(np.ones((self._y.shape[1],) * 2))
        squares, p = np.empty(self.signal.shape), np.empty(upper.shape)
        for r, (y, mean) in enumerate(zip(self._y, self.mean, strict=True)):  # one at a time: (W, W) stays in cache
            np.matmul(y, mean.T, out=p)
            p *= p
            p *= upper
            squares[r] = p.sum(axis=0)
        length = np.where(self.signal > 0, self.signal, 1.0)
        known = self._spread(squares / length, dot(self._sums, self.mean) / np.sqrt(length))
        return np.where(self.signal > 0, known, self.total)
