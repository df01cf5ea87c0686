"""Linear rates: the paper's, one step at a time and over k steps, and the best one-step rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...criteria import AugmentedInnerProductTest, NormTest
from ...evidence.base import Quantity
from ...evidence.exact import Enumerate, Recursion
from ...evidence.simulate import Bet
from ...problems.nonconvex import TwoCurvature
from ...problems.oracles import Along, Oracle, TwoPoint
from ...problems.quadratic import GaussianQuadratic, Quadratic
from ...sizing import Ahead
from ..base import OURS, RECONSTRUCTED, Case, Claim, Source, Symbols
from ..common import (
    SHORT_STEP,
    SMOOTH,
    STRONG,
    TEST,
    iterations,
    step_at_most,
)
from .cases import ONE, PAPER, four_atoms, logistic_tree, on_data, sgd_case, tight_four, told_half


def rate(s: Symbols) -> float:
    """1 - 2 mu alpha (1 - alpha L M / 2): at alpha = 1/(LM) the paper's 1 - mu/(LM)."""
    return 1 - 2 * s.mu * s.alpha * (1 - s.alpha * s.L * s.growth / 2)


def powers(base: float, path_column: Any) -> Any:
    return base ** iterations(path_column).astype(float)


MILD = GaussianQuadratic(np.array([1.0, 1.0, 1.0, 1.0, 1.0]), 1.0)
STRETCHED = GaussianQuadratic(np.geomspace(0.1, 1, 5), 1.0)


def _steep_start() -> Case:
    problem = Oracle(Quadratic(np.array([0.01, 1.0])), TwoPoint(1.81**0.5))
    return sgd_case("step 2.2/(LM), start along the largest curvature", problem, ONE, [0.0, 1.0], Recursion(50), 2.81,
                    used=2.2 / 2.81)


def stretched_told(q: float, told: float, evidence: Any = None, start: Any = (1.0, 0.0)) -> Case:
    """Start along the smallest curvature, with the theorem told a larger mu."""
    problem = Oracle(Quadratic(np.array([q, 1.0])), TwoPoint(0.5))
    return sgd_case(f"mu = {q}, told {told}", problem, ONE, start, evidence or Enumerate(1), 1.25, mu=told)


HYPOTHESES = {"smooth": SMOOTH, "strongly convex": STRONG, "step": SHORT_STEP, "test": TEST}

strongly_convex_step = Claim(
    id=f"{PAPER}/strongly-convex-step", kind="step", title="Linear rate, one step at a time",
    source=Source(PAPER, "Theorem 3.2, one step (numbering recalled)", RECONSTRUCTED),
    statement=r"\mathbb{E}_k[F(x_{k+1})-F^*]\le\left(1-2\mu\alpha\left(1-\frac{\alpha LM}{2}\right)\right)"
              r"(F(x_k)-F^*),\qquad\alpha\le\frac{1}{LM}",
    explain="At alpha = 1/(LM) the paper's factor 1 - mu/(LM). The form that the proof establishes and the most "
            "powerful check: bets on one-step ratios along runs.",
    quantity=Quantity(("gap",), lambda s, now, then: (then.gap, rate(s) * now.gap)),
    hypotheses=HYPOTHESES,
    tight=(*tight_four(Enumerate(3))[1:],
           sgd_case("Gaussian, isotropic, real n", MILD, Ahead(NormTest(0.5), integer=False),
                    np.full(5, 1e4), Bet(20, 1000), 1.25)),
    generic=(logistic_tree(0.5, Enumerate(4)), logistic_tree(2.0, Enumerate(4)),
             sgd_case("Gaussian, condition 10", STRETCHED, Ahead(NormTest(0.5)), np.ones(5), Bet(20, 1000), 1.25)),
    real=(on_data("breast_cancer", NormTest(0.9), 1.81, Bet(20, 1000)),
          on_data("digits", AugmentedInnerProductTest(0.9, 5.84), 35.9156, Bet(20, 500))),
    broken={
        "strongly convex": (stretched_told(0.1, 0.2),),
        "smooth": (told_half(Enumerate(1)),),
        "step": (sgd_case("step 2.2/(LM), M = 2.81", four_atoms(0.9, 1.0), ONE, [1.0, 0.5], Enumerate(2), 2.81,
                          used=2.2 / 2.81),),
        "test": (sgd_case("orthogonality dropped, nu = 2", four_atoms(0.9, 2.0), ONE, [1.0, 0.5], Enumerate(2), 1.81),
                 sgd_case("Gaussian, norm test with eps 0.6 for 0.5", MILD, Ahead(NormTest(0.6), integer=False),
                          np.full(5, 1e4), Bet(20, 1000), 1.25)),
    },
)

