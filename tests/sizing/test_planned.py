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
