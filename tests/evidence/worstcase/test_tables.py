"""Tables of the design notes and closed forms, met by the engine; bad input."""

import math
from fractions import Fraction

import numpy as np
import pytest

from experiments import e03_worst_cases as e03
from experiments.e03_worst_cases import convex_two, huber
from samplingtheory.claims.classes import (
    composite_step,
    convex_multipliers,
    convex_one,
    descent,
    noisy_step,
    reduced_step,
    relative_error,
    tree,
)
from samplingtheory.evidence.worstcase import Model, check_multipliers, solve, sweep
from samplingtheory.evidence.worstcase.gram import Vector


def value(build):
    found = solve(build(float))
    assert found.gap < 1e-5 and found.residual < 1e-5
    assert found.evaluate(found.model.objective) == pytest.approx(found.primal, abs=1e-5)
    return found.primal


# ---------------------------------------------------------------- 6.2: relative error, 6.3: noise


@pytest.mark.parametrize("mu, L, eps, one, two, distance", [
    (".1", 1, ".1", .720359, .518917, .779297), (".1", 1, ".3", .806063, .649738, 1.003915),
    (".1", 1, ".5", .875130, .765853, 1.233138), (".1", 1, ".9", .979167, .958768, 1.700190),
    (".01", 1, ".5", .986755, .973686, 1.470363), (".5", 2, ".2", .510204, .260308, .571429),
    ("1", 10, ".7", .931839, .868323, 1.465528)])
def test_relative_error(mu, L, eps, one, two, distance):
    """At alpha = 2/(L_e + mu_e): ((L_e - mu_e)/(L_e + mu_e))^2 in values, its square for two steps."""
    high, low = (1 + Fraction(eps)) * L, (1 - Fraction(eps)) * Fraction(mu)
    alpha, factor = 2 / (high + low), float((high - low) / (high + low)) ** 2
    assert factor == pytest.approx(one, abs=1e-6)
    assert value(relative_error(L, mu, eps, alpha)) == pytest.approx(factor, abs=1e-6)
    a, m, e = float(alpha), float(Fraction(mu)), float(Fraction(eps))
    assert solve(inexact(L, m, e, a, 2)).primal == pytest.approx(two, abs=1e-5)
    assert solve(inexact(L, m, e, a, 1, "distance")).primal == pytest.approx(distance, abs=1e-5)


def inexact(L, mu, eps, alpha, steps, measure="value"):
    """`steps` steps along d, |d - grad f| <= eps |grad f|: values, or squared distances."""
    model = Model()
    f = model.function(float(L), mu)
    x = start = model.vector("x")
    f.minimum()
    for k in range(steps):
        g, F = f.at(x, str(k))
        if k == 0:
            model.require("start", (F if measure == "value" else start.squared) - 1)
        e = model.vector(f"error {k}")
        model.require(f"error {k}", e.squared - eps**2 * g.squared)
        x = x - alpha * (g + e)
    return model.maximise(f.at(x, "end")[1] if measure == "value" else x.squared)


@pytest.mark.parametrize("mu, L, eps, expected", [
    (".1", 1, "0", .81), (".1", 1, ".5", .8624), (".1", 1, "1", .9275), (".1", 1, "2", .9764), (".1", 1, "5", .996021),
    (".5", 1, "1", .6875), (".9", 1, "1", .5275), (".3", 2, "1.5", .941775), (".1", 1, ".9", .917280),
    (".5", 1, ".5", .44), (".01", 1, ".5", .985664)])
def test_noise(mu, L, eps, expected):
    """1 - q/M - q(1 - q)/M^2 at alpha = 1/(LM), by two scenarios and by the reduced programme."""
    M = 1 + Fraction(eps) ** 2
    q = Fraction(mu) / L
    exact = float(1 - q / M - q * (1 - q) / M**2)
    assert exact == pytest.approx(expected, abs=1e-6)
    for build in (noisy_step, reduced_step):
        assert value(build(L, mu, M, 1 / (L * M))) == pytest.approx(exact, abs=1e-6)


# ---------------------------------------------------------------- 6.4: composite


