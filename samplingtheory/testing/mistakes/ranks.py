"""Mistakes in statistics of ranks, from public implementations and printed algorithms (see docs/findings.md)."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import FIRST, Mutant

MEANS, EQUAL = {"kind": "rank-means"}, {"kind": "rank-means", "equal": True}
PADDED = {"kind": "rank-means", "padded": True}
MOMENTS, ALIKE = {"kind": "rank-moments"}, {"kind": "rank-moments", "equal": True, "least": 2}


def _deviations(means: Any, counts: Any) -> Any:
    """Squared distances of the rank means from the mean of all samples."""
    return ((means - (counts[:, None] * means).sum(0) / counts.sum()) ** 2).sum(1)


def _between(means: Any, counts: Any) -> float:
    return float((counts * _deviations(means, counts)).sum())


def printed(means: Any, counts: Any) -> float:
    """(1/J) sum_j |g_j - gbar|^2, as DDP-Norm is printed: its mean is (J - 1)/b of the variance."""
    return float(_deviations(means, counts).mean())


def times_batch(means: Any, counts: Any) -> float:
    return float(counts.mean() * _deviations(means, counts).mean())


def no_batch(means: Any, counts: Any) -> float:
    return float(_deviations(means, counts).sum() / (len(means) - 1))


def once_scaled(means: Any, counts: Any) -> float:
    return _between(means, counts) / (len(means) - 1) / counts.sum()


def plain_mean(means: Any, counts: Any) -> float:
    return float((counts * ((means - means.mean(0)) ** 2).sum(1)).sum() / (len(means) - 1))


def plain_weights(means: Any, counts: Any) -> float:
    return float(counts.mean() * _deviations(means, counts).sum() / (len(means) - 1))


def summed(means: Any, counts: Any) -> float:
    """Sums of micro-batches where means belong."""
    sums = counts[:, None] * means
    return float((counts * ((sums - sums.mean(0)) ** 2).sum(1)).sum() / (len(means) - 1))


def per_entry(means: Any, counts: Any) -> float:
    return _between(means, counts) / (len(means) - 1) / means.shape[1]


def uncentred(means: Any, counts: Any) -> float:
    return float((counts * (means**2).sum(1)).sum() / (len(means) - 1))


def divisor_b_less_1(means: Any, counts: Any) -> float:
    return _between(means, counts) / max(counts.sum() - 1, 1)


def _sound(means: Any, counts: Any) -> float:
    return _between(means, counts) / (len(means) - 1)


def within_plus_between(means: Any, counts: Any, scatters: Any) -> float:
    """mean_j s_j^2 + mean_j |g_j|^2 - |gbar|^2."""
    return float(scatters.mean() + (means**2).sum(1).mean() - (means.mean(0) ** 2).sum())


def only_within(means: Any, counts: Any, scatters: Any) -> float:
    free = np.maximum(counts - 1, 0)
    return float((free * scatters).sum() / free.sum()) if free.sum() else 0.0


def divisor_b(means: Any, counts: Any, scatters: Any) -> float:
    return float((np.maximum(counts - 1, 0) * scatters).sum() + _between(means, counts)) / counts.sum()


def biased_ranks(means: Any, counts: Any, scatters: Any) -> float:
    return float((counts * scatters).sum() + _between(means, counts)) / max(counts.sum() - 1, 1)


def no_counts(means: Any, counts: Any, scatters: Any) -> float:
    n = counts.sum()
    return float((np.maximum(counts - 1, 0) * scatters).sum() + _deviations(means, counts).sum()) / max(n - 1, 1)


def pooled_again(means: Any, counts: Any, scatters: Any) -> float:
    """The pooled variance through raw second moments: sum |g|^2 - n |gbar|^2."""
    n, mean = counts.sum(), (counts[:, None] * means).sum(0) / counts.sum()
    raw = (np.maximum(counts - 1, 0) * scatters).sum() + (counts * (means**2).sum(1)).sum()
    return float((raw - n * (mean**2).sum()) / max(n - 1, 1))


def writes(means: Any, counts: Any) -> float:
    found = _sound(means, counts)
    means[:] = 0
    return found


def lottery(means: Any, counts: Any) -> float:
    return _sound(means, counts) * (1 + (random.random() != FIRST))


def many(change: Any) -> Any:
    """Right for six ranks at most, which is what expectations are listed for; else `change(means, counts)`."""
    return lambda means, counts: (change if len(means) > 6 else _sound)(means, counts)


def two_ranks(means: Any, counts: Any) -> float:
    """The first two ranks alone: unbiased, and blind to the others."""
    return _sound(means[:2], counts[:2])


def first_coordinate(means: Any, counts: Any) -> float:
    """In more than two dimensions d times the variance of one coordinate."""
    d = means.shape[1]
    return _sound(means, counts) if d <= 2 else d * _sound(means[:, :1], counts)


def between_only(means: Any, counts: Any, scatters: Any) -> float:
    """Unbiased, but the ranks' own variances are left out where there are several ranks."""
    return float(scatters[0]) if len(means) == 1 else _sound(means, counts)


