"""Rates of the proximal gradient method under a complete-step test."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ...criteria import StepNormTest
from ...evidence.base import Quantity
from ...evidence.exact import Enumerate
from ...evidence.simulate import Bet
from ...problems.composite import Composite
from ...problems.prox import L1, Box, Nothing
from ...sizing import Ahead, Fixed
from ..base import OURS, RECONSTRUCTED, Case, Claim, Hypothesis, Source, Symbols
from ..common import bundled, step_at_most
from .cases import (
    MASTER,
    NORM,
    ONE,
    PAPER,
    SMOOTH,
    STRONG,
    UNBIASED,
    WATCH,
    WATCH_NORM,
    Biased,
    bent,
    bias,
    by_mapping,
    by_master,
    composite_case,
    family,
    plain_sum,
    random_sum,
    regularisers,
    t1,
    t2,
)

ETA, XI3 = 0.5, 0.1
REAL_ETA = 2 * 0.2139 / 1.2139  # N3(0.1) => N1(0.2139) => M(0.3524)
RESTRICTED = step_at_most(lambda s: (1 - s.eta) / s.L, "the step is at most (1 - eta)/L")
FULL = step_at_most(lambda s: 1 / s.L, "the step is at most 1/L")
TREE = Enumerate(3)


def restricted(eta: float) -> Any:
    return lambda problem: (1 - eta) / problem.constants.L


@lru_cache(maxsize=2)
def real_problem(name: str) -> Composite:
    """l1-logistic regression and box-constrained least squares on data shipped with scikit-learn."""
    from ...problems.regression import LeastSquares, LogisticRegression

    A, y = bundled("breast_cancer")
    if name == "l1":
        return Composite(LogisticRegression(A, y, ridge=0.05), L1(0.05))
    return Composite(LeastSquares(A, y, ridge=0.05), Box(np.zeros(A.shape[1]), np.full(A.shape[1], 0.5)))


NAMES = {"l1": "breast_cancer, l1-logistic", "box": "breast_cancer, box-constrained least squares"}


def on_data(kind: str) -> Any:
    def build() -> Case:
        problem = real_problem(kind)
        return composite_case(f"{NAMES[kind]}, condition N3", problem, by_mapping(XI3), np.zeros(problem.dim),
                              Bet(10, 300), (1 - REAL_ETA) / problem.constants.L, eta=REAL_ETA)
    return build


REAL = (on_data("l1"), on_data("box"))


def limit() -> Case:
    """mu = L: Theorem 1's factor is the exact one, approached as p -> 0."""
    return t2(1.0, 1.0, 0.5, 0.5, 1e-4)


def crossing(evidence: Any) -> Any:
    """NC2: one sample a step in a box; the error of the batches accumulates and crosses the bound."""
    def build() -> Case:
        h, _ = regularisers()["box"]
        problem = Composite(random_sum(25), h)
        return composite_case("box, one sample a step", problem, ONE, [0.0, 1.0], evidence,
                              restricted(ETA)(problem), eta=ETA)
    return build


def _isotropic(name: str, q: float, alpha: float, sizing: Any, **how: Any) -> Case:
    """f = |x|^2/2 (N = 4), h = 0, batches with (1 + q) times their gradient."""
    problem: Any = Composite(plain_sum(), Nothing())
    return composite_case(name, Biased(problem, q) if q else problem, sizing, [2.0, 1.0], Enumerate(1), alpha, **how)


def _stretched(what: str, depth: int = 1, **how: Any) -> Case:
    """f = (.1 x^2 + y^2)/2 (N = 4), h = 0, full batches: told L = .2, told mu = .5, or a step of 2.2/L."""
    problem = Composite(plain_sum((0.1, 1.0)), Nothing())
    start, alpha, told = {"smooth": ([0.0, 1.0], 2.5, {"L": 0.2}), "strong": ([1.0, 0.0], 0.5, {"mu": 0.5}),
                          "step": ([0.0, 1.0], 2.2, {})}[what]
    name = {"smooth": "told L = 0.2", "strong": "told mu = 0.5", "step": "full batches, step 2.2/L"}[what]
    return composite_case(name, problem, Fixed(4), start, Enumerate(depth), alpha, **(told | how))


def _timid() -> Case:
    """g = grad f / 100: every step is too short for the rate."""
    problem: Any = Biased(Composite(plain_sum((0.1, 1.0)), Nothing()), -0.99)
    return composite_case("g = grad f / 100", problem, Fixed(4), [1.0, 0.0], Enumerate(40), 0.5, eta=ETA)


