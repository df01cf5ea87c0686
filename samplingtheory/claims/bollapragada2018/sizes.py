"""Variance of a batch mean (the finite-population factor) and the sizes that the tests ask for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...criteria import InnerProductTest, NormTest, OrthogonalityTest
from ...evidence.base import Quantity
from ...evidence.exact import AtPoints, Enumerate
from ...methods import SGD
from ...moments import Array, dot
from ...problems.oracles import Oracle, TwoPoint
from ...problems.quadratic import GaussianQuadratic, Quadratic, QuadraticSum
from ...run import Step
from ...sizing import Fixed
from ..base import RECONSTRUCTED, Case, Claim, Hypothesis, Source, Symbols
from ..common import bundled, random_points, small_logistic
from .cases import PAPER

PARTS = ("total", "along", "across")


def _parts(deviation: Array, u: Array) -> tuple[Array, Array, Array]:
    """Squared length of deviations (..., d), along u and across it."""
    total, along = dot(deviation, deviation), dot(deviation, u) ** 2
    return total, along, total - along


def _unit(G: Array) -> Array:
    return G / np.sqrt(dot(G, G))[..., None]


def _measured(part: int) -> Any:
    return lambda step: _parts(step.error, _unit(step.law("mean")))[part]


def _population(part: int) -> Any:
    """V, V_parallel or V_perp with divisor N, straight from the components (not from `Moments`)."""
    def column(step: Step) -> Array:
        problem: Any = step.view.problem
        g, p = problem.atoms(step.before.x)
        G = problem.gradient(step.before.x)
        return (p * _parts(g - G[:, None, :], _unit(G)[:, None, :])[part]).sum(-1)[step.batch.parent]
    return column


def _decomposition(s: Symbols, now: Any, then: Any) -> tuple[Array, Array]:
    N, n = s.N, s.n
    factor = (1.0 if s.replace else (N - n) / (N - 1)) / n
    sides = [(getattr(then, f"m_{p}"), factor * getattr(then, f"v_{p}")) for p in PARTS]
    return np.concatenate([a for a, _ in sides]), np.concatenate([b for _, b in sides])


def _random_sum(replace: bool) -> QuadraticSum:
    rng = np.random.default_rng(2)
    root = rng.standard_normal((7, 3, 3))
    return QuadraticSum(root @ root.swapaxes(-1, -2), rng.standard_normal((7, 3)), replace)


def scheme_case(n: int, replace: bool, told: bool | None = None, problem: Any = None, name: str = "") -> Case:
    problem = problem or _random_sum(replace)
    symbols = Symbols(N=problem.size, n=n, replace=replace if told is None else told)
    how = "with" if replace else "without"
    return Case(name or f"N = 7, d = 3, {n} {how} replacement", problem, SGD(0.1), Fixed(n),
                random_points(4, 3, problem.dim), Enumerate(1), symbols)


SCHEME = Hypothesis("the formula and the draw agree on replacement",
                    lambda case, seen: 0.0 if case.symbols.replace == math.isinf(case.problem.population) else -1.0)

decomposition = Claim(
    id=f"{PAPER}/decomposition", kind="step", title="Variance of a batch mean, with and without replacement",
    source=Source(PAPER, "section 2; finite-population factor as in Byrd et al. 2012", RECONSTRUCTED),
    statement=r"\mathbb{E}\|g-\nabla F\|^2=\frac{V}{s}\cdot\frac{N-s}{N-1}\;(\mathrm{without\ replacement}),\qquad"
              r"\frac{V}{s}\;(\mathrm{with}),\qquad V=V_\parallel+V_\perp",
    explain="An equality, for the whole variance and for its parts along and across the gradient. With replacement "
            "the factor (N-s)/(N-1) is 1; leaving it out is conservative, using it then is not.",
    quantity=Quantity((*((f"m_{p}", _measured(i)) for i, p in enumerate(PARTS)),
                       *((f"v_{p}", _population(i)) for i, p in enumerate(PARTS))), _decomposition, equality=True),
    hypotheses={"scheme": SCHEME},
    tight=(*(scheme_case(n, False) for n in range(1, 7)), *(scheme_case(n, True) for n in (1, 2, 3))),
    generic=(lambda: scheme_case(3, False, problem=small_logistic(), name="logistic sum, 3 of 6 without replacement"),),
    broken={"scheme": (*(scheme_case(n, False, told=True, name=f"factor left out, s = {n}") for n in range(2, 7)),
                       *(scheme_case(n, True, told=False, name=f"factor used with replacement, s = {n}")
                         for n in (2, 3)))},
)


def _share(s: Symbols, view: Any) -> tuple[Array, Array]:
    """Size of the inner product test over that of the norm test, against the paper's expression for beta."""
    law = view.law
    measured = s.inner(law) / NormTest(s.inner_tolerance)(law)
    g, p = view.problem.atoms(view.state.x)
    G = view.problem.gradient(view.state.x)
    second, cosine, signal = (p * dot(g, g)).sum(-1), (p * dot(g, _unit(G)[:, None, :]) ** 2).sum(-1), dot(G, G)
    along, total = cosine - signal, second - signal
    if math.isinf(view.problem.population):
        return measured, along / total
    tau, N = s.inner_tolerance**2 * signal, view.problem.population
    return measured, along / (along + (N - 1) * tau) * (total + (N - 1) * tau) / total


