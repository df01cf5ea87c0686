"""One loop: enumeration against simulation, merging, freezing, bad input."""

import math
from fractions import Fraction

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.problems.quadratic import GaussianQuadratic, QuadraticSum
from samplingtheory.run import POINTS, STEPS

fractions = np.vectorize(Fraction, otypes=[object])


def five(exact=False, replace=False):
    """The five-sample instance of the theory notes: h = 1..5, c = (0, 1, -1, 2, -2)."""
    h, c = np.array([1, 2, 3, 4, 5]), np.array([[0], [1], [-1], [2], [-2]])
    if exact:
        h, c = fractions(h), fractions(c)
        return QuadraticSum(h, h[:, None] * c, replace)
    return QuadraticSum(h.astype(float), (h[:, None] * c).astype(float), replace)


def five_ratios(exact):
    eps, x0 = (Fraction(1, 2), fractions(np.array([3]))) if exact else (0.5, np.array([3.0]))
    alpha = 1 / (3 * (1 + eps**2))
    trace = st.run(five(exact), st.SGD(alpha), st.Ahead(st.NormTest(eps), least=2), x0, 4, rng=st.EVERY)
    gap = trace.means("gap")[:, 0]
    rho = 1 - 1 / (1 + eps**2)
    return [gap[k] / (rho**k * gap[0]) for k in range(1, 5)], trace


def test_five_sample_instance_in_fractions_and_floats():
    exact, trace = five_ratios(True)
    assert [round(float(r), 3) for r in exact] == [0.604, 0.427, 0.294, 0.082]
    assert all(isinstance(r, Fraction) for r in exact)
    assert len(trace.weight[-1]) == 48 and sum(trace.weight[-1]) == 1
    floats, _ = five_ratios(False)
    np.testing.assert_allclose(floats, [float(r) for r in exact], rtol=1e-11)


def test_enumeration_is_the_mean_of_simulation():
    """Error level 1e-6: five standard errors at each of four steps."""
    problem, method, sizing = five(), st.SGD(0.2), st.Ahead(st.NormTest(0.7), least=2)
    exact = st.run(problem, method, sizing, [3.0], 4, rng=st.EVERY).means("gap")[:, 0]
    gaps = st.run(problem, method, sizing, [3.0], 4, replicates=20_000, rng=1)["gap"]
    error = gaps.std(axis=1) / math.sqrt(gaps.shape[1])
    assert (np.abs(gaps.mean(axis=1) - exact) <= 5 * error + 1e-12).all()


def test_enumeration_with_replacement_and_practical_rules():
    problem = five(replace=True)
    for sizing in (st.Behind(st.NormTest(0.7)), st.Safeguard(st.AugmentedInnerProductTest(0.9, 5.84), r=2),
                   st.Behind(st.Debiased(st.NormTest(0.7)), monotone=False, cap=5)):
        sizing_capped = sizing if getattr(sizing, "cap", 0) == 5 else type(sizing)(**{**sizing.__dict__, "cap": 5})
        exact = st.run(problem, st.SGD(0.2), sizing_capped, [3.0], 2, rng=st.EVERY).means("gap")[:, 0]
        gaps = st.run(problem, st.SGD(0.2), sizing_capped, [3.0], 2, replicates=20_000, rng=2)["gap"]
        error = gaps.std(axis=1) / math.sqrt(gaps.shape[1])
        assert (np.abs(gaps.mean(axis=1) - exact) <= 5 * error + 1e-12).all(), sizing


def test_several_starts_are_kept_apart():
    starts = np.array([[3.0], [1.0], [-2.0]])
    every = st.run(five(), st.SGD(0.2), st.Fixed(2), starts, 2, rng=st.EVERY)
    for i, x0 in enumerate(starts):
        alone = st.run(five(), st.SGD(0.2), st.Fixed(2), x0, 2, rng=st.EVERY)
        np.testing.assert_allclose(every.means("gap")[:, i], alone.means("gap")[:, 0], rtol=1e-13)


def test_conditional_means_average_to_the_mean():
    trace = st.run(five(), st.SGD(0.2), st.Fixed(2), [3.0], 3, rng=st.EVERY, record=("gap", "n", "g2"))
    for k in range(3):
        assert trace.weight[k] @ trace.given("gap", k) == pytest.approx(trace.means("gap")[k + 1, 0])
        assert trace.weight[k] @ trace.given("g2", k) == pytest.approx(trace.means("g2")[k, 0])


def test_every_column_is_defined_and_finite():
    complete = ("C", "V", "m", "v", "E2", "shadow")
    names = [n for n in (*POINTS, *STEPS) if n not in ("lipschitz", "tries", *complete)]
    trace = st.run(five(), st.SGD(0.2), st.Fixed(3), [3.0], 2, replicates=50, rng=0, record=names)
    for name in names:
        assert trace[name].shape == ((3, 50) if name in POINTS else (2, 50))
    every = st.run(five(), st.SGD(0.2), st.Fixed(3), [3.0], 1, rng=st.EVERY, record=complete)
    assert all(np.isfinite(every.means(name)).all() for name in complete)
    np.testing.assert_allclose(trace["rel_total"], trace["rel_along"] + trace["rel_across"], rtol=1e-9, atol=1e-12)


def test_own_columns_and_stop():
    budget = st.run(five(), st.SGD(0.1), st.Fixed(2), [3.0], 10, replicates=8, rng=0,
                    record={"gap": "gap", "drawn": "drawn", "first": lambda s: s.after.x[:, 0]},
                    stop=lambda s: np.full(len(s.after.x), s.k >= 3))
    assert budget["drawn"].sum(axis=0).tolist() == [8.0] * 8 and budget["first"].shape == (4, 8)
    some = st.run(five(), st.SGD(0.1), st.Fixed(2), [3.0], 6, replicates=8, rng=0,
                  stop=lambda s: s.after.x[:, 0] < 2.0)
    assert (np.diff(some["gap"], axis=0)[some["n"] == 0] == 0).all()


