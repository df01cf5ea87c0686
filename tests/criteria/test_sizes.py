"""From spread, signal and tolerance to a size; rounding."""

import math
from fractions import Fraction

import numpy as np
import pytest

import samplingtheory as sth
from samplingtheory.criteria import smallest, whole
from samplingtheory.problems.finite import exact_law
from samplingtheory.problems.quadratic import GaussianQuadratic


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


def test_nan_moments_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        smallest(np.array([math.nan]), np.array([1.0]), 0.5, math.inf)


def test_a_size_that_is_nan_is_an_error_and_not_the_cap():
    with pytest.raises(ValueError, match="asked for NaN samples"):
        whole(np.array([3.0, np.nan]))
    with pytest.raises(ValueError, match="asked for NaN samples"):
        sth.run(GaussianQuadratic(np.ones(2), 1.0), sth.SGD(0.1), sth.Ahead(lambda m: m.total * np.nan), np.ones(2), 1)


def test_gradients_whose_squares_overflow_are_named_as_such():
    with np.errstate(over="ignore", invalid="ignore"):
        m = sth.moments(np.array([[1e170, 2.0], [3e170, 5.0]]))
    with pytest.raises(ValueError, match="so large"):
        sth.NormTest(0.5)(m)
