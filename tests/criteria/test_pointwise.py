"""Sizes by the closed form, against enumeration of what they promise: soundness and minimality."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import samplingtheory as sth
from samplingtheory.criteria import across, whole
from samplingtheory.problems.finite import exact_law

from ..strategies import tables, tolerances

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


def test_across_is_total_less_along():
    m = sth.moments(np.random.default_rng(0).standard_normal((9, 4)) + 1)
    assert across(m) == pytest.approx(m.total - m.along)


@pytest.mark.parametrize("make", [lambda t: sth.NormTest(t), lambda t: sth.InnerProductTest(t),
                                  lambda t: sth.OrthogonalityTest(t), lambda t: sth.AugmentedInnerProductTest(0.9, t)])


@pytest.mark.parametrize("tol", [0, -1.0, math.nan, math.inf])


def test_tolerances_are_positive(make, tol):
    with pytest.raises(ValueError, match="finite number above 0"):
        make(tol)


@given(tables(), tolerances)


def test_coordinatewise_is_the_largest_of_one_dimensional_norm_tests(table, eps):
    whole_table = sth.CoordinatewiseNormTest(eps)(sth.moments(table))
    alone = [sth.NormTest(eps)(sth.moments(table[:, i : i + 1])) for i in range(table.shape[1])]
    assert whole_table == pytest.approx(max(alone), rel=1e-12)


@given(tables(), tolerances)


def test_coordinatewise_implies_the_norm_test(table, eps):
    m = sth.moments(table)
    assert sth.CoordinatewiseNormTest(eps)(m) >= sth.NormTest(eps)(m) * (1 - 1e-12)


def test_coordinatewise_without_signal_asks_for_everything():
    table = np.array([[1.0, 1.0], [2.0, -1.0]])
    assert sth.CoordinatewiseNormTest(0.5)(sth.moments(table)) == np.inf
    assert sth.CoordinatewiseNormTest(0.5)(sth.moments(table, population=10)) == 10
