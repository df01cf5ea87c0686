"""softplus(t) = log(1 + e^t): its differences and its Bregman divergence, without cancellation."""

from __future__ import annotations

import math

import numpy as np

from ..moments import Array

NEAR = 0.125  # below this |delta| the divergence is summed as a series; above, subtraction costs a few ulp
FAR = 700.0  # beyond this e^delta overflows


def sigmoid(t: Array) -> Array:
    """1 / (1 + e^-t), in t's precision; four vectorised passes, a quarter of the time of scipy's expit."""
    with np.errstate(over="ignore"):
        out = np.exp(-t)
    out += 1
    return np.divide(1, out, out=out) if out.ndim else 1 / out


def rise(a: Array, delta: Array) -> Array:
    """softplus(a + delta) - softplus(a), relative error a few ulp: log1p(sigmoid(low) expm1|delta|) with a sign."""
    other, step = a + delta, np.abs(delta)
    low = np.minimum(a, other)
    with np.errstate(over="ignore", invalid="ignore"):
        out = np.log1p(sigmoid(low) * np.expm1(step))
    far = (step > FAR) | (low < -FAR)
    if far.any():
        high = np.maximum(a, other)
        below = np.logaddexp(0, high) - np.logaddexp(0, low)
        above = step + np.logaddexp(0, -high) - np.logaddexp(0, -low)
        out = np.where(far, np.where(low < 0, below, above), out)
    return np.copysign(out, delta)


def bregman(a: Array, delta: Array) -> Array:
    """softplus(a + delta) - softplus(a) - sigmoid(a) delta >= 0, relative error about 1e-14; a broadcasts.

    The divergence is even under (a, delta) -> (-a, -delta), so p = sigmoid(-|a|) <= 1/2 may be taken; then
    D = log1p(p expm1(delta)) - p delta, whose two terms differ by a factor above 1 + |delta|/4.
    """
    small = np.exp(-np.abs(a))
    p = np.broadcast_to(small / (1 + small), delta.shape)
    delta = delta * np.where(a > 0, -1.0, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        out = np.expm1(delta)
        out *= p
        np.log1p(out, out=out)
    out -= p * delta
    near = np.abs(delta) < NEAR
    if near.any():
        out[near] = _near(p[near], delta[near])
    if delta.size and delta.max() > FAR:
        low = np.broadcast_to(-np.abs(a), delta.shape)
        far = np.logaddexp(0, low + delta) - np.logaddexp(0, low) - p * delta
        out = np.where(delta > FAR, far, out)
    return out


def _horner(t: Array, coefficients: list[float]) -> Array:
    out = np.full_like(t, coefficients[-1])
    for c in coefficients[-2::-1]:
        out *= t
        out += c
    return out


_EXP = [1 / math.factorial(k + 2) for k in range(10)]  # (e^t - 1 - t) / t^2
_ATANH = [2 / (2 * k + 3) for k in range(5)]  # 2 (atanh r - r) / r^3, in r^2


def _near(p: Array, t: Array) -> Array:
    """p (expm1 t - t) + (log1p u - u), u = p expm1 t, each bracket as a series; r = u/(2 + u), |t| < 1/8."""
    e = _horner(t, _EXP) * (t * t)
    u = p * (e + t)
    r = u / (2 + u)
    r2 = r * r
    return p * e + r * (r2 * _horner(r2, _ATANH) - u)
