"""The archived counter-examples are replayed in rationals, and found again."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from experiments import e27_smallest_instances as e27

ARCHIVE = json.loads((Path(e27.__file__).parent / "data" / "smallest_instances.json").read_text())


@pytest.mark.parametrize("row", ARCHIVE, ids=lambda r: f"{r['rule']}, {r['test']}{', distinct' * r['distinct']}")
def test_archived_instances_break_the_rate(row):
    k, ratio = e27.ratio(row["rule"], row["test"], row["c"], row["x0"])
    assert k == row["k"] and ratio == Fraction(row["ratio"]) > 1


def test_the_search_finds_them_again_and_none_is_smaller():
    """Two components: the first batch is the whole sum, and no rule breaks anything."""
    row = next(r for r in ARCHIVE if (r["rule"], r["test"], r["distinct"]) == ("extend by one", "norm", True))
    found = e27.compute({key: row[key] for key in ("rule", "test", "distinct", "most", "largest")})
    assert {key: row[key] for key in found} == found and found["N"] == 3
    for rule in e27.RULES:
        for c, x0 in e27.candidates(2, 4, False, False):
            assert e27.ratio(rule, "norm", c, x0)[1] <= 1


def test_the_simplest_one_by_hand():
    """Gradients 4, 1, -2: the pair (4, 1) passes, the other two take all: E x^2 = (1 + 2/25)/3, rate 1/5."""
    _, ratio = e27.ratio("extend by one", "norm", (-3, 0, 3), 1)
    assert ratio == Fraction(1 + Fraction(2, 25), 3) * 5 == Fraction(9, 5)
