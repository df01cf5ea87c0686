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


def norm(x: Array) -> Array:
    """Euclidean length over the last axis."""
    return np.sqrt(dot(x, x))


def alike(v: Any, like: Array) -> Any:
    """A number or (d,) of them in the arithmetic of `like`: floats, or Fractions (infinite entries stay floats)."""
    rational = np.asarray(v).dtype == object
    if like.dtype != object:
        return np.asarray(v, dtype=float) if rational else v
    return v if rational else np.vectorize(lambda t: Fraction(t) if math.isfinite(t) else t, otypes=[object])(v)


def vector(h: Any, name: str) -> Array:
    """Field `name` of h as an array; a list there is replaced by an array, a number is kept."""
    value = np.asarray(getattr(h, name))
    if value.ndim:
        object.__setattr__(h, name, value)
    return value


def common_dim(*values: Any) -> int | None:
    """Length of those that are (d,), None if all are numbers."""
    lengths = {len(v) for v in values if np.ndim(v)}
    need(len(lengths) < 2, f"the parameters of h have lengths {sorted(lengths)}; need numbers, or one length")
    return lengths.pop() if lengths else None


def _above_zero(h: Any, name: str) -> None:
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
    ordered *= np.arange(1, u.shape[-1] + 1)
    k = (ordered < short).sum(-1, keepdims=True)
    inside = np.take_along_axis(short, k - 1, -1) / k - below
    return np.maximum(inside, 0, out=inside)  # in place, here and below: new pages cost more than arithmetic


@dataclass(frozen=True, eq=False)
class Box:
    """Indicator of low <= x <= high, numbers or (d,), infinite ones allowed; membership up to TOL (1 + |x_i|)."""

    low: Any = -math.inf
    high: Any = math.inf
    convexity = 0.0

    def __post_init__(self) -> None:
        low, high, _ = vector(self, "low"), vector(self, "high"), self.dim
        need(low.ndim < 2 and high.ndim < 2 and np.all((low <= high) & (low < math.inf) & (high > -math.inf)),
              f"Box: low = {low}, high = {high}; need low <= high in every coordinate, no NaN")

    @property
    def dim(self) -> int | None:
        return common_dim(self.low, self.high)

    def value(self, x: Array) -> Array:
        return _inside(self.contains(x))

    def prox(self, u: Array, alpha: Any) -> Array:
        return np.clip(u, alike(self.low, u), alike(self.high, u))

    def contains(self, x: Array) -> Array:
        excess = np.maximum(self.low - x, x - self.high)
        return (excess <= TOL * (1 + np.abs(x))).all(-1)

    def subgradient(self, y: Array, s: Array) -> Array:
        at_high, at_low = y >= self.high, y <= self.low
        return np.where(at_high & at_low, s, np.where(at_high, np.maximum(s, 0), np.where(at_low, np.minimum(s, 0), 0)))

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        return _inside(self.contains(x), np.maximum(s * (y - x), 0).sum(-1))

    def distance(self, z: Array, drop: float) -> Array:
        return norm(np.broadcast_to(self.high - self.low, z.shape).astype(float))


@dataclass(frozen=True)
class Simplex:
    """Indicator of x >= 0, sum x_i = total. prox: max(u - tau, 0), tau from sorted cumulative sums."""

    total: Any = 1
    dim, convexity = None, 0.0

    def __post_init__(self) -> None:
        _above_zero(self, "total")

    def value(self, x: Array) -> Array:
        return _inside(self.contains(x))

    def prox(self, u: Array, alpha: Any) -> Array:
        return onto_simplex(u, alike(self.total, u))

    def contains(self, x: Array) -> Array:
        tol = TOL * float(self.total)
        return (x >= -tol).all(-1) & (np.abs(x.sum(-1) - alike(self.total, x)) <= tol)

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
        _above_zero(self, "radius")
        center = vector(self, "center")
        need(center.ndim < 2 and np.isfinite(center).all(),
              f"Ball: center is {self.center}; give a finite number or (d,) of them")

    @property
    def dim(self) -> int | None:
        return common_dim(self.center)

    @property
    def _size(self) -> float:
        return float(self.radius + np.max(np.abs(self.center)))  # what rounding goes by

    def _slack(self, x: Array) -> Array:
        slack = self.radius - norm(x - self.center)
        return np.where(np.abs(slack) <= EDGE * self._size, 0.0, slack)

    def value(self, x: Array) -> Array:
        return _inside(self.contains(x))

    def prox(self, u: Array, alpha: Any) -> Array:
        z = u - self.center
        size = norm(z)[..., None]
        z = z * (self.radius / np.maximum(size, self.radius))
        z += self.center
        np.copyto(z, u, where=size <= self.radius)
        return z

    def contains(self, x: Array) -> Array:
        return self._slack(x) >= -TOL * self._size

    def subgradient(self, y: Array, s: Array) -> Array:
        z = y - self.center
        outward = np.where(self._slack(y) > 0, 0.0, np.maximum(dot(s, z), 0.0)) / self.radius**2
        return outward[..., None] * z

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        """s = c (y - center), |y - center| = r leave c (|x - y|^2 + r^2 - |x - center|^2)/2."""
        slack, z = np.maximum(self._slack(x), 0.0), x - y
        twice = dot(z, z) + slack * (2 * self.radius - slack)
        return _inside(self.contains(x), norm(s) / self.radius * twice / 2)

    def distance(self, z: Array, drop: float) -> Array:
        return np.full(z.shape[:-1], 2.0 * self.radius)


@dataclass(frozen=True)
class L1Ball:
    """Indicator of sum_i |x_i| <= radius. prox: |u| onto the simplex, with the signs of u."""

    radius: Any
    dim, convexity = None, 0.0

    def __post_init__(self) -> None:
        _above_zero(self, "radius")

    def _slack(self, x: Array) -> Array:
        slack = alike(self.radius, x) - np.abs(x).sum(-1)
        return np.where(np.abs(slack) <= EDGE * self.radius, 0, slack)

    def value(self, x: Array) -> Array:
        return _inside(self.contains(x))

    def prox(self, u: Array, alpha: Any) -> Array:
        size = np.abs(u)
        inside = size.sum(-1, keepdims=True) <= alike(self.radius, u)
        p = onto_simplex(size, alike(self.radius, u))
        return np.where(inside, u, np.where(u < 0, -p, p))

    def contains(self, x: Array) -> Array:
        return self._slack(x) >= -TOL * self.radius

    def subgradient(self, y: Array, s: Array) -> Array:
        """On the boundary s = c z, z in d|y|_1; c is the mean of s_i sign(y_i) over the support."""
        held, sign = y != 0, np.where(y < 0, -1, 1)
        c = np.where(held, s * sign, 0).sum(-1, keepdims=True) / np.maximum(held.sum(-1, keepdims=True), 1)
        c = np.where(self._slack(y)[..., None] > 0, 0, np.maximum(c, 0))
        return np.where(held, c * sign, np.clip(s, -c, c))

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        """With c = max |s_i|, <s, y> = c radius: c (radius - |x|_1) + sum_i c |x_i| - s_i x_i."""
        c = np.abs(s).max(-1, keepdims=True)
        terms = np.maximum(c * np.abs(x) - s * x, 0).sum(-1)
        return _inside(self.contains(x), terms + c[..., 0] * np.maximum(self._slack(x), 0))

    def distance(self, z: Array, drop: float) -> Array:
        return np.full(z.shape[:-1], 2.0 * float(self.radius))
