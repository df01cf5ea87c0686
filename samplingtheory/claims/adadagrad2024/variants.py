"""Beyond the norm test with eta < 1: any growth constant, no Lipschitz gradient, AdaGrad coordinate by coordinate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...criteria import AugmentedInnerProductTest
from ...evidence.base import Quantity
from ...evidence.exact import Enumerate
from ...evidence.simulate import Bet
from ...methods import AdaGrad
from ...problems.noise import AdditiveGaussian, CoordinateGaussian, Gaussian
from ...problems.oracles import FourAtoms, Lazy, Rare, TwoPoint
from ...problems.separable import Cosh, CosQuad, LogQuad
from ...sizing import Ahead
from ..base import OURS, Case, Claim, Hypothesis, Source
from ..common import SMOOTH, robust, up_to
from .cases import (
    BELOW_ONE,
    GAP,
    ONE,
    PAPER,
    START,
    STEP,
    TEST,
    adaptive_case,
    any_bound,
    coordinate_bound,
    general_bound,
    noisy,
    on_data,
    on_logquad,
    share,
    shares,
    told,
    worst_coordinate,
)

# ---------------------------------------------------------------- A': any strong growth constant


def _root(s: Any, path: Any) -> tuple[Any, Any]:
    Q = up_to(path.grad2[:-1])
    return np.sqrt(Q), np.full_like(Q, any_bound(s).Q)


GROWTH = Hypothesis("strong growth with the constant that the bound uses",
                    lambda case, seen: 1 - (1 + seen["rel_total"]) / case.symbols.growth, ("rel_total",))
ANY = {"smooth": SMOOTH, "start": START, "step": STEP, "gap": GAP, "growth": GROWTH}
STANDARD: dict[str, Any] = {"alpha": 1.0, "v0": 1.0}


def augmented_on_data() -> Case:
    problem = robust("breast_cancer")
    return adaptive_case("breast_cancer, Geman-McClure, augmented test (0.9, 1)", problem,
                         Ahead(AugmentedInnerProductTest(0.9, 1.0)), np.zeros(problem.dim), Bet(60, 60), 0.2, 1.0,
                         0.0, growth=2.81)


any_growth = Claim(
    id=f"{PAPER}/any-growth", kind="statement", title="AdaGrad-Norm under any strong growth",
    source=Source(PAPER, "theorem A' of our notes, telescoping of Wang et al. (2023)", OURS),
    statement=r"\mathbb{E}\|g_k\|^2\le M\|G_k\|^2\;(M\ge1)\;\Rightarrow\;"
              r"\mathbb{E}\sqrt{Q_K}\le\sqrt{S(\sqrt{v_0}+MS/2)},\quad"
              r"cS=C_1+\alpha L\ln\left(1+\frac{MS}{2\sqrt{v_0}}\right)",
    explain="Covers the augmented inner product test with theta^2 + nu^2 >= 1, where a step can ascend on average.",
    quantity=Quantity(("grad2",), _root),
    hypotheses=ANY,
    no_tight="1/sqrt(v0) enters; the bound is 5 times the measured value at best",
    generic=(on_logquad("logquad, drop, M = 5", Lazy(5), Bet(200, 300), 2.0, d=3, **STANDARD),
             on_logquad("plane, four atoms (0.9, 1)", FourAtoms(0.9, 1.0), Bet(200, 300), 0.0, d=2, growth=2.81,
                        **STANDARD),
             on_logquad("logquad, Gaussian, eta = 0.5", Gaussian(0.5), Bet(200, 300), 0.5, **STANDARD)),
    real=(augmented_on_data,),
    broken={"growth": (on_logquad("additive noise of size 100, told M = 1.09", AdditiveGaussian(100.0), Bet(500, 60),
                                  0.3, x0=0.1, **STANDARD),),
            "gap": (on_logquad("told Delta = 0, |G_1| = 0", TwoPoint(0.0), Bet(200, 20), 0.0, Delta=0.0, grad2=0.0,
                               alpha=0.05, v0=1.0),)},
)

# ---------------------------------------------------------------- A-gen: (L0, L1)-smooth F


def _curvature(case: Case, seen: Any) -> float:
    known = case.problem.constants
    return min(case.symbols.L0 / known.L0, case.symbols.L1 / known.L1) - 1


def cosh(name: str, noise: Any, evidence: Any, eta: float, x0: float = 3.0, alpha: float = 0.05, v0: float = 0.01,
         **how: Any) -> Case:
    return adaptive_case(name, noisy(Cosh(1), noise), ONE, x0, evidence, alpha, v0, eta, **how)


generalised = Claim(
    id=f"{PAPER}/generalised-smooth", kind="statement", title="AdaGrad-Norm without a Lipschitz gradient",
    source=Source(PAPER, "(L0, L1)-smooth extension (recalled); theorem A-gen of our notes, sharper constants", OURS),
    statement=r"\|\nabla^2F\|\le L_0+L_1\|\nabla F\|:\quad"
              r"\left(\frac{1-\eta^2}{1+\eta^2}-\frac{\alpha cL_1}{2}\right)S=\frac\Delta\alpha"
              r"+\alpha cL_0\ln\left(1+\frac{\sqrt{1+\eta^2}\,S}{\sqrt{v_0}}\right),\quad"
              r"c=\frac{2(e^u-1-u)}{u^2},\;u=\alpha L_1",
    explain="c is at most 2(e - 2) for alpha <= 1/L1, and tends to 1; the bound itself says how long alpha may be.",
    quantity=Quantity((("share", share), "gap"), lambda s, path: (
        up_to(path.share), np.full_like(path.share, general_bound(s).S))),
    hypotheses={"smooth": Hypothesis("|Hess F| <= L0 + L1 |grad F| with the constants that the bound uses", _curvature),
                "start": START, "step": STEP, "gap": GAP, "eta": BELOW_ONE, "test": TEST},
    tight=(cosh("cosh from 3 without noise", TwoPoint(0.0), Enumerate(1500), 0.0),
           cosh("cosh from 2 without noise", TwoPoint(0.0), Enumerate(400), 0.0, 2.0, 0.2, 1.0)),
    generic=(cosh("cosh, drop, eta = 0.5", Lazy(1.25), Enumerate(150), 0.5, 2.0, 0.2, 1.0),
             cosh("cosh, rare spike, eta = 0.3", Rare(0.3), Bet(200, 200), 0.3, 2.0, 0.2, 1.0)),
    broken={"smooth": (cosh("told L0 = L1 = 1e-3", TwoPoint(0.0), Enumerate(200), 0.0, 1e-3, 1.0, 1e-6, L0=1e-3,
                            L1=1e-3),),
            "gap": (cosh("told Delta = 0.1", TwoPoint(0.0), Enumerate(400), 0.0, 2.0, 0.2, 1.0, Delta=0.1),),
            "start": (told(cosh("told v0 = 16, run with 1e-6", TwoPoint(0.0), Enumerate(200), 0.0, 1e-3, 0.5, 1e-6),
                           v0=16.0),),
            "test": (cosh("drop with M = 20, told eta = 0.3", Lazy(20), Enumerate(150), 0.3, 0.5, 0.3, 0.01),)},
)

# ---------------------------------------------------------------- B: coordinate by coordinate


EACH = Hypothesis("the coordinate-wise norm test holds at every iterate: E(g_i - G_i)^2 <= eta^2 G_i^2",
                  lambda case, seen: 1 - (1 + seen["worst"]) / (1 + case.symbols.eta**2), ("worst",))
EACH_SMOOTH = Hypothesis("the curvatures L_i that the bound uses hold in every coordinate",
                         lambda case, seen: float(np.min(case.symbols.curvatures
                                                         / getattr(case.problem, "base", case.problem).curvatures)) - 1)


def spread(name: str, noise: Any, evidence: Any, eta: float, base: Any = None, x0: Any = 1.5, alpha: float = 0.2,
           v0: float = 0.01, **how: Any) -> Case:
    return adaptive_case(name, noisy(base or LogQuad(10), noise), ONE, x0, evidence, alpha, v0, eta, AdaGrad, **how)


SMALL: dict[str, Any] = {"base": LogQuad(1), "x0": 1e-3, "alpha": 1.0, "v0": 1e-6}
coordinatewise = Claim(
    id=f"{PAPER}/coordinate-wise", kind="statement", title="AdaGrad under the coordinate-wise norm test",
    source=Source(PAPER, "AdaGrad with the coordinate-wise test (abstract); theorem B of our notes", OURS),
    statement=r"\sum_{k=1}^{K}\sum_i\mathbb{E}\frac{G_{k,i}^2}{\sqrt{v_{k-1,i}+G_{k,i}^2}}\le S:\quad"
              r"\frac{1-\eta^2}{1+\eta^2}S=\frac\Delta\alpha+\alpha\Lambda\ln\left(1+\sqrt{1+\eta^2}\,S\max_i"
              r"\frac{L_i}{\Lambda\sqrt{v_{0,i}}}\right),\quad\Lambda=\sum_iL_i",
    explain="Hence E sum_i sqrt(sum_k G_{k,i}^2) <= sqrt(S((1 + tau) S + sum sqrt(v0_i))), and a mean gradient of "
            "order 1/sqrt(K). The plain norm test is not enough: noise may sit in a coordinate without gradient.",
    quantity=Quantity((("share", shares), "gap", ("worst", worst_coordinate)), lambda s, path: (
        up_to(path.share), np.full_like(path.share, coordinate_bound(s).S))),
    hypotheses={"smooth": EACH_SMOOTH, "start": START, "step": STEP, "gap": GAP, "eta": BELOW_ONE, "test": EACH},
    tight=(spread("logquad d = 10 without noise", TwoPoint(0.0), Enumerate(400), 0.0),),
    generic=(spread("logquad d = 10, drop, eta = 0.5", Lazy(1.25), Enumerate(150), 0.5),
             spread("cosquad, Gaussian in every coordinate, eta = 0.5", CoordinateGaussian(0.5), Bet(150, 200), 0.5,
                    CosQuad(np.linspace(0.05, 1.0, 5)), 2.0, 1.0, 1.0)),
    real=(on_data("diabetes", "Geman-McClure", 0.9, Bet(40, 40), coordinates=True),),
    broken={"smooth": (spread("told L = 0.02", TwoPoint(0.0), Enumerate(100), 0.0, curvatures=np.array([0.02]),
                              **SMALL),),
            "start": (told(spread("told v0 = 16, run with 1e-6", TwoPoint(0.0), Enumerate(100), 0.0, **SMALL),
                           v0=16.0),),
            "gap": (spread("told Delta = 0.5", TwoPoint(0.0), Enumerate(200), 0.0, Delta=0.5),),
            "test": (spread("drop with M = 100, told eta = 0.3", Lazy(100), Enumerate(100), 0.3, LogQuad(1)),)},
)

CLAIMS = (any_growth, generalised, coordinatewise)
