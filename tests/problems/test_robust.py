"""Bounded losses: curvature bounds attained and never passed, laws and sampled functions exact, real data."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

import samplingtheory as st
from samplingtheory.claims.common import robust
from samplingtheory.moments import dot
from samplingtheory.problems.check import check_problem
from samplingtheory.problems.data import synthetic_regression
from samplingtheory.problems.robust import GemanMcClure, Tukey

A, Y = synthetic_regression(30, 3, 1, noise=0.5, outliers=0.1)
SUMS = [GemanMcClure(A, Y), GemanMcClure(A, Y, 2.0, replace=True), Tukey(A, Y, 2.0), Tukey(A, Y, 3.0, replace=True)]
LOSSES = [GemanMcClure, Tukey]
numbers = some.floats(-9, 9, allow_subnormal=False)


def hessian(p, x, h=1e-5):
    """Hess F(x) for one point, from central differences of the gradient."""
    e = h * np.eye(p.dim)
    H = (p.gradient(x + e) - p.gradient(x - e)) / (2 * h)
    return (H + H.T) / 2


@pytest.mark.parametrize("p", SUMS, ids=lambda p: f"{type(p).__name__}-{p.population}")
def test_the_problem_is_consistent(p):
    """Random part: risk 1e-6 a check."""
    assert [f for f in check_problem(p, rng=4) if not f.passed] == []


@pytest.mark.parametrize(("loss", "low"), [(GemanMcClure, -0.25), (Tukey, -0.8)])
@pytest.mark.parametrize("scale", [0.5, 1.0, 4.685])
def test_curvature_bounds_are_attained(loss, low, scale):
    """One sample with a = 1: sup phi'' = 1 at r = 0, inf phi'' = low."""
    p = loss([[1.0]], [0.0], scale)
    x = np.linspace(-3 * scale, 3 * scale, 200_001)[:, None]
    h = 1e-5 * scale
    found = (p.gradient(x + h) - p.gradient(x - h))[:, 0] / (2 * h)
    assert found.max() == pytest.approx(1, abs=1e-4) and found.min() == pytest.approx(low, abs=1e-4)
    assert p.constants.L == pytest.approx(1, rel=1e-11) and p.constants.mu == pytest.approx(low, rel=1e-11)


@pytest.mark.parametrize("p", SUMS, ids=lambda p: f"{type(p).__name__}-{p.population}")
def test_certified_constants_against_eigenvalues(p):
    """Hessians at 40 points lie between mu and L, and below diag(curvatures)."""
    for x in np.random.default_rng(5).standard_normal((40, 3)) * np.geomspace(0.01, 10, 40)[:, None]:
        values = np.linalg.eigvalsh(hessian(p, x))
        assert p.constants.mu - 1e-7 <= values[0] and values[-1] <= p.constants.L + 1e-7
        assert np.linalg.eigvalsh(np.diag(p.curvatures) - hessian(p, x))[0] >= -1e-7


@pytest.mark.parametrize("loss", LOSSES)
@given(numbers, numbers, some.sampled_from([1e-9, 1e-3, 1.0, 30.0]), some.sampled_from([0.7, 2.0, 4.685]))
def test_difference_of_losses_keeps_its_digits(loss, z, y, size, scale):
    """phi(r + dz) - phi(r) against extended precision; across the knee of Tukey's loss too."""
    p = loss([[1.0]], [0.0], scale)
    z, y, dz = np.array([z]), np.array([y]), np.array([size * (1 + abs(z)) / 7])
    wide = np.longdouble
    r, move = z.astype(wide) - y.astype(wide), dz.astype(wide)
    honest = float((p.loss(r + move) - p.loss(r))[0])
    slope = abs(float(p.slope((z + dz).copy(), y)[0])) + abs(float(p.slope(z.copy(), y)[0]))
    rounding = 1e-13 * abs(honest) + 1e-15 * (1 + abs(z) + abs(y) + dz)[0] * (slope + size) + 1e-18 * scale**2
    assert abs(float(p.difference(z, y, dz)[0]) - honest) <= rounding


