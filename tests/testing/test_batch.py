"""Each check of a batch rule fails on the rule that only it is there to catch, and the sound rules pass."""

import math
import re

import numpy as np
import pytest

from samplingtheory.testing import (
    ConformanceError,
    PerRank,
    Scheduler,
    Sequential,
    batch_rule_checks,
    check_batch_rule,
)
from samplingtheory.testing.batch import batch_rule
from samplingtheory.testing.engine import run_check
from samplingtheory.testing.kinds import KINDS, reference
from samplingtheory.testing.listing import SAMPLINGS
from samplingtheory.testing.ranks import reference_statistic
from samplingtheory.testing.rule_checks import RULE_CHECKS

from . import toys

CHECKS = {c.name: c for c in RULE_CHECKS}
CAUGHT = {  # check -> (rule, flags, the checks that may fail beside it)
    "runs": (toys.raises, {}, None),
    "returns-one-number": (toys.nan, {}, None),
    "leaves-input-alone": (toys.rude, {}, set()),
    "ignores-global-random-state": (toys.lottery, {}, None),
    "range": (toys.negative, {}, set()),
    "degenerate": (toys.careless, {}, {"minimality", "duplication"}),
    "soundness": (toys.unsound, {}, None),
    "minimality": (toys.wasteful, {}, {"duplication", "ordering"}),
    "scale": (toys.far_scale, {}, {"degenerate"}),
    "rotation": (toys.grid, {}, {"scale"}),
    "permutation": (toys.first_row, {}, {"minimality", "duplication", "ordering", "rotation", "monotone", "scale"}),
    "monotone": (toys.big_tolerance, {}, set()),
    "duplication": (toys.long_table, {}, {"degenerate"}),
    "finite-population": (toys.no_tiny, {}, set()),
    "sharding": (toys.by_ranks, {"role": "lagged", "sharded": True}, set()),
    "unbiased": (toys.same_batch, {"role": "same-batch", "answers": "accept", "claims_unbiased": True}, set()),
}


@pytest.mark.parametrize("check", CAUGHT)
def test_each_check_catches_what_it_is_there_for(check):
    rule, flags, _ = CAUGHT[check]
    result = run_check(CHECKS[check], batch_rule(rule, kind="norm", **flags))
    assert result.verdict == "FAILED"
    assert result.counterexample.startswith("gradients = [[")


@pytest.mark.slow
@pytest.mark.parametrize("check", [c for c, (_, _, others) in CAUGHT.items() if others is not None])
def test_no_other_check_is_needed_for_it(check):
    rule, flags, others = CAUGHT[check]
    assert set(check_batch_rule(rule, kind="norm", **flags).failed) <= {check} | others


def test_ordering_catches_a_test_that_is_right_at_short_decimals_only():
    def rule(table, theta):
        wide = abs(theta * 20 - round(theta * 20)) > 1e-9  # the optimal split is no short decimal
        return float(len(table)) if wide else reference("inner-product")(table, theta=theta)

    assert set(check_batch_rule(rule, kind="inner-product").failed) == {"ordering", "monotone"}


def test_every_check_has_such_a_rule():
    assert {c.name for c in RULE_CHECKS} == {*CAUGHT, "ordering"}


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_our_tests_pass(kind, sampling):
    role = "lagged" if sampling == "batch" else "exact"
    check_batch_rule(reference(kind, sampling), kind=kind, role=role, replacement=sampling == "with",
                     examples=15).require()


@pytest.mark.parametrize("check", batch_rule_checks(toys.right, kind="norm", examples=10), ids=str)
def test_parametrised(check):
    check()


def test_parametrised_checks_fail_with_the_table():
    failing = [c for c in batch_rule_checks(toys.unsound, kind="norm", examples=20) if str(c) == "soundness"]
    with pytest.raises(ConformanceError, match="breaks the test"):
        failing[0]()


