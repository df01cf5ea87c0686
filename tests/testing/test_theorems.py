"""Claims that look sound and are not: each way of being unfalsifiable is told by name."""

import pytest

from samplingtheory.testing import check_theorem, mutants

WRONG = {m.name: m for m in mutants() if m.subject == "theorem"}


@pytest.mark.parametrize("name, check", [
    ("bound infinite", "falsifiable"), ("measured side is zero", "falsifiable"),
    ("a hypothesis without a control", "every-hypothesis-broken"),
    ("a hypothesis that is always met", "edge-of-hypotheses"), ("broken case too mild", "broken-fail"),
    ("broken case violates two hypotheses", "broken-violate-one"),
    ("tight case outside the hypotheses", "hypotheses-hold"), ("tight case that is not", "tight-reaches-bound"),
    ("factor squared", "as-claimed"),
])
def test_it_is_told(name, check):
    assert check in check_theorem(WRONG[name].build).failed


def test_a_difference_that_is_known_can_be_expected():
    known = dict.fromkeys(check_theorem(WRONG["bound doubled"].build).failed, "twice what is needed")
    report = check_theorem(WRONG["bound doubled"].build, expected_failures=known)
    assert known and report.ok and "twice what is needed" in str(report)
