"""Rules that break one thing each: what the checks of the kit must catch by name."""

import math
import random

import numpy as np

from samplingtheory.testing.kinds import reference

right = reference("norm")
BASE = right


def sizes(table, eps):
    return BASE(table, eps=eps)


def raises(table, eps):
    raise RuntimeError("no such kernel")


def nan(table, eps):
    return float("nan")


def shaped(table, eps):
    return np.array([[sizes(table, eps)] * 2])


def text(table, eps):
    return "many"


def mutates(table, eps):
    table -= table.mean(0)
    return BASE(table + 1, eps=eps)


def rude(table, eps):
    """Right, but it writes into what it is given."""
    n = sizes(table, eps)
    table[:] = 0
    return n


def lottery(table, eps):
    return sizes(table, eps) + (random.random() < 0.5)


def negative(table, eps):
    """Right, but says -1 where one sample is enough."""
    n = sizes(table, eps)
    return -1.0 if n <= 1 else n


def spread(table):
    """Whether a table is degenerate: equal rows, or a mean that is zero."""
    return not np.ptp(table, axis=0).any() or not np.abs(table.mean(0)).max() > 1e-12


def careless(table, eps):
    """Right, but asks for two samples where nothing varies, and for one where the mean is zero."""
    return (2.0 if not np.ptp(table, axis=0).any() else 1.0) if spread(table) else sizes(table, eps)


def far_scale(table, eps):
    """Right for entries between 1/64 and 16 only."""
    top = np.abs(table).max()
    return sizes(table, eps) if 1 / 64 < top < 32 else len(table) + 0.0


def grid(table, eps):
    """Right for quarters only."""
    return sizes(table, eps) if (table * 4 == np.round(table * 4)).all() else float(len(table))


def first_row(table, eps):
    """Right unless the last row is the smallest in its first entry by more than 2: then one sample is enough."""
    n = sizes(table, eps)
    return min(n + 1, len(table)) if len(table) > 1 and table[-1, 0] < table[:-1, 0].min() - 2 else n


def big_tolerance(table, eps):
    """Right for eps <= 2.5, which is where the tables are drawn."""
    return sizes(table, eps) if eps <= 2.5 else float(len(table))


def long_table(table, eps):
    """Right for at most five rows."""
    return sizes(table, eps) if len(table) <= 5 else 1.0


def no_tiny(table, eps):
    """Right unless eps is below 1e-3."""
    return sizes(table, eps) if eps >= 1e-3 else 1.0


def unsound(table, eps):
    """One sample too few, never below one."""
    return max(sizes(table, eps) - 1, 1.0)


def wasteful(table, eps):
    n = sizes(table, eps)
    return min(n + 1, float(len(table))) if n > 1 else n


def by_ranks(table, eps, ranks=None):
    """Right, but looks at the number of ranks."""
    batch = reference("norm", "batch")(table, eps=eps)
    return batch if not ranks or len(ranks) == 1 else batch + 1 if math.isfinite(batch) else batch


def fixed_batch(table, eps):
    """Accepts every batch: the mean of the first two samples is unbiased (and the test is not met)."""
    return True


def same_batch(table, eps):
    """The practical norm test on the batch that steps."""
    return reference("norm", "batch")(table, eps=eps) <= len(table)
