"""The engine against closed forms, its certificates against tampering, its worst functions against re-simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samplingtheory.claims.base import Symbols
from samplingtheory.claims.classes import descent, noisy_step, nonconvex_descent, reduced_step, sharp_multipliers
from samplingtheory.claims.worst_cases import CLAIMS, PAIRS
from samplingtheory.evidence.worstcase import Form, Model, Vector, certify, check_multipliers, solve, sweep
from samplingtheory.evidence.worstcase.certificate import semidefinite

F = Fraction


@pytest.mark.parametrize("q, theta, expected", [(0.1, 0.5, 0.8624), (0.1, 0.9, 0.9173), (0.5, 0.5, 0.44),
                                                (0.01, 0.5, 0.98567)])
def test_one_step_values(q, theta, expected):
    M = 1 + F(theta).limit_denominator() ** 2
    found = solve(noisy_step(1, F(q).limit_denominator(), M, 1 / M)(float))
    formula = float(1 - F(q).limit_denominator() / M - F(q).limit_denominator() * (1 - F(q).limit_denominator()) / M**2)
    assert found.primal == pytest.approx(formula, abs=1e-6) and formula == pytest.approx(expected, abs=5e-5)
    assert found.gap < 1e-6 and found.residual < 1e-6


@pytest.mark.parametrize("n", [1, 2, 5, 10, 20])
def test_gradient_descent(n):
    assert solve(descent(1, n, 1)(float)).primal == pytest.approx(1 / (4 * n + 2), abs=1e-7)


@pytest.mark.parametrize("mu, M", PAIRS)
def test_sharp_rate_is_proved_in_rationals(mu, M):
    s = Symbols(exact_alpha=1 / F(M), exact_mu=mu, exact_L=1, exact_growth=M)
    q, m = F(mu), F(M)
    assert check_multipliers(reduced_step(1, mu, M, 1 / m)(F), sharp_multipliers(s)) == 1 - q / m - q * (1 - q) / m**2


def test_tampered_multipliers_are_refused():
    s = Symbols(exact_alpha=F(4, 5), exact_mu="1/10", exact_L=1, exact_growth="5/4")
    model, good = reduced_step(1, "1/10", "5/4", F(4, 5))(F), sharp_multipliers(s)
    with pytest.raises(ValueError, match="do not cancel"):
        check_multipliers(model, good | {"start": good["start"] - F(1, 10**9)})
    with pytest.raises(ValueError, match="not positive semidefinite"):
        tiny = F(1, 10**6)
        check_multipliers(model, good | {"f: * above 0": good["f: * above 0"] + tiny, "start": good["start"] - tiny})
    with pytest.raises(ValueError, match="below 0"):
        check_multipliers(model, good | {"f: 0 above *": F(-1)})


def test_certificates_bound_from_above():
    for build, exact in ((descent(1, 2, 1), F(1, 10)), (nonconvex_descent(1, 2, False), F(1)),
                         (noisy_step(1, "1/10", "5/4", "4/5"), F("0.8624"))):
        found = solve(build(float))
        certificate = certify(build(F), found)
        assert certificate.exact and exact <= certificate.bound <= exact * (1 + F(1, 10**5))
        assert check_multipliers(build(F), certificate.multipliers) == certificate.bound


def test_worst_function_satisfies_everything_from_coordinates():
    found = solve(noisy_step(1, "1/10", "5/4", "4/5")(float))
    P = found.points()
    assert found.evaluate(found.model.objective, P) == pytest.approx(0.8624, abs=1e-6)
    assert max(found.evaluate(form, P) for _, form in found.model.constraints) < 1e-6


def test_sweep_equals_single_solves():
    steps = np.linspace(0.5, 1.5, 5)
    swept = [w.primal for w in sweep(lambda a: descent(1, 3, F(a))(float), steps)]
    np.testing.assert_allclose(swept, [solve(descent(1, 3, F(float(a)))(float)).primal for a in steps], atol=1e-7)


@given(st.lists(st.lists(st.integers(-4, 4), min_size=3, max_size=3), min_size=1, max_size=3))
def test_semidefinite_is_exact(rows):
    R = np.array(rows)
    S = [[F(int(v)) for v in row] for row in R.T @ R]
    assert semidefinite(S)
    S[0][0] -= F(1, 10**30)
    inverse_part = np.linalg.matrix_rank(R[:, 1:]) == np.linalg.matrix_rank(R)
    if inverse_part:  # the first column lies in the span of the others: no room at all
        assert not semidefinite(S)


@given(st.lists(st.integers(-3, 3), min_size=4, max_size=4), st.lists(st.integers(-3, 3), min_size=4, max_size=4))
def test_vectors_and_forms_are_linear_algebra(a, b):
    model = Model()
    basis = [model.vector(f"p{i}") for i in range(4)]
    P = np.random.default_rng(0).standard_normal((4, 3))
    u = sum((int(c) * p for c, p in zip(a, basis, strict=True)), Vector())
    v = sum((int(c) * p for c, p in zip(b, basis, strict=True)), Vector())
    form = 2 * (u @ v) - (u - v).squared + 3
    value = float(form.constant) + sum(c * P[i] @ P[j] for (i, j), c in form.gram.items())
    x, y = np.array(a) @ P, np.array(b) @ P
    assert value == pytest.approx(2 * x @ y - (x - y) @ (x - y) + 3, abs=1e-9)


@pytest.mark.parametrize("L, mu", [(1, 2), (-1, 0), (1, -0.5), (math.inf, -math.inf)])
def test_bad_classes_are_refused(L, mu):
    with pytest.raises(ValueError, match="need 0 <= mu <= L"):
        Model().function(L, mu)


@pytest.mark.parametrize("build", [lambda: noisy_step(1, "1/10", "5/4", "-4/5"), lambda: descent(1, 2, 0),
                                   lambda: noisy_step(1, "1/10", "1/2", "4/5")])
def test_steps_and_growth_out_of_range_are_refused(build):
    with pytest.raises(ValueError, match=r"above 0|at least 1"):
        build()


def test_a_class_of_one_curvature_is_a_quadratic():
    """mu = L = 1 and a step of 1/2 from distance 1: (1/2)(1/2)^2."""
    model = Model()
    f = model.function(1.0, 1.0)
    x = model.vector("x")
    f.minimum()
    model.require("start", x.squared - 1)
    g, _ = f.at(x, "0")
    assert solve(model.maximise(f.at(x - 0.5 * g, "1")[1])).primal == pytest.approx(0.125, abs=1e-5)


def test_unbounded_models_are_inconclusive():
    model = Model()
    f = model.function(1.0, 0.0)
    x = model.vector("x")
    f.minimum()
    with pytest.raises(ArithmeticError, match=r"inconclusive \(solver\)"):
        solve(model.maximise(f.at(x, "0")[1]))
    assert Form().constant == 0


def test_every_class_claim_has_a_row_with_a_gap():
    assert len({c.id for c in CLAIMS}) == 11 and all(c.kind == "class" for c in CLAIMS)


def test_a_zero_on_the_diagonal_needs_a_zero_row():
    for rows, answer in (([[0, 1], [1, 5]], False), ([[0, 0], [0, 5]], True), ([[1, 1, 1], [1, 1, 2], [1, 2, 9]], False)):
        assert semidefinite([[Fraction(v) for v in row] for row in rows]) is answer