def plain_controls(depth: int = 1, strong: bool = True, step: bool = True, **how: Any) -> dict[str, tuple[Case, ...]]:
    """Controls that need no noise: a larger mu or a smaller L is told, or the step is too long."""
    wanted = {"smooth": "smooth"}
    wanted |= ({"strongly convex": "strong"} if strong else {}) | ({"step": "step"} if step else {})
    return {key: (_stretched(what, depth, **how),) for key, what in wanted.items()}


def _long_step() -> Case:
    return _isotropic("full batches, step 2.2/L", 0.0, 2.2, Fixed(4), told=0.5, eta=ETA)


def _loud() -> Case:
    return t2_told(0.2, 1.0, 3.0, 0.5, 0.1, told_eta=0.5)


def t2_told(mu: float, L: float, eta: float, alpha: float, p: float, told_eta: float) -> Case:
    """T2 built for a larger eta than the theorem is told."""
    case = t2(mu, L, eta, alpha, p)
    case.symbols.eta = told_eta
    return case


HYPOTHESES = {"smooth": SMOOTH, "strongly convex": STRONG, "step": RESTRICTED, "unbiased": UNBIASED, "test": MASTER}


def _halved(**how: Any) -> Case:
    return _isotropic("g = grad f / 2", -0.5, 0.5, Fixed(4), eta=ETA, **how)

strongly_convex = Claim(
    id=f"{PAPER}/strongly-convex", kind="step", title="Linear rate under a complete-step test, one step",
    source=Source(PAPER, "strongly convex theorem (form recalled; Theorem 1 of our notes)", RECONSTRUCTED),
    statement=r"\mathbb{E}_k\varphi(x_{k+1})-\varphi^*\le(1-\alpha\mu)(\varphi(x_k)-\varphi^*),\qquad"
              r"\alpha\le\frac{1-\eta}{L}",
    explain="Under condition (M, eta). On data too large to enumerate the sizes come from N3, which implies (M).",
    quantity=Quantity(("gap", *WATCH), lambda s, now, then: (then.gap, (1 - s.alpha * s.mu) * now.gap)),
    hypotheses=HYPOTHESES,
    tight=(limit(),),
    generic=family(TREE, restricted(ETA), by_master(ETA), eta=ETA),
    real=REAL,
    broken={**plain_controls(eta=ETA, step=False), "test": (_loud,), "step": (_long_step,), "unbiased": (_halved,)},
)


strongly_convex_path = Claim(
    id=f"{PAPER}/strongly-convex-path", kind="statement", title="Linear rate under a complete-step test, k steps",
    source=Source(PAPER, "strongly convex theorem (form recalled; Theorem 1 of our notes)", RECONSTRUCTED),
    statement=r"\mathbb{E}\varphi(x_k)-\varphi^*\le(1-\alpha\mu)^k(\varphi(x_0)-\varphi^*)",
    explain="With one sample a step the bound is crossed after a few steps: the test is needed.",
    quantity=Quantity(("gap", *WATCH), lambda s, path: (
        path.gap[1:], (1 - s.alpha * s.mu) ** np.arange(1, len(path.gap))[:, None] * path.gap[0])),
    hypotheses=HYPOTHESES,
    tight=(limit(),),
    generic=family(Enumerate(4), restricted(ETA), by_master(ETA), eta=ETA),
    real=REAL,
    broken={**plain_controls(eta=ETA), "test": (crossing(Enumerate(6)),), "unbiased": (_halved,)},
)

distance = Claim(
    id=f"{PAPER}/distance", kind="statement", title="Linear rate of the distance",
    source=Source(PAPER, "strongly convex theorem (Theorem 1c of our notes)", RECONSTRUCTED),
    statement=r"\mathbb{E}\|x_k-x^*\|^2\le\left(\frac{1-\alpha\mu}{1+\alpha\mu}\right)^k\|x_0-x^*\|^2",
    quantity=Quantity(("gap", "dist2", *WATCH), lambda s, path: (
        path.dist2[1:],
        ((1 - s.alpha * s.mu) / (1 + s.alpha * s.mu)) ** np.arange(1, len(path.gap))[:, None] * path.dist2[0])),
    hypotheses=HYPOTHESES,
    no_tight="the exact worst case is slightly smaller (.90372 against .90476 at mu = .1, eta = .5)",
    generic=(limit(), *family(Enumerate(4), restricted(ETA), by_master(ETA), eta=ETA)),
    real=REAL,
    broken={**plain_controls(eta=ETA), "test": (crossing(Enumerate(6)),), "unbiased": (_halved,)},
)

