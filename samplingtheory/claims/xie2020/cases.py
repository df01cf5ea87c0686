"""Problems, hypotheses and cases that the claims on complete steps share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...criteria import StepInnerProductTest, StepNormTest
from ...evidence.exact import Enumerate
from ...methods import ProximalGradient
from ...moments import Array, dot
from ...problems.base import Batch, Constants
from ...problems.composite import Composite
from ...problems.finite import FiniteSum
from ...problems.prox import L1, Ball, Box, Nuclear, Simplex
from ...problems.quadratic import QuadraticSum
from ...run import Step
from ...sizing import Ahead, Fixed, SameBatch
from ..base import Case, Hypothesis, Symbols

PAPER = "xie2020"
ONE = Fixed(1)


def composite_case(name: str, problem: Any, sizing: Any, x0: Any, evidence: Any, alpha: float,
                   told: float | None = None, note: str = "", **extra: Any) -> Case:
    """Proximal gradient with step alpha; the theorem is told `told` (default alpha) and the constants of f."""
    s = {"L": problem.constants.L, "mu": problem.constants.mu, "alpha": alpha if told is None else told} | extra
    return Case(name, problem, ProximalGradient(alpha, problem.h), sizing, np.asarray(x0, dtype=float), evidence,
                Symbols(**s), note)


def random_sum(seed: int, N: int = 4, d: int = 2, flat: bool = False) -> QuadraticSum:
    """f_i = (x - b_i)'A_i(x - b_i)/2, random positive semidefinite A_i (their mean singular if `flat`)."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((N, d, d))
    A = root @ root.swapaxes(-1, -2) / d
    if flat:
        u = rng.standard_normal(d)
        P = np.eye(d) - np.outer(u, u) / (u @ u)
        A = P @ A @ P
    return QuadraticSum(A, (A @ rng.standard_normal((N, d, 1)))[..., 0])


def plain_sum(hessian: Any = (1.0, 1.0)) -> QuadraticSum:
    """x'Hx/2, H diagonal, as the mean of four components whose noise is one unit along each half axis."""
    return QuadraticSum(np.array([hessian] * 4), np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]))


def regularisers(d: int = 2) -> dict[str, tuple[Any, Array]]:
    """h by name, with a starting point in its domain."""
    return {"l1": (L1(0.3), np.full(d, 2.0)), "box": (Box(np.zeros(d), np.ones(d)), np.ones(d)),
            "simplex": (Simplex(), np.eye(d)[0]), "ball": (Ball(1.0), np.eye(d)[0])}


def family(evidence: Any, alpha: Callable[[Any], float], sizing: Any, seed: int = 8, **extra: Any) -> tuple[Any, ...]:
    """One case a regulariser, d = 2, N = 4, and the nuclear norm on 2 x 2 matrices; with seed 8 n < N in each."""
    def build(name: str) -> Callable[[], Case]:
        def case() -> Case:
            if name == "nuclear":
                smooth, h, x0 = random_sum(seed, d=4), Nuclear(0.3, (2, 2)), np.ones(4)
            else:
                smooth, (h, x0) = random_sum(seed), regularisers()[name]
            problem = Composite(smooth, h)
            return composite_case(f"quadratic sum, N = 4, {name}", problem, sizing, x0, evidence, alpha(problem),
                                  **extra)
        return case
    return tuple(build(name) for name in ("l1", "box", "simplex", "ball", "nuclear"))


def attained(mu: float, L: float, s: float, p: float, alpha: float, name: str, evidence: Any = None, batch: Any = ONE,
             **how: Any) -> Case:
    """Instances T1 and T2: f_i = (mu x^2 + L y^2)/2 +- s y, h = c|y| with c = s - p/alpha, from (1, 0)."""
    smooth = QuadraticSum(np.array([[mu, L]] * 2), np.array([[0.0, s], [0.0, -s]]))
    problem = Composite(smooth, L1(np.array([0.0, s - p / alpha])))
    return composite_case(name, problem, batch, [1.0, 0.0], evidence or Enumerate(1), alpha, **how)


def t1(mu: float, L: float, xi: float, alpha: float, **how: Any) -> Case:
    """(3d) attained: s = sqrt(xi) mu, p = alpha s/(2 - alpha L)."""
    s = xi**0.5 * mu
    return attained(mu, L, s, alpha * s / (2 - alpha * L), alpha, f"T1: mu = {mu}, L = {L}, xi = {xi}, alpha = {alpha}",
                    xi=xi, **how)


def t2(mu: float, L: float, eta: float, alpha: float, p: float, **how: Any) -> Case:
    """(3c) approached as p -> 0: s p = (eta/(2 alpha)) ((alpha mu)^2 + p^2)."""
    s = eta / (2 * alpha) * ((alpha * mu) ** 2 + p * p) / p
    return attained(mu, L, s, p, alpha, f"T2: mu = {mu}, L = {L}, eta = {eta}, alpha = {alpha:g}, p = {p}",
                    eta=eta, **how)


