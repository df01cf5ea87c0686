"""Bets leave out what rounding decides."""

import numpy as np

import samplingtheory as st
from samplingtheory.claims.base import Case, Symbols
from samplingtheory.claims.gap2026.same_batch import skewed
from samplingtheory.evidence.base import Quantity
from samplingtheory.evidence.simulate import Bet, floor_of
from samplingtheory.problems.quadratic import GaussianQuadratic
from samplingtheory.seeds import child

SHRINKS = Quantity(("gap",), lambda s, now, then: (then.gap, s.rate * now.gap))


def test_an_exact_rule_is_not_refuted_by_rounding():
    """All N samples, step 0.8: the gap falls by 25 until x = 1e-17, where the mean of 256 terms is rounding."""
    problem = skewed(256)
    case = Case("all", problem, st.SGD(0.8), st.Fixed(256), np.array([3.0]), Bet(60, 20), Symbols(rate=0.041))
    found = case.evidence.collect("step", SHRINKS, (), case, child(0, "rounding"), 1)
    assert not found.refutes and found.value < 1 and "rounding" in found.where
    case = Case("all", problem, st.SGD(0.8), st.Fixed(256), np.array([3.0]), Bet(60, 20), Symbols(rate=0.03))
    assert case.evidence.collect("step", SHRINKS, (), case, child(0, "rounding"), 1).refutes


def test_the_floor_of_a_problem_without_rounding():
    assert floor_of(GaussianQuadratic(np.ones(2), 1.0)) == 0
