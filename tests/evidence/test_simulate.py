"""Bets leave out what rounding decides."""

import numpy as np
import pytest
from scipy.stats import beta

import samplingtheory as st
from samplingtheory.claims.base import Case, Symbols
from samplingtheory.claims.gap2026.same_batch import skewed
from samplingtheory.evidence.base import Quantity
from samplingtheory.evidence.simulate import Bet, counted, floor_of
from samplingtheory.problems.composite import Composite
from samplingtheory.problems.prox import L1
from samplingtheory.problems.quadratic import GaussianQuadratic
from samplingtheory.problems.ranks import Ranks
from samplingtheory.problems.regression import LeastSquares, LogisticRegression
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


def test_an_exact_rule_on_data_is_not_refuted_by_rounding():
    """The same for least squares, whose residuals at the minimiser are large: F is x^2/2 and a constant."""
    problem = LeastSquares(np.ones((256, 1)), 3 + np.random.default_rng(0).standard_exponential(256))
    case = Case("all", problem, st.SGD(0.8), st.Fixed(256), np.array([9.0]), Bet(60, 300), Symbols(rate=0.041))
    found = case.evidence.collect("step", SHRINKS, (), case, child(0, "data"), 1)
    assert not found.refutes and found.value < 1 and "rounding" in found.where


@pytest.mark.parametrize("make", [LeastSquares, LogisticRegression])
def test_rounding_of_a_gradient_against_extended_precision(make):
    """`step_error` covers |error|^2/(2 L) near the minimiser, for columns of very different scale too."""
    rng = np.random.default_rng(1)
    for scale in (1.0, np.array([1e3, 1.0, 1e-3])):
        A = rng.standard_normal((200, 3)) * scale + 1
        problem = make(A, np.where(rng.random(200) < 0.7, 1.0, -1.0), 0.01)
        x = problem.constants.minimiser * (1 + 1e-7 * rng.standard_normal((20, 3)))
        error = np.array([g - problem._fine_gradient(p) for g, p in zip(problem.gradient(x), x, strict=True)])
        assert 0 < (error**2).sum(1).max() / (2 * problem.constants.L) <= problem.step_error


def test_floors_look_inside():
    problem = skewed(8)
    assert floor_of(Composite(problem, L1(0.1))) >= floor_of(problem) > 0
    assert floor_of(Ranks(problem, (1, 1))) == floor_of(problem)


def test_the_floor_of_a_problem_without_rounding():
    assert floor_of(GaussianQuadratic(np.ones(2), 1.0)) == 0


def test_statements_end_before_the_first_bound_that_rounding_reaches():
    problem = skewed(256)
    sides = Quantity(("gap",), lambda s, path: (path.gap[1:], path.gap[0] * 0.041 ** np.arange(1, 61)[:, None]))
    case = Case("all", problem, st.SGD(0.8), st.Fixed(256), np.array([3.0]), Bet(60, 5), Symbols())
    found = case.evidence.collect("statement", sides, (), case, child(0, "last"), 1)
    start = float(problem.gap(np.array([[3.0]]))[0])
    last = found.series["k"][-1]
    assert start * 0.041**last >= floor_of(problem) > start * 0.041 ** (last + 1)


def test_counted_failures_are_measured_in_units_of_delta():
    """3 failures in 1000 at delta = 0.05: rate and both Clopper-Pearson limits over delta."""
    failed = np.zeros(1000)
    failed[:3] = 1
    found = counted(failed, 0.05, {}, 0.01)
    limits = [beta.ppf(0.01, 3, 998), beta.ppf(0.99, 4, 997)]
    assert (found.value, found.lower, found.upper) == pytest.approx((0.06, limits[0] / 0.05, limits[1] / 0.05))
    assert found.confirmed and not found.refutes
