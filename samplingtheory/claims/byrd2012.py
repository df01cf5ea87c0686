"""Byrd, Chin, Nocedal, Wu, Sample size selection in optimization methods for machine learning, Math. Program.
2012, and results of that kind. The paper's text was not at hand: everything is proved here."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..evidence.base import Quantity
from ..evidence.exact import Enumerate, Pathwise, Recursion
from ..methods import SGD
from ..problems.oracles import FourAtoms, Oracle, TwoPoint
from ..problems.quadratic import GaussianQuadratic, Quadratic
from ..sizing import Fixed, Geometric
from .base import RECONSTRUCTED, Case, Claim, Hypothesis, Source, Symbols
from .common import SMOOTH, STRONG, TEST, step_at_most, theory

PAPER = "byrd2012"


def _sure_error(case: Case, seen: Any) -> float:
    return 1 - (seen["rel_error2"] ** 0.5) / case.symbols.theta + 1e-12


SURE = Hypothesis("the relative error is at most theta on every path: |g - grad F| <= theta |grad F|", _sure_error,
                  ("rel_error2",))
FULL_STEP = step_at_most(lambda s: 1 / s.L, "the step is at most 1/L")


def sure_case(theta: float, told: float | None = None, hessian: Any = (1.0, 1.0), used: float = 1.0,
              alpha: float = 1.0, **how: Any) -> Case:
    problem = Oracle(Quadratic(np.asarray(hessian)), TwoPoint(theta))
    symbols = theory(problem, 1.0, alpha, theta=theta if told is None else told, **how)
    name = f"g = (1 +- {theta:g}) grad F{'' if used == 1 else f', step {used:g}/L'}"
    return Case(name, problem, SGD(used), Fixed(1), np.array([1.0, 1.0]), Pathwise(10, 64),
                symbols)


deterministic = Claim(
    id=f"{PAPER}/deterministic-norm", kind="pathwise", title="A relative error below one guarantees descent",
    source=Source(PAPER, "deterministic norm test", RECONSTRUCTED),
    statement=r"\|g-\nabla F\|\le\theta\|\nabla F\|,\;\alpha=\frac1L\;\Rightarrow\;"
              r"F(x_{+})\le F(x)-\frac{1-\theta^2}{2L}\|\nabla F(x)\|^2",
    quantity=Quantity(("gap", "grad2"), lambda s, path: (
        path.gap[1:] + (1 - s.theta**2) / (2 * s.L) * path.grad2[:-1], path.gap[:-1])),
    hypotheses={"smooth": SMOOTH, "step": FULL_STEP, "error": SURE},
    tight=tuple(sure_case(t) for t in (0.3, 0.9)),
    generic=(sure_case(0.5, hessian=(0.1, 1.0)),),
    broken={"error": (sure_case(0.55, told=0.5),), "step": (sure_case(0.5, used=2.2),),
            "smooth": (sure_case(0.5, used=2.0, alpha=2.0, L=0.5),)},
    explain="On every path, not only in expectation: one violation refutes.",
)


def unshrunk_case(theta: float, nu: float, told: float, used: float = 1.0, hessian: Any = (1.0, 1.0),
                  alpha: float = 1.0, **how: Any) -> Case:
    problem = Oracle(Quadratic(np.asarray(hessian)), FourAtoms(theta, nu))
    symbols = theory(problem, 1 + told, alpha, eps2=told, **how)
    name = f"four atoms, eps^2 = {theta**2 + nu**2:.4g}, condition {max(hessian) / min(hessian):g}, step {used:g}/L"
    return Case(name, problem, SGD(used), Fixed(1), np.array([1.0, 0.5]), Enumerate(2), symbols)


unshrunk = Claim(
    id=f"{PAPER}/unshrunk-step", kind="step", title="The step 1/L under the norm test",
    source=Source(PAPER, "norm test in expectation, step 1/L", RECONSTRUCTED),
    statement=r"\mathbb{E}_kF(x_{k+1})\le F(x_k)-\frac{1-\epsilon^2}{2L}\|\nabla F(x_k)\|^2,\qquad\alpha=\frac1L",
    explain="A decrease only for eps < 1; the shrunk step 1/(L(1 + eps^2)) always decreases and by more.",
    quantity=Quantity(("gap", "grad2"), lambda s, now, then: (
        then.gap + (1 - s.eps2) / (2 * s.L) * now.grad2, now.gap)),
    hypotheses={"smooth": SMOOTH, "step": FULL_STEP, "test": TEST},
    tight=tuple(unshrunk_case(t, v, t * t + v * v) for t, v in ((0.3, 0.4), (0.5, 0.7), (0.9, 1.0))),
    generic=(unshrunk_case(0.3, 0.4, 0.25, hessian=(0.1, 1.0)),),
    broken={"test": (unshrunk_case(0.4, 0.4, 0.25),), "step": (unshrunk_case(0.3, 0.4, 0.25, used=2.2),),
            "smooth": (unshrunk_case(0.3, 0.4, 0.25, used=2.0, alpha=2.0, L=0.5),)},
)


def _geometric_bound(s: Symbols, path: Any) -> tuple[Any, Any]:
    """E_{k+1} <= (1 - q) E_k + V/(2 L n_k), iterated."""
    K = len(path.gap) - 1
    bound = np.empty((K, 1))
    last = path.gap[0]
    for k in range(K):
        last = (1 - s.mu / s.L) * last + s.noise / (2 * s.L * s.n0 * s.factor**k)
        bound[k] = last
    return path.gap[1:], bound


def _at_least_geometric(case: Case, seen: Any) -> float:
    s, K = case.symbols, case.evidence.steps
    sizes = [case.sizing.n if isinstance(case.sizing, Fixed) else case.sizing.at(k) for k in range(K)]
    return min(n / (s.n0 * s.factor**k) for k, n in enumerate(sizes)) - 1


def geometric_case(name: str, q: float, sizing: Any, x0: Any, used: float = 1.0, noise: float = 1.0,
                   alpha: float = 1.0, **how: Any) -> Case:
    problem = GaussianQuadratic(np.array([q, 1.0]), np.array([0.0, noise]))
    return Case(name, problem, SGD(used), sizing, np.asarray(x0, dtype=float), Recursion(100),
                theory(problem, 1.0, alpha, n0=4.0, factor=1.1, noise=1.0, **how))


GROWING = Geometric(4, 1.1, integer=False)
VARIANCE = Hypothesis("the variance of one sample gradient is at most V",
                      lambda case, seen: case.symbols.noise - case.problem.noise.sum())

geometric = Claim(
    id=f"{PAPER}/geometric", kind="statement", title="Geometrically growing batches keep the linear rate",
    source=Source(PAPER, "geometric sample sizes", RECONSTRUCTED),
    statement=r"\mathbb{E}[F(x_{k+1})-F^*]\le(1-q)\,\mathbb{E}[F(x_k)-F^*]+\frac{V}{2Ln_k},\qquad n_k=n_0a^k,\;"
              r"\alpha=\frac1L",
    explain="Iterated: a linear rate max(1 - q, 1/a). With a constant size the gap stalls at V/(2 L n q) "
            "times a constant.",
    quantity=Quantity(("gap",), _geometric_bound),
    hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "step": FULL_STEP, "variance": VARIANCE,
                "sizes": Hypothesis("the sizes are at least n0 a^k", _at_least_geometric)},
    tight=(geometric_case("condition 1", 1.0, GROWING, [1.0, 1.0]),),
    generic=tuple(geometric_case(f"condition 10, start {x}", 0.1, GROWING, x) for x in ([1.0, 0.0], [10.0, 10.0])),
    broken={"sizes": (geometric_case("constant size 4", 0.1, Fixed(4), [1.0, 0.0]),),
            "strongly convex": (geometric_case("told mu = 1/2", 0.1, GROWING, [1.0, 0.0], mu=0.5),),
            "smooth": (geometric_case("told L = 1/2", 0.1, GROWING, [1.0, 1.0], used=2.0, alpha=2.0, L=0.5),),
            "step": (geometric_case("step 2.2/L", 1.0, GROWING, [1.0, 1.0], used=2.2),),
            "variance": (geometric_case("twice the variance", 1.0, GROWING, [1.0, 1.0], noise=2.0),)},
)

CLAIMS = (deterministic, unshrunk, geometric)
