"""Regression with bounded losses, nonconvex: F(x) = (1/N) sum_i phi(a_i'x - y_i); laws and draws are in glm.py.

phi'' lies in [low, 1], so L = lmax(A'A/N) and mu = low L, rounded outwards. F* is not known: `gap` is F(x) - 0, and
0 <= F* is certain; a bound that is told a larger gap than the true one stays valid. There is no `minimiser`.
`curvatures` (d,) are the row sums of |A'A/N|: F lies below its expansion with sum_i curvatures_i z_i^2/2; where columns
are strongly correlated their sum can exceed d L.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..moments import Array
from .base import Constants
from .glm import LinearModel
from .quadratic import UP
from .rows import whole_data


class Bounded(LinearModel):
    """What the two losses share; a loss adds `low`, `loss`, `slope` and `difference`. `scale` is c."""

    low: float
    gap_error = 0.0

    def __init__(self, A: Any, y: Any, scale: float, replace: bool = False) -> None:
        super().__init__(A, y, 0.0, replace)
        if not 0 < scale < np.inf:
            raise ValueError(f"scale is {scale}; it must be a finite number above 0, the residual that is still large")
        self.scale = float(scale)

    def loss(self, r: Array) -> Array:
        raise NotImplementedError

    @cached_property
    def _gram(self) -> Array:
        return self.data.A.T @ self.data.A / self.size

    @cached_property
    def constants(self) -> Constants:
        L = float(np.linalg.eigvalsh(self._gram)[-1]) * UP
        if not L > 0:
            raise ValueError("A is zero, so F is constant; give data with a nonzero entry")
        return Constants(L, self.low * L)

    @cached_property
    def curvatures(self) -> Array:
        return np.abs(self._gram).sum(-1) * UP

    def gap(self, x: Array) -> Array:
        """F(x) itself, at least F(x) - F*."""
        out = np.empty(len(x))
        for r, rows in whole_data(self.data, len(x)):
            out[r] = rows.add(self.loss(rows.project(x[r]) - self.y))
        return out / self.size


class GemanMcClure(Bounded):
    """phi(r) = r^2 / (2 (1 + (r/c)^2)), phi'' in [-1/4, 1], phi < c^2/2. Geman, McClure (1985)."""

    low = -0.25

    def __init__(self, A: Any, y: Any, scale: float = 1.0, replace: bool = False) -> None:
        super().__init__(A, y, scale, replace)

    def loss(self, r: Array) -> Array:
        return r * r / (2 * (1 + (r / self.scale) ** 2))

    def slope(self, z: Array, y: Array) -> Array:
        z -= y
        z /= (1 + (z / self.scale) ** 2) ** 2
        return z

    def difference(self, z: Array, y: Array, dz: Array) -> Array:
        r, c = z - y, self.scale
        return dz * (r + dz / 2) / ((1 + (r / c) ** 2) * (1 + ((r + dz) / c) ** 2))


class Tukey(Bounded):
    """phi(r) = (c^2/6)(1 - (1 - (r/c)^2)^3) for |r| <= c, c^2/6 beyond; phi'' in [-4/5, 1]. Beaton, Tukey (1974).

    c = 4.685 times the deviation of the noise is the usual choice. A start with every |r| > c has no gradient.
    """

    low = -0.8

    def __init__(self, A: Any, y: Any, scale: float = 4.685, replace: bool = False) -> None:
        super().__init__(A, y, scale, replace)

    def _rest(self, r: Array) -> Array:
        return np.maximum(1 - (r / self.scale) ** 2, 0.0)

    def loss(self, r: Array) -> Array:
        u = np.minimum((r / self.scale) ** 2, 1.0)
        return self.scale**2 / 6 * u * (3 - 3 * u + u * u)

    def slope(self, z: Array, y: Array) -> Array:
        z -= y
        z *= self._rest(z) ** 2
        return z

    def difference(self, z: Array, y: Array, dz: Array) -> Array:
        r, c = z - y, self.scale
        before, after = self._rest(r), self._rest(r + dz)
        fall = np.where((before > 0) & (after > 0), dz * (2 * r + dz) / (c * c), before - after)
        return c * c / 6 * fall * (before * before + before * after + after * after)
