"""The exact law of the batch that a sizing rule accepts at one point of a finite sum, without enumerating orderings.

    Q = |E g - G|/|G|        ip = <E g, G>/|G|^2        rv = E|g - G|^2/|G|^2        G = grad F(x)

Sequential rules (`SameBatch`) are followed on the lattice of subsets, layer by layer, so that N = 20 needs little
memory; rules whose batch is fresh once its size is known (`Ahead`, `Behind`, `Pilot`, `Fixed`) need the law of that
size only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..methods import SGD
from ..moments import Array, dot, exact_array
from ..problems.base import EVERY, Batch
from ..run import View, gather
from ..sizing import Behind, Pilot, SameBatch
from ..sizing.listed import layers


@dataclass(frozen=True)
class StoppedLaw:
    """mean E g (d,), second E|g - G|^2, sizes P(n = j) for j = 0..N, drawn E[samples paid for]; G (d,) itself."""

    mean: Array
    second: Any
    sizes: Array
    drawn: Any
    gradient: Array

    @cached_property
    def signal(self) -> Any:
        return dot(self.gradient, self.gradient)

    @property
    def n(self) -> Any:
        """E n."""
        return (self.sizes * np.arange(len(self.sizes))).sum()

    @property
    def bias2(self) -> Any:
        """|E g - G|^2."""
        return dot(self.mean - self.gradient, self.mean - self.gradient)

    @property
    def Q(self) -> float:
        return float(self.bias2 / self.signal) ** 0.5

    @property
    def ip(self) -> Any:
        return dot(self.mean, self.gradient) / self.signal

    @property
    def rv(self) -> Any:
        return self.second / self.signal


def stopped_law(problem: Any, sizing: Any, x: Array, n: Any = None, method: Any = None) -> StoppedLaw:
    """The law of the batch that `sizing` accepts at x (d,); n: size carried over from the last step, else its start.

    Floats, or Fractions where problem and x are. ValueError: N above 20, or sampling with replacement.
    """
    method = SGD(1) if method is None else method
    view = View(problem, method, method.init(np.asarray(x)[None, :]), EVERY)
    if not problem.population <= 2**16:
        raise ValueError("the lattice needs a finite sum drawn without replacement (population N)")
    if not isinstance(sizing, SameBatch):
        return _fresh(problem, sizing, view, n)
    start = np.minimum(np.full(1, float(sizing.start if n is None else n)), view.problem.population)
    table = problem.atoms(view.state.x)[0][0]
    G = problem.gradient(view.state.x)[0]
    one = table.ravel()[0] * 0 + 1
    N = int(problem.population)
    mean, second, drawn, sizes = 0 * G, 0 * one, 0 * one, np.full(N + 1, 0 * one)
    for size, paid, counts, weight in layers(sizing, start, view):
        kept = np.flatnonzero(weight[0] > 0)
        w = weight[0, kept]
        e = counts[kept].astype(table.dtype) @ (table - G) / (one * size)
        mean, second = mean + w @ e, second + w @ dot(e, e)
        sizes[size] = sizes[size] + w.sum()
        drawn = drawn + w.sum() * paid
    return StoppedLaw(G + mean, second, sizes, drawn, G)


def _fresh(problem: Any, sizing: Any, view: View, n: Any) -> StoppedLaw:
    """A batch that is independent of what sized it: unbiased, with variance E[total (1/n - 1/N)]."""
    N, law, G = int(problem.population), problem.law(view.state.x), problem.gradient(view.state.x)[0]
    state = sizing.init(1)
    if n is not None:
        state = state._replace(n=np.full(1, float(n)))
    if isinstance(sizing, Pilot):
        pilot, size, _ = sizing.sized(state, view)
        weight, drawn = pilot.weight, pilot.drawn + size
    else:
        size = state.n if isinstance(sizing, Behind) else sizing.batch(state, _SizeOnly(**vars(view)))[0].drawn
        size = drawn = np.minimum(size, N)
        weight = np.ones(1)
    weight = weight + 0 * law.total[0]
    j, all_ = exact_array(np.asarray(size), law.total), exact_array(np.full(1, N), law.total)
    second = (weight * (1 / j - 1 / all_)).sum() * law.total[0]
    return StoppedLaw(G, second, gather(np.asarray(size, dtype=int), weight, N + 1),
                      (weight * exact_array(np.asarray(drawn), law.total)).sum(), G)


class _SizeOnly(View):
    """A view that is only asked how large a batch would be."""

    def draw(self, n: Array, batch: Batch | None = None) -> Batch:
        return Batch(None, n)
