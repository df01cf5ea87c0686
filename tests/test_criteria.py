"""Sizes by the closed form, against enumeration of what they promise: soundness and minimality."""

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import samplingtheory as sth
from samplingtheory.criteria import across, smallest, whole
from samplingtheory.problems.finite import exact_law

from .strategies import tables, tolerances

TESTS = {
    "norm": (sth.NormTest, lambda e, u: (e * e).sum(-1)),
    "inner product": (sth.InnerProductTest, lambda e, u: (e @ u) ** 2),
    "orthogonality": (sth.OrthogonalityTest, lambda e, u: (e * e).sum(-1) - (e @ u) ** 2),
}


def batch_error(table, n, replace, part):
    """E of a part of |g - grad F|^2 over every batch of size n, by listing them."""
    mean = table.mean(0)
    u = mean / math.sqrt(mean @ mean)
    rows = product(range(len(table)), repeat=n) if replace else combinations(range(len(table)), n)
    errors = np.array([table[list(r)].mean(0) - mean for r in rows])
    return float(np.mean(part(errors, u)))


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("replace", [False, True])
@given(table=tables(most=5), tol=tolerances)
def test_the_size_passes_and_one_less_fails(name, replace, table, tol):
    """Soundness and minimality by enumeration: the exact test as the theorems state it."""
    test, part = TESTS[name]
    N = len(table)
    law = exact_law(table[None], np.full(N, 1 / N), math.inf if replace else N)
    size = float(test(tol)(law)[0])
    assume(abs(size - round(size)) > 1e-6)
    n = int(whole(size))
    allowed = tol**2 * float(law.signal[0])
    if n <= (4 if replace else N):
        assert batch_error(table, n, replace, part) <= allowed * (1 + 1e-9) + 1e-12
    if 1 < n <= (5 if replace else N):
        assert batch_error(table, n - 1, replace, part) > allowed * (1 - 1e-9)


@given(tables(), tolerances, tolerances)
def test_augmented_is_the_larger_of_two(table, theta, nu):
    m = sth.moments(table)
    both = sth.AugmentedInnerProductTest(theta, nu)(m)
    assert both == max(sth.InnerProductTest(theta)(m), sth.OrthogonalityTest(nu)(m))


@given(tables(), st.floats(0.1, 3), st.floats(0.05, 0.95))
def test_norm_test_never_asks_for_more(table, eps, fraction):
    m = sth.moments(table)
    both = sth.AugmentedInnerProductTest(eps * fraction**0.5, eps * (1 - fraction) ** 0.5)(m)
    assert sth.NormTest(eps)(m) <= both * (1 + 1e-9)


@given(tables(), tolerances)
def test_smaller_tolerance_larger_size(table, tol):
    m = sth.moments(table)
    for test, _ in TESTS.values():
        assert test(tol)(m) >= test(2 * tol)(m)


@given(tables(), tolerances, st.integers(-10, 10))
def test_sizes_are_invariant_to_powers_of_two(table, tol, power):
    for test, _ in TESTS.values():
        assert test(tol)(sth.moments(table)) == test(tol)(sth.moments(table * 2.0**power))


@given(tables(), tolerances, st.integers(0, 2**31))
def test_sizes_are_invariant_to_rotation(table, tol, seed):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((table.shape[1],) * 2))[0]
    for test, _ in TESTS.values():
        assert test(tol)(sth.moments(table @ Q)) == pytest.approx(test(tol)(sth.moments(table)), rel=1e-7, abs=1e-9)


@given(tables(), tolerances)
def test_finite_population_reduces_and_never_exceeds_N(table, tol):
    N = len(table)
    free, finite = sth.moments(table), sth.moments(table, population=N)
    for test, _ in TESTS.values():
        size = test(tol)(finite)
        assert size <= min(N, test(tol)(free)) * (1 + 1e-12)


@given(tables(), st.floats(0.1, 0.95))
def test_debiasing_equals_a_smaller_tolerance(table, eps):
    """Var/n <= eps^2 (|g|^2 - Var/n) iff the plain test passes at eps^2/(1 + eps^2)."""
    m = sth.moments(table)
    plain = sth.NormTest(eps / math.sqrt(1 + eps**2))(m)
    corrected = sth.NormTest(eps)(sth.debiased(m))
    assume(abs(plain / m.n - 1) > 1e-9)
    assert (corrected <= m.n) == (plain <= m.n)


