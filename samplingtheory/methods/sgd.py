"""Stochastic gradient descent: constant step, and the backtracking rule on the sampled function."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..moments import Array, dot, exact
from ..problems.base import Batch


def _check_step(name: str, value: Any) -> None:
    if not isinstance(value, (int, float, Fraction, np.number)) or not value > 0 or value == float("inf"):
        raise ValueError(f"{name} is {value}; a step must be a finite number above 0, for example 1/(L (1 + eps^2))")


class SGDState(NamedTuple):
    x: Array


@dataclass(frozen=True)
class SGD:
    """x+ = x - alpha g."""

    alpha: Any

    def __post_init__(self) -> None:
        _check_step("alpha", self.alpha)

    def init(self, x: Array) -> SGDState:
        return SGDState(x)

    def mapping(self, x: Array, g: Array) -> Array:
        """The gradient mapping (x - x+)/alpha, here g itself."""
        return g

    def step(self, state: SGDState, batch: Batch) -> SGDState:
        return SGDState(state.x - exact(self.alpha, state.x) * batch.moments.mean)


class BacktrackingState(NamedTuple):
    x: Array
    lipschitz: Array
    tries: Array


@dataclass(frozen=True)
class Backtracking:
    """x+ = x - g / L_k, L_k the first of L_{k-1}/zeta, eta L_{k-1}/zeta, ... with enough decrease of F_S.

    a = total/(n |g|^2) + 1, zeta = max(1, 2/a);  accept when F_S(x - g/L) <= F_S(x) - |g|^2 / (2 L).
    Bollapragada, Byrd, Nocedal (2018), estimate of L. `lipschitz` is L_{-1}; state.tries counts increases.
    """

    lipschitz: float = 1.0
    eta: float = 1.5
    most: int = 200

    def __post_init__(self) -> None:
        _check_step("1/lipschitz", 1 / self.lipschitz if self.lipschitz else 0.0)
        if not self.eta > 1:
            raise ValueError(f"eta is {self.eta}; each backtrack multiplies L by eta, which must be above 1")

    def init(self, x: Array) -> BacktrackingState:
        return BacktrackingState(x, np.full(len(x), float(self.lipschitz)), np.zeros(len(x)))

    def step(self, state: BacktrackingState, batch: Batch) -> BacktrackingState:
        if batch.value is None:
            raise ValueError("backtracking needs the sampled function: use a problem whose batches have `value`")
        m = batch.moments
        g, g2 = m.mean, dot(m.mean, m.mean)
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = np.where(g2 > 0, m.total / (m.n * g2), 0.0) + 1.0
        L = state.lipschitz / np.maximum(1.0, 2.0 / noise)
        tries = state.tries.copy()
        for _ in range(self.most):
            y = state.x - g / L[:, None]
            short = (batch.value(y) > -g2 / (2 * L)) & (g2 > 0)
            if not short.any():
                return BacktrackingState(y, L, tries)
            L = np.where(short, self.eta * L, L)
            tries = tries + short
        raise ValueError(f"backtracking did not end after {self.most} increases; L_k = {L.max():.3g}")
