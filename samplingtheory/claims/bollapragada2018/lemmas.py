"""The growth lemma, descent directions, sizes of the tests, and the decrease of one step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...criteria import AugmentedInnerProductTest, InnerProductTest
from ...evidence.base import Quantity
from ...evidence.exact import Enumerate
from ...evidence.simulate import Bet, Count
from ...problems.oracles import CantelliTight, Oracle
from ...problems.quadratic import GaussianQuadratic, Quadratic
from ...run import Step
from ...sizing import Ahead
from ..base import RECONSTRUCTED, Case, Claim, Hypothesis, Source, Symbols
from ..common import (
    SHORT_STEP,
    SMOOTH,
    TEST,
    real,
    small_logistic,
)
from .cases import ONE, PAIRS, PAPER, four_atoms, growth_of, logistic_tree, sgd_case, tight_four

# ---------------------------------------------------------------- growth lemma and descent directions

ALONG = Hypothesis("the inner product test holds: Var(g'u) <= theta^2 |grad F|^2",
                   lambda case, seen: case.symbols.theta**2 - seen["rel_along"], ("rel_along",))
ACROSS = Hypothesis("the orthogonality test holds: E|(I - uu')g|^2 <= nu^2 |grad F|^2",
                    lambda case, seen: case.symbols.nu**2 - seen["rel_across"], ("rel_across",))


def growth_case(name: str, theta: float, nu: float, problem: Any, sizing: Any, x0: Any = (1.0, 0.5),
                evidence: Any = None) -> Case:
    return sgd_case(name, problem, sizing, x0, evidence or Enumerate(1), growth_of(theta, nu), theta=theta, nu=nu)


def _growth_on_data() -> Case:
    problem = real("breast_cancer")
    return growth_case("breast_cancer (logistic)", 0.3, 0.4, problem, Ahead(AugmentedInnerProductTest(0.3, 0.4)),
                       np.zeros(problem.dim), Bet(10, 1000))


growth_lemma = Claim(
    id=f"{PAPER}/growth", kind="step", title="Tests bound the second moment of the sampled gradient",
    source=Source(PAPER, "inside Lemma 3.1 (numbering recalled)", RECONSTRUCTED),
    statement=r"\mathbb{E}_k\|g_k\|^2 \le (1+\theta^2+\nu^2)\,\|\nabla F(x_k)\|^2",
    explain="Everything after this depends on the tests only through M = 1 + theta^2 + nu^2 (norm test: 1 + eps^2).",
    quantity=Quantity(("g2", "grad2"), lambda s, now, then: (then.g2, s.growth * now.grad2)),
    hypotheses={"along": ALONG, "across": ACROSS},
    tight=tuple(growth_case(f"four atoms, theta = {t}, nu = {v}", t, v, four_atoms(t, v), ONE) for t, v in PAIRS),
    generic=(lambda: growth_case("logistic sum N = 6, augmented test", 0.5, 0.5, small_logistic(),
                                 Ahead(AugmentedInnerProductTest(0.5, 0.5)), [2.0, -1.5], Enumerate(2)),
             growth_case("Gaussian, isotropic, real n", 0.4, 0.8, GaussianQuadratic(np.linspace(1, 5, 5), 1.0),
                         Ahead(AugmentedInnerProductTest(0.4, 0.8), integer=False), np.full(5, 2.0), Bet(5, 500))),
    real=(_growth_on_data,),
    broken={"along": tuple(growth_case(f"noise along 1.1 times too large, theta = {t}, nu = {v}", t, v,
                                       four_atoms(1.1 * t, v), ONE) for t, v in PAIRS[1:]),
            "across": tuple(growth_case(f"noise across 1.1 times too large, theta = {t}, nu = {v}", t, v,
                                        four_atoms(t, 1.1 * v), ONE) for t, v in PAIRS[1:])},
)


def _uphill(step: Step) -> Any:
    inner, signal = (step.batch.moments.mean * step.law("mean")).sum(-1), step.law("signal")
    return (inner <= 1e-12 * signal).astype(float)


IP_TEST = Hypothesis("the inner product test holds: Var(g'u) <= theta^2 |grad F|^2",
                     lambda case, seen: 1 - seen["rel_along"] / case.symbols.theta**2, ("rel_along",))
THETAS = (0.5, 0.9, 2.0)


def descent_case(name: str, theta: float, problem: Any, sizing: Any, x0: Any, evidence: Any) -> Case:
    return sgd_case(name, problem, sizing, x0, evidence, 1 + theta**2, theta=theta)


def _descent_on_data() -> Case:
    problem = real("breast_cancer")
    return descent_case("breast_cancer (logistic), theta = 0.9", 0.9, problem, Ahead(InnerProductTest(0.9)),
                        np.zeros(problem.dim), Count(20_000))


descent_probability = Claim(
    id=f"{PAPER}/descent-probability", kind="probability", title="The sampled gradient is a descent direction, mostly",
    source=Source(PAPER, "section 2 (idea); Cantelli's inequality", RECONSTRUCTED),
    statement=r"\mathbb{P}\left(g_k^{T}\nabla F(x_k)\le 0\right)\le\frac{\theta^2}{1+\theta^2}",
    explain="Cantelli's bound; a two-point law reaches it. Gaussian noise stays far below it.",
    quantity=Quantity((("uphill", _uphill), "grad2"),
                      lambda s, now, then: (then.uphill, 0 * now.grad2 + s.theta**2 / (1 + s.theta**2))),
    hypotheses={"test": IP_TEST},
    tight=tuple(descent_case(f"two-point law, theta = {t}", t, Oracle(Quadratic(np.ones(1)), CantelliTight(t)), ONE,
                             [1.0], Enumerate(1)) for t in THETAS),
    generic=tuple(descent_case(f"Gaussian, theta = {t}", t, GaussianQuadratic(np.ones(1), 1.0),
                               Ahead(InnerProductTest(t), integer=False), [1.0], Count(20_000)) for t in THETAS),
    real=(_descent_on_data,),
    broken={"test": tuple(
        descent_case(f"twice the variance, theta = {t}", t,
                     Oracle(Quadratic(np.ones(1)), CantelliTight(t * 2**0.5)), ONE, [1.0], Enumerate(1))
        for t in THETAS)},
)


# ---------------------------------------------------------------- one step

def _promised(s: Symbols, now: Any, then: Any) -> tuple[Any, Any]:
    """Promised against achieved decrease; the difference of gaps is known to about 1e-12 of the gap."""
    return s.alpha / 2 * now.grad2, now.gap - then.gap + 1e-12 * now.gap


one_step = Claim(
    id=f"{PAPER}/one-step", kind="step", title="Expected decrease of one step",
    source=Source(PAPER, "Lemma 3.1 (numbering recalled)", RECONSTRUCTED),
    statement=r"\mathbb{E}_k F(x_{k+1}) \le F(x_k) - \frac{\alpha}{2}\,\|\nabla F(x_k)\|^2,"
              r"\qquad \alpha\le\frac{1}{LM}",
    explain="Shown as promised decrease over achieved decrease. Without the orthogonality test the decrease fails "
            "as soon as nu^2 > 1 + theta^2.",
    quantity=Quantity(("gap", "grad2"), _promised),
    hypotheses={"smooth": SMOOTH, "step": SHORT_STEP, "test": TEST},
    tight=tight_four(Enumerate(1)),
    generic=(logistic_tree(0.5, Enumerate(3)), logistic_tree(2.0, Enumerate(3))),
    broken={
        "smooth": (lambda: sgd_case("told L = 1/2", four_atoms(0.3, 0.4), ONE, [1.0, 0.5], Enumerate(1), 1.25, L=0.5,
                                    alpha=2 / 1.25),),
        "step": tuple(sgd_case(f"step 2.2/(LM), M = {growth_of(t, v):.4g}", four_atoms(t, v), ONE, [1.0, 0.5],
                               Enumerate(1), growth_of(t, v), used=2.2 / growth_of(t, v)) for t, v in PAIRS),
        "test": tuple(sgd_case(f"no orthogonality test, nu = {v}", four_atoms(0.9, v), ONE, [1.0, 0.5], Enumerate(1),
                               1.81) for v in (2.0, 5.84)),
    },
)

CLAIMS = (growth_lemma, descent_probability, one_step)
