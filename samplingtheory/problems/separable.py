"""Noiseless F(x) = sum_i phi(x_i), phi known in closed form: L, mu, F* = 0 and a gap that never cancels.

Bases for the noise of oracles.py and noise.py. `curvatures` (d,) bounds phi_i'' coordinate by coordinate: the L_i of
coordinate-wise theorems. Instances: ours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..moments import Array
from .base import Constants


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}; it must be a finite number above 0")


def _whole(dim: int) -> int:
    if not (dim >= 1 and int(dim) == dim):
        raise ValueError(f"dim is {dim}; give a whole number of coordinates, at least 1")
    return int(dim)


class LogQuad:
    """F = sum_i log(1 + x_i^2): F'' in [-1/4, 2], minimiser 0, nonconvex beyond |x_i| = 1.

    Where the bounds for AdaGrad-Norm are nearly met (d = 10, x_0 = (1.5, ..., 1.5), alpha = 0.2, v0 = 0.01).
    """

    gap_error = 0.0

    def __init__(self, dim: int = 1) -> None:
        self.dim = _whole(dim)
        self.constants, self.curvatures = Constants(2.0, -0.25, np.zeros(self.dim)), np.full(self.dim, 2.0)

    def gradient(self, x: Array) -> Array:
        return 2 * x / (1 + x * x)

    def gap(self, x: Array) -> Array:
        return np.log1p(x * x).sum(-1)


class CosQuad:
    """F = sum_i l_i x_i^2/2 + height (1 - cos(frequency x_i)): F_i'' in l_i +- height frequency^2, minimiser 0.

    Many local minima where l_i < height frequency^2. `curvature` is l: a number, or (d,).
    """

    gap_error = 0.0

    def __init__(self, curvature: Any = 1.0, height: float = 1.0, frequency: float = 2.0,
                 dim: int | None = None) -> None:
        _positive(height=height, frequency=frequency)
        given = np.atleast_1d(np.asarray(curvature, dtype=float))
        self.dim = len(given) if dim is None else _whole(dim)
        if given.ndim != 1 or len(given) not in (1, self.dim) or not ((given > 0) & (given < math.inf)).all():
            raise ValueError(f"curvature is {curvature}; give a finite number above 0, or one for each of {self.dim}")
        self.curvature, self.height, self.frequency = np.broadcast_to(given, (self.dim,)), height, frequency
        bend = height * frequency * frequency
        self.curvatures = self.curvature + bend
        self.constants = Constants(float(self.curvatures.max()), float(given.min()) - bend, np.zeros(self.dim))

    def gradient(self, x: Array) -> Array:
        return self.curvature * x + self.height * self.frequency * np.sin(self.frequency * x)

    def gap(self, x: Array) -> Array:
        return (self.curvature * x * x / 2 + 2 * self.height * np.sin(self.frequency * x / 2) ** 2).sum(-1)


class Slow1D:
    """x >= 0: (1 + x)^(1 - p)/(p - 1);  x < 0: 1/(p - 1) - x + p x^2/2.  Convex, F'' in (0, p], inf F = 0 at infinity.

    d = 1. Gradient descent has |F'(x_k)|^2 ~ k^(-2p/(1 + p)): as p -> 1 the rate 1/k cannot be beaten.
    """

    dim, gap_error = 1, 0.0

    def __init__(self, p: float = 1.05) -> None:
        _positive(p=p, **{"p - 1": p - 1})
        self.p, self.constants, self.curvatures = p, Constants(p, 0.0), np.array([float(p)])

    def gradient(self, x: Array) -> Array:
        right, left = np.maximum(x, 0.0), np.minimum(x, 0.0)
        return self.p * left - (1 + right) ** -self.p

    def gap(self, x: Array) -> Array:
        right, left = np.maximum(x[..., 0], 0.0), np.minimum(x[..., 0], 0.0)
        return (1 + right) ** (1 - self.p) / (self.p - 1) - left + self.p * left * left / 2


class Cosh:
    """F = sum_i (cosh x_i - 1): |Hess F| <= L0 + L1 |grad F| with L0 = L1 = 1; mu = 1 and no finite L."""

    gap_error = 0.0

    def __init__(self, dim: int = 1) -> None:
        self.dim = _whole(dim)
        self.constants = Constants(math.inf, 1.0, np.zeros(self.dim), L0=1.0, L1=1.0)

    def gradient(self, x: Array) -> Array:
        return np.sinh(x)

    def gap(self, x: Array) -> Array:
        return (2 * np.sinh(x / 2) ** 2).sum(-1)
