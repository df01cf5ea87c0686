"""Mistakes in claims: wrong factors of a step, and claims that cannot fail or control nothing.

All are changes of one sound claim: with alpha <= 1/(L M) and E|g|^2 <= M |grad F|^2, one step of SGD has
E[F(x+) - F*] <= (1 - mu alpha)(F(x) - F*); at alpha = 1/(LM) the rate of Bollapragada, Byrd, Nocedal (2018).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...claims.base import OURS, Case, Claim, Hypothesis, Source, Symbols
from ...claims.common import SHORT_STEP, SMOOTH, STRONG, TEST, theory
from ...evidence.base import Evidence, Quantity
from ...evidence.exact import Enumerate
from ...methods import SGD
from ...problems.oracles import Oracle, TwoPoint
from ...problems.quadratic import Quadratic
from ...sizing import Fixed
from .base import Mutant

M = 2.0


def case(name: str, hessian: Any = (1.0, 1.0), eps2: float = 1.0, used: float | None = None,
         **told: float) -> Case:
    """SGD on a quadratic with two-point noise of relative variance eps2; `told` replaces what the theorem is told."""
    problem = Oracle(Quadratic(np.asarray(hessian)), TwoPoint(eps2**0.5))
    symbols = theory(problem, told.pop("growth", M), **told)
    for name_, value in told.items():
        setattr(symbols, name_, value)
    symbols.alpha = told.get("alpha", 1 / (symbols.L * symbols.growth))
    return Case(name, problem, SGD(symbols.alpha if used is None else used), Fixed(1), np.array([1.0, 0.5]),
                Enumerate(1), symbols)


def claim(factor: Callable[[Symbols], float] = lambda s: 1 - s.mu * s.alpha, **changes: Any) -> Claim:
    """The sound claim with its factor, or its fields, changed."""
    sound = Claim(
        id="kit/one-step", kind="step", title="One step of SGD", source=Source("kit", "a test object", OURS),
        statement=r"\mathbb{E}[F(x_+)-F^*]\le(1-\mu\alpha)(F(x)-F^*)",
        quantity=Quantity(("gap",), lambda s, now, then: (then.gap, factor(s) * now.gap)),
        hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "step": SHORT_STEP, "test": TEST},
        tight=(case("unit quadratic, noise at the bound"), case("curvature 1/2", (0.5, 0.5))),
        generic=(case("stretched", (0.5, 1.0)), case("half the noise", eps2=0.5)),
        broken={"smooth": (case("told L/2", L=0.5, mu=0.5),), "strongly convex": (case("told 2 mu", (
            0.25, 0.25), L=0.5, mu=0.5),), "step": (case("step 2.4/(LM)", used=1.2),),
            "test": (case("twice the noise", eps2=2.5),)},
    )
    return replace(sound, **changes)


@dataclass(frozen=True)
class Written:
    """One enumerated step whose result is written down (`value`), wavers by chance, or is an error (None)."""

    value: float | None
    waver: float = 0.0

    def collect(self, kind: str, quantity: Quantity, watch: Any, case: Case, rng: Any, effort: int) -> Evidence:
        if self.value is None:
            raise RuntimeError("no such evidence")
        found = Enumerate(1).collect(kind, quantity, watch, case, rng, effort)
        value = self.value * (1 - self.waver * random.random())
        return replace(found, value=value, lower=value, upper=value)


def written(given: Case, value: float | None, waver: float = 0.0) -> Case:
    return replace(given, evidence=Written(value, waver))


def _always(hypothesis: Hypothesis) -> Hypothesis:
    return replace(hypothesis, margin=lambda c, seen: 1.0)


def theorem_mutants() -> list[Mutant]:
    sound = claim()
    mild = case("hardly more noise", eps2=1.0 + 1e-3)

    def mutant(name: str, wrong: Claim, **marks: str) -> Mutant:
        return Mutant(name, "theorem", wrong, {"kind": "theorem"}, **marks)

    return [
        mutant("factor 1 - 2 mu alpha (the growth M forgotten)", claim(lambda s: 1 - 2 * s.mu * s.alpha)),
        mutant("factor 1 - mu/L (step of gradient descent)", claim(lambda s: 1 - 0.9 * s.mu / s.L)),
        mutant("factor squared", claim(lambda s: (1 - s.mu * s.alpha) ** 2)),
        mutant("L for mu", claim(lambda s: 1 - s.L * s.alpha)),
        mutant("root of mu for mu", claim(lambda s: 1 - s.mu**0.5 * s.alpha)),
        mutant("step condition 2/(LM)", claim(hypotheses={**sound.hypotheses, "step": replace(
            SHORT_STEP, margin=lambda c, seen: 2 / (c.symbols.L * c.symbols.growth) / c.method.alpha - 1)})),
        mutant("growth 1 + 2 eps^2 accepted", claim(hypotheses={**sound.hypotheses, "test": replace(
            TEST, margin=lambda c, seen: 1 - (1 + seen["rel_total"]) / (2 * c.symbols.growth))})),
        mutant("factor 1: no rate at all", claim(lambda s: 1.0), conservative="true, but no case reaches the bound"),
        mutant("bound doubled", claim(lambda s: 2 * (1 - s.mu * s.alpha)),
               conservative="true, but no case reaches the bound"),
        mutant("bound larger by 0.5 %", claim(lambda s: 1.005 * (1 - s.mu * s.alpha)), only="tight-reaches-bound"),
        mutant("bound follows the measured side", claim(quantity=Quantity(("gap",), lambda s, now, then: (
            then.gap, np.maximum(then.gap, (1 - s.mu * s.alpha) * now.gap))))),
        mutant("result written down", claim(
            tight=tuple(written(c, 1.0) for c in sound.tight), generic=tuple(written(c, 0.9) for c in sound.generic),
            broken={k: tuple(written(c, 2.0) for c in cases) for k, cases in sound.broken.items()}), only="falsifiable"),
        mutant("result that wavers", claim(tight=(written(sound.tight[0], 1.0, 1e-9), *sound.tight[1:])),
               only="repeats"),
        mutant("a case that ends in an error", claim(generic=(*sound.generic, written(case("no evidence"), None))),
               only="runs"),
        mutant("expected to fail, and holds", claim(expected="fails"), only="as-claimed"),
        mutant("bound infinite", claim(lambda s: np.inf)),
        mutant("measured side is zero", claim(quantity=Quantity(("gap",), lambda s, now, then: (
            0 * then.gap, now.gap)))),
        mutant("broken case too mild", claim(broken={**sound.broken, "test": (case("hardly more noise, half a step",
                                                                                   eps2=1.0 + 1e-3, used=None,
                                                                                   alpha=0.25),)})),
        mutant("broken case violates two hypotheses", claim(broken={**sound.broken, "test": (
            case("twice the noise and a long step", eps2=2.5, used=1.2),)})),
        mutant("broken case violates nothing", claim(broken={**sound.broken, "test": (case("sound after all"),)})),
        mutant("a hypothesis without a control", claim(broken={k: v for k, v in sound.broken.items() if k != "test"})),
        mutant("a hypothesis that is always met", claim(hypotheses={**sound.hypotheses, "test": _always(TEST)})),
        mutant("tight case outside the hypotheses", claim(tight=(mild, *sound.tight))),
        mutant("tight case that is not", claim(tight=(*sound.tight, case("half the noise", eps2=0.5)))),
        mutant("factor written as 1 - alpha mu (2 - alpha L M)", claim(
            lambda s: 1 - s.mu * s.alpha * (2 - s.alpha * s.L * s.growth)),
            equivalent="the same number at alpha = 1/(LM), the only step that these cases tell the theorem"),
    ]
