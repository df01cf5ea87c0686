"""Where shared hypotheses begin to fail."""

from types import SimpleNamespace

import pytest

from samplingtheory.claims.common import SHORT_STEP, TEST, Symbols


def case(alpha, told, growth=1.25, L=4.0):
    return SimpleNamespace(method=SimpleNamespace(alpha=alpha), symbols=Symbols(alpha=told, growth=growth, L=L))


def test_the_test_is_met_up_to_m_minus_one():
    """M = 1 + eps^2, eps = 1/2: noise of 0.25 is the last that passes."""
    given = case(0.1, 0.1)
    assert TEST.margin(given, {"rel_total": 0.25}) == 0
    assert TEST.margin(given, {"rel_total": 0.251}) < 0 < TEST.margin(given, {"rel_total": 0.249})


def test_the_step_is_short_and_the_one_that_was_told():
    assert SHORT_STEP.margin(case(0.2, 0.2), {}) == pytest.approx(0, abs=1e-11)
    assert SHORT_STEP.margin(case(0.21, 0.21), {}) < -0.01
    assert SHORT_STEP.margin(case(0.1, 0.2), {}) < -0.01  # short enough, and not what the bound was told
