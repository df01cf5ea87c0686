"""Sizing rules: where theory and practice part, as types.

`Ahead` decides with the exact law before the draw (what theorems assume); `Behind` lets this batch size the
next one (what is run). A rule returns the batch that steps, and its own state, aligned with that batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.random import Generator

from .criteria import Criterion, needs_spread, whole
from .moments import Array, Moments, dot
from .problems.base import EVERY, Batch, Every, Problem, follow, take
from .problems.finite import counted
from .problems.lattice import MOST, Layer, extended, redrawn
from .problems.prefixes import Prefixes

CAP = 1e15
CHUNK = 2**20  # numbers in a temporary table of gradients
CACHED = 2**17  # the same, where several passes are made over it


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


class Past(NamedTuple):
    """What the averaged gradient remembers, one row a replicate."""

    unchanged: Array  # (R,) iterations since the size last changed
    gradients: Array  # (R, r, d) the last r tested gradients, oldest first; d = 0 before the first


@dataclass(frozen=True)
class Averaged:
    """Safeguard of a test: Bollapragada, Byrd, Nocedal (2018), section 4.

    If the size stood still for r iterations and |g_avg| < gamma |g|, the test is made with the direction
    g_avg = mean of the last r tested gradients, and with its length as the signal.
    """

    r: int = 10
    gamma: float = 0.38

    def __post_init__(self) -> None:
        if not (self.r >= 2 and 0 < self.gamma < 1):
            raise ValueError(f"r = {self.r}, gamma = {self.gamma}; need r >= 2 and gamma in (0, 1)")

    def init(self, R: int) -> Past:
        return Past(np.zeros(R), np.zeros((R, self.r, 0)))

    def with_(self, past: Past, batch: Batch) -> Past:
        """The past that includes `batch`, one row a batch."""
        g = batch.moments.mean
        gradients = follow(past.gradients, batch.parent)
        if gradients.shape[-1] == 0:
            gradients = np.zeros((len(g), self.r, g.shape[-1]))
        return Past(follow(past.unchanged, batch.parent) + 1, np.concatenate([gradients[:, 1:], g[:, None, :]], axis=1))

    def seen(self, past: Past, batch: Batch, view: View, criterion: Criterion) -> Any:
        """The batch's moments, toward the average where it takes over."""
        g, average = batch.moments.mean, past.gradients.mean(axis=1)
        noisy = (past.unchanged >= self.r) & (dot(average, average) < self.gamma**2 * dot(g, g))
        if not noisy.any():
            return view.seen(batch)
        if complete_step(criterion):
            raise ValueError("the averaged gradient has no step of its own: use Behind with a complete-step test")
        return batch.moments.toward(np.where(noisy[:, None], average, g))


def complete_step(criterion: Any) -> bool:
    """Whether a test, or the one that it wraps, looks at the complete step."""
    return hasattr(criterion, "step") or (hasattr(criterion, "criterion") and complete_step(criterion.criterion))


class Sizes(NamedTuple):
    n: Array  # (R,) size of the next batch
    unchanged: Any = None  # the fields of `Past`, where a rule averages gradients
    gradients: Any = None


def _sizes(n: Array, past: Past | None, moved: Array | None = None) -> Sizes:
    """Sizes with the past, whose count starts again where the size moved."""
    if past is None:
        return Sizes(n)
    return Sizes(n, past.unchanged if moved is None else np.where(moved, 0, past.unchanged), past.gradients)


def _past(state: Sizes) -> Past:
    return Past(state.unchanged, state.gradients)


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
        if self.integer:
            _check_sizes(self.least, self.cap)
            _check_sizes(self.start, self.cap)
        elif not 0 < min(self.least, self.start) < math.inf:
            raise ValueError(f"start = {self.start}, least = {self.least}; real sizes are above 0")
        _check_start(min(self.start, self.least), self.criterion)
        _check_growth(self.grow)

    def init(self, R: int) -> Sizes:
        return _sizes(np.full(R, float(self.start)), self.average.init(R) if self.average else None)

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        cap = min(self.cap, view.problem.population)
        batch = view.draw(np.minimum(state.n, cap))
        n, past, m = follow(state.n, batch.parent), None, view.seen(batch)
        if self.average:
            past = self.average.with_(_past(state), batch)
            m = self.average.seen(past, batch, view, self.criterion)
        asked = self._whole(self.criterion(m), cap)
        if self.grow is not None:
            asked = np.minimum(asked, np.ceil(self.grow * n) if self.integer else self.grow * n)
        asked = np.maximum(n, asked) if self.monotone else np.maximum(asked, min(self.least, cap))
        return batch, _sizes(asked, past, asked != n)

    def _whole(self, asked: Array, cap: float) -> Array:
        return whole(asked, self.least, cap) if self.integer else np.clip(asked, self.least, cap)


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