@pytest.mark.parametrize("eta, expected", [(".1", .8371), (".3", .8859), (".5", .9275), (".7", .9619), (".9", .9891)])
def test_inner_product_condition(eta, expected):
    """(1 - kappa)^2 + eta kappa at alpha = (1 - eta)/L, kappa = alpha mu = mu (1 - eta)."""
    alpha = 1 - Fraction(eta)
    kappa = float(alpha) / 10
    assert (1 - kappa) ** 2 + float(Fraction(eta)) * kappa == pytest.approx(expected, abs=1e-9)
    assert value(composite_step(1, ".1", alpha, eta=eta)) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("mu, xi, alpha", [(".2", ".2", ".6"), (".1", ".5", ".5"), (".1", "1", ".5")])
def test_norm_condition(mu, xi, alpha):
    """(1 - kappa)^2 + kappa xi/(2 - alpha L) for xi <= (2 - alpha L)(1 - kappa)."""
    a, kappa = float(Fraction(alpha)), float(Fraction(alpha) * Fraction(mu))
    expected = (1 - kappa) ** 2 + kappa * float(Fraction(xi)) / (2 - a)
    assert value(composite_step(1, mu, alpha, xi=xi)) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("mu, xi, alpha, expected", [(".1", "1.5", ".7", .95752), (".2", "1.5", ".4", .92141)])
def test_norm_condition_beyond_its_range(mu, xi, alpha, expected):
    assert value(composite_step(1, mu, alpha, xi=xi)) == pytest.approx(expected, abs=2e-4)


def test_without_noise():
    """alpha = 1/L: (1 - mu/L)^2."""
    for mu in (".1", ".5"):
        assert value(composite_step(1, mu, 1, xi="0")) == pytest.approx((1 - float(Fraction(mu))) ** 2, abs=2e-4)


# ---------------------------------------------------------------- convex functions


@pytest.mark.parametrize("n", [1, 2, 5, 10, 20])
def test_gradient_descent(n):
    assert value(descent(1, n, 1)) == pytest.approx(1 / (4 * n + 2), abs=1e-7)


@pytest.mark.parametrize("M", ["1", "5/4", "2", "5", "36"])
@pytest.mark.parametrize("share", ["1", "1/2"])
def test_one_convex_step_under_noise(M, share):
    """L R^2/(2(1 + 2t - t^2 (M - 1))): an exact dual in Fractions, attained by a Huber function."""
    M, t = Fraction(M), Fraction(share) / Fraction(M)
    exact = convex_one(M, t)
    assert check_multipliers(tree(0, M, [t], start="distance", number=Fraction), convex_multipliers(M, t)) == exact
    assert solve(tree(0, M, [t], start="distance")).primal == pytest.approx(float(exact), abs=1e-7)
    knee = 1 / (1 + 2 * t - t * t * (M - 1))  # f = knee |x| - knee^2/2 beyond the knee, x = 1, noise across
    after = 1 - t * knee
    assert after >= knee and knee * after - knee**2 / 2 + t * t * (M - 1) * knee**2 / 2 == exact


def test_several_convex_steps_exceed_the_guess():
    for M in (1.25, 2.0, 5.0):
        two = [solve(tree(0, M, [1 / M] * 2, S, "distance")).primal for S in (2, 3)]
        assert two == pytest.approx([convex_two(M)] * 2, abs=1e-7)
        assert two[0] > huber(M, 2) > M / (8 + 2 * M)


def test_two_strongly_convex_steps_beat_the_square():
    for q, M in ((0.1, 1.25), (0.5, 1.25), (0.1, 5.0)):
        two = [solve(tree(q, M, [1 / M] * 2, S)).primal for S in (2, 3)]
        assert two[0] == pytest.approx(two[1], abs=1e-7)
        assert two[0] < (1 - q / M - q * (1 - q) / M**2) ** 2 - 1e-3


