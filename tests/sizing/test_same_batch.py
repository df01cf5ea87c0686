"""Rules that test a batch before they step: enumerated, simulated, in rationals."""

import math

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.problems.quadratic import GaussianQuadratic, QuadraticSum


def five(replace=False):
    h, c = np.array([1.0, 2, 3, 4, 5]), np.array([[0.0], [1], [-1], [2], [-2]])
    return QuadraticSum(h, h[:, None] * c, replace)


SAME = [st.SameBatch(st.NormTest(0.5), on_fail="extend"), st.SameBatch(st.NormTest(0.5), on_fail="redraw"),
        st.SameBatch(st.NormTest(0.5), on_fail="extend", grow=2, corrections=1, monotone=False),
        st.Pilot(st.NormTest(0.5)), st.Pilot(st.NormTest(0.5), m=3, grow=1.5)]


@pytest.mark.parametrize("sizing", SAME, ids=repr)


def test_rules_that_test_their_own_batch_enumerated_and_simulated(sizing):
    """Error level 1e-6: five standard errors; the cost of all samples paid for included."""
    problem, record = five(), ("gap", "n", "drawn", "g2")
    every = st.run(problem, st.SGD(0.2), sizing, [3.0], 2, rng=st.EVERY, record=record)
    assert every.weight[-1].sum() == pytest.approx(1)
    runs = st.run(problem, st.SGD(0.2), sizing, [3.0], 2, replicates=30_000, rng=4, record=record)
    for name in record:
        error = runs[name].std(axis=1) / math.sqrt(30_000)
        assert (np.abs(runs[name].mean(axis=1) - every.means(name)[:, 0]) <= 5 * error + 1e-12).all(), name


def test_pilot_is_unbiased_and_the_same_batch_is_not():
    """E g - grad F over the first step, exactly."""
    problem = five()
    x0 = np.array([[0.3]])
    for sizing, biased in zip(SAME, (True, True, True, False, False), strict=True):
        trace = st.run(problem, st.SGD(1.0), sizing, x0, 1, rng=st.EVERY, record={"x": lambda s: s.after.x[:, 0]})
        mean = trace.means("x")[0, 0]
        exact = 0.3 - float(problem.gradient(x0)[0, 0])
        assert (abs(mean - exact) > 1e-3) == biased and (biased or abs(mean - exact) < 1e-12), sizing


def test_certificate_of_the_same_batch_rule():
    """Five samples, extension by one, no finite-population factor: the linear rate is false, in rationals."""
    from fractions import Fraction

    fraction = np.vectorize(Fraction, otypes=[object])
    h, c = fraction(np.array([1, 2, 3, 4, 5])), fraction(np.array([[0], [1], [-1], [2], [-2]]))
    def free(m):
        return st.smallest(m.total, m.signal, Fraction(1, 2), math.inf)
    rule = st.SameBatch(free, grow=1.0001, monotone=False)
    trace = st.run(QuadraticSum(h, h[:, None] * c), st.SGD(Fraction(4, 15)), rule, fraction(np.array([3])), 4,
                   rng=st.EVERY)
    ratio = [trace.means("gap")[k, 0] / (Fraction(1, 5) ** k * trace.means("gap")[0, 0]) for k in range(1, 5)]
    assert ratio[0] == Fraction(1129711, 1036800) and len(trace.weight[-1]) == 125
    assert [round(float(r), 4) for r in ratio[1:]] == [1.0444, 1.1858, 0.8842]


def test_every_law_can_be_extended_or_says_so():
    class Once(GaussianQuadratic):
        """A law whose batches cannot be joined."""

        def draw(self, x, n, rng, batch=None):
            drawn = super().draw(x, n, rng)
            return st.problems.base.Batch(drawn.moments.mean, n)

    with pytest.raises(ValueError, match="cannot extend"):
        st.View(Once(np.ones(1), 1.0), None, st.SGD(1.0).init(np.zeros((1, 1))), np.random.default_rng(0)).draw(
            np.full(1, 3.0), Once(np.ones(1), 1.0).draw(np.zeros((1, 1)), np.full(1, 2.0), np.random.default_rng(0)))
