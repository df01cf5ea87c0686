"""Gaussian batches that grow, against explicit samples. Kolmogorov-Smirnov tests at error level 1e-6 each."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

import samplingtheory as st
from samplingtheory.moments import moments
from samplingtheory.problems.quadratic import GaussianQuadratic
from samplingtheory.run import View

RUNS, RISK = 4000, 1e-6
NOISES = {"isotropic": 2.0, "diagonal": np.array([3.0, 1.0, 0.2]), "full": np.array([[2, .5, 0], [.5, 1, .3], [0, .3, .5]])}
X = np.array([0.4, -0.2, 0.1])


def explicit(noise, sizes, rng, stop):
    """The same rule with all samples kept: grow through `sizes` until stop(moments)."""
    cov = noise * np.eye(3) if np.ndim(noise) == 0 else np.diag(noise) if np.ndim(noise) == 1 else noise
    samples = X + rng.multivariate_normal(np.zeros(3), cov, (RUNS, sizes[-1]))
    out = np.empty((RUNS, 4))
    waiting = np.ones(RUNS, bool)
    for n in sizes:
        m = moments(samples[waiting, :n])
        done = stop(m) if n < sizes[-1] else np.ones(waiting.sum(), bool)
        rows = np.flatnonzero(waiting)[done]
        out[rows] = np.stack([np.full(len(m.n), n), m.signal, m.total, m.along], axis=1)[done]
        waiting[rows] = False
    return out


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("on_fail", ["extend", "redraw"])
def test_joined_batches_have_the_law_of_their_samples(noise, on_fail):
    """Sizes 2, 4, 8, 16 until the augmented test passes: size, |g|^2, total and along of the accepted batch."""
    criterion = st.AugmentedInnerProductTest(0.8, 1.0)
    problem = GaussianQuadratic(np.ones(3), NOISES[noise])
    rule = st.SameBatch(criterion, on_fail=on_fail, grow=2, cap=16)
    view = View(problem, st.SGD(0.1), st.SGD(0.1).init(np.repeat(X[None], RUNS, 0)), np.random.default_rng(0))
    batch, _ = rule.batch(rule.init(RUNS), view)
    m = batch.moments
    found = np.stack([m.n, m.signal, m.total, m.along], axis=1)
    rng = np.random.default_rng(1)
    if on_fail == "extend":
        slow = explicit(NOISES[noise], (2, 4, 8, 16), rng, lambda s: criterion(s) <= s.n)
    else:
        slow = np.concatenate([explicit(NOISES[noise], (n, 99), rng, lambda s: criterion(s) <= s.n)[None]
                               for n in (2, 4, 8, 16)])
        passed = slow[..., 0] != 99
        passed[3] = True
        last = explicit(NOISES[noise], (16,), rng, None)
        slow[3] = last
        slow = np.take_along_axis(slow, passed.argmax(0)[None, :, None], 0)[0]
    for column in range(4):
        assert ks_2samp(found[:, column], slow[:, column]).pvalue > RISK / 8, column
    assert ks_2samp(1.15 * found[:, 2], slow[:, 2]).pvalue < RISK, "15 % more variance would be seen"
    assert batch.drawn.mean() == pytest.approx((found[:, 0] if on_fail == "extend" else 2 * found[:, 0] - 2).mean())


def test_a_test_of_the_total_needs_no_matrix():
    """d = 3000: a scatter matrix of each replicate would take 72 MB; only sums are kept."""
    problem = GaussianQuadratic(np.ones(3000), 1.0)
    trace = st.run(problem, st.SGD(0.1), st.SameBatch(st.NormTest(0.5), grow=1, cap=30), np.full(3000, 0.1), 2,
                   replicates=30, rng=0, record=("n", "rel_error2"))
    assert trace["n"].min() > 2


def test_directions_are_reflected_exactly():
    """The completed scatter has the two numbers that were drawn, and the mean direction first."""
    problem = GaussianQuadratic(np.ones(4), 1.5)
    m = problem.draw(np.ones((200, 4)), np.r_[np.full(100, 3.0), np.full(100, 9.0)], np.random.default_rng(0)).moments
    total, along, u = m.total, m.along, m.mean / np.sqrt(m.signal)[:, None]
    np.testing.assert_allclose(np.trace(m.matrix, axis1=1, axis2=2), total * m.dof, rtol=1e-10)
    np.testing.assert_allclose(np.einsum("ri,rij,rj->r", u, m.matrix, u), along * m.dof, rtol=1e-8)
