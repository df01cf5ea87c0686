"""How cases are weighed into one verdict."""

import math
from dataclasses import replace

from samplingtheory.check import check

from ..toys import MC, Plan, case, claim, control


def verdict(*tight, **fields):
    return check(claim("toy/judged", *tight, **fields), "quick", 0)


def test_every_control_must_be_caught():
    controls = {"noise": (*control()["noise"], *control("survivor", 0.5)["noise"])}
    found = verdict(case("at the bound", Plan(1.0)), broken=controls)
    assert found.controls == {"killed": 1, "total": 2} and not found.as_expected
    assert verdict(case("at the bound", Plan(1.0)), broken=control()).as_expected


def test_every_counterexample_must_refute():
    good, weak = case("counter-example", Plan(1.5)), case("none", Plan(0.5))
    assert verdict(good, good, expected="fails").as_expected
    assert not verdict(good, weak, expected="fails").as_expected


def test_the_best_resolved_case_decides_about_power():
    few, many = case("few runs", Plan(0.9, 0.1, MC)), case("many runs", Plan(0.9, 0.85, MC))
    found = verdict(few, many)
    assert found.verdict == "not refuted" and found.resolution == 0.9 / 0.85
    assert verdict(few).verdict == "inconclusive (power)"


def test_a_margin_that_is_nan_does_not_hold():
    assert verdict(case("NaN", Plan(0.5), excess=math.nan)).verdict == "inconclusive (hypothesis: noise)"


def test_sharpness_is_that_of_a_case_whose_hypotheses_hold():
    found = verdict(case("sound", Plan(0.9)), case("too noisy", Plan(0.99), excess=1.0))
    assert found.verdict.startswith("inconclusive (hypothesis") and found.sharpness == 0.9


def test_a_control_violates_its_own_hypothesis_and_is_refuted_in_earnest():
    mild = {"noise": (replace(control()["noise"][0], symbols=case("x", Plan(1.0), excess=0.5).symbols),)}
    found = verdict(case("at the bound", Plan(1.0)), broken=mild)
    assert found.controls["killed"] == 0 and "noise is not violated" in found.cases[1].words
