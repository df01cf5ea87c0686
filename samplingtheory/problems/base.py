"""What every problem offers: certified constants, batches and the protocol that `run` relies on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..moments import Array, Moments


class Every:
    """Ask `draw` for all batches of the size, each with its probability, in place of a random one."""

    def __repr__(self) -> str:
        return "EVERY"


EVERY = Every()
Chance = np.random.Generator | Every


@dataclass(frozen=True)
class Constants:
    """L (an upper bound), mu (a lower bound), the minimiser (d,) and the length of the gradient left there.

    L0, L1: |Hess F| <= L0 + L1 |grad F|, for F without a finite L. Unless they are given, L1 = 0, L0 = max(L, -mu).
    radius: all of them hold for |x| <= radius, by default everywhere.
    """

    L: float
    mu: float = 0.0
    minimiser: Array | None = None
    residual: float = 0.0
    L0: float = math.inf
    L1: float = 0.0
    radius: float = math.inf

    def __post_init__(self) -> None:
        if not (self.L > 0 and self.mu <= self.L):
            raise ValueError(f"L = {self.L}, mu = {self.mu}; need L > 0 and mu <= L (mu < 0 for nonconvex F)")
        if math.isinf(self.L0) and self.L1 == 0:
            object.__setattr__(self, "L0", max(self.L, -self.mu))
        if not (self.L0 > 0 and 0 <= self.L1 < math.inf):
            raise ValueError(f"L0 = {self.L0}, L1 = {self.L1}; need L0 > 0 and a finite L1 >= 0")


@dataclass(frozen=True)
class Batch:
    """A drawn batch: its moments, the replicate it came from and, when enumerated, its probability.

    moments  of the batch, one row a batch      drawn   samples paid for, (E,)
    parent   row of the point it was drawn at (None: batch r belongs to replicate r)
    weight   conditional probability of the batch given its parent (None: it was drawn at random)
    value    y (E, d) -> F_S(y) - F_S(x), in a form that does not cancel; None where no function is known
    blocks   B -> means (E, B, d) of a random split of each batch into B equal parts (by one sample at most)
    counts   how often each atom of a finite support is held, (E, A), or a function that says so: what a larger batch
             extends; None for continuous laws, whose moments are joined to those of the new samples
    """

    moments: Any
    drawn: Array
    parent: Array | None = None
    weight: Array | None = None
    value: Callable[[Array], Array] | None = field(default=None, repr=False)
    counts: Array | Callable[[], Array] | None = field(default=None, repr=False)
    blocks: Callable[[int], Array] | None = field(default=None, repr=False)

    @property
    def held(self) -> Array | None:
        """`counts` as an array."""
        return self.counts() if callable(self.counts) else self.counts

    def without(self, rows: Array) -> Batch:
        """The same batches with those of `rows` emptied: extending them then draws afresh."""
        if hasattr(self.moments, "without"):
            return replace(self, moments=self.moments.without(rows))
        if self.counts is None:
            raise ValueError("this problem's batches can be neither extended nor redrawn in place")
        return replace(self, counts=np.where(rows[:, None], 0, np.asarray(self.held)))


@runtime_checkable
class Problem(Protocol):
    """An objective and its sample gradients. Points are (R, d), values (R,).

    constants   `Constants`                gap(x)      F(x) - F*, never a difference of two large values
    population  N without replacement, else inf        gap_error   error of gap(x) that the minimiser causes
    law(x)      exact `Moments`            draw(x, n, rng) -> `Batch`, n (R,) whole, one size a replicate;
    most also take batch=, a batch to extend to n (one size a row of it)
    """

    constants: Constants
    population: float
    gap_error: float
    dim: int

    def gap(self, x: Array) -> Array: ...
    def gradient(self, x: Array) -> Array: ...
    def law(self, x: Array) -> Moments: ...
    def draw(self, x: Array, n: Array, rng: Chance) -> Batch: ...


def need_generator(rng: Chance, what: str) -> np.random.Generator:
    """`rng` unless it asks for enumeration, which a continuous law cannot give."""
    if isinstance(rng, np.random.Generator):
        return rng
    raise ValueError(f"{what} has no finite list of batches to enumerate; give rng= an integer, not EVERY")


def least_size(n: Array, population: float = math.inf) -> Array:
    """Sizes at the door of `draw`: whole, at least 1, at most N without replacement."""
    n = np.asarray(n, dtype=float)
    good = (n >= 1) & (n <= population) & (n == np.floor(n))
    if not good.all():
        limit = "" if math.isinf(population) else f", at most N = {population:g}"
        raise ValueError(f"a batch of {n[~good][0]:g} samples was asked for; sizes are whole, at least 1{limit}")
    return n


def follow(leaf: Any, parent: Array | None) -> Any:
    """Rows of a per-replicate array that belong to a batch's parents; anything else unchanged."""
    if parent is None or not isinstance(leaf, np.ndarray) or leaf.ndim == 0:
        return leaf
    return leaf[parent]


def take(state: Any, parent: Array | None) -> Any:
    """A state (NamedTuple of arrays) at the rows `parent`."""
    if parent is None or state is None or isinstance(state, (int, float)):
        return state
    return type(state)(*(follow(leaf, parent) for leaf in state))
