"""Closed forms: curvature bounds are attained, gaps do not cancel, the slow function is as slow as it says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from samplingtheory.problems.check import check_problem
from samplingtheory.problems.separable import Cosh, CosQuad, LogQuad, Slow1D

BASES = [LogQuad(), LogQuad(3), CosQuad(), CosQuad([0.05, 0.5, 1.0]), CosQuad(0.3, 2.0, 3.0, dim=2), Slow1D(),
         Slow1D(3.0), Cosh(), Cosh(3)]
numbers = some.floats(-20, 20, allow_subnormal=False)


def curvature(base, low, high, h=1e-4):
    """F'' of a one-dimensional base on a grid, from differences of F'."""
    x = np.linspace(low, high, 200_001)[:, None]
    return (base.gradient(x + h) - base.gradient(x - h))[:, 0] / (2 * h), x[:, 0]


@pytest.mark.parametrize("base", BASES, ids=lambda b: f"{type(b).__name__}{b.dim}")
def test_the_base_is_consistent(base):
    assert [f for f in check_problem(base, rng=2) if not f.passed] == []


@pytest.mark.parametrize(("base", "L", "mu"), [(LogQuad(), 2.0, -0.25), (CosQuad(1.0, 1.0, 2.0), 5.0, -3.0),
                                               (CosQuad(0.05, 2.0, 0.5), 0.55, -0.45), (Slow1D(1.5), 1.5, 0.0)])
def test_curvature_bounds_are_attained(base, L, mu):
    """Sup and inf of F'' on a grid, up to the error of its differences: neither bound is loose, neither is wrong."""
    assert (base.constants.L, base.constants.mu) == pytest.approx((L, mu), rel=1e-15)
    found, _ = curvature(base, -30, 30)
    assert found.max() == pytest.approx(L, rel=1e-5)
    assert found.min() == pytest.approx(mu, rel=1e-5, abs=1e-3)
    assert base.curvatures == pytest.approx([L])


def test_relaxed_smoothness_of_cosh_is_attained():
    found, x = curvature(Cosh(), -8, 8)
    ratio = found / (1 + np.abs(np.sinh(x)))
    assert ratio.max() == pytest.approx(1, abs=1e-5) and ratio[0] == pytest.approx(1, abs=1e-3)
    c = Cosh().constants
    assert (c.L, c.L0, c.L1, c.mu) == (math.inf, 1, 1, 1)


@given(some.sampled_from(BASES), some.lists(numbers, min_size=6, max_size=6))
def test_certified_constants_on_pairs(base, values):
    """mu |z|^2 <= <G(y) - G(x), z> <= sum L_i z_i^2, and for cosh |G(y) - G(x)| <= (L0/L1 + |G(x)|)(e^(L1|z|) - 1)."""
    x, y = (np.array([values[i:i + base.dim]]) for i in (0, 3))
    z, change, c = y - x, base.gradient(y) - base.gradient(x), base.constants
    slack = 1e-12 * (1 + np.abs(base.gradient(x)).max() + np.abs(base.gradient(y)).max()) * (1 + np.abs(z).max())
    assert (change * z).sum() >= c.mu * (z * z).sum() - slack
    if math.isfinite(c.L):
        assert (change * z).sum() <= (base.curvatures * z * z).sum() + slack
        assert base.curvatures.max() <= c.L
    else:
        length = np.sqrt((z * z).sum())
        allowed = (c.L0 / c.L1 + np.sqrt((base.gradient(x) ** 2).sum())) * math.expm1(c.L1 * length)
        assert np.sqrt((change**2).sum()) <= allowed * (1 + 1e-12) + slack


@pytest.mark.parametrize("base", [LogQuad(2), CosQuad([0.05, 1.0]), Cosh(2)], ids=lambda b: type(b).__name__)
@pytest.mark.parametrize("h", [1e-3, 1e-6, 1e-9, 1e-12])
def test_gap_keeps_its_digits_near_the_minimiser(base, h):
    """gap = sum F_i''(0) h^2/2 (1 + O(h^2)): a difference of values of F would have no digit left at 1e-9."""
    second = base.curvatures if hasattr(base, "curvatures") else np.ones(2)
    assert base.gap(np.array([[h, -h]]))[0] == pytest.approx(second.sum() * h * h / 2, rel=10 * h * h + 1e-14)


def test_gaps_are_the_functions():
    x = np.linspace(-5, 5, 101)[:, None]
    t = x[:, 0]
    assert LogQuad().gap(x) == pytest.approx(np.log(1 + t * t), rel=1e-13, abs=1e-13)
    assert CosQuad(0.3, 2.0, 3.0).gap(x) == pytest.approx(0.15 * t * t + 2 * (1 - np.cos(3 * t)), rel=1e-13, abs=1e-13)
    assert Cosh().gap(x) == pytest.approx(np.cosh(t) - 1, rel=1e-13, abs=1e-13)
    assert Slow1D(1.5).gap(x) == pytest.approx(
        np.where(t >= 0, 2 * (1 + np.abs(t)) ** -0.5, 2 - t + 0.75 * t * t), rel=1e-13)


def test_slow_function_has_no_minimum():
    base, far = Slow1D(1.5), np.array([[0.0], [1e3], [1e9], [1e15]])
    assert base.constants.minimiser is None
    assert (np.diff(base.gap(far)) < 0).all() and base.gap(far)[-1] == pytest.approx(2 * 1e15**-0.5, rel=1e-9)
    assert (base.gradient(np.linspace(-5, 1e3, 1001)[:, None]) < 0).all()


@pytest.mark.parametrize("p", [1.2, 2.0])
def test_slow_function_sets_the_rate_of_gradient_descent(p):
    """|F'(x_k)|^2 ~ k^(-2p/(1+p)): the local slope between k = 2000 and 8000 is within 0.01 of it."""
    base, x, seen = Slow1D(p), np.zeros((1, 1)), {}
    for k in range(1, 8001):
        x = x - base.gradient(x) / p
        seen[k] = float(base.gradient(x)[0, 0] ** 2)
    assert math.log(seen[8000] / seen[2000]) / math.log(4) == pytest.approx(-2 * p / (1 + p), abs=0.01)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: LogQuad(0), "dim is 0"), (lambda: Cosh(1.5), "dim is 1.5"), (lambda: Slow1D(1.0), "p - 1 is 0.0"),
    (lambda: Slow1D(math.nan), "p is nan"), (lambda: CosQuad(-1.0), "curvature is -1.0"),
    (lambda: CosQuad([1.0, 2.0], dim=3), "one for each of 3"), (lambda: CosQuad(1.0, 0.0), "height is 0.0"),
    (lambda: CosQuad(1.0, 1.0, math.inf), "frequency is inf"),
])
def test_bad_input_is_one_line(make, words):
    with pytest.raises(ValueError) as error:
        make()
    assert words in str(error.value) and "\n" not in str(error.value)
