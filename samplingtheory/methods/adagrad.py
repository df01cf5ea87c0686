"""AdaGrad with one accumulator for all coordinates (AdaGrad-Norm), or one for each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..moments import Array, dot
from ..problems.base import Batch
from .sgd import check_number, check_step


class AccumulatorState(NamedTuple):
    x: Array
    v: Array  # (R,) for the norm form, (R, d) for the coordinate-wise one


def check_floats(method: Any) -> None:
    """One line if a parameter is a Fraction."""
    for field in fields(method):
        if isinstance(value := getattr(method, field.name), Fraction):
            raise ValueError(f"{field.name} is {value}; adaptive methods take square roots, which Fractions have not: "
                             "give a float")


def scaled(g: Array, root: Array, eps: float = 0.0) -> Array:
    """g / (root + eps), and 0 where both are 0: a coordinate that never moved has no scale."""
    size = root + eps
    return np.divide(g, size, out=np.zeros_like(g), where=size > 0)


def start_accumulator(x: Array, v0: Any, coordinates: bool) -> Array:
    """v0 for each replicate, (R,), or for each of its coordinates, (R, d); v0 a number or (d,)."""
    if x.dtype == object:
        raise ValueError("adaptive methods take square roots, which Fractions have not: give x0 as floats")
    shape = x.shape if coordinates else x.shape[:1]
    try:
        return np.array(np.broadcast_to(np.asarray(v0, dtype=float), shape))
    except ValueError:
        raise ValueError(f"v0 has shape {np.shape(v0)}; it must be a number or match {shape[-1:]}") from None


@dataclass(frozen=True)
class AdaGradNorm:
    """v_k = v_{k-1} + |g_k|^2;  x_{k+1} = x_k - alpha g_k / sqrt(v_k),  v a single number.

    Ward, Wu, Bottou (2019); the method of Lau, Liu, Kolar (2024), AdAdaGrad-Norm. The newest gradient is in v_k. Its
    theorems need v0 > 0; v0 = 0 is allowed and makes the first step alpha g/|g|.
    """

    alpha: float
    v0: float = 1.0

    def __post_init__(self) -> None:
        check_floats(self)
        check_step("alpha", self.alpha)
        check_number("v0", self.v0, 0)

    def init(self, x: Array) -> AccumulatorState:
        return AccumulatorState(x, start_accumulator(x, self.v0, False))

    def step(self, state: AccumulatorState, batch: Batch) -> AccumulatorState:
        g = batch.moments.mean
        v = state.v + dot(g, g)
        return AccumulatorState(state.x - self.alpha * scaled(g, np.sqrt(v)[:, None]), v)


@dataclass(frozen=True)
class AdaGrad:
    """v_k = v_{k-1} + g_k^2;  x_{k+1} = x_k - alpha g_k / (sqrt(v_k) + eps),  coordinate by coordinate.

    Duchi, Hazan, Singer (2011), diagonal form. Theory: v0 > 0, eps = 0. `torch.optim.Adagrad(lr=alpha)`: v0 = 0
    (its initial_accumulator_value), eps = 1e-10, outside the root. v0 is a number or (d,).
    """

    alpha: float
    v0: Any = 1.0
    eps: float = 0.0

    def __post_init__(self) -> None:
        check_floats(self)
        check_step("alpha", self.alpha)
        check_number("v0", self.v0, 0)
        check_number("eps", self.eps, 0)

    def init(self, x: Array) -> AccumulatorState:
        return AccumulatorState(x, start_accumulator(x, self.v0, True))

    def step(self, state: AccumulatorState, batch: Batch) -> AccumulatorState:
        g = batch.moments.mean
        v = state.v + g * g
        return AccumulatorState(state.x - self.alpha * scaled(g, np.sqrt(v), self.eps), v)
