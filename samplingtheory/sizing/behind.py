"""This batch sizes the next one: what is run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..criteria import Criterion, whole
from ..criteria.sizes import check_criterion
from ..moments import Array, Moments, Overlay, is_number
from ..problems.base import Batch, follow
from .average import Averaged, past_of, sizes_with
from .base import CAP, Sizes, View, check_growth, check_sizes, check_start


@dataclass(frozen=True)
class Behind:
    """This batch sizes the next one: n_{k+1} = criterion(batch k), never smaller if `monotone`.

    Conditionally unbiased, but the variance condition of the theorems is not enforced at x_{k+1}; what holds instead
    is in docs/gap.md. least: minimum batch; grow: a size is at most the last one times grow, rounded up. integer=False
    keeps real n (least > 0 then) where the law allows it.
    """

    criterion: Criterion
    start: float = 2
    monotone: bool = True
    least: float = 2
    cap: float = CAP
    grow: float | None = None
    average: Averaged | None = None
    integer: bool = True

    def __post_init__(self) -> None:
        check_criterion(self.criterion)
        if self.integer:
            check_sizes(self.least, self.cap)
            check_sizes(self.start, self.cap)
        elif not all(is_number(n) and 0 < n < math.inf for n in (self.least, self.start)):
            raise ValueError(f"start = {self.start}, least = {self.least}; real sizes are above 0")
        check_start(min(self.start, self.least), self.criterion)
        check_growth(self.grow)

    def init(self, R: int) -> Sizes:
        return sizes_with(np.full(R, float(self.start)), self.average.init(R) if self.average else None)

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        cap = min(self.cap, view.problem.population)
        batch = view.draw(np.minimum(state.n, cap))
        n, past, m = follow(state.n, batch.parent), None, view.seen(batch)
        if self.average:
            past = self.average.with_(past_of(state), batch)
            m = self.average.seen(past, batch, view, self.criterion)
        asked = self._whole(self.criterion(m), cap)
        if self.grow is not None:
            asked = np.minimum(asked, np.ceil(self.grow * n) if self.integer else self.grow * n)
        asked = np.maximum(n, asked) if self.monotone else np.maximum(asked, min(self.least, cap))
        return batch, sizes_with(asked, past, asked != n)

    def _whole(self, asked: Array, cap: float) -> Array:
        return whole(asked, self.least, cap) if self.integer else np.clip(asked, self.least, cap)


def Safeguard(criterion: Criterion, start: float = 2, r: int = 10, gamma: float = 0.38, cap: float = CAP) -> Behind:
    """`Behind`, monotone, with the averaged gradient: Bollapragada, Byrd, Nocedal (2018), section 4."""
    return Behind(criterion, start, cap=cap, average=Averaged(r, gamma))


@dataclass(frozen=True)
class Lagged:
    """`Behind` with the variance of the next point known: n_{k+1} from tr Cov at x_{k+1} and from |g_k|^2.

    For where the variance can be computed and the gradient is still taken from the batch: the rule of the lagged
    theorems without a bound on the variance. No sample is spent on the law.
    """

    criterion: Criterion
    start: float = 1
    cap: float = CAP

    def __post_init__(self) -> None:
        check_criterion(self.criterion)
        check_sizes(self.start, self.cap)

    def init(self, R: int) -> Sizes:
        return Sizes(np.full(R, float(self.start)))

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        cap = min(self.cap, view.problem.population)
        batch = view.draw(np.minimum(state.n, cap))
        ahead = _Lag(view.problem.law(view.after(batch).x), view.seen(batch))
        return batch, Sizes(whole(self.criterion(ahead), 1, cap))


@dataclass(frozen=True)
class _Lag(Overlay):
    """The law of the next point with the signal, and the step, of the last batch."""

    base: Moments
    batch: Any

    @property
    def signal(self) -> Array:
        return self.batch.signal

    @property
    def mapping(self) -> Array:
        return self.batch.mapping
