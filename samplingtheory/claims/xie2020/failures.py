"""Why pointwise tests fail at a constrained solution, and what looking at one's own batch does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...criteria import NormTest, StepInnerProductTest, StepNormTest
from ...evidence.base import Quantity
from ...evidence.exact import AtPoints, Enumerate
from ...problems.composite import Composite
from ...problems.prox import Box
from ...problems.quadratic import QuadraticSum
from ...sizing import Ahead, Fixed, Pilot, SameBatch
from ..base import OURS, Case, Claim, Hypothesis, Source
from .cases import PAPER, SMOOTH, STRONG, bias, composite_case

# ---------------------------------------------------------------- F1: the pointwise test stalls

MU, SIGMA, SLOPE = 0.2, 5.0, 10.0


def stalling(sizing: Any, name: str, evidence: Any) -> Case:
    """F1: f = .1 x1^2 + x2^2/2 + 10 x2 on x2 >= 0, noise +-5 in x1; x* = 0 and grad f(x*) = (0, 10)."""
    smooth = QuadraticSum(np.array([[MU, 1.0]] * 2), np.array([[SIGMA, -SLOPE], [-SIGMA, -SLOPE]]), replace=True)
    half_plane = Box(np.array([-math.inf, 0.0]), np.array([math.inf, math.inf]))
    return composite_case(name, Composite(smooth, half_plane), sizing, [2.0, 0.0], evidence, 0.5, theta=0.9)


POINTWISE = Hypothesis("the pointwise norm test holds at every iterate: V <= theta^2 |grad f|^2",
                       lambda case, seen: case.symbols.theta**2 - seen["rel_total"], ("rel_total",))
FULL_STEP = Hypothesis("the step is at most 1/(L(1 + theta^2))",
                       lambda case, seen: 1 / (case.symbols.L * (1 + case.symbols.theta**2)) / case.method.alpha - 1)

pointwise = Claim(
    id=f"{PAPER}/pointwise-test", kind="statement", expected="fails",
    title="A pointwise norm test guarantees nothing at a constrained solution",
    source=Source(PAPER, "abstract: pointwise tests are unreliable; example F1 of our notes", OURS),
    statement=r"V\le\theta^2\|\nabla f(x_k)\|^2\;\forall k\;\Rightarrow\;"
              r"\mathbb{E}\varphi(x_k)-\varphi^*\le(1-\alpha\mu)^k(\varphi(x_0)-\varphi^*)",
    explain="The gradient does not vanish at a constrained solution, so the test is passed by one sample for ever and "
            "the method stalls at alpha sigma^2/(2 n (2 - alpha mu)) = 3.289.",
    quantity=Quantity(("gap",), lambda s, path: (
        path.gap[1:], (1 - s.alpha * s.mu) ** np.arange(1, len(path.gap))[:, None] * path.gap[0])),
    hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "step": FULL_STEP, "test": POINTWISE},
    tight=(lambda: stalling(Ahead(NormTest(0.9)), "half plane, noise along its edge", Enumerate(12)),),
)


# ---------------------------------------------------------------- F2: the norm of the step is too strict


def vertex(low: float = 1.0, name: str = "vertex of the unit square, all b_i beyond it") -> Case:
    """F2: min mean |x - b_i|^2/2 on [0, 1]^2, N = 6, mean b = (3, 3); at x = (1, 1) no batch moves."""
    b = np.array([[low, 3.0], [5.0, 3.0], [3.0, 1.5], [3.0, 4.5], [2.5, 2.5], [3.5, 3.5]])
    b[1, 0] += 1.0 - low
    smooth = QuadraticSum(np.ones(6), b)
    problem = Composite(smooth, Box(np.zeros(2), np.ones(2)))
    return composite_case(name, problem, Fixed(1), [[1.0, 1.0]], AtPoints(), 0.9)


BEYOND = Hypothesis("every b_i lies beyond the vertex",
                    lambda case, seen: float(np.min(case.problem.smooth.linear)) - 1)

never_passes = Claim(
    id=f"{PAPER}/step-norm-at-a-vertex", kind="statement", expected="fails",
    title="The norm test on the step, where the step is already exact",
    source=Source(PAPER, "example F2 of our notes", OURS),
    statement=r"\mathrm{some\ }n<N\mathrm{\ satisfies\ }V\le\frac{\xi}{\alpha^2}\|\mathbb{E}x_+-x\|^2",
    explain="At the vertex every batch gives the same, exact step, of length zero, while the variance is not zero: "
            "only the full batch passes.",
    quantity=Quantity((), lambda s, view: (StepNormTest(0.25)(view.law), np.full(len(view.state.x), 5.0))),
    hypotheses={"beyond": BEYOND}, tight=(vertex(),),
)

passes_at_once = Claim(
    id=f"{PAPER}/inner-product-at-a-vertex", kind="statement",
    title="The inner product test passes there with one sample",
    source=Source(PAPER, "example F2 of our notes", OURS),
    statement=r"C\le\frac{\eta}{2\alpha}\mathbb{E}\|x_+-x\|^2\quad\mathrm{with}\quad n=1",
    explain="C sees only the error that survives the projection, and none does.",
    quantity=Quantity((), lambda s, view: (StepInnerProductTest(0.5)(view.law), np.ones(len(view.state.x)))),
    hypotheses={"beyond": BEYOND}, tight=(vertex(),),
    broken={"beyond": (vertex(-4.0, "one b_i inside: some batches move"),)},
)


# ---------------------------------------------------------------- accepting on a test is biased


def accepted(sizing: Any, name: str) -> Case:
    """f_i = (x - b_i)^2/2 on x >= 0, b = (-2.2, -1.2, -.2, .8, 1.8, 3.8), x = .6, alpha = .5; sizes 2 -> 4 of 6."""
    smooth = QuadraticSum(np.ones(6), np.array([[-2.2], [-1.2], [-0.2], [0.8], [1.8], [3.8]]))
    problem = Composite(smooth, Box(np.zeros(1), np.full(1, math.inf)))
    return composite_case(name, problem, sizing, [0.6], Enumerate(1), 0.5)


TEST = StepNormTest(0.5, "mapping")
BEFORE = Hypothesis("the size is decided before the batch that steps is drawn",
                    lambda case, seen: -1.0 if isinstance(case.sizing, SameBatch) else 0.0)

unbiased = Claim(
    id=f"{PAPER}/unbiased-step", kind="step", title="Accepting a batch on its own test biases the step",
    source=Source(PAPER, "control NC6 of our notes", OURS),
    statement=r"\mathbb{E}_k\,g_k=\nabla f(x_k)",
    explain="All theorems assume it. It holds when the law or an independent pilot batch decides, and fails when the "
            "batch that steps is the one that was tested: by .0917 (extended), .1222 (redrawn) where grad f is .1333.",
    quantity=Quantity((("bias", bias), "grad2"), lambda s, now, then: (1 + then.bias, np.ones(len(then.bias))),
                      equality=True),
    hypotheses={"before": BEFORE},
    tight=(accepted(Pilot(TEST, grow=2), "pilot of 2, fresh batch of 2 or 4"),
           accepted(Ahead(StepNormTest(0.5)), "exact law")),
    broken={"before": (
        accepted(SameBatch(TEST, on_fail="extend", grow=2, corrections=1), "extend 2 -> 4 when the test fails"),
        accepted(SameBatch(TEST, on_fail="redraw", grow=2, corrections=1), "redraw 4 when the test fails"),
        accepted(SameBatch(TEST, on_fail="extend"), "extend to what the test asks for, until accepted"))},
)

CLAIMS = (pointwise, never_passes, passes_at_once, unbiased)

