"""Composite problems phi = f + h: f smooth and convex, h with a cheap prox. Batches sample f only.

A minimiser is found once, by accelerated proximal gradient steps and semismooth Newton steps, and certified: with
r = grad f(x*) + s, s in dh(x*), phi(x*) - min phi <= |r|^2/(2 mu), or |r| times a bound on the distance if mu = 0.
Certificates: ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..moments import Array, dot
from .base import Batch, Chance, Constants
from .crosscheck import cross_check
from .prox import Nothing, Regulariser
from .quadratic import Quadratic, apply
from .regression import LeastSquares, LogisticRegression
from .rows import whole_data
from .sets import norm
from .softplus import Divergence

__all__ = ["Composite", "bregman", "bregman_at", "cross_check"]

ROUNDS = 11  # 50, 100, ..., 51200 accelerated steps, each round followed by Newton steps
NEWTON = 400  # largest dimension for them: they difference the step in every coordinate
LOST = 1e-15  # relative rounding of a gradient


def bregman_at(smooth: Any, y: Array) -> Callable[[Array], Array]:
    """x -> f(x) - f(y) - <grad f(y), x - y>, (R,), in a form that does not cancel; y (d,)."""
    if hasattr(smooth, "bregman"):
        return lambda x: smooth.bregman(x, y)
    if hasattr(smooth, "base"):  # an Oracle: noise around a smooth function
        return bregman_at(smooth.base, y)
    if isinstance(smooth, Quadratic):
        return lambda x: dot(x - y, apply(smooth.hessian, x - y)) / 2
    if isinstance(smooth, LeastSquares):
        return lambda x: norm((x - y) @ smooth._triangle[0].T) ** 2 / 2
    if isinstance(smooth, LogisticRegression):
        return _logistic(smooth, Divergence(smooth.data.A @ y), y)
    raise TypeError(f"no Bregman divergence is known for {type(smooth).__name__}; give it a method bregman(x, y) = "
                    "f(x) - f(y) - <grad f(y), x - y> that does not cancel")


def _logistic(smooth: LogisticRegression, divergence: Divergence, y: Array) -> Callable[[Array], Array]:
    def value(x: Array) -> Array:
        z, out = x - y, np.empty(len(x))
        for r, rows in whole_data(smooth.data, len(x)):
            out[r] = divergence(rows.project(z[r]))
        return out / smooth.size + smooth.ridge * dot(z, z) / 2
    return value


def bregman(smooth: Any, x: Array, y: Array) -> Array:
    """f(x) - f(y) - <grad f(y), x - y>, (R,); x (R, d), y (d,)."""
    return bregman_at(smooth, y)(x)


class Optimum(NamedTuple):
    """The minimiser, s in dh there, r = grad f + s, and x -> the Bregman divergence of f from it."""

    x: Array
    s: Array
    r: Array
    divergence: Callable[[Array], Array]


class Composite:
    """phi = f + h. gap(x) = D_f(x, x*) + D_h(x, x*; s) + <r, x - x*>, Bregman divergences; inf outside the domain.

    `constants` has L and mu of f, the minimiser of phi and |r|; `gap_error` bounds phi(x*) - min phi, rounding of r
    included. `law`, `draw`, `atoms` are those of f. A known `minimiser` (d,) is checked, not computed; with
    Fractions give it, and everything but the certificate stays exact. With h = 0 all numbers are those of f.
    """

    size: int
    population: float
    probabilities: Array
    atoms: Callable[[Array], tuple[Array, Array]]
    gradient: Callable[[Array], Array]
    law: Callable[[Array], Any]
    draw: Callable[[Array, Array, Chance], Batch]

    def __init__(self, smooth: Any, h: Regulariser, minimiser: Any = None) -> None:
        if h.dim not in (None, smooth.dim):
            raise ValueError(f"{type(h).__name__} acts on {h.dim} coordinates and the smooth part on {smooth.dim}; "
                             "they must agree")
        self.smooth, self.h, self.dim = smooth, h, smooth.dim
        self._given = None if minimiser is None else np.asarray(minimiser)
        if self._given is not None and self._given.shape != (self.dim,):
            raise ValueError(f"minimiser has shape {self._given.shape}; this problem needs ({self.dim},)")
        for name in ("gradient", "law", "draw", "population", "atoms", "probabilities", "size"):
            if hasattr(smooth, name):  # a noiseless base has no law, a continuous one no atoms
                setattr(self, name, getattr(smooth, name))

    def check_start(self, x0: Array) -> None:
        """ValueError unless h is finite at every row of x0, (d,) or (R, d)."""
        x = np.atleast_2d(np.asarray(x0))
        outside = np.flatnonzero(~self.h.contains(x))
        if outside.size:
            row = x[outside[0]]
            raise ValueError(f"the start {_short(row)} lies outside the domain of {type(self.h).__name__}; start "
                             f"inside, for example at its projection {_short(self.h.prox(row, 1))}")

    @cached_property
    def alpha(self) -> float:
        """1/L, the step of certificates."""
        L, mu = self.smooth.constants.L, self.smooth.constants.mu
        if not (L < math.inf and mu >= 0):
            raise ValueError(f"the smooth part has L = {L}, mu = {mu}; a composite problem needs it convex (mu >= 0) "
                             "with a finite L")
        return 1 / L if L > 0 else 1.0

    def slope(self, x: Array) -> Array:
        """grad f, as floats."""
        return np.asarray(self.smooth.gradient(x), dtype=float)

    def step(self, x: Array) -> Array:
        """prox(x - alpha grad f(x)), alpha = 1/L."""
        return self.h.prox(x - self.alpha * self.slope(x), self.alpha)

    def remainder(self, x: Array) -> tuple[Array, Array]:
        """z = step(x) and |w|, w = (x - z)/alpha - grad f(x) + grad f(z): a subgradient of phi at z."""
        z = self.step(x)
        return z, norm((x - z) / self.alpha - self.slope(x) + self.slope(z))

    def certificate(self, x: Array) -> Array:
        """Bound on phi(z) - min phi, z = step(x): |w|^2/(2 mu), or |w| |z - x*| if mu = 0; (R,)."""
        return self._bound(*self.remainder(np.asarray(x, dtype=float)))

    def _bound(self, z: Array, w: Array) -> Array:
        """phi(z) - min phi, given the length w of a subgradient of phi at z."""
        mu = self.smooth.constants.mu + self.h.convexity
        far = self.h.distance(z, math.inf)
        if not mu > 0 and np.isinf(far).any() and not isinstance(self.h, Nothing):
            far = self.h.distance(z, float(self.smooth.gap(np.zeros((1, self.dim)))[0]))  # phi(x*) <= phi(0)
        bound = np.where(w > 0, np.maximum(w, 1e-300) * far, 0.0)
        return np.minimum(bound, w * w / (2 * mu)) if mu > 0 else bound

    def scale(self, x: Array) -> float:
        """|grad f(x)| + L |x|, which the rounding of a gradient goes by."""
        return float(norm(self.slope(x[None]))[0]) + self.smooth.constants.L * _float_norm(x)

    @cached_property
    def _optimum(self) -> Optimum:
        x = _solve(self) if self._given is None else self._given
        G = self.smooth.gradient(x[None])[0]
        s = self.h.subgradient(x, -G)
        left = _float_norm(G + s)
        if not (self.h.contains(x) and left <= 1e-6 * self.scale(x)):
            raise ValueError(f"{_short(x)} is no minimiser: |grad f + s| = {left:.3g}, s in dh; if it was not given, "
                             "f is badly conditioned or phi has no minimiser: give minimiser=, or add a ridge")
        return Optimum(x, s, G + s, bregman_at(self.smooth, x))

    @cached_property
    def constants(self) -> Constants:
        f = self.smooth.constants
        if isinstance(self.h, Nothing):
            return f
        return Constants(f.L, f.mu, self._optimum.x, _float_norm(self._optimum.r))

    @cached_property
    def gap_error(self) -> float:
        if isinstance(self.h, Nothing):
            return self.smooth.gap_error
        o = self._optimum
        rounding = 0.0 if o.r.dtype == object else LOST * self.scale(o.x)
        return float(self._bound(np.asarray(o.x, dtype=float)[None], np.array([_float_norm(o.r) + rounding]))[0])

    def gap(self, x: Array) -> Array:
        if isinstance(self.h, Nothing):
            return self.smooth.gap(x)
        o = self._optimum
        return np.maximum(o.divergence(x) + self.h.bregman(x, o.x, o.s) + (o.r * (x - o.x)).sum(-1), 0)


def _float_norm(v: Array) -> float:
    return float(np.linalg.norm(np.asarray(v, dtype=float)))


def _short(v: Array) -> str:
    shown = ", ".join(f"{float(t):.6g}" for t in v[:4])
    return f"({shown}{', ...' if len(v) > 4 else ''})"


def _solve(problem: Composite) -> Array:
    """A minimiser of phi, (d,), to rounding: accelerated steps find the active set, Newton steps the last digits."""
    best, least = problem.remainder(np.zeros((1, problem.dim)))
    for k in range(ROUNDS):
        z, w = problem.remainder(_accelerated(problem.step, best, 50 * 2**k))
        z, w = _newton(problem, z, w) if problem.dim <= NEWTON else (z, w)
        rounding = LOST * problem.scale(z[0])
        done = w > least / 2 and least <= 1e3 * rounding
        if w < least:
            best, least = z, w
        if done or least <= rounding:
            break
    return best[0]


def _accelerated(step: Callable[[Array], Array], x: Array, steps: int) -> Array:
    """Beck and Teboulle (2009), restarted when momentum points backwards: O'Donoghue and Candes (2015)."""
    y, t = x, 1.0
    for _ in range(steps):
        after = step(y)
        t = 1.0 if ((y - after) * (after - x)).sum() > 0 else t
        later = (1 + math.sqrt(1 + 4 * t * t)) / 2
        y, x, t = after + (t - 1) / later * (after - x), after, later
    return x


def _newton(problem: Composite, z: Array, w: Array) -> tuple[Array, Array]:
    """Semismooth Newton steps on x = step(x) while they shorten w; the Jacobian by central differences."""
    eye = np.eye(problem.dim)
    for _ in range(20):
        size = np.abs(z).max() + problem.alpha * np.abs(problem.slope(z)).max()
        move = 1e-6 * (size or 1.0) * eye
        jacobian = (problem.step(z + move) - problem.step(z - move)) / (2 * move[0, 0])  # row i: in direction i
        change = np.linalg.lstsq((eye - jacobian).T, (problem.step(z) - z)[0], rcond=1e-9)[0]
        after, shorter = problem.remainder(problem.step(z + change))  # w is judged at a point of the domain
        if not shorter < w:
            break
        z, w = after, shorter
    return z, w
