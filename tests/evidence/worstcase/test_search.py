"""Adversarial search: replays, planted mistakes, and what a search may not do."""

import json
import math

import numpy as np
import pytest

from experiments import e02_adversarial_search as e02
from experiments.e02_adversarial_search import ARCHIVE, DIMS, RULES, build, hunt
from samplingtheory.evidence.worstcase.search import one_step, replay, search

RECORDS = json.loads(ARCHIVE.read_text())


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r['rule']}, seed {r['seed']}")
def test_archived_instances_replay(record):
    value = replay(lambda u: build(u, record["rule"]), one_step, record)
    assert value == pytest.approx(float(record["value"]), rel=1e-9)
    assert (value <= 1) == (record["rule"] == "as proved")


def test_the_archive_is_nearly_tight():
    assert {r["rule"] for r in RECORDS} == set(RULES)
    assert 0.9985 < max(float(r["value"]) for r in RECORDS if r["rule"] == "as proved") <= 1


@pytest.mark.parametrize("rule", [r for r in RULES if r != "as proved"])
def test_planted_mistakes_are_found(rule):
    found = hunt(rule, seed=7, restarts=2, evaluations=1500)
    assert found.value > 1.01 and found.first is not None and found.first < 1500
    assert replay(lambda u: build(u, rule), one_step, found.archive()) == found.value


def test_the_lemma_survives_a_short_search():
    found = hunt("as proved", seed=7, restarts=2, evaluations=600)
    assert 0.95 < found.value <= 1 and found.first is None
    assert found.value == max(found.best) and found.evaluations <= 1200


def test_the_experiment_keeps_what_was_found():
    results = [(task, e02.compute(task)) for task in (t | {"evaluations": 60, "restarts": 1} for t in e02.tasks(True))]
    for task, out in results:
        assert replay(lambda u, rule=task["rule"]: build(u, rule), one_step, out) == float(out["value"])
        counts, values = zip(*out["records"], strict=True)
        assert list(counts) == sorted(counts) and float(values[-1]) == max(map(float, values)) == float(out["value"])
    shaped = e02.shape(results)
    low, mid, high = np.array(shaped["distance"])
    assert (np.diff(mid) <= 0).all() and (0 <= low).all() and (low <= mid).all() and (mid <= high).all()
    assert list(e02.draw(shaped)) == ["adversarial-search"] and "the lemma says at most 1" in e02.caption(shaped)


def test_the_ratio_by_hand():
    """All N samples: a plain gradient step, required/achieved = 1/(2 - alpha u'Hu/u'u), u = grad F."""
    case = build(np.linspace(0.05, 0.95, DIMS))
    case.n = 5
    g = case.problem.gradient(case.x)[0]
    H = case.problem.hessian
    assert one_step(case) == pytest.approx(1 / (2 - case.alpha * (g @ H @ g) / (g @ g)), rel=1e-12)


def test_search_is_reproducible_and_meets_a_known_maximum():
    def peak(u):
        return 1 - float(((u - 0.3) ** 2).sum())
    first, again = (search(lambda u: u, peak, 3, 2, 600, rng=4) for _ in range(2))
    assert first.value == again.value and (first.parameters == again.parameters).all()
    assert first.value > 1 - 1e-3 and len(first.best) == 2


def test_failures_count_as_nothing():
    def picky(u):
        if u[0] > 0.5:
            raise ValueError("out of range")
        return math.nan if u[0] > 0.4 else float(u[0])
    assert 0.38 < search(lambda u: u, picky, 1, 1, 300, rng=1).value <= 0.4
    with pytest.raises(ValueError, match="no parameters gave a value"):
        search(lambda u: u, lambda u: math.nan, 1, 1, 20, rng=1)
    endless = search(lambda u: u, lambda u: math.inf, 1, 1, 20, rng=1, stop=2.0)
    assert endless.value == math.inf and endless.archive()["value"] == "inf" and endless.first == 1
    with pytest.raises(ValueError, match="need at least"):
        search(lambda u: u, lambda u: 0.0, 0)
