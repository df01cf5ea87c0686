"""Statistics from squared norms of units: unbiased to the last digit, by enumeration in rationals."""

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import samplingtheory as sth
from samplingtheory.criteria import Debiased
from samplingtheory.units import MODES, WEIGHTINGS, UnitStatistics, unit_statistics

from .strategies import tables

ATOMS = np.array([[F(2), F(-1)], [F(0), F(3)]], dtype=object)  # a law of one sample gradient in the plane
CHANCE = [F(1, 3), F(2, 3)]
MEAN = CHANCE[0] * ATOMS[0] + CHANCE[1] * ATOMS[1]
TOTAL = sum(p * ((a - MEAN) @ (a - MEAN)) for p, a in zip(CHANCE, ATOMS, strict=True))


def draws(counts, weighting):
    """(probability, statistics) of every draw of units with these sizes."""
    n = sum(counts)
    for chosen in itertools.product(range(2), repeat=n):
        p = math.prod(CHANCE[i] for i in chosen)
        pieces = np.split(ATOMS[list(chosen)], np.cumsum(counts)[:-1])
        g = np.array([piece.sum(0) / F(len(piece)) for piece in pieces], dtype=object)
        w = [F(c, n) if weighting == "samples" else F(1, len(counts)) for c in counts]
        mean = sum(wj * gj for wj, gj in zip(w, g, strict=True))
        yield p, unit_statistics((g * g).sum(-1), mean @ mean, counts, weighting)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("counts", [(1, 1), (2, 2), (1, 2, 3), (1, 4), (3, 3, 1)])
def test_estimates_are_unbiased_for_any_sizes(counts, weighting):
    total = gradient2 = between = 0
    for p, s in draws(counts, weighting):
        total, gradient2, between = total + p * s.total, gradient2 + p * s.gradient2, between + p * s.between
    assert total == TOTAL and gradient2 == MEAN @ MEAN
    assert between == s.spread * TOTAL  # the printed statistic estimates this, and not tr Sigma
    if len(set(counts)) == 1:
        J = len(counts)
        assert s.spread == F(J - 1, sum(counts)) and s.n == s.samples


@given(tables(least=2), st.data())
def test_sample_weights_are_the_divisors_of_moments(table, data):
    counts = data.draw(st.lists(st.integers(1, 9), min_size=len(table), max_size=len(table)))
    m = sth.moments(table, counts)
    s = unit_statistics((table * table).sum(-1), m.signal, counts, "samples")
    scale = s.mean_square / s.spread
    assert s.total == pytest.approx(m.total, rel=1e-9, abs=1e-12 * scale)
    assert (s.dof, s.samples, s.n) == (m.dof, sum(counts), pytest.approx(m.n))


@given(tables(least=2), st.sampled_from([0.25, 0.5, 1.0, 2.0]))
def test_modes_are_the_criteria_on_the_same_units(table, eps):
    m = sth.moments(table)
    s = UnitStatistics(m.signal + m.total * (len(table) - 1) / len(table), m.signal, len(table), len(table),
                       float(len(table)), (len(table) - 1) / len(table))
    if m.total < 1e-6 * m.signal:
        return
    assert s.required(eps, "scaled") == pytest.approx(sth.NormTest(eps)(m), rel=1e-6)
    assert s.required(eps, "paper") == pytest.approx(s.required(eps, "scaled") * s.spread, rel=1e-12)
    assert s.required(eps, "lagged") == pytest.approx(sth.NormTest(eps / math.sqrt(1 + eps * eps))(m), rel=1e-6)
    if s.gradient2 > 1e-6 * m.signal:
        assert s.required(eps, "unbiased") == pytest.approx(Debiased(sth.NormTest(eps))(m), rel=1e-4)


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.1, 3), st.integers(2, 8))
def test_lagged_and_unbiased_pass_the_same_batches_and_ask_for_other_sizes(between, signal, eps, J):
    b = 4 * J
    s = UnitStatistics(between + signal, signal, J, b, float(b), (J - 1) / b)
    unbiased, lagged = s.required(eps, "unbiased"), s.required(eps, "lagged")
    if min(abs(unbiased / b - 1), abs(lagged / b - 1)) > 1e-9:
        assert (unbiased <= b) == (lagged <= b)
    assert lagged <= unbiased * (1 + 1e-9) or unbiased <= b * (1 + 1e-9)


def test_a_single_unit_tells_nothing():
    s = unit_statistics([2.0], 2.0, [8])
    assert s.total == math.inf and s.gradient2 == -math.inf and s.noise_scale == math.inf and s.dof == 0
    assert all(s.required(0.5, mode) == math.inf for mode in MODES if mode != "paper")


def test_arrays_of_replicates_are_rows():
    squares, signal = np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([1.5, 2.0])
    s = unit_statistics(squares, signal, [4, 4])
    for r in range(2):
        one = unit_statistics(squares[r], signal[r], [4, 4])
        assert (s.total[r], s.gradient2[r], s.noise_scale[r]) == (one.total, one.gradient2, one.noise_scale)
        assert all(s.required(0.3, mode)[r] == one.required(0.3, mode) for mode in MODES)


@pytest.mark.parametrize("call, words", [
    (lambda: unit_statistics([1.0, 2.0], 1.0, [4]), "need 2 positive sizes"),
    (lambda: unit_statistics([1.0, 2.0], 1.0, [4, 0]), "need 2 positive sizes"),
    (lambda: unit_statistics([1.0, 2.0], 1.0, [4, 4], "ranks"), "weighting is 'ranks'"),
    (lambda: unit_statistics([1.0, 2.0], 1.0, [4, 4]).required(0.5, "best"), "mode is 'best'"),
    (lambda: unit_statistics([1.0, 2.0], 1.0, [4, 4]).required(-1), "eps is -1"),
])
def test_bad_input_gets_one_line(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("squares, signal, counts, words", [
    ([1.0, 2.0], 0.5, [2.5, 2], "positive sizes, whole"), ([1.0, 2.0], 0.5, [math.inf, 2], "positive sizes, whole"),
    ([1.0, 2.0], 0.5, ["a", 2], "positive sizes, whole"), (1.0, 0.5, [2], "squares have shape"),
    (np.ones((3, 2)), np.ones(2), [2, 2], r"signal \(2,\); need")])
def test_squares_and_sizes_that_do_not_fit(squares, signal, counts, words):
    with pytest.raises(ValueError, match=words):
        unit_statistics(squares, signal, counts)
