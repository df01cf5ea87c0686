"""What rules and theorems ask about a test."""

import numpy as np
import pytest

import samplingtheory as sth
from samplingtheory.criteria import needs_spread


@pytest.mark.parametrize("criterion, growth", [
    (sth.NormTest(0.5), 1.25), (sth.CoordinatewiseNormTest(0.5), 1.25), (sth.AugmentedInnerProductTest(0.3, 0.4), 1.25),
    (sth.Debiased(sth.NormTest(2)), 5), (sth.InnerProductTest(0.1), np.inf), (sth.OrthogonalityTest(0.1), np.inf),
])


def test_growth_of(criterion, growth):
    assert sth.growth_of(criterion) == growth


@pytest.mark.parametrize("criterion, needs", [
    (sth.NormTest(1), True), (sth.KnownVariance(sth.NormTest(1), 2.0), False),
    (sth.Repaired(sth.NormTest(1)), True), (sth.KnownVariance(sth.Debiased(sth.NormTest(1)), 2.0), False),
    (sth.Debiased(sth.KnownVariance(sth.NormTest(1), 2.0)), True),  # the correction reads the batch's own spread
])
def test_needs_spread(criterion, needs):
    assert needs_spread(criterion) == needs
