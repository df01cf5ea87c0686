"""Counting: bounds against SciPy, evidence against exact rationals, error levels by exact recursion."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.integrate import quad
from scipy.stats import beta, binom, binomtest

from samplingtheory.evidence.counting import (
    clopper_pearson,
    log_evidence,
    quantile_upper,
    runs_to_confirm,
)

RISK = 0.01
properties = settings(max_examples=60, deadline=None)
probabilities = some.floats(0.01, 0.99)


@some.composite
def counts(draw, most=400):
    runs = draw(some.integers(1, most))
    return draw(some.integers(0, runs)), runs


# ------------------------------------------------------------------------------------------- Clopper-Pearson


@pytest.mark.parametrize("risk", [0.01, 0.2])
@pytest.mark.parametrize("runs", [1, 7, 90])
def test_bounds_are_those_of_scipy(runs, risk):
    s = np.arange(runs + 1)
    lower, upper = clopper_pearson(s, runs, risk)
    for i in s:
        above = binomtest(int(i), runs, alternative="greater").proportion_ci(1 - risk, method="exact")
        below = binomtest(int(i), runs, alternative="less").proportion_ci(1 - risk, method="exact")
        assert lower[i] == pytest.approx(above.low, rel=1e-9)
        assert upper[i] == pytest.approx(below.high, rel=1e-9)


@properties
@given(counts(), probabilities)
def test_either_bound_errs_no_more_often_than_stated(count, p):
    """Exact: the probabilities of all counts whose bound misses p."""
    _, runs = count
    s = np.arange(runs + 1)
    lower, upper = clopper_pearson(s, runs, RISK)
    weight = binom.pmf(s, runs, p)
    assert weight[lower > p].sum() <= RISK + 1e-12
    assert weight[upper < p].sum() <= RISK + 1e-12
    np.testing.assert_allclose(lower, 1 - upper[::-1], atol=1e-12)


def test_scalars_stay_scalars_and_no_runs_say_nothing():
    assert clopper_pearson(0, 0, RISK) == (0.0, 1.0)
    assert np.ndim(clopper_pearson(3, 10, RISK)[0]) == 0
    assert np.ndim(log_evidence(3, 10, 0.05, "above")) == 0
    assert log_evidence(0, 0, 0.05, "above") == pytest.approx(0.0, abs=1e-12)
    assert log_evidence(0, 0, 0.05, "below") == pytest.approx(0.0, abs=1e-12)


# --------------------------------------------------------------------------------------- anytime evidence


def exact_evidence(s, n, delta, side):
    """The same integral in rationals: I_delta(s+1, n-s+1) is a binomial tail sum."""
    d = Fraction(delta)
    head = sum(math.comb(n + 1, j) * d**j * (1 - d) ** (n + 1 - j) for j in range(s + 1, n + 2))
    tail, width = (head, d) if side == "below" else (1 - head, 1 - d)
    value = tail / ((n + 1) * math.comb(n, s) * width * d**s * (1 - d) ** (n - s))
    return math.log(value.numerator) - math.log(value.denominator)


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("delta", [0.05, 0.5, 0.001])
@pytest.mark.parametrize(("s", "n"), [(0, 1), (3, 40), (0, 200), (200, 200), (170, 200), (15, 200), (40, 99)])
def test_evidence_is_the_integral_in_rationals(s, n, delta, side):
    """Both branches: some of these tails are 1, some far below the doubles."""
    exact = exact_evidence(s, n, delta, side)
    assert log_evidence(s, n, delta, side) == pytest.approx(exact, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(("side", "low", "high"), [("above", 0.05, 1.0), ("below", 0.0, 0.05)])
def test_evidence_is_the_mean_likelihood_ratio(side, low, high):
    s, n, delta = 4, 30, 0.05
    ratio = quad(lambda p: (p / delta) ** s * ((1 - p) / (1 - delta)) ** (n - s), low, high, epsabs=0)[0]
    assert log_evidence(s, n, delta, side) == pytest.approx(math.log(ratio / (high - low)), rel=1e-9)


@properties
@given(counts(), probabilities, some.sampled_from(["above", "below"]), some.floats(0, 1))
def test_evidence_is_a_martingale_at_delta_and_falls_inside_the_null(count, delta, side, share):
    """One further run, exactly: the mean is E_n at p = delta, <= E_n on the side it is evidence against."""
    s, n = count
    now = log_evidence(s, n, delta, side)
    failed, passed = np.exp(log_evidence([s + 1, s], n + 1, delta, side) - now)
    assert delta * failed + (1 - delta) * passed == pytest.approx(1.0, rel=1e-9)
    p = share * delta if side == "above" else delta + share * (1 - delta)
    assert p * failed + (1 - p) * passed <= 1 + 1e-9


@properties
@given(counts(10**6), probabilities)
def test_failures_and_successes_may_be_exchanged(count, delta):
    s, n = count
    above, below = log_evidence(s, n, delta, "above"), log_evidence(n - s, n, 1 - delta, "below")
    assert above == pytest.approx(below, rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("runs", [10**6, 10**9])
@pytest.mark.parametrize("side", ["above", "below"])
def test_large_counts_are_finite_monotone_and_have_no_step(runs, side):
    """From 60 spreads below delta to 60 above: no overflow, and no jump where the method changes."""
    delta = 0.05
    step = max(1, round(0.06 * math.sqrt(runs * delta * (1 - delta))))
    s = round(runs * delta) + step * np.arange(-1000, 1001)
    out = log_evidence(s, runs, delta, side)
    assert np.isfinite(out).all()
    change = np.diff(out) if side == "above" else -np.diff(out)
    assert (change > -1e-5).all()  # betaln of counts of 1e9 is good to 1e-6
    assert np.abs(np.diff(change)).max() < 0.02


def test_large_counts_meet_the_direct_formula_where_it_lives():
    s, n, d = np.array([50_500.0, 52_000.0, 56_000.0]), 1e6, 0.05
    law = beta(s + 1, n - s + 1)
    expected = law.logcdf(d) - law.logpdf(d) - math.log(d)
    np.testing.assert_allclose(log_evidence(s, n, d, "below"), expected, rtol=0, atol=1e-7)


@properties
@given(some.integers(0, 10**5), some.floats(1e-4, 0.5))
def test_no_failure_in_closed_form(n, delta):
    q = math.log1p(-delta)
    expected = -n * q + math.log(-math.expm1((n + 1) * q)) - math.log((n + 1) * delta)
    assert log_evidence(0, n, delta, "below") == pytest.approx(expected, rel=1e-9, abs=1e-9)


def crossing(rejects, p, runs):
    """P(rejected at or before run n), n = 1..runs, when failures come with probability p: exact recursion."""
    alive, out = np.array([1.0]), np.empty(runs)
    for n in range(1, runs + 1):
        alive = np.append(alive * (1 - p), 0.0) + np.append(0.0, alive * p)
        reachable = np.flatnonzero(alive > 1e-18)
        alive[reachable[rejects(reachable, n)]] = 0.0
        out[n - 1] = 1 - alive.sum()
    return out


def anytime(delta, side):
    return lambda s, n: log_evidence(s, n, delta, side) >= -math.log(RISK)


@pytest.mark.parametrize(("side", "inside"), [("above", 0.9), ("below", 1.1)])
def test_looking_after_every_run_errs_no_more_often_than_stated(side, inside):
    delta = 0.05
    for p in (delta, inside * delta):
        assert crossing(anytime(delta, side), p, 1200)[-1] <= RISK


def test_control_looking_at_fixed_bounds_after_every_run_errs_more_often():
    delta = 0.05
    peeking = crossing(lambda s, n: clopper_pearson(s, n, RISK)[0] > delta, delta, 1200)
    assert peeking[-1] > 3 * RISK


def test_power_is_that_of_the_design():
    """Design notes: delta = 0.05, truth 2 delta: median 313, 90 % 655 runs (simulated there, exact here)."""
    reached = crossing(anytime(0.05, "above"), 0.1, 1000)
    assert np.searchsorted(reached, 0.5) + 1 == pytest.approx(313, rel=0.1)
    assert np.searchsorted(reached, 0.9) + 1 == pytest.approx(655, rel=0.1)


# ------------------------------------------------------------------------------------------------- planning


@pytest.mark.parametrize(("delta", "runs"), [(0.1, 44), (0.05, 90), (0.01, 459), (0.001, 4603)])
def test_runs_to_confirm_are_those_of_the_design(delta, runs):
    assert runs_to_confirm(delta, RISK) == runs


@properties
@given(some.floats(1e-4, 0.9), some.floats(1e-6, 0.5))
def test_runs_to_confirm_is_the_smallest(delta, risk):
    n = runs_to_confirm(delta, risk)
    assert clopper_pearson(0, n, risk)[1] <= delta * (1 + 1e-9)
    assert n == 1 or clopper_pearson(0, n - 1, risk)[1] > delta * (1 - 1e-9)


@properties
@given(some.integers(1, 400), some.floats(0.02, 0.9))
def test_quantile_upper_is_the_smallest_order_statistic_that_covers(runs, delta):
    """Of the ranks 1..n as a sample; the error of rank j is P(Beta(j, n-j+1) < 1 - delta), exactly."""
    rank = quantile_upper(np.arange(runs, 0, -1), delta, RISK)
    assert math.isinf(rank) == (runs < runs_to_confirm(delta, RISK))
    smaller = rank - 1 if math.isfinite(rank) else runs
    if math.isfinite(rank):
        assert binom.sf(rank - 1, runs, 1 - delta) <= RISK * (1 + 1e-9)
    assert smaller == 0 or binom.sf(smaller - 1, runs, 1 - delta) > RISK * (1 - 1e-9)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: clopper_pearson(11, 10, 0.01), "11 failures in 10 runs"),
        (lambda: clopper_pearson(-1, 10, 0.01), "-1 failures"),
        (lambda: clopper_pearson(1.5, 10, 0.01), "whole"),
        (lambda: clopper_pearson(1, np.nan, 0.01), "nan runs"),
        (lambda: clopper_pearson(1, np.inf, 0.01), "inf runs"),
        (lambda: clopper_pearson(1, 10, 1.0), "risk is 1.0"),
        (lambda: log_evidence(11, 10, 0.05, "above"), "11 failures in 10 runs"),
        (lambda: log_evidence(1, 10, 0.0, "above"), "delta is 0.0"),
        (lambda: log_evidence(1, 10, 0.05, "left"), "side is 'left'"),
        (lambda: runs_to_confirm(1.0, 0.01), "delta is 1.0"),
        (lambda: runs_to_confirm(0.05, 0.0), "risk is 0.0"),
        (lambda: runs_to_confirm(math.nan, 0.01), "delta is nan"),
        (lambda: quantile_upper(np.array([1.0, np.nan]), 0.05, 0.01), "NaN"),
        (lambda: quantile_upper(np.ones((2, 2)), 0.05, 0.01), r"shape \(2, 2\)"),
    ],
)
def test_bad_input_says_what_was_got(call, says):
    with pytest.raises(ValueError, match=says) as error:
        call()
    assert "\n" not in str(error.value)
