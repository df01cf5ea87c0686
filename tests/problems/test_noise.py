"""Continuous noise: exact law, equality in the tests, draws that follow the law, and controls that do not."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import chi2, kstest

import samplingtheory as st
from samplingtheory.moments import dot, moments
from samplingtheory.problems.base import EVERY
from samplingtheory.problems.check import check_problem
from samplingtheory.problems.noise import (
    AdditiveGaussian,
    ContinuousOracle,
    CoordinateGaussian,
    Gaussian,
    GaussianSample,
    Sphere,
)
from samplingtheory.problems.quadratic import Quadratic
from samplingtheory.problems.separable import LogQuad

RELATIVE = [Gaussian(0.3), Gaussian(2.0), CoordinateGaussian(0.7), Sphere(0.9)]
LAWS = [*RELATIVE, AdditiveGaussian(1.5)]
POINTS = np.random.default_rng(1).standard_normal((5, 3))


def noisy(noise, d=3):
    return ContinuousOracle(LogQuad(d), noise)


@pytest.mark.parametrize("noise", LAWS, ids=repr)
@pytest.mark.parametrize("d", [1, 3])
def test_the_problem_is_consistent(noise, d):
    """Law against draws at n = 8 and 1. Random part: risk 1e-6 a check."""
    for size in (8, 1):
        assert [f for f in check_problem(noisy(noise, d), rng=3, size=size) if not f.passed] == []


@dataclass(frozen=True)
class Louder(Gaussian):
    """The control: draws with 1.1 times the deviation that the law states."""

    def batch(self, G, n, rng):
        return Gaussian(1.1 * self.eps).batch(G, n, rng)


def test_a_wrong_scale_is_found():
    assert {f.check for f in check_problem(noisy(Louder(0.5)), rng=3) if not f.passed} >= {"draw total", "draw error"}


@pytest.mark.parametrize("noise", RELATIVE, ids=repr)
def test_law_of_relative_noise(noise):
    law, G = noisy(noise).law(POINTS), LogQuad(3).gradient(POINTS)
    assert law.total == pytest.approx(noise.eps**2 * dot(G, G), rel=1e-14)
    assert law.variances.sum(-1) == pytest.approx(law.total, rel=1e-14)
    assert (1 + law.total / law.signal).max() == pytest.approx(noise.growth, rel=1e-14)
    by_hand = (law.variances * G * G).sum(-1) / dot(G, G)
    assert law.along == pytest.approx(by_hand, rel=1e-14)


def test_coordinate_noise_meets_the_test_in_every_coordinate():
    law, G = noisy(CoordinateGaussian(0.7)).law(POINTS), LogQuad(3).gradient(POINTS)
    assert law.variances == pytest.approx(0.49 * G * G, rel=1e-14)


def test_additive_noise_is_the_same_everywhere():
    law = noisy(AdditiveGaussian(1.5)).law(np.concatenate([POINTS, np.zeros((1, 3))]))
    assert law.total == pytest.approx(2.25, rel=1e-14) and law.along == pytest.approx([0.75] * 5 + [2.25], rel=1e-14)


@given(some.floats(0.05, 4), some.integers(1, 9), some.lists(some.floats(0.01, 50), min_size=3, max_size=3))
def test_one_sample_meets_the_norm_test_with_equality(eps, n, point):
    """Sizes are exactly 1 at the law's own eps, and n at eps/sqrt(n): the tight cases draw what they should."""
    x = np.array([point])
    for noise in (Gaussian(eps), CoordinateGaussian(eps), Sphere(eps)):
        law = noisy(noise).law(x)
        assert st.whole(st.NormTest(eps)(law))[0] == 1
        assert st.whole(st.NormTest(eps / math.sqrt(n))(law))[0] == n
    assert st.whole(st.CoordinatewiseNormTest(eps / math.sqrt(n))(noisy(CoordinateGaussian(eps)).law(x)))[0] == n


def test_saturation_along_a_run():
    for noise in RELATIVE:
        trace = st.run(noisy(noise), st.AdaGradNorm(0.2, 0.01), st.Ahead(st.NormTest(noise.eps)), np.full(3, 1.5), 200,
                       replicates=20, record=("n", "rel_total"))
        assert (trace["n"] == 1).all() and trace["rel_total"] == pytest.approx(noise.eps**2, rel=1e-12)


@pytest.mark.parametrize("d", [1, 2, 10])
def test_sphere_noise_has_its_length_on_every_path(d):
    trace = st.run(noisy(Sphere(0.9), d), st.AdaGradNorm(0.2), st.Fixed(1), np.ones(d), 100, replicates=50,
                   record=("rel_error2",))
    assert trace["rel_error2"] == pytest.approx(0.81, rel=1e-12)


def test_mean_of_sphere_samples_is_inside():
    m = noisy(Sphere(0.9)).draw(POINTS, np.array([1.0, 2, 3, 50, 1]), np.random.default_rng(2)).moments
    e = m.mean - LogQuad(3).gradient(POINTS)
    ratio = dot(e, e) / (0.81 * dot(LogQuad(3).gradient(POINTS), LogQuad(3).gradient(POINTS)))
    assert ratio[[0, 4]] == pytest.approx(1) and (ratio[1:4] < 1).all()
    assert np.isinf(m.total[[0, 4]]).all() and np.isfinite(m.total[1:4]).all()


