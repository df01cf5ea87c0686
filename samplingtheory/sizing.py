"""Sizing rules: where theory and practice part, as types.

`Ahead` decides with the exact law before the draw (what theorems assume); `Behind` lets this batch size the
next one (what is run). A rule returns the batch that steps, and its own state, aligned with that batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from .criteria import Criterion, whole
from .moments import Array, Moments, dot
from .problems.base import Batch, Problem, follow

CAP = 1e15


class View(Protocol):
    """The replicates' points as a sizing sees them; `run.View` is the one that is used."""

    problem: Problem
    state: Any

    @property
    def law(self) -> Moments: ...
    def draw(self, n: Array) -> Batch: ...
    def after(self, batch: Batch) -> Any: ...



def _check_sizes(least: float, cap: float = CAP) -> None:
    if not 1 <= least <= cap:
        raise ValueError(f"the smallest size is {least} and the cap {cap}; need 1 <= smallest <= cap")


@dataclass(frozen=True)
class Ahead:
    """n_k from the exact law at x_k, before the draw. integer=False keeps real n where the law allows it."""

    criterion: Criterion
    least: float = 1
    cap: float = CAP
    integer: bool = True

    def __post_init__(self) -> None:
        _check_sizes(self.least, self.cap)

    def init(self, R: int) -> None:
        return None

    def batch(self, state: None, view: View) -> tuple[Batch, None]:
        size, cap = self.criterion(view.law), min(self.cap, view.problem.population)
        n = whole(size, self.least, cap) if self.integer else np.clip(size, 1e-300, cap)
        return view.draw(n), None


class Sizes(NamedTuple):
    n: Array


@dataclass(frozen=True)
class Behind:
    """This batch sizes the next one: n_{k+1} = criterion(batch k), never smaller if `monotone`.

    Conditionally unbiased, but the variance condition of the theorems is not enforced at x_{k+1}.
    """

    criterion: Criterion
    start: float = 2
    monotone: bool = True
    least: float = 2
    cap: float = CAP

    def __post_init__(self) -> None:
        _check_sizes(self.least, self.cap)
        _check_sizes(self.start, self.cap)

    def init(self, R: int) -> Sizes:
        return Sizes(np.full(R, float(self.start)))

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        cap = min(self.cap, view.problem.population)
        batch = view.draw(np.minimum(state.n, cap))
        n = follow(state.n, batch.parent)
        asked = whole(self.criterion(batch.moments), self.least, cap)
        return batch, Sizes(np.maximum(n, asked) if self.monotone else asked)


class History(NamedTuple):
    n: Array  # (R,)
    unchanged: Array  # (R,) iterations since the size last changed
    gradients: Array  # (R, r, d) the last r batch gradients, oldest first


@dataclass(frozen=True)
class Safeguard:
    """`Behind`, monotone, with the averaged gradient: Bollapragada, Byrd, Nocedal (2018), section 4.

    If the size stood still for r iterations and |g_avg| < gamma |g|, the test is made with the direction
    g_avg = mean of the last r batch gradients, and with its length as the signal.
    """

    criterion: Criterion
    start: float = 2
    r: int = 10
    gamma: float = 0.38
    cap: float = CAP

    def __post_init__(self) -> None:
        _check_sizes(self.start, self.cap)
        if not (self.r >= 2 and 0 < self.gamma < 1):
            raise ValueError(f"r = {self.r}, gamma = {self.gamma}; need r >= 2 and gamma in (0, 1)")

    def init(self, R: int) -> History:
        return History(np.full(R, float(self.start)), np.zeros(R), np.zeros((R, self.r, 0)))

    def batch(self, state: History, view: View) -> tuple[Batch, History]:
        cap = min(self.cap, view.problem.population)
        batch = view.draw(np.minimum(state.n, cap))
        n, unchanged = follow(state.n, batch.parent), follow(state.unchanged, batch.parent) + 1
        g = batch.moments.mean
        past = follow(state.gradients, batch.parent)
        if past.shape[-1] == 0:
            past = np.zeros((len(g), self.r, g.shape[-1]))
        past = np.concatenate([past[:, 1:], g[:, None, :]], axis=1)
        average = past.mean(axis=1)
        noisy = (unchanged >= self.r) & (dot(average, average) < self.gamma**2 * dot(g, g))
        m = batch.moments.toward(np.where(noisy[:, None], average, g)) if noisy.any() else batch.moments
        asked = np.maximum(n, whole(self.criterion(m), 1, cap))
        return batch, History(asked, np.where(asked > n, 0, unchanged), past)


@dataclass(frozen=True)
class Fixed:
    """n_k = n."""

    n: float

    def __post_init__(self) -> None:
        _check_sizes(self.n)

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
        _check_sizes(self.n0, self.cap)
        if not (self.growth >= 1 and math.isfinite(self.growth)):
            raise ValueError(f"growth is {self.growth}; geometric sizes need a finite factor of at least 1")

    def init(self, R: int) -> int:
        return 0

    def at(self, k: int) -> float:
        """Size of batch k."""
        n = min(self.n0 * self.growth**k, self.cap)
        return float(whole(n, 1, self.cap)) if self.integer else n

    def batch(self, k: int, view: View) -> tuple[Batch, int]:
        n = min(self.at(k), view.problem.population)
        return view.draw(np.full(len(view.state.x), n)), k + 1


Sizing = Any
