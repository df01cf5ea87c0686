"""Polynomials of degree four: L exists on a ball |x| <= radius only, where it is certified. F* = 0 is attained inside.

`constants.radius` says where L and mu hold; record the column `reach` (length over radius, at most 1 inside) to know
that a run stayed there. A run that starts outside is refused.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from ..moments import Array, dot
from .base import Constants
from .glm import LinearModel
from .quadratic import UP
from .rows import whole_data


def _check_radius(radius: float, minimiser: Array) -> None:
    length = float(np.sqrt(dot(minimiser, minimiser)))
    if not length < radius < math.inf:
        raise ValueError(f"radius is {radius}; the minimiser has length {length:.4g} and must lie inside the ball")


def check_inside(constants: Constants, x: Array) -> None:
    """One line for a start outside the ball on which the constants hold."""
    length = float(np.sqrt(dot(x, x).max()))
    if length > constants.radius:
        raise ValueError(f"x0 has length {length:.4g}; L is certified for |x| <= {constants.radius:g} only: start "
                         "inside, or give a larger radius")


class MatrixFactorisation:
    """F(U, V) = |U V' - P Q'|^2/2, x = (U, V) flattened, U (m, r), V (n, r); without noise, a base for `Oracle`.

    |Hess F| <= |x|^2 + |U V' - P Q'| <= (3/2) radius^2 + |P Q'| (spectral norms), and it is at least
    -(radius^2/2 + |P Q'|). Minimisers: (P, Q) and its rotations. Bounds: ours.
    """

    def __init__(self, left: Any, right: Any, radius: float) -> None:
        P, Q = (np.asarray(v, dtype=float) for v in (left, right))
        finite = np.isfinite(P).all() and np.isfinite(Q).all()
        if not (finite and P.ndim == Q.ndim == 2 and P.shape[1] == Q.shape[1]):
            raise ValueError(f"left has shape {P.shape} and right {Q.shape}; need finite (m, r) and (n, r)")
        self.shapes, self.target = (P.shape, Q.shape), P @ Q.T
        minimiser = np.concatenate([P.ravel(), Q.ravel()])
        _check_radius(radius, minimiser)
        self.dim, norm = len(minimiser), float(np.linalg.norm(self.target, 2)) * UP
        half = radius * radius / 2
        self.constants = Constants(3 * half + norm, -half - norm, minimiser, radius=radius)
        self.gap_error = self.target.size * float(4e-16 * radius * radius) ** 2

    def check_start(self, x0: Array) -> None:
        check_inside(self.constants, x0)

    def _parts(self, x: Array) -> tuple[Array, Array, Array]:
        (m, r), (n, _) = self.shapes
        U, V = x[:, :m * r].reshape(-1, m, r), x[:, m * r:].reshape(-1, n, r)
        return U, V, U @ V.swapaxes(-1, -2) - self.target

    def gradient(self, x: Array) -> Array:
        U, V, E = self._parts(x)
        return np.concatenate([(E @ V).reshape(len(x), -1), (E.swapaxes(-1, -2) @ U).reshape(len(x), -1)], axis=1)

    def gap(self, x: Array) -> Array:
        E = self._parts(x)[2].reshape(len(x), -1)
        return dot(E, E) / 2


class PhaseRetrieval(LinearModel):
    """F(x) = (1/N) sum_i ((a_i'x)^2 - (a_i'w)^2)^2 / 4: w from squared measurements; minimisers w and -w.

    Hess F = mean of (3 (a_i'x)^2 - (a_i'w)^2) a_i a_i', between -mean (a_i'w)^2 a_i a_i' and, on the ball,
    mean (3 radius^2 |a_i|^2 - (a_i'w)^2) a_i a_i'. The label y_i is a_i'w. Bounds: ours.
    """

    def __init__(self, A: Any, w: Any, radius: float, replace: bool = False) -> None:
        A, w = np.asarray(A, dtype=float), np.asarray(w, dtype=float)
        if A.ndim != 2 or w.shape != A.shape[1:]:
            raise ValueError(f"A has shape {A.shape} and w {w.shape}; need (N, d) and (d,)")
        super().__init__(A, A @ w, 0.0, replace)
        _check_radius(radius, w)
        self.radius, self.minimiser = float(radius), w
        self.gap_error = float((4e-16 * self.data.norms).max() * radius * radius) ** 2

    @cached_property
    def constants(self) -> Constants:
        A, seen = self.data.A, self.y**2
        weights = 3 * self.radius**2 * self.data.norms - seen
        high, low = (float(np.linalg.eigvalsh((w[:, None] * A).T @ A / self.size)[-1]) * UP for w in (weights, seen))
        return Constants(high, -low, self.minimiser, radius=self.radius)

    def check_start(self, x0: Array) -> None:
        check_inside(self.constants, x0)

    def slope(self, z: Array, y: Array) -> Array:
        z *= (z - y) * (z + y)
        return z

    def difference(self, z: Array, y: Array, dz: Array) -> Array:
        other = z + dz
        return dz * (2 * z + dz) * ((z - y) * (z + y) + (other - y) * (other + y)) / 4

    def gap(self, x: Array) -> Array:
        """mean of (a_i'(x - w) a_i'(x + w))^2 / 4: no difference of squares."""
        out = np.empty(len(x))
        for r, rows in whole_data(self.data, len(x)):
            out[r] = rows.add((rows.project(x[r] - self.minimiser) * rows.project(x[r] + self.minimiser)) ** 2)
        return out / (4 * self.size)
