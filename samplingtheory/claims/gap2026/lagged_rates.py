"""The constants of the lagged theorems, as functions of two numbers.

Whenever E_k z_{k+1} <= gain |G_k|^2 + keep z_k with keep < 1, where z_k >= E_k|g_k - G_k|^2 is known before batch k is
drawn, everything below follows (proofs: docs/proofs/gap2026.md):

    lagged norm test       gain = keep = theta^2               estimated variance     gain = keep = c theta^2
    growth cap gamma       gain = theta^2, keep = theta^2 + 1/gamma         augmented test    gain = keep = s

M = 1 + gain/(1 - keep) takes the place of 1 + eps^2. Everything is + - * / where it can be, so Fractions pass.
"""

from __future__ import annotations

import math
from typing import Any


def growth(gain: Any, keep: Any = None) -> Any:
    """M = 1 + gain/(1 - keep): 1/(1 - theta^2) for the plain rule; inf where keep >= 1."""
    keep = gain if keep is None else keep
    return 1 + gain / (1 - keep) if keep < 1 else math.inf


def repaired(*squares: Any) -> tuple[Any, ...]:
    """theta'^2 = theta^2/(1 + sum of squares) for every tolerance: then 1/(1 - sum theta'^2) = 1 + sum theta^2."""
    return tuple(t / (1 + sum(squares)) for t in squares)


def weight(s: Any, r: Any = 0) -> Any:
    """p_r = (L alpha^2/2)/(1 - r - keep): the price of z in the potential gap + p z."""
    return s.L * s.alpha * s.alpha / 2 / (1 - r - s.keep)


def _smaller_root(A: Any, B: Any, keep: Any) -> float:
    """The smaller root of (A - r)(1 - keep - r) = B."""
    a, b, rest = float(A), float(B), 1 - float(keep)
    half, difference = (a + rest) / 2, (a - rest) / 2
    return (a * rest - b) / (half + math.sqrt(difference * difference + b))


def rate(s: Any) -> float:
    """r of (c): PL or strongly convex with mu, A = 2 mu alpha (1 - alpha L/2), B = mu L alpha^2 gain."""
    return _smaller_root(2 * s.mu * s.alpha * (1 - s.alpha * s.L / 2), s.mu * s.L * s.alpha**2 * s.gain, s.keep)


def sharp(s: Any) -> float:
    """r of (c*): strongly convex, A* = 1 - (1 - alpha mu)^2."""
    return _smaller_root(1 - (1 - s.alpha * s.mu) ** 2, s.mu * s.L * s.alpha**2 * s.gain, s.keep)


def sharp_limit(s: Any) -> float:
    """min{2/(L M_r + mu), 1/(L (M_r - 1) + mu)}, M_r = 1 + gain/(1 - r - keep)."""
    excess = s.gain / (1 - sharp(s) - s.keep)
    return min(2 / (s.L * (1 + excess) + s.mu), 1 / (s.L * excess + s.mu))


def bias_factor(cov: Any, least: float) -> float:
    """c = nu/(nu - 2), nu = (n_min - 1)(tr Sigma)^2/tr Sigma^2: E V/Vhat <= c for Gaussian noise; inf if nu <= 2.

    cov: the eigenvalues of Sigma.
    """
    total, square = sum(cov), sum(v * v for v in cov)
    nu = (least - 1) * total * total / square
    return nu / (nu - 2) if nu > 2 else math.inf
