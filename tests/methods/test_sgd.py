"""SGD and backtracking against their definitions."""

import math

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.problems.quadratic import GaussianQuadratic, QuadraticSum


def problem():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((8, 3, 3))
    return QuadraticSum(root @ root.swapaxes(-1, -2), rng.standard_normal((8, 3)))


def test_step():
    steps = []
    st.run(problem(), st.SGD(0.1), st.Fixed(3), np.ones(3), 2, replicates=4, rng=0,
           record={"x": lambda s: (steps.append((s.before.x, s.batch.moments.mean, s.after.x)), s.after.x[:, 0])[1]})
    for x, g, after in steps:
        assert (after == x - 0.1 * g).all()


def test_full_batches_are_gradient_descent():
    p = problem()
    trace = st.run(p, st.SGD(1 / p.constants.L), st.Fixed(8), np.ones(3), 30, rng=0)
    x = np.ones((1, 3))
    for _ in range(30):
        x = x - p.gradient(x) / p.constants.L
    assert trace["gap"][-1, 0] == pytest.approx(float(p.gap(x)[0]), rel=1e-9)


def test_backtracking_against_a_loop():
    """Each replicate alone, with F_S recomputed from the components it drew."""
    p, kept = problem(), []
    record = {"L": lambda s: (kept.append((s.before, s.batch, s.after)), s.after.lipschitz)[1]}
    st.run(p, st.Backtracking(0.01, 1.5), st.Fixed(3), np.ones(3), 6, replicates=5, rng=1, record=record)
    for before, batch, after in kept:
        for r in range(5):
            counts = batch.moments.weights[r] * 3
            def F(x, counts=counts):
                terms = zip(counts, p.hessians, p.linear, strict=True)
                return sum(c * (x @ H @ x / 2 - b @ x) for c, H, b in terms) / 3
            g = batch.moments.mean[r]
            a = batch.moments.total[r] / (3 * g @ g) + 1
            L, tries = before.lipschitz[r] / max(1, 2 / a), 0
            while F(before.x[r] - g / L) > F(before.x[r]) - g @ g / (2 * L) + 1e-12:
                L, tries = 1.5 * L, tries + 1
            assert after.lipschitz[r] == pytest.approx(L, rel=1e-12)
            assert after.tries[r] - before.tries[r] == tries


def test_noiseless_trial_step_doubles():
    p = QuadraticSum(np.ones((8, 3)), np.ones((8, 3)))
    trace = st.run(p, st.Backtracking(p.constants.L * 4), st.Fixed(8), np.full(3, 2.0), 1, rng=0, record=("lipschitz",))
    assert trace["lipschitz"][1, 0] == pytest.approx(trace["lipschitz"][0, 0] / 2)


@pytest.mark.parametrize("alpha", [0, -0.1, math.inf, math.nan])
def test_bad_steps(alpha):
    with pytest.raises(ValueError, match="finite number above 0"):
        st.SGD(alpha)


def test_backtracking_needs_the_sampled_function():
    with pytest.raises(ValueError, match="needs the sampled function"):
        st.run(GaussianQuadratic(np.ones(2), 1.0), st.Backtracking(), st.Fixed(3), np.ones(2), 1, rng=0)
    with pytest.raises(ValueError, match="eta is 1"):
        st.Backtracking(1.0, 1.0)


@pytest.mark.parametrize("make", [lambda: st.Backtracking("a"), lambda: st.Backtracking(None), lambda: st.Backtracking(0),
                                  lambda: st.Backtracking(1.0, "a")])
def test_backtracking_refuses_what_is_no_number(make):
    with pytest.raises(ValueError, match=r"(lipschitz|eta) is"):
        make()
