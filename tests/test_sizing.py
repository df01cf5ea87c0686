"""Each rule against a loop that follows its words."""

import math

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.problems.quadratic import GaussianQuadratic, QuadraticSum
from samplingtheory.sizing import CAP

PROBLEM = GaussianQuadratic(np.array([1.0, 0.5]), 2.0)


def test_ahead_is_the_exact_test_at_every_point():
    trace = st.run(PROBLEM, st.SGD(0.2), st.Ahead(st.NormTest(0.5)), [4.0, 1.0], 15, replicates=50, rng=0,
                   record=("n", "grad2", "rel_total"))
    expected = np.maximum(1, np.ceil(4.0 / (0.25 * trace["grad2"][:-1]) * (1 - 1e-12)))
    assert (trace["n"] == expected).all() and (trace["rel_total"] <= 0.25 * (1 + 1e-9)).all()


def test_ahead_real_sizes_meet_the_test_with_equality():
    trace = st.run(PROBLEM, st.SGD(0.2), st.Ahead(st.NormTest(0.5), integer=False), [4.0, 1.0], 15, replicates=5,
                   rng=0, record=("rel_total",))
    np.testing.assert_allclose(trace["rel_total"], 0.25, rtol=1e-12)


def test_behind_uses_this_batch_for_the_next():
    columns = {"n": "n", "asked": lambda s: st.whole(st.NormTest(0.7)(s.batch.moments), 2, CAP)}
    for monotone in (True, False):
        trace = st.run(PROBLEM, st.SGD(0.2), st.Behind(st.NormTest(0.7), start=3, monotone=monotone), [4.0, 1.0], 12,
                       replicates=20, rng=0, record=columns)
        assert (trace["n"][0] == 3).all()
        asked = trace["asked"][:-1]
        assert (trace["n"][1:] == (np.maximum(trace["n"][:-1], asked) if monotone else asked)).all()


def test_safeguard_against_a_loop():
    """The averaged gradient takes over after r still iterations if it is shorter than gamma times the last."""
    criterion, r, gamma = st.AugmentedInnerProductTest(2.0, 20.0), 3, 0.6
    kept = []
    record = {"n": "n", "batch": lambda s: (kept.append(s.batch.moments), s.batch.moments.n)[1]}
    st.run(PROBLEM, st.SGD(0.02), st.Safeguard(criterion, r=r, gamma=gamma), [0.3, 0.1], 25, replicates=1, rng=3,
           record=record)
    n, still, past, used, fired = 2.0, 0, [], [], 0
    for m in kept:
        used.append(n)
        g, still = m.mean[0], still + 1
        past = [*past, g][-r:]
        average = sum(past) / r if len(past) == r else g
        noisy = still >= r and average @ average < gamma**2 * (g @ g)
        fired += noisy
        asked = max(n, float(st.whole(criterion(m.toward(average[None]) if noisy else m), 1, CAP)[0]))
        n, still = asked, 0 if asked > n else still
    assert [float(m.n[0]) for m in kept] == used and fired > 0


def five(replace=False):
    h, c = np.array([1.0, 2, 3, 4, 5]), np.array([[0.0], [1], [-1], [2], [-2]])
    return QuadraticSum(h, h[:, None] * c, replace)


SAME = [st.SameBatch(st.NormTest(0.5), on_fail="extend"), st.SameBatch(st.NormTest(0.5), on_fail="redraw"),
        st.SameBatch(st.NormTest(0.5), on_fail="extend", grow=2, corrections=1, monotone=False),
        st.Pilot(st.NormTest(0.5)), st.Pilot(st.NormTest(0.5), m=3, grow=1.5)]


@pytest.mark.parametrize("sizing", SAME, ids=repr)
def test_rules_that_test_their_own_batch_enumerated_and_simulated(sizing):
    """Error level 1e-6: five standard errors; the cost of all samples paid for included."""
    problem, record = five(), ("gap", "n", "drawn", "g2")
    every = st.run(problem, st.SGD(0.2), sizing, [3.0], 2, rng=st.EVERY, record=record)
    assert every.weight[-1].sum() == pytest.approx(1)
    runs = st.run(problem, st.SGD(0.2), sizing, [3.0], 2, replicates=30_000, rng=4, record=record)
    for name in record:
        error = runs[name].std(axis=1) / math.sqrt(30_000)
        assert (np.abs(runs[name].mean(axis=1) - every.means(name)[:, 0]) <= 5 * error + 1e-12).all(), name


def test_pilot_is_unbiased_and_the_same_batch_is_not():
    """E g - grad F over the first step, exactly."""
    problem = five()
    x0 = np.array([[0.3]])
    for sizing, biased in zip(SAME, (True, True, True, False, False), strict=True):
        trace = st.run(problem, st.SGD(1.0), sizing, x0, 1, rng=st.EVERY, record={"x": lambda s: s.after.x[:, 0]})
        mean = trace.means("x")[0, 0]
        exact = 0.3 - float(problem.gradient(x0)[0, 0])
        assert (abs(mean - exact) > 1e-3) == biased and (biased or abs(mean - exact) < 1e-12), sizing


