"""The worst law of a random number, by linear programming: inf E f(X) over E X = 1, E (X - 1)^2 <= variance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linprog

from ..moments import Array
from .base import CERTIFICATE, Evidence, Quantity

FEASIBLE = 1e-7  # what the solver leaves of the constraints, relative


def worst_law(f: Callable[[Array], Array], variance: float, points: int = 300,
              rounds: int = 3) -> tuple[Array, Array, float]:
    """(atoms, probabilities, dual value) of the worst law on a grid, refined around its atoms.

    The law is feasible, so its E f bounds the infimum from above; the dual value bounds it on the last grid only.
    """
    near = np.geomspace(1e-6, 30.0, points)
    grid, width = np.concatenate([-near, [0.0], near, np.linspace(0.5, 4.0, points)]), 10.0 / points
    for _ in range(rounds):
        grid = np.unique(grid)
        found = linprog(f(grid), A_ub=[(grid - 1) ** 2], b_ub=[variance], A_eq=[np.ones(len(grid)), grid],
                        b_eq=[1.0, 1.0], bounds=(0, None), method="highs")
        if not found.success:
            raise ValueError(f"the linear programme over laws was not solved: {found.message}")
        x, held = grid, found.x > 1e-12
        grid = np.concatenate([grid, *(a * (1 + np.linspace(-width, width, 41)) for a in x[held])])
        width /= 10
    dual = float(found.eqlin.marginals.sum() + variance * found.ineqlin.marginals[0])
    return x[held], found.x[held], dual


@dataclass(frozen=True)
class WorstLaw:
    """A lower bound on E f(X) over all laws with E X = 1, E (X - 1)^2 <= variance, against the worst law.

    The case's problem is f; sides(s, value) gives (claimed lower bound, value): the ratio is claimed/attained. `dual`,
    if given, maps symbols to (a, b, c): a + b (x - 1) + c (x - 1)^2 <= f(x), a proof of the claim where it is
    nowhere above f; here that is looked at on a fine grid only, so the grade's word stays "numerical".
    """

    dual: Callable[[Any], tuple[float, float, float]] | None = field(default=None, repr=False)

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        atoms, p, dual = worst_law(case.problem, case.symbols.variance)
        p = p / p.sum()
        off = max(abs(p @ atoms - 1), float(p @ (atoms - 1) ** 2) - case.symbols.variance)
        attained = float(p @ case.problem(atoms))
        claimed, _ = quantity.sides(case.symbols, attained)
        value = claimed / attained if attained > 0 else math.inf
        sound = off <= FEASIBLE * max(1.0, float(np.abs(atoms).max()) ** 2)
        words = f"worst law between {atoms[0]:.3g} and {atoms[-1]:.3g}, {len(atoms)} atoms" + self._above(case)
        series = {"kind": "law", "primal": attained, "dual": dual, "attained": attained, "claimed": claimed,
                  "certificate": words, "paper": math.nan}
        lower = value * (1 - 1e-6) if sound else 0.0
        return Evidence(CERTIFICATE, value, lower, value, 1e-6, words, series=series)

    def _above(self, case: Any) -> str:
        """What the closed-form dual shows on a fine grid; an error if it exceeds f."""
        if self.dual is None:
            return ""
        a, b, c = self.dual(case.symbols)
        near = np.geomspace(1e-9, 1e3, 40_001)
        x = np.concatenate([-near[::-1], near])
        slack = case.problem(x) - (a + b * (x - 1) + c * (x - 1) ** 2)
        if slack.min() < -1e-11:
            raise ValueError(f"the dual function lies {-slack.min():.2g} above f at {x[slack.argmin()]:.6g}")
        return f"; closed-form dual {a + c * case.symbols.variance:.6f}, nowhere above"


__all__ = ["WorstLaw", "worst_law"]
