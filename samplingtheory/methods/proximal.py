"""The proximal gradient method; for an indicator h, gradient projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..moments import Array, exact
from ..problems.base import Batch
from ..problems.prox import Nothing, Regulariser
from .sgd import check_step


class ProximalState(NamedTuple):
    x: Array


@dataclass(frozen=True)
class ProximalGradient:
    """x+ = prox_{alpha h}(x - alpha g): the method of Xie, Bollapragada, Byrd and Nocedal (2024). h = 0: SGD."""

    alpha: Any
    h: Regulariser

    def __post_init__(self) -> None:
        check_step("alpha", self.alpha)
        if isinstance(self.h, type) or not hasattr(self.h, "prox"):
            raise ValueError(f"h is {self.h!r}, which has no `prox`; give a regulariser such as L1(0.1), or Nothing()")

    def init(self, x: Array) -> ProximalState:
        if self.h.dim not in (None, x.shape[-1]):
            raise ValueError(f"{type(self.h).__name__} acts on {self.h.dim} coordinates; the points have {x.shape[-1]}")
        return ProximalState(x)

    def after(self, x: Array, g: Array) -> Array:
        """prox_{alpha h}(x - alpha g); x and g broadcast over leading axes (..., d)."""
        alpha = exact(self.alpha, x)
        return self.h.prox(x - alpha * g, alpha)

    def step(self, state: ProximalState, batch: Batch) -> ProximalState:
        return ProximalState(self.after(state.x, batch.moments.mean))

    def mapping(self, x: Array, g: Array) -> Array:
        """The gradient mapping (x - x+)/alpha: g itself where h = 0, zero exactly at a minimiser of f + h."""
        if isinstance(self.h, Nothing):
            return g  # to the bit, so that tests on the step are then the tests on the gradient
        return (x - self.after(x, g)) / exact(self.alpha, x)
