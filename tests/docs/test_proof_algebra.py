"""The identities in docs/proofs on which an argument turns, in numbers: random vectors and constants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

SEEDS = hs.integers(0, 10**6)
UNIT = hs.floats(0.02, 0.98)


def sq(v):
    return float(v @ v)


@given(SEEDS, UNIT)
def test_the_exact_step_of_the_mean(seed, mu):
    """xie2020, the sharp one-step theorem (ii), with alpha = 1: both forms of the bound on P - phi*, less (1 - mu) gap."""
    w, d, y, u = np.random.default_rng(seed).standard_normal((4, 3))
    g = w - d
    summed = (1 - mu) * g @ d - (sq(w) + mu * sq(d) - 2 * mu * w @ d) / 2 + mu * g @ y \
        - mu / (2 * (1 - mu)) * (sq(u) + mu * sq(y) - 2 * mu * u @ y)
    squares = -(1 - mu) * sq(d) / 2 - sq(g - mu * y) / 2 - mu / (2 * (1 - mu)) * sq(u - mu * y)
    assert summed == pytest.approx(squares, abs=1e-9 / (1 - mu))


@given(SEEDS, UNIT, hs.floats(1, 5), UNIT)
def test_the_best_one_step_rate(seed, mu, M, share):
    """bollapragada2018: the three cocoercive inequalities and the squares that are left add up, for L = 1."""
    alpha = share * min(2 / (M + mu), 1 / (M - 1 + mu))
    rng = np.random.default_rng(seed)
    x, a, b = rng.standard_normal((3, 3))
    fx, fy = rng.standard_normal(2)  # values of phi
    slope, r, c, lam = a + mu * x, 1 - alpha * mu, alpha**2 * (M - 1) / 2, 1 - mu
    y, rho = x - alpha * slope, r * r + 2 * mu * c
    rest = r * (fx - fy - b @ (x - y) - sq(a - b) / (2 * lam)) + alpha * mu * (-fy + b @ y - sq(b) / (2 * lam)) \
        + (r - rho) * (-fx + a @ x - sq(a) / (2 * lam))
    square = sq(b - (1 - alpha) * a) / (2 * lam) + (alpha - alpha**2 * (1 + mu) / 2 - c) * sq(a) / lam
    wanted = rho * (fx + mu / 2 * sq(x)) - (fy + mu / 2 * sq(y)) - c * sq(slope)
    assert wanted == pytest.approx(rest + square, abs=1e-8 / lam)
    assert r - rho == pytest.approx(alpha * mu * (1 - alpha * mu - alpha * (M - 1)), abs=1e-12) and r - rho >= -1e-12


@given(hs.floats(1, 20), hs.floats(0.01, 1))
def test_the_form_of_one_convex_step(M, share):
    t = share / M
    s = t * t * (M - 1)
    w, tau = (t - s) / (2 * t - s), 1 / (1 + 2 * t - s)
    form = np.array([[tau, -w, w - 1], [-w, 2 * w - s, t - w], [w - 1, t - w, 1]])
    assert 0 <= w <= 1 and np.abs(form @ [1, tau, tau]).max() < 1e-12 and np.linalg.eigvalsh(form)[0] > -1e-12


@given(SEEDS)
def test_curvature_on_both_sides(seed):
    """The interpolation inequality of |F''| <= 1 over a step x+ = x - g: what is left of it."""
    g, after = np.random.default_rng(seed).standard_normal((2, 3))
    right = (g + after) @ g / 2 + sq(g - after) / 4 - sq(g) / 4
    assert right == pytest.approx(sq(g) / 2 + sq(after) / 4)


@given(hs.floats(0.001, 0.999))
def test_the_price_of_the_repair(u):
    """The larger root lies below the bound that the golden ratio asks for."""
    phi = (1 + 5**0.5) / 2
    bar = (phi - 1 + 2 * u) / (phi + u)
    at = bar**2 - u * (1 + u) * bar + u * (2 * u - 1)
    assert (u + phi) ** 2 * at == pytest.approx((2 - phi) * (1 - u) ** 3, abs=1e-13)
    matrix = np.array([[u * u, (1 - u) ** 2 / 2], [2 * u, u]])
    lam = max(np.linalg.eigvals(matrix).real)
    cost = lam * (lam - u) / (u * (1 - lam))
    assert lam <= bar + 1e-12 and cost == pytest.approx((1 - u * (2 - lam)) / (1 - lam), rel=1e-6) and cost <= phi + 1e-6


@given(hs.floats(0.05, 1.9), hs.floats(0, 0.95))
def test_the_energy_of_momentum(t, b):
    """Squared gradients that one unit of noise causes, alpha = 1: the impulse response summed against H."""
    m, x, energy = 1 - b, 0.0, 0.0
    for _ in range(20_000):
        x -= m
        energy += (t * x) ** 2
        m = b * m + (1 - b) * t * x
    assert energy == pytest.approx(t * (1 + b) / (2 + 2 * b - t * (1 - b)), rel=1e-6)


@given(UNIT, UNIT, UNIT)
def test_norm_condition_to_master(xi, v, c):
    """alpha C = c, alpha^2 V and m at the limit of N1 and of C <= sqrt(V v): eta = 2 c/(m + v) at most 2 xi/(1 + xi)."""
    v *= c  # v <= alpha C
    m = c * c / (xi * v)
    assert 2 * c / (m + v) <= 2 * xi / (1 + xi) + 1e-12


@given(hs.floats(0.01, 1))
def test_the_last_iterate(share):
    """M <= 1/t: the coefficient of |G|^2 is negative."""
    M = np.linspace(1, 50, 200)
    t = share / M
    assert (t * M - 1 - 2 * t + t * t * M < 0).all()
