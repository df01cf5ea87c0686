"""Hypotheses, sides and small problems that several papers' claims share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..moments import Array
from .base import Case, Hypothesis, Symbols


def theory(problem: Any, growth: float, alpha: float | None = None, **extra: Any) -> Symbols:
    """What the theorem is told of a problem: its certified L and mu, the growth M, and alpha = 1/(L M)."""
    L, mu = problem.constants.L, problem.constants.mu
    told = {"L": L, "mu": mu, "growth": growth, "alpha": 1 / (L * growth) if alpha is None else alpha} | extra
    return Symbols(**told)


def _smooth(case: Case, seen: Mapping[str, float]) -> float:
    return case.symbols.L / case.problem.constants.L - 1


def _strong(case: Case, seen: Mapping[str, float]) -> float:
    return case.problem.constants.mu / case.symbols.mu - 1


def _growth(case: Case, seen: Mapping[str, float]) -> float:
    return 1 - (1 + seen["rel_total"]) / case.symbols.growth


SMOOTH = Hypothesis("F lies below its quadratic upper bound with the constant L that the bound uses, as it does if its "
                    "gradient is L-Lipschitz", _smooth)
STRONG = Hypothesis("F is strongly convex with the constant mu that the bound uses", _strong)
TEST = Hypothesis("the test holds at every iterate: E|g|^2 <= M |grad F|^2, M = 1 + eps^2 or 1 + theta^2 + nu^2",
                  _growth, ("rel_total",))
CONVEX = Hypothesis("F is convex", lambda case, seen: case.problem.constants.mu)


def step_at_most(limit: Callable[[Symbols], float], words: str) -> Hypothesis:
    """The step that is really made: the one that the bound was told, and not longer than the theorem allows."""
    def margin(case: Case, seen: Mapping[str, float]) -> float:
        told = 1e-9 - abs(case.method.alpha / case.symbols.alpha - 1)
        return min(limit(case.symbols) / case.method.alpha - 1 + 1e-12, told)
    return Hypothesis(words, margin)


INSIDE = Hypothesis("the iterates stay in the ball on which the constants are certified",
                    lambda case, seen: 1 - seen["reach"], ("reach",))
SHORT_STEP = step_at_most(lambda s: 1 / (s.L * s.growth), "the step is at most 1/(L M)")


def running_min(values: Array) -> Array:
    return np.minimum.accumulate(values, axis=0)


def up_to(values: Array) -> Array:
    """Row k-1 holds the sum of rows 0..k-1."""
    return np.cumsum(values, axis=0)


def iterations(path_column: Array) -> Array:
    """k = 1..K as a column, for a column of rows 0..K."""
    return np.arange(1, len(path_column))[:, None]


def random_points(rng: int, R: int, d: int, scale: float = 1.0) -> Array:
    return scale * np.random.default_rng(rng).standard_normal((R, d))


def small_logistic(replace: bool = False) -> Any:
    """The N = 6, d = 2 ridge-logistic sum whose trees are enumerated; the instance is fixed by its seed."""
    from ..problems.regression import LogisticRegression

    rng = np.random.default_rng(1)
    A = rng.standard_normal((6, 2))
    y = np.where(rng.random(6) < 0.5, -1.0, 1.0)
    y[:2] = 1.0, -1.0
    return LogisticRegression(A, y, ridge=0.1, replace=replace)


def bundled(name: str) -> tuple[Array, Array]:
    """(A, y) of a data set shipped with scikit-learn: 'breast_cancer', 'digits' (two classes) or 'diabetes'."""
    from ..problems.data import breast_cancer, diabetes, digits

    return {"breast_cancer": breast_cancer, "digits": digits, "diabetes": diabetes}[name]()


def real(name: str) -> Any:
    """Ridge-logistic regression on a data set shipped with scikit-learn (ridge 1/N)."""
    from ..problems.regression import LogisticRegression

    return LogisticRegression(*bundled(name))


def robust(name: str, loss: str = "Geman-McClure", replace: bool = False) -> Any:
    """Regression with a bounded loss, 'Geman-McClure' or 'Tukey', on a data set that `bundled` knows."""
    from ..problems.robust import GemanMcClure, Tukey

    return {"Geman-McClure": GemanMcClure, "Tukey": Tukey}[loss](*bundled(name), replace=replace)


def cosine_sum(N: int = 6) -> Any:
    """F = (1/N) sum_i (1 - cos a_i x), x in R: nonconvex, F_min = 0 at 0, L = mean a_i^2."""
    from ..problems.base import Constants
    from ..problems.finite import FiniteSum

    a = np.linspace(0.5, 1.5, N)
    return FiniteSum(
        lambda x: (a * np.sin(a * x))[:, :, None],
        lambda x: (2 * np.sin(a * x / 2) ** 2).mean(1),
        Constants(float((a * a).mean()) * (1 + 1e-12), -float((a * a).mean()) * (1 + 1e-12), np.zeros(1)), N, 1,
    )
