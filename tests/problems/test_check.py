"""`check_problem` passes honest problems and names what is wrong with dishonest ones. Seeds are fixed."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from samplingtheory.problems.ball import MatrixFactorisation
from samplingtheory.problems.base import Batch, Constants
from samplingtheory.problems.check import Finding, check_problem
from samplingtheory.problems.finite import FiniteSum, draw_batch
from samplingtheory.problems.oracles import FourAtoms, Lazy, Oracle
from samplingtheory.problems.quadratic import GaussianQuadratic, Quadratic, QuadraticSum
from samplingtheory.problems.separable import Cosh

rng = np.random.default_rng(20)
ROOTS = rng.standard_normal((12, 3, 3))
HESSIANS, LINEAR = ROOTS @ ROOTS.swapaxes(1, 2), rng.standard_normal((12, 3))
rational = np.vectorize(Fraction, otypes=[object])


class Restated:
    """`base` with attributes replaced."""

    def __init__(self, base, **values):
        self.__dict__ = {**values, "base": base}

    def __getattr__(self, name):
        return getattr(self.base, name)


def planted(problem, **changes):
    """The problem with attributes replaced; a change is a function of the true attribute."""
    return Restated(problem, **{name: change(getattr(problem, name)) for name, change in changes.items()})


def finite():
    return QuadraticSum(HESSIANS, LINEAR)


def honest():
    h, c = rational(np.arange(1, 6)), rational(np.array([[0], [1], [-1], [2], [-2]]))
    return {
        "noiseless": Quadratic(np.linspace(0.01, 10, 20)),
        "large": Quadratic(np.geomspace(0.01, 10, 80)),
        "Gaussian": GaussianQuadratic(np.linspace(0.01, 10, 20), 0.3),
        "general": GaussianQuadratic(HESSIANS[0], HESSIANS[1], [1, 2, 3]),
        "finite": finite(),
        "replaced": QuadraticSum(HESSIANS, LINEAR, replace=True),
        "fractions": QuadraticSum(h, h[:, None] * c),
        "pair": QuadraticSum(HESSIANS[:2], LINEAR[:2]),
        "single": QuadraticSum(HESSIANS[:1], LINEAR[:1]),
        "own": FiniteSum(finite()._gradients, finite().gap, finite().constants, 12, 3),
        "no minimiser": Restated(Oracle(Quadratic(np.ones(2)), Lazy(3.0)), constants=Constants(1.0, 1.0, None)),
    }


def failed(problem, **options):
    return {f.check for f in check_problem(problem, **options) if not f.passed}


@pytest.mark.parametrize("name", honest())
def test_honest_problems_pass(name):
    """Four random checks at risk 1e-6 each."""
    found = check_problem(honest()[name], batches=300 if name == "fractions" else 4000)
    assert [f for f in found if not f.passed] == []


def test_false_alarms_are_rare():
    """At risk 0.01 a check, 40 seeds x 4 random checks fail 1.6 times on average; more than 9: probability < 2e-5."""
    fails = sum(len(failed(finite(), rng=seed, risk=0.01, batches=500)) for seed in range(40))
    assert fails <= 9


def constants(**changes):
    return lambda c: dataclasses.replace(c, **{k: f(getattr(c, k)) for k, f in changes.items()})


def batches(change):
    """Every drawn batch goes through `change`."""
    return lambda draw: lambda x, n, rng: change(draw(x, n, rng))


def restated(batch, **changes):
    values = {k: f(getattr(batch.moments, k)) for k, f in changes.items()}
    return Batch(Restated(batch.moments, **values), batch.drawn, batch.parent, batch.weight)


def law(**changes):
    return lambda true: lambda x: Restated(m := true(x), **{k: f(getattr(m, k)) for k, f in changes.items()})


def quadratic():
    return GaussianQuadratic(np.array([1.0, 4.0, 9.0]), np.diag([1.0, 2.0, 3.0]), [1.0, 0.0, -1.0])


def tilted(weights):
    return lambda atoms: lambda x: (atoms(x)[0], np.asarray(weights))


FAULTS = {
    "gradient": (lambda: planted(quadratic(), gradient=lambda G: lambda x: 1.001 * G(x)), "gradient"),
    "one coordinate": (lambda: planted(quadratic(), gradient=lambda G: lambda x: G(x) * [1, 1, 1.01]), "gradient"),
    "half L": (lambda: planted(quadratic(), constants=constants(L=lambda L: L / 2)), "L"),
    "L 1 % low": (lambda: planted(quadratic(), constants=constants(L=lambda L: 0.99 * L)), "L"),
    "L of a large problem": (lambda: planted(Quadratic(np.full(80, 2.0)), constants=constants(
        L=lambda L: L / 2, mu=lambda mu: 0.0)), "L"),
    "double mu": (lambda: planted(quadratic(), constants=constants(mu=lambda mu: 2 * mu)), "mu"),
    "mu of a convex function": (lambda: planted(Quadratic(np.array([0.0, 1.0])),
                                                constants=constants(mu=lambda mu: 0.01)), "mu"),
    "minimiser": (lambda: planted(finite(), constants=constants(minimiser=lambda z: z + 1e-6)), "minimiser"),
    "gap off by a constant": (lambda: planted(finite(), gap=lambda F: lambda x: F(x) + 1e-9), "gap"),
    "gap below zero": (lambda: planted(finite(), gap=lambda F: lambda x: F(x) - 1e-9), "gap"),
    "gap as a difference": (lambda: planted(quadratic(), gap=lambda F: lambda x: (F(x) + 1e3) - 1e3), "gap"),
    "covariance": (lambda: planted(quadratic(), law=law(total=lambda v: 1.2 * v)), "draw total"),
    "covariance along": (lambda: planted(quadratic(), law=law(along=lambda v: 0.8 * v)), "draw along"),
    "law mean": (lambda: planted(quadratic(), law=law(mean=lambda G: 1.01 * G)), "law mean"),
    "along above total": (lambda: planted(quadratic(), law=law(along=lambda v: 10 * v)), "law along"),
    "signal": (lambda: planted(quadratic(), law=law(signal=lambda v: 2 * v)), "law signal"),
    "NaN": (lambda: planted(quadratic(), law=law(total=lambda v: v * math.nan)), "law along"),
    "biased batches": (lambda: planted(quadratic(), draw=batches(
        lambda b: restated(b, mean=lambda g: g + np.array([0, 0.1, 0])))), "draw mean"),
    "divisor n": (lambda: planted(quadratic(), draw=batches(
        lambda b: restated(b, total=lambda v: v * (b.moments.n - 1) / b.moments.n))), "draw total"),
    "weights": (lambda: planted(Oracle(Quadratic(np.ones(2)), FourAtoms(0.9, 1.2)),
                                atoms=tilted([0.3, 0.2, 0.25, 0.25])), "atoms"),
    "weights that do not sum to 1": (lambda: planted(finite(), atoms=tilted(np.full(12, 1 / 11))), "atoms"),
    "divisor N": (lambda: planted(finite(), law=law(total=lambda v: v * 11 / 12)), "atoms"),
    "replacement instead of none": (lambda: planted(finite(), draw=lambda d: lambda x, n, rng: draw_batch(
        finite().atoms(x)[0], finite().probabilities, n, math.inf, rng)), "full batch"),
    "no replacement instead": (lambda: planted(QuadraticSum(HESSIANS, LINEAR, replace=True),
                                               draw=lambda d: finite().draw), "draw error"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_named(name):
    """Each is seen at this seed; the random ones lie at least 4 standard errors beyond their threshold."""
    make, check = FAULTS[name]
    assert check in failed(make())


def test_nothing_is_checked_that_was_not_claimed():
    problem = planted(Quadratic(np.ones(2)), constants=lambda c: Constants(math.inf, -math.inf, None))
    found = {f.check: f for f in check_problem(problem)}
    assert all(f.passed for f in found.values())
    skipped = {name for name, f in found.items() if math.isnan(f.worst)}
    assert skipped == {"L", "mu", "minimiser", "gap", "law"}
    assert all("not checked" in found[name].detail for name in skipped)


def test_findings_repeat_and_points_may_be_given():
    assert [repr(f) for f in check_problem(finite(), 3)] == [repr(f) for f in check_problem(finite(), 3)]
    far = planted(Quadratic(np.ones(2)), gradient=lambda G: lambda x: np.where(x > 50, 1.1, 1) * G(x))
    assert "gradient" in failed(far, points=np.array([[60.0, 70.0]])) and not failed(far)
    with pytest.raises(ValueError, match=r"need.*\(P, 3\)|needs \(P, 3\)"):
        check_problem(finite(), points=np.zeros(3))


def test_composite_problems_pass_and_a_wrong_minimiser_fails():
    from samplingtheory.problems.composite import Composite
    from samplingtheory.problems.prox import L1, Box
    from samplingtheory.problems.regression import LeastSquares

    rng = np.random.default_rng(0)
    smooth = LeastSquares(rng.standard_normal((40, 3)), rng.standard_normal(40), ridge=0.1)
    for h in (L1(0.1), Box(np.zeros(3), np.ones(3))):
        problem = Composite(smooth, h)
        assert all(f.passed for f in check_problem(problem))
        wrong = dataclasses.replace(problem.constants, minimiser=problem.constants.minimiser + 0.01)
        problem = Composite(smooth, h)
        problem.__dict__["constants"] = wrong
        assert not all(f.passed for f in check_problem(problem))


def test_relaxed_smoothness_is_checked():
    """cosh has L0 = L1 = 1; half of either is found."""
    base = Cosh(2)
    assert failed(base) == set()
    for wrong in ({"L0": 0.5}, {"L1": 0.5}):
        assert failed(planted(base, constants=lambda c, wrong=wrong: dataclasses.replace(c, **wrong))) == {"L0, L1"}


def test_constants_of_a_ball_are_checked_inside_it():
    base = MatrixFactorisation([[1.0]], [[-1.0]], 2.0)
    points = np.array([[1.0, 1.0], [1.4, 1.4], [-0.5, 1.2]])
    assert failed(base) == failed(base, points=points) == set()
    too_far = planted(base, constants=lambda c: dataclasses.replace(c, radius=20.0))
    assert "L" in failed(too_far)
    low = planted(base, constants=lambda c: dataclasses.replace(c, L=0.9 * c.L))
    assert failed(low, points=points) == {"L"}


@pytest.mark.parametrize("wrong", [{"L0": 0.0}, {"L0": 1.0, "L1": -1.0}, {"L0": 1.0, "L1": math.inf}, {"L0": math.nan}])
def test_bad_relaxed_constants(wrong):
    with pytest.raises(ValueError, match="need L0 > 0 and a finite L1 >= 0"):
        Constants(math.inf, 1.0, **wrong)


def test_a_smooth_function_is_relaxed_smooth():
    assert Constants(2.0, -5.0).L0 == 5 and Constants(2.0, 1.0).L0 == 2 and Constants(math.inf, 0.0).L0 == math.inf


def test_a_finding_says_what_was_not_checked():
    assert str(Finding("gap", True, 0.5, 1.0, "how")) == "ok  gap: 0.5, at most 1 (how)"
    assert str(Finding("gap", False, 2.0, 1.0, "how")).startswith("NOT gap: 2")
    assert str(Finding("every batch", True, math.nan, math.nan, "not checked: N is large")).startswith("--  every batch: not")
