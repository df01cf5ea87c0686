"""RMSProp and Adam: the form of the theorems, and the form that is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..moments import Array, dot
from ..problems.base import Batch
from .adagrad import AccumulatorState, check_floats, scaled, start_accumulator
from .sgd import check_decay, check_number, check_step


def _squares(g: Array, norm: bool) -> Array:
    return dot(g, g) if norm else g * g


def _root(v: Array, norm: bool) -> Array:
    return np.sqrt(v)[:, None] if norm else np.sqrt(v)


@dataclass(frozen=True)
class RMSProp:
    """v_k = beta2 v_{k-1} + (1 - beta2) g_k^2;  x_{k+1} = x_k - alpha g_k / (sqrt(v_k) + eps).

    Tieleman, Hinton (2012), uncentred. Theory: v0 > 0, eps = 0 (Adam with beta1 = 0, without bias correction).
    `torch.optim.RMSprop(lr=alpha, alpha=beta2)`: v0 = 0, eps = 1e-8, outside the root. norm=True: one v for all
    coordinates, with |g_k|^2.
    """

    alpha: float
    beta2: float = 0.99
    v0: Any = 1.0
    eps: float = 0.0
    norm: bool = False

    def __post_init__(self) -> None:
        check_floats(self)
        check_step("alpha", self.alpha)
        check_decay("beta2", self.beta2)
        check_number("v0", self.v0, 0)
        check_number("eps", self.eps, 0)

    def init(self, x: Array) -> AccumulatorState:
        return AccumulatorState(x, start_accumulator(x, self.v0, not self.norm))

    def step(self, state: AccumulatorState, batch: Batch) -> AccumulatorState:
        g = batch.moments.mean
        v = self.beta2 * state.v + (1 - self.beta2) * _squares(g, self.norm)
        return AccumulatorState(state.x - self.alpha * scaled(g, _root(v, self.norm), self.eps), v)


class AdamState(NamedTuple):
    x: Array
    m: Array  # (R, d)
    v: Array  # (R,) or (R, d)


@dataclass(frozen=True)
class Adam:
    """m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  x+ = x - alpha m / sqrt(v).

    The theory form of Lau, Li, Xu, Liu, Kolar (2024), eq. 6, after Kingma, Ba (2015): no bias correction, no epsilon,
    m_0 = 0, v_0 = v0 > 0. norm=True: one v for all coordinates, with |g|^2. What is run: `AdamW`.
    """

    alpha: float
    beta1: float = 0.9
    beta2: float = 0.999
    v0: Any = 1.0
    norm: bool = False

    def __post_init__(self) -> None:
        check_floats(self)
        check_step("alpha", self.alpha)
        check_decay("beta1", self.beta1)
        check_decay("beta2", self.beta2)
        check_number("v0", self.v0, 0)

    def init(self, x: Array) -> AdamState:
        return AdamState(x, np.zeros_like(x), start_accumulator(x, self.v0, not self.norm))

    def step(self, state: AdamState, batch: Batch) -> AdamState:
        g = batch.moments.mean
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * _squares(g, self.norm)
        return AdamState(state.x - self.alpha * scaled(m, _root(v, self.norm)), m, v)


class AdamWState(NamedTuple):
    x: Array
    m: Array  # (R, d)
    v: Array  # (R, d)
    k: Array  # (R,) steps taken


@dataclass(frozen=True)
class AdamW:
    """x <- (1 - alpha decay) x;  x+ = x - alpha mhat / (sqrt(vhat) + eps),  mhat = m/(1 - beta1^k), vhat alike.

    The practical form: Kingma, Ba (2015) with the decoupled weight decay of Loshchilov, Hutter (2019), as in Lau, Li,
    Xu, Liu, Kolar (2024), Algorithm 1. Equal to `torch.optim.AdamW`, and for decay = 0 to `torch.optim.Adam`.
    """

    alpha: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 0.0

    def __post_init__(self) -> None:
        check_floats(self)
        check_step("alpha", self.alpha)
        check_decay("beta1", self.beta1)
        check_decay("beta2", self.beta2)
        check_number("eps", self.eps, 0)
        check_number("decay", self.decay, 0)

    def init(self, x: Array) -> AdamWState:
        return AdamWState(x, np.zeros_like(x), start_accumulator(x, 0.0, True), np.zeros(len(x)))

    def step(self, state: AdamWState, batch: Batch) -> AdamWState:
        g, k = batch.moments.mean, state.k + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g * g
        first, second = 1 - self.beta1 ** k[:, None], 1 - self.beta2 ** k[:, None]
        move = self.alpha / first * scaled(m, np.sqrt(v) / np.sqrt(second), self.eps)
        return AdamWState(state.x * (1 - self.alpha * self.decay) - move, m, v, k)
