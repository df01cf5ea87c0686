"""Rank means: the weights of `Ranked` against the two rounds of `moments`, sizes, and the laws of both draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import samplingtheory as st
from samplingtheory.problems.base import EVERY
from samplingtheory.problems.quadratic import GaussianQuadratic, QuadraticSum
from samplingtheory.problems.ranks import Ranks
from samplingtheory.units import unit_statistics


def finite(replace=True):
    return QuadraticSum(np.array([[1.0, 0.5], [0.5, 2.0], [1.5, 1.0]]),
                        np.array([[1.0, -2.0], [0.5, 1.0], [-2.0, 0.25]]), replace=replace)


@settings(max_examples=30, deadline=None)
@given(some.lists(some.integers(1, 4), min_size=2, max_size=5), some.integers(1, 40), some.integers(0, 2**31))
def test_ranked_is_moments_of_the_rank_means(shares, n, seed):
    problem = Ranks(GaussianQuadratic(np.ones(6), 2.0), tuple(shares))
    batch = problem.draw(np.ones((3, 6)), np.full(3, float(n)), np.random.default_rng(seed))
    m, sizes = batch.moments, problem.sizes(np.full(3, float(n)))
    slow = st.moments(m.atoms, sizes)
    for name in ("n", "mean", "total", "along", "signal", "dof", "variances"):
        np.testing.assert_allclose(getattr(m, name), getattr(slow, name), rtol=1e-10)
    assert (sizes.sum(1) >= n).all() and (sizes.sum(1) < n + sum(shares)).all()
    assert (sizes * shares[0] == sizes[:, :1] * shares).all()


@settings(max_examples=30, deadline=None)
@given(some.lists(some.integers(1, 4), min_size=2, max_size=5), some.integers(0, 2**31))
def test_ranked_is_what_squared_norms_tell(shares, seed):
    """The statistics that a distributed run computes from squared norms alone, on the same rank means."""
    problem = Ranks(GaussianQuadratic(np.ones(6), 2.0), tuple(shares))
    m = problem.draw(np.ones((3, 6)), np.full(3, 8.0), np.random.default_rng(seed)).moments
    squares, counts = (m.atoms**2).sum(-1), problem.sizes(np.full(1, 8.0))[0]
    by_samples = unit_statistics(squares, m.signal, counts, "samples")
    np.testing.assert_allclose(by_samples.total, m.total, rtol=1e-9)
    if len(set(shares)) == 1:  # the printed statistic averages over ranks, whatever their sizes
        equal = unit_statistics(squares, m.signal, counts, "equal")
        np.testing.assert_allclose(equal.between, m.printed, rtol=1e-9)
        np.testing.assert_allclose(equal.between, m.scalars, rtol=1e-9)


def test_enumeration_has_the_law_of_the_draw():
    """Means of three statistics over 40 000 draws within 4 standard errors: wrong once in 5000 seeds."""
    problem, x = Ranks(finite(), (1, 2)), np.array([[1.0, 0.5]])
    listed = problem.draw(x, np.array([3.0]), EVERY)
    assert listed.weight.sum() == pytest.approx(1, rel=1e-12)
    drawn = problem.draw(np.repeat(x, 40_000, 0), np.full(40_000, 3.0), np.random.default_rng(0)).moments
    for name in ("total", "printed", "signal"):
        value = getattr(drawn, name)
        exact = (listed.weight * getattr(listed.moments, name)).sum()
        assert abs(value.mean() - exact) <= 4 * value.std() / 200


def test_shares_are_checked():
    with pytest.raises(ValueError, match="at least two ranks"):
        Ranks(finite(), (3,))
