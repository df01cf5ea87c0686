"""Statistics, optimizers, proxes, claims, mutants, diagnosis, vectors, strategies and the command."""

import math
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

import samplingtheory as sth
from samplingtheory import cli
from samplingtheory.check import check
from samplingtheory.report import kills
from samplingtheory.testing import (
    check_batch_rule,
    check_optimizer,
    check_prox,
    check_statistic,
    check_theorem,
    mutants,
    strategies,
    vectors,
)
from samplingtheory.testing.batch import batch_rule
from samplingtheory.testing.conform import print_reports
from samplingtheory.testing.engine import run_check
from samplingtheory.testing.kinds import real_size, reference
from samplingtheory.testing.listing import parts
from samplingtheory.testing.matrix import FRONTS, data, first_killer, kill_matrix
from samplingtheory.testing.matrix import dumps as dumped
from samplingtheory.testing.mistakes.optimizers import factory
from samplingtheory.testing.mistakes.ranks import within_plus_between
from samplingtheory.testing.mistakes.theorems import claim
from samplingtheory.testing.others import check_third_party
from samplingtheory.testing.ourselves import check_ourselves, ourselves
from samplingtheory.testing.recursions import HYPER
from samplingtheory.testing.rule_checks import RULE_CHECKS
from samplingtheory.testing.vectors import dumps, value

SOUND = next(c for c in RULE_CHECKS if c.name == "soundness")
MUTANTS = {m.label: m for m in mutants()}


def test_enough_mutants_with_unique_names():
    assert len(MUTANTS) == len(mutants()) >= 40
    assert {m.subject for m in mutants()} == {"rule", "statistic", "optimizer", "prox", "theorem"}


@pytest.mark.parametrize("label", MUTANTS)
def test_every_mutant_is_killed_without_a_reference_or_is_equivalent(label):
    mutant = MUTANTS[label]
    killer = first_killer(mutant, examples=50 if mutant.only else 25)
    assert bool(killer) != bool(mutant.equivalent) and killer in (mutant.only or killer)


def test_conservative_mutants_are_sound():
    for m in mutants():
        if m.conservative and m.subject == "rule":
            assert run_check(SOUND, batch_rule(m.build, **m.flags), 30, shrink=False).verdict == "passed", m.label


def test_we_pass_our_own_checks_and_every_check_has_its_examples(capsys):
    reports = list(check_ourselves(examples=40))
    assert len(reports) == sum(map(len, ourselves())) + 1
    assert print_reports(iter(reports), print) == 0
    counts = capsys.readouterr().out.partition("Examples judged")[2].splitlines()
    for line, (_, checks) in zip(counts[1:], list(FRONTS.values())[:-1], strict=False):
        found = dict(re.findall(r"([a-z-]+) ([\d,]+)", line))
        assert all(int(found[c.name].replace(",", "")) >= 40 for c in checks), line


@pytest.mark.slow
def test_torch_passes_and_rules_as_described_fail_as_expected():
    pytest.importorskip("torch")
    reports = list(check_third_party(examples=15))
    assert len(reports) >= 6 and all(r.ok for r in reports)


# ---------------------------------------------------------------- diagnosis


def per_tensor(table, theta):
    """An inner product test as published implementations describe it: variances tensor by tensor, added up."""
    mean = table.mean(0)
    blocks = (slice(0, 2), slice(2, 5))
    spread = sum(((table[:, b] - mean[b]) @ mean[b]).var(ddof=1) for b in blocks)
    signal = mean @ mean
    return math.inf if signal == 0 else spread / (theta**2 * signal**2)


def test_a_per_tensor_sum_is_named_with_its_layout():
    report = check_batch_rule(per_tensor, kind="inner-product", role="lagged", layout=(2, 3), examples=20)
    assert "minimality" in report.failed or "soundness" in report.failed
    assert "per-tensor sum (cross-tensor covariance lost), tensors of [2, 3]" in report.diagnosis


def test_a_biased_statistic_is_named_and_measured():
    report = check_statistic(within_plus_between, kind="rank-moments", equal=True, least=2)
    assert 'within plus between: biased by 1 + (J - 1)/(J m)' in report.diagnosis
    assert "a factor 1.25" in report["unbiased"].found  # two ranks of two samples


def test_unknown_mistakes_are_not_named():
    assert check_batch_rule(lambda g, eps: 7.0, kind="norm", examples=10).diagnosis.startswith("none of the")


