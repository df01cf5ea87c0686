"""Complete-step moments against listing, and the tests that read them."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

import samplingtheory as st
from samplingtheory.claims.xie2020.cases import random_sum
from samplingtheory.problems.composite import Composite
from samplingtheory.problems.prox import L1, Box, Nothing
from samplingtheory.problems.quadratic import QuadraticSum
from samplingtheory.run import View
from samplingtheory.steps import step_moments

from .strategies import tables, tolerances


def at(problem, method, x):
    return View(problem, method, method.init(np.atleast_2d(np.asarray(x, dtype=float))), st.EVERY)


def table_problem(table, replace=False):
    """A finite sum whose component gradients at x = 0 are the rows of the table."""
    return QuadraticSum(np.ones(len(table)), -table, replace)


@pytest.mark.parametrize("h", [Nothing(), L1(0.3), Box(np.zeros(2), np.ones(2))])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_step_moments_by_listing(h, n):
    from itertools import combinations

    smooth, x, alpha = random_sum(5), np.array([0.9, 0.2]), 0.4
    problem, method = Composite(smooth, h), st.ProximalGradient(0.4, h)
    view = at(problem, method, x)
    s = view.law.step(np.array([float(n)]))
    G = smooth.gradient(x[None])[0]
    table = smooth.atoms(x[None])[0][0]
    d, delta = [], []
    for batch in combinations(range(4), n):
        g = table[list(batch)].mean(0)
        delta.append(g - G)
        d.append(h.prox(x - alpha * g, alpha) - x)
    d, delta = np.array(d), np.array(delta)
    expected = d.mean(0)
    xhat = h.prox(x - alpha * G, alpha) - x
    for name, value in dict(C=-(delta * d).sum(1).mean(), V=(delta**2).sum(1).mean(), m=expected @ expected,
                            v=((d - expected) ** 2).sum(1).mean(), E2=(d**2).sum(1).mean(),
                            shadow=((d - xhat) ** 2).sum(1).mean()).items():
        assert getattr(s, name)[0] == pytest.approx(value, rel=1e-12, abs=1e-16), name
    assert view.law.mapping[0] == pytest.approx(xhat @ xhat / alpha**2, rel=1e-12)


@given(tables(most=5), tolerances)
def test_without_h_every_condition_is_the_norm_test(table, eps):
    """N1 and N3 with xi = eps^2, and M with eta = 2 eps^2/(1 + eps^2), ask for the norm test's size."""
    problem = table_problem(table)
    xi = eps**2
    law = at(problem, st.SGD(0.5), np.zeros(table.shape[1])).law
    size = st.NormTest(eps)(law)
    assume(abs(size - np.round(size)).max() > 1e-6)
    expected = st.whole(size, 1, len(table))
    assert st.StepNormTest(xi)(law) == expected
    assert st.StepInnerProductTest(2 * xi / (1 + xi))(law) == expected


@given(tables(most=5), some.integers(-3, 3))
def test_mapping_form_equals_the_norm_test_to_the_bit(table, power):
    problem = table_problem(table)
    law = at(problem, st.SGD(0.3), np.zeros(table.shape[1])).law
    composite = Composite(problem, Nothing())
    bound = at(composite, st.ProximalGradient(0.3, Nothing()), np.zeros(table.shape[1])).law
    eps = 2.0**power
    assert st.StepNormTest(eps**2, "mapping")(law) == st.NormTest(eps)(law)
    assert st.StepNormTest(eps**2, "mapping")(bound) == st.NormTest(eps)(bound) == st.NormTest(eps)(law)


def test_practical_test_compares_with_the_step_that_is_made():
    smooth, h = random_sum(5), Box(np.zeros(2), np.ones(2))
    problem, method = Composite(smooth, h), st.ProximalGradient(0.9, h)
    view = View(problem, method, method.init(np.array([[1.0, 0.0]])), np.random.default_rng(0))
    batch = view.draw(np.array([3.0]))
    d = view.after(batch).x - view.state.x
    assert abs(d - -0.9 * batch.moments.mean).max() > 0.1, "the projection must matter"
    size = st.StepNormTest(0.5, "mapping")(view.seen(batch))
    total = batch.moments.total[0]
    assert size[0] == pytest.approx(1 / (0.5 * (d @ d.T)[0, 0] / 0.81 / total + 1 / 4))


