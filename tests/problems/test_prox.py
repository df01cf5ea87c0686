"""Every h: proximal operators as laws, Bregman forms against exact arithmetic, cvxpy once, messages."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as npst

from samplingtheory.problems.crosscheck import expression
from samplingtheory.problems.prox import L1, Ball, Box, ElasticNet, L1Ball, Nothing, Nuclear, Simplex

D = 4
CENTRE = np.array([1.0, -2.0, 0.0, 0.5])
SETS = {"box": Box(-0.5, 1.0), "orthant": Box([-math.inf, 0, 0, -1], math.inf), "point": Box(0.3, 0.3),
        "simplex": Simplex(), "large simplex": Simplex(5.0), "ball": Ball(1.5), "moved ball": Ball(0.7, CENTRE),
        "l1 ball": L1Ball(2.0)}
PENALTIES = {"l1": L1(0.7), "l1, weights": L1([0.0, 1.0, 0.3, 2.0]), "l1, zero": L1(0), "nuclear": Nuclear(0.8, (2, 2)),
             "wide": Nuclear(1.1, (1, 4)), "elastic net": ElasticNet(0.4, 0.6), "ridge": ElasticNet(0, 2.0),
             "nothing": Nothing()}
ALL = SETS | PENALTIES
every = pytest.mark.parametrize("h", ALL.values(), ids=ALL)
every_set = pytest.mark.parametrize("h", SETS.values(), ids=SETS)
few = settings(max_examples=30)
coordinates = some.floats(-8, 8, allow_subnormal=False).map(lambda v: round(v, 3))
points = npst.arrays(float, (3, D), elements=coordinates)
steps = some.floats(0.05, 3.0)
rational = np.vectorize(Fraction, otypes=[object])


def norm(x):
    return np.sqrt((x * x).sum(-1))


# ---------------------------------------------------------------- laws of proximal operators


@every
@few
@given(u=points, v=points, alpha=steps)
def test_firmly_nonexpansive(h, u, v, alpha):
    """|p - q|^2 <= <p - q, u - v>; Cauchy-Schwarz makes it nonexpansive."""
    move = h.prox(u, alpha) - h.prox(v, alpha)
    assert ((move * move).sum(-1) <= (move * (u - v)).sum(-1) + 1e-13 * (1 + norm(u - v) ** 2)).all()
    assert (norm(move) <= norm(u - v) * (1 + 1e-13) + 1e-14).all()


@every
@few
@given(u=points, alpha=steps, other=points)
def test_the_prox_minimises(h, u, alpha, other):
    """(u - z)/alpha lies in dh(z), and h(y) + |y - u|^2/(2 alpha) exceeds its minimum by |y - z|^2/(2 alpha)."""
    z, y = h.prox(u, alpha), h.prox(other, 1.0)
    s = (u - z) / alpha
    assert norm(h.subgradient(z, s) - s).max() <= 1e-13 * (1 + norm(s).max()) * (1 + 1 / alpha)
    def total(p):
        return h.value(p) + norm(p - u) ** 2 / (2 * alpha)
    assert (total(z) + norm(y - z) ** 2 / (2 * alpha) <= total(y) + 1e-12 * (1 + total(y))).all()


@every
@few
@given(u=points, alpha=steps)
def test_rows_do_not_see_each_other(h, u, alpha):
    z = h.prox(u, alpha)
    assert np.allclose(z[1], h.prox(u[1], alpha), rtol=0, atol=1e-14)
    per_row = h.prox(u, np.full((3, 1), alpha))
    assert np.allclose(z, per_row, rtol=0, atol=1e-14)
    assert h.prox(u[:, None], alpha).shape == (3, 1, D) and h.value(u[:, None]).shape == (3, 1)


@every_set
@few
@given(u=points, size=some.sampled_from([1e-6, 1.0, 1e9]), alpha=steps)
def test_projections_are_feasible_idempotent_and_ignore_alpha(h, u, size, alpha):
    z = h.prox(size * u, alpha)
    assert h.contains(z).all() and (h.value(z) == 0).all()
    assert np.abs(h.prox(z, 2 * alpha) - z).max() <= 1e-14 * (1 + np.abs(z).max())
    assert (h.prox(size * u, 7.0) == z).all()


def inf_norm_level(u, radius):
    """t with sum max(|u_i| - t, 0) = radius, by bisection; 0 if |u|_1 <= radius."""
    low, high = 0.0, np.abs(u).max()
    if np.abs(u).sum() <= radius:
        return 0.0
    for _ in range(100):
        t = (low + high) / 2
        low, high = (t, high) if np.maximum(np.abs(u) - t, 0).sum() > radius else (low, t)
    return t


def max_level(u, total):
    low, high = u.min() - total, u.max()
    for _ in range(100):
        t = (low + high) / 2
        low, high = (t, high) if np.maximum(u - t, 0).sum() > total else (low, t)
    return t


@few
@given(u=points, alpha=steps)
def test_moreau(u, alpha):
    """u = prox_{alpha h}(u) + alpha prox_{h*/alpha}(u/alpha), the conjugate's operator written independently."""
    def close(h, conjugate):
        assert np.abs(h.prox(u, alpha) + conjugate - u).max() <= 1e-13 * (1 + np.abs(u).max())

    close(L1(0.7), alpha * np.clip(u / alpha, -0.7, 0.7))
    close(L1([0, 1, 0.3, 2]), alpha * Box(-np.array([0, 1, 0.3, 2]), [0, 1, 0.3, 2]).prox(u / alpha, 1))
    left, sigma, right = np.linalg.svd(u.reshape(3, 2, 2))
    close(Nuclear(0.8, (2, 2)), alpha * ((left * np.minimum(sigma / alpha, 0.8)[:, None]) @ right).reshape(3, 4))
    close(Ball(1.5), np.maximum(1 - 1.5 / np.maximum(norm(u), 1e-9), 0)[:, None] * u)
    levels = np.array([inf_norm_level(row, 2.0) for row in u])[:, None]
    close(L1Ball(2.0), np.clip(u, -levels, levels))
    close(Simplex(5.0), np.minimum(u, np.array([max_level(row, 5.0) for row in u])[:, None]))
    close(ElasticNet(0, 0.5), 0.5 * alpha * u / (1 + 0.5 * alpha))