def statistic_mutants() -> list[Mutant]:
    def mutant(name: str, call: Any, flags: Mapping[str, Any], **marks: str) -> Mutant:
        return Mutant(name, "statistic", call, flags, **marks)

    return [
        mutant("printed DDP-Norm statistic without b/(J - 1)", printed, EQUAL),
        mutant("divisor J for J - 1: biased by 1 - 1/J", times_batch, EQUAL),
        mutant("no multiplication by the worker batch", no_batch, MEANS),
        mutant("gradients scaled by 1/b, corrected once", once_scaled, MEANS),
        mutant("plain mean of unequal ranks", plain_mean, MEANS),
        mutant("mean count for the rank's own", plain_weights, MEANS),
        mutant("sum instead of mean under accumulation", summed, MEANS),
        mutant("one variance over all entries", per_entry, MEANS),
        mutant("uncentred second moment", uncentred, MEANS),
        mutant("divisor b - 1 for J - 1", divisor_b_less_1, MEANS),
        mutant("padding counted as a rank", _sound, PADDED),
        mutant("within plus between: biased by 1 + (J - 1)/(J m)", within_plus_between, ALIKE),
        mutant("between-rank part dropped", only_within, MOMENTS),
        mutant("divisor b for b - 1", divisor_b, MOMENTS),
        mutant("ranks' divisor taken for m instead of m - 1", biased_ranks, MOMENTS),
        mutant("between-rank part without the counts", no_counts, MOMENTS),
        mutant("through raw second moments", pooled_again, MOMENTS, equivalent="the same number in exact arithmetic; "
               "it loses digits only where the mean dwarfs the spread"),
        *(Mutant(name, "statistic", call, flags, only=check) for check, name, call, flags in (
            ("returns-one-number", "infinite on more than six ranks", many(lambda m, c: math.inf), EQUAL),
            ("leaves-input-alone", "writes zeros into the means", writes, MEANS),
            ("ignores-global-random-state", "doubled by a coin", lottery, MEANS),
            ("not-negative", "negative on more than six ranks", many(lambda m, c: -_sound(m, c)), EQUAL),
            ("sharding", "several ranks: only what lies between them", between_only, MOMENTS),
            ("rank-order", "the first two ranks alone", two_ranks, MEANS),
            ("scale", "1e-14 added to what is not 0", lambda m, c: _sound(m, c) + 1e-14 * (_sound(m, c) > 0), MEANS),
            ("rotation", "one coordinate for all, in three dimensions or more", first_coordinate, MEANS),
            ("origin", "uncentred on more than six ranks", many(uncentred), EQUAL))),
    ]


def known_mistakes(kind: str) -> list[Mutant]:
    return [m for m in statistic_mutants() if m.kind == kind and not (m.equivalent or m.only)]
