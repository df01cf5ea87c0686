"""What sizing rules and theorems ask about a test, or about the test that it wraps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .corrected import Debiased, KnownVariance
from .pointwise import AugmentedInnerProductTest, CoordinatewiseNormTest, NormTest
from .sizes import Criterion


def _layers(criterion: Any) -> Iterator[Any]:
    """A test, the test that it wraps, and so on inwards."""
    while criterion is not None:
        yield criterion
        criterion = getattr(criterion, "criterion", None)


def growth_of(criterion: Criterion) -> float:
    """M with E|g|^2 <= M |grad F|^2 whenever the exact test holds: 1 + eps^2, or 1 + theta^2 + nu^2; else inf.

    Coordinate-wise: the same in every coordinate. The inner product test alone, the orthogonality test alone and tests
    on the complete step bound no such M (inf): noise across the gradient, or along it, of any size passes.
    """
    for test in _layers(criterion):
        if isinstance(test, (NormTest, CoordinatewiseNormTest)):
            return 1 + test.eps * test.eps
        if isinstance(test, AugmentedInnerProductTest):
            return 1 + test.theta * test.theta + test.nu * test.nu
    return math.inf


def needs_spread(criterion: Any) -> bool:
    """Whether a test estimates a variance, which takes two samples: not under a `KnownVariance`."""
    for test in _layers(criterion):
        if isinstance(test, (Debiased, KnownVariance)):
            return isinstance(test, Debiased)  # which reads the spread of what it is given
    return True


def complete_step(criterion: Any) -> bool:
    """Whether a test looks at the complete step."""
    return any(hasattr(test, "step") for test in _layers(criterion))