def flat(name: str) -> Any:
    """K7: the mean Hessian is singular, mu = 0."""
    def build() -> Case:
        h, x0 = regularisers()[name]
        problem = Composite(random_sum(3, flat=True), h)
        return composite_case(f"singular mean Hessian, {name}", problem, by_master(ETA), x0, Enumerate(4),
                              restricted(ETA)(problem), eta=ETA)
    return build


def crossing_flat() -> Case:
    """Loud T2 noise: one step leaves the bound far behind."""
    return t2_told(0.05, 1.0, 60.0, 0.5, 0.5, told_eta=0.5)


convex = Claim(
    id=f"{PAPER}/convex", kind="statement", title="Sublinear rate for convex f",
    source=Source(PAPER, "convex theorem (form recalled; Theorem 2 of our notes)", RECONSTRUCTED),
    statement=r"\mathbb{E}\varphi(x_k)-\varphi^*\le\frac{\|x_0-x^*\|^2}{2\alpha k},\qquad\alpha\le\frac{1-\eta}{L}",
    quantity=Quantity(("gap", "dist2", *WATCH), lambda s, path: (
        path.gap[1:], path.dist2[0] / (2 * s.alpha * np.arange(1, len(path.gap))[:, None]))),
    hypotheses={"smooth": SMOOTH, "step": RESTRICTED, "unbiased": UNBIASED, "test": MASTER},
    no_tight="the exact one-step constant is 1/(2 alpha (1 + alpha L)), not 1/(2 alpha)",
    generic=(*family(Enumerate(4), restricted(ETA), by_master(ETA), eta=ETA), flat("l1"), flat("box"), flat("ball")),
    real=REAL,
    broken={**plain_controls(4, strong=False, eta=ETA),
            "unbiased": (_timid,), "test": (crossing_flat,)},
)


decrease = Claim(
    id=f"{PAPER}/decrease", kind="step", title="Every step decreases the objective on average",
    source=Source(PAPER, "convex theorem (Theorem 2 of our notes)", RECONSTRUCTED),
    statement=r"\mathbb{E}_k\varphi(x_{k+1})\le\varphi(x_k)-\frac{1}{2\alpha}\mathbb{E}_k\|x_{k+1}-x_k\|^2",
    quantity=Quantity(("gap", "E2", *WATCH), lambda s, now, then: (then.gap + then.E2 / (2 * s.alpha), now.gap)),
    hypotheses={"smooth": SMOOTH, "step": RESTRICTED, "test": MASTER},
    no_tight="descent and prox inequality are not equalities together",
    generic=(limit(), *family(TREE, restricted(ETA), by_master(ETA), eta=ETA)),
    broken={**plain_controls(strong=False, eta=ETA), "test": (_loud,)},
)


# ---------------------------------------------------------------- the sharp one-step theorem (ours)


def universal(s: Symbols, now: Any, then: Any) -> tuple[Any, Any]:
    k = s.alpha * s.mu
    return then.gap, (1 - k) ** 2 * now.gap + s.alpha * then.V / (2 * (2 - s.alpha * s.L))


sharp_universal = Claim(
    id=f"{PAPER}/sharp-universal", kind="step", title="One step with any unbiased gradient",
    source=Source(PAPER, "Theorem 3b of our notes", OURS),
    statement=r"\mathbb{E}\varphi(x_+)-\varphi^*\le(1-\alpha\mu)^2(\varphi(x)-\varphi^*)"
              r"+\frac{\alpha V}{2(2-\alpha L)}",
    explain="No test at all: what noise costs. T1 reaches it for every amount of noise.",
    quantity=Quantity(("gap", "V", ("bias", bias)), universal),
    hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "step": FULL, "unbiased": UNBIASED},
    tight=(t1(0.2, 1.0, 0.2, 0.6), t1(0.1, 1.0, 0.5, 0.5), t1(0.5, 2.0, 1.0, 0.19)),
    generic=family(Enumerate(2), lambda problem: 1 / problem.constants.L, ONE),
    broken={**plain_controls(), "unbiased": (lambda: _isotropic("g = 0.8 grad f", -0.2, 0.5, Fixed(4)),)},
)

