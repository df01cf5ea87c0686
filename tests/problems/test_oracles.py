"""Noise that meets a test with equality: every law is what it says, and the bounds it is made for are tight."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from samplingtheory.criteria import InnerProductTest, NormTest, OrthogonalityTest, whole
from samplingtheory.methods import SGD
from samplingtheory.problems.base import EVERY
from samplingtheory.problems.check import check_problem
from samplingtheory.problems.oracles import (
    Additive,
    Along,
    CantelliTight,
    FourAtoms,
    Lazy,
    Oracle,
    Rare,
    Sideways,
    TwoPoint,
)
from samplingtheory.problems.quadratic import Quadratic
from samplingtheory.run import run
from samplingtheory.sizing import Ahead, Fixed

CROSS = Additive(np.array([[3.0, 0], [-1, 0], [0, 1], [0, -1]]), np.array([0.125, 0.375, 0.25, 0.25]))
LAWS = [FourAtoms(0.9, 1.2), FourAtoms(0.5, 0.0), TwoPoint(1.5), Lazy(2.81), Lazy(1), CantelliTight(0.9),
        Along((0.6, 0.8), 2.81), Sideways(1.5), Rare(0.5), Rare(2.0, 0.3), CROSS]
rational = np.vectorize(Fraction, otypes=[object])


def isotropic(noise, d=2):
    return Oracle(Quadratic(np.ones(d)), noise)


def expected(problem, x, alpha):
    """E F(x - alpha g) - F*, by summing over the atoms."""
    g, p = problem.atoms(x)
    y = (x[:, None, :] - alpha * g).reshape(-1, problem.dim)
    return (problem.gap(y).reshape(len(x), -1) * p).sum(-1)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_second_moment_and_growth_are_those_of_the_atoms(law):
    G = np.random.default_rng(1).standard_normal((5, 2))
    e, p = law.atoms(G) - G[:, None, :], law.probabilities
    assert p.sum() == pytest.approx(1, abs=1e-15)
    assert np.abs((p[:, None] * e).sum(1)).max() < 1e-14
    true = np.einsum("a,rai,raj->rij", p, e, e)
    W = G[:, :, None] * G[:, None, :]
    assert np.allclose(law.second(W), true, rtol=1e-13, atol=1e-14)
    if law is not CROSS:
        growth = 1 + np.trace(true, axis1=1, axis2=2) / (G * G).sum(1)
        assert np.allclose(growth, law.growth, rtol=1e-13)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_adjoint(law):
    A, S = np.random.default_rng(2).standard_normal((2, 3, 2, 2))
    W, S = A @ A.swapaxes(1, 2), S + S.swapaxes(1, 2)
    left = np.trace(S @ law.second(W), axis1=1, axis2=2)
    right = np.trace(law.adjoint(S) @ W, axis1=1, axis2=2) + (S * law.constant).sum((1, 2))
    assert np.allclose(left, right, rtol=1e-12)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_the_problem_is_consistent(law):
    """Random part: risk 1e-6 a check."""
    assert [f for f in check_problem(isotropic(law), rng=3) if not f.passed] == []


numbers = some.fractions(min_value=Fraction(1, 20), max_value=6, max_denominator=50)


@given(numbers, numbers, some.tuples(numbers, numbers))
def test_both_tests_hold_with_equality_exactly(theta, nu, point):
    problem = Oracle(Quadratic(rational(np.array([1, 3])), rational(np.zeros(2, dtype=int))), FourAtoms(theta, nu))
    law = problem.law(rational(np.array([point])))
    assert InnerProductTest(theta)(law)[0] == OrthogonalityTest(nu)(law)[0] == 1
    assert law.total[0] == (theta**2 + nu**2) * law.signal[0]


@given(some.floats(0.4, 6), some.floats(0.4, 6), some.tuples(some.floats(-5, 5), some.floats(0.1, 5)))
def test_one_sample_is_enough_in_floats(theta, nu, point):
    """Where theta/nu is moderate: `across` is a difference and loses a factor (theta/nu)^2 of the precision."""
    law = isotropic(FourAtoms(theta, nu)).law(np.array([point]))
    assert whole(InnerProductTest(theta)(law))[0] == whole(OrthogonalityTest(nu)(law))[0] == 1
    law = isotropic(Lazy(1 + theta**2)).law(np.array([point]))
    assert whole(NormTest(theta)(law))[0] == whole(InnerProductTest(theta)(law))[0] == 1


def test_sideways_gradients_have_one_length():
    """|g| = sqrt(1 + nu^2) |G| surely, in Fractions; two atoms, so that k steps have 2^k paths."""
    G = rational(np.array([[1, -3], [2, 5]]))
    g, p = Sideways(Fraction(3, 4)).atoms(G), Sideways(Fraction(3, 4)).probabilities
    assert g.shape == (2, 2, 2) and p.tolist() == [Fraction(1, 2)] * 2
    assert ((g * g).sum(-1) == Fraction(25, 16) * (G * G).sum(-1)[:, None]).all()


@given(some.floats(0.05, 4), some.floats(0.001, 1), some.tuples(some.floats(-5, 5), some.floats(0.1, 5)))
def test_rare_spikes_meet_the_norm_test_in_every_coordinate(eps, chance, point):
    law = isotropic(Rare(eps, chance)).law(np.array([point]))
    assert whole(NormTest(eps)(law))[0] == 1
    assert law.variances == pytest.approx(eps**2 * np.square([point]), rel=1e-10)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Rare(-1.0), "eps is -1.0"), (lambda: Rare(0.5, 0.0), "chance is 0.0"), (lambda: Rare(0.5, 1.5), "chance"),
    (lambda: Rare(0.5).atoms(rational(np.array([[1]]))), "use floats"),
    (lambda: isotropic(Sideways(0.5), 3), "turns in the plane"),
])
def test_bad_laws_are_one_line(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_fractions_stay_exact_through_a_step():
    M, alpha = 1 + Fraction(81, 100) + Fraction(36, 25), Fraction(1, 3)
    problem = Oracle(Quadratic(rational(np.array([2, 2])), rational(np.zeros(2, dtype=int))),
                     FourAtoms(Fraction(9, 10), Fraction(6, 5)))
    x = rational(np.array([[1, -3]]))
    assert expected(problem, x, alpha)[0] == (1 - 2 * alpha * 2 + alpha**2 * 4 * M) * problem.gap(x)[0]


def test_growth_beyond_the_claim():
    """Noise times 1.1 takes E|g|^2 to 1 + 0.21 (M - 1)/M of the bound M |G|^2."""
    theta, nu, x = 0.9, 1.2, np.array([[1.0, 2.0]])
    M = 1 + theta**2 + nu**2
    g, p = isotropic(FourAtoms(1.1 * theta, 1.1 * nu)).atoms(x)
    assert ((g * g).sum(-1) @ p)[0] / (M * 5) == pytest.approx(1 + 0.21 * (M - 1) / M, rel=1e-13)


@pytest.mark.parametrize(("theta", "control"), [(0.5, 1.667), (0.9, 1.382), (2, 1.111)])
def test_cantelli_is_met_with_equality_and_exceeded_with_twice_the_variance(theta, control):
    def ratio(times):
        problem, x = isotropic(CantelliTight(theta, times)), np.array([[1.0, 2.0]])
        g, p = problem.atoms(x)
        wrong = p[(g[0] * problem.gradient(x)).sum(-1) <= 0].sum()
        return wrong / (theta**2 / (1 + theta**2)), problem.law(x)

    value, law = ratio(1)
    assert value == pytest.approx(1, rel=1e-14)
    assert InnerProductTest(theta)(law)[0] == pytest.approx(1, rel=1e-13)
    value, law = ratio(2)
    assert value == pytest.approx(control, abs=5e-4)
    assert InnerProductTest(theta)(law)[0] == pytest.approx(2, rel=1e-13)


@pytest.mark.parametrize(("M", "control"), [(1, 1.44), (1.25, 1.352), (2.81, 1.157), (35.9156, 1.0123)])
def test_one_step_decrease_is_tight(M, control):
    """E F(x+) = F - alpha (1 - alpha L M/2)|G|^2 on (L/2)|x|^2; a step of 2.2/(LM) increases F."""
    law = FourAtoms(0.9, (M - 1.81) ** 0.5) if M > 1.81 else TwoPoint((M - 1) ** 0.5)
    problem, x = isotropic(law), np.array([[1.0, 0.3]])
    decrease = problem.gap(x) - expected(problem, x, 1 / M)
    assert decrease / ((problem.gradient(x) ** 2).sum() / (2 * M)) == pytest.approx(1, rel=1e-13)
    assert expected(problem, x, 2.2 / M) / problem.gap(x) == pytest.approx(control, abs=5e-4)


@pytest.mark.parametrize(("nu", "factor"), [(0.9, 0.695), (1.3454, 1.0), (2, 1.668), (5.84, 10.86)])
def test_orthogonality_is_necessary(nu, factor):
    problem, x = isotropic(FourAtoms(0.9, nu)), np.array([[1.0, 0.3]])
    assert expected(problem, x, 1 / 1.81) / problem.gap(x) == pytest.approx(factor, abs=6e-3 if nu > 5 else 6e-4)


@pytest.mark.parametrize("law", [FourAtoms(0.9, 1.2), Lazy(2.81)], ids=repr)
def test_enumerated_paths_meet_the_rate_at_every_k(law):
    rho, sizing = 1 - 1 / law.growth, Ahead(NormTest((law.growth - 1) ** 0.5))
    trace = run(isotropic(law), SGD(1 / law.growth), sizing, np.array([1.0, 0.3]), 4, rng=EVERY)
    gap = trace.means("gap")[:, 0]
    assert np.allclose(gap / gap[0], rho ** np.arange(5), rtol=1e-12)
    assert np.all(np.concatenate(trace.steps["n"]) == 1)


@pytest.mark.parametrize(("q", "best"), [(0.1, (0.86240, 0.92750, 0.997146)), (0.01, (0.985664, 0.992525, 0.999714))])
def test_best_function_value_rate_is_attained_by_noise_along_the_other_axis(q, best):
    for M, rate in zip((1.25, 2, 35.9156), best, strict=True):
        problem = Oracle(Quadratic(np.array([q, 1.0])), Along((0, 1), M))
        value = (expected(problem, np.array([[1.0, 0]]), 1 / M) / problem.gap(np.array([[1.0, 0]])))[0]
        assert value == pytest.approx(1 - q / M - q * (1 - q) / M**2, rel=1e-13)
        assert value == pytest.approx(rate, abs=6e-7)


@pytest.mark.parametrize("kappa", [10, 100])
@pytest.mark.parametrize("eps2", [0.25, 0.81, 34.9])
@pytest.mark.parametrize("start", [0, 1])
def test_distance_rate_is_tight_for_a_hundred_steps(kappa, eps2, start):
    """E|x_k|^2 = r^k |x_0|^2 with alpha = 2/((L + mu) M), by the recursion that `second` gives."""
    H, law, M = np.array([1.0, kappa]), TwoPoint(eps2**0.5), 1 + eps2
    alpha, C = 2 / ((1 + kappa) * M), np.diag(np.eye(2)[start])
    B = np.eye(2) - alpha * np.diag(H)
    for _ in range(100):
        C = B @ C @ B + alpha**2 * law.second(H[:, None] * C * H)
    rate = (((kappa - 1) / (kappa + 1)) ** 2 + eps2) / (1 + eps2)
    assert np.trace(C) / rate**100 == pytest.approx(1, rel=1e-11)


def test_recursion_equals_enumeration():
    H, x0, alpha, law = np.array([0.3, 1.0]), np.array([1.0, -0.5]), 0.4, FourAtoms(0.6, 0.8)
    C, B = np.outer(x0, x0), np.eye(2) - alpha * np.diag(H)
    for _ in range(3):
        C = B @ C @ B + alpha**2 * law.second(H[:, None] * C * H) / 2
    trace = run(Oracle(Quadratic(H), law), SGD(alpha), Fixed(2), x0, 3, rng=EVERY)
    assert trace.means("gap")[-1, 0] == pytest.approx((H * np.diag(C)).sum() / 2, rel=1e-12)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Oracle(Quadratic(np.ones(3)), FourAtoms(0.9, 1.0)), "d = 3"),
    (lambda: Oracle(Quadratic(np.ones(3)), Along((0, 1), 2.0)), "2 entries"),
    (lambda: Oracle(Quadratic(np.ones(3)), CROSS), "2 entries"),
    (lambda: Along((1, 1), 2.0), "length 1"),
    (lambda: Lazy(0.9), "1 <= growth"),
    (lambda: FourAtoms(-1, 0), "need both"),
    (lambda: Additive(np.eye(2), np.array([0.5, 0.5])), "mean"),
    (lambda: Additive(np.array([[1.0], [-1.0]]), np.array([0.5, 0.6])), "sum 1"),
    (lambda: CantelliTight(0), "need both"),
])
def test_doors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_points_in_fractions_need_parameters_in_fractions():
    base = Quadratic(rational(np.array([1, 3])), rational(np.zeros(2, dtype=int)))
    x = rational(np.array([[1, 2]]))
    with pytest.raises(ValueError, match="Fractions"):
        Oracle(base, Lazy(2.5)).atoms(x)
    with pytest.raises(ValueError, match="Fraction"):
        Oracle(base, Along((0, 1), 2.0)).atoms(x)
    g, p = Oracle(Quadratic(np.ones(2)), Lazy(Fraction(5, 2))).atoms(np.ones((1, 2)))
    assert g.dtype == p.dtype == float
