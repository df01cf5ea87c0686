"""Closed convex h with a cheap proximal operator: penalties here, indicators of sets in sets.py.

Points are (..., d). What every h offers (y and s may be one point (d,) or one a row):

    value(x)           h(x); inf outside a set
    prox(u, alpha)     argmin_z h(z) + |z - u|^2/(2 alpha), alpha a number or (..., 1)
    contains(x)        is h(x) finite?
    subgradient(y, s)  an element of dh(y); s itself, up to rounding, if s is one
    bregman(x, y, s)   h(x) - h(y) - <s, x - y> >= 0 for s in dh(y), as a sum of terms >= 0: nothing cancels
    distance(z, drop)  at least |z - x*|, x* a minimiser of f + h, for every f with f(0) - min f <= drop
    dim, convexity     length of x (None: any), modulus of strong convexity

Proximal operators: standard (Parikh and Boyd 2014); Bregman forms: ours. L1 and ElasticNet need only + - * / and
comparisons: Fractions pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ..moments import Array
from .sets import EDGE, Ball, Box, L1Ball, Simplex, alike, common_dim, need, norm, vector

__all__ = ["L1", "Ball", "Box", "ElasticNet", "L1Ball", "Nothing", "Nuclear", "Regulariser", "Simplex"]


class Regulariser(Protocol):
    """The interface above."""

    @property
    def dim(self) -> int | None: ...
    @property
    def convexity(self) -> float: ...
    def value(self, x: Array) -> Array: ...
    def prox(self, u: Array, alpha: Any) -> Array: ...
    def contains(self, x: Array) -> Array: ...
    def subgradient(self, y: Array, s: Array) -> Array: ...
    def bregman(self, x: Array, y: Array, s: Array) -> Array: ...
    def distance(self, z: Array, drop: float) -> Array: ...


def _weights(h: Any, name: str) -> None:
    """Field `name` of h: a finite number or (d,) of them, all >= 0."""
    value = vector(h, name)
    need(value.dtype.kind in "biufO" and value.ndim < 2 and np.all((value >= 0) & (value < math.inf)),
         f"{type(h).__name__}: {name} is {value}; give a finite number, at least 0, or one a coordinate")


def _everywhere(x: Array) -> Array:
    return np.ones(x.shape[:-1], dtype=bool)


@dataclass(frozen=True)
class Nothing:
    """h = 0."""

    dim, convexity = None, 0.0

    def value(self, x: Array) -> Array:
        return np.zeros(x.shape[:-1])

    def prox(self, u: Array, alpha: Any) -> Array:
        return u

    def contains(self, x: Array) -> Array:
        return _everywhere(x)

    def subgradient(self, y: Array, s: Array) -> Array:
        return 0 * s

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        return np.zeros(x.shape[:-1])

    def distance(self, z: Array, drop: float) -> Array:
        return np.full(z.shape[:-1], math.inf)


@dataclass(frozen=True, eq=False)
class L1:
    """h = sum_i weight_i |x_i|, weight a number or (d,), zeros allowed. prox: u - clip(u, +-alpha weight)."""

    weight: Any
    convexity = 0.0

    def __post_init__(self) -> None:
        _weights(self, "weight")

    @property
    def dim(self) -> int | None:
        return common_dim(self.weight)

    def value(self, x: Array) -> Array:
        return (alike(self.weight, x) * np.abs(x)).sum(-1)

    def prox(self, u: Array, alpha: Any) -> Array:
        t = alike(alpha, u) * alike(self.weight, u)
        inner = np.clip(u, -t, t)
        return np.subtract(u, inner, out=inner)  # in place: new pages cost more than arithmetic

    def contains(self, x: Array) -> Array:
        return _everywhere(x)

    def subgradient(self, y: Array, s: Array) -> Array:
        w = alike(self.weight, y)
        return np.where(y > 0, w, np.where(y < 0, -w, np.clip(s, -w, w)))

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        """weight |y_i| = s_i y_i leaves sum_i weight |x_i| - s_i x_i."""
        return np.maximum(alike(self.weight, x) * np.abs(x) - s * x, 0).sum(-1)

    def distance(self, z: Array, drop: float) -> Array:
        least = float(np.min(self.weight))
        return norm(z) + (drop / least if least > 0 else math.inf)


@dataclass(frozen=True, eq=False)
class ElasticNet:
    """h = sum_i l1 |x_i| + l2 x_i^2/2, numbers or (d,). prox: soft(u, alpha l1)/(1 + alpha l2)."""

    l1: Any
    l2: Any

    def __post_init__(self) -> None:
        _weights(self, "l1")
        _weights(self, "l2")
        common_dim(self.l1, self.l2)

    @cached_property
    def _first(self) -> L1:
        return L1(self.l1)

    @property
    def dim(self) -> int | None:
        return common_dim(self.l1, self.l2)

    @property
    def convexity(self) -> float:
        return float(np.min(self.l2))

    def value(self, x: Array) -> Array:
        return self._first.value(x) + (alike(self.l2, x) * x * x).sum(-1) / 2

    def prox(self, u: Array, alpha: Any) -> Array:
        return self._first.prox(u, alpha) / (1 + alike(alpha, u) * alike(self.l2, u))

    def contains(self, x: Array) -> Array:
        return _everywhere(x)

    def subgradient(self, y: Array, s: Array) -> Array:
        slope = alike(self.l2, y) * y
        return slope + self._first.subgradient(y, s - slope)

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        z = x - y
        edge = self._first.subgradient(y, s - alike(self.l2, y) * y)  # without the rounding of s
        return self._first.bregman(x, y, edge) + (alike(self.l2, x) * z * z).sum(-1) / 2

    def distance(self, z: Array, drop: float) -> Array:
        return self._first.distance(z, drop)


@dataclass(frozen=True)
class Nuclear:
    """h = weight * sum of singular values of x, read row by row as a matrix of `shape`. prox: soft-threshold them."""

    weight: float
    shape: tuple[int, int]
    convexity = 0.0

    def __post_init__(self) -> None:
        _weights(self, "weight")
        need(np.ndim(self.weight) == 0, f"Nuclear: weight is {self.weight}; give one number")
        need(np.shape(self.shape) == (2,) and all(isinstance(k, (int, np.integer)) and k >= 1 for k in self.shape),
             f"Nuclear: shape is {self.shape}; give two whole numbers, at least 1")

    @property
    def dim(self) -> int:
        return self.shape[0] * self.shape[1]

    def _svd(self, x: Array) -> tuple[Array, Array, Array]:
        need(x.shape[-1] == self.dim, f"points have {x.shape[-1]} entries; matrices {self.shape} have {self.dim}")
        left, sigma, right = np.linalg.svd(np.reshape(x, (*x.shape[:-1], *self.shape)), full_matrices=False)
        return left, np.where(sigma > EDGE * sigma[..., :1], sigma, 0.0), right

    def value(self, x: Array) -> Array:
        return self.weight * self._svd(x)[1].sum(-1)

    def prox(self, u: Array, alpha: Any) -> Array:
        left, sigma, right = self._svd(u)
        return ((left * np.maximum(sigma - alpha * self.weight, 0.0)[..., None, :]) @ right).reshape(u.shape)

    def contains(self, x: Array) -> Array:
        return _everywhere(x)

    def subgradient(self, y: Array, s: Array) -> Array:
        """weight U V' on the range of y, beside it what s has there, with singular values at most weight."""
        left, sigma, right = self._svd(y)
        held = (sigma > 0)[..., None, :]
        U, V = left * held, np.swapaxes(right, -1, -2) * held
        S = np.reshape(s, (*s.shape[:-1], *self.shape))
        beside = S - U @ (np.swapaxes(U, -1, -2) @ S)
        beside = beside - (beside @ V) @ np.swapaxes(V, -1, -2)
        a, tau, b = np.linalg.svd(beside, full_matrices=False)
        beside = (a * np.minimum(tau, self.weight)[..., None, :]) @ b
        return (self.weight * U @ np.swapaxes(V, -1, -2) + beside).reshape(y.shape)

    def bregman(self, x: Array, y: Array, s: Array) -> Array:
        """weight |X|_* - <S, X> = sum_i sigma_i (w - p_i'S q_i) over X = sum sigma_i p_i q_i', w = weight, where

        w - p'Sq = (w/2)|p - Sq/w|^2 + sum_j (w^2 - tau_j^2)(b_j'q)^2/(2w),  S = sum_j tau_j a_j b_j'.
        A small sigma_i that y does not have is known to 1e-16 sigma_1 only, and so is its term.
        """
        w, (left, sigma, right) = self.weight, self._svd(x)
        if w == 0:
            return np.zeros(x.shape[:-1])
        S = np.reshape(s, (*s.shape[:-1], *self.shape))
        _, tau, b = np.linalg.svd(S)
        short = np.zeros((*tau.shape[:-1], self.shape[1])) + w
        short[..., :tau.shape[-1]] = np.where(tau >= (1 - EDGE) * w, 0.0, w - tau)
        off = left - S @ np.swapaxes(right, -1, -2) / w
        along = b @ np.swapaxes(right, -1, -2)
        lost = (short * (2 * w - short))[..., None] * along * along
        return (sigma * (w * (off * off).sum(-2) + lost.sum(-2) / w)).sum(-1) / 2

    def distance(self, z: Array, drop: float) -> Array:
        return norm(z) + (drop / self.weight if self.weight > 0 else math.inf)
