"""Indicators of closed convex sets: the regularisers h that are 0 on a set and inf outside (interface: prox.py).

The prox is the Euclidean projection, whatever alpha. Floats cannot lie on a sphere: what is within EDGE of the
boundary counts as on it, and what is within TOL of the set as inside, both relative to the size of the set, so
`bregman` is the value at the nearest point of the set. Box, Simplex and L1Ball need only + - * / and comparisons:
Fractions pass. Projections: standard (simplex: Held, Wolfe and Crowder 1974); Bregman forms: ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..moments import Array, dot

TOL = 1e-12
EDGE = 1e-14


def need(ok: Any, message: str) -> None:
    """ValueError(message) unless `ok`."""
    if not ok:
        raise ValueError(message)


def length(x: Array) -> Array:
    return np.sqrt(dot(x, x))


def clip(x: Array, low: Any, high: Any) -> Array:
    return np.minimum(np.maximum(x, low), high)  # unlike np.clip it passes Fractions beside infinite bounds


def exactly(v: Any, like: Array) -> Any:
    """A number or (d,) of them as Fractions where `like` holds Fractions; infinite entries stay floats."""
    if like.dtype != object or np.asarray(v).dtype == object:
        return v
    return np.vectorize(lambda t: Fraction(t) if math.isfinite(t) else t, otypes=[object])(v)


def _size(h: Any, name: str) -> None:
    value = getattr(h, name)
    need(np.ndim(value) == 0 and 0 < value < math.inf,
         f"{type(h).__name__}: {name} is {value}; give a finite number above 0")


def _inside(inside: Array, value: Any = 0.0) -> Array:
    """`value` inside the set, inf outside."""
    return np.where(inside, value, math.inf)


def onto_simplex(u: Array, total: Any) -> Array:
    """max(u - tau, 0) with sum `total`; u is first shifted by its maximum, so large u lose no digits."""
    need(u.shape[-1] > 0, "a simplex of dimension 0 is empty; points need at least one coordinate")
    below = u.max(-1, keepdims=True) - u
    ordered = np.sort(below, axis=-1)
    short = ordered.cumsum(-1) + total
    k = (ordered * np.arange(1, u.shape[-1] + 1) < short).sum(-1, keepdims=True)
    level = np.take_along_axis(short, k - 1, -1) / k
    return np.maximum(level - below, 0)


@dataclass(frozen=True, eq=False)
class Box:
    """Indicator of low <= x <= high, numbers or (d,), infinite ones allowed."""

    low: Any = -math.inf
    high: Any = math.inf
    convexity = 0.0

    def __post_init__(self) -> None:
        low, high = np.asarray(self.low), np.asarray(self.high)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        need(low.ndim < 2 and high.ndim < 2 and np.all((low <= high) & (low < math.inf) & (high > -math.inf)),
              f"Box: low = {low}, high = {high}; need low <= high in every coordinate, no NaN")

    @property
    def dim(self) -> int | None:
        return max((v.size for v in (self.low, self.high) if v.ndim), default=None)

    def value(self, x: Array) -> Array:
        return _inside(self.contains(x))

    def prox(self, u: Array, alpha: Any) -> Array:
        return clip(u, self.low, self.high)

    def contains(self, x: Array) -> Array:
        excess = np.maximum(self.low - x, x - self.high)
        return (excess <= TOL * (1 + np.abs(x))).all(-1)

    def subgradient(self, y: Array, s: Array) -> Array:
        at_high, at_low = y >= self.high, y <= self.low
        return np.where(at_high & at_low, s, np.where(at_high, np.maximum(s, 0), np.where(at_low, np.minimum(s, 0), 0)))

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        return _inside(self.contains(x), np.maximum(s * (y - x), 0).sum(-1))

    def distance(self, z: Array, drop: float) -> Array:
        return length(np.broadcast_to(self.high - self.low, z.shape).astype(float))


@dataclass(frozen=True)
class Simplex:
    """Indicator of x >= 0, sum x_i = total. prox: max(u - tau, 0), tau from sorted cumulative sums."""

    total: Any = 1
    dim, convexity = None, 0.0

    def __post_init__(self) -> None:
        _size(self, "total")

    def value(self, x: Array) -> Array:
        return _inside(self.contains(x))

    def prox(self, u: Array, alpha: Any) -> Array:
        return _onto_simplex(u, exactly(self.total, u))

    def contains(self, x: Array) -> Array:
        tol = TOL * float(self.total)
        return (x >= -tol).all(-1) & (np.abs(x.sum(-1) - exactly(self.total, x)) <= tol)

    def subgradient(self, y: Array, s: Array) -> Array:
        """s_i = t where y_i > 0, s_i <= t elsewhere; t is the mean over the support."""
        held = y > 0
        t = np.where(held, s, 0).sum(-1, keepdims=True) / held.sum(-1, keepdims=True)
        return np.where(held, t, np.minimum(s, t))

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        """sum x = total = sum y leaves sum_i (t - s_i) x_i, t = max s."""
        return _inside(self.contains(x), np.maximum((s.max(-1, keepdims=True) - s) * x, 0).sum(-1))

    def distance(self, z: Array, drop: float) -> Array:
        return np.full(z.shape[:-1], math.sqrt(2) * float(self.total))


@dataclass(frozen=True, eq=False)
class Ball:
    """Indicator of |x - center| <= radius (Euclidean). prox: center + z min(1, radius/|z|), z = u - center."""

    radius: float
    center: Any = 0.0
    convexity = 0.0

    def __post_init__(self) -> None:
        _size(self, "radius")
        object.__setattr__(self, "center", np.asarray(self.center, dtype=float))
        need(self.center.ndim < 2 and np.isfinite(self.center).all(),
              f"Ball: center is {self.center}; give a finite number or (d,) of them")

    @property
    def dim(self) -> int | None:
        return self.center.size if self.center.ndim else None

    def _slack(self, x: Array) -> tuple[Array, Array]:
        """radius - |x - center|, 0 at the edge, and the size that rounding goes by."""
        scale = self.radius + np.max(np.abs(self.center))
        slack = self.radius - length(x - self.center)
        return np.where(np.abs(slack) <= EDGE * scale, 0.0, slack), scale

    def value(self, x: Array) -> Array:
        return _inside(self.contains(x))

    def prox(self, u: Array, alpha: Any) -> Array:
        z = u - self.center
        length = length(z)[..., None]
        return np.where(length <= self.radius, u, self.center + z * (self.radius / np.maximum(length, self.radius)))

    def contains(self, x: Array) -> Array:
        slack, scale = self._slack(x)
        return slack >= -TOL * scale

    def subgradient(self, y: Array, s: Array) -> Array:
        z = y - self.center
        outward = np.where(self._slack(y)[0] > 0, 0.0, np.maximum(dot(s, z), 0.0)) / self.radius**2
        return outward[..., None] * z

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        """s = c (y - center), |y - center| = r leave c (|x - y|^2 + r^2 - |x - center|^2)/2."""
        slack, z = np.maximum(self._slack(x)[0], 0.0), x - y
        twice = dot(z, z) + slack * (2 * self.radius - slack)
        return _inside(self.contains(x), length(s) / self.radius * twice / 2)

    def distance(self, z: Array, drop: float) -> Array:
        return np.full(z.shape[:-1], 2.0 * self.radius)


@dataclass(frozen=True)
class L1Ball:
    """Indicator of sum_i |x_i| <= radius. prox: |u| onto the simplex, with the signs of u."""

    radius: Any
    dim, convexity = None, 0.0

    def __post_init__(self) -> None:
        _size(self, "radius")

    def _slack(self, x: Array) -> Array:
        slack = exactly(self.radius, x) - np.abs(x).sum(-1)
        return np.where(np.abs(slack) <= EDGE * self.radius, 0, slack)

    def value(self, x: Array) -> Array:
        return _inside(self.contains(x))

    def prox(self, u: Array, alpha: Any) -> Array:
        size = np.abs(u)
        inside = size.sum(-1, keepdims=True) <= exactly(self.radius, u)
        p = _onto_simplex(size, exactly(self.radius, u))
        return np.where(inside, u, np.where(u < 0, -p, p))

    def contains(self, x: Array) -> Array:
        return self._slack(x) >= -TOL * self.radius

    def subgradient(self, y: Array, s: Array) -> Array:
        """On the boundary s = c z, z in d|y|_1; c is the mean of s_i sign(y_i) over the support."""
        held, sign = y != 0, np.where(y < 0, -1, 1)
        c = np.where(held, s * sign, 0).sum(-1, keepdims=True) / np.maximum(held.sum(-1, keepdims=True), 1)
        c = np.where(self._slack(y)[..., None] > 0, 0, np.maximum(c, 0))
        return np.where(held, c * sign, clip(s, -c, c))

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        """With c = max |s_i|, <s, y> = c radius: c (radius - |x|_1) + sum_i c |x_i| - s_i x_i."""
        c = np.abs(s).max(-1, keepdims=True)
        terms = np.maximum(c * np.abs(x) - s * x, 0).sum(-1)
        return _inside(self.contains(x), terms + c[..., 0] * np.maximum(self._slack(x), 0))

    def distance(self, z: Array, drop: float) -> Array:
        return np.full(z.shape[:-1], 2.0 * float(self.radius))
