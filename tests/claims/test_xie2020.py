"""The checks K1-K8 and controls NC1-NC7 of the theory notes, to the digit where the instance is given."""

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.claims.xie2020 import failures, lemmas, rates
from samplingtheory.claims.xie2020.cases import t1, t2
from samplingtheory.problems.quadratic import QuadraticSum
from samplingtheory.seeds import child

from .test_catalogue import build, collect


def ratio_of(case):
    found = case.evidence.collect("step", rates.Quantity(("gap",), lambda s, now, then: (then.gap, now.gap)), (), case,
                                  None, 1)
    return found.value


@pytest.mark.parametrize("parameters, ratio", [
    ((0.2, 1, 0.2, 0.6), 0.791542857143), ((0.1, 1, 0.5, 0.5), 0.919166666667), ((0.5, 2, 1, 0.19), 0.877666975309)])
def test_k8_t1_equals_the_formula(parameters, ratio):
    case = t1(*parameters)
    assert ratio_of(case) == pytest.approx(ratio, rel=1e-12)
    assert ratio_of(case) == pytest.approx(rates.norm_factor(case.symbols), rel=1e-12)


def test_k8_t2_converges_to_the_formula_while_the_variance_explodes():
    values, variances = [], []
    for p in (1e-2, 1e-3, 1e-4):
        case = t2(0.2, 1.0, 0.5, 0.5, p)
        values.append(ratio_of(case))
        x0 = case.method.init(np.array([[1.0, 0.0]]))
        s = st.View(case.problem, case.method, x0, st.EVERY).law.step(np.ones(1))
        variances.append(float(s.alpha**2 * s.V[0] / (0.25 * s.m[0])))
    assert [round(v, k) for v, k in zip(values, (3, 5, 7), strict=True)] == [0.859, 0.85999, 0.8599999]
    np.testing.assert_allclose(variances, [25.5, 2500.5, 2.5e5], rtol=1e-3)


def test_nc1_floor_of_the_stalled_method():
    """The closed form alpha sigma^2/(2 n (2 - alpha mu)) against the recursion of the run itself."""
    case = build(failures.pointwise.tight[0])
    alpha, mu, sigma2 = 0.5, failures.MU, failures.SIGMA**2
    second = 4.0
    ratios = []
    for k in range(1, 401):
        second = (1 - alpha * mu) ** 2 * second + alpha**2 * sigma2
        ratios.append(second / ((1 - alpha * mu) ** k * 4.0))
    assert mu / 2 * second == pytest.approx(3.289474, abs=5e-7)
    assert alpha * sigma2 / (2 * (2 - alpha * mu)) == pytest.approx(3.289474, abs=5e-7)
    listed = st.run(case.problem, case.method, case.sizing, case.x0, 6, rng=st.EVERY, record=("gap", "n"))
    gap = listed.means("gap")[:, 0]
    np.testing.assert_allclose(gap[1:] / (0.9 ** np.arange(1, 7) * gap[0]), ratios[:6], rtol=1e-10)
    assert ratios[0] > 1 and (listed.means("n") == 1).all()


def test_nc1_the_complete_step_test_repairs_it():
    """N1 with xi = .25 in closed form: E phi/bound = ((.81 + .01 xi)/.9)^k."""
    xi, alpha, mu = 0.25, 0.5, failures.MU
    factor = ((1 - alpha * mu) ** 2 + (alpha * mu) ** 2 * xi) / (1 - alpha * mu)
    assert [round(factor**k, d) for k, d in ((10, 2), (20, 2), (30, 3), (40, 3))] == [0.36, 0.13, 0.046, 0.017]


def test_nc2_crosses_within_six_steps():
    case = build(rates.strongly_convex_path.broken["test"][0])
    gap = st.run(case.problem, case.method, case.sizing, case.x0, 6, rng=st.EVERY).means("gap")[:, 0]
    ratio = gap[1:] / ((1 - case.symbols.alpha * case.symbols.mu) ** np.arange(1, 7) * gap[0])
    assert np.round(ratio, 3).tolist() == [0.908, 0.873, 0.875, 0.926, 1.042, 1.251]


