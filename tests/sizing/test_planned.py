"""Sizes that are planned beforehand."""

import numpy as np

import samplingtheory as st
from samplingtheory.problems.quadratic import GaussianQuadratic

PROBLEM = GaussianQuadratic(np.array([1.0, 0.5]), 2.0)


def test_fixed_and_geometric():
    trace = st.run(PROBLEM, st.SGD(0.2), st.Geometric(2, 1.5), [1.0, 1.0], 5, rng=0, record=("n",))
    assert trace["n"][:, 0].tolist() == [2, 3, 5, 7, 11]
    assert st.Geometric(2, 1.5, integer=False).at(2) == 4.5
    trace = st.run(PROBLEM, st.SGD(0.2), st.Fixed(9), [1.0, 1.0], 2, rng=0, record=("n",))
    assert (trace["n"] == 9).all()


def test_geometric_sizes_outlive_the_doubles():
    """2.0^1100 is no float; the size is then the cap, or N."""
    assert st.Geometric(2, 2.0, cap=1e6).at(1100) == 1e6
    assert st.Geometric(1.0, 2).at(5000) == 1e15  # an exact power that no float holds
