"""Columns, hypotheses and problems of the claims on lagged rules.

z_k = E_k|g_k - G_k|^2 is recorded from the exact law: V(x_k) (1/n_k - 1/N), known before batch k is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ...criteria import KnownVariance, NormTest
from ...methods import SGD
from ...moments import Array, dot, exact_array
from ...problems.base import follow
from ...problems.oracles import Additive, Oracle
from ...problems.quadratic import GaussianQuadratic, Quadratic, QuadraticSum
from ...problems.streams import Stream
from ...run import Step
from ...sizing import Behind, Lagged
from ..base import Case, Hypothesis, Symbols
from ..common import SMOOTH, STRONG, step_at_most
from ..xie2020.cases import Biased
from . import lagged_rates as rates

PAPER = "gap2026"
F = Fraction


# ---------------------------------------------------------------- columns


def _inverse(n: Array, population: float, like: Array) -> Array:
    """1/n - 1/N, exact where `like` holds Fractions; 0 for n = inf."""
    if np.asarray(like).dtype == object:
        return 1 / exact_array(n, like) - (0 if np.isinf(population) else 1 / Fraction(population))
    return 1 / np.asarray(n, dtype=float) - 1 / population


def noise(step: Step) -> Array:
    """z_k = E_k|g_k - G_k|^2, one row a batch."""
    total = step.view.law.total
    return follow(np.asarray(total), step.batch.parent) * _inverse(step.batch.moments.n, step.view.problem.population,
                                                                   total)


def next_noise(step: Step) -> Array:
    """z_{k+1}: the variance of the batch that the sizing will draw after this step."""
    total = np.asarray(step.next_law.total)
    return total * _inverse(np.asarray(step.chosen.n), step.view.problem.population, total)


def _over(z: Array, signal: Array) -> Array:
    z, signal = np.asarray(z, dtype=float), np.asarray(signal, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(z > 0, np.minimum(z / signal, 1e300), 0.0)  # no signal and a finite batch: violated, not NaN


def lag(step: Step) -> Array:
    """z_{k+1} / |g_k|^2: what the lagged norm test bounds by theta^2."""
    return _over(next_noise(step), dot(step.batch.moments.mean, step.batch.moments.mean))


Z, NEXT, LAG = ("z", noise), ("next_z", next_noise), ("lag", lag)


# ---------------------------------------------------------------- hypotheses


RULE = Hypothesis("the lagged test: z_{k+1} <= theta^2 |g_k|^2 on every path, z_k the variance of batch k",
                  lambda case, seen: 1 - seen["lag"] / float(case.symbols.test), ("lag",))
FRESH = Hypothesis("every batch is drawn afresh once its size is fixed, so that E_k g_k = grad F(x_k)",
                   lambda case, seen: -abs(case.problem.q) if isinstance(case.problem, Biased) else 0.0)
LONGEST = step_at_most(lambda s: (2 - 1e-12) / (s.L * rates.growth(s.gain, s.keep)), "the step is below 2/(L M)")
SHORT = step_at_most(lambda s: 1 / (s.L * rates.growth(s.gain, s.keep)), "the step is at most 1/(L M)")
BASIC = {"smooth": SMOOTH, "rule": RULE}
LINEAR = BASIC | {"strongly convex": STRONG, "step": LONGEST}
WATCHED = (Z, LAG)


# ---------------------------------------------------------------- cases


def told(problem: Any, theta2: Any, alpha: Any = None, /, **extra: Any) -> Symbols:
    """What the theorem is told: L and mu of the problem, gain = keep = theta^2, alpha = 1/(L M)."""
    facts = {"L": problem.constants.L, "mu": problem.constants.mu, "test": theta2}
    facts |= {"gain": theta2, "keep": theta2} | extra
    facts["alpha"] = 1 / (facts["L"] * rates.growth(facts["gain"], facts["keep"])) if alpha is None else alpha
    return Symbols(**facts)


def norm_rule(theta2: Any, total: Any, start: float = 1, real: bool = True, **how: Any) -> Behind:
    """n_{k+1} >= total/(theta^2 |g_k|^2); real n, or whole n >= 1."""
    how = {"monotone": False, "integer": not real} | ({"least": 1e-300, "cap": 1e300} if real else {"least": 1}) | how
    return Behind(KnownVariance(NormTest(theta2**0.5), total), start, **how)


def case(name: str, problem: Any, theta2: Any, sizing: Any, x0: Any, evidence: Any, /, *, alpha: Any = None,
         used: Any = None, method: Callable[[Any], Any] = SGD, **extra: Any) -> Case:
    """The theorem is told theta2 and alpha (default 1/(L M)); the run uses `sizing` and the step `used`."""
    symbols = told(problem, theta2, alpha, **extra)
    x0 = np.asarray(x0) if np.asarray(x0).dtype == object else np.asarray(x0, dtype=float)
    return Case(name, problem, method(symbols.alpha if used is None else used), sizing, x0, evidence, symbols)


def isotropic(d: int = 1, variance: float = 1.0, L: float = 1.0) -> GaussianQuadratic:
    """F = L|x|^2/2 with Gaussian noise of total variance `variance`."""
    return GaussianQuadratic(np.full(d, L), variance / d)


def stretched(mu: float, along: int, L: float = 1.0) -> GaussianQuadratic:
    """diag(mu, L), noise of variance 1 along axis `along` only."""
    return GaussianQuadratic(np.array([mu, L]), np.eye(2)[along])


def streaming(d: int, law: Any, hessian: Any = None, axis: bool = False) -> Stream:
    """A quadratic with eigenvalues 0.1 to 1 (or `hessian`) under noise of total variance 1."""
    H = np.geomspace(0.1, 1, d) if hessian is None else hessian
    direction = np.full(d, d**-0.5) if axis else None
    return Stream(Quadratic(H), 1.0, law, direction)


def power_tail(d: int = 1, levels: int = 14) -> Oracle:
    """F = |x|^2/2 with noise +-2^j along x_1, probability ~ 8^-j: variance 1, tail exponent 3, cut off at 2^levels."""
    sizes = 2.0 ** np.arange(levels)
    p = sizes**-3.0 / (sizes**-3.0).sum() / 2
    values = np.concatenate([sizes, -sizes])
    scale = (values**2 @ np.tile(p, 2)) ** -0.5
    return Oracle(Quadratic(np.ones(d)), Additive(scale * values[:, None] * np.eye(1, d), np.tile(p, 2)))


def rare(probability: float = 0.001, d: int = 1) -> Oracle:
    """F = |x|^2/2 with skewed noise of variance 1 along x_1: one sample in 1/probability carries all of it."""
    q = (probability / (1 - probability)) ** 0.5
    return Oracle(Quadratic(np.ones(d)), Additive(np.array([[1 / q], [-q]]) * np.eye(1, d),
                                                  np.array([probability, 1 - probability])))


def five(distinct: bool) -> QuadraticSum:
    """f_i = h_i (x - c_i)^2/2, N = 5, c = (0, 1, -1, 2, -2), h = (1..5) or 1; in Fractions."""
    h = [F(i + 1) if distinct else F(1) for i in range(5)]
    c = [F(0), F(1), F(-1), F(2), F(-2)]
    return QuadraticSum(np.array(h, dtype=object), np.array([[a * b] for a, b in zip(h, c, strict=True)], dtype=object))


def fractions(*values: Any) -> Array:
    return np.array([F(v) for v in values], dtype=object)


def five_case(distinct: bool, theta: Fraction, evidence: Any, **how: Any) -> Case:
    """The lagged rule with the variance of the next point known, on five samples from x = 3, in rationals."""
    problem = five(distinct)
    L = F(3) if distinct else F(1)
    kind = f"five samples, {'distinct' if distinct else 'equal'} Hessians, theta = {theta}"
    return case(kind, problem, theta * theta,
                Lagged(NormTest(theta), start=2, cap=5), fractions(3), evidence, L=L, mu=L, **how)


def exact_rule(theta: float, start: float = 1, **how: Any) -> Lagged:
    """n_{k+1} from the exact variance at x_{k+1} and |g_k|^2."""
    return Lagged(NormTest(theta), start, **how)
