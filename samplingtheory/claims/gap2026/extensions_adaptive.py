"""G8.1 and G8.5: the lagged norm test with AdaGrad-Norm, RMSProp and Adam (norm version)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...evidence.base import Quantity
from ...evidence.exact import Pathwise
from ...evidence.simulate import Bet
from ...methods import AdaGradNorm, Adam
from ...moments import dot
from ...problems.base import follow
from ...problems.quadratic import Quadratic
from ...problems.separable import LogQuad
from ...problems.streams import Gaussian, Stream, Tangent, VarianceGamma
from ...run import Step
from ..base import OURS, Case, Claim, Hypothesis, Source, Symbols
from ..common import SMOOTH, up_to
from . import extensions_bounds as bounds
from .lagged_cases import FRESH, PAPER, RULE, WATCHED, norm_rule, told


def newest(step: Step) -> Any:
    """|G_k|^2/sqrt(w + c|G_k|^2), w + c|g_k|^2 the accumulator after the step: w = v_{k-1}, c = 1 for AdaGrad-Norm."""
    beta2 = getattr(step.view.method, "beta2", None)
    v, G = follow(step.before.v, step.batch.parent), follow(step.view.law.signal, step.batch.parent)
    return G / np.sqrt(v + G if beta2 is None else beta2 * v + (1 - beta2) * G)


def _first(path: Any) -> tuple[float, ...]:
    """delta, z_1, |G_1|^2: every run starts at the same point with the same size."""
    return tuple(float(np.ravel(row[0])[0]) for row in (path.gap, path.z, path.grad2))


def sides(theorem: Callable[..., bounds.Bound], field: str) -> Any:
    """The sum over steps, or sqrt(sum |G|^2), against a bound that is free of their number."""
    def both(s: Symbols, path: Any) -> Any:
        delta, z, signal = _first(path)
        bound = getattr(theorem(delta, s.L, s.alpha, s.v0, s.test, z, signal), field)
        measured = up_to(path.part) if field == "total" else np.sqrt(up_to(path.grad2[:-1]))
        return measured, np.full(measured.shape, bound)
    return both


METHOD = Hypothesis("the method has the alpha and the v0 that the bound uses", lambda case, seen: 1e-9 - max(
    abs(case.method.alpha / case.symbols.alpha - 1), abs(case.method.v0 / case.symbols.v0 - 1)))
HYPOTHESES = {"smooth": SMOOTH, "rule": RULE, "method": METHOD, "fresh": FRESH}


def adaptive(name: str, problem: Any, theta2: float, x0: Any, evidence: Any, alpha: float = 1.0, v0: float = 1.0,
             variance: float = 1.0, ran: float | None = None, start: float = 1.0, used: float | None = None,
             **extra: Any) -> Case:
    symbols = told(problem, theta2, alpha, v0=v0, **extra)
    return Case(name, problem, AdaGradNorm(alpha if used is None else used, v0),
                norm_rule(theta2 if ran is None else ran, variance, start), np.asarray(x0, dtype=float), evidence,
                symbols)


def tangent(theta2: float, steps: int, **how: Any) -> Case:
    """The limit of high dimension, L = alpha = v_0 = 1, from gap 1/2: the same on every path."""
    name = how.pop("name", f"high-dimensional limit, theta = {theta2**0.5:.2g}")
    return adaptive(name, Tangent(Quadratic(np.ones(2)), 1.0), theta2, [1.0, 0.0], Pathwise(steps), **how)


def logquad(d: int, theta: float, runs: int, steps: int = 300, law: Any = None, **how: Any) -> Case:
    """sum log(1 + x^2) from (1.5, ..., 1.5), alpha = .2, v_0 = .01, z_1 = theta^2 |G_1|^2."""
    problem = Stream(LogQuad(d), 1.0, law or Gaussian())
    signal = d * (3 / 3.25) ** 2
    return adaptive(how.pop("name", f"log(1 + x^2), d = {d}, theta = {theta}"), problem, theta * theta, np.full(d, 1.5),
                    Bet(steps, runs), how.pop("alpha", 0.2), how.pop("v0", 0.01), start=1 / (theta**2 * signal), **how)


adagrad = Claim(
    id=f"{PAPER}/adagrad-norm", kind="statement", title="AdaGrad-Norm with the lagged test: no step condition",
    source=Source(PAPER, "G8.1, Theorem A-lag", OURS),
    statement=r"z_{k+1}\le\theta^2\|g_k\|^2,\;\theta^2<\tfrac12\;\Rightarrow\;\sum_{k\le K}\mathbb{E}"
              r"\frac{\|\nabla F(x_k)\|^2}{\sqrt{v_{k-1}+\|\nabla F(x_k)\|^2}}\le\bar A\quad\mathrm{for\ every\ }K",
    explain="Any alpha and v_0 > 0. Abar is the largest root of A - sqrt(A(w_0 + eps^2 A)) = Delta/alpha + alpha L "
            "ln(1 + ((1 + eps^2/2)A + w_0/2)/sqrt(v_0)), or an explicit bound where that is smaller. With theta' the "
            "condition is theta < 1, as for the exact test.",
    quantity=Quantity(("gap", "grad2", ("part", newest), *WATCHED), sides(bounds.adagrad_norm, "total")),
    hypotheses=HYPOTHESES,
    no_tight="within 1.07 of the measurement for theta = .02 in d = 10, 1.5 for theta = .3",
    generic=(logquad(10, 0.02, 150), logquad(10, 0.3, 100), logquad(10, 0.3, 100, law=VarianceGamma(0.05),
             name="log(1 + x^2), d = 10, variance gamma"), tangent(0.3, 300), tangent(0.49, 300)),
    broken={"rule": (tangent(0.02, 1000, ran=1.0, name="theta = 1 for .14"),),
            "method": (logquad(10, 0.02, 30, used=0.02, name="alpha = .02 for .2"),),
            "smooth": (tangent(0.05, 15, L=0.01, name="told L = .01", alpha=30.0, v0=0.01),)},
)

adagrad_any = Claim(
    id=f"{PAPER}/adagrad-norm-any", kind="statement", title="AdaGrad-Norm with the lagged test, every theta < 1",
    source=Source(PAPER, "G8.1, Theorem A'-lag", OURS),
    statement=r"z_{k+1}\le\theta^2\|g_k\|^2,\;\theta<1\;\Rightarrow\;\mathbb{E}\sqrt{\textstyle\sum_{k\le K}"
              r"\|\nabla F(x_k)\|^2}\le\sqrt{S W}\quad\mathrm{for\ every\ }K",
    explain="Sharp in theta: at theta = 1 the sum grows like K. The constants are loose.",
    quantity=Quantity(("gap", "grad2", *WATCHED), sides(bounds.adagrad_norm_any, "gradients")),
    hypotheses=HYPOTHESES, no_tight="the constants are loose; the range of theta is sharp (see the control)",
    generic=(tangent(0.49, 300), tangent(0.81, 300), logquad(10, 0.7, 60)),
    broken={"rule": (tangent(0.49, 400, ran=2.25, name="theta = 1.5 for .7"),)},
)


# ---------------------------------------------------------------- RMSProp and Adam


def growing(field: str) -> Any:
    """As `sides`, with a bound for every number of steps."""
    def both(s: Symbols, path: Any) -> Any:
        delta, z, signal = _first(path)
        measured = up_to(path.part) if field == "total" else up_to(path.length)
        rows = [getattr(bounds.adam_norm(delta, s.L, s.alpha, s.v0, s.test, z, signal, s.beta1, s.beta2, k + 1), field)
                for k in range(len(measured))]
        return measured, np.array(rows)[:, None] + 0 * measured
    return both


def length(step: Step) -> Any:
    """|G_k|."""
    G = step.view.law.mean
    return follow(np.sqrt(dot(G, G)), step.batch.parent)


DECAYS = Hypothesis("the method has the alpha, beta1, beta2 and v0 that the bound uses", lambda case, seen: 1e-9 - max(
    abs(getattr(case.method, n) - getattr(case.symbols, n)) for n in ("alpha", "beta1", "beta2", "v0")))
ROOM = Hypothesis("Hh + eps(1 + f Hh) < 1", lambda case, seen: bounds.room(case.symbols.test, case.symbols.beta1,
                                                                            case.symbols.beta2) + 1e-9)


def adam_case(name: str, problem: Any, theta2: float, beta1: float, beta2: float, x0: Any, evidence: Any, alpha: float,
              v0: float = 1.0, ran: float | None = None, used: float | None = None, start: float = 1.0,
              **extra: Any) -> Case:
    symbols = told(problem, theta2, alpha, v0=v0, beta1=beta1, beta2=beta2, **extra)
    return Case(name, problem, Adam(alpha if used is None else used, beta1, beta2, v0, norm=True),
                norm_rule(theta2 if ran is None else ran, 1.0, start), np.asarray(x0, dtype=float), evidence, symbols)


def slope(theta: float, beta1: float, beta2: float, runs: int, steps: int = 256, **how: Any) -> Case:
    """sum log(1 + x^2), d = 10, alpha = 1/sqrt(K)."""
    return adam_case(how.pop("name", f"log(1 + x^2), d = 10, theta = {theta}, beta = ({beta1}, {beta2})"),
                     Stream(LogQuad(10), 1.0), theta * theta, beta1, beta2, np.full(10, 1.5), Bet(steps, runs),
                     how.pop("alpha", steps**-0.5), start=0.5, **how)


adam = Claim(
    id=f"{PAPER}/adam-norm", kind="statement", title="RMSProp and Adam (norm version) with the lagged test",
    source=Source(PAPER, "G8.5", OURS),
    statement=r"\sum_{k\le K}\mathbb{E}\frac{\|\nabla F(x_k)\|^2}{\sqrt{\beta_2v_{k-1}+(1-\beta_2)\|\nabla F(x_k)\|^2}}"
              r"\le S_K,\qquad H+\epsilon(1+fH)<1,\;\epsilon^2=\frac{\theta^2}{\sqrt{\beta_2}-\theta^2}",
    explain="H = h/sqrt(1 - h^2), h = beta1/sqrt(beta2), f = golden ratio^(-5/2). beta1 = 0 is RMSProp: theta^2 < "
            "sqrt(beta2)/2. With alpha = K^(-1/2) the average |grad F| is O(K^(-1/2)). (.9, .999) is outside.",
    quantity=Quantity(("gap", "grad2", ("part", newest), *WATCHED), growing("total")),
    hypotheses={"smooth": SMOOTH, "rule": RULE, "method": DECAYS, "room": ROOM, "fresh": FRESH},
    no_tight="between 1.5 and 4 times the measurement for RMSProp with beta2 = .9; far looser with momentum",
    generic=(slope(0.5, 0.0, 0.9, 30), slope(0.3, 0.3, 0.99, 30)),
    broken={"method": (slope(0.5, 0.0, 0.9, 100, used=0.0003, name="alpha = .0003 for .0625"),)},
)

adam_gradients = Claim(
    id=f"{PAPER}/adam-norm-gradients", kind="statement", title="RMSProp and Adam: the average gradient",
    source=Source(PAPER, "G8.5", OURS),
    statement=r"\sum_{k\le K}\mathbb{E}\|\nabla F(x_k)\|\le\sqrt{S_K\left(\frac{r\sqrt{v_0}}{1-r}+\kappa S_K+"
              r"\frac{r(1+r)w_0}{2}\right)},\qquad r=\sqrt{\beta_2}",
    quantity=Quantity(("gap", "grad2", ("length", length), *WATCHED), growing("gradients")),
    hypotheses=adam.hypotheses, no_tight="looser than the sum behind it (Cauchy-Schwarz)",
    generic=(slope(0.5, 0.0, 0.9, 30), slope(0.3, 0.3, 0.99, 30)),
    broken={"rule": (adam_case("theta^2 = 4 for .1", Tangent(Quadratic(np.ones(2)), 1.0), 0.1, 0.0, 0.9, [1.0, 0.0],
                               Pathwise(200), 0.05, ran=4.0),)},
)

CLAIMS = (adagrad, adagrad_any, adam, adam_gradients)
