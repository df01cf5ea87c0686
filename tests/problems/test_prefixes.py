"""Prefix moments against the moments of each prefix, and the rule that uses them against the one that draws again."""

import math

import numpy as np
import pytest
from hypothesis import given

import samplingtheory as st
from samplingtheory.moments import moments
from samplingtheory.problems.prefixes import Prefixes
from samplingtheory.problems.quadratic import QuadraticSum
from samplingtheory.run import View
from samplingtheory.sizing.listed import by_prefixes

from ..strategies import tables


@given(tables(least=3))
def test_prefixes_equal_their_moments(table):
    m, scale = Prefixes(np.stack([table, -2 * table])), np.abs(table).max() ** 2 + 1e-300
    for j in range(2, len(table) + 1):
        for row, factor in ((0, 1.0), (1, 4.0)):
            slow = moments(table[:j])
            assert m.total[row, j - 1] == pytest.approx(factor * slow.total, rel=1e-9, abs=1e-12 * scale)
            np.testing.assert_allclose(m.variances[row, j - 1], factor * slow.variances, rtol=1e-9, atol=1e-12 * scale)
            assert m.signal[row, j - 1] == pytest.approx(factor * slow.signal, rel=1e-9, abs=1e-12 * scale)
            if slow.signal > 1e-6 * scale:
                assert m.along[row, j - 1] == pytest.approx(factor * slow.along, rel=1e-6, abs=1e-9 * scale)
    assert np.isinf(m.total[:, 0]).all()


RULES = [st.SameBatch(st.NormTest(0.5), grow=1), st.SameBatch(st.NormTest(0.7), start=4, grow=2, monotone=False),
         st.SameBatch(st.AugmentedInnerProductTest(0.5, 0.7)), st.SameBatch(st.Repaired(st.NormTest(0.7)), start=3, grow=1),
         st.SameBatch(st.Debiased(st.NormTest(0.9)), corrections=1), st.SameBatch(st.NormTest(0.2), grow=1.5, cap=20),
         st.SameBatch(st.CoordinatewiseNormTest(0.9), grow=1, corrections=3)]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_fast_path_stops_where_the_slow_one_does(rule):
    """The same orders for both: a slow rule that extends along them, one test at a time."""
    rng = np.random.default_rng(1)
    problem = QuadraticSum(np.ones(40), rng.standard_exponential((40, 2)) - 1)
    x = 0.3 * rng.standard_normal((200, 2))
    start = rng.integers(2, 12, 200).astype(float)
    view = View(problem, st.SGD(0.1), st.SGD(0.1).init(x), np.random.default_rng(7))
    batch = by_prefixes(rule, start, view, min(rule.cap, 40))
    order = np.random.default_rng(7).random((200, 40)).argsort(axis=1)
    for r in range(200):
        n, failures = int(start[r]), 0
        while n < min(rule.cap, 40) and failures < rule.corrections:
            asked = float(st.whole(rule.criterion(moments(problem.atoms(x[r:r + 1])[0][0][order[r, :n]], population=40)),
                                   1, min(rule.cap, 40)))
            if asked <= n:
                break
            n, failures = int(min(max(asked if rule.grow is None else math.ceil(rule.grow * n), n + 1), rule.cap, 40)), \
                failures + 1
        assert batch.moments.n[r] == n == batch.drawn[r]
        assert set(np.flatnonzero(batch.held[r])) == set(order[r, :n])
    assert len(np.unique(batch.moments.n)) > 2
