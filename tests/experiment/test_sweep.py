"""Nothing is lost, and the bytes depend on nothing but the task: engines, kills, damage, two processes, full disks."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from samplingtheory import store
from samplingtheory.cli import main

ROOT = Path(__file__).parents[2]
TOY = "tests.experiment.toy"


def start(out, *options, output=subprocess.PIPE, **environment):
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])} | environment
    command = [sys.executable, "-m", "samplingtheory", "experiment", TOY, "--out", str(out), *options]
    return subprocess.Popen(command, env=env, cwd=ROOT, stdout=output, stderr=output, text=True)


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    return out


def contents(out):
    """Every file below `out` with its bytes."""
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(Path(out).rglob("*")) if p.is_file()}


def results(out):
    return sorted((Path(out) / "experiments" / TOY / "results").glob("*.json"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    out = tmp_path_factory.mktemp("reference")
    assert main(["experiment", TOY, "--out", str(out), "--jobs", "1"]) == 0
    return contents(out)


def test_what_a_run_leaves(reference):
    assert sorted(Path(name).name for name in reference if "results" not in name) == \
        ["experiments.html", "means.svg", "summary.json"]
    kept = [json.loads(text) for name, text in reference.items() if "results" in name]
    assert len(kept) == 4
    for record in kept:
        assert set(record) == {"task", "result", "provenance", "checksum"}
        assert {"source", "versions", "data", "experiment"} == set(record["provenance"])
        assert "numpy" in record["provenance"]["versions"] and len(record["provenance"]["data"]["breast_cancer"]) == 64
    page = reference["experiments.html"].decode()
    assert "closer to zero as n grows?" in page and "1/n &amp; &lt;no more&gt;" in page and "It agrees." in page
    assert "n times the squared mean is" in page and "a command that" not in page and "<script" not in page


def test_two_workers_give_the_same_bytes(reference, tmp_path):
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "2"]) == 0
    assert contents(tmp_path) == reference


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bytes(reference, tmp_path):
    pytest.importorskip("distributed")
    finish(start(tmp_path / "local", "--jobs", "2", "--backend", "dask"))
    assert contents(tmp_path / "local") == reference


@pytest.mark.slow
def test_a_scheduler_by_address(reference, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        finish(start(tmp_path, "--backend", "dask", "--scheduler", cluster.scheduler_address))
    assert contents(tmp_path) == reference


def test_figures_are_redrawn_without_computing(reference, tmp_path, monkeypatch, capsys):
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1"]) == 0
    for path in tmp_path.rglob("*.svg"):
        path.unlink()
    monkeypatch.setattr(f"{TOY}.compute", None)
    for option in ("--draw", "--resume"):
        assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1", option]) == 0
        assert contents(tmp_path) == reference


def test_drawing_what_is_not_there_says_so(tmp_path, capsys):
    assert main(["experiment", TOY, "--out", str(tmp_path), "--draw"]) == 1
    assert "4 of 4 results are missing; run it without --draw" in capsys.readouterr().out


@pytest.mark.parametrize("spoil", [lambda text: text[:len(text) // 2], lambda text: "", lambda text: "[]",
                                   lambda text: text.replace('"mid": ', '"mid": 1')])
def test_a_damaged_result_is_found_and_computed_again(reference, tmp_path, capsys, spoil):
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1"]) == 0
    path = results(tmp_path)[1]
    before = path.read_text()
    path.write_text(spoil(before))
    assert path.read_text() != before
    capsys.readouterr()
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1", "--resume"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "is damaged" in line]
    assert len(said) == 1 and "computed again" in said[0] and str(path) in said[0]
    assert contents(tmp_path) == reference


def test_a_result_of_another_source_is_not_mixed_in(reference, tmp_path, capsys):
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1"]) == 0
    path = results(tmp_path)[0]
    record = json.loads(path.read_text())
    record["provenance"]["source"] = "0" * 64
    del record["checksum"]
    path.write_text(json.dumps(record | {"checksum": store.checksum(record)}))
    assert main(["experiment", TOY, "--out", str(tmp_path), "--draw"]) == 0
    assert "1 of 4 results come from another source, version or data; drawn as they are" in capsys.readouterr().out
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1", "--resume"]) == 0
    assert "1 of 4 results come from another source, version or data; computed again" in capsys.readouterr().out
    assert contents(tmp_path) == reference


def test_a_failing_task_stops_neither_the_others_nor_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(f"{TOY}.FAIL", "4")
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert "failed (planted failure)" in out and "1 of 4 tasks failed" in out and len(results(tmp_path)) == 3
    assert not list(tmp_path.rglob("*.svg")) and (tmp_path / "experiments.html").exists()


def test_what_json_cannot_hold_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(f"{TOY}.compute", lambda task: {"mid": float("nan")})
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1"]) == 1
    assert "its result holds NaN or infinity; use None" in capsys.readouterr().out


# ---------------------------------------------------------------- kills, two processes, disks


def killed(reference, out, kills, seed, jobs):
    """Start, kill after a random time, `kills` times; then resume to the end."""
    rng, held = random.Random(seed), {}
    slow = {"TOY_PAUSE": "0.25", "TOY_COUNT": "4"}
    for _ in range(kills):
        # no pipe: orphaned workers would hold it open
        process = start(out, "--resume", "--jobs", jobs, output=subprocess.DEVNULL, **slow)
        time.sleep(rng.uniform(0.3, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = {p.name: p.read_bytes() for p in results(out)}
        for text in now.values():  # whole, whatever the moment
            record = json.loads(text)
            assert record.pop("checksum") == store.checksum(record)
        assert held.items() <= now.items()
        held = now
    printed = finish(start(out, "--resume", "--jobs", jobs, **slow))
    assert "damaged" not in printed and "another source" not in printed
    assert contents(out) == reference


def test_three_kills_lose_nothing(reference, tmp_path):
    killed(reference, tmp_path, 3, 1, "1")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ten_kills_lose_nothing(reference, tmp_path, jobs):
    killed(reference, tmp_path, 10, 2, jobs)


def test_two_processes_on_one_store(reference, tmp_path):
    both = [start(tmp_path, "--jobs", "1", TOY_PAUSE="0.05") for _ in range(2)]
    for process in both:
        finish(process)
    assert contents(tmp_path) == reference


@contextmanager
def full_disk(monkeypatch, after):
    real, calls = os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if len(calls) > after:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    yield
    monkeypatch.setattr(os, "fsync", real)


def test_a_full_disk_is_one_clear_line_and_loses_nothing(reference, tmp_path, monkeypatch, capsys):
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1"]) == 0
    for path in results(tmp_path)[:2]:
        path.unlink()
    capsys.readouterr()
    with full_disk(monkeypatch, after=0):
        assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1", "--resume"]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "cannot keep a result in" in text and "No space left on device" in text
    assert "--resume" in text
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "1", "--resume"]) == 0
    assert contents(tmp_path) == reference


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["experiment", TOY, "--out", str(tmp_path / "file")]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "cannot write to the folder" in text and "--out" in text


@pytest.mark.parametrize("options, words", [
    (["--backend", "ray"], "use loky or dask"), (["--scheduler", "tcp://x:1"], "use --backend dask"),
    (["--jobs", "0"], "at least 1"), (["--backend", "dask", "--scheduler", "nonsense://x"], "no Dask scheduler")])
def test_options_that_cannot_be(tmp_path, capsys, options, words):
    if "dask" in options:
        pytest.importorskip("distributed")
    assert main(["experiment", TOY, "--out", str(tmp_path), "--jobs", "2", *options]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and words in text
