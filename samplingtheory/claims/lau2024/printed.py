"""DDP-Norm and FSDP-Norm as printed, and the cases on which their statistics are examined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...criteria import smallest
from ...evidence.exact import Enumerate
from ...moments import Array
from ...problems.quadratic import GaussianQuadratic, QuadraticSum
from ...problems.ranks import Ranks
from ...sizing import Fixed
from ..base import Case, Hypothesis, Symbols

PAPER = "lau2024"


@dataclass(frozen=True)
class PrintedNormTest:
    """T = Vhat / (eps^2 |g|^2), Vhat = (1/J) sum_j |g_j - g|^2, as the next global batch size. Algorithm 1 as printed.

    Vhat is J - 1 times smaller than the variance of one sample divided by the batch; `NormTest` on the same moments
    is the test with that factor put right.
    """

    eps: float

    def __call__(self, m: Any) -> Array:
        return smallest(m.printed, m.signal, self.eps, np.inf)


@dataclass(frozen=True)
class PrintedOnTheLaw:
    """Smallest b with E Vhat / b <= eps^2 |grad F|^2: sqrt((J - 1) V / |grad F|^2) / eps, in place of V/(eps |G|)^2."""

    eps: float
    ranks: int

    def __call__(self, m: Any) -> Array:
        return np.sqrt(smallest((self.ranks - 1) * m.total, m.signal, self.eps, np.inf))


class Point(NamedTuple):
    x: Array


@dataclass(frozen=True)
class Frozen:
    """A method that stays where it is: what a rule does at one point."""

    alpha: float = 1.0

    def init(self, x: Array) -> Point:
        return Point(x)

    def step(self, state: Point, batch: Any) -> Point:
        return state


def three_samples(replace: bool = True) -> QuadraticSum:
    """N = 3, d = 2: small enough for every batch of four ranks to be listed."""
    return QuadraticSum(np.array([[1.0, 0.5], [0.5, 2.0], [1.5, 1.0]]),
                        np.array([[1.0, -2.0], [0.5, 1.0], [-2.0, 0.25]]), replace=replace)


POINTS = np.array([[1.0, 0.5], [-0.25, 2.0]])


def ranks_case(name: str, problem: Ranks, per_share: int = 1, told: int | None = None, evidence: Any = None,
               x0: Any = POINTS, **extra: Any) -> Case:
    """One batch at frozen points; `told` is the J that the formula is told."""
    b = int(per_share * problem.shares.sum())
    symbols = Symbols(ranks=problem.ranks if told is None else told, **extra)
    return Case(name, problem, Frozen(), Fixed(b), x0, evidence or Enumerate(1), symbols)


def equal(J: int, base: Any = None) -> Ranks:
    return Ranks(three_samples() if base is None else base, (1,) * J)


def shards(J: int = 2) -> Ranks:
    """Ranks whose data differ: their gradients are pulled apart by +-(2, 0)."""
    return Ranks(three_samples(), (1,) * J, [[2.0 * (-1) ** j, 0.0] for j in range(J)])


def gaussian(d: int = 50, ranks: int = 4, noise: float = 1.5) -> Ranks:
    """|grad F| = 1 at (1, 0, ..., 0), B_simple = tr Sigma = d noise."""
    return Ranks(GaussianQuadratic(np.ones(d), noise), (1,) * ranks)


def unit(d: int) -> Array:
    return np.eye(d)[0]


WITH = Hypothesis("samples are drawn independently, with replacement",
                  lambda case, seen: 0.0 if np.isinf(case.problem.population) else -1.0)
SHARES = Hypothesis("every rank holds the same number of samples",
                    lambda case, seen: 1 - float(case.problem.shares.max() / case.problem.shares.min()))
COUNTED = Hypothesis("J is the number of ranks whose gradients are compared",
                     lambda case, seen: -abs(case.symbols.ranks / case.problem.ranks - 1))
SAME = Hypothesis("all ranks sample the same data", lambda case, seen: -float(np.abs(case.problem.shifts).max()))
