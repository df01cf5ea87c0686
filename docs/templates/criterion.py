"""A test of one's own: (V_along + weight V_across)/n <= tol^2 |G|^2, between the inner product and the norm test."""

from dataclasses import dataclass

import numpy as np

import samplingtheory as st


@dataclass(frozen=True)
class WeightedTest:
    """weight = 0 is the inner product test with theta = tol, weight = 1 the norm test with eps = tol."""

    tol: float
    weight: float

    def __call__(self, m):
        across = m.total - m.along
        return st.smallest(m.along + self.weight * across, m.signal, self.tol, m.population)


if __name__ == "__main__":
    m = st.moments(1 + np.random.default_rng(0).standard_normal((100, 20)))
    for weight in (0.0, 0.5, 1.0):
        print(f"weight {weight}: {float(WeightedTest(0.5, weight)(m)):.2f} samples")
    assert np.isclose(WeightedTest(0.5, 0.0)(m), st.InnerProductTest(0.5)(m))
    assert np.isclose(WeightedTest(0.5, 1.0)(m), st.NormTest(0.5)(m))
