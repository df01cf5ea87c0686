"""Corrected tests against the plain tests that they equal."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import samplingtheory as sth
from samplingtheory.problems.finite import exact_law

from ..strategies import tables, tolerances


@given(tables(), st.floats(0.1, 0.95))


def test_debiasing_equals_a_smaller_tolerance(table, eps):
    """Var/n <= eps^2 (|g|^2 - Var/n) iff the plain test passes at eps^2/(1 + eps^2)."""
    m = sth.moments(table)
    plain = sth.NormTest(eps / math.sqrt(1 + eps**2))(m)
    corrected = sth.NormTest(eps)(sth.debiased(m))
    assume(abs(plain / m.n - 1) > 1e-9)
    assert (corrected <= m.n) == (plain <= m.n)


@given(tables(), tolerances)


def test_coordinatewise_debiased_is_debiased_in_each_coordinate(table, eps):
    whole_table = sth.Debiased(sth.CoordinatewiseNormTest(eps))(sth.moments(table))
    alone = [sth.Debiased(sth.NormTest(eps))(sth.moments(table[:, i : i + 1])) for i in range(table.shape[1])]
    assert whole_table == pytest.approx(max(alone), rel=1e-9)


@pytest.mark.parametrize("plain, corrected", [
    (sth.NormTest(0.9), sth.NormTest(0.9 / math.sqrt(1.81))),
    (sth.InnerProductTest(0.5), sth.InnerProductTest(0.5 / math.sqrt(1.25))),
    (sth.OrthogonalityTest(2.0), sth.OrthogonalityTest(2 / math.sqrt(5))),
    (sth.AugmentedInnerProductTest(0.9, 5.84), sth.AugmentedInnerProductTest(*(np.array([0.9, 5.84]) / 35.9156**0.5))),
    (sth.CoordinatewiseNormTest(0.9), sth.CoordinatewiseNormTest(0.9 / math.sqrt(1.81)))])


def test_repaired_is_the_test_with_smaller_tolerances(plain, corrected):
    m = sth.moments(np.random.default_rng(0).standard_normal((5, 8, 3)) + 1)
    np.testing.assert_allclose(sth.Repaired(plain)(m), corrected(m), rtol=1e-12)
    assert sth.growth_of(sth.Repaired(plain)) == sth.growth_of(plain)


def test_repaired_equals_debiased_where_there_is_signal():
    """V/n <= eps^2 (|g|^2 - V/n) iff V/n <= eps'^2 |g|^2: the same verdict on the same batch."""
    m = sth.moments(np.random.default_rng(0).standard_normal((500, 8, 3)) + 0.4)
    passes = [np.asarray(t(sth.NormTest(0.8))(m)) <= 8 for t in (sth.Repaired, sth.Debiased)]
    assert (passes[0] == passes[1]).all() and 50 < passes[0].sum() < 450


def test_repaired_in_rationals_and_with_an_estimated_variance():

    table = np.vectorize(Fraction, otypes=[object])(np.array([[1], [2], [5]]))
    m = exact_law(table[None], np.full(3, Fraction(1, 3), dtype=object), 3)
    m.population = math.inf
    size = sth.Repaired(sth.NormTest(Fraction(1, 2)), c=3)(m)[0]
    total, signal = Fraction(13, 3), Fraction(64, 9)  # eps'^2 = (1/4)/(3 (1 + 1/4)) = 1/15
    assert size == total / (signal / 15)


@pytest.mark.parametrize("make", [lambda: sth.Repaired(sth.Debiased(sth.NormTest(1))), lambda: sth.Repaired(len),
                                  lambda: sth.Repaired(sth.Repaired(sth.NormTest(1)))])


def test_what_cannot_be_repaired(make):
    with pytest.raises(ValueError, match="no tolerance to correct"):
        make()


def test_step_tests_repaired():
    """xi/(1 + xi) for the norm test on the step; the test on the surviving error compares with the realised step."""
    class Seen:
        n = dof = np.full(1, 9.0)
        mean, total, signal, mapping, surviving, alpha, population = (np.ones((1, 1)), np.ones(1), np.ones(1), np.full(1, 2.0),
                                                                      np.ones(1), 0.5, math.inf)
    assert sth.Repaired(sth.StepNormTest(0.5, "mapping"))(Seen) == pytest.approx(1 / (0.5 / 1.5 * 2))
    step = sth.StepInnerProductTest(0.5, "mapping")
    assert sth.Repaired(step)(Seen) == step(Seen)


@pytest.mark.parametrize("population", [8, 10, math.inf])
def test_debiasing_knows_how_much_of_the_population_was_drawn(population):
    """|g|^2 exceeds |grad F|^2 by total (1/n - 1/N): by nothing at n = N."""
    m = sth.moments(np.random.default_rng(0).standard_normal((8, 3)) + 1, population=population)
    assert sth.debiased(m).signal == pytest.approx(m.signal - m.total * (1 / 8 - 1 / population), rel=1e-12)
    assert sth.debiased(m).squares.sum() == pytest.approx(
        np.maximum(m.mean**2 - m.variances * (1 / 8 - 1 / population), 0).sum(), rel=1e-12)
