"""Runs of Adam and RMSProp in the form of the theorems, and what the theorems are told of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ...criteria import CoordinatewiseNormTest, NormTest
from ...evidence.base import Quantity
from ...evidence.simulate import Bet
from ...methods import Adam
from ...moments import Array
from ...problems.base import Constants, follow
from ...problems.separable import LogQuad
from ...run import Step
from ...sizing import Ahead, Fixed
from ..adadagrad2024.cases import noisy, worst_coordinate
from ..adaptive_bounds import bound_adam, bound_adam_pathwise
from ..base import Case, Hypothesis, Symbols
from ..common import robust, up_to

PAPER = "lau2024"
ONE = Fixed(1)


def weighted(step: Step) -> Array:
    """sum_i G_i^2/sqrt(beta2 v_{k-1,i} + (1 - beta2) G_i^2), i one v each."""
    method, v = step.view.method, follow(step.before.v, step.batch.parent)
    G2 = step.law("signal") if method.norm else step.law("mean") ** 2
    terms = G2 / np.sqrt(method.beta2 * v + (1 - method.beta2) * G2)
    return terms if method.norm else terms.sum(-1)


def length(step: Step) -> Array:
    """|G| (one v) or |G|_1 (one v for each coordinate)."""
    return np.sqrt(step.law("signal")) if step.view.method.norm else np.abs(step.law("mean")).sum(-1)


def adam_case(name: str, problem: Any, sizing: Any, x0: Any, evidence: Any, eta: float, beta1: float, beta2: float,
              alpha: float = 0.05, v0: float = 1.0, norm: bool = True, told: Mapping[str, Any] | None = None) -> Case:
    start = np.full(problem.dim, float(x0)) if np.ndim(x0) == 0 else np.asarray(x0, dtype=float)
    G = problem.gradient(start[None])
    symbols = {"Delta": float(problem.gap(start[None])[0]), "L": problem.constants.L, "alpha": alpha, "v0": v0,
               "eta": eta, "beta1": beta1, "beta2": beta2, "d": 1 if norm else problem.dim,
               "grad2": float((G * G).sum())}
    return Case(name, problem, Adam(alpha, beta1, beta2, v0, norm), sizing, start, evidence,
                Symbols(**(symbols | dict(told or {}))))


@lru_cache(maxsize=20_000)
def _bound(which: str, Delta: float, L: float, alpha: float, v0: float, eta: float, beta1: float, beta2: float, K: int,
           d: int) -> tuple[float, float]:
    return {"C": bound_adam, "E": bound_adam_pathwise}[which](Delta, L, alpha, v0, eta, beta1, beta2, K, d)


def bounds(which: str, s: Symbols, K: int, part: int) -> Array:
    """The bound at 1..K as a column, computed at about 60 of them: it grows with K, so an earlier one is smaller."""
    marks = np.unique(np.geomspace(1, K, min(K, 60)).astype(int))
    values = [_bound(which, s.Delta, s.L, s.alpha, s.v0, s.eta, s.beta1, s.beta2, int(k), s.d)[part] for k in marks]
    return np.array(values)[np.searchsorted(marks, np.arange(1, K + 1), side="right") - 1][:, None]


WORST = ("worst", worst_coordinate)


def sums(which: str, column: str = "weighted") -> Quantity:
    """The weighted sum against S, or the sum of lengths against its bound."""
    def sides(s: Symbols, path: Any) -> tuple[Array, Array]:
        measured = up_to(getattr(path, column))
        part = 1 if column == "weighted" else 0
        return measured, np.broadcast_to(bounds(which, s, len(measured), part), measured.shape)
    return Quantity(((column, {"weighted": weighted, "length": length}[column]), WORST, "gap"), sides)


def _tested(case: Case, seen: Mapping[str, float]) -> float:
    found = seen["worst"] if case.symbols.d > 1 else seen["rel_total"]
    return 1 - (1 + found) / (1 + case.symbols.eta**2)


EACH = Hypothesis("the norm test (for one v) or the coordinate-wise test (for d) holds at every iterate", _tested,
                  ("rel_total", "worst"))


def on_logquad(name: str, noise: Any, evidence: Any, eta: float, beta1: float, beta2: float, d: int = 3,
               x0: float = 1.5, **how: Any) -> Case:
    return adam_case(name, noisy(LogQuad(d), noise), ONE, x0, evidence, eta, beta1, beta2, **how)


def on_data(norm: bool) -> Any:
    def build() -> Case:
        problem = robust("breast_cancer" if norm else "diabetes")
        test = (NormTest if norm else CoordinatewiseNormTest)(0.5 if norm else 0.9)
        words = "breast_cancer, RMSProp, norm test" if norm else "diabetes, RMSProp, coordinate-wise test"
        return adam_case(words, problem, Ahead(test), np.zeros(problem.dim), Bet(40, 40), test.eps, 0.0, 0.9, 0.02,
                         norm=norm)
    return build


class WideHuber:
    """F = L x^2/2 for |x| <= 1/L, else |x| - 1/(2L): gradient of length 1 far from the minimiser. Ours."""

    dim, gap_error = 1, 0.0

    def __init__(self, L: float) -> None:
        self.constants = Constants(L, 0.0, np.zeros(1))

    def gradient(self, x: Array) -> Array:
        return np.clip(self.constants.L * x, -1.0, 1.0)

    def gap(self, x: Array) -> Array:
        size, L = np.abs(x[..., 0]), self.constants.L
        return np.where(size * L <= 1, L * size * size / 2, size - 1 / (2 * L))


def far(name: str, noise: Any, evidence: Any, beyond: float, L: float = 1e-6, **how: Any) -> Case:
    """Adam (0.9, 0.999), eta = 0.2, on a wide Huber function from 1/L + beyond."""
    return adam_case(name, noisy(WideHuber(L), noise), ONE, 1 / L + beyond, evidence, 0.2, 0.9, 0.999, 1.0,
                     **how)
