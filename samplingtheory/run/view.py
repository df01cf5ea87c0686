"""What a sizing rule sees before a step, and what a column sees after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..moments import Array, dot
from ..problems.base import Batch, Chance, Problem, follow, take
from ..steps import AtBatch, AtPoint, StepMoments, step_moments


@dataclass
class View:
    """The replicates' points as a sizing sees them."""

    problem: Problem
    method: Any
    state: Any
    rng: Chance

    @cached_property
    def law(self) -> Any:
        """Exact moments of one sample gradient at the points, and of the complete step (`step`, `mapping`)."""
        return AtPoint(self.problem.law(self.state.x), self.problem, self.method, self.state)

    def seen(self, batch: Batch) -> Any:
        """A batch's own moments, as a practical test sees them, bound to the step that it makes."""
        return AtBatch(batch, self.method, self.state)

    def draw(self, n: Array, batch: Batch | None = None) -> Batch:
        """Fresh batches of n[r] samples; given a batch, each of its rows extended to n[row]."""
        if batch is None:
            return self.problem.draw(self.state.x, n, self.rng)
        if batch.counts is None and not hasattr(batch.moments, "without"):
            raise ValueError(f"{type(self.problem).__name__} cannot extend a batch; use a finite sum with a table of "
                             "components, or a sizing that draws once")
        return self.problem.draw(self.state.x, n, self.rng, batch=batch)  # type: ignore[call-arg]

    def after(self, batch: Batch) -> Any:
        """The method's state after the step that `batch` would cause."""
        return self.method.step(take(self.state, batch.parent), batch)

    def at(self, parent: Array | None) -> View:
        return View(self.problem, self.method, take(self.state, parent), self.rng)


@dataclass
class Step:
    """One iteration: `view` before (one row a point), `batch`, `after` and the sizing's new state (one row a batch)."""

    k: int
    view: View
    batch: Batch
    after: Any
    chosen: Any = None

    @property
    def before(self) -> Any:
        return self.view.state

    def law(self, name: str) -> Array:
        """A field of the exact law, one row a batch."""
        return follow(np.asarray(getattr(self.view.law, name)), self.batch.parent)

    @cached_property
    def next_law(self) -> Any:
        """Exact moments of one sample gradient at the points after the step, one row a batch."""
        return self.view.problem.law(self.after.x)

    @cached_property
    def shrink(self) -> Array:
        """(1 - n/N)/n: variance of the batch mean over `law.total`."""
        n = np.asarray(self.batch.moments.n, dtype=float)
        return 1 / n - 1 / self.view.problem.population

    def relative(self, spread: str) -> Array:
        """Variance of the batch mean over |grad F|^2, for spread 'total', 'along'; 0/0 = 0."""
        noise = np.asarray(self.law(spread), dtype=float) * self.shrink
        signal = np.asarray(self.law("signal"), dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(noise <= 0, 0.0, noise / signal)

    @cached_property
    def reach(self) -> Array:
        """max(|x_k|, |x_{k+1}|) over the radius of the ball on which the constants hold: at most 1 inside it."""
        before = follow(dot(self.before.x, self.before.x), self.batch.parent)
        return np.sqrt(np.maximum(before, dot(self.after.x, self.after.x))) / self.view.problem.constants.radius

    @cached_property
    def complete(self) -> StepMoments:
        """Exact moments of the complete step, one row a point; EVERY only."""
        return step_moments(self.view.method, self.before, self.view.law.mean, self.batch)

    def of_step(self, name: str) -> Array:
        """A field of `complete`, one row a batch."""
        return follow(getattr(self.complete, name), self.batch.parent)

    @cached_property
    def error(self) -> Array:
        """g - grad F, (E, d)."""
        return self.batch.moments.mean - self.law("mean")
