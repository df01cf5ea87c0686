"""Least squares and logistic regression: factored moments against the explicit table, laws, gap, constants.

Seeds are fixed. Random assertions name their error level and have a control that must fail.
"""

import math
import tracemalloc
from collections import Counter
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from scipy.optimize import check_grad
from scipy.stats import chisquare, norm

from samplingtheory.criteria import AugmentedInnerProductTest, NormTest
from samplingtheory.methods import SGD, Backtracking
from samplingtheory.moments import moments
from samplingtheory.problems import factored, rows
from samplingtheory.problems.base import EVERY
from samplingtheory.problems.check import check_problem
from samplingtheory.problems.data import synthetic_classification, synthetic_regression
from samplingtheory.problems.regression import LeastSquares, LogisticRegression
from samplingtheory.problems.softplus import Divergence, rise
from samplingtheory.run import run
from samplingtheory.sizing import Behind

RISK = 1e-6  # of each random assertion, for code that is right
FIELDS = ("n", "mean", "total", "along", "signal", "dof", "variances")


def least(N=40, d=5, seed=0, **options):
    return LeastSquares(*synthetic_regression(N, d, seed), **{"ridge": 0.1, **options})


def logistic(N=40, d=5, seed=0, **options):
    return LogisticRegression(*synthetic_classification(N, d, seed), **options)


BOTH = pytest.mark.parametrize("make", [least, logistic])


