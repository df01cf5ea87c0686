"""Continuous noise around any noiseless problem; the finite laws are in oracles.py.

With G = grad F(x) and e = g - G, each law has uncorrelated coordinates and states for ONE sample

    deviation(G)      standard deviations of e, (R, d), or (R, 1) if equal         growth    sup E|g|^2 / |G|^2
    batch(G, n, rng)  the moments of a batch of n[r] samples at every point

Relative laws of size eps meet the norm test at eps with equality at n = 1, and at eps/sqrt(n) with n samples. Ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..moments import Array, divide, dot
from .base import Batch, Chance, least_size, need_generator
from .nonconvex import SampledBatch, ragged
from .quadratic import bartlett


def _check(name: str, value: Any) -> None:
    if not (isinstance(value, (int, float, np.number)) and 0 <= value < math.inf):
        raise ValueError(f"{name} is {value}; give a finite number, at least 0")


def _length(G: Array) -> Array:
    return np.sqrt(dot(G, G))[:, None]


def _equal(size: Array, d: int) -> Array:
    """Deviation of each of d equal coordinates of an error whose mean square is size^2."""
    return size / math.sqrt(d)


@dataclass(frozen=True)
class _Relative:
    """What laws of relative size share: E|e|^2 = eps^2 |G|^2."""

    eps: float

    def __post_init__(self) -> None:
        _check("eps", self.eps)

    @property
    def growth(self) -> float:
        return 1 + self.eps * self.eps


class _Normal:
    """What Gaussian laws share: a batch of any size is one draw."""

    deviation: Callable[[Array], Array]

    def batch(self, G: Array, n: Array, rng: np.random.Generator) -> GaussianSample:
        return gaussian_batch(G, self.deviation(G), n, rng)


@dataclass(frozen=True)
class Gaussian(_Normal, _Relative):
    """e ~ N(0, eps^2 |G|^2 I/d): E|e|^2 = eps^2 |G|^2."""

    def deviation(self, G: Array) -> Array:
        return _equal(self.eps * _length(G), G.shape[-1])


@dataclass(frozen=True)
class CoordinateGaussian(_Normal, _Relative):
    """e_i ~ N(0, eps^2 G_i^2), independent: the coordinate-wise norm test at eps with equality in each coordinate."""

    def deviation(self, G: Array) -> Array:
        return self.eps * np.abs(G)


@dataclass(frozen=True)
class AdditiveGaussian(_Normal):
    """e ~ N(0, sigma^2 I/d) everywhere: E|e|^2 = sigma^2, so no growth constant."""

    sigma: float
    growth = math.inf

    def __post_init__(self) -> None:
        _check("sigma", self.sigma)

    def deviation(self, G: Array) -> Array:
        return _equal(np.full((len(G), 1), self.sigma), G.shape[-1])


@dataclass(frozen=True)
class Sphere(_Relative):
    """e = eps |G| u, u uniform on the unit sphere: |g - G| = eps |G| surely at n = 1, on every path.

    The mean of more samples lies inside the ball; it has no short description, so every sample is drawn.
    """

    def deviation(self, G: Array) -> Array:
        return _equal(self.eps * _length(G), G.shape[-1])

    def batch(self, G: Array, n: Array, rng: np.random.Generator) -> Any:
        radius, d = self.eps * _length(G), G.shape[-1]
        if (n == 1).all():
            return GaussianSample(G + radius * _directions(len(G), d, rng), 0 * radius, n, rng)  # spreads: inf
        u, cov = ragged(n, lambda m: _directions(m, d, rng))
        return SampledBatch(G + radius * u, (radius * radius)[..., None] * cov, n)


def _directions(m: int, d: int, rng: np.random.Generator) -> Array:
    z = rng.standard_normal((m, d))
    return z / np.sqrt(dot(z, z))[:, None]


class Uncorrelated:
    """Moments of a law with mean (R, d) and uncorrelated coordinates of standard deviations (R, d) or (R, 1)."""

    population = math.inf

    def __init__(self, mean: Array, deviation: Array, direction: Array | None = None) -> None:
        self.mean, self._deviation = mean, deviation
        self.direction = mean if direction is None else direction
        self.n = self.dof = np.full(len(mean), math.inf)

    def toward(self, direction: Array) -> Uncorrelated:
        """The same law, compared with another direction (R, d)."""
        return Uncorrelated(self.mean, self._deviation, direction)

    @cached_property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

    @cached_property
    def variances(self) -> Array:
        return np.broadcast_to(self._deviation**2, self.mean.shape)

    @cached_property
    def total(self) -> Array:
        return self.variances.sum(-1)

    @cached_property
    def along(self) -> Array:
        return np.where(self.signal > 0, divide(dot(self.variances, self.direction**2), self.signal, 0.0), self.total)


def gaussian_batch(G: Array, deviation: Array, n: Array, rng: np.random.Generator) -> GaussianSample:
    """The mean of n[r] independent samples N(G, diag deviation^2) is one Gaussian draw, whatever n."""
    e = rng.standard_normal(G.shape)
    e *= deviation / np.sqrt(n)[:, None]
    e += G
    return GaussianSample(e, deviation, n, rng)


class GaussianSample:
    """Sample moments of n Gaussian gradients, deviations (R, d) or (R, 1); their scatter is drawn when first read."""

    population = math.inf

    def __init__(self, mean: Array, deviation: Array, n: Array, rng: np.random.Generator) -> None:
        self.mean, self.n, self._deviation, self._rng = mean, n, deviation, rng
        self._direction: Array | None = None

    def toward(self, direction: Array) -> GaussianSample:
        """The same batch, compared with another direction (R, d), itself a function of batch means."""
        other = GaussianSample(self.mean, self._deviation, self.n, self._rng)
        other._direction, other.__dict__["_root"] = direction, self._root
        return other

    @property
    def dof(self) -> Array:
        return self.n - 1

    @property
    def direction(self) -> Array:
        return self.mean if self._direction is None else self._direction

    @property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

    @cached_property
    def _root(self) -> Array:
        """(R, d, d), its square over dof is the sample covariance."""
        return self._deviation[..., None] * bartlett(self.dof, self.mean.shape[-1], self._rng)

    def _known(self, squares: Array) -> Array:
        """Sums of squares over dof, inf where a single sample shows no spread."""
        return divide(squares, self.dof.reshape(-1, *[1] * (squares.ndim - 1)), math.inf)

    @cached_property
    def variances(self) -> Array:
        return self._known((self._root**2).sum(-1))

    @cached_property
    def total(self) -> Array:
        return self.variances.sum(-1)

    @cached_property
    def along(self) -> Array:
        image = (self.direction[:, None, :] @ self._root)[:, 0, :]
        known = self._known(divide(dot(image, image), self.signal, 0.0))
        return np.where(self.signal > 0, known, self.total)


class ContinuousOracle:
    """`base` (dim, constants, gap, gradient, gap_error; itself noiseless) with iid samples of a law of this module."""

    population = math.inf

    def __init__(self, base: Any, noise: Any) -> None:
        if not hasattr(noise, "deviation"):
            raise ValueError(f"noise is {noise!r}, which has no `deviation`; finite laws go with Oracle(base, noise)")
        self.base, self.noise = base, noise
        self.dim, self.constants, self.gap_error = base.dim, base.constants, base.gap_error
        self.gap, self.gradient = base.gap, base.gradient
        if hasattr(base, "check_start"):
            self.check_start = base.check_start

    def law(self, x: Array) -> Uncorrelated:
        G = self.gradient(x)
        return Uncorrelated(G, self.noise.deviation(G))

    def draw(self, x: Array, n: Array, rng: Chance) -> Batch:
        chance, n = need_generator(rng, "continuous noise"), least_size(n)
        return Batch(self.noise.batch(self.gradient(x), n, chance), n)