def test_papers_factor_is_the_same_number():
    """(N - n)/(N - 1) V_N / n = (1 - n/N) V_{N-1} / n, exactly."""
    g = [Fraction(v) for v in (1, 4, -2, 7, 3)]
    N, mean = 5, sum(g) / 5
    V = sum((v - mean) ** 2 for v in g) / N
    for n in range(1, 6):
        assert V / n * Fraction(N - n, N - 1) == V * N / (N - 1) / n * (1 - Fraction(n, N))


def test_sizes_in_fractions_are_exact():
    table = np.array([[[Fraction(1)], [Fraction(2)], [Fraction(4)]]])
    law = exact_law(table, np.full(3, Fraction(1, 3), dtype=object), 3)
    size = sth.NormTest(Fraction(1, 2))(law)[0]
    assert size == 1 / (Fraction(1, 4) * Fraction(49, 9) / Fraction(7, 3) + Fraction(1, 3))


@pytest.mark.parametrize("n, expected", [(1 + 1e-13, 1), (1.01, 2), (3.0, 3), (0.2, 1), (math.inf, 50), (7e15, 50),
                                         (Fraction(7, 2), 4), (Fraction(3), 3)])
def test_whole(n, expected):
    assert whole(np.array([n], dtype=object if isinstance(n, Fraction) else float), 1, 50)[0] == expected


def test_no_spread_no_samples_no_signal_all_samples():
    assert smallest(0.0, 1.0, 0.5, math.inf) == 0 and smallest(0.0, 0.0, 0.5, math.inf) == 0
    assert smallest(1.0, 0.0, 0.5, math.inf) == math.inf and smallest(1.0, 0.0, 0.5, 40) == 40


def test_across_is_total_less_along():
    m = sth.moments(np.random.default_rng(0).standard_normal((9, 4)) + 1)
    assert across(m) == pytest.approx(m.total - m.along)


@pytest.mark.parametrize("make", [lambda t: sth.NormTest(t), lambda t: sth.InnerProductTest(t),
                                  lambda t: sth.OrthogonalityTest(t), lambda t: sth.AugmentedInnerProductTest(0.9, t)])
@pytest.mark.parametrize("tol", [0, -1.0, math.nan, math.inf])
def test_tolerances_are_positive(make, tol):
    with pytest.raises(ValueError, match="finite number above 0"):
        make(tol)


def test_nan_moments_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        smallest(np.array([math.nan]), np.array([1.0]), 0.5, math.inf)


# ---------------------------------------------------------------- coordinate by coordinate


@given(tables(), tolerances)
def test_coordinatewise_is_the_largest_of_one_dimensional_norm_tests(table, eps):
    whole_table = sth.CoordinatewiseNormTest(eps)(sth.moments(table))
    alone = [sth.NormTest(eps)(sth.moments(table[:, i : i + 1])) for i in range(table.shape[1])]
    assert whole_table == pytest.approx(max(alone), rel=1e-12)


@given(tables(), tolerances)
def test_coordinatewise_implies_the_norm_test(table, eps):
    m = sth.moments(table)
    assert sth.CoordinatewiseNormTest(eps)(m) >= sth.NormTest(eps)(m) * (1 - 1e-12)


@given(tables(), tolerances)
def test_coordinatewise_debiased_is_debiased_in_each_coordinate(table, eps):
    whole_table = sth.Debiased(sth.CoordinatewiseNormTest(eps))(sth.moments(table))
    alone = [sth.Debiased(sth.NormTest(eps))(sth.moments(table[:, i : i + 1])) for i in range(table.shape[1])]
    assert whole_table == pytest.approx(max(alone), rel=1e-9)


def test_coordinatewise_without_signal_asks_for_everything():
    table = np.array([[1.0, 1.0], [2.0, -1.0]])
    assert sth.CoordinatewiseNormTest(0.5)(sth.moments(table)) == np.inf
    assert sth.CoordinatewiseNormTest(0.5)(sth.moments(table, population=10)) == 10


@pytest.mark.parametrize("criterion, growth", [
    (sth.NormTest(0.5), 1.25), (sth.CoordinatewiseNormTest(0.5), 1.25), (sth.AugmentedInnerProductTest(0.3, 0.4), 1.25),
    (sth.Debiased(sth.NormTest(2)), 5), (sth.InnerProductTest(0.1), np.inf), (sth.OrthogonalityTest(0.1), np.inf),
])
def test_growth_of(criterion, growth):
    assert sth.growth_of(criterion) == growth


# ---------------------------------------------------------------- the repaired tests


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
    from fractions import Fraction

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
