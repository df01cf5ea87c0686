"""Sizing rules: where theory and practice part, as types.

`Ahead` decides with the exact law before the draw (what theorems assume); `Behind` lets this batch size the
next one (what is run). A rule returns the batch that steps, and its own state, aligned with that batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from .criteria import Criterion, needs_spread, whole
from .moments import Array, Moments, dot
from .problems.base import Batch, Problem, follow

CAP = 1e15


class View(Protocol):
    """The replicates' points as a sizing sees them; `run.View` is the one that is used."""

    problem: Problem
    state: Any

    @property
    def law(self) -> Moments: ...
    def seen(self, batch: Batch) -> Moments: ...
    def draw(self, n: Array, batch: Batch | None = None) -> Batch: ...
    def at(self, parent: Array | None) -> View: ...
    def after(self, batch: Batch) -> Any: ...



def _check_start(start: float, criterion: Any = None) -> None:
    if start < 2 and needs_spread(criterion):
        raise ValueError(f"start is {start}: a test needs the spread of at least 2 samples; need start >= 2")


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

    Conditionally unbiased, but the variance condition of the theorems is not enforced at x_{k+1}: what holds instead
    is in claims/gap2026. integer=False keeps real n (least > 0 then) where the law allows it.
    grow: a size is at most the last one times grow, rounded up.
    """

    criterion: Criterion
    start: float = 2
    monotone: bool = True
    least: float = 2
    cap: float = CAP
    integer: bool = True
    grow: float | None = None

    def __post_init__(self) -> None:
        _check_growth(self.grow)
        if self.integer:
            _check_sizes(self.least, self.cap)
            _check_sizes(self.start, self.cap)
        elif not 0 < min(self.least, self.start) < math.inf:
            raise ValueError(f"start = {self.start}, least = {self.least}; real sizes are above 0")
        _check_start(min(self.start, self.least), self.criterion)

    def init(self, R: int) -> Sizes:
        return Sizes(np.full(R, float(self.start)))

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        cap = min(self.cap, view.problem.population)
        batch = view.draw(np.minimum(state.n, cap))
        n = follow(state.n, batch.parent)
        asked = self.criterion(view.seen(batch))
        asked = whole(asked, self.least, cap) if self.integer else np.clip(asked, self.least, cap)
        if self.grow is not None:
            asked = np.minimum(asked, np.ceil(self.grow * n) if self.integer else self.grow * n)
        return batch, Sizes(np.maximum(n, asked) if self.monotone else asked)


@dataclass(frozen=True)
class Lagged:
    """`Behind` with the variance known exactly at the point where it is needed: n_{k+1} from tr Cov at x_{k+1} and |g_k|^2.

    Where the variance of the next point can be computed and its gradient cannot be trusted: the rule of the lagged
    theorems without a bound on the variance. No sample is spent on the law.
    """

    criterion: Criterion
    start: float = 1
    cap: float = CAP

    def __post_init__(self) -> None:
        _check_sizes(self.start, self.cap)

    def init(self, R: int) -> Sizes:
        return Sizes(np.full(R, float(self.start)))

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        cap = min(self.cap, view.problem.population)
        batch = view.draw(np.minimum(state.n, cap))
        ahead = _Lag(view.problem.law(view.after(batch).x), view.seen(batch))
        return batch, Sizes(whole(self.criterion(ahead), 1, cap))


@dataclass(frozen=True)
class _Lag:
    """The law of the next point with the signal, and the step, of the last batch."""

    base: Moments
    batch: Any

    @property
    def signal(self) -> Array:
        return self.batch.signal

    @property
    def mapping(self) -> Array:
        return self.batch.mapping

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)


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
        _check_start(self.start)
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
        m = view.seen(batch)
        if noisy.any():
            if hasattr(self.criterion, "step"):
                raise ValueError("the averaged gradient has no step of its own: use Behind with a complete-step test")
            m = batch.moments.toward(np.where(noisy[:, None], average, g))
        asked = np.maximum(n, whole(self.criterion(m), 1, cap))
        return batch, History(asked, np.where(asked > n, 0, unchanged), past)


def _check_growth(grow: float | None) -> None:
    if grow is not None and not (grow > 1 and math.isfinite(grow)):
        raise ValueError(f"grow is {grow}; need a factor above 1, or None for the size that the test asks for")


def _larger(n: Array, asked: Array, grow: float | None, cap: float) -> Array:
    """The size after a failed test: what it asks for, or `grow` times n; always more than n, at most `cap`."""
    return np.minimum(np.maximum(asked if grow is None else np.ceil(grow * n), n + 1), cap)


@dataclass(frozen=True)
class SameBatch:
    """The batch that is tested makes the step: a stopping time, so the step is biased.

    on_fail      'extend' keeps the failed samples, 'redraw' replaces them
    corrections  failed tests that lead to a larger batch: 1, or math.inf (until accepted)
    grow         None: the size that the failed test asks for; a factor: that many times larger
    """

    criterion: Criterion
    start: float = 2
    on_fail: str = "extend"
    corrections: float = math.inf
    grow: float | None = None
    monotone: bool = True
    cap: float = CAP

    def __post_init__(self) -> None:
        _check_sizes(self.start, self.cap)
        _check_growth(self.grow)
        if self.on_fail not in ("extend", "redraw"):
            raise ValueError(f"on_fail is {self.on_fail!r}; need 'extend' or 'redraw'")

    def init(self, R: int) -> Sizes:
        return Sizes(np.full(R, float(self.start)))

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        cap = min(self.cap, view.problem.population)
        batch, corrected = view.draw(np.minimum(state.n, cap)), 0
        while corrected < self.corrections:
            n = np.asarray(batch.moments.n)
            asked = whole(self.criterion(view.seen(batch)), 1, cap)
            failed = (asked > n) & (n < cap)
            if not failed.any():
                break
            held = batch if self.on_fail == "extend" else batch.without(failed)
            batch = view.draw(np.where(failed, _larger(n, asked, self.grow, cap), n), held)
            corrected += 1
        n = np.asarray(batch.moments.n)
        return batch, Sizes(n if self.monotone else np.full(len(n), float(self.start)))


@dataclass(frozen=True)
class Pilot:
    """An independent batch of m samples decides the size of a fresh one, which steps: unbiased.

    grow  None: the size that the pilot's test asks for; a factor: m if the pilot passes, else that many times m.
    """

    criterion: Criterion
    m: float = 2
    grow: float | None = None
    cap: float = CAP

    def __post_init__(self) -> None:
        _check_sizes(self.m, self.cap)
        _check_growth(self.grow)

    def init(self, R: int) -> None:
        return None

    def batch(self, state: None, view: View) -> tuple[Batch, None]:
        cap = min(self.cap, view.problem.population)
        m = min(float(self.m), cap)
        pilot = view.draw(np.full(len(view.state.x), m))
        asked = whole(self.criterion(view.seen(pilot)), 1, cap)
        if self.grow is not None:
            asked = np.where(asked > m, _larger(np.full(len(asked), m), asked, self.grow, cap), m)
        batch = view.at(pilot.parent).draw(asked)
        drawn = np.asarray(batch.drawn) + m
        if batch.parent is None or pilot.parent is None:
            return replace(batch, drawn=drawn), None
        parent, weight = pilot.parent[batch.parent], follow(pilot.weight, batch.parent) * batch.weight
        return replace(batch, drawn=drawn, parent=parent, weight=weight), None


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

