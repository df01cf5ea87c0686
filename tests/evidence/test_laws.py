"""Worst laws by linear programming against the closed form, and the closed form against random laws in R^d."""

import math

import numpy as np
import pytest

from samplingtheory.claims.adadagrad2024.lemmas import dual, normalised
from samplingtheory.claims.adaptive_bounds import descent_share
from samplingtheory.claims.base import Symbols
from samplingtheory.evidence.laws import worst_law


@pytest.mark.parametrize("eta", [0.1, 0.5, 0.9, 1.2])
def test_without_scale_the_worst_law_is_cantellis(eta):
    f = normalised(1e-16)
    atoms, p, value = worst_law(f, eta * eta)
    assert p.sum() == pytest.approx(1) and p @ atoms == pytest.approx(1, abs=1e-6)
    assert p @ f(atoms) == pytest.approx(descent_share(eta), abs=1e-5) == value
    assert p[atoms < 0].sum() == pytest.approx(eta**2 / (1 + eta**2), abs=1e-4)


@pytest.mark.parametrize("w", [0.0, 1e-6, 0.01, 0.1, 0.3, 1.0, 5.0, 100.0])
@pytest.mark.parametrize("eta", [0.05, 0.3, 0.6, 0.9, 1.0])
def test_the_dual_function_proves_the_share(eta, w):
    """Below f everywhere on a fine grid, with the value (1 - eta^2)/(1 + eta^2); proof in docs/proofs."""
    a, b, c = dual(Symbols(variance=eta * eta, w=w))
    x = np.concatenate([-np.geomspace(1e-9, 1e4, 100_001), np.geomspace(1e-9, 1e4, 100_001)])
    slack = normalised(w)(x) - (a + b * (x - 1) + c * (x - 1) ** 2)
    assert slack.min() >= -1e-9 and a + c * eta * eta >= descent_share(eta) - 1e-14


def test_the_grid_sees_a_share_that_is_too_large():
    a, b, c = dual(Symbols(variance=0.25, w=0.0))
    x = -np.geomspace(1e-9, 1e4, 1001)
    assert (normalised(0.0)(x) - (a + 0.01 + b * (x - 1) + c * (x - 1) ** 2)).min() < 0


def test_no_random_law_in_higher_dimension_is_worse():
    """20,000 laws with up to 5 atoms in R^1..R^4 that saturate the norm test."""
    rng = np.random.default_rng(0)
    worst = math.inf
    for _ in range(20_000):
        d, A = int(rng.integers(1, 5)), int(rng.integers(2, 6))
        p = rng.dirichlet(np.full(A, 0.5)) + 1e-9
        p /= p.sum()
        e = rng.standard_normal((A, d)) * np.exp(rng.standard_normal((A, 1)))
        e -= p @ e
        eta = rng.uniform(0.05, 1)
        e *= eta / math.sqrt(float(p @ (e * e).sum(1)))
        g = e + np.eye(d)[0]
        w = 10.0 ** rng.uniform(-8, 2)
        factor = float(p @ (g[:, 0] / np.sqrt(w + (g * g).sum(1)))) * math.sqrt(w + 1)
        worst = min(worst, factor - descent_share(eta))
    assert worst >= -1e-12
