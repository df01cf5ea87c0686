"""Stochastic gradient descent: constant step, momentum, and the backtracking rule on the sampled function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..moments import Array, dot, exact, is_number
from ..problems.base import Batch


def check_step(name: str, value: Any) -> None:
    if not isinstance(value, (int, float, Fraction, np.number)) or not value > 0 or value == float("inf"):
        raise ValueError(f"{name} is {value}; a step must be a finite number above 0, for example 1/(L (1 + eps^2))")


def check_decay(name: str, value: Any) -> None:
    """One line unless value lies in [0, 1)."""
    if not isinstance(value, (int, float, Fraction, np.number)) or not 0 <= value < 1:
        raise ValueError(f"{name} is {value}; a decay rate must lie in [0, 1), for example 0.9")


def check_number(name: str, value: Any, least: float) -> None:
    """One line unless value, a number or an array, is finite and at least `least`."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if not (np.isfinite(array).all() and (array >= least).all()):
        raise ValueError(f"{name} is {value}; give a finite number, at least {least:g}")


class SGDState(NamedTuple):
    x: Array


@dataclass(frozen=True)
class SGD:
    """x+ = x - alpha g."""

    alpha: Any

    def __post_init__(self) -> None:
        check_step("alpha", self.alpha)

    def init(self, x: Array) -> SGDState:
        return SGDState(x)

    def mapping(self, x: Array, g: Array) -> Array:
        """The gradient mapping (x - x+)/alpha, here g itself."""
        return g

    def step(self, state: SGDState, batch: Batch) -> SGDState:
        return SGDState(state.x - exact(self.alpha, state.x) * batch.moments.mean)


class MomentumState(NamedTuple):
    x: Array
    m: Array  # (R, d)


@dataclass(frozen=True)
class Momentum:
    """m = beta m + g;  x+ = x - alpha m,  m_{-1} = 0: heavy ball, Polyak (1964).

    average=True: m = beta m + (1 - beta) g, the same points at alpha (1 - beta) for alpha. `torch.optim.SGD` with
    momentum=beta, dampening=0. beta = 0 is `SGD`.
    """

    alpha: Any
    beta: Any = 0.9
    average: bool = False

    def __post_init__(self) -> None:
        check_step("alpha", self.alpha)
        check_decay("beta", self.beta)

    def init(self, x: Array) -> MomentumState:
        return MomentumState(x, 0 * x)

    def step(self, state: MomentumState, batch: Batch) -> MomentumState:
        beta = exact(self.beta, state.x)
        m = beta * state.m + (1 - beta if self.average else 1) * batch.moments.mean
        return MomentumState(state.x - exact(self.alpha, state.x) * m, m)


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
        if not (is_number(self.lipschitz) and 0 < self.lipschitz < math.inf):
            raise ValueError(f"lipschitz is {self.lipschitz}; the first estimate of L must be a finite number above 0")
        if not (is_number(self.eta) and self.eta > 1):
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