@given(u=points, alpha=steps)
def test_nothing_and_weight_zero_change_nothing(u, alpha):
    assert Nothing().prox(u, alpha) is u
    for h in (L1(0), ElasticNet(0, 0), Box()):
        assert (h.prox(u, alpha) == u).all()
    assert np.allclose(Nuclear(0, (2, 2)).prox(u, alpha), u, rtol=0, atol=1e-13)


# ---------------------------------------------------------------- values and Bregman forms


@every
@few
@given(u=points, v=points, alpha=steps)
def test_bregman_is_its_definition(h, u, v, alpha):
    """With s in dh(y): h(x) - h(y) - <s, x - y>, at least 0, and 0 at y; here to rounding of the difference."""
    x, y = h.prox(u, alpha), h.prox(v, alpha)
    s = h.subgradient(y, (v - y) / alpha)
    found = h.bregman(x, y, s)
    assert np.abs(found - (h.value(x) - h.value(y) - (s * (x - y)).sum(-1))).max() <= 1e-12 * (1 + norm(s).max())
    assert (found >= 0).all() and h.bregman(y, y, s).max() <= 1e-26 * (1 + norm(s).max())


@every
@few
@given(u=points, v=points, s=points)
def test_subgradients_are_subgradients(h, u, v, s):
    """Whatever s is: h(x) >= h(y) + <subgradient(y, s), x - y>."""
    x, y = h.prox(u, 0.5), h.prox(v, 0.5)
    s = h.subgradient(y, s)
    assert (h.value(x) - h.value(y) - (s * (x - y)).sum(-1) >= -1e-12 * (1 + norm(s) * norm(x - y))).all()
    assert np.abs(h.subgradient(y, s) - s).max() <= 1e-14 * (1 + np.abs(s).max())


