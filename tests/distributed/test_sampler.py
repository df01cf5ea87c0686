"""The sampler that may change its size: one stream of samples whatever the ranks, and the same one after a stop."""

import json
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samplingtheory.distributed import AdaptiveBatch, AdaptiveBatchSampler

LENGTH = 23


def batch(ranks=1, start=4, largest=3):
    return AdaptiveBatch(start, eps=0.5, most=64, ranks=ranks, micro_most=largest)


def grow(b, size):
    """Set the plan by hand, as an update would."""
    b.plan = b._plan(size)


def run(sampler, sizes, stop=None):
    """[(step's samples of this rank)] while the batch takes the given sizes in turn."""
    out = []
    for k, (plan, micro_batches) in enumerate(sampler.steps(sampler)):
        got = list(micro_batches)
        assert len(got) == plan.accumulate and all(len(m) == plan.micro for m in got)
        out.append([i for m in got for i in m])
        if k < len(sizes):
            grow(sampler.batch, sizes[k])
        if stop is not None and k + 1 == stop:
            break
    return out


def sampler(ranks=1, rank=0, replacement=False, total=100, seed=0):
    return AdaptiveBatchSampler(LENGTH, batch(ranks), total, rank, seed, replacement)


SIZES = st.lists(st.integers(1, 10).map(lambda k: 4 * k), max_size=6)


@given(SIZES, st.sampled_from([1, 2, 4]), st.booleans())
def test_ranks_share_each_global_batch_of_one_stream(sizes, ranks, replacement):
    def planned(J):  # sizes that every number of ranks can meet, with one micro-batch
        make = [AdaptiveBatchSampler(LENGTH, batch(J, largest=64), 100, r, 0, replacement) for r in range(J)]
        return [run(s, sizes) for s in make]
    alone, shared = planned(1)[0], planned(ranks)
    assert [list(chain(*step)) for step in zip(*shared, strict=True)] == alone
    if not replacement:
        stream = [i for step in alone for i in step]
        for at in range(0, len(stream) - LENGTH + 1, LENGTH):
            assert sorted(stream[at:at + LENGTH]) == list(range(LENGTH))  # each epoch is a permutation


@given(SIZES, st.integers(1, 6), st.booleans())
def test_a_stopped_run_goes_on_with_the_same_samples(sizes, stop, replacement):
    whole = run(sampler(replacement=replacement), sizes)
    first = sampler(replacement=replacement)
    done = run(first, sizes, stop)
    second = sampler(replacement=replacement)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    second.batch.load_state_dict(json.loads(json.dumps(first.batch.state_dict())))
    assert done + run(second, sizes[stop:]) == whole


def test_the_run_ends_at_the_first_step_that_reaches_the_total():
    s = sampler(total=10)
    assert [len(step) for step in run(s, [])] == [6, 6] and s.done == 12  # 4 samples: 2 micro-batches of 3


def test_another_seed_is_another_order_and_draws_with_replacement_repeat():
    assert run(sampler(seed=1), []) != run(sampler(seed=2), [])
    first = [i for step in run(sampler(replacement=True, total=LENGTH), []) for i in step][:LENGTH]
    assert len(set(first)) < LENGTH


def test_a_step_must_be_used_up():
    s = sampler()
    steps = s.steps(s)
    next(steps)
    with pytest.raises(ValueError, match="left before its last micro-batch"):
        next(steps)


@pytest.mark.parametrize("call, words", [
    (lambda: sampler(rank=1), "rank = 1 of 1"), (lambda: sampler(total=0), "total = 0"),
    (lambda: sampler(seed=1).load_state_dict(sampler().state_dict()), "has seed = 0, this one 1"),
])
def test_bad_input_gets_one_line(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_that_reads_ahead_goes_on_with_the_same_samples(workers):
    torch = pytest.importorskip("torch", reason="the loader is PyTorch's, which is not installed")
    data = torch.utils.data.TensorDataset(torch.arange(LENGTH))
    sizes = [8, 12, 20, 24, 28]

    def go(s, sizes, stop=None):
        loader = torch.utils.data.DataLoader(data, batch_sampler=s, num_workers=workers)
        out = []
        for k, (_, micro_batches) in enumerate(s.steps(loader)):
            out.append(torch.cat([m[0] for m in micro_batches]).tolist())
            if k < len(sizes):
                grow(s.batch, sizes[k])
            if k + 1 == stop:
                break
        return out

    whole = go(sampler(), sizes)
    first = sampler()
    done = go(first, sizes, stop=3)
    second = sampler()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    second.batch.load_state_dict(first.batch.state_dict())
    assert done + go(second, sizes[3:]) == whole
    assert len(np.unique([len(step) for step in whole])) > 2  # the size did change
