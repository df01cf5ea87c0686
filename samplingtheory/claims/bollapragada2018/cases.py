"""Cases that the claims of this paper share."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...criteria import NormTest
from ...methods import SGD
from ...problems.oracles import FourAtoms, Oracle
from ...problems.quadratic import Quadratic
from ...sizing import Ahead, Fixed
from ..base import Case
from ..common import (
    real,
    small_logistic,
    theory,
)

PAPER = "bollapragada2018"
ONE = Fixed(1)
PAIRS = ((0.0, 0.0), (0.3, 0.4), (0.9, 1.0), (0.9, 5.84))  # (theta, nu): M = 1, 1.25, 2.81, 35.9156


def four_atoms(theta: float, nu: float, hessian: Any = (1.0, 1.0)) -> Oracle:
    return Oracle(Quadratic(np.asarray(hessian)), FourAtoms(theta, nu))


def growth_of(theta: float, nu: float) -> float:
    return 1 + theta**2 + nu**2


def sgd_case(name: str, problem: Any, sizing: Any, x0: Any, evidence: Any, growth: float,
             alpha: float | None = None, used: float | None = None, note: str = "", **extra: Any) -> Case:
    """A case of SGD whose theorem is told `alpha` (default 1/(L M)) and whose run uses `used` (default alpha)."""
    symbols = theory(problem, growth, alpha, **extra)
    method = SGD(symbols.alpha if used is None else used)
    return Case(name, problem, method, sizing, np.asarray(x0, dtype=float), evidence, symbols, note)


def tight_four(evidence: Any, hessian: Any = (1.0, 1.0), **how: Any) -> tuple[Case, ...]:
    return tuple(
        sgd_case(f"four atoms, theta = {t}, nu = {v}", four_atoms(t, v, hessian), ONE, [1.0, 0.5], evidence,
                 growth_of(t, v), **how)
        for t, v in PAIRS
    )


def logistic_tree(eps2: float, evidence: Any) -> Any:
    def build() -> Case:
        return sgd_case(f"logistic sum N = 6, norm test eps^2 = {eps2}", small_logistic(), Ahead(NormTest(eps2**0.5)),
                        [2.0, -1.5], evidence, 1 + eps2)
    return build


def on_data(name: str, criterion: Any, growth: float, evidence: Any) -> Any:
    def build() -> Case:
        problem = real(name)
        return sgd_case(f"{name} (logistic)", problem, Ahead(criterion), np.zeros(problem.dim), evidence, growth)
    return build


def told_half(evidence: Any) -> Case:
    """L = 1 and the theorem told 1/2 (and mu = 1/2): its step 1/(L M) is twice too long."""
    return sgd_case("told L = 1/2", four_atoms(0.3, 0.4), ONE, [1.0, 0.5], evidence, 1.25, L=0.5, mu=0.5,
                    alpha=2 / 1.25)
