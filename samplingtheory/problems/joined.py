"""Gaussian batches that grow: sufficient statistics of what was tested and of what is new, put together."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from ..moments import Array, divide, dot


class Joined:
    """Moments of a Gaussian batch together with more[r] fresh samples, exactly, though the sum is no longer Wishart.

    The fresh samples are independent of all that is known of the batch, whatever made it grow, and with e the
    difference of the means sum (g - mean)(g - mean)' = S_1 + S_2 + (n_1 n_2/n) e e'. Rows with more = 0 stay as they
    are.
    """

    population = math.inf

    def __init__(self, first: Any, fresh: Any, more: Array, direction: Array | None = None) -> None:
        self._first, self._fresh, self._more = first, fresh, more
        self.n = first.n + more
        self.dof = self.n - 1
        self._gap, share = fresh.mean - first.mean, divide(more, self.n, 0.0)
        self._between = first.n * share
        self.mean = first.mean + share[:, None] * self._gap
        self.direction = self.mean if direction is None else direction

    def toward(self, direction: Array) -> Joined:
        """The same batch, compared with another direction (R, d)."""
        return Joined(self._first, self._fresh, self._more, direction)

    def without(self, rows: Array) -> Emptied:
        return Emptied(self, ~rows)

    @property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

    @cached_property
    def sum_total(self) -> Array:
        """Sum of |g_i - mean|^2, (R,)."""
        grown = np.where(self._more > 0, self._fresh.sum_total + self._between * dot(self._gap, self._gap), 0)
        return self._first.sum_total + grown

    @cached_property
    def matrix(self) -> Array:
        outer = self._between[:, None, None] * self._gap[:, :, None] * self._gap[:, None, :]
        return self._first.matrix + np.where((self._more > 0)[:, None, None], self._fresh.matrix + outer, 0)

    def _over_dof(self, squares: Array) -> Array:
        return np.where(self.dof > 0, divide(squares, np.maximum(self.dof, 0), 0.0), math.inf)

    @property
    def total(self) -> Array:
        return self._over_dof(self.sum_total)

    @property
    def along(self) -> Array:
        image = (self.matrix @ self.direction[:, :, None])[:, :, 0]
        return np.where(self.signal > 0, self._over_dof(divide(dot(self.direction, image), self.signal, 0.0)), self.total)

    @property
    def variances(self) -> Array:
        return self._over_dof(np.diagonal(self.matrix, axis1=-2, axis2=-1).T).T


class Emptied:
    """A batch of which only the rows `keep` hold samples: what a redrawn batch starts from."""

    def __init__(self, first: Any, keep: Array) -> None:
        self._first, self._keep = first, keep
        self.n, self.mean = first.n * keep, first.mean

    @property
    def sum_total(self) -> Array:
        return self._first.sum_total * self._keep

    @property
    def matrix(self) -> Array:
        return self._first.matrix * self._keep[:, None, None]

    def without(self, rows: Array) -> Emptied:
        return Emptied(self._first, self._keep & ~rows)