sharp_master = Claim(
    id=f"{PAPER}/sharp-inner-product", kind="step", title="The best one-step rate under condition (M)",
    source=Source(PAPER, "Theorem 3c of our notes", OURS),
    statement=r"\mathbb{E}\varphi(x_+)-\varphi^*\le\left((1-\alpha\mu)^2+\eta\alpha\mu\right)(\varphi(x)-\varphi^*),"
              r"\qquad\alpha\le\frac1L,\;\eta\le1-\alpha\mu",
    explain="The step restriction (1 - eta)/L is not needed. T2 approaches it while the variance grows without limit.",
    quantity=Quantity(("gap", *WATCH), lambda s, now, then: (
        then.gap, ((1 - s.alpha * s.mu) ** 2 + s.eta * s.alpha * s.mu) * now.gap)),
    hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "unbiased": UNBIASED, "test": MASTER,
                "step": step_at_most(lambda s: min(1 / s.L, (1 - s.eta) / s.mu),
                                     "alpha <= 1/L and eta <= 1 - alpha mu")},
    tight=tuple(t2(0.2, 1.0, 0.5, 0.5, p) for p in (1e-2, 1e-3, 1e-4)),
    generic=family(TREE, lambda problem: 0.9 / problem.constants.L, by_master(0.3), eta=0.3),
    broken={**plain_controls(eta=0.1),
            "test": (t2_told(0.2, 1.0, 0.55, 0.5, 1e-4, told_eta=0.5),), "unbiased": (_halved,)},
)


def by_norm(xi: float) -> Ahead:
    return Ahead(StepNormTest(xi))


def norm_factor(s: Symbols) -> float:
    k = s.alpha * s.mu
    return (1 - k) ** 2 + k * s.xi / (2 - s.alpha * s.L)


def _doubled() -> Case:
    """NC7: g = 2 grad f passes the condition formally and never moves the gap."""
    return _isotropic("g = 2 grad f, step 1/L", 1.0, 1.0, Fixed(4), mu=0.5, xi=0.25)


def _too_noisy() -> Case:
    case = t1(0.2, 1.0, 0.24, 0.6)
    case.symbols.xi = 0.2
    return case


def _margin(case: Case, seen: Any) -> float:
    s = case.symbols
    alpha = min(s.alpha, 1 / s.L)  # a longer step is another hypothesis's affair
    return float((2 - alpha * s.L) * (1 - alpha * s.mu) / s.xi - 1 + 1e-12)


MARGIN = Hypothesis("xi <= (2 - alpha L)(1 - alpha mu)", _margin)

sharp_norm = Claim(
    id=f"{PAPER}/sharp-norm", kind="step", title="The best one-step rate under the norm condition",
    source=Source(PAPER, "Theorem 3d of our notes", OURS),
    statement=r"\mathbb{E}\varphi(x_+)-\varphi^*\le\left((1-\alpha\mu)^2+\frac{\alpha\mu\,\xi}{2-\alpha L}\right)"
              r"(\varphi(x)-\varphi^*),\qquad\xi\le(2-\alpha L)(1-\alpha\mu)",
    explain="Attained exactly by T1. Beyond the margin even 1 - alpha mu fails (xie2020/unconstrained-step).",
    quantity=Quantity(("gap", *WATCH_NORM), lambda s, now, then: (then.gap, norm_factor(s) * now.gap)),
    hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "step": FULL, "unbiased": UNBIASED, "test": NORM,
                "xi": MARGIN},
    tight=(t1(0.2, 1.0, 0.2, 0.6), t1(0.1, 1.0, 0.5, 0.5), t1(0.5, 2.0, 1.0, 0.19)),
    generic=family(TREE, lambda problem: 0.6 / problem.constants.L, by_norm(0.3), xi=0.3),
    broken={**plain_controls(xi=0.1), "test": (_too_noisy,), "unbiased": (_doubled,),
            "xi": (lambda: bent(0.1, 1.0, 1.5, 0.7, 0.916),)},
)

unconstrained = Claim(
    id=f"{PAPER}/unconstrained-step", kind="step", expected="fails",
    title="The unconstrained step rule does not carry over to prox problems",
    source=Source(PAPER, "control NC3 of our notes", OURS),
    statement=r"V\le\frac{\xi}{\alpha^2}\|\mathbb{E}x_+-x\|^2,\;\alpha=\frac{1}{L(1+\xi)}\;\Rightarrow\;"
              r"\mathbb{E}\varphi(x_+)-\varphi^*\le(1-\alpha\mu)(\varphi(x)-\varphi^*)",
    explain="mu = .2, L = 1, xi = 1.5: the factor is .9214, not .92. The margin (2 - alpha L)(1 - alpha mu) >= xi "
            "is needed.",
    quantity=Quantity(("gap", *WATCH_NORM), lambda s, now, then: (then.gap, (1 - s.alpha * s.mu) * now.gap)),
    hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "test": NORM,
                "step": step_at_most(lambda s: 1 / (s.L * (1 + s.xi)), "the step is 1/(L(1 + xi))")},
    tight=(t1(0.2, 1.0, 1.5, 0.4),),
)

CLAIMS = (strongly_convex, strongly_convex_path, distance, convex, decrease, sharp_universal, sharp_master, sharp_norm,
          unconstrained)
