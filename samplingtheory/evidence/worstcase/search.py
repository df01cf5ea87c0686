"""Adversarial search: bad instances of claims that no semidefinite programme can express (whole batch sizes, say).

A box of parameters is searched by restarted differential evolution; each restart draws its own sample, and the exact
one-step ratio is evaluated without noise, so that no search can overfit a seed. What is found is evidence about
finitely many instances, never a proof. Several short restarts beat one long run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...moments import Array, dot
from ...problems.base import EVERY
from ...steps import sums_by_parent

Build = Callable[[Array], Any]
HUGE = 1e9  # what an infinite ratio counts for inside the search


@dataclass(frozen=True)
class Found:
    """The worst instance: parameters in [0, 1]^dims, its ratio measured/bound, and the case that they build.

    best   of each restart      evaluations  of the ratio, in all      first  evaluations until the ratio exceeded 1
    """

    parameters: Array
    value: float
    case: Any
    best: tuple[float, ...] = ()
    evaluations: int = 0
    first: int | None = None

    def archive(self, **extra: Any) -> dict[str, Any]:
        """Plain JSON values from which `replay` rebuilds the instance to the bit."""
        value = self.value if math.isfinite(self.value) else "inf"
        return {"parameters": [float(v) for v in self.parameters], "value": value, **extra}


def search(build: Build, quantity: Callable[[Any], float], dims: int, restarts: int = 4, evaluations: int = 2000,
           rng: Any = None, stop: float = math.inf) -> Found:
    """Largest quantity(build(u)) over u in [0, 1]^dims; `evaluations` a restart, ended early beyond `stop`.

    Parameters for which build or quantity raise ValueError, or the value is NaN, count as -inf; +inf is a violation.
    """
    if dims < 1 or restarts < 1 or evaluations < 10:
        raise ValueError(f"dims = {dims}, restarts = {restarts}, evaluations = {evaluations}; need at least 1, 1, 10")
    from scipy.optimize import differential_evolution

    seen = 0
    first: int | None = None
    top, where = -math.inf, np.full(dims, 0.5)
    best: list[float] = []

    def cost(u: Array) -> float:
        nonlocal seen, first, top, where
        seen += 1
        value = _value(build, quantity, u)
        if value > top:
            top, where = value, np.array(u)
        if value > 1 and first is None:
            first = seen
        best[-1] = max(best[-1], value)
        return float(-np.clip(value, -HUGE, HUGE))

    size = min(max(10, 2 * dims), evaluations // 2)
    for child in np.random.default_rng(rng).spawn(restarts):
        best.append(-math.inf)
        differential_evolution(
            cost, [(0.0, 1.0)] * dims, init=child.random((size, dims)), maxiter=max(1, evaluations // size - 1),
            strategy="rand1bin" if len(best) % 2 else "best1bin", mutation=(0.4, 0.9), recombination=0.8, tol=0,
            atol=0, polish=False, callback=lambda *_, **__: top > stop, **_generator(child))
        if top > stop:
            break
    if top == -math.inf:
        raise ValueError("no parameters gave a value: build or the quantity fails everywhere")
    return Found(where, top, build(where), tuple(best), seen, first)


def _generator(rng: np.random.Generator) -> dict[str, Any]:
    """SciPy 1.15 renamed `seed`."""
    from inspect import signature

    from scipy.optimize import differential_evolution

    return {"rng" if "rng" in signature(differential_evolution).parameters else "seed": rng}


def _value(build: Build, quantity: Callable[[Any], float], u: Array) -> float:
    try:
        value = float(quantity(build(u)))
    except ValueError:
        return -math.inf
    return -math.inf if math.isnan(value) else value


def replay(build: Build, quantity: Callable[[Any], float], record: Mapping[str, Any] | Sequence[float]) -> float:
    """The ratio of an archived instance, evaluated again."""
    parameters = record["parameters"] if isinstance(record, Mapping) else record
    return float(quantity(build(np.asarray(parameters, dtype=float))))


def one_step(case: Any) -> float:
    """Required over achieved decrease, alpha/2 |grad F|^2 / (F(x) - E F(x+)), by enumeration of every batch.

    The one-step lemma of norm-tested SGD with alpha <= 1/(LM) says at most 1; inf where nothing is gained.
    Reads case.problem, .alpha, .x and .n (the batch size at x); source: the one-step lemma, docs/theory.md.
    """
    problem, x = case.problem, np.atleast_2d(case.x)
    batch = problem.draw(x, np.array([float(case.n)]), EVERY)
    ends = x[batch.parent] - case.alpha * batch.moments.mean
    G, middle = problem.gradient(x), (ends + x) / 2  # F(y) - F(x) of a quadratic, without cancellation
    change = float(sums_by_parent(batch.parent, batch.weight * dot(problem.gradient(middle), ends - x), 1)[0])
    required = case.alpha / 2 * float(dot(G, G)[0])
    return required / -change if change < 0 else math.inf