def test_certificate_of_the_same_batch_rule():
    """Five samples, extension by one, no finite-population factor: the linear rate is false, in rationals."""
    from fractions import Fraction

    fraction = np.vectorize(Fraction, otypes=[object])
    h, c = fraction(np.array([1, 2, 3, 4, 5])), fraction(np.array([[0], [1], [-1], [2], [-2]]))
    def free(m):
        return st.smallest(m.total, m.signal, Fraction(1, 2), math.inf)
    rule = st.SameBatch(free, grow=1.0001, monotone=False)
    trace = st.run(QuadraticSum(h, h[:, None] * c), st.SGD(Fraction(4, 15)), rule, fraction(np.array([3])), 4,
                   rng=st.EVERY)
    ratio = [trace.means("gap")[k, 0] / (Fraction(1, 5) ** k * trace.means("gap")[0, 0]) for k in range(1, 5)]
    assert ratio[0] == Fraction(1129711, 1036800) and len(trace.weight[-1]) == 125
    assert [round(float(r), 4) for r in ratio[1:]] == [1.0444, 1.1858, 0.8842]


def test_every_law_can_be_extended_or_says_so():
    class Once(GaussianQuadratic):
        """A law whose batches cannot be joined."""

        def draw(self, x, n, rng, batch=None):
            drawn = super().draw(x, n, rng)
            return st.problems.base.Batch(drawn.moments.mean, n)

    with pytest.raises(ValueError, match="cannot extend"):
        st.View(Once(np.ones(1), 1.0), None, st.SGD(1.0).init(np.zeros((1, 1))), np.random.default_rng(0)).draw(
            np.full(1, 3.0), Once(np.ones(1), 1.0).draw(np.zeros((1, 1)), np.full(1, 2.0), np.random.default_rng(0)))


def test_fixed_and_geometric():
    trace = st.run(PROBLEM, st.SGD(0.2), st.Geometric(2, 1.5), [1.0, 1.0], 5, rng=0, record=("n",))
    assert trace["n"][:, 0].tolist() == [2, 3, 5, 7, 11]
    assert st.Geometric(2, 1.5, integer=False).at(2) == 4.5
    trace = st.run(PROBLEM, st.SGD(0.2), st.Fixed(9), [1.0, 1.0], 2, rng=0, record=("n",))
    assert (trace["n"] == 9).all()


def test_sizes_stop_at_the_population():
    problem = QuadraticSum(np.ones(4), np.random.default_rng(0).standard_normal((4, 1)))
    for sizing in (st.Fixed(9), st.Geometric(3, 2.0), st.Behind(st.NormTest(0.01)), st.Ahead(st.NormTest(0.01))):
        trace = st.run(problem, st.SGD(0.5), sizing, [1.0], 4, rng=0, record=("n",))
        assert trace["n"].max() == 4


def test_exact_sizes_do_not_overflow():
    """Sizes pass 2^63 within a few steps near the minimiser; they stay float and stop at the cap."""
    trace = st.run(PROBLEM, st.SGD(0.9), st.Ahead(st.NormTest(0.5)), [1e-8, 1e-8], 3, rng=0, record=("n",))
    assert (trace["n"] > 0).all() and trace["n"].max() == CAP


@pytest.mark.parametrize("make", [
    lambda: st.Ahead(st.NormTest(1), least=0), lambda: st.Behind(st.NormTest(1), start=0), lambda: st.Fixed(0),
    lambda: st.Geometric(0, 1.1), lambda: st.Geometric(2, 0.5), lambda: st.Geometric(2, math.inf),
    lambda: st.SameBatch(st.NormTest(1), on_fail="retry"), lambda: st.Pilot(st.NormTest(1), grow=1.0),
    lambda: st.Safeguard(st.NormTest(1), gamma=1.5), lambda: st.Safeguard(st.NormTest(1), r=1),
])
def test_bad_parameters_are_refused(make):
    with pytest.raises(ValueError, match="need"):
        make()


# ---------------------------------------------------------------- every rule, criterion, option and method together

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


def test_growth_cap_minimum_and_pilot_growth():
    big = st.NormTest(1e-3)
    n = st.run(PROBLEM, st.SGD(0.1), st.Behind(big, start=2, grow=1.5), [1.0, 1.0], 5, rng=0, record=("n",))["n"][:, 0]
    assert n.tolist() == [2, 3, 5, 8, 12]
    n = st.run(PROBLEM, st.SGD(0.1), st.Behind(st.NormTest(1e3), start=9, least=4, monotone=False), [1.0, 1.0], 3, rng=0,
               record=("n",))["n"][:, 0]
    assert n.tolist() == [9, 4, 4]
    rule = st.Pilot(st.NormTest(1e3), m=4, growth=1.5, least=3)
    trace = st.run(PROBLEM, st.SGD(0.1), rule, [1.0, 1.0], 4, rng=0, record=("n", "drawn"))
    assert trace["n"][:, 0].tolist() == [3] * 4 and (trace["drawn"] - trace["n"])[:, 0].tolist() == [4, 6, 9, 14]