class _Isotropic(GaussianQuadratic):
    """Gaussian noise whose share along any direction is 1/d; two opposite atoms an axis have its covariance."""

    def atoms(self, x: Array) -> tuple[Array, Array]:
        steps = math.sqrt(self.dim * float(self.noise)) * np.concatenate([np.eye(self.dim), -np.eye(self.dim)])
        return self.gradient(x)[:, None, :] + steps, np.full(2 * self.dim, 1 / (2 * self.dim))


def size_case(name: str, problem: Any, x0: Any = None, inner: Any = InnerProductTest) -> Case:
    theta = 0.9
    x0 = random_points(6, 5, problem.dim, 0.3) if x0 is None else x0
    return Case(name, problem, SGD(1.0), Fixed(1), x0, AtPoints(), Symbols(inner=inner(theta), inner_tolerance=theta))


def _real_sizes(name: str, replace: bool) -> Any:
    def build() -> Case:
        from ...problems.regression import LogisticRegression

        A, y = bundled(name)
        problem = LogisticRegression(A, y, replace=replace)
        return size_case(f"{name}, {'with' if replace else 'without'} replacement", problem)
    return build


PARALLEL = Hypothesis("the inner product test reads the variance along the gradient, with the same tolerance",
                      lambda case, seen: 0.0 if isinstance(case.symbols.inner, InnerProductTest) else -1.0)

inner_product_size = Claim(
    id=f"{PAPER}/inner-product-size", kind="statement", title="How many samples the inner product test saves",
    source=Source(PAPER, "section 2", RECONSTRUCTED),
    statement=r"\frac{|S_{\mathrm{ip}}|}{|S_{\mathrm{norm}}|}=\beta(x)=\frac{\mathbb{E}\|\nabla F_i\|^2\cos^2\gamma_i"
              r"-\|\nabla F\|^2}{\mathbb{E}\|\nabla F_i\|^2-\|\nabla F\|^2}\le1",
    explain="An equality for sizes before rounding, gamma_i being the angle between a component's gradient and the "
            "full one. Isotropic noise: 1/d. Without replacement, with tau = theta^2 |grad F|^2, the ratio is "
            "beta (V + (N-1) tau)/(beta V + (N-1) tau), nearer to 1.",
    quantity=Quantity((), _share, equality=True),
    hypotheses={"along": PARALLEL},
    tight=(size_case("isotropic noise, d = 8: beta = 1/8", _Isotropic(np.ones(8), 1.0)),
           size_case("noise along the gradient: beta = 1", Oracle(Quadratic(np.ones(3)), TwoPoint(0.9)))),
    generic=(size_case("random finite sum, with replacement", _random_sum(True)),
             size_case("random finite sum, without replacement", _random_sum(False))),
    real=(_real_sizes("breast_cancer", True), _real_sizes("digits", False)),
    broken={"along": (size_case("along and across exchanged", _Isotropic(np.ones(8), 1.0), inner=OrthogonalityTest),)},
)

CLAIMS = (decomposition, inner_product_size)
