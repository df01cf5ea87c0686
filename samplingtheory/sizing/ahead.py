"""The exact law decides before the draw: what theorems assume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..criteria import Criterion, whole
from ..criteria.sizes import check_criterion
from ..problems.base import Batch
from .base import CAP, View, check_sizes


@dataclass(frozen=True)
class Ahead:
    """n_k from the exact law at x_k, before the draw. integer=False keeps real n, also below 1, where the law allows it."""

    criterion: Criterion
    least: float = 1
    cap: float = CAP
    integer: bool = True

    def __post_init__(self) -> None:
        check_criterion(self.criterion)
        check_sizes(self.least, self.cap)
        if not self.integer and self.least != 1:
            raise ValueError(f"least is {self.least} and integer=False; real sizes may fall below 1: leave least= out")

    def init(self, R: int) -> None:
        return None

    def batch(self, state: None, view: View) -> tuple[Batch, None]:
        size, cap = self.criterion(view.law), min(self.cap, view.problem.population)
        n = whole(size, self.least, cap) if self.integer else np.clip(size, 1e-300, cap)
        return view.draw(n), None
