"""The bases reproduce the measured tightness of the bounds; the continuous laws equal their explicit samples."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from samplingtheory.criteria import InnerProductTest, NormTest, OrthogonalityTest, whole
from samplingtheory.methods import SGD
from samplingtheory.moments import dot, moments
from samplingtheory.problems import nonconvex
from samplingtheory.problems.base import EVERY
from samplingtheory.problems.check import check_problem
from samplingtheory.problems.nonconvex import Huber, RandomHessian, Sawtooth, StochasticRosenbrock, TwoCurvature, ragged
from samplingtheory.problems.oracles import Along, Lazy, Oracle, TwoPoint
from samplingtheory.run import run
from samplingtheory.sizing import Ahead

BASES = [Huber(0.7), Huber(0.5, 2.0, 3), TwoCurvature(0.1, 1.0, 0.9432), TwoCurvature(0.3, 2.0, 0.5, 4),
         Sawtooth(0.1), Sawtooth(0.01, 2.0, teeth=5), Sawtooth(0.2, 0.5, teeth=1)]
LAWS = [StochasticRosenbrock(), StochasticRosenbrock(0.5, 3.0, 0.4), RandomHessian(), RandomHessian(10.0)]


def descent(base, x0, steps, value):
    """value at y_0, ..., y_steps of gradient descent with step 1/L: what `Lazy` noise executes."""
    x, out = np.full((1, base.dim), x0), []
    for _ in range(steps + 1):
        out.append(value(x)[0])
        x = x - base.gradient(x) / base.constants.L
    return np.array(out)


def mixture(values, T, M):
    """E after T steps, each executed with probability 1/M."""
    return binom.pmf(np.arange(T + 1), T, 1 / M) @ values[: T + 1]


@pytest.mark.parametrize("base", BASES, ids=lambda b: f"{type(b).__name__}{b.dim}")
def test_bases_are_consistent(base):
    assert [f for f in check_problem(base, rng=5) if not f.passed] == []
    assert [f for f in check_problem(Oracle(base, TwoPoint(0.5)), rng=5) if not f.passed] == []


@pytest.mark.parametrize(("M", "T", "ratio"), [(1, 20, 0.488), (1, 100, 0.4975), (2, 20, 0.476), (2, 100, 0.495),
                                               (5, 20, 0.445), (5, 100, 0.488)])
def test_huber_against_the_last_iterate_bound(M, T, ratio):
    """sup over the knee of E F(x_T)/(R^2/(2 alpha T)), alpha = 1/(LM)."""
    def measured(knee):
        base = Huber(knee)
        return mixture(descent(base, 1.0, T, base.gap), T, M) * 2 * T / M

    guess = 0.494 * M / T
    best = -minimize_scalar(lambda k: -measured(k), bounds=(0.9 * guess, 1.1 * guess), method="bounded").fun
    assert best == pytest.approx(ratio, abs=6e-4)


def test_the_mixture_is_what_the_oracle_enumerates():
    base = Huber(0.3)
    trace = run(Oracle(base, Lazy(4)), SGD(1 / 4), Ahead(NormTest(3**0.5)), np.array([1.0]), 6, rng=EVERY)
    assert trace.means("gap")[-1, 0] == pytest.approx(mixture(descent(base, 1.0, 6, base.gap), 6, 4), rel=1e-12)


@pytest.mark.parametrize("M", [1, 4])
@pytest.mark.parametrize("start", [0.0, 3.0])
def test_endless_sawtooth_is_tight_for_the_telescoped_bound(M, start):
    """sum_k E|G_k|^2 / ((2/alpha)(F_0 - E F_T)) = 1/(1 + L delta)."""
    base, T = Sawtooth(1e-6), 60
    g2 = descent(base, start, T, lambda x: dot(base.gradient(x), base.gradient(x)))
    gap = descent(base, start, T, base.gap)
    left = sum(mixture(g2, k, M) for k in range(T))
    assert left / (2 * M * (gap[0] - mixture(gap, T, M))) == pytest.approx(1 / (1 + 1e-6), rel=1e-12)


@pytest.mark.parametrize(("T", "teeth", "ratio"), [(400, 116, 0.831), (10_000, 2610, 0.952)])
def test_sawtooth_with_a_minimum(T, teeth, ratio):
    """min_k E|G_k|^2 over (2/(alpha T))(F_0 - F_min), at the number of teeth that maximises it, M = 4."""
    base, M = Sawtooth(1e-6, teeth=teeth), 4
    g2 = descent(base, 0.0, T, lambda x: dot(base.gradient(x), base.gradient(x)))
    start = base.gap(np.zeros((1, 1)))[0]
    assert mixture(g2, T - 1, M) / (2 * M / T * start) == pytest.approx(ratio, abs=5e-4)
    assert start == pytest.approx(teeth / 2, rel=2e-6)
    lasts = np.arange(1, T)
    assert lasts[np.argmax(binom.cdf(lasts - 1, T - 1, 1 / M) * T / (M * lasts))] == teeth


@pytest.mark.parametrize("base", [Sawtooth(0.3), Sawtooth(0.15, 2.0), Sawtooth(0.3, teeth=4)])
def test_sawtooth_shape(base):
    L, d = base.constants.L, base.delta
    x = np.linspace(-2.5, 6.0, 8501)[:, None]
    slope = base.gradient(x)[:, 0]
    end = base.teeth / L
    assert slope.min() == pytest.approx(-1, abs=1e-6)
    assert np.allclose(slope[x[:, 0] < end - 1 / L].max(), -L * d, atol=5e-3)
    assert (np.diff(base.gap(x)) <= 1e-15).all()
    assert (np.diff(slope) <= L * 1e-3 * (1 + 1e-9)).all() and (np.diff(slope) >= base.constants.mu * 1.01e-3).all()
    if math.isfinite(end):
        flat = x[:, 0] >= end
        assert not slope[flat].any() and not base.gap(x)[flat].any() and (base.gap(x) >= 0).all()
        assert slope[~flat][-1] == pytest.approx(0, abs=2e-3)
        near = np.array([[end - 1e-7]])  # gap = (L/2) h^2 to the end: no difference of larger values
        assert base.gap(near)[0] == pytest.approx(L / 2 * (end - near[0, 0]) ** 2, rel=1e-7)
    else:
        assert base.gap(np.zeros((1, 1)))[0] == 0 and base.constants.minimiser is None


def test_two_curvatures_exceed_the_rate_of_quadratics():
    """q = 0.1, M = 2.81, alpha = 1.8/(LM): 0.957572 > 0.950259, the worst over the knee at 0.9432."""
    M, mu = 2.81, 0.1
    alpha, x = 1.8 / M, np.array([[1.0, 0.0]])

    def rate(knee):
        problem = Oracle(TwoCurvature(mu, 1.0, knee), Along((0, 1), M))
        g, p = problem.atoms(x)
        return (p @ problem.gap(x - alpha * g[0]) / problem.gap(x))[0]

    assert rate(0.9432) == pytest.approx(0.957572, abs=5e-7)
    assert max(rate(0.9432 + e) for e in (-0.02, 0.02)) < rate(0.9432)
    assert (1 - alpha * mu) ** 2 + alpha**2 * mu * (M - 1) == pytest.approx(0.950259, abs=5e-7)


@pytest.mark.parametrize("problem", LAWS, ids=lambda p: type(p).__name__)
def test_laws_are_consistent_with_their_draws(problem):
    """Random part: risk 1e-6 a check."""
    assert [f for f in check_problem(problem, rng=8) if not f.passed] == []


def test_rosenbrock_noise_is_the_gradient_of_the_sampled_function():
    problem, rng = StochasticRosenbrock(1.0, 100.0, 0.3), np.random.default_rng(1)
    a, b, h = problem.a, problem.b, 1e-5
    x, t = rng.standard_normal((6, 2)), 0.3 * rng.standard_normal((6, 2))

    def f(x):
        return (a - x[:, 0] + t[:, 0]) ** 2 + b * (x[:, 1] - x[:, 0] ** 2 + t[:, 0] ** 2 - t[:, 1] ** 2) ** 2

    slopes = np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(2)], axis=1)
    w = np.stack([t[:, 1] ** 2 - t[:, 0] ** 2, t[:, 0]], axis=1)
    mine = problem.gradient(x) + (problem._tilt(x) @ w[:, :, None])[:, :, 0]
    assert np.allclose(mine, slopes, rtol=1e-6, atol=1e-5)


def test_rosenbrock_covariance():
    b, s, x = 100.0, 0.1, np.array([[-1.5, 2.5]])
    cov = StochasticRosenbrock(1.0, b, s).law(x).cov[0]
    assert cov[0, 0] == pytest.approx(64 * b**2 * 1.5**2 * s**4 + 4 * s**2, rel=1e-13)
    assert cov[1, 1] == pytest.approx(16 * b**2 * s**4, rel=1e-13)
    assert cov[0, 1] == cov[1, 0] == pytest.approx(32 * b**2 * 1.5 * s**4, rel=1e-13)


def test_random_hessian_numbers():
    problem = RandomHessian()
    assert problem.constants.L == pytest.approx(100.500628, abs=5e-7)
    assert problem.constants.mu == pytest.approx(0.999372, abs=5e-7)
    assert problem.constants.minimiser == pytest.approx([0.00746733, 0.99813317], abs=5e-9)
    assert problem.optimum == pytest.approx(-0.5028002489, abs=5e-11)
    x = np.array([[2.0, 5.0]])
    v = (np.array([[200, 0.5], [0.5, 1]]) - np.eye(2)) @ x[0]
    law, u = problem.law(x), problem.gradient(x)[0]
    assert law.total[0] == pytest.approx(v @ v / 12, rel=1e-13)
    assert law.along[0] == pytest.approx((v @ u) ** 2 / (12 * (u @ u)), rel=1e-13)
    H, t = (np.eye(2) + np.array([[200, 0.5], [0.5, 1]])) / 2, 0.5
    assert problem.gradient(x)[0] == pytest.approx(H @ x[0] - 1, rel=1e-12)
    assert problem.gap(x)[0] == pytest.approx(x[0] @ H @ x[0] * t - x.sum() - problem.optimum, rel=1e-12)


@pytest.mark.parametrize(("eps", "rule", "step", "ratio"), [
    (0.5, "norm", 2.0, 0.955760), (0.5, "max", 2.0, 0.898576), (0.5, "min", 2.0, 1.041535), (0.1, "min", 2.0, 1.256765),
    (0.9, "norm", 2.0, 0.882084),
])
def test_first_step_of_the_first_experiment_exactly(eps, rule, step, ratio):
    """E|x_1 - x*|^2 over rate |x_0 - x*|^2, split theta = eps/2; `min` in place of `max` breaks the bound."""
    problem, x = RandomHessian(), np.array([[2.0, 5.0]])
    c, law = problem.constants, problem.law(x)
    sizes = [whole(InnerProductTest(eps / 2)(law)), whole(OrthogonalityTest(eps * 0.75**0.5)(law))]
    n = {"norm": whole(NormTest(eps)(law)), "max": max(sizes), "min": min(sizes)}[rule]
    alpha = step / ((c.L + c.mu) * (1 + eps**2))
    z = x - alpha * problem.gradient(x) - c.minimiser
    rate = (((c.L / c.mu - 1) / (c.L / c.mu + 1)) ** 2 + eps**2) / (1 + eps**2)
    value = (dot(z, z) + alpha**2 * law.total / n) / (rate * dot(x - c.minimiser, x - c.minimiser))
    assert value[0] == pytest.approx(ratio, abs=6e-7)


def test_draws_are_the_moments_of_explicit_samples():
    """The batch is a function of its uniforms; the same uniforms, sample by sample, give the same moments."""
    problem, n = RandomHessian(), np.array([1.0, 2.0, 7.0, 300.0])
    x = np.random.default_rng(3).standard_normal((4, 2)) + 1
    batch = problem.draw(x, n, np.random.default_rng(4)).moments
    t = np.split(np.random.default_rng(4).random(310), np.cumsum(n).astype(int)[:-1])
    A, toward = np.array([[200, 0.5], [0.5, 1]]), np.array([[1.0, -2.0]])
    for r in range(4):
        g = np.stack([((1 - s) * np.eye(2) + s * A) @ x[r] - 1 for s in t[r]])
        for mine, honest in ((batch, moments(g)), (batch.toward(np.repeat(toward, 4, 0)), moments(g, None, toward[0]))):
            for name in ("mean", "total", "along", "signal", "variances", "dof", "n"):
                assert getattr(mine, name)[r] == pytest.approx(getattr(honest, name), rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_pieces_of_a_batch_join_to_the_whole(chunk):
    data, n = np.random.default_rng(5).standard_normal((212, 3)) + 5, np.array([1.0, 150.0, 2.0, 59.0])
    stream = iter(data)
    mean, cov = ragged(n, lambda m: np.array([next(stream) for _ in range(m)]).reshape(m, 3), chunk)
    if chunk >= 212:
        parts = np.split(data, np.cumsum(n).astype(int)[:-1])
        for r, part in enumerate(parts):
            assert np.allclose(mean[r], part.mean(0), rtol=1e-13)
            assert np.allclose(cov[r], np.cov(part.T) if len(part) > 1 else 0, rtol=1e-12)
    grand = (n[:, None] * mean).sum(0) / 212
    within = (np.maximum(n - 1, 0)[:, None, None] * cov).sum(0)
    between = (n[:, None, None] * ((mean - grand)[:, :, None] * (mean - grand)[:, None, :])).sum(0)
    assert np.allclose(grand, data.mean(0), rtol=1e-13)
    assert np.allclose((within + between) / 211, np.cov(data.T), rtol=1e-12)


def test_one_large_batch_in_pieces_is_the_same_batch():
    data = np.random.default_rng(6).standard_normal((1001, 2)) + 100
    for chunk in (10, 333, 5000):
        at = iter(np.split(data, np.arange(chunk, 1001, chunk)))
        mean, cov = ragged(np.array([1001.0]), lambda m, at=at: next(at) if m else data[:0], chunk)
        assert np.allclose(mean[0], data.mean(0), rtol=1e-13)
        assert np.allclose(cov[0], np.cov(data.T), rtol=1e-10)


@pytest.mark.parametrize("problem", LAWS[::2], ids=lambda p: type(p).__name__)
def test_one_sample_shows_no_spread(problem):
    m = problem.draw(np.ones((2, 2)), np.array([1.0, 2.0]), np.random.default_rng(1)).moments
    assert np.isinf(m.total[0]) and np.isinf(m.along[0]) and np.isinf(m.variances[0]).all()
    assert np.isfinite(m.total[1]) and m.along[1] <= m.total[1] * (1 + 1e-12)


@pytest.mark.parametrize("problem", LAWS[::2], ids=lambda p: type(p).__name__)
def test_doors_of_the_continuous_laws(problem):
    x = np.ones((1, 2))
    with pytest.raises(ValueError, match="not EVERY"):
        problem.draw(x, np.array([2.0]), EVERY)
    with pytest.raises(ValueError, match="sizes are whole"):
        problem.draw(x, np.array([2.5]), np.random.default_rng(1))
    with pytest.raises(ValueError, match="draws every"):
        problem.draw(x, np.array([nonconvex.MOST * 2]), np.random.default_rng(1))
    with pytest.raises(ValueError, match="at least 1"):
        problem.draw(x, np.array([0.0]), np.random.default_rng(1))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Huber(0.0), "knee"), (lambda: Sawtooth(1.0), "delta < 1/L"), (lambda: Sawtooth(0.1, teeth=1.5), "teeth"),
    (lambda: TwoCurvature(1.0, 1.0, 1.0), "L - mu"), (lambda: StochasticRosenbrock(sigma=-1), "sigma"),
    (lambda: RandomHessian(math.inf), "kappa"),
])
def test_doors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
