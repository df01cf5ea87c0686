"""Local slopes: exact on powers, honest on what is not one, and judged in their own words."""

from dataclasses import replace

import numpy as np
import pytest

from samplingtheory.claims.base import ASYMPTOTIC, Case, Claim, Evidence, Quantity, Source, Symbols, judge, judge_case
from samplingtheory.evidence.slopes import Slopes, resampled
from samplingtheory.methods import SGD
from samplingtheory.problems.oracles import Oracle, TwoPoint
from samplingtheory.problems.quadratic import Quadratic
from samplingtheory.report import words
from samplingtheory.report.series import plots
from samplingtheory.sizing import Fixed


def evidence(curve, rate, runs=50, noise=0.0, steps=1024):
    """Slopes of curve(K) times lognormal noise, one factor a run."""
    def sides(s, path):
        K = np.arange(1, steps + 1)[:, None]
        factor = np.exp(noise * np.random.default_rng(3).standard_normal((steps if noise < 0 else 1, runs)))
        return curve(K) * factor, rate

    case = Case("c", Oracle(Quadratic(np.ones(1)), TwoPoint(0.1)), SGD(0.1), Fixed(1), np.ones(1), Slopes(steps, runs),
                Symbols())
    return case, case.evidence.collect("rate", Quantity(("gap",), sides), (), case, np.random.default_rng(0), 1)


def judged(curve, rate, **how):
    case, found = evidence(curve, rate, **how)
    return judge_case("generic", "", case, found, {}), found


def test_a_power_is_measured_exactly():
    result, found = judged(lambda K: 3.0 * K**-0.8, 0.75, noise=0.5)
    assert found.grade == ASYMPTOTIC and found.value == pytest.approx(0.75 / 0.8)
    assert result.words == "supported by slopes"
    assert found.lower == pytest.approx(found.upper), "a factor a run leaves every slope alone: whole runs count"


@pytest.mark.parametrize("curve, rate, said", [
    (lambda K: K**-0.5, 0.75, "contradicted by slopes"),
    (lambda K: 1.0 / K + 0.05, 0.9, "contradicted by slopes"),  # a noise floor: a global fit would say 0.6
    (lambda K: 0.0 * K + 1.0, 0.1, "contradicted by slopes"),
    (lambda K: 1.0 * K, 0.1, "contradicted by slopes"),
    (lambda K: np.where(K < 512, 1.0 / K, 512**-0.5 * K**-0.5), 0.8, "undecided by slopes"),  # the windows disagree
    (lambda K: np.where(K < 256, 256**-0.5 * K**-0.5, 1.0 / K), 0.8, "undecided by slopes"),
])
def test_words_and_both_windows(curve, rate, said):
    result, _ = judged(curve, rate)
    assert result.words == said and result.refuted == said.startswith("contradicted")


def test_never_refuted_and_undecided_counts_as_inconclusive():
    claim = Claim("toy2000/a", "rate", Source("toy2000", "x", "ours"), "t", "s", Quantity((), lambda *a: a), {},
                  no_tight="toy")
    for curve, verdict, fine, unsure in ((lambda K: 1.0 / K, "supported by slopes", True, False),
                                         (lambda K: K**-0.2, "contradicted by slopes", False, False)):
        row = judge(claim, [judged(curve, 0.75)[0]], 0, 0.0)
        assert (row.verdict, row.as_expected, row.inconclusive) == (verdict, fine, unsure)
        assert words.status(row).key == ("open" if fine else "wrong")
    between = judge_case("generic", "", Case("c", *[None] * 5, Symbols()),
                         Evidence(ASYMPTOTIC, 1.0, 0.9, 1.1), {})
    assert judge(claim, [between], 0, 0.0).inconclusive and words.case_status(between, "holds").key == "unsure"
    broken = replace(between, role="broken", words="contradicted by slopes")
    assert broken.refuted and words.case_status(broken, "holds").key == "denied"


def test_drawn_as_a_mean_and_local_exponents():
    result, _ = judged(lambda K: K**-0.8, 0.75)
    mean, local = plots(result)
    assert mean.log_x and mean.log_y and local.level == 0.75 and not local.shaded
    assert [c.role for c in local.curves] == ["limit", "limit", "measured"]


def test_the_interval_covers():
    """Independent lognormal data, slope 1: the 95 % interval of one window covers in 200 trials; failure level 1e-4."""
    rng, missed = np.random.default_rng(5), 0
    for _ in range(200):
        rows = np.array([[1.0], [0.5]]) * np.exp(0.5 * rng.standard_normal((2, 100)))
        means = resampled(rows, 400, rng)
        low, high = np.percentile(np.log2(means[0, 1:] / means[1, 1:]), [2.5, 97.5])
        missed += not low <= 1 <= high
    assert missed <= 24


@pytest.mark.parametrize("how", [{"steps": 1000}, {"start": 0}, {"windows": (2, 9)}, {"windows": (3, 2)}])
def test_bad_plans_are_refused(how):
    with pytest.raises(ValueError, match=r"steps is|windows"):
        Slopes(**({"steps": 4096} | how))


def test_a_mean_of_zero_has_no_slope():
    with pytest.raises(ValueError, match="no logarithmic slope"):
        judged(lambda K: 0.0 * K, 0.5)


def test_intervals_leave_half_the_level_on_each_side():
    plan = Slopes(256, 10, 64, (1, 2), level=0.9)
    samples = np.linspace(0, 1, 1001)
    exponents = np.stack([np.concatenate([[0.5 + shift], samples + shift]) for shift in (0.0, 1.0)])
    found = plan._judge(1.0, np.array([64, 128, 256]), np.ones(3), exponents, 10, {})
    assert found.series["low"] == pytest.approx([0.05, 1.05]) and found.series["high"] == pytest.approx([0.95, 1.95])
    assert found.lower == pytest.approx(1 / 1.95) and found.upper == pytest.approx(1 / 0.55)
