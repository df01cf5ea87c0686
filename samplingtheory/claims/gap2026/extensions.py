"""G8.2, G8.4, G8.6 (c), G8.7: the augmented test, momentum, a variance that grows with the gradient, and samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from ...criteria import AugmentedInnerProductTest, KnownVariance, NormTest
from ...evidence.base import Quantity
from ...evidence.exact import Pathwise
from ...evidence.lagged import MeanRecursion
from ...evidence.simulate import Bet
from ...methods import SGD, Momentum
from ...problems.quadratic import Quadratic, QuadraticSum
from ...problems.separable import LogQuad
from ...problems.streams import Stream, Tangent, VarianceGamma
from ...run import Step
from ...sizing import Behind
from ..base import OURS, Case, Claim, Hypothesis, Source, Symbols
from ..common import SMOOTH, step_at_most, up_to
from . import lagged_rates as rates
from .lagged import many, shrunk
from .lagged_cases import FRESH, LINEAR, PAPER, RULE, WATCHED, case, isotropic, norm_rule, told

# ---------------------------------------------------------------- G8.2: the augmented test


def augmented_rule(squares: tuple[float, ...], d: int, real: bool = True) -> Behind:
    """Isotropic noise of variance 1: 1/d of it along any direction."""
    test = KnownVariance(AugmentedInnerProductTest(*(v**0.5 for v in squares)), 1.0, 1 / d)
    return Behind(test, 1, monotone=False, integer=not real,
                  **({"least": 1e-300, "cap": 1e300} if real else {"least": 1}))


def augmented_case(name: str, d: int, squares: tuple[float, ...], evidence: Any, real: bool = True,
                   ran: tuple[float, ...] | None = None, **how: Any) -> Case:
    """Told theta^2 + nu^2; runs the two tests with `ran` or the same."""
    return case(name, isotropic(d), sum(squares), augmented_rule(ran or squares, d, real), np.full(d, d**-0.5),
                evidence, **how)


def shaped(total: float, d: int) -> tuple[float, float]:
    """(theta^2, nu^2) in the proportion of isotropic noise: both tests ask for the same size."""
    return total / d, total * (d - 1) / d


DEFAULT = rates.repaired(0.81, 5.84**2)  # (.150^2, .974^2)

augmented = Claim(
    id=f"{PAPER}/lagged-augmented", kind="statement",
    title="The lagged augmented test: theta^2 + nu^2 in place of theta^2",
    source=Source(PAPER, "G8.2", OURS),
    statement=r"n_{k+1}\ge\max\left(\frac{U_\parallel}{\theta^2\|g_k\|^2},\frac{U_\perp}{\nu^2\|g_k\|^2}\right)\;\Rightarrow\;"
              r"z_{k+1}\le(\theta^2+\nu^2)\|g_k\|^2\;\mathrm{and\ (c)},\qquad M=\frac{1}{1-\theta^2-\nu^2}",
    explain="The variances along and across any unit vector add up to the trace, so the wrong direction of g_k does "
            "no harm. theta^2 + nu^2 < 1 is needed; theta'^2 = theta^2/(1 + theta^2 + nu^2), nu' alike, gives the "
            "exact test's M.",
    quantity=many(rates.rate), hypotheses=LINEAR | {"fresh": FRESH},
    tight=(*(augmented_case(f"d = {d}, theta^2 + nu^2 = {s}", d, shaped(s, d), MeanRecursion(200))
             for d, s in ((2, 0.5), (1000, 0.5), (1000, 0.8))),
           augmented_case("defaults repaired, d = 43", 43, DEFAULT, MeanRecursion(400))),
    generic=(augmented_case("defaults repaired, d = 10, whole n", 10, DEFAULT, Bet(20, 200), real=False),),
    broken={"rule": (augmented_case("nu^2 = .6 for .4", 1000, (0.4 / 999, 0.4), MeanRecursion(100),
                                    ran=(0.6 / 999, 0.6)),),
            "step": (augmented_case("1.1 times the threshold", 1000, shaped(0.5, 1000), MeanRecursion(100),
                                    used=1.1),),
            "smooth": (augmented_case("told L = 1/3", 10, shaped(0.5, 10), MeanRecursion(50), L=1 / 3, mu=1 / 3),),
            "fresh": (case("g = grad F / 5", shrunk(0.25, None).problem, 0.5, augmented_rule(shaped(0.5, 50), 50),
                           np.ones(50), Bet(20, 200)),)},
)


# ---------------------------------------------------------------- G8.4: momentum


def without_noise(h: Any, x0: Any, alpha: float, beta: float) -> float:
    """D = sum over k of |grad F(x_k)|^2 for m = beta m + (1 - beta) grad F, x+ = x - alpha m on diag(h), m_{-1} = 0."""
    total = 0.0
    for curvature, x in zip(h, x0, strict=True):
        step = np.array([[1 - alpha * (1 - beta) * curvature, -alpha * beta], [(1 - beta) * curvature, beta]])
        weight = solve_discrete_lyapunov(step.T, np.diag([curvature**2, 0.0]))
        total += float(weight[0, 0] * x * x)
    return total


def gain(s: Any) -> float:
    """H = alpha L (1 + b)/(2 + 2b - alpha L (1 - b)): squared gradients per unit of noise, at the largest curvature."""
    t = s.alpha * s.L
    return t * (1 + s.beta) / (2 + 2 * s.beta - t * (1 - s.beta))


def excess(s: Any) -> float:
    """eps^2 = M - 1."""
    return rates.growth(s.gain) - 1


def momentum_case(name: str, problem: Any, theta2: float, beta: float, alpha: float, x0: Any, evidence: Any,
                  used: float | None = None, ran: float | None = None, start: float = 1, **how: Any) -> Case:
    symbols = told(problem, theta2, alpha, beta=beta, **how)
    base = getattr(problem, "base", problem)
    if isinstance(base, Quadratic):
        symbols.D = without_noise(base.hessian, np.asarray(x0), alpha, beta)
    method = Momentum(alpha if used is None else used, beta, average=True)
    return Case(name, problem, method, norm_rule(theta2 if ran is None else ran, 1.0, start),
                np.asarray(x0, dtype=float),
                evidence, symbols)


def threshold(theta2: float, beta: float) -> float:
    """2/(L (eps^2 + (1 - b)/(1 + b))) at L = 1."""
    return 2 / (theta2 / (1 - theta2) + (1 - beta) / (1 + beta))


def linear_case(theta2: float, beta: float, part: float = 0.5, steps: int = 600, **how: Any) -> Case:
    """Isotropic quadratic, the step `part` times the threshold."""
    name = how.pop("name", f"theta^2 = {theta2:g}, b = {beta:g}, {part:.0%} of the threshold")
    return momentum_case(name, how.pop("problem", isotropic(1)), theta2, beta, part * threshold(theta2, beta),
                         how.pop("x0", [1.0]), MeanRecursion(steps), **how)


def sums(bound: Any) -> Quantity:
    return Quantity(("gap", "grad2", *WATCHED), lambda s, path: (
        up_to(path.grad2[:-1]), bound(s, path.gap[0], path.grad2[0], path.z[0]) + 0 * path.grad2[1:]))


def quadratic_bound(s: Any, gap: Any, grad2: Any, z: Any) -> Any:
    return (s.D + gain(s) * rates.growth(s.gain) * z) / (1 - excess(s) * gain(s))


def smooth_bound(s: Any, gap: Any, grad2: Any, z: Any) -> Any:
    M, b = rates.growth(s.gain), s.beta
    return (gap + s.L * s.alpha**2 * M * z / (2 * (1 - b))) / (s.alpha * (1 - s.alpha * s.L * (M + b) / (2 * (1 - b))))


def short_bound(s: Any, gap: Any, grad2: Any, z: Any) -> Any:
    b = s.beta
    head = 2 * gap / s.alpha + b * b * grad2 / (1 - b) + (1 - b) * rates.growth(s.gain) * z
    return head / (1 - (1 - b) * excess(s))


QUADRATIC = Hypothesis("F is quadratic", lambda case, seen: 0.0 if isinstance(
    getattr(case.problem, "base", case.problem), Quadratic) else -1.0)
BASE = {"smooth": SMOOTH, "rule": RULE}
LONG = step_at_most(lambda s: (1 - 1e-12) * 2 / (s.L * (excess(s) + (1 - s.beta) / (1 + s.beta))),
                    "alpha < 2/(L (eps^2 + (1 - b)/(1 + b)))")
MIDDLE = step_at_most(lambda s: (1 - 1e-12) * 2 * (1 - s.beta) / (s.L * (rates.growth(s.gain) + s.beta)),
                      "alpha < 2(1 - b)/(L (M + b))")
NARROW = step_at_most(lambda s: (1 - s.beta) / s.L, "alpha <= (1 - b)/L")
ROOM = Hypothesis("theta^2 < 1/(2 - b)", lambda case, seen: 1 / (2 - case.symbols.beta) / case.symbols.gain - 1)
STRETCHED = Stream(Quadratic(np.geomspace(0.1, 1, 5)), 1.0)

momentum = Claim(
    id=f"{PAPER}/momentum-quadratic", kind="statement", title="Momentum with the lagged test, quadratics",
    source=Source(PAPER, "G8.4 (a)", OURS),
    statement=r"\sum_{k<T}\mathbb{E}\|\nabla F(x_k)\|^2\le\frac{D+HMz_0}{1-\epsilon^2H},\quad"
              r"H=\frac{\alpha L(1+b)}{2+2b-\alpha L(1-b)},\;\alpha<\frac{2}{L(\epsilon^2+\frac{1-b}{1+b})}",
    explain="m = b m + (1 - b) g, D the sum without noise. On the isotropic quadratic the infinite sum equals it, "
            "and the mean diverges beyond exactly this step: momentum lengthens the step that the noise allows.",
    quantity=sums(quadratic_bound), hypotheses=BASE | {"quadratic": QUADRATIC, "step": LONG},
    tight=(linear_case(0.25, 0.5), linear_case(0.49, 0.9), linear_case(0.81, 0.9, 0.5, 3000),
           linear_case(0.25, 0.0)),
    generic=(linear_case(0.25, 0.9, 0.3, name="eigenvalues .1 to 1", problem=STRETCHED, x0=np.ones(5)),),
    broken={"step": (linear_case(0.49, 0.9, 0.9, 4000, used=1.05 * threshold(0.49, 0.9),
                                 name="5 % beyond the threshold"),
                     linear_case(0.25, 0.5, 0.9, 4000, used=1.05 * threshold(0.25, 0.5), name="the same, b = .5")),
            "rule": (linear_case(0.25, 0.9, ran=0.3, name="theta^2 = .3 for .25"),),
            "smooth": (linear_case(0.25, 0.9, 0.9, L=0.7, name="told L = .7"),)},
)

momentum_smooth = Claim(
    id=f"{PAPER}/momentum", kind="statement", title="Momentum with the lagged test, smooth functions",
    source=Source(PAPER, "G8.4 (b)", OURS),
    statement=r"\sum_{k<T}\mathbb{E}\|\nabla F(x_k)\|^2\le\frac{F(x_0)-F^*+\frac{L\alpha^2Mz_0}{2(1-b)}}"
              r"{\alpha\left(1-\frac{\alpha L(M+b)}{2(1-b)}\right)},\qquad\alpha<\frac{2(1-b)}{L(M+b)}",
    explain="No convexity. At b = 0 it is G1 (a), an equality.",
    quantity=sums(smooth_bound), hypotheses=BASE | {"step": MIDDLE},
    tight=(momentum_case("b = 0", isotropic(1), 0.25, 0.0, 0.75, [1.0], MeanRecursion(300)),),
    generic=(momentum_case("b = .5, mean recursion", isotropic(1), 0.25, 0.5, 0.4, [1.0], MeanRecursion(300)),
             momentum_case("log(1 + x^2), d = 10, b = .9", Stream(LogQuad(10), 1.0), 0.25, 0.9, 0.03, np.full(10, 1.5),
                           Bet(100, 60)),
             momentum_case("log(1 + x^2), variance gamma", Stream(LogQuad(10), 1.0, VarianceGamma(0.05)), 0.25, 0.5,
                           0.1,
                           np.full(10, 1.5), Bet(60, 60))),
    broken={"step": (momentum_case("beyond the mean threshold", isotropic(1), 0.25, 0.5, 0.4, [1.0],
                                   MeanRecursion(2000),
                                   used=1.05 * threshold(0.25, 0.5)),),
            "rule": (momentum_case("theta^2 = .9 for .25", isotropic(1), 0.25, 0.5, 0.4, [0.1], MeanRecursion(2000),
                                   ran=0.9),),
            "smooth": (momentum_case("told L = .2", isotropic(1), 0.25, 0.5, 2.0, [1.0], MeanRecursion(2000), L=0.2),)},
)

momentum_short = Claim(
    id=f"{PAPER}/momentum-short-step", kind="statement", title="Momentum with the lagged test, steps without M",
    source=Source(PAPER, "G8.4 (c)", OURS),
    statement=r"\sum_{k<T}\mathbb{E}\|\nabla F(x_k)\|^2\le\frac{\frac2\alpha(F(x_0)-F^*)+\frac{b^2}{1-b}\|\nabla "
              r"F(x_0)\|^2"
              r"+(1-b)Mz_0}{1-(1-b)\epsilon^2},\qquad\alpha\le\frac{1-b}{L},\;\theta^2<\frac{1}{2-b}",
    quantity=sums(short_bound), hypotheses=BASE | {"step": NARROW, "theta": ROOM},
    no_tight="within 1.04 of the exact sum at b = .1, theta = .1, alpha L = .9",
    generic=(momentum_case("b = .1, theta = .1", isotropic(1), 0.01, 0.1, 0.9, [1.0], MeanRecursion(300), start=100),
             momentum_case("b = .9, theta = .9", isotropic(1), 0.81, 0.9, 0.1, [1.0], MeanRecursion(3000)),
             momentum_case("log(1 + x^2), d = 10, b = .9, theta^2 = .8", Stream(LogQuad(10), 1.0), 0.8, 0.9, 0.05,
                           np.full(10, 1.5), Bet(100, 60))),
    broken={"step": (momentum_case("step 4.2/L", isotropic(1), 0.01, 0.1, 0.9, [1.0], MeanRecursion(300),
                                   used=4.2 / 1.6),),
            "rule": (momentum_case("theta^2 = 1.1 for .25", isotropic(1), 0.25, 0.5, 0.4, [0.1], MeanRecursion(2000),
                                   ran=1.1),),
            "smooth": (momentum_case("told L = .2", isotropic(1), 0.25, 0.5, 2.5, [1.0], MeanRecursion(2000), L=0.2),)},
)


# ---------------------------------------------------------------- G8.6 (c): V(x) <= U0 + U1 |grad F|^2

U0, U1, ETA2 = 37.0, 0.5, 0.25


def regression() -> QuadraticSum:
    """f_i = h_i (x - c_i)^2/2 streamed, h = 1..5: V(x) = 2 x^2 + 5.6 x + 35.04 <= 37 + |grad F|^2/2."""
    h, c = np.arange(1.0, 6.0), np.array([0.0, 1.0, -1.0, 2.0, -2.0])
    return QuadraticSum(h, (h * c)[:, None], replace=True)


def growth_excess(step: Step) -> Any:
    """V(x)/(U0 + U1|grad F|^2)."""
    return step.law("total") / (U0 + U1 * step.law("signal"))


def growing_lag(step: Step) -> Any:
    """U0/(n_{k+1} |g_k|^2)."""
    g = step.batch.moments.mean
    return U0 / step.chosen.n / np.maximum((g * g).sum(-1), 1e-300)


def floor(step: Step) -> Any:
    """U1/(n_k eta^2)."""
    return U1 / np.asarray(step.batch.moments.n) / ETA2


def growing_case(name: str, theta2: float, evidence: Any, ran: float | None = None, least: float = U1 / ETA2,
                 used: float | None = None, **how: Any) -> Case:
    problem = regression()
    M = (1 + ETA2) / (1 - theta2)
    symbols = told(problem, theta2, 0.95 / (3 * M), M=M, **how)  # at 1/(3 M), P(g_1 = 0) > 0
    rule = Behind(KnownVariance(NormTest((theta2 if ran is None else ran) ** 0.5), U0), 4, monotone=False, least=least)
    return Case(name, problem, SGD(symbols.alpha if used is None else used), rule, np.array([3.0]), evidence, symbols)


def growing_sides(s: Symbols, path: Any) -> Any:
    p = s.L * s.alpha**2 / (2 * (1 - s.gain))
    bound = (path.gap[0] + p * U0 / path.n[0]) / (s.alpha * (1 - s.alpha * s.L * s.M / 2))
    return up_to(path.grad2[:-1]), bound + 0 * path.grad2[1:]


growing = Claim(
    id=f"{PAPER}/growing-variance", kind="statement", title="A variance that grows with the gradient",
    source=Source(PAPER, "G8.6 (c)", OURS),
    statement=r"V\le U_0+U_1\|\nabla "
              r"F\|^2,\;n_{k+1}\ge\max\left(\frac{U_1}{\eta^2},\frac{U_0}{\theta^2\|g_k\|^2}\right)"
              r"\;\Rightarrow\;\mathrm{(a)\ with\ }M=\frac{1+\eta^2}{1-\theta^2},\;z=\frac{U_0}{n}",
    explain="Streamed least squares has such a variance, and no bounded one.",
    quantity=Quantity(("gap", "grad2", "n", ("growth", growth_excess), ("two", growing_lag), ("floor", floor)),
                      growing_sides),
    hypotheses={"smooth": SMOOTH, "variance": Hypothesis("V <= U0 + U1 |grad F|^2", lambda case,
                                                         seen: 1 - seen["growth"],
                                                         ("growth",)),
                "rule": Hypothesis("n_{k+1} >= U0/(theta^2 "
                                   "|g_k|^2)", lambda case, seen: 1 - seen["two"] / case.symbols.test,
                                   ("two",)),
                "floor": Hypothesis("n >= U1/eta^2", lambda case, seen: 1 - seen["floor"], ("floor",)),
                "step": step_at_most(lambda s: (2 - 1e-12) / (s.L * s.M), "the step is below 2/(L M)")},
    no_tight="both parts of the maximum cannot bind at every step; the bound is that of the recursion in which they do",
    generic=(growing_case("streamed least squares, theta^2 = .25", 0.25, Bet(5, 500)),),
    broken={"step": (growing_case("step 2.2/L", 0.25, Bet(8, 300), used=2.2 / 3),),
            "rule": (growing_case("theta^2 = 40 for .25", 0.25, Bet(60, 300), ran=40.0),)},
)


# ---------------------------------------------------------------- G8.7: samples on the isotropic quadratic

GOLDEN_RATIO = (1 + 5**0.5) / 2


def cost_limit(theta2: float, alpha: float, ran: float) -> float:
    """lambda(lambda - u)/(u(1 - lambda)), u = ran: samples times 2 L gap/U as k grows; L = mu = 1."""
    s = Symbols(L=1.0, mu=1.0, alpha=alpha, gain=ran, keep=ran)
    lam = 1 - rates.rate(s)
    return lam * (lam - ran) / (ran * (1 - lam)) if lam < 1 else float("inf")


def cost_case(theta: float, steps: int, ran: float | None = None, name: str = "") -> Case:
    """The high-dimensional limit, z_0 = theta'^2 |G_0|^2; sizes are then the same on every path."""
    theta2 = theta * theta
    u = rates.repaired(theta2)[0] if ran is None else ran
    symbols = Symbols(L=1.0, mu=1.0, alpha=1 / (1 + theta2), theta2=theta2, test=theta2 / (1 + theta2))
    return Case(name or f"theta = {theta:g}", Tangent(Quadratic(np.ones(2)), 1.0), SGD(symbols.alpha),
                norm_rule(u, 1.0, 1 / u),
                np.array([1.0, 0.0]), Pathwise(steps), symbols)


