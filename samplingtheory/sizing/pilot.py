"""An independent batch decides the size of the one that steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..criteria import Criterion, whole
from ..criteria.sizes import check_criterion
from ..moments import Array, is_number
from ..problems.base import Batch, follow, take
from .average import Averaged, Past
from .base import CAP, View, check_growth, check_sizes, larger


class PilotSizes(NamedTuple):
    n: Array  # (R,) size of the last batch that stepped
    m: Array  # (R,) size of the next pilot, before rounding
    unchanged: Any = None
    gradients: Any = None


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
        check_criterion(self.criterion)
        check_sizes(self.m, self.cap)
        check_sizes(self.least, self.cap)
        check_growth(self.grow)
        if not (is_number(self.growth) and 1 <= self.growth < math.inf):
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
            asked = np.where(asked > m, larger(m, asked, self.grow, cap), m)
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
