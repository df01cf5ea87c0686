"""Streams belong to names."""

import numpy as np
import pytest

from samplingtheory.seeds import child, generator, root_seed


def test_same_key_same_stream_other_key_other_stream():
    a, b, c = (child(0, *k).random(4) for k in (("claim", "case", 0), ("claim", "case", 0), ("claim", "case", 1)))
    assert (a == b).all() and (a != c).all()
    assert (child(1, "claim", "case", 0).random(4) != a).all()


def test_keys_do_not_run_together():
    assert child(0, "ab", "c").random() != child(0, "a", "bc").random()


def test_rng_accepts_what_spec_7_accepts():
    assert root_seed(7) == 7 and root_seed(np.int64(7)) == 7
    assert root_seed(np.random.SeedSequence(3)) == root_seed(np.random.SeedSequence(3))
    g = np.random.default_rng(0)
    assert generator(g) is g
    assert root_seed(np.random.default_rng(5)) == root_seed(np.random.default_rng(5))


@pytest.mark.parametrize("bad", ["seed", -1, 1.5, True, None])
def test_bad_rng_is_named(bad):
    with pytest.raises(TypeError, match="non-negative integer"):
        root_seed(bad)
