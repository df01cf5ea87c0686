"""The complete step: what a batch of a given size does to the next iterate, after prox and projection.

    d = x+ - x,  delta = g - grad f(x),  V = E|delta|^2,  C = -E<delta, x+ - x>,  m = |E d|^2,
    v = E|x+ - E x+|^2,  E2 = E|d|^2 = m + v

C is the part of the error that survives the prox; with h = 0, C = alpha V and m = alpha^2 |grad f|^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .moments import Array, Moments, dot
from .problems.base import EVERY, Batch, Problem, follow, take


@dataclass(frozen=True)
class StepMoments:
    """alpha and C, V, m, v, E2 of the complete step, each (R,); `shadow` = E|x+ - xhat|^2, xhat the exact step."""

    alpha: Any
    C: Array
    V: Array
    m: Array
    v: Array
    E2: Array
    shadow: Array


@dataclass(frozen=True)
class _Mean:
    mean: Array


def exact_gradient_step(method: Any, state: Any, gradient: Array) -> Any:
    """The state that the method would reach with the exact gradient."""
    return method.step(state, Batch(_Mean(gradient), np.ones(len(gradient))))


def sums_by_parent(parent: Array, values: Array, size: int) -> Array:
    """Sums over the batches of each point, for values (E,) or (E, d); exact on Fractions."""
    out = np.zeros((size, *values.shape[1:]), dtype=values.dtype)
    np.add.at(out, parent, values)
    return out


def step_moments(method: Any, state: Any, gradient: Array, batch: Batch) -> StepMoments:
    """`StepMoments` from all batches of a size (an enumerated `batch`), one row a point."""
    parent, R = batch.parent, len(state.x)
    if parent is None or batch.weight is None:
        raise ValueError("the moments of a complete step need every batch (rng=EVERY)")
    before = take(state, parent)
    w, delta = batch.weight, batch.moments.mean - follow(gradient, parent)
    d = method.step(before, batch).x - before.x
    exact = exact_gradient_step(method, state, gradient).x - state.x

    def mean(values: Array) -> Array:
        return sums_by_parent(parent, (w if values.ndim == 1 else w[:, None]) * values, R)

    expected = mean(d)
    centred, off = d - follow(expected, parent), d - follow(exact, parent)
    return StepMoments(method.alpha, -mean(dot(delta, d)), mean(dot(delta, delta)), dot(expected, expected),
                       mean(dot(centred, centred)), mean(dot(d, d)), mean(dot(off, off)))


class AtPoint:
    """The exact law at the points of a view, bound to the method whose step is tested."""

    def __init__(self, law: Moments, problem: Problem, method: Any, state: Any) -> None:
        self._law, self._problem, self._method, self._state = law, problem, method, state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._law, name)

    @cached_property
    def mapping(self) -> Array:
        """Squared length of the gradient mapping, |xhat - x|^2 / alpha^2."""
        return _mapping(self._method, self._state, self._law.mean)

    def step(self, n: Array) -> StepMoments:
        """Exact moments of the step that a batch of n[r] samples would make, by enumeration."""
        batch = self._problem.draw(self._state.x, n, EVERY)
        return step_moments(self._method, self._state, self._law.mean, batch)


class AtBatch:
    """A batch's moments, bound to the step that it makes: `mapping` is |x+ - x|^2 / alpha^2, as realised."""

    def __init__(self, batch: Batch, method: Any, state: Any) -> None:
        self._batch, self._method, self._state = batch, method, state
        self.alpha = getattr(method, "alpha", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch.moments, name)

    @cached_property
    def mapping(self) -> Array:
        return _mapping(self._method, take(self._state, self._batch.parent), self._batch.moments.mean)

    @cached_property
    def surviving(self) -> Array:
        """Estimate of 2 alpha C for ONE sample, from B = 8 (2 if n < 8) random blocks of the batch.

        With block means g_b and gt_b = g + (g_b - g)/sqrt(B), which scatters like a batch of n:
        C = -sum_b <gt_b - g, x_b - xbar>/(B - 1), x_b the step of gt_b. inf where n = 1. Source: ours.
        """
        batch = self._batch
        if batch.blocks is None:
            raise ValueError("this problem cannot split a batch into blocks, which the practical inner product test "
                             "on the step needs; use a finite sum")
        n = np.asarray(batch.moments.n, dtype=float)
        with np.errstate(invalid="ignore", divide="ignore"):  # rows with fewer samples than blocks are not read
            return np.where(n >= 8, self._from_blocks(8), np.where(n >= 2, self._from_blocks(2), np.inf))

    def _from_blocks(self, B: int) -> Array:
        batch, method, n = self._batch, self._method, np.asarray(self._batch.moments.n, dtype=float)
        if not (n >= B).any():
            return np.full(len(n), np.inf)
        assert batch.blocks is not None
        g, state = batch.moments.mean, take(self._state, batch.parent)
        moved = g[:, None, :] + (batch.blocks(B) - g[:, None, :]) / np.sqrt(B)
        steps = np.stack([exact_gradient_step(method, state, moved[:, b]).x for b in range(B)], axis=1)
        off = steps - steps.mean(axis=1, keepdims=True)
        C = -((moved - g[:, None, :]) * off).sum((-2, -1)) / (B - 1)
        return n * 2 * method.alpha * np.maximum(C, 0)

    def step(self, n: Array) -> StepMoments:
        raise ValueError("a single batch shows one step, not its expectation: use step='mapping' in practical tests")


def _mapping(method: Any, state: Any, gradient: Array) -> Array:
    if not hasattr(method, "mapping"):
        raise ValueError(f"{type(method).__name__} has no gradient mapping; complete-step tests need SGD or "
                         "ProximalGradient")
    g = method.mapping(state.x, gradient)
    return dot(g, g)
