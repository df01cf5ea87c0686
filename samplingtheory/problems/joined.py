"""Gaussian batches that grow: sufficient statistics of what was tested and of what is new, put together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..moments import Array, divide, dot


class Joined:
    """Moments of a Gaussian batch together with more[r] fresh samples, exactly, though the sum is no longer Wishart.

    The fresh samples are independent of all that is known of the batch, whatever made it grow, and with e the difference
    of the means sum (g - mean)(g - mean)' = S_1 + S_2 + (n_1 n_2/n) e e'. Rows with more = 0 stay as they are. The matrix
    is kept only if the test that made the batch grow looked at a direction or a coordinate (`directional`).
    """

    population = math.inf

    def __init__(self, first: Any, fresh: Any, more: Array) -> None:
        self.n, new = first.n + more, more > 0
        self.dof = self.n - 1
        gap, share = fresh.mean - first.mean, divide(more, self.n, 0.0)
        between = first.n * share
        self.mean = first.mean + share[:, None] * gap
        self.direction = self.mean
        self.sum_total = first.sum_total + np.where(new, fresh.sum_total + between * dot(gap, gap), 0)
        self.directional = first.directional
        self._matrix = None
        if self.directional:
            outer = between[:, None, None] * gap[:, :, None] * gap[:, None, :]
            self._matrix = first.matrix + np.where(new[:, None, None], fresh.matrix + outer, 0)

    def toward(self, direction: Array) -> Joined:
        """The same batch, compared with another direction (R, d)."""
        other = object.__new__(Joined)
        other.__dict__.update(self.__dict__, direction=direction)
        return other

    def without(self, rows: Array) -> Emptied:
        return Emptied(self, ~rows)

    @property
    def matrix(self) -> Array:
        """Sum of (g_i - mean)(g_i - mean)', (R, d, d)."""
        if self._matrix is None:
            raise ValueError("the scatter of this grown batch was not kept: the test that made it grow reads the total "
                             "variance only; use a test that reads `along` or `variances` from the first batch on")
        return self._matrix

    @property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

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
        self.n, self.mean, self.directional = first.n * keep, first.mean, first.directional

    @property
    def sum_total(self) -> Array:
        return self._first.sum_total * self._keep

    @property
    def matrix(self) -> Array:
        return self._first.matrix * self._keep[:, None, None]

    def without(self, rows: Array) -> Emptied:
        return Emptied(self._first, self._keep & ~rows)
