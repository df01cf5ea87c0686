"""Practical tests whose moments are corrected first: for the noise in the signal, or for a spread that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..moments import Array, Moments, Overlay, exact, exact_array, is_number
from .complete import StepInnerProductTest, StepNormTest
from .sizes import Criterion, check_criterion, positive


@dataclass(frozen=True)
class _Restated(Overlay):
    """Moments whose signal is replaced; all else is read from `base`."""

    base: Moments
    signal: Array
    shrink: Array  # 1/n - 1/N

    @property
    def squares(self) -> Array:
        """Squared entries of the mean, each corrected for its own noise."""
        variances = np.asarray(self.base.variances)  # type: ignore[attr-defined]
        known = np.asarray(variances, dtype=float) < math.inf
        excess = np.where(known, variances, 0) * np.asarray(self.shrink)[..., None]
        return np.where(known, np.maximum(self.base.mean * self.base.mean - excess, 0), 0)


def debiased(m: Moments) -> Moments:
    """m with signal max(0, signal - total/n (1 - n/N)): |g|^2 overstates |grad F|^2 by the variance of g.

    `squares`, which the coordinate-wise test reads, are corrected alike, entry by entry.
    """
    n, total = np.asarray(m.n), np.asarray(m.total)
    if np.isinf(np.asarray(n, dtype=float)).all():
        return m  # an exact law has nothing to correct
    rest = 0 if math.isinf(m.population) else 1 / exact(m.population, total)
    known = np.asarray(total, dtype=float) < math.inf
    shrink = 1 / exact_array(n, total) - rest
    return _Restated(m, np.where(known, np.maximum(m.signal - np.where(known, total, 0) * shrink, 0), 0), shrink)


@dataclass(frozen=True)
class Debiased:
    """A practical test with the signal corrected for its own noise (`debiased`)."""

    criterion: Criterion

    def __post_init__(self) -> None:
        check_criterion(self.criterion)

    def __call__(self, m: Moments) -> Array:
        return self.criterion(debiased(m))


@dataclass(frozen=True)
class _Known(Overlay):
    """Moments whose spread is replaced by a bound that is known beforehand."""

    base: Moments
    total: Array
    along: Array


@dataclass(frozen=True)
class KnownVariance:
    """A practical test that does not estimate the spread: tr Cov <= total (and its part along g <= `along`) is known.

    With `Behind` it is the lagged rule of the theorems: n_{k+1} >= total / (theta^2 |g_k|^2). Without `along` all of
    the variance may lie along the direction. A batch of one sample is enough: nothing is estimated.
    """

    criterion: Criterion
    total: Any
    along: Any = None

    def __post_init__(self) -> None:
        check_criterion(self.criterion)
        positive("total", self.total)
        if self.along is not None and not (is_number(self.along) and 0 <= self.along <= self.total):
            raise ValueError(f"along is {self.along}; it is a part of total = {self.total}")

    def __call__(self, m: Moments) -> Array:
        signal = np.asarray(m.signal)
        known = [exact(self.total if v is None else v, signal) for v in (self.total, self.along)]
        total, along = (np.full(signal.shape, v, dtype=signal.dtype) for v in known)
        return self.criterion(_Known(m, total, along))


def _squared_tolerances(criterion: Any, like: Array) -> Any:
    """Sum of the squared tolerances of a test; the test on the surviving error has none to correct (see `Repaired`)."""
    if isinstance(criterion, StepInnerProductTest):
        return 0
    if isinstance(criterion, StepNormTest):
        return exact(criterion.xi, like)
    tolerances = [exact(getattr(criterion, name), like) for name in ("eps", "theta", "nu") if hasattr(criterion, name)]
    if not tolerances:
        raise ValueError(f"{criterion!r} has no tolerance to correct; Repaired needs a test of this package, not one "
                         "that is corrected already (Debiased, Repaired) and not a function")
    return sum(t * t for t in tolerances)


@dataclass(frozen=True)
class _Divided(Overlay):
    """Moments whose squared lengths, of gradient, entries and step, are divided by `by`."""

    base: Any
    by: Any

    @property
    def signal(self) -> Array:
        return self.base.signal / self.by

    @property
    def squares(self) -> Array:
        return self.base.mean * self.base.mean / self.by

    @property
    def mapping(self) -> Array:
        return self.base.mapping / self.by


@dataclass(frozen=True)
class Repaired:
    """A practical test with theta'^2 = theta^2 / (c (1 + theta^2)): |g|^2 is (1 + theta^2)|grad F|^2 when it is met.

    Of several tolerances the squares are added: theta'^2 = theta^2/(1 + theta^2 + nu^2), nu'^2 alike; xi' = xi/(1 +
    xi). Equal to total/n <= theta^2 (|g|^2 - total/n), but never without signal as `Debiased` may be. c > 1 pays for an
    estimated variance. For the inner product test alone it is right only if all noise lies along the gradient.
    StepInnerProductTest stays as it is: it compares with the realised step, whose mean is what condition M has on its
    right. Source: ours (docs/gap.md).
    """

    criterion: Any
    c: Any = 1

    def __post_init__(self) -> None:
        if not (is_number(self.c) and 1 <= self.c < math.inf):
            raise ValueError(f"c is {self.c}; it multiplies theta^2 for an estimated variance: give a finite c >= 1")
        _squared_tolerances(self.criterion, np.zeros(1))

    def __call__(self, m: Moments) -> Array:
        like = np.asarray(m.mean)
        return self.criterion(_Divided(m, exact(self.c, like) * (1 + _squared_tolerances(self.criterion, like))))
