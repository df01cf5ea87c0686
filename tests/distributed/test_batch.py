"""Rounding rules, growth cap, smoothing and state of AdaptiveBatch. No torch."""

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from samplingtheory.distributed import AdaptiveBatch, Plan, UnitStatistics
from samplingtheory.distributed.batch import plan_of

INTS = st.integers(1, 12)


def asking(size, n, J=4, eps=0.5):
    """Statistics whose scaled test asks for `size` at batch n."""
    spread = (J - 1) / n
    return UnitStatistics(1 + size * eps**2 * spread, 1.0, J, n, float(n), spread)


def adaptive(**more):
    return AdaptiveBatch(**{"start": 16, "eps": 0.5, "most": 4096, "ranks": 4, "mode": "scaled", "smoothing": 0.0,
                            "grow": math.inf} | more)


@given(st.floats(1, 5000), INTS, INTS, st.integers(1, 40))
def test_a_plan_is_the_least_that_the_rules_allow(size, J, M, largest):
    plan = plan_of(size, J, M, largest, math.inf)
    assert plan.size >= size and plan.size % J == 0 and 1 <= plan.micro <= largest
    assert plan.micro == min(math.ceil(size / (J * M)), largest)
    assert plan.size - size < J * plan.micro  # one accumulation step fewer would not do
    assert plan.local == plan.micro * plan.accumulate and plan.ranks == J


@given(st.floats(1, 5000), INTS, INTS, st.integers(1, 40), st.integers(1, 500))
def test_a_plan_never_passes_the_maximum_and_wastes_little_of_it(size, J, M, largest, local):
    most = J * local
    plan = plan_of(size, J, M, largest, most)
    assert plan.size <= most and plan.micro <= largest
    assert plan.size >= min(size, most - J * plan.accumulate + J)


@given(st.integers(2, 40), st.integers(2, 500), st.floats(1, 1e4))
def test_accumulation_never_leaves_one_process_with_a_single_unit(largest, most, size):
    assert plan_of(min(max(size, 2), most), 1, 2, largest, most).accumulate >= 2


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=20), st.sampled_from([1.1, 1.5, 2.0, math.inf]))
def test_sizes_never_shrink_and_grow_by_no_more_than_the_cap(sizes, grow):
    batch = adaptive(grow=grow, micro_most=8)
    for size in sizes:
        before = batch.plan.size
        plan = batch.update(asking(size, before))
        assert before <= plan.size <= 4096
        allowed = plan_of(min(grow * before + 1, 4096), 4, 1, 8, 4096).size
        assert plan.size <= allowed
        assert plan.size >= min(size, math.ceil(grow * before) if grow < math.inf else math.inf, 4096 - 4 * plan.micro)


def test_the_growth_cap_is_rounded_up():
    batch = adaptive(start=1, ranks=1, grow=1.5, most=100)
    assert [batch.update(asking(1e9, batch.plan.size)).size for _ in range(5)] == [2, 3, 5, 8, 12]


def test_sizes_that_may_shrink_do():
    batch = adaptive(monotone=False)
    batch.update(asking(100, 16))
    assert batch.plan.size == 100
    assert batch.update(asking(20, 100)).size == 20


def test_averages_are_of_numerator_and_denominator():
    batch = adaptive(smoothing=0.75, mode="unbiased")
    seen = [UnitStatistics(3.0, 1.0, 4, 16, 16.0, 3 / 16), UnitStatistics(2.0, 1.5, 4, 16, 16.0, 3 / 16)]
    first, second = (batch.smoothed(s) for s in seen)
    assert first.total == pytest.approx(seen[0].total, rel=1e-12)  # the average starts at the first test
    weights = np.array([0.75, 1]) / 1.75
    total = weights @ [float(s.total) for s in seen]
    gradient2 = weights @ [float(s.gradient2) for s in seen]
    assert second.total == pytest.approx(total) and second.gradient2 == pytest.approx(gradient2)
    assert second.signal == pytest.approx(gradient2 + total / 16)


def test_tests_are_due_at_the_interval_and_end_at_the_largest_batch():
    batch = adaptive(every=3, most=32)
    due = []
    for _ in range(7):
        due.append(batch.due)
        batch.update(asking(20, 16) if batch.due else None)
    assert due == [True, False, False, True, False, False, True]
    batch.update(asking(1e6, 32))
    assert batch.plan.size == 32
    while batch.step % 3:
        batch.update(None)
    assert not batch.due and adaptive(most=16, monotone=False).due


@given(st.lists(st.floats(1, 1e4), min_size=2, max_size=12), st.data())
def test_state_goes_through_json_and_the_run_goes_on(sizes, data):
    cut = data.draw(st.integers(0, len(sizes)))
    run, early = (adaptive(smoothing=0.9, grow=2.0) for _ in range(2))
    for size in sizes[:cut]:
        early.update(asking(size, early.plan.size))
    late = adaptive(smoothing=0.9, grow=2.0)
    late.load_state_dict(json.loads(json.dumps(early.state_dict())))
    for size in sizes[cut:]:
        late.update(asking(size, late.plan.size))
    for size in sizes:
        run.update(asking(size, run.plan.size))
    assert late.state_dict() == run.state_dict()


def test_another_number_of_ranks_does_not_go_on():
    state = adaptive().state_dict()
    with pytest.raises(ValueError, match="4 ranks, this run has 2"):
        adaptive(ranks=2).load_state_dict(state)


@pytest.mark.parametrize("fields, words", [
    ({"start": 18}, "start = 18 cannot be shared evenly by 4 ranks"), ({"most": 30}, "most = 30"),
    ({"start": 64, "most": 32}, "above most"), ({"accumulate": 3}, "multiple of 12"), ({"ranks": 0}, "ranks is 0"),
    ({"every": 0}, "every is 0"), ({"mode": "x"}, "mode is 'x'"), ({"eps": 0}, "need eps > 0"),
    ({"grow": 1.0}, "grow > 1"), ({"smoothing": 1.0}, "smoothing in"), ({"micro_most": 0}, "micro_most is 0"),
])
def test_bad_input_gets_one_line(fields, words):
    with pytest.raises(ValueError, match=words):
        adaptive(**fields)


def test_statistics_of_a_single_unit_are_refused():
    with pytest.raises(ValueError, match="at least two units"):
        adaptive().update(UnitStatistics(1.0, 1.0, 1, 16, 16.0, 0.0))


@given(st.integers(1, 8))
def test_plans_count(J):
    assume(J)
    assert Plan(3, 2, J).size == 6 * J
