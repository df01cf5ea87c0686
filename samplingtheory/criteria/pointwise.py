"""Tests at a point: which spread of one sample gradient, and which tolerance (u is the unit vector of the direction)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..moments import Array, Moments
from .sizes import positive, smallest


@dataclass(frozen=True)
class NormTest:
    """E|g - grad F|^2 = total / n <= eps^2 |grad F|^2.  Byrd, Chin, Nocedal, Wu (2012)."""

    eps: Any

    def __post_init__(self) -> None:
        positive("eps", self.eps)

    def __call__(self, m: Moments) -> Array:
        return smallest(m.total, m.signal, self.eps, m.population)


@dataclass(frozen=True)
class InnerProductTest:
    """Var <g_i, u> / n <= theta^2 |grad F|^2,  u = grad F / |grad F|.

    Bollapragada, Byrd, Nocedal (2018). Their fourth power cancels because u has unit length.
    """

    theta: Any

    def __post_init__(self) -> None:
        positive("theta", self.theta)

    def __call__(self, m: Moments) -> Array:
        return smallest(m.along, m.signal, self.theta, m.population)


def across(m: Moments) -> Array:
    """Variance of one sample gradient orthogonal to the direction: total - along (inf if nothing is known)."""
    total, along = np.asarray(m.total), np.asarray(m.along)
    if total.dtype == object:
        return total - along
    known = np.isfinite(total)
    return np.where(known, np.maximum(np.where(known, total, 0) - np.where(known, along, 0), 0.0), np.inf)[()]


@dataclass(frozen=True)
class OrthogonalityTest:
    """E|(I - u u') g_i|^2 / n <= nu^2 |grad F|^2.  Bollapragada, Byrd, Nocedal (2018)."""

    nu: Any

    def __post_init__(self) -> None:
        positive("nu", self.nu)

    def __call__(self, m: Moments) -> Array:
        return smallest(across(m), m.signal, self.nu, m.population)


@dataclass(frozen=True)
class AugmentedInnerProductTest:
    """Inner product test AND orthogonality test: the larger of the two sizes.

    Bollapragada, Byrd, Nocedal (2018); their parameters are theta = 0.9, nu = 5.84.
    """

    theta: Any = 0.9
    nu: Any = 5.84

    def __post_init__(self) -> None:
        positive("theta", self.theta)
        positive("nu", self.nu)

    def __call__(self, m: Moments) -> Array:
        return np.maximum(InnerProductTest(self.theta)(m), OrthogonalityTest(self.nu)(m))


@dataclass(frozen=True)
class CoordinatewiseNormTest:
    """E(g_i - grad_i F)^2 = variances_i / n <= eps^2 (grad_i F)^2 for every coordinate i: the largest of d sizes.

    The condition of Lau, Li, Xu, Liu, Kolar (2024) for AdaGrad and Adam; the formula for the size is ours. Implies
    the norm test. A coordinate with variance and no gradient asks for N, or for inf with replacement: use it with
    multiplicative noise or without replacement. Reads `m.variances` and `m.mean`.
    """

    eps: Any

    def __post_init__(self) -> None:
        positive("eps", self.eps)

    def __call__(self, m: Moments) -> Array:
        if not hasattr(m, "variances"):
            raise ValueError(f"{type(m).__name__} keeps no coordinate variances, which the coordinate-wise test reads")
        squares = m.squares if hasattr(m, "squares") else m.mean * m.mean
        return np.max(smallest(m.variances, squares, self.eps, m.population), axis=-1)
