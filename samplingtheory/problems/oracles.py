"""Noise that meets a batch-size test with equality, wrapped around any noiseless problem.

With G = grad F(x), e = g - G, W = E[G G'], each law states for ONE sample (a batch of n has second(W)/n)

    atoms(G)       (R, d) -> (R, A, d)       second(W)   E[e e'], (..., d, d) -> (..., d, d)
    probabilities  (A,), sum 1               adjoint(S)  tr(S second(W)) = tr(adjoint(S) W) + tr(S constant)
    growth         sup E|g|^2 / |G|^2        constant    the part of E[e e'] that does not depend on W

so that second moments on a quadratic follow a recursion. Laws: ours. Fractions in, Fractions out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..moments import Array, Weighted, dot
from .base import Batch, Chance
from .finite import draw_batch, exact_law

TURN = np.array([[0, -1], [1, 0]])  # J: rotation of the plane by 90 degrees


def _need(ok: Any, message: str) -> None:
    if not ok:
        raise ValueError(message)


@dataclass(frozen=True)
class FourAtoms:
    """g = G + theta s1 G + nu s2 J G, s = +-1 independent: along = theta^2|G|^2, across = nu^2|G|^2.

    Meets both tests of Bollapragada, Byrd, Nocedal (2018) with equality at n = 1. d = 2 (any d if nu = 0).
    """

    theta: Any
    nu: Any
    constant = 0

    def __post_init__(self) -> None:
        _need(self.theta >= 0 and self.nu >= 0, f"theta = {self.theta}, nu = {self.nu}; need both >= 0")

    @property
    def growth(self) -> Any:
        return 1 + self.theta * self.theta + self.nu * self.nu

    @property
    def probabilities(self) -> Array:
        A = 4 if self.nu and self.theta else 2
        return np.full(A, (0 * self.theta + 1) / A)

    def atoms(self, G: Array) -> Array:
        long, short = (1 + self.theta) * G, (1 - self.theta) * G
        if not self.nu:
            return np.stack([long, short], axis=-2)
        _need(G.shape[-1] == 2, f"FourAtoms turns in the plane (or nu = 0); here d = {G.shape[-1]}")
        turned = self.nu * np.stack([-G[..., 1], G[..., 0]], axis=-1)
        if not self.theta:
            return np.stack([G + turned, G - turned], axis=-2)
        return np.stack([long + turned, long - turned, short + turned, short - turned], axis=-2)

    def second(self, W: Array) -> Array:
        parallel = self.theta * self.theta * W
        return parallel + self.nu * self.nu * (TURN @ W @ TURN.T) if self.nu else parallel

    adjoint = second  # J' = -J, and the signs cancel


def TwoPoint(theta: Any) -> FourAtoms:
    """g = (1 +- theta) G, equally likely, any d: |g - G| = theta |G| surely, the norm test on every path."""
    return FourAtoms(theta, 0 * theta)


def Sideways(nu: Any) -> FourAtoms:
    """g = G +- nu J G, equally likely, d = 2: |g - G| = nu |G| and |g| = sqrt(1 + nu^2) |G| surely."""
    return FourAtoms(0 * nu, nu)


@dataclass(frozen=True)
class Lazy:
    """g = M G with probability 1/M, else 0: along = (M - 1)|G|^2, across = 0, any d.  M = growth.

    With alpha = 1/(L M) a step is gradient descent with 1/L, executed with probability 1/M: the mean over T
    steps is a binomial mixture of one deterministic sequence.
    """

    growth: Any
    constant = 0

    def __post_init__(self) -> None:
        _need(1 <= self.growth < math.inf, f"growth is {self.growth}; need 1 <= growth < inf")

    @property
    def probabilities(self) -> Array:
        return np.array([1 / self.growth, 1 - 1 / self.growth])

    def atoms(self, G: Array) -> Array:
        return np.stack([self.growth * G, 0 * G], axis=-2)

    def second(self, W: Array) -> Array:
        return (self.growth - 1) * W

    adjoint = second


@dataclass(frozen=True)
class Rare:
    """g = (1 +- eps/sqrt(chance)) G with probability chance/2 each, else G: E|e|^2 = eps^2 |G|^2, seldom and large.

    Any d, and the coordinate-wise norm test at eps with equality. Floats only.
    """

    eps: float
    chance: float = 0.01
    constant = 0

    def __post_init__(self) -> None:
        _need(0 <= self.eps < math.inf, f"eps is {self.eps}; give a finite number, at least 0")
        _need(0 < self.chance <= 1, f"chance is {self.chance}; give a probability above 0, at most 1")

    @property
    def growth(self) -> float:
        return 1 + self.eps * self.eps

    @property
    def probabilities(self) -> Array:
        return np.array([self.chance / 2, self.chance / 2, 1 - self.chance])

    def atoms(self, G: Array) -> Array:
        _need(G.dtype != object, "Rare needs a square root, which Fractions have not; use floats, or TwoPoint")
        spike = self.eps / math.sqrt(self.chance)
        return np.stack([(1 + spike) * G, (1 - spike) * G, G], axis=-2)

    def second(self, W: Array) -> Array:
        return self.eps * self.eps * W

    adjoint = second


def CantelliTight(theta: Any, times: Any = 1) -> Lazy:
    """g = (1 + t z) G, P(z = -1/t) = t^2/(1 + t^2), P(z = t) = 1/(1 + t^2), t^2 = times theta^2.

    Equality in Cantelli's inequality: P(<g, G> <= 0) = t^2/(1 + t^2). With times = 1 the inner-product test
    at theta holds with equality; times = 2 is the control, tight for twice the variance. The factors of G are
    exactly 1 + t^2 and 0, so the law is Lazy(1 + t^2).
    """
    _need(theta > 0 and times > 0, f"theta = {theta}, times = {times}; need both > 0")
    return Lazy(1 + times * theta * theta)


@dataclass(frozen=True)
class Along:
    """g = G +- sqrt(growth - 1)|G| w, equally likely, w = axis (d,): E[e e'] = (growth - 1) tr(W) w w'.

    The worst noise for function values: w along the curvature L while x lies along mu. Floats only.
    """

    axis: Any
    growth: float
    constant = 0
    probabilities = np.array([0.5, 0.5])

    def __post_init__(self) -> None:
        _need(1 <= self.growth < math.inf, f"growth is {self.growth}; need 1 <= growth < inf")
        _need(abs(dot(self._w, self._w) - 1) < 1e-12, f"axis is {self.axis}; give a vector of length 1")

    @property
    def _w(self) -> Array:
        return np.asarray(self.axis, dtype=float).reshape(-1)

    def atoms(self, G: Array) -> Array:
        _need(G.shape[-1] == len(self._w), f"axis has {len(self._w)} entries; here d = {G.shape[-1]}")
        _need(G.dtype != object, "Along needs the length |G|, no Fraction; use floats, or FourAtoms")
        e = (math.sqrt(self.growth - 1) * np.sqrt(dot(G, G)))[..., None] * self._w
        return np.stack([G + e, G - e], axis=-2)

    def second(self, W: Array) -> Array:
        energy = (self.growth - 1) * np.trace(W, axis1=-2, axis2=-1)
        return energy[..., None, None] * np.outer(self._w, self._w)

    def adjoint(self, S: Array) -> Array:
        return (self.growth - 1) * ((S @ self._w) @ self._w)[..., None, None] * np.eye(len(self._w))


@dataclass(frozen=True)
class Additive:
    """g = G + v_j with probability p_j, vectors (A, d) of mean zero: E[e e'] = sum p v v' everywhere."""

    vectors: Array
    probabilities: Array
    growth = math.inf

    def __post_init__(self) -> None:
        v, p = np.asarray(self.vectors), np.asarray(self.probabilities)
        object.__setattr__(self, "vectors", v)
        object.__setattr__(self, "probabilities", p)
        _need(v.ndim == 2 and p.shape == v.shape[:1], f"shapes {v.shape} and {p.shape}; need (A, d) and (A,)")
        _need((p >= 0).all() and abs(p.sum() - 1) <= 1e-12, f"probabilities {p}; need >= 0 and sum 1")
        _need(abs(p @ v).max() <= 1e-12 * abs(v).max(), f"the vectors have mean {p @ v}; it must be zero")

    @property
    def constant(self) -> Array:
        return (self.vectors.T * self.probabilities) @ self.vectors

    def atoms(self, G: Array) -> Array:
        _need(G.shape[-1] == self.vectors.shape[-1],
              f"the vectors have {self.vectors.shape[-1]} entries; here d = {G.shape[-1]}")
        return G[..., None, :] + self.vectors

    def second(self, W: Array) -> Array:
        return 0 * W + self.constant

    def adjoint(self, S: Array) -> Array:
        return 0 * S  # see `constant`


class Oracle:
    """`base` (dim, constants, gap, gradient, gap_error; itself noiseless) with iid samples of law `noise`."""

    population = math.inf

    def __init__(self, base: Any, noise: Any) -> None:
        self.base, self.noise = base, noise
        self.dim, self.constants, self.gap_error = base.dim, base.constants, base.gap_error
        self.gap, self.gradient = base.gap, base.gradient
        if hasattr(base, "check_start"):
            self.check_start = base.check_start
        noise.atoms(np.zeros((1, self.dim)))  # lengths are checked at the door

    def atoms(self, x: Array) -> tuple[Array, Array]:
        """All possible sample gradients (R, A, d) and their probabilities (A,), of the type of the points."""
        G = self.gradient(x)
        g, p = self.noise.atoms(G), self.noise.probabilities
        if G.dtype != object:
            return g.astype(float), p.astype(float)
        _need(all(isinstance(v, (Fraction, int)) for v in (*g.flat, *p)),
              f"points are Fractions and {self.noise} is not; give its parameters as Fractions too")
        return g, p

    def law(self, x: Array) -> Weighted:
        return exact_law(*self.atoms(x), math.inf)

    def draw(self, x: Array, n: Array, rng: Chance, batch: Batch | None = None) -> Batch:
        return draw_batch(*self.atoms(x), n, math.inf, rng, batch=batch)
