"""Fast Gaussian laws against explicit samples; finite sums in floats against the same sums in Fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import ks_2samp, norm

from samplingtheory.criteria import AugmentedInnerProductTest, NormTest
from samplingtheory.methods import SGD
from samplingtheory.moments import dot, moments
from samplingtheory.problems.base import EVERY
from samplingtheory.problems.quadratic import GaussianQuadratic, Quadratic, QuadraticSum
from samplingtheory.run import run
from samplingtheory.sizing import Ahead

RISK = 1e-6  # of each random comparison, for code that is right
R, D = 20_000, 4
ROOT = np.random.default_rng(0).standard_normal((D, D))
NOISES = {"isotropic": np.array(0.7), "diagonal": np.array([0.1, 1.0, 2.0, 0.5]), "general": ROOT @ ROOT.T,
          "rank one": np.outer(ROOT[0], ROOT[0])}
rational = np.vectorize(Fraction, otypes=[object])


def fast(noise, n, seed=1, toward=None):
    """Batch moments of R batches of n at one point, by sufficient statistics."""
    problem = GaussianQuadratic(np.array([1.0, 2.0, 3.0, 4.0]), noise)
    x = np.repeat([[1.0, -0.5, 0.2, 0.1]], R, axis=0)
    m = problem.draw(x, np.full(R, float(n)), np.random.default_rng(seed)).moments
    return m if toward is None else m.toward(np.repeat([toward], R, axis=0))


def slow(noise, n, seed=2, toward=None):
    """The same from a table of R n explicit gradients."""
    full = noise * np.eye(D) if noise.ndim < 2 else noise
    values, vectors = np.linalg.eigh(full)
    root = vectors * np.sqrt(np.maximum(values, 0))
    e = np.random.default_rng(seed).standard_normal((R, n, D)) @ root.T
    direction = None if toward is None else np.repeat([toward], R, axis=0)
    return moments(np.array([1.0, -1.0, 0.6, 0.4]) + e, None, direction)


def columns(m, noise):
    """What a criterion may read, and the pairs whose joint law matters."""
    out = {"total": m.total, "along": m.along, "signal": dot(m.mean, m.mean), "share": m.along / m.total,
           "norm test": m.total / m.signal, "first": m.mean[:, 0]}
    return out if noise.ndim == 0 else {**out, "variances": m.variances[:, 0]}


@pytest.mark.parametrize("n", [2, 3, 12])
@pytest.mark.parametrize("name", NOISES)
def test_fast_batches_have_the_law_of_explicit_ones(name, n):
    """Two-sample Kolmogorov-Smirnov on R = 20000, risk 1e-6 each; n = 2, 3 are below the dimension 4."""
    noise = NOISES[name]
    a, b = columns(fast(noise, n), noise), columns(slow(noise, n), noise)
    worst = {key: ks_2samp(a[key].round(10), b[key].round(10), method="asymp").pvalue for key in a}
    assert min(worst.values()) > RISK, worst


@pytest.mark.parametrize("name", NOISES)
def test_fast_batches_toward_a_fixed_direction(name):
    u = np.array([0.0, 2.0, -1.0, 0.5])
    a, b = fast(NOISES[name], 5, toward=u), slow(NOISES[name], 5, toward=u)
    assert ks_2samp(a.along, b.along, method="asymp").pvalue > RISK
    assert a.signal == pytest.approx(b.signal)


def test_the_comparison_can_fail():
    """A divisor n in place of n - 1, or a noise 5 % off, is seen."""
    noise, n = NOISES["general"], 12
    true, other = fast(noise, n), slow(noise, n)
    assert ks_2samp(true.total * (n - 1) / n, other.total, method="asymp").pvalue < RISK
    assert ks_2samp(fast(1.05**2 * noise, n).total, other.total, method="asymp").pvalue < RISK


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("n", [3, 7.5])
def test_two_moments_of_the_spreads(name, n):
    """E total = tr C and Var total = 2 tr C^2/(n - 1), also for real n > d; z at risk 1e-6 each."""
    noise = NOISES[name]
    full = noise * np.eye(D) if noise.ndim < 2 else noise
    t = fast(noise, n).total / np.trace(full)
    variance = 2 * np.trace(full @ full) / np.trace(full) ** 2 / (n - 1)
    squares = (t - 1) ** 2
    limit = norm.isf(RISK / 2)
    assert abs(t.mean() - 1) < limit * t.std() / math.sqrt(R)
    assert abs(squares.mean() - variance) < limit * squares.std() / math.sqrt(R)


def test_real_sizes_below_one_give_a_mean_and_no_spread():
    noise = NOISES["isotropic"]
    m = fast(noise, 0.25)
    assert np.isinf(m.total).all() and np.isinf(m.along).all()
    z = (m.mean - np.array([1.0, -1.0, 0.6, 0.4])) / math.sqrt(0.7 / 0.25)
    assert abs(z.mean(0)).max() < norm.isf(RISK / 8) / math.sqrt(R)
    assert abs((z * z).mean() - 1) < norm.isf(RISK / 2) * math.sqrt(2 / (4 * R))
    assert np.isinf(fast(NOISES["general"], 1).total).all()


@pytest.mark.parametrize("name", NOISES)
def test_law(name):
    noise, x = NOISES[name], np.array([[1.0, -0.5, 0.2, 0.1]])
    full = noise * np.eye(D) if noise.ndim < 2 else noise
    law = GaussianQuadratic(np.array([1.0, 2.0, 3.0, 4.0]), noise).law(x)
    G = np.array([1.0, -1.0, 0.6, 0.4])
    assert law.mean[0] == pytest.approx(G)
    assert law.total[0] == pytest.approx(np.trace(full))
    assert law.along[0] == pytest.approx(G @ full @ G / (G @ G))


@pytest.mark.parametrize(("noise", "message"), [(-1.0, "semidefinite"), (np.ones(3), "noise has shape"),
                                                (np.diag([1.0, -1, 1, 1]), "semidefinite")])
def test_doors_of_the_noise(noise, message):
    with pytest.raises(ValueError, match=message):
        GaussianQuadratic(np.ones(D), noise)


def test_doors():
    problem = GaussianQuadratic(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="not EVERY"):
        problem.draw(np.ones((1, 2)), np.array([2.0]), EVERY)
    with pytest.raises(ValueError, match="above 0"):
        problem.draw(np.ones((1, 2)), np.array([0.0]), np.random.default_rng(1))
    with pytest.raises(ValueError, match="whole n"):
        _ = problem.draw(np.ones((1, 2)), np.array([2.5]), np.random.default_rng(1)).moments.total
    with pytest.raises(ValueError, match="positive semidefinite"):
        Quadratic(np.diag([1.0, -1.0]))
    with pytest.raises(ValueError, match="one of each"):
        QuadraticSum(np.ones(3), np.ones((2, 1)))


@pytest.mark.parametrize("hessian", [np.array([0.5, 3.0]), np.array([[2.0, 1.0], [1.0, 1.0]])])
def test_gap_and_constants(hessian):
    problem = Quadratic(hessian, [1.0, -2.0])
    H, x = np.diag(hessian) if hessian.ndim == 1 else hessian, np.array([[0.3, 0.4], [5.0, 6.0]])
    z = x - [1.0, -2.0]
    assert problem.gap(x) == pytest.approx([v @ H @ v / 2 for v in z])
    assert problem.gradient(x) == pytest.approx(z @ H)
    low, high = np.linalg.eigvalsh(H)
    assert problem.constants.mu <= low <= problem.constants.mu * (1 + 1e-11)
    assert high <= problem.constants.L <= high * (1 + 1e-11)


whole_numbers = some.integers(-6, 6)
shapes = some.tuples(some.integers(2, 5), some.integers(1, 3), some.sampled_from(["scalar", "diagonal", "full"]))


@given(shapes, some.data())
def test_fractions_equal_floats(shape, data):
    """The same sum in both: minimiser, gap, law and every batch of every size, with their probabilities."""
    N, d, kind = shape
    draw = lambda *size: np.array(data.draw(some.lists(whole_numbers, min_size=math.prod(size),  # noqa: E731
                                                       max_size=math.prod(size)))).reshape(size)
    root = draw(N, d, d)
    h = {"scalar": 1 + abs(root[:, 0, 0]), "diagonal": 1 + abs(root[:, 0]),
         "full": root @ root.swapaxes(1, 2) + np.eye(d, dtype=int)}[kind]
    b, x = draw(N, d), draw(2, d)
    exact, plain = QuadraticSum(rational(h), rational(b)), QuadraticSum(h.astype(float), b.astype(float))
    n = np.array([1.0, min(3, N)])
    left = [exact.constants.minimiser, exact.gap(rational(x)), exact.gradient(rational(x))]
    right = [plain.constants.minimiser, plain.gap(x.astype(float)), plain.gradient(x.astype(float))]
    one, two = exact.draw(rational(x), n, EVERY), plain.draw(x.astype(float), n, EVERY)
    left.append(one.weight)
    right.append(two.weight)
    for a, b in ((exact.law(rational(x)), plain.law(x.astype(float))), (one.moments, two.moments)):
        left += [a.mean, a.total, a.along, a.variances]
        right += [b.mean, b.total, b.along, b.variances]
    for a, b in zip(left, right, strict=True):
        assert np.allclose(np.asarray(a, dtype=float), b, rtol=1e-9, atol=1e-9)
        assert all(isinstance(v, (Fraction, int)) or v == math.inf for v in np.ravel(a))
    assert exact.gradient(exact.constants.minimiser[None]).any() == 0


@pytest.mark.parametrize("replace", [True, False])
def test_sampled_function_differences(replace):
    rng = np.random.default_rng(7)
    h, b = rng.uniform(1, 2, (5, 3)), rng.standard_normal((5, 3))
    x, y = rng.standard_normal((2, 4, 3))
    batch = QuadraticSum(h, b, replace).draw(x, np.array([1.0, 2.0, 3.0, 5.0]), np.random.default_rng(8))
    counts = batch.moments.weights
    f = lambda z: (counts * ((h * z[:, None] ** 2 / 2 - b * z[:, None]).sum(-1))).sum(-1)  # noqa: E731
    assert batch.value(y) == pytest.approx(f(y) - f(x))


def test_five_samples_enumerated_exactly():
    """E gap_k/(rho^k gap_0) for h = 1..5, c = (0, 1, -1, 2, -2), x_0 = 3, exact norm test at 1/2, n >= 2.

    The finite-population factor is in the test; alpha = 1/(L (1 + 1/4)), rho = 1 - 4/5. All in Fractions.
    """
    h, c, eps = rational(np.arange(1, 6)), rational(np.array([[0], [1], [-1], [2], [-2]])), Fraction(1, 2)
    problem = QuadraticSum(h, h[:, None] * c)
    method, sizing = SGD(Fraction(1, 3) / (1 + eps**2)), Ahead(NormTest(eps), least=2)
    trace = run(problem, method, sizing, rational(np.array([3])), 4, rng=EVERY, record=("gap", "n", "rel_total"))
    gap = trace.means("gap")[:, 0]
    assert all(isinstance(v, Fraction) for v in gap)
    ratios = [float(gap[k] / (Fraction(1, 5) ** k * gap[0])) for k in range(5)]
    assert ratios == pytest.approx([1, 0.604, 0.427, 0.2945, 0.082], abs=5e-4)
    assert [len(w) for w in trace.weight] == [1, 7, 24, 44, 48]
    assert all(w.sum() == 1 for w in trace.weight)
    assert max(row.max() for row in trace.steps["rel_total"]) <= float(eps**2) * (1 + 1e-12)
    floats = QuadraticSum(np.arange(1.0, 6), np.asarray(h[:, None] * c, dtype=float))
    sizing = Ahead(NormTest(0.5), least=2)
    plain = run(floats, SGD(float(method.alpha)), sizing, np.array([3.0]), 4, rng=EVERY).means("gap")[:, 0]
    assert plain == pytest.approx(gap.astype(float), rel=1e-10)


@pytest.mark.parametrize("hessian", [np.array([1.0, 10.0]), np.array([[2.0, 0.3], [0.3, 1.0]])])
def test_expected_steps_follow_the_moment_recursion(hessian):
    """Real-valued sizes at the boundary of the norm test: E gap_k by the recursion; z at risk 1e-6 for each k."""
    eps, H = 0.5, np.diag(hessian) if hessian.ndim == 1 else hessian
    problem, x0 = GaussianQuadratic(hessian, 0.3), np.array([1.0, 0.5])
    alpha, C = 1 / (problem.constants.L * 1.25), np.outer(x0, x0)
    B = np.eye(2) - alpha * H
    trace = run(problem, SGD(alpha), Ahead(NormTest(eps), integer=False), x0, 5, replicates=R, rng=9)
    for k in range(1, 6):
        C = B @ C @ B + alpha**2 * eps**2 * np.trace(H @ C @ H) * np.eye(2) / 2
        gap = trace["gap"][k]
        assert abs(gap.mean() - np.trace(H @ C) / 2) < norm.isf(RISK / 2) * gap.std() / math.sqrt(R)


def test_the_augmented_test_reads_fast_batches():
    m = fast(NOISES["isotropic"], 6)
    size = AugmentedInnerProductTest(0.9, 5.84)(m)
    assert size.shape == (R,) and np.isfinite(size).all() and (size >= 0).all()