def bent(mu: float, L: float, xi: float, alpha: float, knee: float) -> Case:
    """T1 with p(x) in the place of mu x^2/2, p'' = mu for |x| <= knee and L beyond: worse than T1 for large xi."""
    slope = mu * knee + L * (1 - knee)  # p'(1)
    s = xi**0.5 * slope

    def rise(x: Array) -> Array:  # p(x) + L y^2/2
        beyond = np.maximum(np.abs(x[:, 0]) - knee, 0)
        return (mu * x[:, 0] ** 2 + (L - mu) * beyond**2 + L * x[:, 1] ** 2) / 2

    def gradients(x: Array) -> Array:
        beyond = np.maximum(np.abs(x[:, 0]) - knee, 0) * np.sign(x[:, 0])
        mean = np.stack([mu * x[:, 0] + (L - mu) * beyond, L * x[:, 1]], axis=-1)
        return mean[:, None, :] + np.array([[0.0, s], [0.0, -s]])

    smooth: Any = FiniteSum(gradients, rise, Constants(L, mu, np.zeros(2)), 2, 2)
    smooth.bregman = lambda x, y: rise(x) - rise(y[None]) - (x - y) @ gradients(y[None]).mean(1)[0]
    problem = Composite(smooth, L1(np.array([0.0, s - s / (2 - alpha * L)])), minimiser=np.zeros(2))
    return composite_case(f"bent T1: mu = {mu}, L = {L}, xi = {xi}, alpha = {alpha}, knee {knee}", problem, ONE,
                          [1.0, 0.0], Enumerate(1), alpha, xi=xi)


class _Moved:
    """A batch's moments with another mean."""

    def __init__(self, base: Any, mean: Array) -> None:
        self._base, self.mean, self.signal = base, mean, dot(mean, mean)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)


class Biased:
    """A problem whose batches carry (1 + q) times their gradient: the law says the truth, the draw does not."""

    def __init__(self, problem: Any, q: float) -> None:
        self._problem, self.q = problem, q

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def draw(self, x: Array, n: Array, rng: Any) -> Batch:
        batch = self._problem.draw(x, n, rng)
        return replace(batch, moments=_Moved(batch.moments, (1 + self.q) * batch.moments.mean))


# ---------------------------------------------------------------- hypotheses


def bias(step: Step) -> Array:
    """|E g - grad F| / |grad F|, one row a batch; a fresh random batch of a size fixed before it is unbiased."""
    from ...steps import sums_by_parent

    batch = step.batch
    if batch.parent is None or batch.weight is None:
        return np.zeros(len(batch.drawn))
    G = step.view.law.mean
    expected = sums_by_parent(batch.parent, batch.weight[:, None] * batch.moments.mean, len(G))
    scale = np.maximum(np.sqrt((G * G).sum(-1)), 1e-300)
    return (np.sqrt(((expected - G) ** 2).sum(-1)) / scale)[batch.parent]


def eta_of(step: Step) -> Array:
    """The eta with which condition (M) holds: 2 alpha C / E2 by enumeration, or what N3 implies on large data."""
    if step.batch.parent is not None:
        C, E2 = np.maximum(step.of_step("C"), 0), step.of_step("E2")
        C = np.where(C <= 1e-15 * step.of_step("V"), 0, C)
        return np.where(C > 0, 2 * step.view.method.alpha * C / np.where(E2 > 0, E2, 1e-300), 0)
    xi3 = step.law("total") * step.shrink / step.law("mapping")
    with np.errstate(invalid="ignore", divide="ignore"):
        xi1 = np.where(xi3 < 1, xi3 / (1 - np.sqrt(xi3)) ** 2, 1e6)
    return np.where(xi1 <= 1, 2 * xi1 / (1 + xi1), 2 * xi1)


def xi_of(step: Step) -> Array:
    """The xi with which condition (N1) holds: alpha^2 V / |E d|^2."""
    V, m = step.of_step("V"), step.of_step("m")
    return np.where(V > 0, step.view.method.alpha**2 * V / np.where(m > 0, m, 1e-300), 0)


SMOOTH = Hypothesis("the gradient of f is Lipschitz with the constant L that the bound uses",
                    lambda case, seen: case.symbols.L / case.problem.constants.L - 1)
STRONG = Hypothesis("f is strongly convex with the constant mu that the bound uses",
                    lambda case, seen: 1 - case.symbols.mu / case.problem.constants.mu)
UNBIASED = Hypothesis("the batch gradient is unbiased given the iterate",
                      lambda case, seen: -1.0 if isinstance(case.sizing, SameBatch) else 1e-9 - seen["bias"], ("bias",))
MASTER = Hypothesis("condition (M, eta): C <= (eta / (2 alpha)) E|x+ - x|^2 at every iterate",
                    lambda case, seen: case.symbols.eta - seen["eta"], ("eta",))
NORM = Hypothesis("condition (N1, xi): V <= (xi / alpha^2) |E x+ - x|^2 at every iterate",
                  lambda case, seen: case.symbols.xi - seen["xi"], ("xi",))
WATCH: tuple[tuple[str, Callable[[Step], Array]], ...] = (("bias", bias), ("eta", eta_of))
WATCH_NORM: tuple[tuple[str, Callable[[Step], Array]], ...] = (("bias", bias), ("xi", xi_of))


def by_master(eta: float) -> Ahead:
    return Ahead(StepInnerProductTest(eta))


def by_mapping(xi: float) -> Ahead:
    return Ahead(StepNormTest(xi, "mapping"))
