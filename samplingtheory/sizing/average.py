"""The averaged gradient, in whose direction a test is made where single gradients are noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..criteria import Criterion, complete_step
from ..moments import Array, dot
from ..problems.base import Batch, follow
from .base import Sizes, View


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


def sizes_with(n: Array, past: Past | None, moved: Array | None = None) -> Sizes:
    """Sizes with the past, whose count starts again where the size moved."""
    if past is None:
        return Sizes(n)
    return Sizes(n, past.unchanged if moved is None else np.where(moved, 0, past.unchanged), past.gradients)


def past_of(state: Sizes) -> Past:
    """What `sizes_with` put away."""
    return Past(state.unchanged, state.gradients)
