"""The exact test, before the draw."""

import numpy as np

import samplingtheory as st
from samplingtheory.problems.quadratic import GaussianQuadratic
from samplingtheory.sizing import CAP

PROBLEM = GaussianQuadratic(np.array([1.0, 0.5]), 2.0)


def test_ahead_is_the_exact_test_at_every_point():
    trace = st.run(PROBLEM, st.SGD(0.2), st.Ahead(st.NormTest(0.5)), [4.0, 1.0], 15, replicates=50, rng=0,
                   record=("n", "grad2", "rel_total"))
    expected = np.maximum(1, np.ceil(4.0 / (0.25 * trace["grad2"][:-1]) * (1 - 1e-12)))
    assert (trace["n"] == expected).all() and (trace["rel_total"] <= 0.25 * (1 + 1e-9)).all()


def test_ahead_real_sizes_meet_the_test_with_equality():
    trace = st.run(PROBLEM, st.SGD(0.2), st.Ahead(st.NormTest(0.5), integer=False), [4.0, 1.0], 15, replicates=5,
                   rng=0, record=("rel_total",))
    np.testing.assert_allclose(trace["rel_total"], 0.25, rtol=1e-12)


def test_exact_sizes_do_not_overflow():
    """Sizes pass 2^63 within a few steps near the minimiser; they stay float and stop at the cap."""
    trace = st.run(PROBLEM, st.SGD(0.9), st.Ahead(st.NormTest(0.5)), [1e-8, 1e-8], 3, rng=0, record=("n",))
    assert (trace["n"] > 0).all() and trace["n"].max() == CAP