def Safeguard(criterion: Criterion, start: float = 2, r: int = 10, gamma: float = 0.38, cap: float = CAP) -> Behind:
    """`Behind`, monotone, with the averaged gradient: Bollapragada, Byrd, Nocedal (2018), section 4."""
    return Behind(criterion, start, cap=cap, average=Averaged(r, gamma))


def _check_growth(grow: float | None, least: float = math.nextafter(1, 2)) -> None:
    if grow is not None and not (grow >= least and math.isfinite(grow)):
        raise ValueError(f"grow is {grow}; need a factor {'of at least' if least == 1 else 'above'} 1, or None for the "
                         "size that the test asks for")


def _larger(n: Array, asked: Array, grow: float | None, cap: float) -> Array:
    """The size after a failed test: what it asks for, or `grow` times n; always more than n, at most `cap`."""
    return np.minimum(np.maximum(asked if grow is None else np.ceil(grow * n), n + 1), cap)


@dataclass(frozen=True)
class SameBatch:
    """The batch that is tested makes the step: a stopping time, so the step is biased.

    start        smallest batch; every step starts there again unless `monotone`
    on_fail      'extend' keeps the failed samples, 'redraw' replaces them
    corrections  failed tests that lead to a larger batch: 1, or math.inf (until accepted)
    grow         None: the size that the failed test asks for; a factor: that many times larger; 1: one sample more
    """

    criterion: Criterion
    start: float = 2
    on_fail: str = "extend"
    corrections: float = math.inf
    grow: float | None = None
    monotone: bool = True
    cap: float = CAP
    average: Averaged | None = None

    def __post_init__(self) -> None:
        _check_sizes(self.start, self.cap)
        _check_growth(self.grow, 1)
        if self.on_fail not in ("extend", "redraw"):
            raise ValueError(f"on_fail is {self.on_fail!r}; need 'extend' or 'redraw'")

    def init(self, R: int) -> Sizes:
        return _sizes(np.full(R, float(self.start)), self.average.init(R) if self.average else None)

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        batch, past = self._accepted(state, view)
        n = np.asarray(batch.moments.n, dtype=float)
        sizes = n if self.monotone else np.full(len(n), float(self.start))
        return batch, _sizes(sizes, past, n != follow(state.n, batch.parent))

    def _accepted(self, state: Sizes, view: View) -> tuple[Batch, Past | None]:
        """The batch that passes its own test (or the last one that is allowed)."""
        cap = min(self.cap, view.problem.population)
        start = np.minimum(state.n, cap)
        if self.average is None and cap < math.inf and view.problem.population < math.inf:
            if isinstance(view.rng, Every) and view.problem.population <= MOST:
                return self.enumerated(start, view), None
            if self.on_fail == "extend" and isinstance(view.rng, Generator) and self._listed(view.problem):
                return self._by_prefixes(start, view, cap), None
        if self.average is None and isinstance(view.rng, Generator):
            return self._failed_only(start, view, cap), None
        return self._one_by_one(state, view, start, cap)

    def _failed_only(self, start: Array, view: View, cap: float) -> Batch:
        """Draw, test, and draw more only where the test failed, as far as batches say what they hold."""
        batch, rows, corrected = view.draw(start), np.arange(len(start)), 0
        counts: Any = None
        n, drawn = start.astype(float), start.astype(float)
        while corrected < self.corrections:
            asked = whole(self.criterion(view.at(rows).seen(batch)), 1, cap)
            failed = (asked > n[rows]) & (n[rows] < cap)
            if not failed.any():
                break
            if batch.counts is None:  # a continuous law: its batches are joined whole
                return self._one_by_one(Sizes(start), view, start, cap, batch)[0]
            if counts is None:
                counts = np.array(batch.held)
            rows, asked = rows[failed], asked[failed]
            n[rows] = _larger(n[rows], asked, self.grow, cap)
            kept = counts[rows] if self.on_fail == "extend" else np.zeros_like(counts[rows])
            batch = view.at(rows).draw(n[rows], Batch(None, drawn[rows], counts=kept))
            counts[rows], drawn[rows], corrected = batch.held, batch.drawn, corrected + 1
        return batch if counts is None else view.draw(n, Batch(None, drawn, counts=counts))

    def _one_by_one(self, state: Sizes, view: View, start: Array, cap: float,
                    first: Batch | None = None) -> tuple[Batch, Past | None]:
        """Draw, test, draw more: any law, any criterion."""
        batch, corrected, past = first or view.draw(start), 0, None
        while True:
            n, m = np.asarray(batch.moments.n), view.seen(batch)
            if self.average:
                past = self.average.with_(_past(state), batch)
                m = self.average.seen(past, batch, view, self.criterion)
            if corrected >= self.corrections:
                return batch, past
            asked = whole(self.criterion(m), 1, cap)
            failed = (asked > n) & (n < cap)
            if not failed.any():
                return batch, past
            held = batch if self.on_fail == "extend" else batch.without(failed)
            batch = view.draw(np.where(failed, _larger(n, asked, self.grow, cap), n), held)
            corrected += 1

    def layers(self, start: Array, view: View) -> Iterator[Layer]:
        """The law of the accepted batch at every point of the view, on the lattice of all subsets."""
        N = int(view.problem.population)
        problem: Any = view.problem
        atoms, cap = problem.atoms(view.state.x)[0], min(self.cap, N)
        one = Fraction(1) if atoms.dtype == object else 1.0
        sweep = extended if self.on_fail == "extend" else redrawn
        return sweep(start, N, partial(self._asked, view, atoms, cap),
                     lambda n, asked: _larger(n, asked, self.grow, cap), cap, self.corrections, one)

    def _asked(self, view: View, atoms: Array, cap: float, n: float, counts: Array) -> Array:
        """What the test of each of the subsets `counts` (L, N) asks for, at every point: (P, L)."""
        out = np.empty((len(atoms), len(counts)))
        step = max(1, CHUNK // atoms[0].size)
        for p in range(len(atoms)):
            for i in range(0, len(counts), step):
                part = counts[i:i + step].astype(int)
                size = np.full(len(part), n)
                m = counted(np.broadcast_to(atoms[p], (len(part), *atoms.shape[1:])), part, size, atoms.shape[1])
                batch = Batch(m, size, np.full(len(part), p))
                out[p, i:i + step] = whole(self.criterion(view.seen(batch)), 1, cap)
        return out

    def enumerated(self, start: Array, view: View) -> Batch:
        """Every batch that can be accepted, equal sets joined, with its probability."""
        rows = []
        for n, drawn, counts, weight in self.layers(start, view):
            p, i = np.nonzero(weight > 0)
            rows.append((p, counts[i], np.full(len(p), float(n)), np.full(len(p), float(drawn)), weight[p, i]))
        parent, held, size, paid, chance = (np.concatenate(column) for column in zip(*rows, strict=True))
        batch = Batch(None, paid, parent, chance, counts=held)
        return view.problem.draw(view.state.x, size, EVERY, batch=batch)  # type: ignore[call-arg]

    def _listed(self, problem: Any) -> bool:
        small = hasattr(problem, "atoms") and problem.population * problem.dim <= CHUNK
        return small and not complete_step(self.criterion)

    def _by_prefixes(self, start: Array, view: View, cap: float) -> Batch:
        """One random order a replicate; the test of all its prefixes at once decides where it stops."""
        problem: Any = view.problem
        R, N = len(start), int(problem.population)
        size, ranks = np.empty(R), np.empty((R, N), dtype=np.int64)
        rows = max(1, CACHED // (N * view.problem.dim))
        for i in range(0, R, rows):
            part = slice(i, min(i + rows, R))
            order = view.rng.random((len(range(R)[part]), N)).argsort(axis=1)
            np.put_along_axis(ranks[part], order, np.broadcast_to(np.arange(N), order.shape), axis=1)
            atoms = problem.atoms(view.state.x[part])[0]
            size[part] = self._stops(start[part], atoms, order, cap)
        held = Batch(None, size, counts=(ranks < size[:, None]).astype(int))
        return view.problem.draw(view.state.x, size, view.rng, batch=held)  # type: ignore[call-arg]

    def _stops(self, start: Array, atoms: Array, order: Array, cap: float) -> Array:
        """Where the rule stops in each order (R, N); longer prefixes are looked at only where they are needed."""
        n, N, corrected = start.copy(), order.shape[1], np.zeros(len(start))
        todo, width = np.arange(len(n)), 2 * int(start.max()) + 16
        while len(todo):
            W = min(width, N)
            table = np.take_along_axis(atoms[todo], order[todo, :W, None], axis=1)
            asked = whole(self.criterion(Prefixes(table, N)), 1, cap)
            failed = asked > np.arange(1.0, W + 1)
            while True:
                inside = np.flatnonzero((n[todo] <= W) & (n[todo] < cap) & (corrected[todo] < self.corrections))
                at = n[todo[inside]].astype(int) - 1
                inside, at = inside[failed[inside, at]], at[failed[inside, at]]
                if not len(inside):
                    break
                n[todo[inside]] = self._next(failed[inside], at, asked[inside, at], cap)
                corrected[todo[inside]] += 1
            todo, width = todo[(n[todo] > W)], 4 * W
        return n

    def _next(self, failed: Array, at: Array, asked: Array, cap: float) -> Array:
        """Size after the failed test of prefix at + 1; one by one it is found without looking at each."""
        if self.grow != 1 or self.corrections < math.inf:
            return _larger(at + 1.0, asked, self.grow, cap)
        open_ = ~failed & (np.arange(failed.shape[1]) > at[:, None])
        return np.minimum(np.where(open_.any(axis=1), open_.argmax(axis=1), failed.shape[1]) + 1.0, cap)


@dataclass(frozen=True)
class Pilot:
    """An independent batch of m samples decides the size of a fresh one, which steps: unbiased.

    grow     None: the size that the pilot's test asks for; a factor: m if the pilot passes, else that many times m
    least    minimum size of the batch that steps        monotone  that size never falls
    growth   the pilot of step k has m growth^k samples, rounded up
    """

    criterion: Criterion
    m: float = 2
    grow: float | None = None
    cap: float = CAP
    least: float = 1
    monotone: bool = False
    growth: float = 1.0
    average: Averaged | None = None

    def __post_init__(self) -> None:
        _check_sizes(self.m, self.cap)
        _check_sizes(self.least, self.cap)
        _check_growth(self.grow)
        if not 1 <= self.growth < math.inf:
            raise ValueError(f"growth is {self.growth}; pilots of geometric size need a finite factor of at least 1")

    def init(self, R: int) -> PilotSizes:
        past = self.average.init(R) if self.average else Past(None, None)
        return PilotSizes(np.full(R, float(self.least)), np.full(R, float(self.m)), *past)

    def batch(self, state: PilotSizes, view: View) -> tuple[Batch, PilotSizes]:
        pilot, asked, past = self.sized(state, view)
        return self._fresh(state, view, pilot, asked, past)

    def sized(self, state: PilotSizes, view: View) -> tuple[Batch, Array, Past]:
        """The pilot, the size of the fresh batch that it asks for, and what an averaged gradient remembers."""
        cap = min(self.cap, view.problem.population)
        pilot = view.draw(np.minimum(np.ceil(state.m - 1e-9), cap))
        m, past, seen = np.asarray(pilot.moments.n, dtype=float), Past(None, None), view.seen(pilot)
        if self.average:
            past = self.average.with_(Past(state.unchanged, state.gradients), pilot)
            seen = self.average.seen(past, pilot, view, self.criterion)
        asked = whole(self.criterion(seen), 1, cap)
        if self.grow is not None:
            asked = np.where(asked > m, _larger(m, asked, self.grow, cap), m)
        floor = follow(state.n, pilot.parent) if self.monotone else float(self.least)
        return pilot, np.maximum(asked, np.minimum(floor, cap)), past

    def _fresh(self, state: PilotSizes, view: View, pilot: Batch, asked: Array,
               past: Past) -> tuple[Batch, PilotSizes]:
        """The batch that steps, its cost and its ancestry through the pilot."""
        moved = asked != follow(state.n, pilot.parent)
        still = None if past.unchanged is None else np.where(moved, 0, past.unchanged)
        kept = asked if self.monotone or self.average else follow(state.n, pilot.parent)  # what is not needed would
        after = PilotSizes(kept, follow(state.m, pilot.parent) * self.growth, still, past.gradients)  # keep states apart
        batch = view.at(pilot.parent).draw(asked)
        drawn = np.asarray(batch.drawn) + follow(np.asarray(pilot.drawn), batch.parent)
        if batch.parent is None or pilot.parent is None:
            return replace(batch, drawn=drawn), after
        parent, weight = pilot.parent[batch.parent], follow(pilot.weight, batch.parent) * batch.weight
        return replace(batch, drawn=drawn, parent=parent, weight=weight), take(after, batch.parent)


class PilotSizes(NamedTuple):
    n: Array  # (R,) size of the last batch that stepped
    m: Array  # (R,) size of the next pilot, before rounding
    unchanged: Any = None
    gradients: Any = None


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

