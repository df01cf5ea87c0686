"""Who measures which tensor."""

import pytest

pytest.importorskip("torch")
from samplingtheory.distributed.norms import share


@pytest.mark.parametrize("sizes, ranks", [([8] + [1] * 8, 2), ([1] * 8 + [8], 2), ([5, 4, 3, 3, 3], 3), ([2], 4)])
def test_each_tensor_once_and_the_loads_are_even(sizes, ranks):
    mine = [share(sizes, ranks, r) for r in range(ranks)]
    assert sorted(i for part in mine for i in part) == list(range(len(sizes)))
    loads = [sum(sizes[i] for i in part) for part in mine]
    assert max(loads) <= max(max(sizes), 4 / 3 * sum(sizes) / ranks)  # Graham (1969): 4/3 of the best, which is this