def test_optimizer_variants_are_named():
    def inside(s, g, h):
        s.v = s.v + g * g
        return s.x - h.alpha * g / np.sqrt(s.v + h.eps)

    assert '"epsilon inside the root"' in check_optimizer(factory(inside), kind="adagrad", examples=10).diagnosis


# ---------------------------------------------------------------- optimizers, proxes, claims: contracts


class Vague:
    def __init__(self, x0, alpha):
        self.x, self.alpha = x0, alpha

    def step(self, g):
        self.x = self.x - self.alpha * g * (1 + 1e-3 * np.random.rand())  # noqa: NPY002
        return self.x


def test_optimizers_that_break_the_contract():
    report = check_optimizer(Vague, kind="sgd", examples=10)
    assert "depends on the global random state" in report["ignores-global-random-state"].found

    class Short(Vague):
        def step(self, g):
            return 0.0

    assert "a point has shape" in check_optimizer(Short, kind="sgd", examples=10)["returns-points"].found
    with pytest.raises(ValueError, match="use one of sgd"):
        check_optimizer(Vague, kind="adamax")
    assert set(HYPER) >= {"sgd", "proximal-gradient", "adagrad-norm", "adagrad", "adam"}


def test_a_prox_needs_its_function():
    with pytest.raises(ValueError, match="give value="):
        check_prox(lambda u, a: u)
    soft = lambda u, a: np.sign(u) * np.maximum(np.abs(u) - a / 2, 0)  # noqa: E731
    l1 = lambda x: np.abs(x).sum() / 2  # noqa: E731
    assert check_prox(soft, l1, conjugate=lambda u, a: np.clip(u, -0.5, 0.5), examples=20).ok
    assert check_prox(soft, l1, conjugate=lambda u, a: np.clip(u, -1, 1), examples=20).failed == ("moreau",)


def test_our_claims_pass_what_is_asked_of_others():
    assert check_theorem(claim()).ok
    found = check_theorem(next(c for c in sth.catalogue if c.id == "bollapragada2018/one-step"))
    assert "falsifiable" not in found.failed and "as-claimed" not in found.failed


# ---------------------------------------------------------------- listing, vectors, strategies


@given(strategies.gradient_tables(exact=True), hs.sampled_from(["without", "with", "batch"]), hs.integers(1, 4))
def test_listing_agrees_with_the_formula(table, sampling, n):
    N, g = len(table), np.array(table, dtype=float)
    n = min(n, N) if sampling == "without" else n
    total = ((g - g.mean(0)) ** 2).sum() / (N if sampling == "with" else N - 1)
    share = 1 / n - (1 / N if sampling == "without" else 0)
    assert float(parts(table, n, sampling).total) == pytest.approx(total * share, rel=1e-12, abs=1e-12)


def test_vectors_are_up_to_date():
    from importlib.resources import files

    assert files("samplingtheory.testing").joinpath("vectors.json").read_text() == dumps()


@pytest.mark.parametrize("v", [v for v in vectors()["vectors"] if v["kind"] != "ranks"], ids=lambda v: v["id"])
def test_our_criteria_give_the_vectors(v):
    params = {k: [float(p) for p in value(x)] if isinstance(x, list) else float(value(x))
              for k, x in v["parameters"].items()}
    table = np.array(value(v["gradients"]), dtype=float)
    wanted = value(v["expected"]["size"])
    assert real_size(v["kind"], v["sampling"], table, params) == pytest.approx(float(wanted), rel=1e-9)
    size = reference(v["kind"], v["sampling"])(table, **params)
    assert size == (math.inf if v["expected"]["batch"] is None else v["expected"]["batch"])


@pytest.mark.parametrize("v", [v for v in vectors()["vectors"] if v["kind"] == "ranks"], ids=lambda v: v["id"])
def test_our_moments_give_the_rank_vectors(v):
    means, counts = np.array(value(v["expected"]["means"]), dtype=float), np.array(v["counts"], dtype=float)
    assert float(sth.moments(means, counts).total) == pytest.approx(float(value(v["expected"]["total-of-rank-means"])))


@given(hs.data())
@settings(max_examples=15)
def test_strategies_give_what_they_say(data):
    table = data.draw(strategies.gradient_tables(exact=True))
    assert all(isinstance(v, Fraction) for row in table for v in row) and any(map(sum, zip(*table, strict=True)))
    problem = data.draw(strategies.finite_sums())
    assert sth.check_problem(problem)
    case = data.draw(strategies.tight_instances())
    sound = claim()
    tight = replace(sound, tight=(case,), generic=(), broken={})
    assert check(tight, "quick", 0).sharpness == pytest.approx(1, abs=1e-9)
    assert sum(data.draw(strategies.shard_layouts(9, 2))) == 9
    assert data.draw(strategies.batch_tests())(sth.moments(np.array(table, dtype=float))) >= 0
    assert data.draw(strategies.composite_problems()).constants.L > 0