def test_the_experiment_on_small_trees():
    tasks = [t for t in e03.tasks(True) if t.get("T", 0) <= 2 and t.get("S", 2) == 2 and t.get("q") in (0.0, 0.1, "0")]
    steps = {"kind": "steps", "q": 0.1, "M": 2.0}
    found = {"one": 0.9, "square": 0.83, "twice": 0.82, "constant": 0.8, "best": 0.81, "pair": [1.2, 0.6], "paired": 0.79}
    shaped = e03.shape([(task, e03.compute(task)) for task in tasks if task["kind"] != "steps"] + [(steps, found)])
    ratio = {(r["q"], r["M"], r["T"]): r["ratio"] for r in shaped["tree"]}
    assert ratio[0.0, 1.0, 2] == pytest.approx(1, abs=1e-6) and ratio[0.0, 5.0, 2] == pytest.approx(1.19129, abs=1e-5)
    assert ratio[0.1, 2.0, 1] == pytest.approx(1, abs=1e-6) and ratio[0.1, 2.0, 2] < 0.99
    assert all(r["grade"].startswith("certified") for r in shaped["certificate"]) and len(shaped["certificate"]) == 8
    assert len(e03.draw(shaped)) == 2 and "8 of 8 bounds" in e03.caption(shaped)


def test_a_point_without_answer_does_not_end_the_search(monkeypatch):
    asked = []

    def flaky(model):
        asked.append(model)
        if len(asked) % 7 == 3:
            raise ArithmeticError("inconclusive (solver): status InsufficientProgress")
        return solve(model)

    monkeypatch.setattr(e03, "solve", flaky)
    found = e03.compute({"kind": "steps", "q": 0.5, "M": 1.25})
    assert found["paired"] == pytest.approx(0.101561, abs=2e-4) and found["best"] == pytest.approx(0.118892, abs=2e-4)


# ---------------------------------------------------------------- sweeps, solvers, bad input


def test_a_sweep_equals_single_solves():
    steps = np.linspace(0.3, 1.7, 6)
    swept = sweep(lambda a: descent(1, 4, a)(float), steps)
    for a, found in zip(steps, swept, strict=True):
        alone = solve(descent(1, 4, a)(float))
        assert found.primal == pytest.approx(alone.primal, abs=1e-8)
        assert found.residual < 1e-6 and found.evaluate(found.model.objective) == pytest.approx(found.primal, abs=1e-6)
        assert found.multipliers == pytest.approx(alone.multipliers, abs=1e-4)


def test_a_sweep_needs_a_quadratic():
    with pytest.raises(ValueError, match="not quadratic"):
        sweep(lambda a: descent(1, 2, a**3)(float), [0.5, 1.0])
    with pytest.raises(ValueError, match="depend on the parameter"):
        sweep(lambda a: scaled(a), [0.5, 1.0])
    assert sweep(lambda a: scaled(a), []) == []


def scaled(a):
    model = Model()
    f = model.function(1.0)
    x = model.vector("x")
    f.minimum()
    model.require("start", x.squared - a)
    return model.maximise(f.at(x, "0")[1])


def test_cvxpy_solvers_agree():
    model = noisy_step(1, ".1", "1.25", ".8")(float)
    direct, other = solve(model), solve(model, "SCS")
    assert other.primal == pytest.approx(direct.primal, abs=1e-3) and other.status.startswith("optimal")
    with pytest.raises(ValueError, match="SOLVER"):
        solve(model, "NO SUCH SOLVER")


@pytest.mark.parametrize("L, mu", [(1, 2), (0, 0), (-1, 0), (1, -0.5), (math.inf, -math.inf), (math.nan, 0)])
def test_impossible_curvature(L, mu):
    with pytest.raises(ValueError, match="need 0 <= mu <= L"):
        Model().function(L, mu)


def test_unbounded_is_inconclusive():
    model = Model()
    f = model.function(1.0)
    x = model.vector("x")
    f.minimum()
    with pytest.raises(ArithmeticError, match=r"inconclusive \(solver\): status unbounded"):
        solve(model.maximise(f.at(x, "0")[1]))


def test_infeasible_is_inconclusive():
    model = Model()
    x = model.vector("x")
    model.require("impossible", x.squared + 1)
    with pytest.raises(ArithmeticError, match=r"inconclusive \(solver\): status infeasible"):
        solve(model.maximise(x.squared))


def test_vectors_start_at_nothing():
    assert (Vector() @ Vector()).gram == {}
