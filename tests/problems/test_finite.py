"""Drawing from finite supports and enumerating every batch: weights, variances, uniformity."""

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import chisquare

from samplingtheory.moments import moments
from samplingtheory.problems.base import EVERY, Constants
from samplingtheory.problems.finite import (
    FiniteSum,
    batches,
    counted,
    draw_atoms,
    draw_counts,
    enumerate_batches,
    exact_law,
)

RISK = 1e-6  # of each chi-square test, for a generator that is right
rational = np.vectorize(Fraction, otypes=[object])
atoms7 = np.random.default_rng(0).standard_normal((1, 7, 3))

@given(some.integers(1, 7), some.integers(1, 7))
def test_weights_without_replacement_sum_to_one_exactly(N, n):
    n = min(n, N)
    counts, weights = batches(N, n, np.full(N, Fraction(1, N)), N)
    assert weights.sum() == 1 and len(counts) == math.comb(N, n)
    assert (counts.sum(1) == n).all() and (counts <= 1).all()
    assert len({tuple(row) for row in counts}) == len(counts)


@given(some.lists(some.integers(1, 9), min_size=1, max_size=5), some.integers(1, 4))
def test_weights_with_replacement_sum_to_one_exactly(parts, n):
    p = rational(np.array(parts)) / sum(parts)
    counts, weights = batches(len(parts), n, p, math.inf)
    assert all(isinstance(w, Fraction) for w in weights)
    assert weights.sum() == 1 and len(counts) == math.comb(len(parts) + n - 1, n)


@given(some.lists(some.floats(0.01, 1), min_size=1, max_size=4), some.integers(1, 3))
def test_weights_with_replacement_are_those_of_sequences(parts, n):
    p = np.array(parts) / sum(parts)
    counts, weights = batches(len(p), n, p, math.inf)
    true: dict[tuple[int, ...], float] = {}
    for word in product(range(len(p)), repeat=n):
        key = tuple(np.bincount(word, minlength=len(p)))
        true[key] = true.get(key, 0.0) + math.prod(p[list(word)])
    assert {tuple(row): pytest.approx(w, rel=1e-12) for row, w in zip(counts, weights, strict=True)} == true


def spreads(batch, G):
    """E|g - G|^2, and its parts along and across G, over enumerated batches."""
    e = batch.moments.mean - G
    u = G / np.sqrt((G * G).sum())
    total, along = batch.weight @ (e * e).sum(-1), batch.weight @ (e @ u) ** 2
    return np.array([total, along, total - along])


@pytest.mark.parametrize("n", range(1, 8))
@pytest.mark.parametrize("replace", [True, False])
def test_enumeration_reproduces_the_variance_formulas(n, replace):
    """V/n with replacement; times (N - n)/(N - 1) without, N = 7. Without that factor it is wrong by it."""
    N, p, population = 7, np.full(7, 1 / 7), math.inf if replace else 7
    if replace and n > 4:
        return
    batch = enumerate_batches(atoms7, p, np.array([float(n)]), population)
    G = atoms7[0].mean(0)
    e, u = atoms7[0] - G, G / np.sqrt((G * G).sum())
    V, parallel = (e * e).sum(-1).mean(), ((e @ u) ** 2).mean()
    factor = 1.0 if replace else (N - n) / (N - 1)
    claimed = np.array([V, parallel, V - parallel]) / n
    assert np.allclose(spreads(batch, G), claimed * factor, rtol=1e-12, atol=1e-15)
    law = exact_law(atoms7, p, population)
    assert spreads(batch, G)[:2] == pytest.approx([v[0] * (1 / n - 1 / population) for v in (law.total, law.along)])
    if 1 < n < 7 and not replace:  # the control: the correction is not optional
        assert not np.allclose(spreads(batch, G), claimed, rtol=0.1)


@pytest.mark.parametrize("population", [7, math.inf])
def test_sample_variances_are_unbiased_for_the_law(population):
    batch = enumerate_batches(atoms7, np.full(7, 1 / 7), np.array([3.0]), population)
    law = exact_law(atoms7, np.full(7, 1 / 7), population)
    assert batch.weight @ batch.moments.total == pytest.approx(law.total[0], rel=1e-12)
    assert batch.weight @ batch.moments.variances == pytest.approx(law.variances[0], rel=1e-12)


def test_every_point_has_its_own_batches():
    points = np.random.default_rng(1).standard_normal((3, 4, 2))
    batch = enumerate_batches(points, np.full(4, 0.25), np.array([2.0, 4.0, 2.0]), 4)
    assert np.bincount(batch.parent, batch.weight) == pytest.approx([1, 1, 1])
    assert (batch.drawn == batch.moments.n).all() and set(batch.drawn[batch.parent == 1]) == {4.0}
    for r, n in ((0, 2), (1, 4), (2, 2)):
        true = sorted(tuple(points[r, list(c)].mean(0).round(12)) for c in combinations(range(4), n))
        assert sorted(map(tuple, batch.moments.mean[batch.parent == r].round(12))) == true


