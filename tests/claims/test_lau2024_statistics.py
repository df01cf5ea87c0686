"""Numbers of the statistics over ranks, as the theory notes give them, and what the controls measure."""

import numpy as np
import pytest

import samplingtheory as st
from experiments import e11_estimators as estimators
from samplingtheory.claims import base
from samplingtheory.claims.lau2024 import dynamics, printed, statistics
from samplingtheory.seeds import child

from .test_catalogue import build, collect


def values(claim, group="tight"):
    cases = getattr(claim, group) if isinstance(group, str) else claim.broken[group[0]]
    return [collect(claim, case).value for case in cases]


@pytest.mark.parametrize("claim", [statistics.printed_mean, statistics.corrected, statistics.pooled,
                                   statistics.identity], ids=lambda c: c.id)
def test_equalities_hold_to_rounding(claim):
    assert max(values(claim)) <= 1 + 1e-12


def test_the_rational_case_has_no_rounding():
    case = build(statistics.EQUAL[-1])
    found = collect(statistics.printed_mean, case)
    assert found.value == 1.0 and found.error == 0.0


def test_size_of_the_mistakes():
    assert values(statistics.printed_is_variance)[1] == pytest.approx(6, rel=1e-12)  # b/(J - 1), J = 2, b = 6
    assert values(statistics.printed_mean, ("J",))[0] == pytest.approx(3, rel=1e-12)
    assert values(statistics.printed_mean, ("independent",))[0] == pytest.approx(3, rel=1e-12)  # 1/(1 - 2/3)
    assert values(statistics.capped) == pytest.approx([1, 1], rel=1e-12)
    assert values(statistics.effective, ("test",))[0] == pytest.approx((8 / 6) ** 2, rel=1e-12)
    assert values(statistics.descent, ("norm",))[0] == pytest.approx(0.5 / 0.4, rel=1e-12)


def test_effective_constant_of_the_paper():
    assert 0.2 * np.sqrt(8192 / 3) == pytest.approx(10.45, abs=0.005)
    law = printed.three_samples().law(printed.POINTS[:1])
    n = printed.PrintedOnTheLaw(0.2, 4)(law)
    assert st.NormTest(0.2 * np.sqrt(n[0] / 3))(law) == pytest.approx(n, rel=1e-12)


@pytest.mark.parametrize("eps, median", [(0.1, 276), (0.2, 76)])
def test_the_printed_rule_jumps_to_its_ceiling(eps, median):
    """Final sizes from b_0 = 8, B_simple = 75, J = 4 (notes: 276 and 76 at 74.3), medians of 400 runs within 6 %. Ten
    times the noise changes little: (J - 1)/eps^2, up to rounding and the ratchet (15 %)."""
    finals = []
    for d in (50, 500):
        case = dynamics.frozen("x", dynamics.printed(eps, 8), eps, d)
        n = st.run(case.problem, case.method, case.sizing, case.x0, 50, replicates=400, rng=child(0, d),
                   record=("n",))["n"]
        finals.append(np.median(n[-1]))
    assert finals[0] == pytest.approx(median, rel=0.06)
    assert finals[1] == pytest.approx(3 / eps**2, rel=0.15)


def test_a_smaller_start_ends_with_a_larger_batch():
    finals = []
    for start in (8, 64, 152):
        case = dynamics.frozen("x", dynamics.printed(0.1, start), 0.1)
        n = st.run(case.problem, case.method, case.sizing, case.x0, 30, replicates=200, rng=0, record=("n",))["n"]
        finals.append(n[-1].mean())
    assert finals[0] > finals[1] > finals[2]


def test_means_of_the_estimators():
    """18 means within 3 standard errors of their formulas, at a fixed seed (a fresh one fails once in 20)."""
    shaped = estimators.shape([(t, estimators.compute(t)) for t in estimators.tasks(True)])
    known = [r for r in shaped["rows"] if "no formula" not in r[1]]
    assert len(known) == 18 and max(abs(r[5]) for r in known) <= 3
    wrong = [r for r in known if r[1] == "printed Vhat"]  # and the control: it is not tr Sigma
    assert all(abs(r[2] - estimators.SPECTRUM.sum()) > 1000 * r[3] for r in wrong)
    assert set(estimators.draw(shaped)) == {"estimators"} and "standard errors" in estimators.caption(shaped)


@pytest.mark.parametrize("eps, start, ranks, d", [(0.01, 1040, 2, 50), (0.1, 170, 4, 50), (0.3, 28, 4, 10)])
def test_chernoff_bounds_how_often_the_printed_test_fails(eps, start, ranks, d):
    """Against 200,000 draws of the two laws; error level 1e-6 a case (Hoeffding). The bound is within a factor 30."""
    B, rng, runs = 1.5 * d, np.random.default_rng(3), 200_000
    s = base.Symbols(eps=eps, ranks=ranks, start=start, exact=B / eps**2)
    size = rng.chisquare(d * (ranks - 1), runs) / (eps**2 * rng.noncentral_chisquare(d, start / 1.5, runs))
    fails, slack = (size > start).mean(), (np.log(1e6) / (2 * runs)) ** 0.5
    assert np.maximum(size / start - 1, 0).mean() < fails  # so that one number bounds both
    assert fails - slack < 10 ** dynamics.failing(s, d) < 30 * fails + slack
