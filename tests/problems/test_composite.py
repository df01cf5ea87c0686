"""Composite problems: certified minimisers, gaps against exact and brute-force values, cvxpy, messages."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from samplingtheory.moments import dot
from samplingtheory.problems.base import Constants
from samplingtheory.problems.check import check_problem
from samplingtheory.problems.composite import Composite, bregman, cross_check
from samplingtheory.problems.data import breast_cancer
from samplingtheory.problems.finite import FiniteSum
from samplingtheory.problems.nonconvex import Sawtooth
from samplingtheory.problems.oracles import Lazy, Oracle
from samplingtheory.problems.prox import L1, Ball, Box, ElasticNet, L1Ball, Nothing, Nuclear, Simplex
from samplingtheory.problems.quadratic import GaussianQuadratic, Quadratic, QuadraticSum
from samplingtheory.problems.regression import LeastSquares, LogisticRegression

RNG = np.random.default_rng(0)
ROOTS, LINEAR = RNG.standard_normal((6, 4, 4)), 3 * RNG.standard_normal((6, 4))
ROWS, TARGETS = RNG.standard_normal((30, 4)), RNG.standard_normal(30)
rational = np.vectorize(Fraction, otypes=[object])


def quadratic():
    return QuadraticSum(ROOTS @ ROOTS.swapaxes(-1, -2), LINEAR)


SMOOTH = {"quadratic": quadratic, "least squares": lambda: LeastSquares(ROWS, TARGETS, ridge=0.01),
          "logistic": lambda: LogisticRegression(ROWS, np.sign(TARGETS), ridge=0.05)}
TERMS = {"l1": L1(0.3), "weights": L1([0, 0.1, 0.5, 1.0]), "box": Box(-0.2, 0.1), "half": Box([-math.inf, 0, 0, 0]),
         "simplex": Simplex(), "ball": Ball(0.3), "moved ball": Ball(0.3, np.ones(4)), "l1 ball": L1Ball(0.5),
         "elastic net": ElasticNet(0.1, 0.2), "nuclear": Nuclear(0.1, (2, 2)), "zero": Nuclear(30.0, (2, 2))}
families = pytest.mark.parametrize("smooth", SMOOTH)
terms = pytest.mark.parametrize("term", TERMS)


def feasible(problem, R=5, spread=1.0, seed=1):
    """Points of the domain, also on its boundary, around the minimiser."""
    rng = np.random.default_rng(seed)
    return problem.h.prox(problem.constants.minimiser + spread * rng.standard_normal((R, problem.dim)), 0.01)


def value(smooth, x):
    """f(x) up to a constant, written plainly."""
    if isinstance(smooth, Quadratic):
        z = x - smooth.constants.minimiser
        return (z * (z @ smooth.hessian)).sum(-1) / 2
    z = x @ smooth.data.A.T
    losses = np.logaddexp(0, -smooth.y * z) if isinstance(smooth, LogisticRegression) else (z - smooth.y) ** 2 / 2
    return losses.mean(-1) + smooth.ridge / 2 * dot(x, x)


# ---------------------------------------------------------------- minimisers and gaps


@families
@terms
def test_certified_minimiser_and_gap(smooth, term):
    """Certificate below 1e-24; gap = difference of plain values to rounding, >= mu |x - x*|^2/2, 0 at x*."""
    problem = Composite(SMOOTH[smooth](), TERMS[term])
    star = problem.constants.minimiser[None]
    assert problem.h.contains(star)[0] and problem.certificate(star)[0] < 1e-24 and problem.gap_error < 1e-24
    assert problem.gap(star)[0] <= problem.gap_error and problem.constants.residual < 1e-13
    for spread in (1.0, 1e-3):
        x = feasible(problem, spread=spread)
        plain = value(problem.smooth, x) + problem.h.value(x) - value(problem.smooth, star) - problem.h.value(star)
        assert np.abs(problem.gap(x) - plain).max() < 1e-13 * (1 + abs(problem.h.value(x)).max())
        z = x - star
        assert (problem.gap(x) >= problem.constants.mu / 2 * dot(z, z) * (1 - 1e-9) - 1e-26).all()


@families
@terms
def test_gaps_stay_accurate_near_the_minimiser(smooth, term):
    """From x* towards a point p of the domain, phi falls to first order or to second: gap(x* + t (p - x*)) over its
    leading power of t is constant down to gaps of 1e-20, where a difference of values would be noise."""
    problem = Composite(SMOOTH[smooth](), TERMS[term])
    star, p = problem.constants.minimiser, feasible(problem, R=1, spread=0.3)[0]
    t = 4.0 ** -np.arange(6, 19)
    gaps = problem.gap(problem.h.prox(star + t[:, None] * (p - star), 1e-300))
    kept = gaps > 1e4 * problem.gap_error
    ratio = gaps[kept][:-1] / gaps[kept][1:]
    assert kept.sum() >= 8 and gaps[kept].min() < 1e-9 and (ratio > 3.5).all() and (ratio < 16.5).all()


@families
@terms
def test_proximal_steps_decrease_the_gap_at_the_rate(smooth, term):
    problem = Composite(SMOOTH[smooth](), TERMS[term])
    x, c = feasible(problem), problem.constants
    for _ in range(5):
        after = problem.step(x)
        assert (problem.gap(after) <= (1 - c.mu / c.L) * problem.gap(x) + problem.gap_error).all()
        assert (problem.gap(after) <= problem.certificate(x) * (1 + 1e-9) + problem.gap_error).all()
        x = after


@given(x=some.lists(some.floats(-3, 3), min_size=1, max_size=5))
@settings(max_examples=20)
def test_one_dimension_against_a_grid(x):
    """l1 logistic regression with one coefficient: min over a grid exceeds phi* by at most L step^2/2."""
    problem = Composite(LogisticRegression(ROWS[:5, :1], np.sign(TARGETS[:5]), ridge=0.1), L1(0.05))
    grid = np.linspace(-4, 4, 80_001)[:, None]
    values = value(problem.smooth, grid) + problem.h.value(grid)
    points = np.array(x)[:, None]
    rise = value(problem.smooth, points) + problem.h.value(points) - values.min()
    assert np.abs(problem.gap(points) - rise).max() <= problem.constants.L / 2 * 1e-4**2 + 1e-14
    assert abs(grid[values.argmin(), 0] - problem.constants.minimiser[0]) <= 1e-4


def test_real_data():
    """l1 logistic regression and box-constrained least squares on breast cancer: certificates below 1e-20."""
    A, y = breast_cancer()
    sparse = Composite(LogisticRegression(A, y), L1(0.05))
    boxed = Composite(LeastSquares(A, y), Box(-0.05, 0.05))
    for problem in (sparse, boxed, Composite(LogisticRegression(A, y), Nuclear(0.05, (5, 6)))):
        assert max(problem.certificate(problem.constants.minimiser[None])[0], problem.gap_error) < 1e-20
    assert 0 < np.count_nonzero(sparse.constants.minimiser) < 15
    assert (np.abs(boxed.constants.minimiser) == 0.05).any()


@pytest.mark.parametrize("kappa", [1e4, 1e8])
def test_badly_conditioned(kappa):
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((20, 20)))
    f = Quadratic((q * np.geomspace(1, 1 / kappa, 20)) @ q.T, np.random.default_rng(4).standard_normal(20))
    for h in (L1(0.01), Box(-0.2, 0.5), Simplex(), Ball(0.5), L1Ball(1.0), Nuclear(0.01, (4, 5))):
        assert Composite(f, h).gap_error < 1e-26 * kappa


def test_degenerate_active_sets():
    """Gradients exactly at the edge of the subdifferential."""
    f = Quadratic(np.array([1.0, 2.0, 0.5]), np.array([1.0, 2.0, 0.0]))
    for h, star in ((L1(4.0), [0, 0, 0]), (L1([1.0, 1.0, 0.0]), [0, 1.5, 0]), (Box(0, 1), [1, 1, 0])):
        problem = Composite(f, h)
        assert np.abs(problem.constants.minimiser - star).max() < 1e-14 and problem.gap_error < 1e-27


@pytest.mark.parametrize("h", [Box(-1, 1), L1(0.1), Simplex(), Ball(1.0), L1Ball(1.0), Nuclear(0.1, (2, 2))])
def test_convex_not_strongly(h):
    """mu = 0: |w| times a bound on the distance; the minimiser is not unique, phi* is."""
    H = np.diag([1.0, 0.3, 0.0, 0.0])
    problem = Composite(Quadratic(H, np.array([0.4, 3.0, 1.0, -1.0])), h)
    star = problem.constants.minimiser[None]
    assert problem.gap_error < 1e-13 and abs(cross_check(problem)) < 1e-6
    x = feasible(problem)
    plain = value(problem.smooth, x) + h.value(x) - value(problem.smooth, star) - h.value(star)
    assert np.abs(problem.gap(x) - plain).max() < 1e-13


@pytest.mark.parametrize("h", [Box(-40, 40), L1(0.01), Simplex(40), Ball(40.0), L1Ball(40.0), Nuclear(0.01, (2, 2))])
def test_certificates_without_strong_convexity(h):
    """A bound far from the minimiser too, which a bound by |z| alone would miss."""
    problem = Composite(Quadratic(np.array([1.0, 0.01, 0.0, 0.0]), np.array([0.4, 30.0, 0.0, 0.0])), h)
    x = np.concatenate([feasible(problem), h.prox(np.zeros((1, 4)), 1.0)])
    assert (problem.certificate(x) >= problem.gap(problem.step(x)) - 1e-13).all()


def test_a_strongly_convex_h_is_enough():
    f = Quadratic(np.array([1.0, 0.3, 0.0, 0.0]), np.array([0.4, 3.0, 1.0, -1.0]))
    problem = Composite(f, ElasticNet(0.1, 0.2))
    assert problem.gap_error < 1e-26 and problem.constants.mu == 0


def test_a_given_minimiser_may_be_rough():
    """gap is measured from it exactly, and gap_error says how far it lies above the minimum."""
    fine = Composite(quadratic(), L1(0.3))
    rough = fine.constants.minimiser * (1 + 1e-8)
    problem, x = Composite(quadratic(), L1(0.3), minimiser=rough), feasible(fine)
    lift = float(fine.gap(rough[None])[0])
    assert problem.gap(x) == pytest.approx(fine.gap(x) - lift, rel=1e-13)
    assert lift <= problem.gap_error < 1e-12 and problem.constants.residual > 1e-9


def test_newton_saves_gradients():
    """Condition number 1e8, and fewer than 200 calls of the gradient."""
    f = Quadratic(np.geomspace(1, 1e-8, 20), np.random.default_rng(4).standard_normal(20))
    problem, calls = Composite(f, Box(-0.5, 0.5)), []
    problem.smooth.gradient = lambda x: calls.append(1) or Quadratic.gradient(f, x)
    assert problem.gap_error < 1e-20 and len(calls) < 200


@families
@terms
def test_against_cvxpy(smooth, term):
    assert abs(cross_check(Composite(SMOOTH[smooth](), TERMS[term]))) < 1e-6


def test_the_cross_check_can_fail():
    problem = Composite(quadratic(), L1(0.3))
    problem.constants  # noqa: B018  -- found with this h ...
    problem.h = L1(0.4)  # ... and judged with another
    assert cross_check(problem) < -1e-3


# ---------------------------------------------------------------- exactness, delegation, the smooth case


def test_nothing_is_the_smooth_problem_to_the_bit():
    f, x = quadratic(), np.random.default_rng(2).standard_normal((7, 4))
    problem = Composite(f, Nothing())
    assert (problem.gap(x) == f.gap(x)).all() and problem.constants is f.constants
    assert problem.gap_error == f.gap_error and (problem.law(x).total == f.law(x).total).all()
    draws = [p.draw(x, np.full(7, 3.0), np.random.default_rng(5)).moments.mean for p in (problem, f)]
    assert (draws[0] == draws[1]).all() and problem.size == 6 and (problem.probabilities == f.probabilities).all()


def test_what_the_smooth_part_lacks_is_not_invented():
    base = Composite(Quadratic(np.ones(2)), L1(0.1))
    assert not hasattr(base, "law") and not hasattr(base, "atoms") and base.gradient(np.ones((1, 2))).shape == (1, 2)
    assert hasattr(Composite(GaussianQuadratic(np.ones(2), 1.0), L1(0.1)), "draw")
    names = {f.check for f in check_problem(Composite(quadratic(), Nothing())) if not f.passed}
    assert not names


def test_fractions_are_exact_at_a_known_minimiser():
    f = QuadraticSum(rational([[1, 2]] * 2), rational([[3, 1], [1, 2]]))  # F = (x - 2)^2/2 + (y - 3/4)^2
    x = rational([[0.5, 0.25], [1, 0.125]])
    for h, star in ((Box(0, 1), ["1", "3/4"]), (L1(Fraction(1, 3)), ["5/3", "7/12"]), (Simplex(), ["5/6", "1/6"])):
        problem = Composite(f, h, minimiser=rational(np.array(star, dtype=object)))
        inside = h.prox(x, Fraction(1))
        found = problem.gap(inside)
        def phi(p, h=h):
            return f.gap(p) + (rational(h.value(p)) if not isinstance(h, L1) else h.value(p))
        assert (found == phi(inside) - phi(problem.constants.minimiser[None])).all() and problem.gap_error == 0
        assert all(isinstance(v, Fraction) for v in found)
        assert np.allclose(Composite(f, h).gap(inside).astype(float), found.astype(float), rtol=1e-12, atol=1e-15)


def test_oracles_and_own_bregman():
    f, x = quadratic(), np.random.default_rng(2).standard_normal((7, 4))
    noisy = Composite(Oracle(f, Lazy(2.0)), L1(0.3))
    assert (noisy.gap(x) == Composite(f, L1(0.3)).gap(x)).all()
    own = FiniteSum(lambda p: p[:, None] * np.ones((1, 2, 1)), lambda p: dot(p, p) / 2, Constants(1, 1), 2, 4)
    with pytest.raises(TypeError, match="no Bregman divergence is known for FiniteSum"):
        Composite(own, L1(0.3)).gap(x)
    own.bregman = lambda p, y: dot(p - y, p - y) / 2
    assert np.allclose(Composite(own, L1(0.3)).gap(x), dot(x, x) / 2 + 0.3 * np.abs(x).sum(-1))


@families
def test_bregman_of_the_smooth_part(smooth):
    f, rng = SMOOTH[smooth](), np.random.default_rng(7)
    x, y = rng.standard_normal((5, 4)), rng.standard_normal(4)
    plain = value(f, x) - value(f, y[None]) - (x - y) @ f.gradient(y[None])[0]
    assert np.abs(bregman(f, x, y) - plain).max() < 1e-13 and bregman(f, y[None], y)[0] == 0


def test_outside_the_domain_the_gap_is_infinite():
    problem = Composite(quadratic(), Box(0, 1))
    assert (problem.gap(np.array([[2.0, 0, 0, 0], [0.5, 0, 0, 0]])) == math.inf).tolist() == [True, False]


# ---------------------------------------------------------------- bad input


def test_starts():
    problem = Composite(quadratic(), Simplex())
    problem.check_start(np.full(4, 0.25))
    problem.check_start(np.eye(4))
    words = r"the start \(3, 0, 0, 0\) lies outside the domain of Simplex; .* \(1, 0, 0, 0\)"
    with pytest.raises(ValueError, match=words):
        problem.check_start([[1, 0, 0, 0], [3, 0, 0, 0]])
    Composite(quadratic(), L1(1.0)).check_start(np.full(4, 90.0))


@pytest.mark.parametrize("build, words", [
    (lambda: Composite(quadratic(), Nuclear(1, (2, 3))), "acts on 6 coordinates and the smooth part on 4"),
    (lambda: Composite(quadratic(), Box([0, 0], 1)), "acts on 2 coordinates and the smooth part on 4"),
    (lambda: Composite(quadratic(), L1(1), minimiser=np.zeros(3)), r"minimiser has shape \(3,\)"),
    (lambda: Composite(quadratic(), L1(0.1), minimiser=np.ones(4)).constants, r"\(1, 1, 1, 1\) is no minimiser"),
    (lambda: Composite(quadratic(), Box(0, 1), minimiser=-np.ones(4)).constants, "is no minimiser"),
    (lambda: Composite(Sawtooth(0.1, teeth=3), L1(0.1)).constants, "needs it convex"),
])
def test_bad_input(build, words):
    with pytest.raises(ValueError, match=words) as raised:
        build()
    assert "\n" not in str(raised.value)


def test_cross_check_says_what_it_cannot_write():
    problem = Composite(FiniteSum(lambda p: p[:, None], lambda p: dot(p, p) / 2, Constants(1, 1), 1, 2), L1(1))
    with pytest.raises(TypeError, match="no cvxpy expression is known for FiniteSum"):
        cross_check(problem)


def test_the_plain_values_agree_with_the_gradients():
    """The reference itself: central differences of `value` against `gradient`."""
    x = np.random.default_rng(9).standard_normal((1, 4))
    for build in SMOOTH.values():
        f = build()
        steps = 1e-5 * np.eye(4)
        slopes = (value(f, x + steps) - value(f, x - steps)) / 2e-5
        assert np.allclose(slopes, f.gradient(x)[0], rtol=1e-7, atol=1e-8)
