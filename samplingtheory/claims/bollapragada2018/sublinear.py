"""Convex and nonconvex rates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...criteria import NormTest
from ...evidence.base import Quantity
from ...evidence.exact import Enumerate, Mixture, Recursion
from ...problems.nonconvex import Huber, Sawtooth
from ...problems.oracles import Lazy, Oracle
from ...sizing import Ahead, Fixed
from ..base import OURS, RECONSTRUCTED, Case, Claim, Source, Symbols
from ..common import (
    CONVEX,
    SHORT_STEP,
    SMOOTH,
    TEST,
    cosine_sum,
    iterations,
    running_min,
    small_logistic,
    step_at_most,
    up_to,
)
from .cases import ONE, PAPER, four_atoms, logistic_tree, sgd_case, told_half

# ---------------------------------------------------------------- convex


def huber(knee: float, growth: float, T: int, **how: Any) -> Case:
    problem = Oracle(Huber(knee), Lazy(growth))
    return sgd_case(f"Huber, lazy gradient, M = {growth:g}, T = {T}", problem, ONE, [1.0], Mixture(T), growth, **how)


def _zone(evidence: Any, **how: Any) -> Case:
    return sgd_case("step 2.2/(LM) in the quadratic zone, M = 2.81", four_atoms(0.9, 1.0), ONE, [1.0, 0.0], evidence,
                    2.81, used=2.2 / 2.81, **how)


def _louder(times: float, evidence: Any, **how: Any) -> Case:
    r = times**0.5
    return sgd_case(f"noise of {times:g} times the variance", four_atoms(0.9 * r, r), ONE, [1.0, 0.0], evidence, 2.81,
                    **how)


def half(growth: float, L: float = 1.0) -> float:
    return 1 / (2 * L * growth)


def _local_minimum(alpha_factor: float) -> Any:
    """A nonconvex sum whose full-gradient descent ends in a local minimum above the global one."""
    def build() -> Case:
        problem = cosine_sum()
        return sgd_case("1 - cos from x = 9, full batches", problem, Fixed(6), [9.0], Enumerate(1200), 1.0,
                        alpha=alpha_factor / problem.constants.L)
    return build


def _slow_tree() -> Case:
    problem = small_logistic()
    return sgd_case("logistic sum N = 6, norm test eps^2 = 0.5", problem, Ahead(NormTest(0.5**0.5)), [2.0, -1.5],
                    Enumerate(4), 1.5, alpha=half(1.5, problem.constants.L))


# knees that maximise E F_T for the step 1/(LM), and E F_{T-1} for the step 1/(2LM)
KNEES = {(1, 20): 1 / 41, (1, 100): 1 / 201, (1, 400): 1 / 801, (2, 20): 1 / 21, (2, 100): 1 / 101,
         (2, 400): 1 / 401, (5, 20): 0.11279744836569726, (5, 100): 0.02439027718040124,
         (5, 400): 0.006211179664089181}
SLOW_KNEES = {(1, 100): 1 / 100, (2, 100): 0.0198, (5, 400): 0.012382696}

convex = Claim(
    id=f"{PAPER}/convex", kind="statement", title="Sublinear rate for convex functions",
    source=Source(PAPER, "Theorem 3.3 (numbering recalled)", RECONSTRUCTED),
    statement=r"\min_{0\le k<T}\mathbb{E}[F(x_k)-F^*]\le\frac{\|x_0-x^*\|^2}{2\alpha(1-\alpha LM)T},"
              r"\qquad \alpha<\frac{1}{LM}",
    quantity=Quantity(("gap", "dist2"), lambda s, path: (
        running_min(path.gap[:-1]),
        path.dist2[0] / (2 * s.alpha * (1 - s.alpha * s.L * s.growth) * iterations(path.gap)))),
    hypotheses={"smooth": SMOOTH, "convex": CONVEX, "test": TEST,
                "step": step_at_most(lambda s: (1 - 1e-12) / (s.L * s.growth), "the step is below 1/(LM)")},
    no_tight="none is known: the bound is at least a factor 2 above the last-iterate one, which is itself loose",
    generic=(*(huber(knee, M, T, alpha=half(M)) for (M, T), knee in SLOW_KNEES.items()), _slow_tree),
    broken={"step": (_zone(Recursion(50), alpha=half(2.81)),), "test": (_louder(4, Recursion(150), alpha=0.9 / 2.81),),
            "convex": (_local_minimum(0.5),)},
    explain="One of the claims without a tight case: the best Huber function reaches a quarter of it.",
)


def _guess(s: Symbols, path: Any) -> tuple[Any, Any]:
    k = iterations(path.gap)
    return path.gap[1:], s.growth * s.L * path.dist2[0] / (4 * k + 2 * s.growth)


convex_last = Claim(
    id=f"{PAPER}/convex-last-iterate", kind="statement", title="The last iterate, with a smaller constant",
    source=Source(PAPER, "Theorem 3.3 improved (T7*) (numbering recalled)", OURS),
    statement=r"\mathbb{E}[F(x_T)-F^*]\le\frac{\|x_0-x^*\|^2}{2\alpha T},\qquad \alpha\le\frac{1}{LM}",
    quantity=Quantity(("gap", "dist2"), lambda s, path: (
        path.gap[1:], path.dist2[0] / (2 * s.alpha * iterations(path.gap)))),
    hypotheses={"smooth": SMOOTH, "convex": CONVEX, "step": SHORT_STEP, "test": TEST},
    no_tight="none is known: the best Huber function reaches one half, the exact constant for M > 1 is open",
    generic=(*(huber(knee, M, T) for (M, T), knee in KNEES.items()), logistic_tree(0.5, Enumerate(4))),
    broken={"step": (_zone(Recursion(50)),), "test": (_louder(3, Recursion(50)),),
            "convex": (_local_minimum(1.0),), "smooth": (told_half(Recursion(50)),)},
    explain="Holds for the last iterate, and its optimised bound is four times smaller than the paper's.",
)

convex_guess = Claim(
    id=f"{PAPER}/convex-natural-guess", kind="statement", title="A natural guess that is false", expected="fails",
    source=Source(PAPER, "guess from the exact constant of gradient descent", OURS),
    statement=r"\mathbb{E}[F(x_T)-F^*]\le\frac{M L\|x_0-x^*\|^2}{4T+2M},\qquad \alpha=\frac{1}{LM}",
    quantity=Quantity(("gap", "dist2"), _guess),
    hypotheses={"smooth": SMOOTH, "convex": CONVEX, "step": SHORT_STEP, "test": TEST},
    tight=(huber(KNEES[5, 20], 5, 20),),
    explain="For M = 1 it is the exact constant of gradient descent. For M = 5 a Huber function exceeds it by 0.2 %.",
)


# ---------------------------------------------------------------- nonconvex


def sawtooth(growth: float, T: int, teeth: float = math.inf) -> Case:
    name = f"sawtooth{'' if math.isinf(teeth) else f' with {teeth} teeth'}, lazy gradient, M = {growth:g}"
    return sgd_case(name, Oracle(Sawtooth(1e-6, teeth=teeth), Lazy(growth)), ONE, [0.0], Mixture(T), growth)


def _cosines(evidence: Any) -> Case:
    return sgd_case("sum of 1 - cos, N = 6", cosine_sum(), Ahead(NormTest(0.5**0.5)), [2.0], evidence, 1.5)


NONCONVEX = {"upper bound": SMOOTH, "step": SHORT_STEP, "test": TEST}


def _saddle(**how: Any) -> Case:
    return sgd_case("step 2.2/(LM) on a quadratic, M = 4", four_atoms(1.0, 2**0.5), ONE, [1.0, 0.0], Recursion(40),
                    4.0, used=2.2 / 4, **how)


def _loud() -> Case:
    return sgd_case("noise of three times the variance", four_atoms(3**0.5, 6**0.5), ONE, [1.0, 0.0], Recursion(60),
                    4.0)


nonconvex_sum = Claim(
    id=f"{PAPER}/nonconvex-telescoped", kind="statement", title="Nonconvex functions: the telescoped sum",
    source=Source(PAPER, "proof of Theorem 3.4 (numbering recalled)", RECONSTRUCTED),
    statement=r"\sum_{k<T}\mathbb{E}\|\nabla F(x_k)\|^2\le\frac{2}{\alpha}\left(F(x_0)-\mathbb{E}F(x_T)\right)",
    quantity=Quantity(("gap", "grad2"), lambda s, path: (
        up_to(path.grad2[:-1]), 2 / s.alpha * (path.gap[0] - path.gap[1:] + 1e-12 * np.abs(path.gap[0])))),
    hypotheses=NONCONVEX,
    tight=(sawtooth(1.0, 50), sawtooth(4.0, 50)),
    generic=(_cosines(Enumerate(4)), logistic_tree(0.5, Enumerate(4))),
    broken={"step": (_saddle(),), "test": (_loud(),), "upper bound": (told_half(Recursion(20)),)},
    explain="A sawtooth slope with the lazy gradient reaches it: every executed step lands on the same slope.",
)

nonconvex = Claim(
    id=f"{PAPER}/nonconvex", kind="statement", title="Nonconvex functions: the smallest gradient",
    source=Source(PAPER, "Theorem 3.4 (numbering recalled)", RECONSTRUCTED),
    statement=r"\min_{0\le k<T}\mathbb{E}\|\nabla F(x_k)\|^2\le\frac{2}{\alpha T}(F(x_0)-F_{\min})",
    quantity=Quantity(("gap", "grad2"), lambda s, path: (
        running_min(path.grad2[:-1]), 2 / (s.alpha * iterations(path.gap)) * path.gap[0])),
    hypotheses=NONCONVEX,
    tight=(sawtooth(1.0, 400, teeth=400),),
    generic=(sawtooth(4.0, 400, teeth=116), _cosines(Enumerate(4))),
    explain="For M = 1 a sawtooth with as many teeth as steps reaches it. For M = 4 the last tooth may be met too "
            "early: .83 with the best number of teeth at T = 400, .95 at T = 10^4, 1 in the limit.",
    broken={"step": (_saddle(),), "test": (_loud(),), "upper bound": (told_half(Recursion(20)),)},
)

CLAIMS = (convex, convex_last, convex_guess, nonconvex_sum, nonconvex)