strongly_convex = Claim(
    id=f"{PAPER}/strongly-convex", kind="statement", title="Linear rate for strongly convex functions",
    source=Source(PAPER, "Theorem 3.2 (numbering recalled)", RECONSTRUCTED),
    statement=r"\mathbb{E}[F(x_k)-F^*]\le\left(1-2\mu\alpha\left(1-\frac{\alpha LM}{2}\right)\right)^k(F(x_0)-F^*),"
              r"\qquad\alpha\le\frac{1}{LM}",
    explain="At alpha = 1/(LM) the paper's factor 1 - mu/(LM). Tight for condition number 1 at every k; loose by "
            "about a factor 2 in the exponent on stretched quadratics (see the sharp one-step rate).",
    quantity=Quantity(("gap",), lambda s, path: (path.gap[1:], powers(rate(s), path.gap) * path.gap[0])),
    hypotheses=HYPOTHESES,
    tight=(*tight_four(Recursion(200))[1:],
           sgd_case("four atoms, every path", four_atoms(0.9, 1.0), ONE, [1.0, 0.5], Enumerate(5), 2.81),
           sgd_case("Gaussian, real n, every start", MILD, Ahead(NormTest(0.5), integer=False), np.ones(5),
                    Recursion(200, everywhere=True), 1.25)),
    generic=(logistic_tree(0.5, Enumerate(4)), logistic_tree(2.0, Enumerate(4)),
             sgd_case("Gaussian, condition 10, every start", STRETCHED, Ahead(NormTest(0.5), integer=False), np.ones(5),
                      Recursion(200, everywhere=True), 1.25)),
    real=(on_data("breast_cancer", NormTest(0.9), 1.81, Bet(20, 1000)),),
    broken={
        "strongly convex": (stretched_told(0.1, 0.3, Recursion(50)),),
        "smooth": (told_half(Recursion(20)),),
        "step": (_steep_start(),),
        "test": (sgd_case("noise of twice the variance allowed", four_atoms(0.9 * 2**0.5, 2**0.5), ONE, [1.0, 0.5],
                          Recursion(50), 2.81),),
    },
)


# ---------------------------------------------------------------- the sharp one-step rate (ours)


def sharp_rate(s: Symbols) -> float:
    """(1 - alpha mu)^2 + alpha^2 L mu (M - 1)."""
    return (1 - s.alpha * s.mu) ** 2 + s.alpha**2 * s.L * s.mu * (s.growth - 1)


def sharp_limit(s: Symbols) -> float:
    first = 2 / (s.L * s.growth + s.mu)
    return min(first, 1 / (s.L * (s.growth - 1) + s.mu)) * (1 + 1e-12)


def stretched(q: float, growth: float, **how: Any) -> Case:
    problem = Oracle(Quadratic(np.array([q, 1.0])), Along((0.0, 1.0), growth))
    return sgd_case(f"noise across, condition {1 / q:g}, M = {growth:g}", problem, ONE, [1.0, 0.0], Enumerate(1),
                    growth, **how)


def _beyond() -> Case:
    problem = Oracle(TwoCurvature(0.1, 1.0, 0.9432), Along((0.0, 1.0), 2.81))
    a = 1.8 / 2.81
    return sgd_case("two curvatures, step 1.8/(LM)", problem, ONE, [1.0, 0.0], Enumerate(1), 2.81, alpha=a)


def _steep(q: float, growth: float) -> Case:
    problem = Oracle(Quadratic(np.array([q, 1.0])), Along((0.0, 1.0), growth))
    return sgd_case(f"step 2.2/(LM) from the steep axis, M = {growth:g}", problem, ONE, [0.0, 1.0], Enumerate(1),
                    growth, used=2.2 / growth)


sharp_one_step = Claim(
    id=f"{PAPER}/sharp-one-step", kind="step", title="The best one-step rate",
    source=Source(PAPER, "Theorem 3.2 with the exact constant (T6*) (numbering recalled)", OURS),
    statement=r"\mathbb{E}_k[F(x_{k+1})-F^*]\le\left((1-\alpha\mu)^2+\alpha^2L\mu(M-1)\right)(F(x_k)-F^*)",
    explain="At alpha = 1/(LM) the factor is 1 - q/M - q(1-q)/M^2, q = mu/L, attained by a stretched quadratic with "
            "noise across the gradient; the paper's 1 - q/M is larger.",
    quantity=Quantity(("gap",), lambda s, now, then: (then.gap, sharp_rate(s) * now.gap)),
    hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "test": TEST,
                "step": step_at_most(sharp_limit, "alpha <= min(2/(LM + mu), 1/(L(M-1) + mu))")},
    tight=tuple(stretched(q, M) for q in (0.1, 0.01) for M in (1.25, 2.0, 35.9156)),
    generic=(logistic_tree(0.5, Enumerate(3)), logistic_tree(2.0, Enumerate(3))),
    broken={"strongly convex": (stretched_told(0.1, 0.4),), "smooth": (told_half(Enumerate(1)),),
            "step": (_steep(0.1, 1.25), _steep(0.1, 2.0), _beyond),
            "test": (sgd_case("noise across of variance 1.1 (M - 1)",
                              Oracle(Quadratic(np.array([0.1, 1.0])), Along((0.0, 1.0), 2.1)), ONE, [1.0, 0.0],
                              Enumerate(1), 2.0),)},
)

CLAIMS = (strongly_convex_step, strongly_convex, sharp_one_step)
