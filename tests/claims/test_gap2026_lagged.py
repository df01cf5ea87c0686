"""The lagged theorems: the numbers of the notes, thresholds, and that the checks can see."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import f as f_law

from samplingtheory.claims.catalogue import catalogue
from samplingtheory.claims.gap2026 import lagged, lagged_cases, lagged_practice
from samplingtheory.claims.gap2026 import lagged_rates as rates
from samplingtheory.evidence.exact import Enumerate, Recursion
from samplingtheory.evidence.lagged import MeanRecursion, radius, relative
from samplingtheory.methods import SGD
from samplingtheory.problems.quadratic import GaussianQuadratic, Quadratic
from samplingtheory.problems.streams import Exponential, Gaussian, Stream, Tangent, VarianceGamma
from samplingtheory.run import EVERY, run
from samplingtheory.seeds import child

BY_ID = {c.id: c for c in catalogue}


def collect(claim, case, effort=1):
    case = case() if callable(case) else case
    return case.evidence.collect(claim.kind, claim.quantity, claim.watched, case, child(0, claim.id, case.name), effort)


def symbols(L=1.0, mu=1.0, alpha=0.5, gain=0.5, keep=None):
    return SimpleNamespace(L=L, mu=mu, alpha=alpha, gain=gain, keep=gain if keep is None else keep)


# ---------------------------------------------------------------- constants


def test_growth_weight_and_repair_are_exact_in_fractions():
    theta2 = Fraction(1, 4)
    assert rates.growth(theta2) == Fraction(4, 3)
    assert rates.weight(symbols(1, 1, Fraction(3, 4), theta2)) == Fraction(9, 16) / 2 / Fraction(3, 4)
    for squares in ((Fraction(81, 100),), (Fraction(81, 100), Fraction(34))):
        small = rates.repaired(*squares)
        assert 1 / (1 - sum(small)) == 1 + sum(squares)
    assert [round(v**0.5, 3) for v in rates.repaired(0.81, 5.84**2)] == [0.150, 0.974]


@pytest.mark.parametrize("alpha, theta2", [(0.3, 0.2), (0.75, 0.25), (0.19, 0.81), (0.05, 0.9)])
def test_the_rate_is_the_spectral_radius_where_mu_is_L(alpha, theta2):
    s = symbols(alpha=alpha, gain=theta2)
    assert 1 - rates.rate(s) == pytest.approx(radius(1.0, alpha, theta2), rel=1e-12)
    assert rates.sharp(s) == pytest.approx(rates.rate(s))


@pytest.mark.parametrize("theta2", [0.25, 0.5, 0.81])
def test_the_threshold_is_bracketed_to_a_thousandth(theta2):
    edge = 2 * (1 - theta2)
    assert radius(1.0, 0.999 * edge, theta2) < 1 < radius(1.0, 1.001 * edge, theta2)
    inside, outside = (rates.rate(symbols(alpha=part * edge, gain=theta2)) for part in (0.999, 1.001))
    assert inside > 0 > outside
    case = lagged.mean_case(theta2, 4000, used=0.999 * edge)
    assert case.evidence.means(case)[0]["gap"][-1] < case.evidence.means(case)[0]["gap"][0]
    case = lagged.beyond(theta2, 1.001, 4000)
    path = case.evidence.means(case)[0]
    assert path["gap"][-1] > path["gap"][2000] > path["gap"][1000]


def test_rates_of_the_notes():
    step = {t: 1 / (1 + t * t) for t in (0.7, 0.8, 0.83)}
    assert [round(radius(1.0, a, t * t), 4) for t, a in step.items()] == [0.8062, 0.9415, 0.9842]
    assert radius(1.0, 1 / 1.81, 0.81) > 1 and 0.84**4 < 0.5 < 0.841**4
    found = []
    for t in (0.5, 0.7, 0.9):
        s = symbols(mu=0.1, alpha=1 - t * t, gain=t * t)
        found.append((round(rates.rate(s), 4), round(rates.sharp(s), 4)))
    assert found == [(0.0730, 0.1220), (0.0484, 0.0704), (0.0174, 0.0204)]
    repaired = [1 - rates.rate(symbols(alpha=1 / (1 + t * t), gain=t * t / (1 + t * t))) for t in (0.9, 1.5, 3.0)]
    assert [round(v, 4) for v in repaired] == [0.7136, 0.8631, 0.96]


def test_the_linear_rate_lies_between_382_and_1_times_mu_over_L_M():
    ratios = [rates.rate(symbols(mu=q, alpha=1 / M, gain=1 - 1 / M)) * M / q
              for q in (1e-6, 0.01, 0.3, 1.0) for M in (1.001, 2.0, 100.0, 1e5)]
    assert (3 - math.sqrt(5)) / 2 - 1e-4 < min(ratios) < 0.383 and 0.999 < max(ratios) < 1


# ---------------------------------------------------------------- evidence


def test_the_mean_recursion_is_the_recursion_of_the_notes_and_the_mean_of_runs():
    case = lagged.mean_case(0.49, 30, alpha=1 / 1.49)
    path, s = case.evidence.means(case)
    state, matrix = np.array([4.5, 1.0]), np.array([[(1 - 1 / 1.49) ** 2, 1 / 1.49**2 / 2], [2 * 0.49, 0.49]])
    for k in range(30):
        assert (path["gap"][k], path["z"][k]) == pytest.approx(tuple(state), rel=1e-12)
        state = matrix @ state
    assert s == pytest.approx(0.49)
    tangent = Tangent(Quadratic(np.ones(2)), 1.0)
    record = {"gap": "gap", "z": lagged_cases.noise}
    trace = run(tangent, case.method, case.sizing, np.array([3.0, 0.0]), 30, record=record)
    assert trace["gap"][:, 0] == pytest.approx(path["gap"], rel=1e-9), "the mean of any law, on every path of this one"
    assert trace["z"][:, 0] == pytest.approx(path["z"], rel=1e-9)


def test_the_mean_recursion_without_lag_is_the_second_moment_recursion():
    """n fixed: z constant, so both recursions describe the same run (one step at a time)."""
    H, x0 = np.array([0.1, 1.0]), np.array([2.0, 1.0])
    problem = GaussianQuadratic(H, np.array([0.3, 0.7]))
    rule = lagged_cases.norm_rule(0.25, 1.0, 5.0)
    case = lagged_cases.case("x", problem, 0.25, rule, x0, MeanRecursion(1), alpha=0.5)
    from samplingtheory.sizing import Fixed

    fixed = SimpleNamespace(problem=problem, method=SGD(0.5), sizing=Fixed(5), x0=x0)
    other = Recursion(1)._means(fixed, problem)
    mine, _ = case.evidence.means(case)
    for name in ("gap", "grad2", "dist2"):
        assert mine[name] == pytest.approx(other[name], rel=1e-12)
    assert mine["next_z"][0] == pytest.approx(0.25 * (other["grad2"][0] + 0.2))


def test_the_mean_recursion_says_what_it_cannot_do():
    whole = lagged_cases.norm_rule(0.25, 1.0, real=False)
    with pytest.raises(ValueError, match="whole sizes do not close"):
        relative(lagged_cases.isotropic(), whole)
    case = lagged_cases.case("x", lagged_cases.isotropic(), 0.25, whole, [1.0], MeanRecursion(3))
    with pytest.raises(ValueError, match="whole sizes"):
        case.evidence.collect("statement", None, (), case, None, 1)


@pytest.mark.parametrize("law", [Gaussian(), Exponential(), VarianceGamma(0.05)])
@pytest.mark.parametrize("axis", [None, (0.6, 0.8)])
def test_streams_have_the_variance_that_they_state(law, axis):
    """n real: E e = 0 and E|e|^2 = variance/n; each of 8 statistics errs beyond 5 standard errors once in 1e6."""
    problem = Stream(Quadratic(np.ones(2)), 3.0, law, axis)
    R, n = 200_000, 2.5
    g = problem.draw(np.tile([1.0, 2.0], (R, 1)), np.full(R, n), np.random.default_rng(1)).moments.mean
    e = g - [1.0, 2.0]
    square = (e * e).sum(1)
    assert np.abs(e.mean(0)).max() < 5 * math.sqrt(3.0 / n / R)
    assert abs(square.mean() - 3.0 / n) < 5 * square.std() / math.sqrt(R)
    assert problem.law(np.ones((1, 2))).total == pytest.approx([3.0])
    if axis:
        assert np.abs(e @ [0.8, -0.6]).max() < 1e-12


def test_a_stream_keeps_no_spread_and_says_so():
    batch = Stream(Quadratic(np.ones(2)), 1.0).draw(np.ones((1, 2)), np.ones(1), np.random.default_rng(0))
    with pytest.raises(ValueError, match="KnownVariance"):
        _ = batch.moments.total
    with pytest.raises(ValueError, match="length 1"):
        Stream(Quadratic(np.ones(2)), 1.0, axis=(1.0, 1.0))


def test_tangent_noise_enumerates_both_signs():
    problem = Tangent(Quadratic(np.ones(2)), 1.0)
    batch = problem.draw(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([4.0, 1.0]), EVERY)
    assert (batch.moments.mean**2).sum(1) == pytest.approx([25.25, 25.25, 1.0, 1.0])


# ---------------------------------------------------------------- claims


@pytest.mark.parametrize("id_", ["lagged-nonconvex", "lagged-convex", "lagged-linear", "lagged-linear-step",
                                 "lagged-sharp-step", "repaired-nonconvex", "repaired-linear"])
def test_tight_cases_reach_the_bound(id_):
    claim = BY_ID[f"gap2026/{id_}"]
    exact = [collect(claim, c) for c in claim.tight if isinstance(c.evidence, (MeanRecursion, Enumerate))]
    assert min(e.value for e in exact) > 0.999 and max(e.value for e in exact) < 1 + 1e-9


def test_the_sharp_step_is_sharp():
    """A rate larger by 1e-6 is refuted by the same instances."""
    from samplingtheory.claims.gap2026.lagged import potential

    for case in lagged.sharp_step.tight:
        more = potential(lambda s: rates.sharp(s) + 1e-6)
        e = case.evidence.collect("step", more, lagged.sharp_step.watched, case, None, 1)
        assert e.refutes


def test_two_steps_from_the_flat_axis_are_sharp_and_three_are_not():
    """z_0 = 0, noise along the steep axis: (1 - r)^2 after two steps exactly, less than (1 - r)^3 after three."""
    case = lagged_cases.case("x", lagged_cases.stretched(0.1, 1), 0.25, lagged_cases.norm_rule(0.25, 1.0, 1e18),
                             [1.0, 0.0], MeanRecursion(3))
    path, _ = case.evidence.means(case)
    r = rates.sharp(case.symbols)
    p = rates.weight(case.symbols, r)
    after = (path["gap"][1:] + p * path["next_z"]) / path["gap"][0]
    assert after[:2] == pytest.approx([1 - r, (1 - r) ** 2], rel=1e-9)
    assert after[2] < 0.999 * (1 - r) ** 3


def test_five_samples_are_exact_and_never_full_batches_only():
    for distinct in (True, False):
        case = lagged_cases.five_case(distinct, Fraction(1, 2), Enumerate(3))
        trace = run(case.problem, case.method, case.sizing, case.x0, 3, rng=EVERY, record=("gap", "n"))
        assert isinstance(trace.points["gap"][3][0], Fraction)
        assert min(float(n.min()) for n in trace.steps["n"]) < 5 and len(trace.weight[3]) > 100
        e = collect(lagged.nonconvex, case)
        assert e.error == 0 and 0.8 < e.value < 1


def test_the_planted_excess_is_five_per_cent_a_step():
    case = lagged.excess(1)
    s = relative(case.problem, case.sizing)
    assert radius(1.0, case.method.alpha, s) / (1 - rates.rate(case.symbols)) == pytest.approx(1.05, abs=5e-4)


def mean_of_next(d, least, theta2):
    """E z_1 at G = 0 from n_0 = n_min, V = 1: n_1 = ceil(n_0 F/theta^2), F ~ F((n_0 - 1) d, d)."""
    m = np.arange(least, 200_000)
    below = f_law.cdf(m * theta2 / least, (least - 1) * d, d)
    return float(below[0] / least + (np.diff(below) / m[1:]).sum())


def test_factors_by_which_an_estimated_variance_breaks_the_bound():
    """theta = .5 repaired, alpha = 1/(L(1 + theta^2)), at the minimiser: the factors of the notes within 0.01."""
    s = symbols(alpha=0.8, gain=0.2)
    r = rates.rate(s)
    p = rates.weight(s, r)
    found = [(s.alpha**2 / 2 / n + p * mean_of_next(d, n, 0.2)) / ((1 - r) * p / n)
             for d, n in ((1, 2), (1, 3), (1, 4), (1, 5), (2, 2), (10, 2))]
    assert found == pytest.approx([1.386, 1.203, 1.131, 1.093, 1.28, 1.056], abs=0.01)
    for case, value in zip(lagged_practice.naive.tight[2:], (found[0], found[1], found[4]), strict=True):
        assert collect(lagged_practice.naive, case).value == pytest.approx(value, abs=0.04)


def test_the_smallest_breaking_instance_in_fractions():
    case = lagged_practice.two_atoms()
    e = collect(lagged_practice.naive, case)
    assert e.grade == "EXACT" and e.value == pytest.approx(1.4603, abs=1e-4)


def test_no_minimum_batch_helps_against_rare_events():
    """At the minimiser E z_1/z_0 -> 1 as the event becomes rarer, whatever n_min: no constant c exists for all laws."""
    from samplingtheory.criteria import NormTest
    from samplingtheory.sizing import Behind

    for least in (8, 32):
        problem = lagged_cases.rare(1e-5)
        trace = run(problem, SGD(0.5), Behind(NormTest(0.5), least, monotone=False, least=least), np.array([1e-6]), 1,
                    rng=EVERY, record={"z": lagged_cases.noise, "after": lagged_cases.next_noise})
        assert trace.means("after")[0, 0] / trace.means("z")[0, 0] > 0.999


@pytest.mark.parametrize("cov, least", [((1.0, 0.3, 0.1), 3), ((1.0, 1.0), 4), (tuple(1 / i for i in range(1, 51)), 2)])
def test_the_bias_factor_bounds_the_exact_one(cov, least):
    w, m = np.array(cov) / sum(cov), least - 1
    exact = quad(lambda s: float(np.prod((1 + 2 * s * w / m) ** (-m / 2))), 0, np.inf, limit=400)[0]
    bound = rates.bias_factor(cov, least)
    assert exact <= bound * (1 + 1e-8)
    if len(set(cov)) == 1:
        assert exact == pytest.approx(bound, rel=1e-6)
    if len(cov) == 50:
        assert (round(exact, 4), round(bound, 4)) == (1.1435, 1.1913)
    assert rates.bias_factor((1.0,), 3) == math.inf


def test_growth_cap_rounds_up():
    """gamma = 1.5 from one sample: 2, 3, 5, ... and not 1 for ever."""
    rule = lagged_cases.norm_rule(1e-12, 1.0, real=False, grow=1.5)
    trace = run(lagged_cases.isotropic(), SGD(0.5), rule, np.array([0.1]), 5, record=("n",))
    assert trace["n"][:, 0].tolist() == [1, 2, 3, 5, 8]


def test_the_pilot_bound_is_approached_by_skewed_noise():
    """The best ratio over exponential noise in one dimension is about .98: the claim's generic cases stay below."""
    values = [collect(lagged_practice.pilot, c).value for c in lagged_practice.pilot.generic[:3]]
    assert [round(v, 4) for v in values] == [0.75, 0.74, 0.6875]


def test_the_sharp_limit_without_lag_is_that_of_gradient_descent():
    s = SimpleNamespace(L=4.0, mu=1.0, alpha=0.1, gain=0.0, keep=0.0)
    assert rates.sharp_limit(s) == pytest.approx(2 / 5)
    s.gain = s.keep = 0.25
    excess = 0.25 / (0.75 - rates.sharp(s))
    assert rates.sharp_limit(s) == pytest.approx(min(2 / (4 * (1 + excess) + 1), 1 / (4 * excess + 1)))
