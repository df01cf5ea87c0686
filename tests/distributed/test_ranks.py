"""Real ranks on gloo, started by torchrun as a user would: few launches, many checks."""

import math

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'samplingtheory[distributed]'")

from samplingtheory.distributed.launch import launch  # noqa: E402


def failed(outcome):
    return [row for row in outcome.rows if not row["passed"]]


@pytest.fixture(scope="module")
def two():
    return launch(2, timeout=240)


def test_every_statistic_agrees_on_two_ranks(two):
    assert two.errors == [] and failed(two) == [] and two.status == 0
    scopes = {(row["dtype"], row["model"], row["scope"]) for row in two.rows if not row["check"].startswith("fault")}
    assert len(scopes) == 2 * 2 * 3  # every kind of unit, for each model and type
    assert all(row["error"] <= 1e-12 for row in two.rows if row["dtype"] == "float64")
    words = " ".join(row["check"] for row in two.rows)
    assert all(w in words for w in ("DDP", "FSDP2", "one process", "tensor hooks", "ragged", "bfloat16", "scaled loss"))


def test_faults_raise_the_same_error_on_every_rank(two):
    assert sum(row["check"].startswith("fault") for row in two.rows) == 12


def test_a_stopped_run_resumes_to_the_same_losses(two):
    rows = [row for row in two.rows if "resumed" in row["check"]]
    assert len(rows) == 2 and all(row["error"] == 0 for row in rows)


def test_every_statistic_agrees_on_four_ranks():
    four = launch(4, timeout=240, parts=("checks",))
    assert four.errors == [] and failed(four) == []
    assert any("2-d mesh" in row["check"] for row in four.rows)


def test_a_killed_rank_is_reported_and_the_run_goes_on_from_its_checkpoint(tmp_path):
    path = str(tmp_path / "run.npz")
    killed = launch(2, timeout=60, parts=("train",), fault="kill", checkpoint=path, wrapper="fsdp")
    assert killed.status == 1 and killed.rows == [] and len(killed.errors) == 2
    assert killed.errors[0].startswith("rank 0: lost contact") and "rank 1: died without a word" in killed.errors[1]
    resumed = launch(2, timeout=60, parts=("train", "whole"), checkpoint=path, wrapper="fsdp")
    losses, whole = (row["losses"] for row in resumed.rows)
    assert len(losses) == 6 and losses == whole and all(map(math.isfinite, losses))


@pytest.mark.slow
@pytest.mark.parametrize("fault, words", [
    ("nan", ["NonFiniteGradients: NaN or infinite gradients (rank 1)"] * 2),
    ("differ", ["the ranks hold different models"] * 2), ("frozen", ["nothing to measure"] * 2),
    ("share", ["cannot be shared evenly by 2 ranks"] * 2),
    ("stall", ["lost contact: another rank has died or stands still", "another rank failed"])])
def test_faults_end_the_run_with_a_line_a_rank(fault, words):
    outcome = launch(2, timeout=60, parts=("train",), fault=fault)
    assert outcome.status == 1 and len(outcome.errors) == 2
    assert all(word in line for word, line in zip(words, outcome.errors, strict=True))


@pytest.mark.slow
def test_a_rank_with_other_data_is_found():
    outcome = launch(2, timeout=240, parts=("checks",), fault="disagree")
    assert outcome.status == 1 and {row["check"] for row in outcome.rows if row["passed"]} == {"one process"}


@pytest.mark.slow
def test_the_timeout_ends_all_ranks():
    outcome = launch(2, timeout=12, parts=("train",), fault="stall", patience=600)
    assert outcome.status == 1 and "no answer within 12 s" in outcome.errors[0]
