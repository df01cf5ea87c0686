"""The batch that is tested makes the step: what it does to the mean, the variance and the rates (exact, and by
bets)."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from ...criteria import AugmentedInnerProductTest, Debiased, InnerProductTest, NormTest, Repaired
from ...evidence.base import Quantity
from ...evidence.exact import Enumerate
from ...methods import SGD
from ...problems.quadratic import QuadraticSum
from ...run import Step
from ...sizing import Ahead, Behind, Pilot, SameBatch
from ..base import OURS, Case, Claim, Hypothesis, Source, Symbols

PAPER = "gap2026"
fraction = np.vectorize(Fraction, otypes=[object])

# ---------------------------------------------------------------- one point, exactly

AHEAD = Hypothesis("the size is decided by the exact law before the draw",
                   lambda case, seen: 0.0 if isinstance(case.sizing, Ahead) else -1.0)
FRESH = Hypothesis("the batch that steps is drawn after its size is known",
                   lambda case, seen: -1.0 if isinstance(case.sizing, SameBatch) else 0.0)


@lru_cache(maxsize=4)
def skewed(N: int, d: int = 1, seed: int = 0) -> Any:
    """f_i = |x - c_i|^2/2, c the standardised rows of a lognormal sample: mean 0, total variance d, minimiser 0."""
    c = np.exp(np.random.default_rng(seed).standard_normal((N, d)))
    c = (c - c.mean(0)) / c.std(0, ddof=1)
    return QuadraticSum(np.ones(N), c)


def five(common: bool = False) -> Any:
    """f_i = h_i (x - c_i)^2/2, c = (0, 1, -1, 2, -2), h = 1..5 or all 1, in rationals."""
    h, c = fraction(np.ones(5, dtype=int) if common else np.arange(1, 6)), fraction([[0], [1], [-1], [2], [-2]])
    return QuadraticSum(h, h[:, None] * c)


def by_one(test: Any, start: float = 2, **how: Any) -> SameBatch:
    return SameBatch(test, start, grow=1, monotone=False, **how)


def doubling(test: Any, start: float = 2, on_fail: str = "extend") -> SameBatch:
    return SameBatch(test, start, on_fail, grow=2, monotone=False)


def _g(step: Step) -> Any:
    return step.batch.moments.mean[:, 0]


def _G(step: Step) -> Any:
    return step.law("mean")[:, 0]


def _mean_sides(s: Symbols, now: Any, then: Any) -> tuple[Any, Any]:
    """|G|^2 + |E g - G|^2 against |G|^2; `then` holds expectations given the point."""
    return then.G * then.G + (then.g - then.G) * (then.g - then.G), then.G * then.G


def _variance_sides(s: Symbols, now: Any, then: Any) -> tuple[Any, Any]:
    return then.error2, s.theta2 * then.G * then.G


def _uphill_sides(s: Symbols, now: Any, then: Any) -> tuple[Any, Any]:
    """|G|^2 - <E g, G> against |G|^2: above 1 the expected step climbs."""
    return then.G * then.G - then.g * then.G, then.G * then.G


def point(name: str, problem: Any, rule: Any, x: Any, theta2: Any = Fraction(1, 4), note: str = "") -> Case:
    x0 = np.atleast_2d(np.asarray(x))
    return Case(name, problem, SGD(1), rule, x0, Enumerate(1), Symbols(theta2=theta2), note)


HALF = NormTest(Fraction(1, 2))
THREE = fraction([[3], [2], [1]]) / 2
SIXTEEN = np.array([[0.1], [0.5], [-0.1], [-0.5]])
TESTS = {"norm": HALF, "inner product": InnerProductTest(Fraction(1, 2)),
         "augmented": AugmentedInnerProductTest(Fraction(3, 10), Fraction(2, 5))}

unbiased = Claim(
    id=f"{PAPER}/mean-of-the-batch", kind="step", title="A batch that was not chosen by its own test is unbiased",
    source=Source(PAPER, "verdicts: the law of the stopped batch", OURS),
    statement=r"\mathbb{E}g=\nabla F(x)\quad\mathrm{if\ the\ size\ is\ known\ before\ the\ draw}",
    explain="Every rule that draws afresh once the size is known keeps the mean: exact test, lagged test, pilot. A "
            "batch that steps because it passed does not: it passes more easily when its mean is large. All values "
            "are exact, on the lattice of subsets; those of five samples are rational.",
    quantity=Quantity((("g", _g), ("G", _G)), _mean_sides),
    hypotheses={"fresh": FRESH},
    tight=(point("exact test, five samples", five(), Ahead(HALF), THREE),
           point("lagged test, five samples", five(), Behind(HALF), THREE),
           point("pilot of two, five samples", five(), Pilot(HALF, 2), THREE),
           point("pilot of two, N = 8, skewed", skewed(8), Pilot(NormTest(0.5), 2), SIXTEEN, 0.25)),
    broken={"fresh": (
        *(point(f"extended by one, {name} test, five samples", five(), by_one(test), THREE) for name, test in
          TESTS.items()),
        point("doubled, N = 16, skewed", skewed(16), doubling(NormTest(0.5)), SIXTEEN, 0.25),
        point("drawn again, N = 16, skewed", skewed(16), doubling(NormTest(0.5), on_fail="redraw"), SIXTEEN, 0.25),
        point("debiased, extended by one, N = 16", skewed(16), by_one(Debiased(NormTest(0.5))), SIXTEEN, 0.25),
        point("repaired, extended by one, N = 16", skewed(16), by_one(Repaired(NormTest(0.5))), SIXTEEN, 0.25))},
)

variance = Claim(
    id=f"{PAPER}/variance-of-the-batch", kind="step", title="The variance condition of the theorems, by rule",
    source=Source(PAPER, "verdicts: the law of the stopped batch", OURS),
    statement=r"\mathbb{E}\|g-\nabla F(x)\|^2\le\theta^2\|\nabla F(x)\|^2",
    explain="Only the exact test enforces it. Near the solution every rule that may stop on a few samples breaks it, "
            "by any factor: with positive probability such a batch passes at the solution itself.",
    quantity=Quantity(("error2", ("G", _G)), _variance_sides),
    hypotheses={"ahead": AHEAD},
    tight=(point("exact test, sum with a common minimiser, three of "
                 "four", QuadraticSum(fraction([2, 2, 0, 0]), fraction(
        np.zeros((4, 1), dtype=int))), Ahead(NormTest(Fraction(1, 3))), fraction([[1]]), Fraction(1, 9)),),
    generic=(point("exact test, five samples", five(), Ahead(HALF), THREE),
             point("exact test, N = 16, skewed", skewed(16), Ahead(NormTest(0.5)), SIXTEEN, 0.25)),
    broken={"ahead": (
        point("extended by one, five samples", five(), by_one(HALF), fraction([[1]]) / 2),
        point("extended by one, N = 16, skewed", skewed(16), by_one(NormTest(0.5)), SIXTEEN, 0.25),
        point("doubled, N = 16, skewed", skewed(16), doubling(NormTest(0.5)), SIXTEEN, 0.25),
        point("drawn again, N = 16, skewed", skewed(16), doubling(NormTest(0.5), on_fail="redraw"), SIXTEEN, 0.25),
        point("repaired, doubled, N = 16, skewed", skewed(16), doubling(Repaired(NormTest(0.5))), SIXTEEN, 0.25),
        point("pilot of two, N = 8, skewed", skewed(8), Pilot(NormTest(0.5), 2), SIXTEEN, 0.25))},
)

uphill = Claim(
    id=f"{PAPER}/expected-direction", kind="step", expected="fails",
    title="The expected step of a batch that passed its own test descends",
    source=Source(PAPER, "verdicts: the law of the stopped batch", OURS),
    statement=r"g\ \mathrm{passed\ its\ own\ norm\ test}\;\Rightarrow\;\langle\mathbb{E}g,\nabla F(x)\rangle\ge0",
    explain="With skewed data near the solution the expected step climbs, for every way of enlarging a failed batch: "
            "on one side of the mean small batches pass, on the other they fail and are replaced.",
    quantity=Quantity((("g", _g), ("G", _G)), _uphill_sides), hypotheses={},
    tight=(point("extended by one, N = 16, skewed", skewed(16), by_one(NormTest(0.5)), SIXTEEN, 0.25),
           point("doubled, N = 16, skewed", skewed(16), doubling(NormTest(0.5)), SIXTEEN, 0.25),
           point("drawn again, N = 16, skewed", skewed(16), doubling(NormTest(0.5), on_fail="redraw"), SIXTEEN, 0.25)),
)

CLAIMS = (unbiased, variance, uphill)
