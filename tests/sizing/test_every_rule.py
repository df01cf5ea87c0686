"""Every rule with every criterion, option and method; what they refuse."""

import math

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.problems.quadratic import GaussianQuadratic, QuadraticSum
from samplingtheory.sizing.base import larger


def test_sizes_stop_at_the_population():
    problem = QuadraticSum(np.ones(4), np.random.default_rng(0).standard_normal((4, 1)))
    for sizing in (st.Fixed(9), st.Geometric(3, 2.0), st.Behind(st.NormTest(0.01)), st.Ahead(st.NormTest(0.01))):
        trace = st.run(problem, st.SGD(0.5), sizing, [1.0], 4, rng=0, record=("n",))
        assert trace["n"].max() == 4


@pytest.mark.parametrize("make", [
    lambda: st.Ahead(st.NormTest(1), least=0), lambda: st.Behind(st.NormTest(1), start=0), lambda: st.Fixed(0),
    lambda: st.Geometric(0, 1.1), lambda: st.Geometric(2, 0.5), lambda: st.Geometric(2, math.inf),
    lambda: st.SameBatch(st.NormTest(1), on_fail="retry"), lambda: st.Pilot(st.NormTest(1), grow=1.0),
    lambda: st.Safeguard(st.NormTest(1), gamma=1.5), lambda: st.Safeguard(st.NormTest(1), r=1),
])


def test_bad_parameters_are_refused(make):
    with pytest.raises(ValueError, match="need"):
        make()


CRITERIA = {"norm": st.NormTest(0.7), "inner": st.InnerProductTest(0.7), "augmented": st.AugmentedInnerProductTest(0.9, 2),
            "orthogonality": st.OrthogonalityTest(1.0), "coordinates": st.CoordinatewiseNormTest(2.0),
            "step norm": st.StepNormTest(0.5, "mapping"), "step inner": st.StepInnerProductTest(0.8, "mapping")}


CORRECTIONS = {"plain": lambda c: c, "debiased": st.Debiased, "repaired": st.Repaired}
ROWS = {"extend": lambda c, **o: st.SameBatch(c, 4, **o), "one more": lambda c, **o: st.SameBatch(c, 4, grow=1, **o),
        "doubling": lambda c, **o: st.SameBatch(c, 4, grow=2, monotone=False, **o),
        "redraw": lambda c, **o: st.SameBatch(c, 4, on_fail="redraw", grow=2, **o),
        "pilot": lambda c, **o: st.Pilot(c, 4, least=2, monotone=True, growth=1.1, **o),
        "behind": lambda c, **o: st.Behind(c, 4, least=4, grow=1.5, **o),
        "restarting": lambda c, **o: st.Behind(c, 4, monotone=False, **o)}


def streams():
    """A finite sum, least squares, an oracle and Gaussian noise, each in two dimensions."""
    from samplingtheory.problems.oracles import Additive, Oracle
    from samplingtheory.problems.quadratic import Quadratic
    from samplingtheory.problems.regression import LeastSquares

    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 2))
    return {"sum": QuadraticSum(np.ones(30), A), "data": LeastSquares(A, A @ np.ones(2) + rng.standard_normal(30)),
            "oracle": Oracle(Quadratic(np.ones(2)), Additive(np.array([[1.0, 0], [-1, 1], [0, -1]]), np.full(3, 1 / 3))),
            "Gauss": GaussianQuadratic(np.ones(2), np.array([0.5, 0.2]))}


@pytest.mark.parametrize("rule", ROWS)


@pytest.mark.parametrize("criterion", CRITERIA)


@pytest.mark.parametrize("correction", CORRECTIONS)


def test_rules_take_every_criterion_on_every_law(rule, criterion, correction):
    test = CORRECTIONS[correction](CRITERIA[criterion])
    for name, problem in streams().items():
        for average in (None, st.Averaged(2, 0.9)):
            if average and ("step" in criterion or rule == "one more" or correction == "repaired"):
                continue
            if criterion == "step inner" and name == "Gauss":
                continue  # no blocks in a continuous law
            sizing = ROWS[rule](test, cap=16, **({"average": average} if average else {}))
            trace = st.run(problem, st.SGD(0.1), sizing, [0.7, 0.3], 3, replicates=4, rng=0, record=("n", "drawn", "gap"))
            assert (trace["n"] <= 16).all() and (trace["drawn"] >= trace["n"]).all()


METHODS = [st.SGD(0.1), st.Momentum(0.05), st.AdaGradNorm(0.1), st.AdaGrad(0.1), st.RMSProp(0.1), st.Adam(0.1), st.AdamW(0.1),
           st.Backtracking(1.0)]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)


@pytest.mark.parametrize("rule", ROWS)


def test_rules_take_every_method(rule, method):
    problem = streams()["sum"]
    trace = st.run(problem, method, ROWS[rule](st.Repaired(st.NormTest(0.7))), [0.7, 0.3], 3, replicates=4, rng=0)
    assert trace["n"].max() <= 30


def test_one_more_is_what_it_says():
    """The steps of sizes of extension by one, on a law that is not listed: an oracle."""
    seen = []
    class Watching:  # also shows that functions are criteria
        def __call__(self, m):
            seen.append(np.array(m.n))
            return np.where(m.n < 6, np.inf, 1.0)
    st.run(streams()["oracle"], st.SGD(0.1), st.SameBatch(Watching(), grow=1), [0.7, 0.3], 1, replicates=3, rng=0)
    assert [set(n) for n in seen] == [{2}, {3}, {4}, {5}, {6}]


RULES = (st.Ahead, st.Behind, st.SameBatch, st.Pilot)


@pytest.mark.parametrize("make", [
    *(lambda rule=rule: rule("norm") for rule in RULES), *(lambda rule=rule: rule(st.NormTest) for rule in RULES),
    lambda: st.Debiased(0.5), lambda: st.KnownVariance(st.NormTest, 1.0),
])
def test_what_is_no_test_is_refused_where_it_is_given(make):
    with pytest.raises(ValueError, match="need a test with its tolerance"):
        make()


TEST = st.NormTest(0.5)


@pytest.mark.parametrize("make", [
    lambda: st.Fixed("3"), lambda: st.Ahead(TEST, least="a"), lambda: st.Ahead(TEST, cap=None),
    lambda: st.Behind(TEST, grow="a"), lambda: st.Behind(TEST, start=None), lambda: st.Geometric(1, None),
    lambda: st.Pilot(TEST, growth="2"), lambda: st.Behind(TEST, start="2", integer=False),
    lambda: st.SameBatch(TEST, corrections="a"), lambda: st.SameBatch(TEST, corrections=math.nan),
    lambda: st.SameBatch(TEST, corrections=-1), lambda: st.KnownVariance(TEST, 1, "a"), lambda: st.Repaired(TEST, "a"),
    lambda: st.Ahead(TEST, least=5, integer=False),
])
def test_parameters_that_are_no_numbers_or_would_be_ignored(make):
    with pytest.raises(ValueError, match=r"(size|grow|growth|start|corrections|along|c|least) (is|=) "):
        make()


def test_a_failed_test_always_leads_to_a_larger_batch():
    """Also where it asks for no more than it has, or the factor is 1; never above the cap."""
    n, asked = np.array([4.0, 4.0, 9.0, 10.0]), np.array([3.0, 7.0, 50.0, 50.0])
    assert larger(n, asked, None, 10.0).tolist() == [5, 7, 10, 10]
    assert larger(n, asked, 1, 10.0).tolist() == [5, 5, 10, 10]
    assert larger(n, asked, 1.3, 20.0).tolist() == [6, 6, 12, 13]