def test_same_seed_same_run():
    runs = [st.run(GaussianQuadratic(np.ones(3), 1.0), st.SGD(0.3), st.Behind(st.NormTest(0.5)), np.ones(3), 20,
                   replicates=7, rng=5)["gap"] for _ in range(2)]
    assert (runs[0] == runs[1]).all()


@pytest.mark.parametrize("how, message", [
    (dict(x0=[1.0, 2.0]), r"x0 has shape \(2,\); this problem needs \(1,\)"),
    (dict(x0=[math.nan]), "NaN"),
    (dict(steps=-1), "steps is -1"),
    (dict(replicates=0), "replicates is 0"),
    (dict(record=("gpa",)), "record names 'gpa'"),
    (dict(rng="x"), "non-negative integer"),
    (dict(rng=st.EVERY, stop=lambda s: None), "no meaning under EVERY"),
])
def test_bad_input_is_one_clear_line(how, message):
    args = dict(x0=[3.0], steps=1) | how
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        st.run(five(), st.SGD(0.1), st.Fixed(2), args.pop("x0"), args.pop("steps"), **args)
    assert "\n" not in str(caught.value)


def test_divergence_is_an_error_and_names_the_step():
    with pytest.raises(FloatingPointError, match=r"step \d+: column 'gap' is NaN or infinite in 3 of 3"):
        st.run(five(), st.SGD(1e3), st.Fixed(2), [3.0], 200, replicates=3, rng=0)


def test_enumeration_of_a_continuous_law_is_refused():
    with pytest.raises(ValueError, match="no finite list of batches"):
        st.run(GaussianQuadratic(np.ones(1), 1.0), st.SGD(0.1), st.Fixed(2), [1.0], 1, rng=st.EVERY)


def test_too_large_an_enumeration_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="too many to enumerate"):
        st.run(QuadraticSum(np.ones(40), rng.standard_normal((40, 1))), st.SGD(0.1), st.Fixed(20), [1.0], 1,
               rng=st.EVERY)


def test_unknown_column_is_named():
    trace = st.run(five(), st.SGD(0.1), st.Fixed(2), [3.0], 1, rng=0)
    with pytest.raises(KeyError, match="recorded: gap, n"):
        trace["dist2"]


def test_no_steps_leave_an_empty_column_for_each_replicate():
    trace = st.run(five(), st.SGD(0.1), st.Fixed(2), [3.0], 0, replicates=3)
    assert trace["n"].shape == (0, 3) and trace["gap"].shape == (1, 3)


@pytest.mark.parametrize("change, words", [
    ({"steps": math.inf}, "steps is inf; give a whole number"), ({"x0": "abc"}, "x0 is 'abc'; give an array"),
    ({"x0": [[1, 2], [3]]}, "give an array of numbers"), ({"x0": np.array([None], dtype=object)}, "x0 holds NaN"),
    ({"record": None}, "record= is None; give names"), ({"record": 5}, "record= is 5"),
    ({"record": ["lipschitz"]}, "kept by Backtracking"), ({"stop": 5}, "stop= is 5; give a function"),
    ({"problem": None}, "problem is None, which has no `dim`"),
    ({"problem": QuadraticSum}, "problem is the class QuadraticSum; give an instance"),
    ({"method": st.SGD}, "method is the class SGD; give an instance"),
    ({"method": st.NormTest(1)}, "which has no `step`"), ({"sizing": st.NormTest(1)}, "which has no `batch`"),
])
def test_each_wrong_argument_gets_one_line(change, words):
    arguments = {"problem": five(), "method": st.SGD(0.1), "sizing": st.Fixed(2), "x0": [3.0], "steps": 1} | change
    with pytest.raises(ValueError, match=words):
        st.run(**arguments)


@pytest.mark.parametrize("value", [None, "a", math.nan, Fraction(1, 3)])
def test_a_column_of_objects_holds_numbers_only(value):
    column = lambda step: np.array([value], dtype=object)  # noqa: E731
    how = {"record": {"own": column}, "rng": 0}
    if isinstance(value, Fraction):
        assert st.run(five(), st.SGD(0.1), st.Fixed(2), [3.0], 1, **how)["own"][0, 0] == value
    else:
        with pytest.raises(FloatingPointError, match="'own' is NaN, infinite or no number"):
            st.run(five(), st.SGD(0.1), st.Fixed(2), [3.0], 1, **how)


def test_the_final_state_of_a_stopped_replicate_is_the_one_at_its_stop():
    """Stopped at k = 0, 1, 2: the gap at the final point is the last one recorded."""
    stop = lambda step: (step.k == np.arange(3))[-len(step.after.x):]  # noqa: E731
    trace = st.run(five(), st.AdamW(0.1), st.Fixed(2), [3.0], 9, replicates=3, rng=0, stop=stop)
    assert len(trace["gap"]) == 4 and trace.final.k.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(five().gap(trace.final.x), trace["gap"][-1])


def test_no_noise_over_no_signal_is_no_noise():
    """At the minimiser with all samples: 0/0 is 0 in rel_total; one sample of an interpolating sum alike."""
    sum_ = QuadraticSum(np.ones(3), np.zeros((3, 1)))
    trace = st.run(sum_, st.SGD(0.5), st.Fixed(1), [0.0], 2, record=("rel_total", "rel_along", "rel_across"))
    assert not any(trace[name].any() for name in ("rel_total", "rel_along", "rel_across"))
