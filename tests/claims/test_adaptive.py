"""The adaptive claims: tightest settings, controls, hypotheses reported and not crashed on, provenance."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from samplingtheory.check import check
from samplingtheory.claims import adadagrad2024, lau2024
from samplingtheory.claims.adadagrad2024 import lemmas, rates, variants
from samplingtheory.claims.adadagrad2024.cases import norm_bound, on_logquad, silent
from samplingtheory.claims.adaptive_bounds import descent_share
from samplingtheory.evidence.exact import Enumerate
from samplingtheory.evidence.simulate import Bet, CountRuns
from samplingtheory.problems.noise import AdditiveGaussian, Gaussian
from samplingtheory.problems.oracles import Lazy, TwoPoint
from samplingtheory.run import run
from samplingtheory.seeds import child

from .test_adaptive_bounds import notes_bound

CLAIMS = (*adadagrad2024.CLAIMS, *lau2024.CLAIMS)
CHEAP = [c for c in CLAIMS if c.kind != "rate"]


def collect(claim, case):
    return case.evidence.collect(claim.kind, claim.quantity, claim.watched, case, child(0, claim.id, case.name), 1)


@pytest.mark.parametrize("claim", CHEAP, ids=lambda c: c.id)
def test_as_expected(claim):
    """Monte Carlo rows are refuted by mistake with probability 0.01 each; the seed is fixed."""
    verdict = check(claim, "quick", 0)
    assert verdict.as_expected and not verdict.inconclusive
    assert verdict.controls["killed"] == verdict.controls["total"]


def test_tightest_settings_are_met():
    """bound/measured S: 1.043 and 1.24 (with the sharp share; the issue asks 1.10 and 1.60), A-gen 1.057."""
    without, drop = (1 / collect(rates.expected_sum, c).value for c in rates.expected_sum.tight)
    assert 1 <= without <= 1.045 and 1 <= drop <= 1.25
    assert 1 <= 1 / collect(variants.generalised, variants.generalised.tight[0]).value <= 1.06


def mutant(case, bound):
    """measured S over a wrong bound for a case of theorem A: above 1 it is caught."""
    return collect(rates.expected_sum, case).value * norm_bound(case.symbols).S / bound(case.symbols)


def test_wrong_bounds_are_caught_in_the_setting_that_can_see_them():
    without, drop = rates.expected_sum.tight
    assert mutant(without, lambda s: norm_bound(s).S / 2) > 1.9 and mutant(drop, lambda s: norm_bound(s).S / 2) > 1.6
    share = descent_share(0.3)
    assert mutant(drop, lambda s: norm_bound(s).S * share / (1 / share)) > 1.1  # share turned over
    assert mutant(drop, lambda s: norm_bound(s).S * share / 1.3) > 1.2  # 1 + eta
    assert mutant(without, lambda s: s.Delta / s.alpha) > 1.0003  # the logarithm dropped: exact evidence sees it
    assert mutant(silent("x", Enumerate(100)), lambda s: s.Delta / s.alpha) > 1e6
    for case in lemmas.growth_of_v.tight:  # tau = 1
        assert collect(lemmas.growth_of_v, case).value * math.sqrt(1 + case.symbols.eta**2) > 1.04
    half = lemmas.told(lemmas.one_step.tight[0], L=0.5)
    assert collect(lemmas.one_step, half).refutes  # L halved


def test_additive_noise_crosses_early():
    """Total size 3: the mean of sqrt(Q_K) passes B near K = 46, and the B of the notes (share 1 - eta) near K = 146."""
    case = rates.bounded.broken["test"][0]
    trace = run(case.problem, case.method, case.sizing, case.x0, 200, replicates=400, rng=0, record=("grad2",))
    mean = np.sqrt(np.cumsum(trace["grad2"][:-1], axis=0)).mean(axis=1)
    assert 40 <= int(np.argmax(mean > norm_bound(case.symbols).Q)) + 1 <= 52
    tau, S = math.sqrt(1.09), notes_bound(case.symbols.Delta, 2.0, 1.0, 1.0, 0.3)
    assert 136 <= int(np.argmax(mean > math.sqrt(S * ((1 + tau) * S + 1)))) + 1 <= 156


def test_counting_confirms_and_refutes():
    quiet, loud = rates.high_probability.generic[0], rates.high_probability.broken["test"][0]
    assert collect(rates.high_probability, quiet).confirmed and collect(rates.high_probability, loud).refutes
    few = replace(quiet, evidence=CountRuns(20, 20))
    found = collect(rates.high_probability, few)
    assert not found.confirmed and not found.refutes


@pytest.mark.parametrize("name, case", [
    ("eta", on_logquad("eta = 1", TwoPoint(1.0), Enumerate(3), 1.0)),
    ("eta", on_logquad("eta = 1.5", Gaussian(1.5), Bet(20, 20), 1.5)),
    ("start", on_logquad("v0 = 0", Lazy(1.25), Enumerate(5), 0.5, v0=0.0)),
    ("test", on_logquad("additive noise", AdditiveGaussian(1.0), Bet(20, 20), 0.3)),
])
def test_a_violated_hypothesis_is_reported(name, case):
    claim = replace(rates.expected_sum, id="adadagrad2024/outside", tight=(case,), generic=(), real=(), broken={})
    verdict = check(claim, "quick", 0)
    assert verdict.verdict.startswith("inconclusive (hypothesis") and name in verdict.verdict
    assert verdict.hypotheses[name] < 0 and verdict.inconclusive


def test_adam_outside_its_range_is_reported():
    case = lau2024.adam.on_logquad("beta1 = 0.9", Gaussian(0.2), Bet(20, 20), 0.2, 0.9, 0.999)
    verdict = check(replace(lau2024.adam.rmsprop, generic=(case,), real=(), broken={}), "quick", 0)
    assert verdict.verdict == "inconclusive (hypothesis: betas)"


def test_steps_beyond_the_generalised_range_are_vacuous():
    case = variants.cosh("alpha = 1.3", TwoPoint(0.0), Enumerate(3), 0.0, 1.0, 1.3, 1.0)
    assert variants.general_bound(case.symbols).S == math.inf


def test_no_theorem_of_the_first_paper_is_named_beside_our_constants():
    for claim in adadagrad2024.CLAIMS:
        assert claim.source.provenance in ("ours", "reconstructed")
        assert not claim.source.label.startswith(("Theorem", "Lemma 1", "Lemma 2")) or "our notes" in claim.source.label
    stated = {c.id for c in lau2024.CLAIMS if c.source.provenance == "stated"}
    assert {"lau2024/adam-as-printed", "lau2024/condition-at-0-95", "lau2024/condition-at-0-999"} <= stated


@pytest.mark.slow
def test_rates_are_told_apart():
    verdict = check(rates.rate, "quick", 0)
    assert verdict.verdict == "supported by slopes" and verdict.as_expected


def test_high_probability_is_markov_on_the_root():
    """P(sqrt(Q_K) > B/delta) <= delta: the threshold of Q_K is (B/delta)^2."""
    s = rates.high_probability.generic[0].symbols
    edge = (norm_bound(s).Q / s.delta) ** 2
    path = SimpleNamespace(grad2=np.array([[0.999 * edge, 1.001 * edge], [0.0, 0.0]]))  # the last row is x_K
    failed, delta = rates._crossed(s, path)
    assert failed.tolist() == [0.0, 1.0] and delta == s.delta
