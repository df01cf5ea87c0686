"""The record behind every test, against the definition written out with loops."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import samplingtheory as sth
from samplingtheory.moments import Spread, Weighted
from samplingtheory.problems.finite import counted

from .strategies import tables


def slow(table):
    B = len(table)
    mean = sum(table) / B
    total = sum(float((g - mean) @ (g - mean)) for g in table) / (B - 1)
    u = mean / math.sqrt(mean @ mean)
    along = sum(float((g - mean) @ u) ** 2 for g in table) / (B - 1)
    return mean, total, along


@given(tables())
def test_moments_equal_their_definition(table):
    m = sth.moments(table)
    mean, total, along = slow(table)
    np.testing.assert_allclose(m.mean, mean, rtol=1e-12, atol=1e-14)
    assert m.total == pytest.approx(total, rel=1e-11, abs=1e-13)
    assert m.along == pytest.approx(along, rel=1e-9, abs=1e-12)
    assert m.signal == pytest.approx(float(mean @ mean), rel=1e-12)
    assert m.dof == len(table) - 1


@given(tables(), st.integers(-20, 20))
def test_scaling_by_powers_of_two_is_exact(table, power):
    a, b = sth.moments(table), sth.moments(table * 2.0**power)
    assert b.total == a.total * 4.0**power and b.along == a.along * 4.0**power and b.signal == a.signal * 4.0**power


@given(tables(), st.randoms(use_true_random=False))
def test_order_of_samples_does_not_matter(table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    a, b = sth.moments(table), sth.moments(table[order])
    assert b.total == pytest.approx(a.total, rel=1e-12, abs=1e-14)
    assert b.along == pytest.approx(a.along, rel=1e-9, abs=1e-12)


@given(tables())
def test_replicates_are_independent_rows(table):
    both = sth.moments(np.stack([table, 3 * table]))
    assert both.total[0] == sth.moments(table).total and both.along[1] == sth.moments(3 * table).along


@given(tables(least=3))
def test_padding_counts_for_nothing(table):
    padded = np.concatenate([table, np.full((2, table.shape[1]), 7.0)])
    counts = np.r_[np.ones(len(table)), 0, 0]
    a, b = sth.moments(table), sth.moments(padded, counts)
    assert (b.n, b.dof) == (a.n, a.dof) and b.total == pytest.approx(a.total, rel=1e-12)


def test_unit_means_of_any_counts_estimate_the_variance_of_one_sample():
    """Unbiasedness is algebra: average over many tables; error level 1e-6 (five standard errors)."""
    rng = np.random.default_rng(0)
    counts = np.array([1, 2, 5, 9])
    R, d = 40_000, 3
    units = rng.standard_normal((R, 4, d)) / np.sqrt(counts)[:, None] * np.array([1.0, 2.0, 0.5])
    m = sth.moments(units, np.broadcast_to(counts, (R, 4)))
    assert abs(m.total.mean() - 5.25) < 5 * m.total.std() / math.sqrt(R)
    wrong = ((units - units.mean(1, keepdims=True)) ** 2).sum((1, 2)) / 3
    assert abs(wrong.mean() - 5.25) > 50 * wrong.std() / math.sqrt(R)


@given(tables(least=4))
def test_sharded_sums_give_the_single_process_record(table):
    """`allsum` is the whole difference: two shards whose sums are added by hand."""
    shards = np.array_split(table, 2)
    import threading

    results, barrier, box = [None, None], threading.Barrier(2), [None, None]

    def rank(i):
        def allsum(value):
            box[i] = value
            barrier.wait()
            total = box[0] + box[1]
            barrier.wait()
            return total
        results[i] = sth.moments(shards[i], allsum=allsum)

    threads = [threading.Thread(target=rank, args=(i,)) for i in (0, 1)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    whole = sth.moments(table)
    for r in results:
        assert r.total == pytest.approx(whole.total, rel=1e-12, abs=1e-14)
        assert r.along == pytest.approx(whole.along, rel=1e-9, abs=1e-12)
        assert r.n == whole.n and r.dof == whole.dof


@given(tables())
def test_spread_of_a_law_equals_the_population_of_its_atoms(table):
    N = len(table)
    law = Weighted(table[None], np.full(N, 1 / N), np.ones(1), np.full(1, math.inf), np.full(1, math.inf))
    spread = Spread(table.mean(0)[None], np.cov(table.T, ddof=0).reshape(table.shape[1], -1))
    assert law.total[0] == pytest.approx(spread.total[0], rel=1e-10, abs=1e-12)
    assert law.along[0] == pytest.approx(spread.along[0], rel=1e-8, abs=1e-10)


@given(tables(least=3))
def test_counted_batches_equal_explicit_tables(table):
    N = len(table)
    counts = np.array([[2.0, 1.0] + [0.0] * (N - 2)])
    explicit = sth.moments(np.stack([table[0], table[0], table[1]]), direction=table.sum(0))
    m = counted(table[None], counts, np.array([3.0]), math.inf).toward(table.sum(0)[None])
    assert m.total[0] == pytest.approx(explicit.total, rel=1e-10, abs=1e-12)
    assert m.along[0] == pytest.approx(explicit.along, rel=1e-8, abs=1e-10)


def test_fractions_stay_fractions():
    table = np.array([[[Fraction(1), Fraction(2)], [Fraction(3), Fraction(-1)], [Fraction(1), Fraction(1, 3)]]])
    m = counted(table, np.array([[1, 1, 1]]), np.array([3.0]), 3)
    assert all(isinstance(v, Fraction) for v in (m.total[0], m.along[0], m.signal[0], *m.mean[0]))
    floats = sth.moments(table[0].astype(float))
    assert float(m.total[0]) == pytest.approx(floats.total) and float(m.along[0]) == pytest.approx(floats.along)


def test_one_sample_knows_no_spread():
    m = sth.moments(np.ones((1, 3)))
    assert m.dof == 0 and m.total == math.inf and m.along == math.inf
    assert sth.NormTest(0.5)(m) == math.inf


@pytest.mark.parametrize("bad", [np.full((3, 2), np.nan), np.array([[1.0, np.inf], [0, 0]])])
def test_nan_and_infinity_are_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinite"):
        sth.moments(bad)


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"shape \(3,\).*\(B, d\)"):
        sth.moments(np.ones(3))
    with pytest.raises(ValueError, match="one count a unit"):
        sth.moments(np.ones((3, 2)), np.ones(2))


def test_torch_tensors_pass():
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(1).standard_normal((6, 3))
    a, b = sth.moments(table), sth.moments(torch.from_numpy(table))
    assert float(b.total) == pytest.approx(float(a.total), rel=1e-12)
    assert float(b.along) == pytest.approx(float(a.along), rel=1e-12)


@pytest.mark.parametrize("gradients", [[[1, 2], [3]], [["a", "b"]], np.ones((2, 2)) * 1j])
def test_what_is_no_table_of_real_numbers_is_refused(gradients):
    with pytest.raises(ValueError, match="no rectangular array of real numbers"):
        sth.moments(gradients)


def test_a_table_of_fractions_becomes_floats():
    table = np.array([[Fraction(1), Fraction(2)], [Fraction(3), Fraction(5)]], dtype=object)
    assert sth.moments(table).total == 6.5


def test_a_law_with_diagonal_covariance_is_that_with_the_matrix():
    mean, cov = np.array([[1.0, -2.0, 0.5], [0.3, 0.0, 4.0]]), np.array([4.0, 0.25, 9.0])
    thin, full = Spread(mean, cov), Spread(mean, np.diag(cov))
    np.testing.assert_allclose(thin.along, [(mean[r] ** 2 @ cov) / (mean[r] @ mean[r]) for r in range(2)], rtol=1e-12)
    for name in ("along", "total", "variances"):
        np.testing.assert_allclose(getattr(thin, name), getattr(full, name), rtol=1e-12)
