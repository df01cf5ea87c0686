"""The batch that is tested makes the step: a stopping time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from ..criteria import Criterion, whole
from ..criteria.sizes import check_criterion
from ..moments import Array, is_number
from ..problems.base import Batch, follow
from . import listed
from .average import Averaged, Past, past_of, sizes_with
from .base import CAP, Sizes, View, check_growth, check_sizes, larger


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
        check_criterion(self.criterion)
        check_sizes(self.start, self.cap)
        check_growth(self.grow, 1)
        if not (is_number(self.corrections) and self.corrections >= 0):
            raise ValueError(f"corrections is {self.corrections!r}; give the number of failed tests that lead to a "
                             "larger batch, or math.inf")
        if self.on_fail not in ("extend", "redraw"):
            raise ValueError(f"on_fail is {self.on_fail!r}; need 'extend' or 'redraw'")

    def init(self, R: int) -> Sizes:
        return sizes_with(np.full(R, float(self.start)), self.average.init(R) if self.average else None)

    def batch(self, state: Sizes, view: View) -> tuple[Batch, Sizes]:
        batch, past = self._accepted(state, view)
        n = np.asarray(batch.moments.n, dtype=float)
        sizes = n if self.monotone else np.full(len(n), float(self.start))
        return batch, sizes_with(sizes, past, n != follow(state.n, batch.parent))

    def _accepted(self, state: Sizes, view: View) -> tuple[Batch, Past | None]:
        """The batch that passes its own test (or the last one that is allowed)."""
        cap = min(self.cap, view.problem.population)
        start = np.minimum(state.n, cap)
        if self.average is None and listed.has_subsets(view):
            return listed.enumerated(self, start, view), None
        if self.average is None and listed.has_orders(self, view):
            return listed.by_prefixes(self, start, view, cap), None
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
            n[rows] = larger(n[rows], asked, self.grow, cap)
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
                past = self.average.with_(past_of(state), batch)
                m = self.average.seen(past, batch, view, self.criterion)
            if corrected >= self.corrections:
                return batch, past
            asked = whole(self.criterion(m), 1, cap)
            failed = (asked > n) & (n < cap)
            if not failed.any():
                return batch, past
            held = batch if self.on_fail == "extend" else batch.without(failed)
            batch = view.draw(np.where(failed, larger(n, asked, self.grow, cap), n), held)
            corrected += 1