@pytest.mark.parametrize("rule, words", [
    (toys.raises, "raises RuntimeError: no such kernel"), (toys.nan, "returns NaN"),
    (toys.shaped, r"returns an array of shape \(1, 2\)"), (toys.text, "returns str where a size"),
])
def test_broken_contracts_are_named_failures(rule, words):
    report = check_batch_rule(rule, kind="norm", examples=10)
    assert not report.ok
    assert re.search(words, str(report))


def test_random_state_is_named_and_left_alone():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    report = check_batch_rule(toys.lottery, kind="norm", examples=20)
    assert "depends on the global random state" in report["ignores-global-random-state"].found
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_reports_repeat():
    first, second = (run_check(CHECKS["soundness"], batch_rule(toys.unsound, kind="norm"), 20) for _ in range(2))
    assert first == second


def test_expected_failures_are_strict():
    short = [c for c in batch_rule_checks(toys.unsound, kind="norm", expected_failures={"soundness": "one short"})
             if str(c) == "soundness"]
    short[0]()
    stale = check_batch_rule(toys.right, kind="norm", expected_failures={"scale": "old"}, examples=10)
    assert not stale.ok and stale["scale"].verdict == "STALE"
    with pytest.raises(ValueError, match="expected_failures names 'speed'; checks are runs"):
        check_batch_rule(toys.right, kind="norm", expected_failures={"speed": "?"})


def test_counter_examples_are_small_and_short():
    found = run_check(CHECKS["soundness"], batch_rule(toys.unsound, kind="norm")).counterexample
    assert found.splitlines()[0].count("[") <= 4 and "." in found


class Practical:
    """A sequential norm test: observe gradients, stop when the batch passes."""

    def __init__(self, eps):
        self.eps, self.rows = eps, []

    def observe(self, gradient):
        self.rows.append(np.asarray(gradient))

    def stop(self):
        g = np.array(self.rows)
        spread, mean = g.var(0, ddof=1).sum(), g.mean(0)
        return bool(spread / len(g) <= self.eps**2 * (mean @ mean) * (1 + 1e-12))


def test_sequential_rules_pass_and_their_bias_is_found():
    check_batch_rule(Sequential(Practical), kind="norm", examples=20).require()
    report = check_batch_rule(Sequential(Practical, claims_unbiased=True), kind="norm", examples=20)
    assert report.failed == ("unbiased",) and "the accepted batch has mean" in report["unbiased"].found


def test_an_unbiased_same_batch_rule_passes_that_check():
    report = check_batch_rule(toys.fixed_batch, kind="norm", role="same-batch", answers="accept", claims_unbiased=True,
                              examples=20)
    assert "unbiased" not in report.failed and "soundness" in report.failed


def test_per_rank_statistics_as_rules():
    check_batch_rule(PerRank(reference_statistic("rank-moments")), examples=15).require()
    check_batch_rule(PerRank(reference_statistic("rank-means"), "rank-means"), examples=15).require()


class TorchScheduler:
    """Never smaller; the practical norm test in torch."""

    def __init__(self, batch_size, eps):
        self.batch_size, self.eps = batch_size, eps

    def step(self, gradients):
        spread, mean = gradients.var(0).sum(), gradients.mean(0)
        if spread > self.eps**2 * (mean @ mean) * self.batch_size * (1 + 1e-12):
            signal = float(self.eps**2 * (mean @ mean))
            self.batch_size = math.ceil(float(spread) / signal * (1 - 1e-12)) if signal > 0 else math.inf


def test_torch_schedulers():
    pytest.importorskip("torch")
    check_batch_rule(Scheduler(TorchScheduler), kind="norm", examples=15).require()


@pytest.mark.parametrize("flags, words", [
    ({"kind": "nrom"}, "kind is 'nrom'; use one of norm"), ({"role": "exact!"}, "role is"),
    ({"replacement": True, "role": "lagged"}, "the table is a batch"), ({"layout": (2, 2), "dim": 3}, "4 entries"),
])
def test_wrong_flags_are_one_line(flags, words):
    with pytest.raises(ValueError, match=words):
        check_batch_rule(toys.right, **{"kind": "norm", **flags})
