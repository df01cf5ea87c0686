"""RMSProp and Adam in the form of the theorems: our bounds, the printed one, and its condition."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ...criteria import CoordinatewiseNormTest, NormTest
from ...evidence.base import Quantity
from ...evidence.exact import AtPoints, Enumerate, Pathwise
from ...evidence.simulate import Bet
from ...methods import Adam
from ...moments import Array
from ...problems.base import Constants, follow
from ...problems.noise import AdditiveGaussian, Gaussian, Sphere
from ...problems.oracles import Lazy, Oracle, Rare, TwoPoint
from ...problems.separable import LogQuad
from ...run import Step
from ...sizing import Ahead, Fixed
from ..adadagrad2024.cases import GAP, START, STEP, SURE, noisy, worst_coordinate
from ..adaptive_bounds import (
    bound_adam,
    bound_adam_pathwise,
    bound_p2_corrected,
    bound_p2_printed,
    condition_margin,
    momentum_margin,
    p2_condition,
)
from ..base import OURS, RECONSTRUCTED, STATED, Case, Claim, Hypothesis, Source, Symbols
from ..common import SMOOTH, robust, up_to

PAPER = "lau2024"
ONE = Fixed(1)


def weighted(step: Step) -> Array:
    """sum_i G_i^2/sqrt(beta2 v_{k-1,i} + (1 - beta2) G_i^2), i one v each."""
    method, v = step.view.method, follow(step.before.v, step.batch.parent)
    G2 = step.law("signal") if method.norm else step.law("mean") ** 2
    terms = G2 / np.sqrt(method.beta2 * v + (1 - method.beta2) * G2)
    return terms if method.norm else terms.sum(-1)


def length(step: Step) -> Array:
    """|G| (one v) or |G|_1 (one v for each coordinate)."""
    return np.sqrt(step.law("signal")) if step.view.method.norm else np.abs(step.law("mean")).sum(-1)


def adam_case(name: str, problem: Any, sizing: Any, x0: Any, evidence: Any, eta: float, beta1: float, beta2: float,
              alpha: float = 0.05, v0: float = 1.0, norm: bool = True, told: Mapping[str, Any] | None = None) -> Case:
    start = np.full(problem.dim, float(x0)) if np.ndim(x0) == 0 else np.asarray(x0, dtype=float)
    G = problem.gradient(start[None])
    symbols = {"Delta": float(problem.gap(start[None])[0]), "L": problem.constants.L, "alpha": alpha, "v0": v0,
               "eta": eta, "beta1": beta1, "beta2": beta2, "d": 1 if norm else problem.dim,
               "grad2": float((G * G).sum())}
    return Case(name, problem, Adam(alpha, beta1, beta2, v0, norm), sizing, start, evidence,
                Symbols(**(symbols | dict(told or {}))))


@lru_cache(maxsize=20_000)
def _bound(which: str, Delta: float, L: float, alpha: float, v0: float, eta: float, beta1: float, beta2: float, K: int,
           d: int) -> tuple[float, float]:
    return {"C": bound_adam, "E": bound_adam_pathwise}[which](Delta, L, alpha, v0, eta, beta1, beta2, K, d)


def bounds(which: str, s: Symbols, K: int, part: int) -> Array:
    """The bound at 1..K as a column, computed at about 60 of them: it grows with K, so an earlier one is smaller."""
    marks = np.unique(np.geomspace(1, K, min(K, 60)).astype(int))
    values = [_bound(which, s.Delta, s.L, s.alpha, s.v0, s.eta, s.beta1, s.beta2, int(k), s.d)[part] for k in marks]
    return np.array(values)[np.searchsorted(marks, np.arange(1, K + 1), side="right") - 1][:, None]


WORST = ("worst", worst_coordinate)


def sums(which: str, column: str = "weighted") -> Quantity:
    """The weighted sum against S, or the sum of lengths against its bound."""
    def sides(s: Symbols, path: Any) -> tuple[Array, Array]:
        measured = up_to(getattr(path, column))
        part = 1 if column == "weighted" else 0
        return measured, np.broadcast_to(bounds(which, s, len(measured), part), measured.shape)
    return Quantity(((column, {"weighted": weighted, "length": length}[column]), WORST, "gap"), sides)


BETA = Hypothesis("eta < 1 and beta1/sqrt(beta2 - beta1^2) < (1 - eta^2)/(1 + eta^2)",
                  lambda case, seen: momentum_margin(case.symbols.eta, case.symbols.beta1, case.symbols.beta2) - 1e-6
                  if case.symbols.eta < 1 else -1.0)
def _tested(case: Case, seen: Mapping[str, float]) -> float:
    found = seen["worst"] if case.symbols.d > 1 else seen["rel_total"]
    return 1 - (1 + found) / (1 + case.symbols.eta**2)


EACH = Hypothesis("the norm test (for one v) or the coordinate-wise test (for d) holds at every iterate", _tested,
                  ("rel_total", "worst"))
HYPOTHESES = {"smooth": SMOOTH, "start": START, "step": STEP, "gap": GAP, "betas": BETA, "test": EACH}


def on_logquad(name: str, noise: Any, evidence: Any, eta: float, beta1: float, beta2: float, d: int = 3,
               x0: float = 1.5, **how: Any) -> Case:
    return adam_case(name, noisy(LogQuad(d), noise), ONE, x0, evidence, eta, beta1, beta2, **how)


def on_data(norm: bool) -> Any:
    def build() -> Case:
        problem = robust("breast_cancer" if norm else "diabetes")
        test = (NormTest if norm else CoordinatewiseNormTest)(0.5 if norm else 0.9)
        words = "breast_cancer, RMSProp, norm test" if norm else "diabetes, RMSProp, coordinate-wise test"
        return adam_case(words, problem, Ahead(test), np.zeros(problem.dim), Bet(40, 40), test.eps, 0.0, 0.9, 0.02,
                         norm=norm)
    return build


rmsprop = Claim(
    id=f"{PAPER}/adam-small-momentum", kind="statement", title="RMSProp and Adam with a small beta1",
    source=Source(PAPER, "theorem C of our notes, with sharper constants", OURS),
    statement=r"\sum_{k=1}^{K}\mathbb{E}\frac{\|G_k\|^2}{\sqrt{\beta_2v_{k-1}+(1-\beta_2)\|G_k\|^2}}\le S",
    explain="S is the root of (1 - beta1)/(1 - theta) (mu - theta/sqrt(1 - theta^2)) S = Delta/alpha + A ln(1 + ...), "
            "theta = beta1/sqrt(beta2), with mu = (1 - eta^2)/(1 + eta^2).",
    quantity=sums("C"),
    hypotheses=HYPOTHESES,
    no_tight="momentum is treated by its worst case; without it the bound is about twice the measured value",
    generic=(on_logquad("RMSProp (0, 0.9), drop, eta = 0.5", Lazy(1.25), Enumerate(12), 0.5, 0.0, 0.9),
             on_logquad("RMSProp (0, 0.9) without noise, one coordinate", TwoPoint(0.0), Enumerate(300), 0.0, 0.0, 0.9,
                        1),
             on_logquad("RMSProp (0, 0.99), Gaussian, eta = 0.3", Gaussian(0.3), Bet(100, 200), 0.3, 0.0, 0.99),
             on_logquad("RMSProp (0, 0.9) coordinate-wise, rare spike", Rare(0.5), Bet(100, 200), 0.5, 0.0, 0.9,
                        norm=False),
             on_logquad("Adam (0.3, 0.99), Gaussian, eta = 0.3", Gaussian(0.3), Bet(100, 200), 0.3, 0.3, 0.99)),
    real=(on_data(True), on_data(False)),
    broken={"smooth": (on_logquad("told L = 1e-3", TwoPoint(0.0), Enumerate(200), 0.0, 0.0, 0.9, 1, 1e-3, alpha=0.5,
                                  told={"L": 1e-3}),),
            "gap": (on_logquad("told Delta = 0", TwoPoint(0.0), Enumerate(60), 0.0, 0.0, 0.9, 3, 10.0, alpha=0.01,
                               told={"Delta": 0.0}),),
            "test": (on_logquad("additive noise of size 100", AdditiveGaussian(100.0), Bet(300, 100), 0.3, 0.0, 0.99,
                                10, 0.1, alpha=0.05),)},
)

gradients = Claim(
    id=f"{PAPER}/adam-gradients", kind="statement", title="RMSProp and Adam with a small beta1: the mean gradient",
    source=Source(PAPER, "theorem C of our notes, with sharper constants", OURS),
    statement=r"\sum_{k=1}^{K}\mathbb{E}\|G_k\|\le\sqrt{S\left(\frac{\sqrt{\beta_2v_0}}{1-\sqrt{\beta_2}}"
              r"+\kappa S\right)},\qquad\kappa=\sqrt{\beta_2(1+\eta^2)}(1+\sqrt{\beta_2})+1-\beta_2",
    explain="With alpha of order 1/sqrt(K) and beta2 fixed the mean gradient is of order 1/sqrt(K), which is O(1/K) "
            "for its square; with alpha fixed the bound grows like K: there is a floor of order alpha L. The length is "
            "that of G where one v serves all coordinates, and the sum of |G_i| where each has its own.",
    quantity=sums("C", "length"),
    hypotheses=HYPOTHESES,
    no_tight="Cauchy-Schwarz over the steps; about 3 times the measured value without momentum",
    generic=(on_logquad("RMSProp (0, 0.9) without noise", TwoPoint(0.0), Enumerate(256), 0.0, 0.0, 0.9, alpha=1 / 16),
             on_logquad("RMSProp (0, 0.9), drop, eta = 0.5, alpha = 1/sqrt(K)", Lazy(1.25), Bet(256, 200), 0.5, 0.0,
                        0.9, alpha=1 / 16),
             on_logquad("RMSProp (0, 0.9) coordinate-wise, drop, eta = 0.5", Lazy(1.25), Bet(256, 200), 0.5, 0.0, 0.9,
                        alpha=1 / 16, norm=False)),
    broken={"gap": (on_logquad("told Delta = 0", TwoPoint(0.0), Enumerate(200), 0.0, 0.0, 0.9, 3, 10.0, alpha=0.01,
                               told={"Delta": 0.0, "L": 2.0}),),
            "smooth": (on_logquad("told L = 1e-6", TwoPoint(0.0), Enumerate(200), 0.0, 0.0, 0.9, 1, 1e-3, alpha=0.5,
                                  v0=1e-8, told={"L": 1e-6}),)},
)


SURE_BETA = Hypothesis("theorem E's margin: (1 - eta^2)/(1 + eta^2) exceeds what steady momentum can cost",
                       lambda case, seen: condition_margin(case.symbols.eta, case.symbols.beta1, case.symbols.beta2)
                       if case.symbols.eta < 1 else -1.0)

momentum = Claim(
    id=f"{PAPER}/adam-large-momentum", kind="statement", title="Adam with beta1 = 0.9 and noise that surely passes",
    source=Source(PAPER, "theorem E (docs/findings.md)", OURS),
    statement=r"\|g_k-G_k\|\le\eta\|G_k\|,\;\eta\le0.4,\;\beta_1=0.9:\quad\frac{1-\beta_1}{1-\theta}"
              r"\left(\frac{1-\eta^2}{1+\eta^2}-\kappa\right)S=\frac\Delta\alpha+A'\ln\left(1+\ldots\right)",
    explain="Theorem C stops at theta/sqrt(1 - theta^2) < mu, far below beta1 = 0.9. Where the gradient is large "
            "against alpha L it cannot have changed much lately, so v holds it many times already and momentum costs "
            "at most kappa = 0.47 of the descent (eta = 0.2, beta2 = 0.999; mu = 0.92); elsewhere the logarithm of v "
            "pays. The condition holds up to eta = 0.4, also at (0.9, 0.95). Loose, not vacuous.",
    quantity=sums("E"),
    hypotheses={"smooth": SMOOTH, "start": START, "step": STEP, "gap": GAP, "betas": SURE_BETA, "sure": SURE},
    no_tight="the constants are hundreds of times too large",
    generic=(on_logquad("Adam (0.9, 0.999), sphere, eta = 0.2", Sphere(0.2), Bet(100, 100), 0.2, 0.9, 0.999),
             on_logquad("Adam (0.9, 0.95), two points, eta = 0.2", TwoPoint(0.2), Bet(100, 100), 0.2, 0.9, 0.95),
             on_logquad("Adam (0.9, 0.999), two points, eta = 0.4", TwoPoint(0.4), Bet(100, 100), 0.4, 0.9, 0.999),
             on_logquad("Adam (0.9, 0.999) without noise", TwoPoint(0.0), Enumerate(200), 0.0, 0.9, 0.999),
             lambda: far("wide Huber function, sphere, eta = 0.2", Sphere(0.2), Bet(300, 20), 400.0)),
    broken={"gap": (lambda: far("told Delta = 0", TwoPoint(0.0), Enumerate(300), 400.0, told={"Delta": 0.0}),),
            "smooth": (on_logquad("told L = 1e-9", TwoPoint(0.0), Enumerate(100), 0.0, 0.9, 0.999, 1, 1e-3, alpha=0.5,
                                  told={"L": 1e-9}),),
            "sure": (lambda: far("drop with M = 100,000: no gradient for long", Lazy(100_000), Bet(600, 50), 100.0,
                                 1e-3, v0=1e-4),)},
)


def far(name: str, noise: Any, evidence: Any, beyond: float, L: float = 1e-6, **how: Any) -> Case:
    """Adam (0.9, 0.999), eta = 0.2, on a wide Huber function from 1/L + beyond."""
    return adam_case(name, noisy(WideHuber(L), noise), ONE, 1 / L + beyond, evidence, 0.2, 0.9, 0.999, 1.0,
                     **how)

# ---------------------------------------------------------------- the wide Huber function


class WideHuber:
    """F = L x^2/2 for |x| <= 1/L, else |x| - 1/(2L): gradient of length 1 far from the minimiser. Ours."""

    dim, gap_error = 1, 0.0

    def __init__(self, L: float) -> None:
        self.constants = Constants(L, 0.0, np.zeros(1))

    def gradient(self, x: Array) -> Array:
        return np.clip(self.constants.L * x, -1.0, 1.0)

    def gap(self, x: Array) -> Array:
        size, L = np.abs(x[..., 0]), self.constants.L
        return np.where(size * L <= 1, L * size * size / 2, size - 1 / (2 * L))


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

CLAIMS = (rmsprop, gradients, momentum, printed, corrected, condition, condition_in_practice)
