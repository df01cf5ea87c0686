"""A finite sum of one's own: f_i(x) = log cosh(x - c_i) + x^2/4 in one dimension, minimised by symmetry at 0."""

import numpy as np

import samplingtheory as st
from samplingtheory.problems.base import Constants
from samplingtheory.problems.finite import FiniteSum

CENTRES = np.array([-1.0, 0.0, 1.0])


def gradients(x):
    """(R, 1) points to (R, N, 1) gradients of the components."""
    return np.tanh(x[:, None, :] - CENTRES[:, None]) + x[:, None, :] / 2


def gap(x):
    """F(x) - F(0) without subtracting close numbers: cosh(x-1) cosh(x+1) = cosh(1)^2 + sinh(x)^2."""
    s2 = np.sinh(x[:, 0]) ** 2
    return (np.log1p(s2 / np.cosh(1.0) ** 2) + np.log1p(s2) / 2) / 3 + x[:, 0] ** 2 / 4


# |(log cosh)''| <= 1, so L = 1 + 1/2 bounds the curvature and 1/2 bounds it from below
problem = FiniteSum(gradients, gap, Constants(1.5, 0.5, np.zeros(1)), 3, 1)

if __name__ == "__main__":
    for finding in st.check_problem(problem):
        print(finding)
    trace = st.run(problem, st.SGD(0.5), st.Ahead(st.NormTest(0.5)), np.array([3.0]), 20, replicates=100, rng=0)
    print(f"mean gap after 20 steps: {trace['gap'][-1].mean():.1e}")
