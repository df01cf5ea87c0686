"""What every sizing rule shares: the view that it gets, the sizes that it remembers, its limits."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..criteria import needs_spread
from ..moments import Array, Moments, is_number
from ..problems.base import Batch, Problem

CAP = 1e15


class View(Protocol):
    """The replicates' points as a sizing sees them; `run.View` is the one that is used."""

    problem: Problem
    state: Any
    rng: Any

    @property
    def law(self) -> Moments: ...
    def seen(self, batch: Batch) -> Moments: ...
    def draw(self, n: Array, batch: Batch | None = None) -> Batch: ...
    def at(self, parent: Array | None) -> View: ...
    def after(self, batch: Batch) -> Any: ...


class Sizes(NamedTuple):
    n: Array  # (R,) size of the next batch
    unchanged: Any = None  # the fields of `Past`, where a rule averages gradients
    gradients: Any = None


def check_start(start: float, criterion: Any = None) -> None:
    if start < 2 and needs_spread(criterion):
        raise ValueError(f"start is {start}: a test needs the spread of at least 2 samples; need start >= 2")


def check_sizes(least: float, cap: float = CAP) -> None:
    if not (is_number(least) and is_number(cap) and 1 <= least <= cap):
        raise ValueError(f"the smallest size is {least} and the cap {cap}; need 1 <= smallest <= cap")


def check_growth(grow: float | None, least: float = math.nextafter(1, 2)) -> None:
    if grow is not None and not (is_number(grow) and grow >= least and math.isfinite(grow)):
        raise ValueError(f"grow is {grow}; need a factor {'of at least' if least == 1 else 'above'} 1, or None for the "
                         "size that the test asks for")


def larger(n: Array, asked: Array, grow: float | None, cap: float) -> Array:
    """The size after a failed test: what it asks for, or `grow` times n; always more than n, at most `cap`."""
    return np.minimum(np.maximum(asked if grow is None else np.ceil(grow * n), n + 1), cap)
