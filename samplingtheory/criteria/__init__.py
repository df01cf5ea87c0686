"""Batch-size tests: from the moments of one sample gradient to the smallest admissible sample size.

One inequality serves all of them (u is the unit vector of the direction, total = along + across):

    spread / n * (1 - n/N)  <=  tol^2 * signal            smallest n = 1 / (tol^2 signal / spread + 1/N)

A criterion is which spread and which tolerance. The exact test reads `problem.law(x)`; the practical test is
the same function of a batch. Sizes are real; `whole` is the one place that rounds.
"""

from .about import complete_step, growth_of, needs_spread
from .complete import StepInnerProductTest, StepNormTest
from .corrected import Debiased, KnownVariance, Repaired, debiased
from .pointwise import (
    AugmentedInnerProductTest,
    CoordinatewiseNormTest,
    InnerProductTest,
    NormTest,
    OrthogonalityTest,
    across,
)
from .sizes import Criterion, smallest, whole

__all__ = [
    "AugmentedInnerProductTest", "CoordinatewiseNormTest", "Criterion", "Debiased", "InnerProductTest", "KnownVariance",
    "NormTest", "OrthogonalityTest", "Repaired", "StepInnerProductTest", "StepNormTest", "across", "complete_step",
    "debiased", "growth_of", "needs_spread", "smallest", "whole",
]