cost = Claim(
    id=f"{PAPER}/sample-cost", kind="statement", title="What the repair costs on the isotropic quadratic",
    source=Source(PAPER, "G8.7 (b)", OURS),
    statement=r"\lim\;\frac{2L}{U}\,\mathbb{E}[F(x_K)-F^*]\sum_{k<K}n_k\le\frac{1+\sqrt5}{2}",
    explain="1 is the sample mean, which is optimal; the exact test has 1 for every theta. The repaired lagged test "
            "has 1.09, 1.36, 1.48, 1.60 at theta = .1, .5, .9, 3; unrepaired 2.68 at .7, 7.6 at .8, and no limit "
            "from .841 on.",
    quantity=Quantity(("gap", "n", *WATCHED), lambda s, path: (
        2 * s.L * path.gap[-1:] * up_to(path.n)[-1:], GOLDEN_RATIO + 0 * path.gap[-1:])),
    hypotheses={"smooth": SMOOTH, "rule": Hypothesis("the lagged test with theta'", lambda case, seen: 1 - seen["lag"]
                                                     / case.symbols.test, ("lag",))},
    tight=(cost_case(20.0, 6000),), generic=tuple(cost_case(t, k) for t, k in ((0.1, 100), (0.5, 60), (0.9, 100),
                                                                               (3.0, 500))),
    broken={"rule": (cost_case(0.7, 300, ran=0.49, name="theta = .7, not repaired"),
                     cost_case(0.8, 1000, ran=0.64, name="theta = .8, not repaired"))},
)

CLAIMS = (augmented, momentum, momentum_smooth, momentum_short, growing, cost)