def exact_nuclear(x):
    """Singular values of a 2 x 2 matrix sum to sqrt(|X|^2 + 2 |det X|)."""
    a, b, c, d = x
    return (a * a + b * b + c * c + d * d + 2 * abs(a * d - b * c)).sqrt()


def exact_rise(h, x, y, s):
    """h(x) - h(y) - <s, x - y> of the nuclear norm, from 60 digits."""
    with localcontext() as context:
        context.prec = 60
        X, Y, S = ([Decimal(float(t)) for t in point] for point in (x, y, s))
        slope = sum(a * (b - c) for a, b, c in zip(S, X, Y, strict=True))
        return float(Decimal(h.weight) * (exact_nuclear(X) - exact_nuclear(Y)) - slope)


whole = some.integers(-8, 8).filter(bool)
pairs = npst.arrays(float, 2, elements=whole.map(float))


@few
@given(p=pairs, q=pairs, a=pairs, b=pairs, s=points, t=some.sampled_from([1.0, 2.0**-10, 2.0**-20]))
def test_the_nuclear_bregman_does_not_cancel(p, q, a, b, s, t):
    """x, y of rank 1 exactly; 4e-15 |x - y|: the subgradient itself is rounded, which the reference sees."""
    h, y, x = Nuclear(0.8, (2, 2)), np.outer(p, q).reshape(4), np.outer(p + t * a, q + t * b).reshape(4)
    s = h.subgradient(y, s[0])
    true = exact_rise(h, x, y, s)
    assert abs(h.bregman(x, y, s) - true) <= 1e-10 * true + 4e-15 * norm(x - y) + 1e-28


@few
@given(p=pairs, q=pairs, move=points, t=some.sampled_from([1.0, 1e-4, 1e-6]))
def test_the_nuclear_bregman_at_a_higher_rank(p, q, move, t):
    h, y = Nuclear(0.8, (2, 2)), np.outer(p, q).reshape(4)
    s, x = h.subgradient(y, move[1]), y + t * move[0]
    true = exact_rise(h, x, y, s)
    assert abs(h.bregman(x, y, s) - true) <= 1e-12 * true + 4e-15 * norm(x - y) + 4e-16 * norm(x)


EXACT = {"box": Box(-0.5, 1.0), "simplex": Simplex(), "l1 ball": L1Ball(2), "l1": L1(0.75),
         "l1, weights": L1([0.0, 1.0, 0.25, 2.0]), "elastic net": ElasticNet(0.5, 0.25)}


@pytest.mark.parametrize("h", EXACT.values(), ids=EXACT)
@few
@given(u=points, v=points, alpha=some.sampled_from([0.25, 0.5, 1.0, 3.0]))
def test_fractions_pass_and_agree(h, u, v, alpha):
    """prox, subgradient, value, bregman in Fractions are exact; in floats they are the same up to rounding."""
    x, y = h.prox(rational(u), Fraction(alpha)), h.prox(rational(v), Fraction(alpha))
    s = h.subgradient(y, (rational(v) - y) / Fraction(alpha))
    assert all(isinstance(t, int | Fraction) for part in (x, y, s) for t in part.flat)
    assert (s == (rational(v) - y) / Fraction(alpha)).all()
    found = h.bregman(x, y, s)
    rise = rational(h.value(x)) - rational(h.value(y))
    assert (found == rise - (s * (x - y)).sum(-1)).all() and h.contains(x).all()
    assert np.allclose(h.prox(u, alpha), x.astype(float), rtol=0, atol=1e-14 * 20)


@every
def test_whole_numbers_are_numbers(h):
    u = np.array([[3, -2, 0, 1]])
    assert np.array_equal(h.prox(u, 1), h.prox(u.astype(float), 1.0))


def test_fractions_as_parameters_serve_floats_too():
    u = np.array([[2.0, -0.25]])
    for h in (L1(Fraction(1, 2)), Box(Fraction(0), Fraction(1, 3)), Simplex(Fraction(1, 2)), L1Ball(Fraction(1, 4))):
        assert h.prox(u, 1.0).dtype == float and h.value(h.prox(u, 1.0)).dtype == float