def test_what_cannot_be_read_is_refused():
    smooth = random_sum(5)
    view = at(smooth, st.SGD(0.1), [1.0, 1.0])
    batch = smooth.draw(view.state.x, np.array([2.0]), np.random.default_rng(0))
    with pytest.raises(ValueError, match="shows one step"):
        st.StepNormTest(0.5)(view.seen(batch))
    with pytest.raises(ValueError, match="every batch"):
        step_moments(view.method, view.state, view.law.mean, batch)
    with pytest.raises(ValueError, match="no N"):
        st.StepNormTest(0.5)(at(random_with_replacement(), st.SGD(0.1), [1.0, 1.0]).law)
    for bad in (dict(xi=0), dict(xi=1, step="sampled")):
        with pytest.raises(ValueError, match=r"number above 0|compare with one of"):
            st.StepNormTest(**bad)
    with pytest.raises(ValueError, match="closed only on a batch"):
        st.StepInnerProductTest(0.5, "mapping")(view.law)


def random_with_replacement():
    smooth = random_sum(5)
    return QuadraticSum(smooth.hessians, smooth.linear, replace=True)


def regression():
    from samplingtheory.problems.regression import LeastSquares

    rng = np.random.default_rng(2)
    return LeastSquares(rng.standard_normal((40, 3)), rng.standard_normal(40), ridge=0.1)


def many_atoms():
    rng = np.random.default_rng(2)
    return QuadraticSum(np.ones(40), rng.standard_normal((40, 3)))


@pytest.mark.parametrize("make", [regression, many_atoms])
@pytest.mark.parametrize("n", [2, 9, 16, 40])
def test_blocks_partition_the_batch(make, n):
    """Block means, weighted by their sizes, give the batch mean; sizes differ by at most one."""
    problem, B = make(), min(8, n)
    batch = problem.draw(np.full((5, 3), 0.3), np.full(5, float(n)), np.random.default_rng(1))
    sizes = np.bincount(np.arange(n) * B // n, minlength=B)
    np.testing.assert_allclose(np.einsum("b,ebd->ed", sizes / n, batch.blocks(B)), batch.moments.mean, rtol=1e-10)


@pytest.mark.parametrize("make", [regression, many_atoms])
def test_surviving_error_without_h_is_the_total_variance(make):
    """h = 0: C = alpha V, so the estimate of 2 alpha C is unbiased for 2 alpha^2 total; five standard errors."""
    problem, method, R = make(), st.SGD(0.4), 4000
    view = View(problem, method, method.init(np.full((R, 3), 0.3)), np.random.default_rng(3))
    estimate = view.seen(view.draw(np.full(R, 16.0))).surviving
    expected = 2 * 0.16 * float(view.law.total[0])
    assert abs(estimate.mean() - expected) <= 5 * estimate.std() / np.sqrt(R)


def test_surviving_error_vanishes_where_the_projection_absorbs_it():
    b = np.array([[1.5], [3.0], [5.0], [2.5]] * 4)
    h = Box(np.zeros(1), np.ones(1))
    problem, method = Composite(QuadraticSum(np.ones(16), b), h), st.ProximalGradient(0.9, h)
    view = View(problem, method, method.init(np.ones((3, 1))), np.random.default_rng(0))
    seen = view.seen(view.draw(np.full(3, 4.0)))
    assert (seen.surviving == 0).all() and (st.StepInnerProductTest(0.5, "mapping")(seen) == 0).all()
    assert (st.StepNormTest(0.5, "mapping")(seen) == 16).all()


def test_practical_inner_product_test_by_its_formula():
    """2 alpha C/n (1 - n/N) <= eta alpha^2 |mapping|^2, C of one sample: alpha is 0.4, not its own square."""
    problem, method, eta = many_atoms(), st.SGD(0.4), 0.7
    view = View(problem, method, method.init(np.full((5, 3), 0.3)), np.random.default_rng(3))
    seen = view.seen(view.draw(np.full(5, 16.0)))
    asked = 1 / (eta * 0.16 * seen.signal / seen.surviving + 1 / 40)
    np.testing.assert_allclose(st.StepInnerProductTest(eta, "mapping")(seen), asked, rtol=1e-12)


@given(tables(most=5), tolerances)
def test_the_expected_step_asks_for_more_than_the_realised_one(table, eta):
    """2 alpha C/n <= eta |E d|^2 with h = 0: twice the norm test's inequality at eps^2 = eta/2."""
    law = at(table_problem(table), st.SGD(0.5), np.zeros(table.shape[1])).law
    size = st.NormTest(np.sqrt(eta / 2))(law)
    assume(abs(size - np.round(size)).max() > 1e-6)
    assert st.StepInnerProductTest(eta, "expected")(law) == st.whole(size, 1, len(table))
