"""Sizes that are planned beforehand: baselines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..criteria import whole
from ..moments import is_number
from ..problems.base import Batch
from .base import CAP, View, check_sizes


@dataclass(frozen=True)
class Fixed:
    """n_k = n."""

    n: float

    def __post_init__(self) -> None:
        check_sizes(self.n)

    def init(self, R: int) -> None:
        return None

    def batch(self, state: None, view: View) -> tuple[Batch, None]:
        return view.draw(np.full(len(view.state.x), float(min(self.n, view.problem.population)))), None


@dataclass(frozen=True)
class Geometric:
    """n_k = n0 growth^k, rounded up unless integer=False. Byrd, Chin, Nocedal, Wu (2012)."""

    n0: float
    growth: float
    cap: float = CAP
    integer: bool = True

    def __post_init__(self) -> None:
        check_sizes(self.n0, self.cap)
        if not (is_number(self.growth) and self.growth >= 1 and math.isfinite(self.growth)):
            raise ValueError(f"growth is {self.growth}; geometric sizes need a finite factor of at least 1")

    def init(self, R: int) -> int:
        return 0

    def at(self, k: int) -> float:
        """Size of batch k."""
        try:
            n = min(self.n0 * self.growth**k, self.cap)
        except OverflowError:  # the power left the doubles
            n = self.cap
        return float(whole(n, 1, self.cap)) if self.integer else n

    def batch(self, k: int, view: View) -> tuple[Batch, int]:
        n = min(self.at(k), view.problem.population)
        return view.draw(np.full(len(view.state.x), n)), k + 1
