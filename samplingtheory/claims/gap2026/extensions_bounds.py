"""Bounds of the lagged rule for adaptive steps: G8.1 (AdaGrad-Norm) and G8.5 (RMSProp, Adam, norm version).

In all of them theta2 is the squared tolerance of the lagged test, eps^2 = theta2/(1 - theta2), M = 1 + eps^2,
delta = F(x_1) - inf F, z and signal are the variance of the first batch and |grad F(x_1)|^2. Proofs: docs/proofs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..adaptive_bounds.roots import largest_root

LAMBDAS = (*np.linspace(0.02, 0.98, 49), 0.99, 0.995)
GOLDEN = ((1 + 5**0.5) / 2) ** -2.5  # max over s of (1 - (1 + s)^(-1/2))/sqrt(s), at 1 + s = golden ratio squared


class Bound(NamedTuple):
    """total: of the weighted sum; root: of E sqrt(v_K); gradients: of E sqrt(sum |G|^2), or of sum E|G|."""

    total: float
    root: float
    gradients: float


VOID = Bound(math.inf, math.inf, math.inf)


def adagrad_norm(delta: float, L: float, alpha: float, v0: float, theta2: float, z: float, signal: float) -> Bound:
    """Theorem A-lag, theta^2 < 1/2: S = sum E |G|^2/sqrt(v_{k-1} + |G|^2), free of the number of steps."""
    if not theta2 < 0.5:
        return VOID
    M = 1 / (1 - theta2)
    eps, b0, w0 = (M - 1) ** 0.5, v0**0.5, M * z / (v0 + signal) ** 0.5
    S = largest_root(lambda A: A - (A * (w0 + eps * eps * A)) ** 0.5 - delta / alpha
                     - alpha * L * math.log1p(((1 + eps * eps / 2) * A + w0 / 2) / b0))
    for lam in LAMBDAS if eps > 0 else ():
        best = alpha * L * M / (2 * (1 - lam) * (1 - eps))
        late = alpha * L / 2 * (1 + 2 * math.log(best / b0)) if b0 < best else 0.0
        head = delta / alpha + w0 / (2 * eps) + (1 - lam) * (1 - eps) * w0 / M + late
        S = min(S, head / (lam * (1 - eps)))
    W = b0 + (1 + eps * eps / 2) * S + w0 / 2
    return Bound(S, W, (S * (S + W)) ** 0.5)


def adagrad_norm_any(delta: float, L: float, alpha: float, v0: float, theta2: float, z: float, signal: float) -> Bound:
    """Theorem A'-lag, every theta < 1: S = sum E |G|^2/sqrt(v_{k-1}); minimised over a grid of (rho, e)."""
    if not theta2 < 1:
        return VOID
    M, b0 = 1 / (1 - theta2), v0**0.5
    w0, best = M * z / b0, VOID
    for rho in np.linspace(0.1, 0.9, 17):
        for e in np.geomspace(1e-4, 1, 25):
            c = 1 - rho - M * e / (4 * rho)
            if c <= 0:
                continue
            head = delta / alpha + rho * w0 / M + M / (4 * rho * b0) * (signal + 2 * (1 / e - 1) * (L * alpha) ** 2)
            S = _root_of(c, head, alpha * L, M, w0, b0)
            W = b0 + (M * S + w0) / 2
            if S < best.total:
                best = Bound(S, W, (S * W) ** 0.5)
    return best


def _root_of(c: float, head: float, scale: float, M: float, w0: float, b0: float) -> float:
    """Largest root of c S = head + scale ln(1 + (M S + w0)/(2 b0))."""
    return largest_root(lambda S: c * S - head - scale * math.log1p((M * S + w0) / (2 * b0)))


def room(theta2: float, beta1: float, beta2: float) -> float:
    """1 - Hh - eps (1 + f Hh): the theorem for Adam needs it above 0; beta1 = 0: theta^2 < sqrt(beta2)/2."""
    lag = theta2 / beta2**0.5
    h = beta1 / beta2**0.5
    if not (lag < 1 and h < 1):
        return -math.inf
    eps, H = (lag / (1 - lag)) ** 0.5, h / (1 - h * h) ** 0.5
    return 1 - H - eps * (1 + GOLDEN * H)


def adam_norm(delta: float, L: float, alpha: float, v0: float, theta2: float, z: float, signal: float, beta1: float,
              beta2: float, steps: int) -> Bound:
    """G8.5: S = sum E |G|^2/sqrt(beta2 v_{k-1} + (1 - beta2)|G|^2), and sum E|G| over `steps` steps."""
    if not room(theta2, beta1, beta2) > 0:
        return VOID
    r, h, c = beta2**0.5, beta1 / beta2**0.5, 1 - beta2
    M = 1 / (1 - theta2 / r)
    eps2, H, w0 = M - 1, h / (1 - h * h) ** 0.5, M * z / (beta2 * v0 + c * signal) ** 0.5
    A = 2 * L * alpha * (0.5 + 2 * h + 1.5 * h * h) * (1 - beta1) ** 2 / ((1 - h) ** 4 * c)
    lost = steps / 2 * math.log(1 / beta2)

    def excess(S: float) -> float:
        gained = math.log(c * ((1 + eps2 / 2) * S + w0 / 2) / v0**0.5)
        spread = (1 - H) * S - (1 + GOLDEN * H) * (S * (w0 + eps2 * S)) ** 0.5
        return (1 - beta1) / (1 - h) * spread - delta / alpha - A * float(np.logaddexp(0, lost + gained))

    S = largest_root(excess)
    kappa = r * (1 + r) * (1 + eps2 / 2) + c
    return Bound(S, math.inf, (S * (r * v0**0.5 / (1 - r) + kappa * S + r * (1 + r) * w0 / 2)) ** 0.5)
