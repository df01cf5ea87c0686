"""What each batch-size test implies for the second moment of the sampled gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...criteria import AugmentedInnerProductTest, CoordinatewiseNormTest, InnerProductTest, NormTest, growth_of
from ...evidence.base import Quantity
from ...evidence.exact import Enumerate, Pathwise
from ...evidence.simulate import Bet
from ...methods import SGD
from ...problems.noise import AdditiveGaussian, Gaussian, Sphere
from ...problems.oracles import FourAtoms, Lazy, Rare, TwoPoint
from ...problems.quadratic import Quadratic
from ...problems.separable import CosQuad, LogQuad
from ...sizing import Ahead, Fixed
from ..base import OURS, RECONSTRUCTED, Case, Claim, Hypothesis, Source, Symbols
from ..common import robust, small_logistic
from .cases import ONE, PAPER, SURE, noisy, worst_coordinate


def tested(name: str, problem: Any, criterion: Any, x0: Any, evidence: Any, sizing: Any = None, **told: Any) -> Case:
    """Gradient steps with sizes from the exact test; the bound knows the test only through its growth constant."""
    start = np.full(problem.dim, float(x0)) if np.ndim(x0) == 0 else np.asarray(x0, dtype=float)
    symbols = Symbols(**({"growth": growth_of(criterion), "test": criterion} | told))
    alpha = 0.1 / min(problem.constants.L, 1e3)
    return Case(name, problem, SGD(alpha), sizing or Ahead(criterion), start, evidence, symbols)


def on_data(name: str, criterion: Any, replace: bool = False) -> Any:
    def build() -> Case:
        problem = robust(name, replace=replace)
        words = f"{name}, Geman-McClure, {type(criterion).__name__}" + (", with replacement" if replace else "")
        return tested(words, problem, criterion, np.zeros(problem.dim), Bet(5, 300))
    return build


PLANE = Quadratic(np.array([1.0, 2.0]))
BASES = {"logquad": LogQuad(2), "cosquad": CosQuad((0.05, 1.0))}
AUGMENTED = AugmentedInnerProductTest(0.3, 0.8)

SIZES = Hypothesis("the sizes come from the test whose growth constant the bound uses",
                   lambda case, seen: 0.0 if getattr(case.sizing, "criterion", None) == case.symbols.test else -1.0)

strong_growth = Claim(
    id=f"{PAPER}/strong-growth", kind="step", title="A batch-size test is strong growth",
    source=Source(PAPER, "section 2 of our notes", RECONSTRUCTED),
    statement=r"\mathbb{E}_k\|g_k\|^2\le M\|\nabla F(x_k)\|^2,\qquad M=1+\eta^2\;\mathrm{(norm,\ coordinate-wise)},"
              r"\quad M=1+\theta^2+\nu^2\;\mathrm{(augmented)}",
    explain="All that the theorems use of a test. Equality at every oracle whose noise meets the test with equality.",
    quantity=Quantity(("g2", "grad2"), lambda s, now, then: (then.g2, s.growth * now.grad2)),
    hypotheses={"sizes": SIZES},
    tight=(*(tested(f"{base}, norm test, two points", noisy(f, TwoPoint(0.5)), NormTest(0.5), 1.5, Enumerate(2))
             for base, f in BASES.items()),
           tested("logquad, norm test, drop", noisy(BASES["logquad"], Lazy(1.25)), NormTest(0.5), 1.5, Enumerate(2)),
           tested("logquad, coordinate-wise test, rare spike", noisy(BASES["logquad"], Rare(0.5)),
                  CoordinatewiseNormTest(0.5), 1.5, Enumerate(2)),
           tested("plane, augmented test, four atoms", noisy(PLANE, FourAtoms(0.3, 0.8)), AUGMENTED, 1.0,
                  Enumerate(2))),
    generic=(tested("logquad, Gaussian", noisy(LogQuad(10), Gaussian(0.5)), NormTest(0.5), 1.5, Bet(5, 400)),
             tested("logquad, additive noise, exact sizes", noisy(LogQuad(10), AdditiveGaussian(2.0)), NormTest(0.5),
                    1.5, Bet(5, 400)),
             lambda: tested("logistic sum N = 6, coordinate-wise test", small_logistic(), CoordinatewiseNormTest(0.9),
                            [2.0, -1.5], Enumerate(2))),
    real=(on_data("breast_cancer", NormTest(0.5)), on_data("diabetes", NormTest(0.5), True),
          on_data("diabetes", CoordinatewiseNormTest(0.9))),
    broken={"sizes": (
        tested("drop noise of twice the variance, one sample", noisy(BASES["logquad"], Lazy(1.5)), NormTest(0.5), 1.5,
               Enumerate(1), ONE),
        lambda: tested("logistic sum N = 6, two samples", small_logistic(), NormTest(0.3), [2.0, -1.5], Enumerate(1),
                       Fixed(2)))},
)

inner_product_alone = Claim(
    id=f"{PAPER}/inner-product-alone", kind="step", expected="fails",
    title="The inner product test alone is not strong growth",
    source=Source(PAPER, "section 2 of our notes, counter-example", OURS),
    statement=r"\mathrm{Var}\langle g,u\rangle\le\theta^2\|\nabla F\|^2\;\Rightarrow\;"
              r"\mathbb{E}_k\|g_k\|^2\le(1+\theta^2)\|\nabla F(x_k)\|^2",
    explain="Noise across the gradient passes the test at any size: here it is 100 times the squared gradient.",
    quantity=Quantity(("g2", "grad2"), lambda s, now, then: (then.g2, s.growth * now.grad2)),
    hypotheses={"sizes": SIZES},
    tight=(tested("plane, noise across", noisy(PLANE, FourAtoms(0.0, 10.0)), InnerProductTest(0.3), 1.0, Enumerate(1),
                  growth=1.09),
           tested("plane, noise along and across", noisy(PLANE, FourAtoms(0.3, 10.0)), InnerProductTest(0.3), 1.0,
                  Enumerate(1), growth=1.09)),
)

COORDINATES = Hypothesis("the sizes come from the coordinate-wise test",
                         lambda case, seen: 0.0 if isinstance(case.sizing.criterion, CoordinatewiseNormTest) else -1.0)

coordinate_growth = Claim(
    id=f"{PAPER}/coordinate-growth", kind="step", title="The coordinate-wise test is strong growth in every coordinate",
    source=Source(PAPER, "section 2 of our notes", RECONSTRUCTED),
    statement=r"\mathbb{E}_kg_{k,i}^2\le(1+\eta^2)(\nabla_iF(x_k))^2\quad\forall i",
    explain="The plain norm test does not give it: one coordinate may carry all of the noise and none of the gradient.",
    quantity=Quantity((("worst", worst_coordinate), "grad2"), lambda s, now, then: (
        1 + then.worst, s.growth * np.ones(len(now.grad2)))),
    hypotheses={"test": COORDINATES},
    tight=(tested("logquad, drop", noisy(BASES["logquad"], Lazy(1.25)), CoordinatewiseNormTest(0.5), (1.5, 0.1),
                  Enumerate(2)),),
    generic=(lambda: tested("logistic sum N = 6", small_logistic(), CoordinatewiseNormTest(0.9), [2.0, -1.5],
                            Enumerate(2)),),
    real=(on_data("diabetes", CoordinatewiseNormTest(0.9)),),
    broken={"test": (lambda: tested("logistic sum N = 6, plain norm test", small_logistic(), NormTest(0.9),
                                    [2.0, -1.5], Enumerate(1)),)},
)


def _three(s: Any, path: Any) -> tuple[Any, Any]:
    """The largest of the three left sides over its right side; a step uphill violates the first two."""
    G2, uphill = path.grad2[:-1], path.inner <= 0
    inner = np.where(uphill, 1.0, path.inner)
    ratios = ((1 - s.eta) * G2 / inner, path.g2 / ((1 + s.eta) * inner), np.sqrt(path.g2 / G2) / (1 + s.eta))
    worst = np.where(uphill & (G2 > 0), np.inf, np.max(ratios, axis=0))
    return worst, np.ones_like(worst)


def sure(name: str, noise: Any, eta: float, steps: int = 30, runs: int = 20) -> Case:
    case = tested(name, noisy(LogQuad(5), noise), NormTest(eta), 1.5, Pathwise(steps, runs), ONE)
    case.symbols.eta = eta
    return case


pathwise = Claim(
    id=f"{PAPER}/sure-norm-test", kind="pathwise", title="A norm test that holds surely",
    source=Source(PAPER, "section 2 of our notes", OURS),
    statement=r"\|g-G\|\le\eta\|G\|\;\Rightarrow\;\langle G,g\rangle\ge(1-\eta)\|G\|^2,\quad"
              r"\langle G,g\rangle\ge\frac{\|g\|^2}{1+\eta},\quad\|g\|\le(1+\eta)\|G\|",
    quantity=Quantity(("g2", "inner", "grad2"), _three),
    hypotheses={"sure": SURE},
    tight=(sure("two points, eta = 0.3", TwoPoint(0.3), 0.3), sure("two points, eta = 0.9", TwoPoint(0.9), 0.9)),
    generic=(sure("sphere, eta = 0.5", Sphere(0.5), 0.5),),
    broken={"sure": (sure("rare spike: the test holds on average only", Rare(0.3), 0.3, 30, 100),)},
)

CLAIMS = (strong_growth, inner_product_alone, coordinate_growth, pathwise)