def test_nc3_and_nc7():
    assert round(ratio_of(build(rates.unconstrained.tight[0])), 4) == 0.9214
    assert ratio_of(rates._doubled()) == pytest.approx(1.0, rel=1e-12)
    assert rates.norm_factor(rates._doubled().symbols) == pytest.approx(0.375)


def test_nc4_realised_norm_is_vacuous_for_xi_of_one():
    """h = 0 and V = 1e6 |G|^2 passes N2(1) with one sample, while E f grows."""
    problem = QuadraticSum(np.ones(2), np.array([[1000.0], [-1000.0]]))
    method = st.SGD(1.0)
    view = st.View(problem, method, method.init(np.array([[1.0]])), st.EVERY)
    assert st.StepNormTest(1.0, "realised")(view.law)[0] == 1 < st.StepNormTest(1.0)(view.law)[0]
    after = st.run(problem, method, st.Fixed(1), [1.0], 1, rng=st.EVERY).means("gap")[:, 0]
    assert after[1] > 1e5 * after[0]


def test_nc5_sizes_at_the_vertex():
    case = failures.vertex()
    view = st.View(case.problem, case.method, case.method.init(case.x0), st.EVERY)
    V = [float(view.law.step(np.array([float(n)])).V[0]) for n in range(1, 6)]
    assert all(v > 0 for v in V) and st.StepNormTest(1e6)(view.law)[0] == 6
    assert st.StepInnerProductTest(1e-6)(view.law)[0] == 1


@pytest.mark.parametrize("index, expected", [(0, 0.0917), (1, 0.1222)])
def test_nc6_biases(index, expected):
    case = failures.unbiased.broken["before"][index]
    found = collect(failures.unbiased, case)
    assert (found.value - 1) * 0.4 / 3 == pytest.approx(expected, abs=5e-5)


def test_k1_to_k3_on_many_random_problems():
    """Slack of the lemmas over seeds and regularisers: never violated, equality only without h."""
    for claim in (lemmas.sandwich, lemmas.implications, lemmas.basic):
        for seed in range(3, 8):
            for make in lemmas.family(lemmas.Enumerate(1), lemmas.over_L(0.7), lemmas.PAIR, seed=seed):
                assert collect(claim, make).value <= 1 + 1e-10


def test_k5_sharp_theorem_with_every_weight():
    """(3a) for four weights lambda, alpha L in (.25, .6, 1)."""
    for factor in (0.25, 0.6, 1.0):
        for make in lemmas.family(None, lemmas.over_L(factor), rates.ONE):
            case = make()
            k, s = case.symbols.alpha * case.symbols.mu, case.symbols
            trace = st.run(case.problem, case.method, st.Fixed(1), case.x0, 2, rng=st.EVERY,
                           record=("gap", "C", "v", "m"))
            for row in (0, 1):
                gap, after = trace.points["gap"][row], trace.given("gap", row)
                C, v, m = (trace.given(name, row) for name in ("C", "v", "m"))
                for weight in (0.0, 0.3, 0.7, 1.0):
                    bound = (weight * (1 - k) * (gap - m / (2 * s.alpha))
                             + (1 - weight) * (1 - k) ** 2 * m / (2 * s.alpha**2 * s.mu)
                             + C - (1 - s.alpha * s.L / 2) * v / s.alpha)
                    assert (after <= bound * (1 + 1e-10) + 1e-13).all()


def test_real_cases_use_the_closed_condition():
    for make in rates.REAL:
        case = make()
        found = case.evidence.collect("step", rates.strongly_convex.quantity, rates.strongly_convex.watched, case,
                                      child(0, "x"), 1)
        assert found.seen["eta"] <= rates.REAL_ETA + 1e-6 and not found.refutes