@pytest.mark.parametrize("loss", LOSSES)
def test_closed_forms(loss):
    p, r = loss([[1.0]], [0.0], 2.0), np.linspace(-5, 5, 201)
    u = (r / 2) ** 2
    true = r * r / (2 * (1 + u)) if loss is GemanMcClure else 4 / 6 * (1 - np.maximum(1 - u, 0) ** 3)
    assert p.loss(r) == pytest.approx(true, rel=1e-12, abs=1e-15)
    h = 1e-6
    assert p.slope(r.copy(), 0.0) == pytest.approx((p.loss(r + h) - p.loss(r - h)) / (2 * h), abs=1e-8)


@pytest.mark.parametrize("p", SUMS[::2], ids=lambda p: type(p).__name__)
def test_sampled_function(p):
    """The whole population as a batch: its value differences are those of gap."""
    x, y = np.random.default_rng(6).standard_normal((2, 4, 3))
    batch = p.draw(x, np.full(4, 30.0), np.random.default_rng(1))
    assert batch.value(y) == pytest.approx(p.gap(y) - p.gap(x), rel=1e-12)


@pytest.mark.parametrize("p", SUMS, ids=lambda p: f"{type(p).__name__}-{p.population}")
def test_law_is_that_of_the_atoms(p):
    x = np.random.default_rng(7).standard_normal((5, 3))
    g, w = p.atoms(x)
    centred = g - p.gradient(x)[:, None]
    scale = 1.0 if p.replace else 30 / 29
    assert p.law(x).total == pytest.approx(scale * (w * dot(centred, centred)).sum(-1), rel=1e-10)
    assert p.law(x).variances == pytest.approx(scale * (w[:, None] * centred**2).sum(1), rel=1e-9)


def test_gap_is_at_least_the_true_one():
    """F >= 0, and it is 0 where every residual is: labels without noise."""
    B, y = synthetic_regression(20, 3, 2, noise=0.0)
    w = np.linalg.lstsq(B, y, rcond=None)[0][None]
    for p in (GemanMcClure(B, y), Tukey(B, y)):
        assert 0 <= p.gap(w)[0] < 1e-30 and (p.gap(np.random.default_rng(1).standard_normal((50, 3))) > 0).all()


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
@pytest.mark.parametrize("loss", ["Geman-McClure", "Tukey"])
def test_real_data_under_the_exact_test(name, loss):
    p = robust(name, loss)
    assert [f for f in check_problem(p, rng=1, batches=300) if not f.passed] == []
    assert p.constants.L == pytest.approx({"breast_cancer": 13.2816, "diabetes": 4.0242}[name], abs=1e-4)
    trace = st.run(p, st.AdaGradNorm(0.2, 0.01), st.Ahead(st.NormTest(0.5)), np.zeros(p.dim), 60, replicates=4,
                   record=("gap", "n", "rel_total"))
    assert trace["rel_total"].max() <= 0.25 * (1 + 1e-12)
    assert (trace["gap"][-1] < 0.7 * trace["gap"][0]).all() and trace["n"].max() <= p.size


@pytest.mark.parametrize(("make", "words"), [
    (lambda: GemanMcClure(A, Y, 0.0), "scale is 0.0"), (lambda: Tukey(A, Y, math.inf), "scale is inf"),
    (lambda: Tukey(A, Y[:-1]), "one row a sample"), (lambda: GemanMcClure(A, Y * math.nan), "NaN or infinite"),
    (lambda: GemanMcClure(0 * A, Y).constants, "A is zero"),
])
def test_bad_input_is_one_line(make, words):
    with pytest.raises(ValueError) as error:
        make()
    assert words in str(error.value) and "\n" not in str(error.value)