@pytest.mark.parametrize("noise", [Gaussian(0.5), CoordinateGaussian(0.5), AdditiveGaussian(2.0)], ids=repr)
@pytest.mark.parametrize("n", [1.0, 7.0, 1e12])
def test_batch_means_are_gaussian(noise, n):
    """Kolmogorov-Smirnov on sum_i n e_i^2 / deviation_i^2 ~ chi2(d), risk 1e-6 each; the control has n + 15 %."""
    x = np.repeat(POINTS[:1], 20_000, axis=0)
    G = LogQuad(3).gradient(x)
    e = noisy(noise).draw(x, np.full(len(x), n), np.random.default_rng(4)).moments.mean - G
    squares = (e * e / noise.deviation(G) ** 2).sum(-1)
    assert kstest(n * squares, chi2(3).cdf).pvalue > 1e-6
    assert kstest(1.15 * n * squares, chi2(3).cdf).pvalue < 1e-6


def test_sample_moments_are_those_of_a_table_with_that_scatter():
    """total, along, variances and toward are one covariance, seen from several sides."""
    G, n = POINTS[:4], np.array([2.0, 3.0, 5.0, 40.0])
    m = CoordinateGaussian(0.7).batch(G, n, np.random.default_rng(5))
    cov = m._root @ m._root.swapaxes(-1, -2) / (n - 1)[:, None, None]
    v = np.tile([1.0, -2.0, 0.5], (4, 1))
    assert m.variances == pytest.approx(np.diagonal(cov, axis1=1, axis2=2))
    assert m.total == pytest.approx(np.trace(cov, axis1=1, axis2=2))
    for record, u in ((m, m.mean), (m.toward(v), v)):
        assert record.along == pytest.approx(np.einsum("ri,rij,rj->r", u, cov, u) / dot(u, u))
        assert record.signal == pytest.approx(dot(u, u)) and (record.mean == m.mean).all()


def test_scatter_of_two_samples_is_that_of_a_table():
    """n = 2: the sample covariance has rank one and trace |a - b|^2/2, as for explicit samples (KS, risk 1e-6)."""
    R, G = 20_000, np.tile(POINTS[:1], (20_000, 1))
    m = Gaussian(0.5).batch(G, np.full(R, 2.0), np.random.default_rng(6))
    table = G[:, None] + Gaussian(0.5).deviation(G)[:, None] * np.random.default_rng(7).standard_normal((R, 2, 3))
    honest = moments(table)
    for name in ("total", "along"):
        assert kstest(getattr(m, name), getattr(honest, name)).pvalue > 1e-6
    assert np.linalg.matrix_rank(m._root[:50]).tolist() == [1] * 50


@pytest.mark.parametrize("noise", RELATIVE, ids=repr)
def test_no_gradient_no_noise(noise):
    p, x = noisy(noise), np.zeros((2, 3))
    law, m = p.law(x), p.draw(x, np.array([1.0, 4.0]), np.random.default_rng(1)).moments
    assert (law.total == 0).all() and (law.along == 0).all() and (m.mean == 0).all() and m.total[1] == m.along[1] == 0


def test_one_sample_shows_no_spread():
    m = Gaussian(0.5).batch(POINTS, np.array([1.0, 2, 1, 2, 2]), np.random.default_rng(1))
    assert isinstance(m, GaussianSample)
    for column in (m.total, m.along, m.variances[:, 0]):
        assert np.isinf(column).tolist() == [True, False, True, False, False]


def test_practical_tests_run():
    for noise in LAWS:
        trace = st.run(noisy(noise), st.AdaGradNorm(0.2), st.Behind(st.CoordinatewiseNormTest(0.5), cap=200),
                       np.ones(3), 20, replicates=10, record=("n", "gap"))
        assert (trace["n"] >= 2).all()


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Gaussian(-0.1), "eps is -0.1"), (lambda: Sphere(math.inf), "eps is inf"),
    (lambda: CoordinateGaussian("x"), "eps is x"), (lambda: AdditiveGaussian(math.nan), "sigma is nan"),
    (lambda: ContinuousOracle(LogQuad(2), st.SGD(0.1)), "which has no `deviation`"),
    (lambda: noisy(Gaussian(0.5)).draw(POINTS, np.ones(5), EVERY), "not EVERY"),
    (lambda: noisy(Gaussian(0.5)).draw(POINTS, np.full(5, 0.5), np.random.default_rng(1)), "0.5 samples"),
])
def test_bad_input_is_one_line(make, words):
    with pytest.raises(ValueError) as error:
        make()
    assert words in str(error.value) and "\n" not in str(error.value)


def test_any_noiseless_base_will_do():
    p = ContinuousOracle(Quadratic(np.array([1.0, 3.0])), Gaussian(0.5))
    assert p.constants.L == 3 and [f for f in check_problem(p, rng=9) if not f.passed] == []
