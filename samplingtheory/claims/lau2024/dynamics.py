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
    return path.n[1:], np.full(path.n[1:].shape, max(s.start, s.fixed_point + s.ranks))


ABOVE = Hypothesis("the first batch is at least 1.2 sqrt((J - 1) B_simple)/eps",
                   lambda case, seen: case.symbols.start / (1.2 * case.symbols.fixed_point) - 1)

WIDE = Hypothesis("isotropic Gaussian gradients in dimension 50 or more: the statistics hardly vary",
                  lambda case, seen: case.problem.dim / 50 - 1)


def printed(eps: float, start: float) -> Behind:
    return Behind(PrintedNormTest(eps), start=start)


overshoot = Claim(
    id=f"{PAPER}/printed-rule-overshoots", kind="statement",
    title="The smaller the first batch, the larger the last: the printed rule at a frozen point",
    source=Source(PAPER, "Algorithm 1 as printed", OURS),
    statement=r"b_0\ge1.2\,b^*\;\Rightarrow\;\mathbb{E}\,b_k\le\max(b_0,\,b^*+J),\qquad"
              r"b^*=\frac{\sqrt{(J-1)B_{\mathrm{simple}}}}{\epsilon}",
    explain="The statistic falls as b grows: T is about b*^2/(b + B_simple). A batch above b* passes and stays; a "
            "small one jumps beyond b*, to almost (J - 1)/eps^2 when b << B_simple, and never comes back.",
    quantity=Quantity(("n",), _final), hypotheses={"start": ABOVE, "dimension": WIDE},
    tight=(frozen("eps = .1, b_0 = 240, b* = 150", printed(0.1, 240), 0.1),
           frozen("eps = .05, b_0 = 480, b* = 300", printed(0.05, 480), 0.05)),
    broken={"start": (frozen("eps = .1, b_0 = 8, b* = 150", printed(0.1, 8), 0.1),
                      frozen("eps = .05, b_0 = 8, b* = 300", printed(0.05, 8), 0.05)),
            "dimension": (frozen("d = 2, eps = .1, b_0 = 40, b* = 30", printed(0.1, 40), 0.1, 2),)},
)

CLAIMS = (ratchet, overshoot)
