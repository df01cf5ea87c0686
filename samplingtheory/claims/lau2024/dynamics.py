"""What the rules do at a frozen point: overshoot of the printed one, and the ratchet of never shrinking."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...criteria import Debiased, NormTest
from ...evidence.base import Quantity
from ...evidence.simulate import Bet
from ...moments import Array
from ...problems.quadratic import GaussianQuadratic
from ...sizing import Behind
from ..base import OURS, Case, Claim, Hypothesis, Source, Symbols
from .printed import PAPER, Frozen, PrintedNormTest, gaussian, unit

RUNS, TESTS = 400, 30


def frozen(name: str, rule: Any, eps: float, d: int = 50, ranks: int = 4) -> Case:
    """`TESTS` batches at one point with |grad F| = 1 and B_simple = 1.5 d."""
    problem = gaussian(d, ranks)
    noise_scale = 1.5 * d
    start = math.ceil(rule.start / ranks) * ranks
    symbols = Symbols(eps=eps, ranks=ranks, start=start, exact=noise_scale / eps**2,
                      fixed_point=math.sqrt((ranks - 1) * noise_scale) / eps)
    return Case(name, problem, Frozen(), rule, unit(d), Bet(TESTS, RUNS), symbols)


def _asked(s: Symbols, path: Any) -> tuple[Array, Array]:
    """The size that the previous batch asked for (rows 1..K - 1), against B_simple/eps^2 and the rounding."""
    return path.n[1:], np.full(path.n[1:].shape, s.exact + s.ranks)


SHRINKS = Hypothesis("the size may shrink as well as grow", lambda case, seen: -float(case.sizing.monotone))
UNCORRECTED = Hypothesis("the signal is |g|^2, its own noise included",
                         lambda case, seen: -float(isinstance(case.sizing.criterion, Debiased)))
GAUSSIAN = Hypothesis("isotropic Gaussian gradients in dimension 4 or more", lambda case, seen: min(
    case.problem.dim / 4 - 1, 0.0 if isinstance(case.problem.base, GaussianQuadratic) else -1.0))


def scaled(eps: float, monotone: bool, start: float = 64, test: Any = NormTest) -> Behind:
    criterion = Debiased(NormTest(eps)) if test is Debiased else NormTest(eps)
    return Behind(criterion, start=start, monotone=monotone)


ratchet = Claim(
    id=f"{PAPER}/ratchet", kind="statement", title="Never shrinking keeps the largest of the noisy estimates",
    source=Source(PAPER, "the batch never decreases; the corrected test with |g|^2 as signal", OURS),
    statement=r"\mathbb{E}\,b_{k+1}\le\frac{\mathrm{tr}\,\Sigma}{\epsilon^2\|\nabla F\|^2}+J\qquad"
              r"(b_{k+1}=\lceil T_k\rceil\mathrm{\ up\ to\ a\ multiple\ of\ }J)",
    explain="S and g are independent and E 1/|g|^2 <= 1/|grad F|^2 for d >= 4 (a noncentral chi-square is a Poisson "
            "mixture), so a single size is not too large in the mean. The largest of many is: a rule that never "
            "shrinks ends well above what the exact test asks for. Average S and |g|^2 before dividing.",
    quantity=Quantity(("n",), _asked),
    hypotheses={"shrinks": SHRINKS, "signal": UNCORRECTED, "Gaussian": GAUSSIAN},
    no_tight="a size of known law, whose mean stays below the bound by about a factor 1 + eps^2 (the noise in |g|^2)",
    generic=(frozen("eps = .2, d = 50, J = 4", scaled(0.2, False, 1024), 0.2),
             frozen("eps = .5, d = 20, J = 8", scaled(0.5, False), 0.5, 20, 8)),
    broken={"shrinks": (frozen("eps = .2, never shrinking", scaled(0.2, True, 1024), 0.2),
                        frozen("eps = .5, d = 20, J = 8, never shrinking", scaled(0.5, True), 0.5, 20, 8)),
            "signal": (frozen("corrected signal, eps = .5, d = 20, J = 8", scaled(0.5, False, 32, Debiased), 0.5, 20,
                              8),),
            "Gaussian": (frozen("d = 1", scaled(0.2, False, 8), 0.2, 1),)},
)


def _final(s: Symbols, path: Any) -> tuple[Array, Array]:
    """Sizes after the first test, against the smallest size that passes the printed test, or the start."""
    return path.n[1:], np.full(path.n[1:].shape, (1 + 1e-6) * max(s.start, s.fixed_point + s.ranks))


def failing(s: Symbols, d: int) -> float:
    """log10 of a bound (Chernoff) of P(T > b) and of E(T/b - 1)_+ at b = b_0: isotropic Gaussian gradients, d > 2.

    T > b iff chi2_{d(J-1)} > c chi2_d(lam), c = eps^2 b, lam = b d/B_simple. It falls as b grows (docs/proofs).
    """
    c, lam, t = s.eps**2 * s.start, s.start * d / (s.exact * s.eps**2), np.linspace(5e-4, 0.4995, 999)
    tail = -d * (s.ranks - 1) / 2 * np.log(1 - 2 * t) - d / 2 * np.log1p(2 * t * c) - t * c * lam / (1 + 2 * t * c)
    beyond = np.maximum(np.log((1 + 2 * t * c) / (t * c * (d - 2))), 0) if d > 2 else np.inf
    return float(np.min(tail + beyond) / math.log(10))


ABOVE = Hypothesis("at the first batch a test fails with probability (Chernoff) at most 1e-8, so that b_0 > b*",
                   lambda case, seen: -8 - failing(case.symbols, case.problem.dim))


def printed(eps: float, start: float) -> Behind:
    return Behind(PrintedNormTest(eps), start=start)


overshoot = Claim(
    id=f"{PAPER}/printed-rule-overshoots", kind="statement",
    title="The smaller the first batch, the larger the last: the printed rule at a frozen point",
    source=Source(PAPER, "Algorithm 1 as printed", OURS),
    statement=r"\mathbb{P}(T>b_0)\le10^{-8}\;\Rightarrow\;\mathbb{E}\,b_k\le(1+10^{-6})\max(b_0,\,b^*+J)\quad(k<30),"
              r"\qquad b^*=\frac{\sqrt{(J-1)B_{\mathrm{simple}}}}{\epsilon}",
    explain="The statistic falls as b grows: T is about b*^2/(b + B_simple). A batch well above b* passes and "
            "stays; a small one jumps beyond b*, to almost (J - 1)/eps^2 when b << B_simple, and never comes back. A "
            "little above b* is not enough: with two ranks, eps = .01, b_0 = 1.2 b* the mean grows by 2 % in 30 tests.",
    quantity=Quantity(("n",), _final), hypotheses={"start": ABOVE},
    tight=(frozen("eps = .1, b_0 = 240, b* = 150", printed(0.1, 240), 0.1),
           frozen("eps = .05, b_0 = 480, b* = 300", printed(0.05, 480), 0.05)),
    broken={"start": (frozen("eps = .1, b_0 = 8, b* = 150", printed(0.1, 8), 0.1),
                      frozen("eps = .05, b_0 = 8, b* = 300", printed(0.05, 8), 0.05),
                      frozen("d = 2, eps = .1, b_0 = 40, b* = 30", printed(0.1, 40), 0.1, 2))},
)

CLAIMS = (ratchet, overshoot)
