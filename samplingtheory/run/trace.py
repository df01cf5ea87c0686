"""What a run leaves behind."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Rational, Real
from typing import Any

import numpy as np

from ..moments import Array


@dataclass
class Trace:
    """Recorded columns: rows 0..K of point columns (gap, ...), rows 0..K-1 of step columns (n, ...).

    Rectangular (K, R) in simulation; under EVERY row k has one entry a node, with probability
    `weight[k]`, start `origin[k]`, and edges (parent, probability, child) to row k + 1. `final` is the method's state at
    the end, of a stopped replicate at its stop.
    """

    points: dict[str, list[Array]]
    steps: dict[str, list[Array]]
    weight: list[Array]
    origin: list[Array]
    edges: list[tuple[Array, Array, Array]] = field(default_factory=list)
    final: Any = None

    def add(self, steps: dict[str, Array], points: dict[str, Array]) -> None:
        """One more row of every column, refused where it is not finite."""
        for columns, rows in ((self.steps, steps), (self.points, points)):
            for name, row in rows.items():
                columns[name].append(_checked(name, len(columns[name]), row))

    def carry(self) -> None:
        """The nodes stay what they are, one row on: a step of a simulation."""
        self.weight.append(self.weight[-1])
        self.origin.append(self.origin[-1])

    def __getitem__(self, name: str) -> Array:
        """Column `name` as an array (K + 1, R) or (K, R); simulations only."""
        if self.edges:
            raise ValueError(f"column {name!r} is ragged under EVERY; use means({name!r})")
        return np.array(self._rows(name) or np.empty((0, len(self.weight[0]))))

    def _rows(self, name: str) -> list[Array]:
        if name not in self.points and name not in self.steps:
            known = ", ".join([*self.points, *self.steps])
            raise KeyError(f"no column {name!r} was recorded; recorded: {known}; name it in record=")
        return self.points.get(name) or self.steps[name]

    def means(self, name: str) -> Array:
        """E[column] per row and start, (K + 1, S) or (K, S): exact under EVERY, an average otherwise."""
        rows, out = self._rows(name), []
        starts = int(self.origin[0].max()) + 1
        at_nodes = name in self.points
        for k, row in enumerate(rows):
            weight, origin = self.weight[k], self.origin[k]
            if not at_nodes and self.edges:
                parent, probability, _ = self.edges[k]
                weight, origin = weight[parent] * probability, origin[parent]
            out.append(gather(origin, weight * row, starts) / gather(origin, weight, starts))
        return np.array(out)

    def given(self, name: str, k: int) -> Array:
        """E[column of step k, or point column after step k | node of row k], one a node; EVERY only."""
        parent, probability, child = self.edges[k]
        row = self.steps[name][k] if name in self.steps else self.points[name][k + 1][child]
        return gather(parent, probability * row, len(self.weight[k]))


def not_finite(values: Array) -> Array:
    """Which entries are NaN, infinite or no numbers; exact on Fractions, however long."""
    if values.dtype != object:
        return ~np.isfinite(values)
    good = [isinstance(v, Rational) or (isinstance(v, Real) and math.isfinite(v)) for v in values.ravel()]
    return ~np.array(good, dtype=bool).reshape(values.shape)


def _checked(name: str, k: int, row: Array) -> Array:
    if (bad := not_finite(row)).any():
        what = "NaN or infinite" if row.dtype != object else "NaN, infinite or no number"
        raise FloatingPointError(
            f"step {k}: column {name!r} is {what} in {bad.sum()} of {row.size} replicates; "
            "the run diverged (step too long?) or the problem returned a bad value"
        )
    return row


def empty_trace(points: Iterable[str], steps: Iterable[str], x: Array, origin: Array, state: Any) -> Trace:
    """The trace of a run from the points x (R, d), each with probability (or weight) 1."""
    weight = np.full(len(x), 1, dtype=object) if x.dtype == object else np.ones(len(x))
    return Trace({name: [] for name in points}, {name: [] for name in steps}, [weight], [origin], final=state)


def gather(index: Array, values: Array, size: int) -> Array:
    """Sums of `values` by index, exact on Fractions."""
    if values.dtype != object:
        return np.bincount(index, values, minlength=size)
    out = np.full(size, 0, dtype=object)
    np.add.at(out, index, values)
    return out
