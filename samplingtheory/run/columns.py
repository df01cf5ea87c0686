"""Columns that a run can record: of points, and of the steps between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..moments import Array, dot
from ..problems.base import Problem
from .view import Step


def _dist2(problem: Problem, state: Any) -> Array:
    z = state.x - problem.constants.minimiser
    return dot(z, z)


def _grad2(problem: Problem, state: Any) -> Array:
    G = problem.gradient(state.x)
    return dot(G, G)


def _of_state(state: Any, name: str) -> Array:
    if not hasattr(state, name):
        raise ValueError(f"record names {name!r}, which {type(state).__name__} has not: it is kept by Backtracking")
    return getattr(state, name)


Column = Callable[[Step], Array]
POINTS: dict[str, Callable[[Problem, Any], Array]] = {
    "gap": lambda problem, state: problem.gap(state.x),
    "grad2": _grad2,
    "dist2": _dist2,
    "lipschitz": lambda problem, state: _of_state(state, "lipschitz"),
    "tries": lambda problem, state: _of_state(state, "tries"),
}
STEPS: dict[str, Column] = {
    "n": lambda s: np.asarray(s.batch.moments.n, dtype=float),
    "drawn": lambda s: np.asarray(s.batch.drawn, dtype=float),
    "g2": lambda s: dot(s.batch.moments.mean, s.batch.moments.mean),
    "inner": lambda s: dot(s.batch.moments.mean, s.law("mean")),
    "error2": lambda s: dot(s.error, s.error),
    "rel_error2": lambda s: dot(s.error, s.error) / np.maximum(s.law("signal"), 1e-300),
    "rel_total": lambda s: s.relative("total"),
    "rel_along": lambda s: s.relative("along"),
    "C": lambda s: s.of_step("C"),
    "V": lambda s: s.of_step("V"),
    "m": lambda s: s.of_step("m"),
    "v": lambda s: s.of_step("v"),
    "E2": lambda s: s.of_step("E2"),
    "shadow": lambda s: s.of_step("shadow"),
    "mhat": lambda s: s.view.method.alpha**2 * s.law("mapping"),
    "reach": lambda s: s.reach,
    "rel_across": lambda s: np.maximum(s.relative("total") - s.relative("along"), 0),
}


def columns(record: Any) -> tuple[dict[str, Any], dict[str, Column]]:
    """`record` as columns of points and columns of steps."""
    record = (record,) if isinstance(record, str) else record
    if not isinstance(record, Iterable):
        raise ValueError(f"record= is {record!r}; give names of columns, or a mapping from names to columns")
    wanted = dict(record) if isinstance(record, Mapping) else {name: name for name in record}
    points = {n: POINTS[c] for n, c in wanted.items() if isinstance(c, str) and c in POINTS}
    steps: dict[str, Any] = {n: STEPS.get(c, c) if isinstance(c, str) else c
                             for n, c in wanted.items() if n not in points}
    for name, column in steps.items():
        if not callable(column):
            raise ValueError(f"record names {name!r}: {column!r}; ready-made are {', '.join([*POINTS, *STEPS])}")
    return points, steps
