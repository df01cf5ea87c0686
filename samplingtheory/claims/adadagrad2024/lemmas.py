"""The lemmas on one step: how much of the descent the noise can take, how fast v grows, what a step is worth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...evidence.base import Quantity
from ...evidence.exact import Enumerate
from ...evidence.laws import WorstLaw
from ...evidence.simulate import Bet
from ...methods import AdaGradNorm
from ...moments import Array
from ...problems.noise import Gaussian
from ...problems.oracles import Lazy, Rare, Sideways, TwoPoint
from ...problems.quadratic import Quadratic
from ...problems.separable import CosQuad, LogQuad
from ..adaptive_bounds import descent_share
from ..base import OURS, Case, Claim, Hypothesis, Source, Symbols
from ..common import SMOOTH
from .cases import BELOW_ONE, ONE, PAPER, STEP, TEST, Backwards, adaptive_case, noisy, pull, risen, share, spent, told

LINE, PLANE = Quadratic(np.ones(1)), Quadratic(np.ones(2))

# ---------------------------------------------------------------- Lemma 1: all laws on the line


def normalised(w: float) -> Any:
    """f(x) = x sqrt(w + 1)/sqrt(w + x^2): <G, g>/sqrt(v) over |G|^2/sqrt(xi) for g = x G, |G| = 1."""
    def f(x: Array) -> Array:
        return x * math.sqrt(w + 1) / np.sqrt(w + x * x)
    return f


def dual(s: Symbols) -> tuple[float, float, float]:
    """(a, b, c) with a + b (x - 1) + c (x - 1)^2 <= f(x) for all x and a + c eta^2 = (1 - eta^2)/(1 + eta^2).

    For w <= eta^2 the square 1 - 2 (1 - x/T)^2, T = 1 + eta^2; else the tangent at 1 less (2/T)(x - 1)^2. The proof
    is in docs/proofs; in R^d the same function of |g| and <G, g> is linear in the cosine, so d = 1 is the worst.
    """
    e = s.variance
    T = 1 + e
    if s.w <= e:
        return 1 - 2 * e * e / (T * T), 4 * e / (T * T), -2 / (T * T)
    return 1.0, s.w / (1 + s.w), -2 / T


def all_laws(eta: float, w: float, claimed: float | None = None, name: str = "") -> Case:
    symbols = Symbols(eta=eta, w=w, variance=eta * eta, share=descent_share(eta) if claimed is None else claimed)
    evidence = WorstLaw(dual if claimed is None else None)
    return Case(name or f"eta = {eta}, w = {w:g}", normalised(w), None, None, None, evidence, symbols)


SHARE = Hypothesis("the share that is claimed is (1 - eta^2)/(1 + eta^2) at most",
                   lambda case, seen: descent_share(case.symbols.eta) - case.symbols.share)

worst_laws = Claim(
    id=f"{PAPER}/descent-share-all-laws", kind="class", title="How much of the descent noise can take: all laws",
    source=Source(PAPER, "Lemma 1 of our notes, sharpened and proved (docs/proofs)", OURS),
    statement=r"\mathbb{E}g=G,\;\mathbb{E}\|g-G\|^2\le\eta^2\|G\|^2:\quad\mathbb{E}\frac{\langle G,g\rangle}"
              r"{\sqrt{w+c\|g\|^2}}\ge\frac{1-\eta^2}{1+\eta^2}\,\frac{\|G\|^2}{\sqrt{w+c\|G\|^2}}",
    explain="A linear programme over the law of g/G finds the worst one. The factor is reached as w -> 0 by Cantelli's "
            "law, which points slightly backwards with probability eta^2/(1 + eta^2). At eta = 1.2 it is -0.18: a step "
            "may then ascend on average, so that eta < 1 is needed, and 1 - eta (our notes) is not the best constant.",
    quantity=Quantity((), lambda s, value: (s.share, value)),
    hypotheses={"share": SHARE, "eta": BELOW_ONE},
    tight=tuple(all_laws(eta, 1e-16) for eta in (0.1, 0.3, 0.5, 0.7, 0.9)),
    generic=tuple(all_laws(eta, w) for eta in (0.3, 0.9) for w in (1e-3, 0.1, 1.0, 10.0)),
    broken={"share": (all_laws(0.5, 1e-16, 0.61, "eta = 0.5, share 0.61 claimed in place of 0.6"),
                      all_laws(0.3, 1e-16, 1.3 * 0.7, "eta = 0.3, 1 - eta times 1.3")),
            "eta": (all_laws(1.2, 1e-16, descent_share(1.2), "eta = 1.2: the worst factor is negative"),)},
)

# ---------------------------------------------------------------- Lemma 1 and 2 and the step, along runs


def lemma_case(name: str, base: Any, noise: Any, x0: Any, evidence: Any, eta: float, v0: float = 0.0,
               alpha: float = 0.2, **told: Any) -> Case:
    return adaptive_case(name, noisy(base, noise), ONE, x0, evidence, alpha, v0, eta, AdaGradNorm, **told)


LEMMA = {"test": TEST}

descent = Claim(
    id=f"{PAPER}/descent-share", kind="step", title="How much of the descent noise can take, along runs",
    source=Source(PAPER, "Lemma 1 of our notes, sharpened", OURS),
    statement=r"\mathbb{E}_k\frac{\langle G_k,g_k\rangle}{\sqrt{v_k}}\ge\frac{1-\eta^2}{1+\eta^2}\,"
              r"\frac{\|G_k\|^2}{\sqrt{v_{k-1}+\|G_k\|^2}}",
    quantity=Quantity((("pull", pull), ("share", share), "grad2"), lambda s, now, then: (
        descent_share(s.eta) * then.share, then.pull)),
    hypotheses=LEMMA,
    tight=tuple(lemma_case(f"Cantelli's law, eta = {eta}, v0 = 0", LINE, Backwards(eta), 1.0, Enumerate(1), eta)
                for eta in (0.3, 0.5, 0.9)),
    generic=(lemma_case("logquad, drop", LogQuad(10), Lazy(1.25), 1.5, Enumerate(40), 0.5, 0.01),
             lemma_case("cosquad, rare spike", CosQuad((0.05, 1.0)), Rare(0.5), (2.0, 1.0), Enumerate(4), 0.5, 0.01),
             lemma_case("sideways in the plane", PLANE, Sideways(0.9), 1.0, Enumerate(4), 0.9)),
    broken={"test": (lemma_case("Cantelli's law at 0.6, told 0.5", LINE, Backwards(0.6), 1.0, Enumerate(1), 0.5),
                     lemma_case("Cantelli's law at 1.2, told 0.9", LINE, Backwards(1.2), 1.0, Enumerate(1), 0.9))},
)

growth_of_v = Claim(
    id=f"{PAPER}/scale-growth", kind="step", title="How fast the scale grows",
    source=Source(PAPER, "Lemma 2 of our notes", OURS),
    statement=r"\mathbb{E}_k\sqrt{v_k}-\sqrt{v_{k-1}}\le\sqrt{1+\eta^2}\,\frac{\|G_k\|^2}{\sqrt{v_{k-1}+\|G_k\|^2}}",
    explain="Equality where v starts at 0 and |g| = tau |G| surely: noise across the gradient, two points in the "
            "plane.",
    quantity=Quantity((("risen", risen), ("share", share), "grad2"), lambda s, now, then: (
        then.risen, math.sqrt(1 + s.eta**2) * then.share)),
    hypotheses=LEMMA,
    tight=tuple(lemma_case(f"two points in the plane, eta = {eta}, v0 = 0", PLANE, Sideways(eta), 1.0, Enumerate(1),
                           eta) for eta in (0.3, 0.9)),
    generic=(lemma_case("logquad, drop", LogQuad(10), Lazy(1.25), 1.5, Enumerate(40), 0.5, 0.01),
             lemma_case("logquad, Gaussian", LogQuad(10), Gaussian(0.5), 1.5, Bet(20, 400), 0.5, 0.01)),
    broken={"test": (lemma_case("two points at 0.6, told 0.5", PLANE, Sideways(0.6), 1.0, Enumerate(1), 0.5),)},
)


def _step(s: Symbols, now: Any, then: Any) -> tuple[Any, Any]:
    return then.gap + s.alpha * descent_share(s.eta) * then.share, now.gap + s.L * s.alpha**2 / 2 * then.spent


one_step = Claim(
    id=f"{PAPER}/one-step", kind="step", title="One step of AdaGrad-Norm",
    source=Source(PAPER, "inside theorem A of our notes", OURS),
    statement=r"\mathbb{E}_kF(x_{k+1})+\alpha\frac{1-\eta^2}{1+\eta^2}\,\frac{\|G_k\|^2}{\sqrt{v_{k-1}+\|G_k\|^2}}"
              r"\le F(x_k)+\frac{L\alpha^2}{2}\mathbb{E}_k\frac{\|g_k\|^2}{v_k}",
    explain="Equality on a quadratic: without noise, and with Cantelli's law at v0 = 0. Theorem A is its sum.",
    quantity=Quantity(("gap", ("share", share), ("spent", spent)), _step),
    hypotheses={"smooth": SMOOTH, "step": STEP, "test": TEST},
    tight=(lemma_case("quadratic without noise", LINE, TwoPoint(0.0), 1.0, Enumerate(5), 0.0, 0.01),
           lemma_case("quadratic, Cantelli's law, v0 = 0", LINE, Backwards(0.5), 1.0, Enumerate(1), 0.5)),
    generic=(lemma_case("logquad, drop", LogQuad(10), Lazy(1.25), 1.5, Enumerate(40), 0.5, 0.01),
             lemma_case("cosquad, rare spike", CosQuad((0.05, 1.0)), Rare(0.5), (2.0, 1.0), Enumerate(4), 0.5, 0.01)),
    broken={"smooth": (lemma_case("told L = 1/2 of a quadratic with L = 1", LINE, TwoPoint(0.0), 1.0, Enumerate(1), 0.0,
                                  0.01, L=0.5),),
            "step": (told(lemma_case("told alpha = 0.1, run with 0.2", LINE, TwoPoint(0.0), 0.05, Enumerate(1), 0.0,
                                     1e-4), alpha=0.1),),
            "test": (lemma_case("Cantelli's law at 0.6, told 0.5", LINE, Backwards(0.6), 1.0, Enumerate(1), 0.5),)},
)

CLAIMS = (worst_laws, descent, growth_of_v, one_step)
