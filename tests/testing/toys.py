"""Rules that break one thing each: what the checks of the kit must catch by name."""

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


def nothing_at_all(table, eps):
    pass


def mutates(table, eps):
    table -= table.mean(0)
    return BASE(table + 1, eps=eps)



def lottery(table, eps):
    return sizes(table, eps) + (random.random() < 0.5)





def far_scale(table, eps):
    """Right for entries between 1/64 and 16 only."""
    top = np.abs(table).max()
    return sizes(table, eps) if 1 / 64 < top < 32 else len(table) + 0.0







def unsound(table, eps):
    """One sample too few, never below one."""
    return max(sizes(table, eps) - 1, 1.0)


def wasteful(table, eps):
    n = sizes(table, eps)
    return min(n + 1, float(len(table))) if n > 1 else n



def fixed_batch(table, eps):
    """Accepts every batch: the mean of the first two samples is unbiased (and the test is not met)."""
    return True


def same_batch(table, eps):
    """The practical norm test on the batch that steps."""
    return reference("norm", "batch")(table, eps=eps) <= len(table)