@every_set
def test_outside_a_set(h):
    far = np.array([[90.0, -90.0, 90.0, -90.0]])
    assert not h.contains(far)[0] and h.value(far)[0] == math.inf
    y = h.prox(far, 1.0)
    assert h.bregman(far, y, h.subgradient(y, far - y))[0] == math.inf
    assert not h.contains(np.full((1, D), math.nan))[0]


@every_set
def test_membership_forgives_rounding_and_no_more(h):
    y = h.prox(np.array([[3.0, -2.0, 0.5, 1.0]]), 1.0)
    assert (h.contains(y * (1 + 4e-16)).all() and not h.contains(y + 1e-9 * np.sign(np.array([1, -1, 1, 1]))).all()) \
        or (isinstance(h, Box) and h.contains(y).all())


@every
@few
@given(u=points, v=points)
def test_distance_bounds_the_set(h, u, v):
    """Sets: the diameter. Penalties: |z - x*| with h(x*) <= drop."""
    x, y = h.prox(u, 0.1), h.prox(v, 0.1)
    drop = float(h.value(y).max())
    assert (norm(x - y) <= h.distance(x, drop) * (1 + 1e-12) + 1e-12).all()


# ---------------------------------------------------------------- an independent solver


@every
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
def test_against_cvxpy(h):
    import cvxpy

    rng = np.random.default_rng(1)
    for alpha in (0.3, 2.0):
        u, x = 2 * rng.standard_normal(D), cvxpy.Variable(D)
        penalty, constraints = expression(h, x)
        problem = cvxpy.Problem(cvxpy.Minimize(alpha * penalty + cvxpy.sum_squares(x - u) / 2), constraints)
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
        assert np.abs(x.value - h.prox(u, alpha)).max() <= 1e-6


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("build, words", [
    (lambda: L1(-1), "weight is -1; give a finite number, at least 0"),
    (lambda: L1(math.nan), "weight is nan"), (lambda: L1([1.0, -2.0]), r"weight is \[ 1. -2.\]"),
    (lambda: ElasticNet(1, -1), "l2 is -1"), (lambda: ElasticNet([1, 2], [1, 2, 3]), r"lengths \[2, 3\]"),
    (lambda: Nuclear(-1, (2, 2)), "weight is -1"), (lambda: Nuclear([1, 2], (2, 2)), "give one number"),
    (lambda: Nuclear(1, (0, 2)), "two whole numbers"), (lambda: Nuclear(1, (2, 2, 2)), "two whole numbers"),
    (lambda: Box(1, 0), "low = 1, high = 0; need low <= high"), (lambda: Box([0, 2], 1), "need low <= high"),
    (lambda: Box(math.nan, 1), "no NaN"), (lambda: Box(math.inf), "need low <= high"),
    (lambda: Box([0, 0], [1, 1, 1]), r"lengths \[2, 3\]"),
    (lambda: Simplex(0), "total is 0; give a finite number above 0"), (lambda: Simplex(math.nan), "total is nan"),
    (lambda: Simplex().prox(np.ones((3, 0)), 1), "simplex of dimension 0 is empty"),
    (lambda: Ball(0), "radius is 0"), (lambda: Ball(-1), "radius is -1"), (lambda: Ball(math.inf), "radius is inf"),
    (lambda: Ball(1, [0, math.nan]), "center is"), (lambda: L1Ball(-2), "radius is -2"),
    (lambda: Nuclear(1, (2, 2)).prox(np.ones(3), 1), "points have 3 entries; matrices"),
])
def test_bad_input(build, words):
    with pytest.raises(ValueError, match=words) as raised:
        build()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("make", [lambda: L1("a"), lambda: Nuclear(1.0, 6), lambda: Nuclear(1.0, ("a", 2)),
                                  lambda: Nuclear(1.0, (2.5, 2))])
def test_parameters_that_are_no_numbers(make):
    with pytest.raises(ValueError, match=r"(weight|shape) is"):
        make()