def points(problem, R, seed=1, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal((R, problem.dim))


def objective(problem, x):
    """F(x) for one point, the plain way."""
    z = problem.data.A @ x
    loss = (z - problem.y) ** 2 / 2 if isinstance(problem, LeastSquares) else np.logaddexp(0, -problem.y * z)
    return loss.mean() + problem.ridge / 2 * x @ x


# ------------------------------------------------------------------------------------------ the whole problem


@BOTH
@pytest.mark.parametrize("options", [{}, {"replace": True}, {"N": 1500, "d": 4}, {"N": 3, "d": 2}])
def test_every_part_agrees_with_every_other(make, options):
    bad = [f for f in check_problem(make(**options), risk=RISK) if not f.passed]
    assert not bad


@BOTH
def test_a_wrong_constant_and_a_wrong_variance_are_found(make):
    problem, other = make(), make()
    problem.__dict__["constants"] = replace(problem.constants, L=0.4 * problem.constants.L)
    other.population = math.inf  # claims draws with replacement, makes them without
    assert "L" in {f.check for f in check_problem(problem) if not f.passed}
    assert {f.check for f in check_problem(other) if not f.passed} & {"draw error", "atoms", "every batch"}


@BOTH
def test_gradient_against_differences_of_the_plain_objective(make):
    problem = make()
    for x in points(problem, 4):
        g = problem.gradient(x[None])[0]
        assert check_grad(lambda v: objective(problem, v), lambda v: problem.gradient(v[None])[0], x) < 1e-6
        for e in np.eye(problem.dim):
            difference = (objective(problem, x + 1e-5 * e) - objective(problem, x - 1e-5 * e)) / 2e-5
            assert difference == pytest.approx(g @ e, rel=1e-8, abs=1e-9)


# ------------------------------------------------------------------------- factored moments against the table


def table_of(problem, x, index):
    """Explicit sample gradients (n, d) of one replicate."""
    A, y = problem.data.A[index], problem.y[index]
    z = A @ x
    s = z - y if isinstance(problem, LeastSquares) else -y / (1 + np.exp(y * z))
    return s[:, None] * A + problem.ridge * x


def three_ways(data, lists):
    """The same batches as index lists, as counts, and (where it is that) as the whole data."""
    R, sizes = len(lists), np.array([len(i) for i in lists])
    counts = np.stack([np.bincount(i, minlength=data.N) for i in lists])
    yield [(slice(0, R), rows.Lists(data, np.concatenate(lists), sizes))]
    yield [(slice(r, r + 1), rows.Lists(data, i, np.array([len(i)]))) for r, i in enumerate(lists)]
    yield [(slice(0, R), rows.Table(data, counts))]
    yield [(slice(r, r + 1), rows.Table(data, counts[r:r + 1].astype(np.uint16))) for r in range(R)]
    if (counts == 1).all():
        yield rows.whole_data(data, R)


def assert_moments(found, expected, r, rel=1e-12):
    for field in FIELDS:
        true = getattr(expected, field)
        np.testing.assert_allclose(getattr(found, field)[r], true, rtol=rel, atol=rel * np.max(np.abs(true)))


@BOTH
@pytest.mark.parametrize("sizes", [(2, 3, 9, 40), (40, 40, 40), (1, 5), (300, 7)])
@pytest.mark.parametrize("d", [1, 5, 40])
@pytest.mark.parametrize("dense", [0, 20])
def test_all_row_strategies_equal_the_table(make, sizes, d, dense, monkeypatch):
    monkeypatch.setattr(rows, "DENSE", dense)
    problem = make(40, d)
    rng, x = np.random.default_rng(2), points(problem, len(sizes))
    lists = [rng.choice(40, n, replace=n > 40) for n in sizes]
    direction, n = points(problem, len(sizes), 5), np.array(sizes, float)
    for parts in three_ways(problem.data, lists):
        m = problem._moments(parts, x, size=n, scale=n / np.maximum(n - 1, 1), n=n, dof=n - 1)
        for r, index in enumerate(lists):
            assert_moments(m, moments(table_of(problem, x[r], index)), r)
        turned = m.toward(direction)
        for r, index in enumerate(lists):
            g = table_of(problem, x[r], index)
            assert_moments(turned, moments(g, direction=direction[r]), r)
        value = problem._value(parts, x, n)(x + direction)
        one = [objective(type(problem)(problem.data.A[i], problem.y[i], problem.ridge), x[r] + direction[r])
               - objective(type(problem)(problem.data.A[i], problem.y[i], problem.ridge), x[r])
               for r, i in enumerate(lists)]
        np.testing.assert_allclose(value, one, rtol=1e-10, atol=1e-12)


@BOTH
def test_parts_change_nothing(make, monkeypatch):
    problem = make(40, 33)
    x, n = points(problem, 30), np.arange(2.0, 32)
    whole = problem.draw(x, n, np.random.default_rng(3)).moments
    along, counts = problem.law(x).along, whole.parts[0][1].counts
    monkeypatch.setattr(rows, "BLOCK", 100)  # two replicates a part, blocks of a few rows
    cut = [(slice(r, r + 2), rows.Table(problem.data, counts[r:r + 2])) for r in range(0, 30, 2)]
    for room, kept in ((factored.ROOM, 15), (0, 0)):
        monkeypatch.setattr(factored, "ROOM", room)
        other = problem._moments(cut, x, size=n, scale=n / (n - 1), n=n, dof=n - 1)
        for field in FIELDS:
            np.testing.assert_allclose(getattr(other, field), getattr(whole, field), rtol=1e-12)
        assert len(other._kept) == kept
    law = problem.law(x)
    np.testing.assert_allclose(law.along, along, rtol=1e-12)
    assert len(law.parts) == 15


@BOTH
@pytest.mark.parametrize("replace", [False, True])
def test_law_is_the_whole_table(make, replace):
    problem = make(replace=replace)
    x = points(problem, 3)
    law, (g, weights) = problem.law(x), problem.atoms(x)
    shrink = 39 / 40 if replace else 1.0  # moments() divides by N - 1
    for r in range(3):
        true = moments(g[r])
        np.testing.assert_allclose(g[r], table_of(problem, x[r], np.arange(40)), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(law.mean[r], true.mean, rtol=1e-12, atol=1e-15)
        for field in ("total", "along", "variances"):
            np.testing.assert_allclose(getattr(law, field)[r], shrink * getattr(true, field), rtol=1e-12)
    assert (weights == 1 / 40).all() and law.population == (math.inf if replace else 40)
    assert np.isinf(law.n).all() and np.isinf(law.dof).all()
    np.testing.assert_allclose(law.mean, problem.gradient(x), rtol=1e-12, atol=1e-15)


def close_rows(make):
    """A problem whose sample gradients differ in the seventh digit, with the centred answer."""
    problem = make(400, 3)
    rng = np.random.default_rng(4)
    A = np.array([1.0, -2.0, 0.5]) + 1e-7 * rng.standard_normal((400, 3))
    return type(problem)(A, np.ones(400), 0.1)


@BOTH
@pytest.mark.parametrize("n", [400, 350, 20, 900])
def test_little_scatter_is_summed_in_centred_form(make, n, monkeypatch):
    problem = close_rows(make)
    x, rng, R = points(problem, 3), np.random.default_rng(5), 3
    lists = [rng.permutation(400)[:n] if n <= 400 else rng.integers(400, size=n) for _ in range(R)]
    true = [moments(table_of(problem, x[r], lists[r])) for r in range(R)]
    sizes = np.full(R, float(n))
    for parts in three_ways(problem.data, lists):
        def found(parts=parts):
            return problem._moments(parts, x, size=sizes, scale=n / (n - 1), n=sizes, dof=sizes - 1)
        for field in ("total", "along", "variances"):
            np.testing.assert_allclose(getattr(found(), field), [getattr(t, field) for t in true], rtol=1e-6)
        with monkeypatch.context() as patch:
            patch.setattr(factored, "KEPT", 0.0)
            wrong = np.abs(found().total / [t.total for t in true] - 1).max()
        assert wrong > 1e-4  # the subtraction alone fails


@BOTH
def test_one_sample_shows_no_spread(make):
    m = make().draw(points(make(), 2), np.array([1.0, 2.0]), np.random.default_rng(0)).moments
    for field in ("total", "along"):
        assert np.isinf(getattr(m, field)).tolist() == [True, False]
    assert np.isinf(m.variances[0]).all() and np.isfinite(m.variances[1]).all()


# ------------------------------------------------------------------------------------------------------ draws


@BOTH
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_enumeration_has_mean_and_variance_of_the_law(make, replace, n):
    problem = make(6, 2, replace=replace)
    n = min(n, 4) if replace else n
    x = points(problem, 2)
    batch, law = problem.draw(x, np.full(2, float(n)), EVERY), problem.law(x)
    e = batch.moments.mean - law.mean[batch.parent]
    drift = np.stack([np.bincount(batch.parent, batch.weight * c) for c in e.T])
    square = np.bincount(batch.parent, batch.weight * (e * e).sum(-1))
    np.testing.assert_allclose(drift, 0, atol=1e-14)
    np.testing.assert_allclose(square, law.total * (1 / n - 1 / problem.population), rtol=1e-12, atol=1e-15)
    y = points(problem, len(e), 7)
    rises = batch.value(y)
    assert rises.shape == (len(e),)
    if n == 6:
        true = [objective(problem, y[r]) - objective(problem, x[r]) for r in range(2)]
        np.testing.assert_allclose(rises, true, rtol=1e-12)


REGIMES = {  # name: N, replace, mean size, and what the draw is made of
    "dense": (30, False, 12, rows.Table), "sparse": (90, False, 6, rows.Lists),
    "choice": (1200, False, 400, rows.Table), "choice lists": (1300, False, 290, rows.Lists),
    "counts": (30, True, 40, rows.Table), "indices": (90, True, 6, rows.Lists),
    "multinomial": (30, True, 400, rows.Table),
}


@BOTH
@pytest.mark.parametrize("regime", REGIMES)
def test_draws_have_mean_and_variance_of_the_law(make, regime):
    """z-tests at RISK each, over 3000 batches of ragged sizes; without (1 - n/N) the second one must fail."""
    N, replace, size, kind = REGIMES[regime]
    problem, rng, R = make(N, 2, replace=replace), np.random.default_rng(11), 3000
    x = np.repeat(points(problem, 1), R, axis=0)
    n = rng.integers(size // 2, size * 3 // 2 + 1, R).astype(float)
    batch, law = problem.draw(x, n, rng), problem.law(x[:1])
    assert all(type(part) is kind for _, part in batch.moments.parts)
    assert (batch.drawn == n).all() and batch.parent is None and batch.weight is None
    e = batch.moments.mean - law.mean
    limit = norm.isf(RISK / 2)

    def z(sample):
        return abs(sample.mean()) / (sample.std() / math.sqrt(R))
    square = (e * e).sum(-1)
    assert max(z(e[:, 0]), z(e[:, 1])) < limit
    assert z(square - law.total * (1 / n - 1 / problem.population)) < limit
    assert z(batch.moments.total - law.total) < limit
    if size > 0.2 * N and not replace:
        assert z(square - law.total / n) > limit


def subsets_of(members):
    return Counter(tuple(np.flatnonzero(row)) for row in members)


@pytest.mark.parametrize("short", [1024, 0])
def test_subsets_are_uniform(short, monkeypatch):
    """Chi-square over the C(5, 2) subsets at RISK; a table that prefers the first column must fail."""
    monkeypatch.setattr(rows, "SHORT", short)
    monkeypatch.setattr(rows, "MANY", 256 if short else 0)
    rng, R = np.random.default_rng(6), 5000
    cells = list(combinations(range(5), 2))
    seen = subsets_of(rows.subset_table(np.full(R, 2), 5, rng))
    assert chisquare([seen[c] for c in cells]).pvalue > RISK
    pairs = rows.subset_lists(np.full(R, 2), 5, rng).reshape(R, 2)
    listed = Counter(tuple(sorted(pair)) for pair in pairs.tolist())
    assert chisquare([listed[c] for c in cells]).pvalue > RISK
    tilted = rows.subset_table(np.full(R, 2), 5, rng)
    tilted[: R // 10] = [True, True, False, False, False]
    assert chisquare([subsets_of(tilted)[c] for c in cells]).pvalue < RISK


@given(some.lists(some.integers(1, 9), min_size=1, max_size=6), some.integers(0, 2**32))
def test_subsets_have_their_sizes(sizes, seed):
    sizes, rng = np.array(sizes), np.random.default_rng(seed)
    assert (rows.subset_table(sizes, 9, rng).sum(1) == sizes).all()
    parts = np.split(rows.subset_lists(sizes, 9, rng), np.cumsum(sizes)[:-1])
    assert all(len(set(part.tolist())) == n and 0 <= part.min() <= part.max() < 9
               for part, n in zip(parts, sizes, strict=True))


class EqualKeys:
    """A generator whose first table of keys is full of ties."""

    def __init__(self):
        self.rng, self.calls = np.random.default_rng(0), 0

    def integers(self, low, high, size, dtype):
        self.calls += 1
        return (0 if self.calls == 1 else 1) * self.rng.integers(low, high, size=size, dtype=dtype)


def test_tied_keys_are_drawn_again():
    rng = EqualKeys()
    members = rows.subset_table(np.array([1, 2, 7, 4]), 7, rng)
    assert members.sum(1).tolist() == [1, 2, 7, 4] and rng.calls == 2


@BOTH
@pytest.mark.parametrize("replace", [False, True])
def test_memory_does_not_grow_with_n_times_d(make, replace):
    problem = make(20000, 100, replace=replace)
    x = points(problem, 1, scale=0.1)
    assert problem.data.norms.shape == (20000,)
    table = 8 * 10000 * 100
    for n in (2000.0, 10000.0, 20000.0):
        tracemalloc.start()
        m = problem.draw(x, np.array([n]), np.random.default_rng(0)).moments
        assert np.isfinite([m.total, m.along]).all() and np.isfinite(problem.law(x).along).all()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 0.35 * table


# -------------------------------------------------------------------------------------- scalar functions, gap


def softplus(t):
    return (1 + t.exp()).ln()


arguments = some.floats(-45, 45)
deltas = some.one_of(*(some.floats(-b, b) for b in (0.3, 5, 900))).filter(lambda t: abs(t) > 1e-30)


@given(arguments, deltas)
@example(30.0, -800.0)
@example(-30.0, 800.0)
@example(-1.0, 720.0)
@example(2.0, 1e5)
@example(700.0, -1000.0)
def test_divergence_and_rise_of_softplus_against_150_digits(a, delta):
    with localcontext() as context:
        context.prec = 150
        A, D = Decimal(a), Decimal(delta)
        true = softplus(A + D) - softplus(A)
        linear = D / (1 + (-A).exp())
        found = Decimal(Divergence(np.array([a]))(np.array([[delta]]))[0])
        assert abs(found / (true - linear) - 1) < Decimal("1e-14")
        if A + D > -600:  # below, the value itself underflows
            slack = 1e-14 + 1e-16 * (abs(a) + abs(a + delta))  # a + delta is rounded
            assert abs(Decimal(rise(np.array([a]), np.array([delta]))[0]) / true - 1) < Decimal(slack)


def test_divergence_sums_rows():
    rng = np.random.default_rng(0)
    a = rng.standard_normal(50)
    delta = rng.standard_normal((4, 50)) * np.array([[0.01], [0.3], [3.0], [500.0]])
    one = [sum(Divergence(a[i:i + 1])(delta[r:r + 1, i:i + 1])[0] for i in range(50)) for r in range(4)]
    np.testing.assert_allclose(Divergence(a)(delta), one, rtol=1e-13)


def exact_least_squares(problem):
    """Hessian and minimiser in Fractions, d = 2."""
    A = np.vectorize(Fraction, otypes=[object])(problem.data.A)
    y = np.vectorize(Fraction, otypes=[object])(problem.y)
    H = A.T @ A / Fraction(len(y)) + Fraction(problem.ridge) * np.eye(2, dtype=int).astype(object)
    b = A.T @ y / Fraction(len(y))
    determinant = H[0, 0] * H[1, 1] - H[0, 1] ** 2
    return H, np.array([H[1, 1] * b[0] - H[0, 1] * b[1], H[0, 0] * b[1] - H[0, 1] * b[0]]) / determinant


@pytest.mark.parametrize("ridge", [0.0, 0.25])
def test_least_squares_gap_against_fractions(ridge):
    problem = least(8, 2, ridge=ridge)
    H, star = exact_least_squares(problem)
    for distance in 10.0 ** np.arange(-12, 3):
        x = problem.constants.minimiser + distance * np.array([0.6, -0.8])
        z = np.array([Fraction(v) for v in x]) - star
        true = z @ H @ z / 2
        error = abs(Fraction(float(problem.gap(x[None])[0])) - true)
        assert error <= Fraction(problem.gap_error) + true / 10**12 + Fraction(1e-18 * distance)  # extended
    z = np.array([Fraction(v) for v in problem.constants.minimiser]) - star
    assert z @ H @ z / 2 <= problem.gap_error * 1.01  # F(minimiser) - F* is what gap_error says


@pytest.mark.parametrize("ridge", [None, 0.0])
def test_logistic_gap_against_decimals(ridge):
    A, y = np.array([[0.5], [-1.5], [2.0], [1.0], [-0.25]]), np.array([1, 1, -1, 1, -1])
    problem = LogisticRegression(A, y, ridge)
    with localcontext() as context:
        context.prec = 60
        a, lam = [Decimal(float(s * v)) for s, v in zip(y, A[:, 0], strict=True)], Decimal(problem.ridge)

        def F(x):
            return sum(softplus(-c * x) for c in a) / 5 + lam / 2 * x * x
        star = Decimal(float(problem.constants.minimiser[0]))
        for _ in range(6):
            p = [1 / (1 + (c * star).exp()) for c in a]
            slope = lam * star - sum(c * q for c, q in zip(a, p, strict=True)) / 5
            star -= slope / (lam + sum(c * c * q * (1 - q) for c, q in zip(a, p, strict=True)) / 5)
        low = F(star)
        for distance in 10.0 ** np.arange(-10, 3):
            x = problem.constants.minimiser + distance
            true = F(Decimal(float(x[0]))) - low
            error = abs(Decimal(float(problem.gap(x[None])[0])) - true)
            assert error <= Decimal(problem.gap_error) + true * Decimal("1e-12") + Decimal(1e-18 * distance)
        assert F(Decimal(float(problem.constants.minimiser[0]))) - low <= Decimal(problem.gap_error) * 2


@BOTH
@given(seed=some.integers(0, 10**6), scale=some.sampled_from([1e-12, 1e-8, 1e-3, 1.0, 30.0]))
def test_gap_is_nonnegative_and_the_difference_of_objectives(make, seed, scale):
    problem = make(12, 3)
    x = problem.constants.minimiser + points(problem, 4, seed, scale)
    gap, star = problem.gap(x), objective(problem, problem.constants.minimiser)
    assert (gap >= 0).all()
    np.testing.assert_allclose(gap, [objective(problem, v) - star for v in x], rtol=1e-10, atol=1e-12)


# ----------------------------------------------------------------------------------- constants and minimisers


@BOTH
def test_constants_bound_the_curvature_everywhere(make):
    problem = make(60, 4)
    A = problem.data.A
    for x in points(problem, 20, scale=2.0):
        z = A @ x
        s = 1 / (1 + np.exp(-z))
        weights = np.ones(60) if make is least else s * (1 - s)
        eigenvalues = np.linalg.eigvalsh((A * weights[:, None]).T @ A / 60 + problem.ridge * np.eye(4))
        assert problem.constants.mu <= eigenvalues[0] and eigenvalues[-1] <= problem.constants.L
    if make is least:
        found = problem.constants.mu, problem.constants.L
        np.testing.assert_allclose(found, eigenvalues[[0, -1]], rtol=1e-11)


@BOTH
@pytest.mark.parametrize("shape", [(40, 5), (2000, 20), (10, 30)])
def test_the_minimiser_leaves_a_gradient_of_rounding_size(make, shape):
    problem = make(*shape)
    assert problem.constants.residual < 1e-15 * problem.constants.L
    assert problem.gap_error == problem.constants.residual**2 / (2 * problem.constants.mu)
    assert np.linalg.norm(problem.gradient(problem.constants.minimiser[None])) < 1e-13


def test_minimisers_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression as Logistic
    from sklearn.linear_model import Ridge

    p, q = least(80, 6, ridge=0.3), logistic(80, 6, ridge=0.02)
    ridge = Ridge(alpha=80 * 0.3, fit_intercept=False, solver="cholesky").fit(p.data.A, p.y)
    np.testing.assert_allclose(p.constants.minimiser, ridge.coef_, rtol=1e-12)
    model = Logistic(C=1 / (80 * 0.02), fit_intercept=False, solver="newton-cholesky", tol=1e-12)
    fit = model.fit(q.data.A, q.y)
    np.testing.assert_allclose(q.constants.minimiser, fit.coef_[0], rtol=1e-7)


@pytest.mark.parametrize("seed", [77, 97, 123, 199, 205, 330])
def test_newton_on_badly_scaled_data(seed):
    """Rows of very different length: undamped steps run in circles, steps of log(1 + beta)/beta are slow."""
    rng = np.random.default_rng(seed)
    N, d = int(rng.integers(4, 12)), int(rng.integers(1, 3))
    A = rng.standard_normal((N, d)) * 10 ** rng.uniform(-2, 2, (N, 1))
    problem = LogisticRegression(A, np.sign(rng.standard_normal(N)), ridge=1e-6)
    assert problem.constants.residual < 1e-15 * problem.constants.L


# ----------------------------------------------------------------------------------------- value, run, errors


@BOTH
def test_value_does_not_cancel(make):
    problem = make(50, 4)
    x, n = points(problem, 3), np.array([50.0, 20.0, 4.0])
    batch = problem.draw(x, n, np.random.default_rng(0))
    g, u = batch.moments.mean, points(problem, 3, 8)
    for h in (1e-9, 1e-12):
        np.testing.assert_allclose(batch.value(x + h * u), (g * ((x + h * u) - x)).sum(-1), rtol=1e-5)
    assert (batch.value(x) == 0).all()


@BOTH
def test_runs_with_backtracking_adaptive_sizes_and_every_batch(make):
    problem = make(60, 3)
    x0, sizing = points(problem, 1)[0] * 3, Behind(AugmentedInnerProductTest(0.9, 5.84))
    for method in (SGD(0.5 / problem.constants.L), Backtracking(0.1)):
        trace = run(problem, method, sizing, x0, 60, replicates=20, rng=1)
        assert np.median(trace["gap"][-1]) < 0.05 * trace["gap"][0, 0]
        assert (np.diff(trace["n"], axis=0) >= 0).all() and trace["n"].max() <= 60
    small = make(4, 2)
    alpha = 1 / (2 * small.constants.L)
    tree = run(small, SGD(alpha), Behind(NormTest(1.0), start=2), x0[:2], 2, rng=EVERY)
    mean = run(small, SGD(alpha), Behind(NormTest(1.0), start=2), x0[:2], 2, replicates=4000, rng=2)
    drawn, exact = mean["gap"][-1], tree.means("gap")[-1][0]
    assert abs(drawn.mean() - exact) < norm.isf(RISK / 2) * drawn.std() / math.sqrt(4000)
    assert abs(drawn.mean() - exact * 1.2) > norm.isf(RISK / 2) * drawn.std() / math.sqrt(4000)


@BOTH
def test_batches_are_extended(make):
    problem = make(5, 2)
    x = points(problem, 1)
    pair = problem.draw(x, np.array([2.0]), EVERY)
    grown = problem.draw(x, np.full(10, 4.0), EVERY, batch=pair)
    fresh = problem.draw(x, np.array([4.0]), EVERY)
    for batch in (grown, fresh):
        assert batch.weight.sum() == pytest.approx(1)
    g2 = [(b.weight * b.moments.signal).sum() for b in (grown, fresh)]
    assert g2[0] == pytest.approx(g2[1], rel=1e-12)
    assert grown.value(points(problem, len(grown.weight))).shape == grown.weight.shape
    rng = np.random.default_rng(0)
    drawn = problem.draw(np.repeat(x, 50, axis=0), np.full(50, 2.0), rng)
    more = problem.draw(np.repeat(x, 50, axis=0), np.r_[np.full(40, 4.0), np.full(10, 2.0)], rng, batch=drawn)
    assert (more.held >= drawn.held).all() and (more.held.sum(1) == more.moments.n).all() and more.held.max() == 1
    assert (more.drawn == more.moments.n).all()
    table = problem.atoms(x)[0][0]
    np.testing.assert_allclose(more.moments.mean, more.held @ table / more.moments.n[:, None], rtol=1e-12)


def test_labels_of_any_two_value_convention():
    A, y = synthetic_classification(20, 2)
    signs, bits, flags = (LogisticRegression(A, v) for v in (y.astype(int), (y + 1) / 2, y > 0))
    assert signs.ridge == 1 / 20
    for other in (bits, flags):
        np.testing.assert_array_equal(other.y, signs.y)


@pytest.mark.parametrize("labels", [[1, 2, 1], [0, 1, -1], [0.5, 1, 0], ["a", "b", "a"], [1, math.nan, 0]])
def test_other_labels_are_refused(labels):
    with pytest.raises(ValueError, match=r"^labels are .*need.* -1 and \+1, or 0 and 1$"):
        LogisticRegression(np.ones((3, 1)), labels)


def test_wrong_input_is_named():
    A = np.random.default_rng(0).standard_normal((6, 2))
    for bad in (lambda: LeastSquares(A, np.ones(5)), lambda: LeastSquares(A[0], 1.0),
                lambda: LogisticRegression(np.ones((0, 2)), [])):
        with pytest.raises(ValueError, match="one row a sample"):
            bad()
    with pytest.raises(ValueError, match="NaN"):
        LeastSquares([[math.nan]], [1.0])
    with pytest.raises(ValueError, match="ridge is -1"):
        LeastSquares(A, np.ones(6), ridge=-1)
    with pytest.raises(ValueError, match=r"linearly dependent.*ridge > 0"):
        _ = LeastSquares(np.column_stack([A, A[:, 0]]), np.ones(6)).constants
    with pytest.raises(ValueError, match=r"did not converge.*Give a larger ridge"):
        _ = LogisticRegression(A, np.sign(A @ [1.0, 2.0]), ridge=0.0).gap_error
    with pytest.raises(ValueError, match="Monte Carlo rng"):
        least(2000, 100).draw(np.zeros((101, 100)), np.full(101, 2.0), EVERY)
    with pytest.raises(ValueError, match="at most N = 6"):
        LeastSquares(A, np.ones(6)).draw(np.zeros((1, 2)), np.array([7.0]), np.random.default_rng(0))


@pytest.mark.parametrize("A, ridge", [([["a", "b"]], 0.0), ([[1, 2], [3]], 0.0), (np.ones((1, 2)), "a")])
def test_data_that_are_no_numbers(A, ridge):
    with pytest.raises(ValueError, match=r"(no array of numbers|ridge is a)"):
        LeastSquares(A, [1.0], ridge=ridge)


def test_l_of_logistic_regression_is_a_quarter_of_least_squares():
    """The largest curvature of the loss is 1/4: L is that bound and no looser one."""
    A = np.random.default_rng(0).standard_normal((30, 3))
    L = LogisticRegression(A, np.where(A[:, 0] > 0, 1.0, -1.0), ridge=0.1).constants.L
    assert L == pytest.approx(np.linalg.eigvalsh(A.T @ A / 30)[-1] / 4 + 0.1, rel=1e-9)


def test_gap_error_without_ridge_is_at_least_the_gap_of_a_bad_minimiser():
    """A minimiser moved by 1e-3: its gap is residual^2/(2 m) to first order; residual^2/m is what is proved."""
    A, y = np.array([[1.0], [1.0], [2.0], [0.5]]), np.array([1.0, -1.0, 1.0, -1.0])
    F = lambda v: np.log1p(np.exp(-y * A[:, 0] * v)).mean()  # noqa: E731
    problem = LogisticRegression(A, y, ridge=0.0)
    c, g, divergence, curvature = problem._solution
    x = c.minimiser + 1e-3
    moved = replace(c, minimiser=x, residual=float(np.abs(problem.gradient(x[None])[0, 0])))
    problem.__dict__["_solution"] = moved, g, divergence, curvature
    problem.__dict__.pop("constants", None)
    true = F(x[0]) - F(c.minimiser[0])
    assert true <= problem.gap_error <= 2.1 * true
