"""Theorem B.1 of the paper: the bound for Adam as printed, corrected, and its condition on the betas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...evidence.base import Quantity
from ...evidence.exact import AtPoints, Pathwise
from ...moments import Array
from ...problems.oracles import Oracle, TwoPoint
from ...problems.separable import LogQuad
from ..adadagrad2024.cases import GAP, START, STEP
from ..adaptive_bounds import bound_p2_corrected, bound_p2_printed, p2_condition
from ..base import RECONSTRUCTED, STATED, Case, Claim, Hypothesis, Source, Symbols
from ..common import SMOOTH
from .adam_cases import EACH, ONE, PAPER, WORST, WideHuber, adam_case, length, on_logquad


def wide(K: int, eta: float = 0.1, told: Mapping[str, Any] | None = None) -> Case:
    """Started at 1/L + 2 K the gradient is 1 for all K steps, and the sum is K."""
    L = 1e-6
    return adam_case(f"wide Huber function, K = {K}", Oracle(WideHuber(L), TwoPoint(0.0)), ONE, 1 / L + 2 * K,
                     Pathwise(K), eta, 0.01, 0.999, 1.0, 1.0, told=told)


CONDITION = Hypothesis("beta1 <= sqrt(beta2) - 8 (1 + eta^2)(1 - beta2)/beta2^2, as the paper asks",
                       lambda case, seen: p2_condition(case.symbols.eta, case.symbols.beta1, case.symbols.beta2))
PRINTED = {"smooth": SMOOTH, "start": START, "step": STEP, "gap": GAP, "condition": CONDITION, "test": EACH}


def _printed(s: Symbols, path: Any) -> tuple[Array, Array]:
    K = len(path.length)
    return path.length.sum(axis=0)[None], np.full((1, path.length.shape[1]), bound_p2_printed(
        s.L, s.alpha, s.v0, s.eta, s.beta1, s.beta2, K, s.grad2, s.d))


def _corrected(s: Symbols, path: Any) -> tuple[Array, Array]:
    K = len(path.length)
    return path.length.sum(axis=0)[None], np.full((1, path.length.shape[1]), bound_p2_corrected(
        s.Delta, s.L, s.alpha, s.v0, s.eta, s.beta1, s.beta2, K, s.grad2, s.d))


printed = Claim(
    id=f"{PAPER}/adam-as-printed", kind="pathwise", expected="fails", title="The bound for Adam as it is printed",
    source=Source(PAPER, "Theorem B.1", STATED),
    statement=r"\sum_{k=1}^{K}\mathbb{E}\|\nabla F(x_k)\|\le\sqrt{c_2+2c_1d\ln X}\,\sqrt{X}\quad"
              r"\mathrm{(}c_2\mathrm{\ without\ the\ initial\ gap)}",
    explain="The first term of c2 lacks F(x_1) - inf F, so that the right side cannot know how far away the minimiser "
            "is. On a wide Huber function the gradient has length 1 for K steps: 1000 against 321, 10,000 against 929, "
            "at the best sigma.",
    quantity=Quantity((("length", length), WORST, "gap"), _printed),
    hypotheses=PRINTED,
    tight=(wide(1000), wide(10_000)),
)

corrected = Claim(
    id=f"{PAPER}/adam-corrected", kind="pathwise", title="The bound for Adam with the initial gap restored",
    source=Source(PAPER, "Theorem B.1 with five corrections, not re-proved", RECONSTRUCTED),
    statement=r"\sum_{k=1}^{K}\mathbb{E}\|\nabla F(x_k)\|\le\sqrt{c_2+2c_1d\ln X}\,\sqrt{X},\qquad"
              r"c_2=\frac{8(1-\theta)}{\alpha(1-\beta_1)}\Delta+\ldots",
    explain="Thousands of times the measured sum: only a violation would say anything. Here pathwise: the cases have "
            "no noise.",
    quantity=Quantity((("length", length), WORST, "gap"), _corrected),
    hypotheses=PRINTED,
    no_tight="the constants are thousands of times too large",
    generic=(wide(1000), on_logquad("logquad, (0.9, 0.999) without noise", TwoPoint(0.0), Pathwise(500), 0.1, 0.9,
                                       0.999)),
    broken={"gap": (wide(10_000, told={"Delta": 0.0}),)},
)


# ---------------------------------------------------------------- the condition on the betas


def _condition(s: Symbols, view: Any) -> tuple[Array, Array]:
    return np.array([s.beta1]), np.array([p2_condition(s.eta, s.beta1, s.beta2) + s.beta1])


def betas(beta1: float, beta2: float, eta: float = 0.2) -> Case:
    name = f"({beta1}, {beta2}), eta = {eta}: margin {p2_condition(eta, beta1, beta2):+.3f}"
    return adam_case(name, Oracle(LogQuad(1), TwoPoint(0.0)), ONE, 1.0, AtPoints(), eta, beta1, beta2)


SMALL_ETA = Hypothesis("beta2 is 0.99 or more", lambda case, seen: case.symbols.beta2 - 0.99)
PRACTICE = Hypothesis("beta2 is 0.95, as in all experiments of the paper",
                      lambda case, seen: -abs(case.symbols.beta2 - 0.95))

condition = Claim(
    id=f"{PAPER}/condition-at-0-999", kind="statement", title="The condition on the betas at (0.9, 0.999)",
    source=Source(PAPER, "condition of Theorem B.1", STATED),
    statement=r"\beta_1\le\sqrt{\beta_2}-\frac{8(1+\eta^2)(1-\beta_2)}{\beta_2^2}",
    explain="Holds at PyTorch's default, with margin 0.09 at eta = 0.2.",
    quantity=Quantity((), _condition), hypotheses={"beta2": SMALL_ETA},
    no_tight="an inequality between numbers", generic=(betas(0.9, 0.999), betas(0.9, 0.99)),
    broken={"beta2": (betas(0.9, 0.95),)},
)

condition_in_practice = Claim(
    id=f"{PAPER}/condition-at-0-95", kind="statement", expected="fails",
    title="The condition on the betas at (0.9, 0.95), which the paper runs",
    source=Source(PAPER, "condition of Theorem B.1 at the values of its experiments", STATED),
    statement=r"0.9\le\sqrt{0.95}-\frac{8(1+\eta^2)\,0.05}{0.95^2}",
    explain="The right side is 0.514 at eta = 0.2: the theorem says nothing about the experiments.",
    quantity=Quantity((), _condition), hypotheses={"beta2": PRACTICE}, tight=(betas(0.9, 0.95),),
)

CLAIMS = (printed, corrected, condition, condition_in_practice)
