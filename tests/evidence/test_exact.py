"""Exact evidence against listing, simulation and one another."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.claims.bollapragada2018.cases import four_atoms, sgd_case
from samplingtheory.evidence.base import ROUNDING, Quantity, exact_evidence
from samplingtheory.evidence.exact import Enumerate, Mixture, Pathwise, Recursion, noise_of, rounding
from samplingtheory.problems.nonconvex import Huber
from samplingtheory.problems.oracles import Along, Lazy, Oracle, TwoPoint
from samplingtheory.problems.quadratic import GaussianQuadratic, Quadratic

ALL = ("gap", "grad2", "dist2")


def means(case, steps):
    trace = st.run(case.problem, case.method, case.sizing, case.x0, steps, rng=st.EVERY, record=ALL)
    return {n: trace.means(n)[:, 0] for n in ALL}


@pytest.mark.parametrize("problem", [four_atoms(0.6, 0.8, (0.3, 1.0)), Oracle(Quadratic([0.3, 1.0]), Lazy(2.5)),
                                     Oracle(Quadratic([0.3, 1.0]), TwoPoint(0.7))])
def test_recursion_equals_enumeration(problem):
    case = sgd_case("x", problem, st.Fixed(1), [1.0, -2.0], None, 2.0)
    listed, recursed = means(case, 5), Recursion(5)._means(case, problem.base)
    for name in ALL:
        np.testing.assert_allclose(recursed[name], listed[name], rtol=1e-12)


def test_recursion_with_batches_of_three_equals_enumeration():
    problem = Oracle(Quadratic([0.3, 1.0]), TwoPoint(0.7))
    case = sgd_case("x", problem, st.Fixed(3), [1.0, -2.0], None, 2.0)
    listed, recursed = means(case, 4), Recursion(4)._means(case, problem.base)
    np.testing.assert_allclose(recursed["gap"], listed["gap"], rtol=1e-12)


def test_mixture_equals_enumeration_beyond_quadratics():
    case = sgd_case("x", Oracle(Huber(0.2), Lazy(3.0)), st.Fixed(1), [1.0], None, 3.0)
    listed, mixed = means(case, 9), Mixture(9)._means(case, ALL)
    for name in ALL:
        np.testing.assert_allclose(mixed[name], listed[name], rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("sizing, noise", [
    (st.Ahead(st.NormTest(0.7), integer=False), 1.5), (st.Ahead(st.NormTest(0.7), integer=False), np.array([1.0, 0.2])),
    (st.Ahead(st.AugmentedInnerProductTest(0.5, 0.4), integer=False), 1.5),
    (st.Ahead(st.InnerProductTest(0.5), integer=False), 1.5), (st.Geometric(3, 1.2), 1.5)])
def test_recursion_equals_simulation_of_gaussian_noise(sizing, noise):
    """Error level 1e-6: five standard errors at the last step."""
    problem = GaussianQuadratic(np.array([0.4, 1.0]), noise)
    case = sgd_case("x", problem, sizing, [3.0, -2.0], None, 1.5)
    exact = Recursion(6)._means(case, problem)["gap"][-1]
    gaps = st.run(problem, case.method, sizing, case.x0, 6, replicates=40_000, rng=0)["gap"][-1]
    assert abs(gaps.mean() - exact) <= 5 * gaps.std() / math.sqrt(len(gaps))


def test_adjoint_is_the_supremum_over_starts():
    problem = Oracle(Quadratic([0.2, 1.0]), Along((0.6, 0.8), 1.8))
    case = sgd_case("x", problem, st.Fixed(1), [1.0, 0.0], None, 1.8)
    sup = Recursion(8, everywhere=True)._suprema(case, problem.base)
    angles = np.linspace(0, np.pi, 2001)
    starts = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    gap = np.array([Recursion(8)._means(sgd_case("x", problem, st.Fixed(1), x, None, 1.8), problem.base)["gap"]
                    for x in starts[::20]])
    ratios = (gap / gap[:, :1]).max(axis=0)
    assert (ratios <= sup["gap"] * (1 + 1e-12)).all() and (ratios >= sup["gap"] * 0.999).all()


def test_what_does_not_close_is_refused():
    with pytest.raises(ValueError, match="does not close"):
        noise_of(GaussianQuadratic(np.ones(2), 1.0), st.Ahead(st.NormTest(0.5)), 0)
    case = sgd_case("x", Oracle(Huber(0.2), Lazy(3.0)), st.Fixed(1), [1.0], None, 3.0)
    with pytest.raises(ValueError, match="needs a quadratic; this case has Huber"):
        Recursion(3).collect("statement", Quantity(("gap",), None), (), case, None, 1)
    with pytest.raises(ValueError, match="mixture needs"):
        Mixture(3).collect("statement", Quantity(("gap",), None), (),
                           sgd_case("x", four_atoms(0.5, 0.5), st.Fixed(1), [1.0, 0.0], None, 1.5), None, 1)


def test_one_violating_path_refutes():
    problem = Oracle(Quadratic([1.0]), TwoPoint(0.5))
    quantity = Quantity(("gap",), lambda s, path: (path.gap[1:], 0.2 * path.gap[:-1]))
    case = sgd_case("x", problem, st.Fixed(1), [1.0], None, 1.0)
    found = Pathwise(1, 50).collect("pathwise", quantity, (), case, np.random.default_rng(0), 1)
    assert found.refutes and found.value == pytest.approx(0.25 / 0.2)


def test_fractions_decide_without_tolerance():
    tiny = Fraction(1, 10**40)
    above = exact_evidence(np.array([1 + tiny], dtype=object), str, 1e-10)
    equal = exact_evidence(np.array([Fraction(1)], dtype=object), str, 1e-10)
    assert above.refutes and not equal.refutes and equal.error == 0
    assert not exact_evidence(np.array([1 + 1e-13]), str, 1e-10).refutes


def test_enumeration_covers_every_node():
    quantity = Quantity(("gap",), lambda s, now, then: (then.gap, now.gap))
    case = sgd_case("x", four_atoms(0.6, 0.8), st.Fixed(1), [1.0, 0.0], None, 2.0)
    found = Enumerate(3).collect("step", quantity, ("rel_total",), case, None, 1)
    assert found.value == pytest.approx(0.5) and found.seen["rel_total"] == pytest.approx(1.0)


def test_the_error_of_a_ratio_counts_the_minimiser():
    """A minimiser known to gap_error moves a gap v by up to 2 sqrt(gap_error v) to first order; the smallest decides."""
    case = SimpleNamespace(problem=SimpleNamespace(gap_error=1e-8))
    assert rounding(case, np.array([0.0, 1e-2, 1.0])) == pytest.approx(ROUNDING + 2e-3)
    assert rounding(case, np.zeros(3)) == ROUNDING


def test_suprema_over_starts_are_reached_on_an_axis():
    """Noise along the gradient keeps a diagonal quadratic's axes apart: the largest growth is that of one of them."""
    h = np.array([1.0, 0.2])
    symbols = SimpleNamespace()
    case = lambda x0: SimpleNamespace(problem=Oracle(Quadratic(h), TwoPoint(0.9)), method=st.SGD(0.4),  # noqa: E731
                                      sizing=st.Fixed(1), x0=x0, symbols=symbols)
    columns = []
    for x0 in np.eye(2):
        path = Recursion(6)._means(case(x0), Quadratic(h))
        columns.append({n: path[n] / path[n][0] for n in ("gap", "dist2")})
    found = Recursion(6, everywhere=True)._suprema(case(None), Quadratic(h))
    for name in ("gap", "dist2"):
        np.testing.assert_allclose(found[name], np.maximum(*(c[name] for c in columns)), rtol=1e-12)


def test_the_limits_of_exact_evidence_lie_on_both_sides():
    found = exact_evidence(np.array([0.2, 0.5]), str, 0.01)
    assert (found.value, found.lower, found.upper) == pytest.approx((0.5, 0.495, 0.505)) and found.where == "1"


def test_an_equality_between_zeros_holds_and_with_one_zero_fails():
    same = Quantity((), lambda *sides: sides, equality=True)
    assert same.ratio(np.array([0.0, 2.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])).tolist() == [
        1, 2, math.inf, math.inf]