def test_counted_is_the_table():
    atoms, counts = np.random.default_rng(2).standard_normal((2, 3, 2)), np.array([[2.0, 0, 1], [1, 1, 3]])
    m = counted(atoms, counts, counts.sum(1), math.inf)
    exact = counted(rational(atoms), counts, counts.sum(1), math.inf)
    for r in range(2):
        honest = moments(np.repeat(atoms[r], counts[r].astype(int), axis=0))
        for name in ("n", "mean", "total", "along", "signal", "variances", "dof"):
            assert getattr(m, name)[r] == pytest.approx(getattr(honest, name), rel=1e-12), name
            assert np.asarray(getattr(exact, name)[r], dtype=float) == pytest.approx(getattr(m, name)[r], rel=1e-12)
    assert isinstance(exact.total[0], Fraction)


def test_too_many_batches_are_refused():
    with pytest.raises(ValueError, match="too many to enumerate"):
        batches(40, 20, np.full(40, 1 / 40), 40)
    with pytest.raises(ValueError, match="grow by"):
        enumerate_batches(np.zeros((4000, 12, 1)), np.full(12, 1 / 12), np.full(4000, 6.0), 12)


def frequencies(counts):
    rows, seen = np.unique(counts, axis=0, return_counts=True)
    return {tuple(row): k for row, k in zip(rows.astype(int), seen, strict=True)}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_subsets_are_uniform(n):
    seen = frequencies(draw_counts(np.full(60_000, float(n)), 5, np.random.default_rng(3), replace=False))
    assert len(seen) == math.comb(5, n)
    assert chisquare(list(seen.values())).pvalue > RISK


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("extra", [0, 10**6], ids=["indices", "multinomial"])
def test_multisets_have_the_multinomial_law(n, extra):
    """A last replicate of `extra` samples moves the whole draw to the other code path."""
    R, N, p = 40_000, 3, np.full(3, 1 / 3)
    sizes = np.append(np.full(R, float(n)), float(extra or n))
    counts = draw_counts(sizes, N, np.random.default_rng(4), replace=True)
    assert (counts.sum(1) == sizes).all()
    rows, weights = batches(N, n, p, math.inf)
    seen = frequencies(counts[:R])
    assert chisquare([seen.get(tuple(row), 0) for row in rows], R * weights).pvalue > RISK


def test_the_multinomial_path_is_taken():
    assert 40_002 * 3 * 8 < 40_000 * 2 + 10**6


def test_atoms_are_drawn_with_their_probabilities():
    p, R = np.array([0.5, 0.3, 0.2, 0.0]), 50_000
    rows, weights = batches(4, 2, p, math.inf)
    seen = frequencies(draw_atoms(np.full(R, 2.0), p, np.random.default_rng(5)))
    kept = weights > 0
    assert set(seen) == {tuple(row) for row in rows[kept]}
    assert chisquare([seen[tuple(row)] for row in rows[kept]], R * weights[kept]).pvalue > RISK
    uniform = R * np.array([1 / kept.sum()] * kept.sum())
    assert chisquare([seen[tuple(row)] for row in rows[kept]], uniform).pvalue < RISK  # the control


def test_sizes_differ_between_replicates():
    n = np.array([1.0, 4.0, 2.0])
    for replace in (True, False):
        assert (draw_counts(n, 4, np.random.default_rng(6), replace).sum(1) == n).all()
    assert (draw_counts(np.full(2, 4.0), 4, np.random.default_rng(6), replace=False) == 1).all()


@pytest.mark.parametrize("replace", [True, False])
def test_a_problem_of_ones_own(replace):
    shift = np.array([[0.0, 0], [1, 0], [-1, 2], [0, -2]])
    problem = FiniteSum(lambda x: x[:, None, :] - shift, lambda x: (x * x).sum(-1) / 2,
                        Constants(1.0, 1.0, np.zeros(2)), 4, 2, replace)
    x = np.array([[1.0, 2.0]])
    batch = problem.draw(x, np.array([2.0]), EVERY)
    law = problem.law(x)
    assert spreads(batch, x[0])[0] == pytest.approx(law.total[0] * (0.5 - 1 / problem.population), rel=1e-13)
    drawn = problem.draw(x, np.array([3.0]), np.random.default_rng(1)).moments
    assert drawn.n[0] == 3 and drawn.population == problem.population
    with pytest.raises(ValueError, match="at least 1"):
        problem.draw(x, np.array([0.0]), np.random.default_rng(1))
    if not replace:
        with pytest.raises(ValueError, match="at most N = 4"):
            problem.draw(x, np.array([5.0]), np.random.default_rng(1))
