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
    mutants,
)
from samplingtheory.testing.batch import batch_rule
from samplingtheory.testing.engine import run_check
from samplingtheory.testing.ranks import reference_statistic
from samplingtheory.testing.rule_checks import RULE_CHECKS

from . import toys

CHECKS = {c.name: c for c in RULE_CHECKS}
ALONE = {m.only: m for m in mutants() if m.only and m.subject == "rule"}
NAMED = {"runs": toys.raises, "returns-one-number": toys.nan}  # whatever fails here fails everywhere


@pytest.mark.parametrize("check", [*ALONE, *NAMED, "scale"])
def test_each_check_catches_what_it_is_there_for(check):
    mutant = ALONE.get(check)
    rule = batch_rule(mutant.build, **mutant.flags) if mutant else batch_rule(NAMED.get(check, toys.far_scale), kind="norm")
    result = run_check(CHECKS[check], rule)
    assert result.verdict == "FAILED"
    assert result.counterexample.startswith("gradients = [[")


@pytest.mark.slow
@pytest.mark.parametrize("check", ALONE)
def test_no_other_check_is_needed_for_it(check):
    mutant = ALONE[check]
    assert check_batch_rule(mutant.build, **mutant.flags).failed == (check,)


def test_every_check_has_such_a_rule():
    assert {c.name for c in RULE_CHECKS} == {*ALONE, *NAMED, "scale"}


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
    (toys.nothing_at_all, "returns None where a size"), (toys.mutates, "changes the gradients"),
    (toys.lottery, "depends on the global random state"),
])
def test_broken_contracts_are_named_failures(rule, words):
    report = check_batch_rule(rule, kind="norm", examples=10)
    assert not report.ok
    assert re.search(words, str(report))


def test_what_was_said_is_not_said_again():
    said = str(check_batch_rule(toys.raises, kind="norm", examples=10))
    assert said.count("no such kernel") == 1 and said.count("as in runs") == 14 and "answers on no table" in said


@pytest.mark.parametrize("rule, words", [
    (lambda gradients, theta: 1.0, r"is called as rule\(gradients, eps=...\), but it takes \(gradients, theta\)"),
    (Sequential, "Sequential is a class; .* wrap it in samplingtheory.testing.Scheduler"), (3, "the rule is 3"),
])
def test_what_cannot_be_called_so_is_one_line(rule, words):
    with pytest.raises(ValueError, match=words):
        check_batch_rule(rule, kind="norm")


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
