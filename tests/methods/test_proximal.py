"""Proximal gradient: SGD where h = 0, gradient projection where h is a set, the rate of exact steps, messages."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import samplingtheory as st
from samplingtheory.methods import ProximalGradient
from samplingtheory.problems.composite import Composite
from samplingtheory.problems.prox import L1, Ball, Box, ElasticNet, Nothing, Nuclear, Simplex
from samplingtheory.problems.quadratic import QuadraticSum
from samplingtheory.problems.regression import LogisticRegression

TERMS = [L1(0.4), Box(-0.3, 0.2), Simplex(), Ball(0.4), Nuclear(0.3, (2, 2)), ElasticNet(0.2, 0.1), Nothing()]
rational = np.vectorize(Fraction, otypes=[object])


def smooth(d=4):
    rng = np.random.default_rng(0)
    root = rng.standard_normal((8, d, d))
    return QuadraticSum(root @ root.swapaxes(-1, -2), 2 * rng.standard_normal((8, d)))


def test_without_h_it_is_sgd_to_the_bit():
    f, record = smooth(), {"x": lambda s: s.after.x[:, 0], "gap": "gap", "n": "n"}
    both = (f, st.SGD(0.05)), (Composite(f, Nothing()), ProximalGradient(0.05, Nothing()))
    for sizing in (st.Fixed(3), st.Ahead(st.NormTest(0.5)), st.Behind(st.NormTest(0.5))):
        runs = [st.run(problem, method, sizing, np.ones(4), 10, replicates=6, rng=1, record=record)
                for problem, method in both]
        for name in record:
            assert (runs[0][name] == runs[1][name]).all()


@pytest.mark.parametrize("alpha", [0.05, Fraction(1, 20)])
def test_step(alpha):
    f, method, steps = smooth(), ProximalGradient(alpha, L1(0.7)), []
    st.run(Composite(f, method.h), method, st.Fixed(3), np.ones(4), 3, replicates=4, rng=0,
           record={"x": lambda s: (steps.append((s.before.x, s.batch.moments.mean, s.after.x)), s.after.x[:, 0])[1]})
    for x, g, after in steps:
        u = x - 0.05 * g
        assert np.abs(after - np.sign(u) * np.maximum(np.abs(u) - 0.05 * 0.7, 0)).max() < 1e-15


@settings(max_examples=30)
@given(alpha=some.floats(0.1, 1.0), seed=some.integers(0, 50))
@pytest.mark.parametrize("h", TERMS, ids=lambda h: type(h).__name__)
def test_full_batches_converge_at_the_rate(h, alpha, seed):
    """gap_k <= (1 - alpha mu)^k gap_0 for alpha <= 1/L (Theorem 1 of our notes with eta = 0), from any start."""
    problem = Composite(smooth(), h)
    c, k = problem.constants, 12
    x0 = h.prox(np.random.default_rng(seed).standard_normal((3, 4)), 0.5)
    gap = st.run(problem, ProximalGradient(alpha / c.L, h), st.Fixed(8), x0, k, rng=0)["gap"]
    bound = (1 - alpha * c.mu / c.L) ** np.arange(k + 1)[:, None] * gap[0]
    assert (gap <= bound * (1 + 1e-12) + 100 * problem.gap_error).all()


def test_full_batches_reach_the_minimiser():
    f = LogisticRegression(np.random.default_rng(1).standard_normal((40, 4)), np.tile([1, -1], 20), ridge=0.1)
    for h in (L1(0.02), Simplex(), Nuclear(0.02, (2, 2))):
        problem = Composite(f, h)
        trace = st.run(problem, ProximalGradient(1 / problem.constants.L, h), st.Fixed(40), np.eye(4)[0], 300, rng=0)
        assert trace["gap"][-1, 0] <= 10 * problem.gap_error < 1e-24
        assert np.abs(trace.final.x[0] - problem.constants.minimiser).max() < 1e-12


def test_the_mapping():
    """g to the bit for h = 0; zero at the minimiser; any leading axes."""
    f, rng = smooth(), np.random.default_rng(2)
    x, g = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 1, 4))
    assert ProximalGradient(0.1, Nothing()).mapping(x, g) is g
    long = 9 * np.sign(x)
    assert np.allclose(ProximalGradient(0.05, L1(0.4)).mapping(long, g), g + 0.4 * np.sign(x), atol=1e-13)
    for h in TERMS[:-1]:
        star = Composite(f, h).constants.minimiser[None]
        assert np.abs(ProximalGradient(0.05, h).mapping(star, f.gradient(star))).max() < 1e-13
        method = ProximalGradient(0.05, h)
        assert np.allclose(method.mapping(x, g)[1, 2], method.mapping(x[1, 2], g[1, 0]), atol=1e-12)


def test_enumeration_in_fractions():
    """One step over all batches of 1 of 2, by hand: F2 of our notes in small. b = (2, 3), box [0, 1]."""
    f = QuadraticSum(rational([1, 1]), rational([[2], [3]]))
    problem = Composite(f, Box(0, 1), minimiser=rational([1]))
    method = ProximalGradient(Fraction(1, 4), Box(0, 1))
    trace = st.run(problem, method, st.Fixed(1), rational([0]), 2, rng=st.EVERY)
    # x+ = min(1, 3x/4 + b/4): 0 -> 1/2, 3/4 -> 7/8, 1, 1, 1;  phi(x) - phi* = (x - 5/2)^2/2 - 9/8
    def phi(x):
        return (Fraction(x) - Fraction(5, 2)) ** 2 / 2 - Fraction(9, 8)
    assert trace.means("gap")[:, 0].tolist() == [phi(0), (phi("1/2") + phi("3/4")) / 2, phi("7/8") / 4]


def test_a_step_that_only_the_prox_makes_right():
    """The mistake lambda in place of alpha lambda moves the fixed point: full batches do not reach the minimiser."""
    problem = Composite(smooth(), L1(0.4))
    alpha = 1 / problem.constants.L
    wrong = ProximalGradient(alpha, L1(0.4 / alpha))
    gap = st.run(problem, wrong, st.Fixed(8), np.ones(4), 200, rng=0)["gap"]
    assert gap[-1, 0] > 1e-3


@pytest.mark.parametrize("alpha", [0, -0.1, math.inf, math.nan])
def test_bad_steps(alpha):
    with pytest.raises(ValueError, match="finite number above 0"):
        ProximalGradient(alpha, L1(1.0))


def test_dimensions_must_agree():
    with pytest.raises(ValueError, match="Box acts on 3 coordinates; the points have 4"):
        st.run(Composite(smooth(), L1(1.0)), ProximalGradient(0.1, Box([0, 0, 0], 1)), st.Fixed(2), np.ones(4), 1)


@pytest.mark.parametrize("h", [5, None, L1])
def test_what_is_no_regulariser_is_refused(h):
    with pytest.raises(ValueError, match="which has no `prox`"):
        st.ProximalGradient(0.1, h)