# ---------------------------------------------------------------- the matrix and the command


def test_matrix_page():
    rows = kill_matrix([m for m in mutants() if m.subject == "prox"], examples=10)
    found = data(rows, 10)
    text = kills.page(found)
    assert text.count("<tr>") == len(rows) + 1 and "equivalent: the same function" in text
    assert kills.summary(found).startswith(f"{len(rows)} mutants: ")
    assert [r.mutant.label for r in rows if r.wrong] == []


def test_the_shipped_matrix_is_of_these_mutants_and_checks():
    shipped = kills.shipped()
    assert [m["label"] for m in kills.mutants(shipped)] == list(MUTANTS)
    for section, (title, checks) in zip(shipped["sections"], FRONTS.values(), strict=True):
        assert section["title"] == title
        assert [(c["name"], c["words"], c["implied"]) for c in section["checks"]] == [
            (c.name, c.words, c.implied) for c in checks]


def test_every_check_catches_something_alone_or_says_why_not():
    shipped = kills.shipped()
    assert kills.unexplained(shipped) == [] and not any(m["wrong"] for m in kills.mutants(shipped))
    for section in shipped["sections"]:
        for c in section["checks"]:
            assert not (c["implied"] and kills.alone(section, c["name"])), f"{c['name']} is not implied after all"
    section = {**shipped["sections"][0], "mutants": []}
    assert "Batch-size rules: scale" in kills.unexplained({"sections": [section]})


@pytest.mark.slow
def test_whole_matrix():
    found, shipped = data(kill_matrix(examples=50)), kills.shipped()
    assert [m["label"] for m in kills.mutants(found) if m["wrong"]] == [] and kills.unexplained(found) == []
    if found["hypothesis"] == shipped["hypothesis"]:  # another version draws other examples
        assert dumped(found) == dumped(shipped)


def run(*argv):
    return cli.main(["conform", *argv])


def test_command_passes_and_fails(capsys):
    toys = "tests.testing.toys"
    assert run(f"{toys}:right", "--kind", "norm", "--examples", "10") == 0
    assert run(f"{toys}:unsound", "--kind", "norm", "--examples", "20") == 1
    assert "gradients = [[" in capsys.readouterr().out
    expect = [w for name in ("soundness", "duplication", "finite-population", "ordering")
              for w in ("--expect", f"{name}=known")]
    assert run(f"{toys}:wasteful", "--kind", "norm", "--examples", "20", *expect) == 1
    assert "STALE" in capsys.readouterr().out
    assert run(f"{toys}:same_batch", "--kind", "norm", "--role", "same-batch", "--flag", "answers=accept", "--flag",
               "claims_unbiased", "--examples", "10") == 1


@pytest.mark.parametrize("argv, words", [
    (["nowhere:rule", "--kind", "norm"], "nowhere cannot be imported"),
    (["tests.testing.toys:nothing", "--kind", "norm"], "has no 'nothing'"), (["tests"], "names no object"),
    (["tests.testing.toys:right"], "no kind was given; use --kind"),
    (["tests.testing.toys:right", "--kind", "adam", "--flag", "monotone"], "kind adam takes no option monotone"),
    (["tests.testing.toys:right", "--kind", "norm", "--expect", "scale"], "gives no reason"),
    (["--examples", "0"], "examples at least 1"),
])
def test_command_says_what_is_wrong_in_one_line(capsys, argv, words):
    assert run(*argv) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_vectors_are_written(tmp_path):
    assert run("--vectors", str(tmp_path / "v.json")) == 0
    assert (tmp_path / "v.json").read_text() == dumps()


def test_the_rest_works_without_hypothesis(tmp_path):
    (tmp_path / "hypothesis.py").write_text("raise ModuleNotFoundError('gone', name='hypothesis')")
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import samplingtheory; from samplingtheory import cli; "
            "assert 'hypothesis' not in sys.modules; sys.exit(cli.main(['conform']))")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == ("samplingtheory: samplingtheory.testing needs hypothesis: pip install "
                           "'samplingtheory[testing]'\n")


def test_checks_that_can_judge_nothing_fail():
    never = batch_rule(lambda g, eps: math.inf, kind="norm")
    assert "no example could be judged" in run_check(SOUND, never, 10).found
