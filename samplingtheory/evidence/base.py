"""What a check found, and what it is allowed to say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..moments import Array

EXACT, CERTIFICATE, MC, ASYMPTOTIC = "EXACT", "CERTIFICATE", "MC", "ASYMPTOTIC"
ROUNDING = 1e-10  # relative error allowed to an exact float computation of some hundred steps


@dataclass(frozen=True)
class Quantity:
    """Measured side and bound of a claim E[measured] <= bound, as functions of recorded columns.

    columns   what must be recorded: names (see `run`) or pairs (name, function of the step)
    sides     step:       (s, now, then) -> (measured, bound), one entry a node; `now` holds the columns at
                          the node, `then` their (expected) values after the step
              statement:  (s, path) -> (measured, bound), rows k = 1..K; `path` holds whole columns
              at points:  (s, view) -> (measured, bound), one entry a point
    equality  the claim says "=": both measured/bound and bound/measured are at most 1
    """

    columns: tuple[Any, ...]
    sides: Callable[..., tuple[Array, Array]]
    equality: bool = False
    horizontal: str = "iteration k"

    def ratio(self, measured: Array, bound: Array) -> Array:
        """measured / bound as a claim reads it: inf where the bound is not positive, 0/0 = 0."""
        measured, bound = np.asarray(measured), np.asarray(bound)
        if any(a.dtype != object and np.isnan(a).any() for a in (measured, bound)):
            raise FloatingPointError("a side of the claim is NaN; the run or the bound broke down")
        if measured.dtype == object or bound.dtype == object:
            quotient = np.vectorize(_quotient, otypes=[object])(measured, bound)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                quotient = np.where(bound > 0, measured / bound, np.where(measured <= 0, 0.0, np.inf))
        if not self.equality:
            return quotient
        quotient = np.where((measured == 0) & (bound == 0), 1, quotient)
        inverse = np.vectorize(_quotient, otypes=[object])(1, quotient)
        return np.maximum(quotient, inverse).astype(quotient.dtype)


def _quotient(a: Any, b: Any) -> Any:
    if b > 0:
        return a / b if a != math.inf else math.inf
    return 0 if a <= 0 else math.inf


@dataclass(frozen=True)
class Evidence:
    """measured / bound at the worst place examined, and how well it is known.

    value         the ratio; the claim says it is at most 1
    lower, upper  what is certain about it: value -+ error (EXACT) or confidence limits at `risk` (MC)
    error         numerical error of `value`, relative
    log_e         log e-value against the claim (MC only)
    confirmed     MC only: the data also show value <= 1 at `risk`
    seen          extremes of the columns that hypotheses read
    series        what a picture needs: rows of k, measured, bound (and more), as plain lists
    """

    grade: str
    value: float
    lower: float
    upper: float
    error: float = 0.0
    where: str = ""
    runs: int = 0
    risk: float = 0.0
    log_e: float = -math.inf
    confirmed: bool = False
    ended: str = ""
    seen: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refutes(self) -> bool:
        """Whether the claim is refuted: beyond numerical error (EXACT), or at `risk` (MC)."""
        if self.grade == MC:
            return self.log_e >= math.log(1 / self.risk)
        return self.lower > 1

    @property
    def resolution(self) -> float:
        """value / lower: how much of the looseness is only lack of runs."""
        if math.isinf(self.lower):
            return 1.0
        return self.value / self.lower if self.lower > 0 else math.inf


def exact_evidence(ratio: Array, where: Callable[[int], str], error: float, **extra: Any) -> Evidence:
    """EXACT evidence from all ratios that were computed; the worst one decides. Fractions carry no error."""
    flat = np.asarray(ratio).ravel()
    if flat.size == 0:
        raise ValueError("nothing was measured: the evidence covers no step and no point")
    worst = int(np.argmax(flat))
    value = float(flat[worst])
    error = 0.0 if flat.dtype == object else error
    if math.isnan(value):
        raise FloatingPointError(f"measured / bound is NaN at {where(worst)}")
    lower = value if math.isinf(value) else value * (1 - error)
    if flat.dtype == object and flat[worst] > 1:
        lower = max(value, math.nextafter(1.0, 2.0))  # an exact excess below float resolution still refutes
    return Evidence(EXACT, value, lower, value * (1 + error), error, where(worst), **extra)


def extremes(columns: Mapping[str, Array]) -> dict[str, float]:
    """Largest value of each column a hypothesis may read."""
    return {name: float(np.max(values)) for name, values in columns.items() if np.size(values)}


def namespace(columns: Mapping[str, Array]) -> SimpleNamespace:
    return SimpleNamespace(**columns)


def _kept(length: int, most: int = 200) -> Array:
    """At most `most` positions of a series, ends included."""
    return np.unique(np.linspace(0, max(length - 1, 0), min(most, length)).astype(int))


def thin(values: Array, most: int = 200) -> list[float]:
    """At most `most` entries of a series, ends included, as plain floats."""
    flat = np.asarray(values, dtype=float).ravel()
    return [float(v) for v in flat[_kept(len(flat), most)]]


def path_series(measured: Array, bound: Array, ratio: Array) -> dict[str, Any]:
    """What a picture needs of both sides (K, S) over k = 1..K: the start or run with the worst ratio."""
    worst = int(np.argmax(ratio.max(axis=0)))
    return {"kind": "path", "k": [int(i) + 1 for i in _kept(len(ratio))], "measured": thin(measured[:, worst]),
            "bound": thin(np.broadcast_to(bound, measured.shape)[:, worst])}


def point_series(ratio: Array) -> dict[str, Any]:
    """What a picture needs of ratios at many nodes or points: sorted."""
    return {"kind": "points", "measured": thin(np.sort(np.asarray(ratio, dtype=float))), "bound": 1.0}
