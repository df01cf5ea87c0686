"""What the statistics over ranks estimate: by enumeration of every batch of every rank, and on every path."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ...criteria import Debiased, NormTest
from ...evidence.base import Quantity
from ...evidence.exact import Enumerate, Pathwise
from ...methods import SGD
from ...moments import Array
from ...problems.oracles import Lazy, Oracle, TwoPoint
from ...problems.quadratic import Quadratic, QuadraticSum
from ...problems.ranks import Ranks
from ...run import Step
from ...sizing import Ahead, Fixed
from ..base import OURS, RECONSTRUCTED, STATED, Case, Claim, Hypothesis, Source, Symbols
from .printed import (
    COUNTED,
    PAPER,
    POINTS,
    SAME,
    SHARES,
    WITH,
    Frozen,
    PrintedOnTheLaw,
    equal,
    gaussian,
    ranks_case,
    shards,
    three_samples,
    unit,
)


def of_batch(name: str) -> tuple[str, Any]:
    return name, lambda step: getattr(step.batch.moments, name)


def _b(step: Step) -> Array:
    n = step.batch.moments.n
    return np.array([int(v) for v in n], dtype=object) if step.before.x.dtype == object else n


V = ("V", lambda step: step.law("total"))
B = ("b", _b)
PRINTED, TOTAL = of_batch("printed"), of_batch("total")
FAIR = {"independent": WITH, "same data": SAME}


def rational(J: int) -> Case:
    """Two samples, in rational arithmetic: the equality has no rounding at all."""
    fraction = np.vectorize(Fraction, otypes=[object])
    base = QuadraticSum(fraction(np.array([1, 3])), fraction(np.array([[2], [-1]])), replace=True)
    return ranks_case(f"J = {J} ranks of two samples, in rational arithmetic", equal(J, base), 2,
                      x0=fraction(np.array([1])))


EQUAL = (ranks_case("J = 2, one sample a rank", equal(2)), ranks_case("J = 2, three samples a rank", equal(2), 3),
         ranks_case("J = 4, two samples a rank", equal(4), 2), lambda: rational(3))
UNEVEN = Ranks(three_samples(), (1, 3))
APART = (ranks_case("ranks with different data", shards(), 2),)
WITHOUT = (ranks_case("ranks draw without replacement", equal(2, three_samples(False)), 2),)

printed_mean = Claim(
    id=f"{PAPER}/printed-statistic", kind="step", title="What the printed DDP-Norm statistic estimates",
    source=Source(PAPER, "Algorithm 1 and equation 5 as printed; the mean is ours", OURS),
    statement=r"\mathbb{E}\,\frac1J\sum_j\|g_j-\bar g\|^2=\frac{(J-1)\,\mathrm{tr}\,\Sigma}{b}",
    quantity=Quantity((PRINTED, V, B), lambda s, now, then: (then.printed, (s.ranks - 1) * then.V / then.b),
                      equality=True),
    hypotheses=FAIR | {"shares": SHARES, "J": COUNTED}, tight=EQUAL,
    broken={"independent": WITHOUT, "same data": APART,
            "shares": (ranks_case("shares 1 : 3", UNEVEN),),
            "J": (ranks_case("the J M micro-batches of 2 ranks counted as 4 ranks", equal(2), 2, told=4),)},
    explain="The variance of one sample appears divided by the global batch, and J - 1 times: the statistic falls as "
            "the batch grows, and is no estimate of the variance that the norm test compares with the batch.",
)

printed_is_variance = Claim(
    id=f"{PAPER}/printed-statistic-as-variance", kind="step", expected="fails",
    title="The printed statistic in the place of the variance of a sample",
    source=Source(PAPER, "Algorithm 1 and equation 5, read as the norm test of equation 4", RECONSTRUCTED),
    statement=r"\mathbb{E}\,\frac1J\sum_j\|g_j-\bar g\|^2=\mathrm{tr}\,\Sigma",
    quantity=Quantity((PRINTED, V), lambda s, now, then: (then.printed, then.V), equality=True),
    hypotheses=FAIR | {"shares": SHARES}, tight=EQUAL,
    explain="Too small by the factor b/(J - 1): 6 for 6 samples on 2 ranks, 2731 for the 8192 sequences on 4 workers "
            "of the paper's runs.",
)

corrected = Claim(
    id=f"{PAPER}/corrected-statistics", kind="step", title="The corrected statistics are unbiased",
    source=Source(PAPER, "DDP-Norm with the factor b/(J - 1)", OURS),
    statement=r"\mathbb{E}\,S=\mathrm{tr}\,\Sigma,\quad\mathbb{E}\left(\|\bar g\|^2-\tfrac{S}{b}\right)=\|\nabla F\|^2,"
              r"\qquad S=\frac{1}{J-1}\sum_jm_j\|g_j-\bar g\|^2",
    explain="For equal shares S = b/(J - 1) times the printed statistic. Unequal shares need no change; gradients of "
            "ranks that hold different data are another matter.",
    quantity=Quantity((TOTAL, V, B, "g2", "grad2"), lambda s, now, then: (
        np.concatenate([then.total, then.g2 - then.total / then.b]), np.concatenate([then.V, now.grad2])),
        equality=True),
    hypotheses=FAIR, tight=(*EQUAL, ranks_case("shares 1 : 3", UNEVEN),
                            ranks_case("shares 1 : 2 : 1", Ranks(three_samples(), (1, 2, 1)))),
    broken={"independent": WITHOUT, "same data": APART},
)

pooled = Claim(
    id=f"{PAPER}/variance-within-and-between", kind="step", title="Within-rank plus between-rank variance",
    source=Source(PAPER, "distributed variance in the public code of the authors' AdAdaGrad", RECONSTRUCTED),
    statement=r"\mathbb{E}\left[\frac1J\sum_js_j^2+\frac1J\sum_j\|g_j-\bar g\|^2\right]"
              r"=\mathrm{tr}\,\Sigma\left(1+\frac{J-1}{b}\right)",
    explain="Biased up by (J - 1)/b: an unbiased within term and a between term of mean (J - 1) tr Sigma / b.",
    quantity=Quantity((of_batch("within"), PRINTED, V, B), lambda s, now, then: (
        then.within + then.printed, then.V * (1 + (s.ranks - 1) / then.b)), equality=True),
    hypotheses=FAIR | {"shares": SHARES, "J": COUNTED}, tight=EQUAL[1:3],
    broken={"independent": WITHOUT, "same data": APART,
            "J": (ranks_case("told J = 4, run on 2 ranks", equal(2), 2, told=4),),
            "shares": (ranks_case("shares 2 : 6", Ranks(three_samples(), (1, 3)), 2),)},
)

identity = Claim(
    id=f"{PAPER}/scalar-identity", kind="pathwise", title="One scalar all-reduce is enough",
    source=Source(PAPER, "Algorithm 1: its second all-reduce of d numbers is not needed", OURS),
    statement=r"\frac1J\sum_j\|g_j-\bar g\|^2=\frac1J\sum_j\|g_j\|^2-\|\bar g\|^2",
    quantity=Quantity((PRINTED, of_batch("scalars")), lambda s, path: (path.printed, path.scalars), equality=True),
    hypotheses={"shares": SHARES},
    tight=(ranks_case("4 ranks, Gaussian, d = 50", gaussian(), 4, evidence=Pathwise(5, 200), x0=unit(50)),
           ranks_case("2 ranks, three samples", equal(2), 2, evidence=Pathwise(5, 200), x0=POINTS[0])),
    broken={"shares": (ranks_case("shares 1 : 3", Ranks(three_samples(), (1, 3)), 2, evidence=Pathwise(1, 50),
                                  x0=POINTS[0]),)},
    explain="On every batch, to rounding. With unequal shares the averages must be weighted by them.",
)

capped = Claim(
    id=f"{PAPER}/printed-size-is-capped", kind="step", title="In the mean the printed rule does not ask for large batches",
    source=Source(PAPER, "Algorithm 1 as printed", OURS),
    statement=r"\mathbb{E}\,\frac1J\sum_j\|g_j-\bar g\|^2\le(J-1)\,\mathbb{E}\|\bar g\|^2",
    explain="So T = Vhat/(eps^2 |g|^2) stays near or below (J - 1)/eps^2 wherever mean values are a guide: 75 for "
            "J = 4, eps = .2, however noisy the gradients. Equality at a stationary point. The averages that the paper "
            "reports (2373 to 8045) lie far above it; single noisy tests may exceed it, and are kept.",
    quantity=Quantity((PRINTED, "g2"), lambda s, now, then: (then.printed, (s.ranks - 1) * then.g2)),
    hypotheses={"same data": SAME, "shares": SHARES, "J": COUNTED},
    tight=tuple(ranks_case(f"stationary point, J = {J}", equal(J), 2, x0=three_samples().constants.minimiser)
                for J in (2, 4)),
    generic=EQUAL[:3],
    broken={"same data": (ranks_case("ranks with different data, at the stationary point", shards(), 2,
                                     x0=three_samples().constants.minimiser),),
            "J": (ranks_case("told J = 2, run on 4 ranks, stationary", equal(4), 2, told=2,
                             x0=three_samples().constants.minimiser),),
            "shares": (ranks_case("shares 1 : 3, stationary", UNEVEN, x0=three_samples().constants.minimiser),)},
)

# ---------------------------------------------------------------- which norm test the printed one is


def effective_case(name: str, ranks: int, n: int, used: int | None = None) -> Case:
    """The tolerance at which the printed test, on the law, asks for exactly n samples; `used` are drawn."""
    law = three_samples().law(POINTS[:1])
    eps = float(np.sqrt((ranks - 1) * law.total[0] / law.signal[0]) / n)
    sizing = Ahead(PrintedOnTheLaw(eps, ranks)) if used is None else Fixed(used)
    return Case(name, equal(ranks), Frozen(), sizing, POINTS[:1], Enumerate(1), Symbols(eps=eps, ranks=ranks))


def _printed_ratio(step: Step) -> Array:
    return (step.view.problem.ranks - 1) * step.relative("total") / step.batch.moments.n  # type: ignore[attr-defined]


ENOUGH = Hypothesis("the printed test holds on the law: (J - 1) tr Sigma / b^2 <= eps^2 |grad F|^2",
                    lambda case, seen: 1 - seen["printed_ratio"] / case.symbols.eps**2, ("printed_ratio",))
COLUMNS = ("error2", "grad2", B, ("printed_ratio", _printed_ratio))
SIZED = (effective_case("J = 2, b = 4", 2, 4), effective_case("J = 2, b = 6", 2, 6),
         effective_case("J = 4, b = 8", 4, 8))

effective = Claim(
    id=f"{PAPER}/effective-constant", kind="step", title="The norm test that the printed test is",
    source=Source(PAPER, "equation 5 as printed", OURS),
    statement=r"\frac{(J-1)\,\mathrm{tr}\,\Sigma}{b^2}\le\epsilon^2\|\nabla F\|^2\;\Rightarrow\;"
              r"\mathbb{E}\|g-\nabla F\|^2\le\epsilon_{\mathrm{eff}}^2\|\nabla F\|^2,"
              r"\qquad\epsilon_{\mathrm{eff}}=\epsilon\sqrt{\frac{b}{J-1}}",
    explain="With b = 8192, J = 4, eps = .2 the constant is 10.5: outside eps < 1, where the theorems live.",
    quantity=Quantity(COLUMNS, lambda s, now, then: (
        then.error2, s.eps**2 * then.b / (s.ranks - 1) * now.grad2)),
    hypotheses={"test": ENOUGH, "J": COUNTED}, tight=SIZED,
    broken={"test": (effective_case("6 of the 8 samples that it asks for", 2, 8, 6),),
            "J": (replace(effective_case("told J = 3, run on 2 ranks", 2, 4),
                          symbols=Symbols(eps=SIZED[0].symbols.eps, ranks=3)),)},
)

printed_as_norm_test = Claim(
    id=f"{PAPER}/printed-test-as-norm-test", kind="step", expected="fails",
    title="The norm test at the tolerance that the printed test is given",
    source=Source(PAPER, "equation 5, said to approximate the norm test", RECONSTRUCTED),
    statement=r"\frac{(J-1)\,\mathrm{tr}\,\Sigma}{b^2}\le\epsilon^2\|\nabla F\|^2\;\Rightarrow\;"
              r"\mathbb{E}\|g-\nabla F\|^2\le\epsilon^2\|\nabla F\|^2",
    quantity=Quantity(COLUMNS, lambda s, now, then: (then.error2, s.eps**2 * now.grad2)),
    hypotheses={"test": ENOUGH}, tight=SIZED,
)

# ---------------------------------------------------------------- the batch as its own judge


def saturated(name: str, eps: float, times: float = 1.0, shifts: Any = None) -> Case:
    """4 samples on 2 ranks; the exact test holds with equality at `times` the constant eps/sqrt(1 - eps^2)."""
    noise = Lazy(1 + 4 * times**2 * eps**2 / (1 - eps**2))
    problem = Ranks(Oracle(Quadratic(np.ones(2)), noise), (1, 1), shifts)
    return Case(name, problem, Frozen(), Fixed(4), POINTS, Enumerate(1), Symbols(eps=eps, ranks=2))


EXACTLY = Hypothesis("the exact test holds at eps^2/(1 - eps^2)", lambda case, seen: (
    1 - seen["rel_total"] * (1 - case.symbols.eps**2) / case.symbols.eps**2), ("rel_total",))

practical = Claim(
    id=f"{PAPER}/practical-test-in-the-mean", kind="step", title="Which exact test the practical one is",
    source=Source(PAPER, "equation 5 with the factor b/(J - 1)", OURS),
    statement=r"\mathbb{E}\|g-\nabla F\|^2\le\frac{\epsilon^2}{1-\epsilon^2}\|\nabla F\|^2\;\Leftrightarrow\;"
              r"\frac{\mathbb{E}\,S}{b}\le\epsilon^2\,\mathbb{E}\|\bar g\|^2",
    explain="|g|^2 holds the variance of g as well: the test at eps enforces eps^2/(1 - eps^2) in the mean, and "
            "nothing from eps = 1 on.",
    quantity=Quantity((TOTAL, B, "g2"), lambda s, now, then: (then.total / then.b, s.eps**2 * then.g2)),
    hypotheses={"same data": SAME, "test": EXACTLY},
    tight=tuple(saturated(f"saturated, eps = {e}", e) for e in (0.3, 0.7, 0.9)),
    generic=(saturated("half the variance, eps = .7", 0.7, 0.5**0.5),),
    broken={"test": (saturated("exact test at 1.1 times the constant", 0.7, 1.1),),
            "same data": (saturated("ranks with different data", 0.7, shifts=[[1.0, 0.0], [-1.0, 0.0]]),)},
)


def _decision(test: Any) -> tuple[str, Any]:
    return "passes", lambda step: (test(step.batch.moments) <= step.batch.moments.n) + 1.0


def decided(name: str, told: float, evidence: Any = None) -> Case:
    return ranks_case(name, gaussian(10, 4), 8, evidence=evidence or Pathwise(20, 200), x0=unit(10), eps=told)


EPS = 0.7
TOLD = Hypothesis("the ordinary test has the tolerance eps/sqrt(1 + eps^2)",
                  lambda case, seen: 1e-12 - abs(case.symbols.eps / (EPS / math.sqrt(1 + EPS**2)) - 1))


def _same_decision(s: Symbols, path: Any) -> tuple[Array, Array]:
    ordinary = path.total / path.b <= s.eps**2 * path.g2
    return path.passes, ordinary + 1.0


debiased_is_smaller = Claim(
    id=f"{PAPER}/unbiased-test-is-a-smaller-constant", kind="pathwise",
    title="Correcting the signal is the ordinary test with a smaller constant",
    source=Source(PAPER, "the unbiased form of the test", OURS),
    statement=r"\frac Sb\le\epsilon^2\left(\|\bar g\|^2-\frac Sb\right)\;\Leftrightarrow\;"
              r"\frac Sb\le\frac{\epsilon^2}{1+\epsilon^2}\|\bar g\|^2",
    explain="On every batch the two pass together (eps = .7); the sizes that they ask for when they fail differ.",
    quantity=Quantity((_decision(Debiased(NormTest(EPS))), TOTAL, B, "g2"), _same_decision, equality=True),
    hypotheses={"tolerance": TOLD},
    tight=(decided("4 ranks, Gaussian, d = 10, b = 32", EPS / math.sqrt(1 + EPS**2)),),
    broken={"tolerance": (decided("the same eps in both", EPS),)},
)

# ---------------------------------------------------------------- norm condition and descent condition


def on_every_path(name: str, noise: Any, eps: float) -> Case:
    return Case(name, Oracle(Quadratic(np.array([1.0, 0.5])), noise), SGD(0.1), Fixed(1), np.array([1.0, 1.0]),
                Pathwise(5, 50), Symbols(eps=eps))


NORM = Hypothesis("|g - grad F| <= eps |grad F| on every path",
                  lambda case, seen: 1 - seen["rel_error2"] / case.symbols.eps**2, ("rel_error2",))

descent = Claim(
    id=f"{PAPER}/norm-condition-implies-descent", kind="pathwise", title="The norm condition implies descent",
    source=Source(PAPER, "norm condition and inner product condition", RECONSTRUCTED),
    statement=r"\|g-\nabla F\|\le\epsilon\|\nabla F\|\;\Rightarrow\;"
              r"\langle g,\nabla F\rangle\ge(1-\epsilon)\|\nabla F\|^2",
    quantity=Quantity(("inner", "grad2"), lambda s, path: ((1 - s.eps) * path.grad2[:-1], path.inner)),
    hypotheses={"norm": NORM},
    tight=(on_every_path("g = (1 +- .5) grad F", TwoPoint(0.5), 0.5),
           on_every_path("g = (1 +- .9) grad F", TwoPoint(0.9), 0.9)),
    broken={"norm": (on_every_path("g = (1 +- .6) grad F, told .5", TwoPoint(0.6), 0.5),)},
)


def _converse(s: Symbols, path: Any) -> tuple[Array, Array]:
    descends = path.inner >= (1 - s.eps) * path.grad2[:-1]
    return np.where(descends, np.sqrt(path.error2), 0.0), s.eps * np.sqrt(path.grad2[:-1])


equivalent = Claim(
    id=f"{PAPER}/descent-implies-norm-condition", kind="pathwise", expected="fails",
    title="The converse: descent implies the norm condition",
    source=Source(PAPER, "the two conditions are said to be equivalent", STATED),
    statement=r"\langle g,\nabla F\rangle\ge(1-\epsilon)\|\nabla F\|^2\;\Rightarrow\;"
              r"\|g-\nabla F\|\le\epsilon\|\nabla F\|",
    quantity=Quantity(("inner", "grad2", "error2"), _converse), hypotheses={},
    tight=(on_every_path("g = 10 grad F with probability 1/10, else 0", Lazy(10.0), 0.5),),
    explain="g = 10 grad F descends and has relative error 9.",
)

CLAIMS = (printed_mean, printed_is_variance, corrected, pooled, identity, capped, effective, printed_as_norm_test,
          practical, debiased_is_smaller, descent, equivalent)
