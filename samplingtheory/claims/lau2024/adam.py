"""RMSProp and Adam in the form of the theorems: our bounds."""

from __future__ import annotations

from ...evidence.exact import Enumerate
from ...evidence.simulate import Bet
from ...problems.noise import AdditiveGaussian, Gaussian, Sphere
from ...problems.oracles import Lazy, Rare, TwoPoint
from ..adadagrad2024.cases import GAP, START, STEP, SURE
from ..adaptive_bounds import condition_margin, momentum_margin
from ..base import OURS, Claim, Hypothesis, Source
from ..common import SMOOTH
from .adam_cases import EACH, PAPER, far, on_data, on_logquad, sums

BETA = Hypothesis("eta < 1 and beta1/sqrt(beta2 - beta1^2) < (1 - eta^2)/(1 + eta^2)",
                  lambda case, seen: momentum_margin(case.symbols.eta, case.symbols.beta1, case.symbols.beta2) - 1e-6
                  if case.symbols.eta < 1 else -1.0)
HYPOTHESES = {"smooth": SMOOTH, "start": START, "step": STEP, "gap": GAP, "betas": BETA, "test": EACH}

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
    source=Source(PAPER, "theorem E (docs/proofs)", OURS),
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

CLAIMS = (rmsprop, gradients, momentum)
