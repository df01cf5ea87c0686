"""Noise of constant variance whose batch means are known in law for every real n > 0, around any noiseless base.

A batch of n is G + e with E e = 0, E|e|^2 = variance / n. The Gaussian, exponential and variance-gamma laws are
infinitely divisible, so for whole n the batch is the mean of n independent samples and for real n the law between.
Only means are drawn: a test that estimates a variance cannot be used, one that knows it can (`KnownVariance`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..moments import Array, Spread, dot
from .base import Batch, Chance, Every, need_generator


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}; it must be a finite number above 0")


@dataclass(frozen=True)
class Gaussian:
    """Independent normal entries."""

    def __call__(self, n: Array, d: int, rng: np.random.Generator) -> Array:
        return rng.standard_normal((len(n), d)) / np.sqrt(n)[:, None]


@dataclass(frozen=True)
class Exponential:
    """Independent entries, each an exponential variable less its mean: skewness 2/sqrt(n)."""

    def __call__(self, n: Array, d: int, rng: np.random.Generator) -> Array:
        shape = n[:, None]
        return rng.standard_gamma(np.broadcast_to(shape, (len(n), d))) / shape - 1


@dataclass(frozen=True)
class VarianceGamma:
    """A normal vector with one common Gamma(shape) variance: elliptical, kurtosis 3 + 3/(n shape) along every axis."""

    shape: float

    def __post_init__(self) -> None:
        _positive(shape=self.shape)

    def __call__(self, n: Array, d: int, rng: np.random.Generator) -> Array:
        common = rng.standard_gamma(self.shape * n) / self.shape
        return (np.sqrt(common) / n)[:, None] * rng.standard_normal((len(n), d))


class Stream:
    """`base` with additive noise of total variance `variance`, isotropic, or along `axis` (d,) only (rank one)."""

    population = math.inf

    def __init__(self, base: Any, variance: float, law: Any = Gaussian(), axis: Any = None) -> None:
        _positive(variance=variance)
        self.base, self.variance, self.noise = base, float(variance), law
        self.dim, self.constants, self.gap_error = base.dim, base.constants, base.gap_error
        self.gap, self.gradient = base.gap, base.gradient
        self.axis = None if axis is None else np.asarray(axis, dtype=float)
        if self.axis is not None and not (self.axis.shape == (self.dim,) and abs(dot(self.axis,
                                                                                     self.axis) - 1) < 1e-12):
            raise ValueError(f"axis is {axis}; give a vector of length 1 with {self.dim} entries")

    def law(self, x: Array) -> Spread:
        cov = self.variance / self.dim if self.axis is None else self.variance * np.outer(self.axis, self.axis)
        return Spread(self.gradient(x), cov)

    def draw(self, x: Array, n: Array, rng: Chance) -> Batch:
        chance, n = need_generator(rng, "a continuous law"), _sizes(n)
        if self.axis is None:
            e = self.noise(n, self.dim, chance) * math.sqrt(self.variance / self.dim)
        else:
            e = self.noise(n, 1, chance) * math.sqrt(self.variance) * self.axis
        return Batch(MeanOnly(self.gradient(x) + e, n), n)


class Tangent:
    """Noise +-sqrt(variance/n) across the gradient, in the plane: |g|^2 = |G|^2 + variance/n surely.

    On an isotropic quadratic |x_k| and |g_k| are then the same on every path: the limit d -> infinity of isotropic
    noise, exactly. With EVERY both signs; real n. Where G = 0 the noise lies along the first axis. Ours.
    """

    population, dim = math.inf, 2

    def __init__(self, base: Any, variance: float) -> None:
        _positive(variance=variance)
        if base.dim != 2:
            raise ValueError(f"Tangent turns in the plane; this base has d = {base.dim}")
        self.base, self.variance = base, float(variance)
        self.constants, self.gap_error = base.constants, base.gap_error
        self.gap, self.gradient = base.gap, base.gradient

    def _across(self, G: Array) -> Array:
        length = np.sqrt(dot(G, G))[:, None]
        turned = np.stack([-G[:, 1], G[:, 0]], axis=1)
        return np.where(length > 0, turned / np.where(length > 0, length, 1), [1.0, 0.0])

    def law(self, x: Array) -> Spread:
        G = self.gradient(x)
        w = self._across(G)
        return Spread(G, self.variance * w[:, :, None] * w[:, None, :])

    def draw(self, x: Array, n: Array, rng: Chance) -> Batch:
        n, G = _sizes(n), self.gradient(x)
        e = np.sqrt(self.variance / n)[:, None] * self._across(G)
        if not isinstance(rng, Every):
            return Batch(MeanOnly(G + e * rng.choice([-1.0, 1.0], size=len(n))[:, None], n), n)
        parent, both = np.repeat(np.arange(len(n)), 2), np.tile([1.0, -1.0], len(n))
        return Batch(MeanOnly(G[parent] + both[:, None] * e[parent], n[parent]), n[parent], parent,
                     np.full(len(parent), 0.5))


def _sizes(n: Array) -> Array:
    n = np.asarray(n, dtype=float)
    if not (n > 0).all():
        raise ValueError(f"a batch of {n.min():g} samples was asked for; sizes must be above 0")
    return n


class MeanOnly:
    """Moments of a batch of which only the mean was drawn."""

    population = math.inf

    def __init__(self, mean: Array, n: Array) -> None:
        self.mean, self.n, self.dof = mean, n, 0 * n
        self.signal = dot(mean, mean)

    @property
    def total(self) -> Array:
        raise ValueError("this law draws batch means only, no spread: use a test that knows it, KnownVariance(test, "
                         "total)")

    along = variances = total
