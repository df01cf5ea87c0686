import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from samplingtheory.cli import main

from . import toys

module = import_module("samplingtheory.verify")
TESTS = Path(__file__).parent
START = "import sys, importlib, signal; signal.signal(signal.SIGINT, signal.default_int_handler); " \
        "importlib.import_module('samplingtheory.verify').CATALOGUE = 'tests.toys'; " \
        "from samplingtheory.cli import main; sys.exit(main())"


@pytest.fixture(autouse=True)
def toy_catalogue(monkeypatch):
    monkeypatch.setattr(module, "CATALOGUE", "tests.toys")


def env(**more):
    path = os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, **more}


def one_line(capsys):
    text = capsys.readouterr().err
    assert text.startswith("samplingtheory: ") and text.count("\n") == 1
    return text


# ---------------------------------------------------------------- verify


def test_verify_prints_a_row_a_claim_and_writes_both_files(tmp_path, capsys):
    assert main(["verify", "--out", str(tmp_path), "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    for claim in toys.catalogue:
        assert sum(f"{claim.id}:" in line for line in out.splitlines()) == 1
    assert "5 claims:" in out and "Every claim came out as expected." in out
    assert str(tmp_path / "verdicts.json") in out and str(tmp_path / "report.html") in out
    assert len(json.loads((tmp_path / "verdicts.json").read_text())) == 5
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "report.html", "verdicts.json"]


def test_cached_rows_and_damage_are_said(tmp_path, capsys):
    command = ["verify", "toy/holds", "--out", str(tmp_path), "--jobs", "1", "--seed", "9"]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0
    assert "(cached)" in capsys.readouterr().out
    entry, = (tmp_path / "cache").iterdir()
    entry.write_text("{")
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "is damaged" in out and "recomputed" in out and "(cached)" not in out


@pytest.mark.parametrize("extra, status", [((toys.WEAK,), 3), ((toys.SURVIVOR,), 1), ((toys.WEAK, toys.SURVIVOR), 1)])
def test_exit_statuses(tmp_path, monkeypatch, extra, status):
    monkeypatch.setattr(toys, "catalogue", (toys.HOLDS, *extra))
    assert main(["verify", "--out", str(tmp_path), "--jobs", "1"]) == status


def test_correction_for_many_claims_is_printed(tmp_path, monkeypatch, capsys):
    bets = [toys.claim(f"toy/{n}", toys.case("bet", toys.Plan(1.2, 1.1, toys.MC, log_e=e)))
            for n, e in (("a", 5.0), ("b", 0.0), ("c", 0.0))]
    monkeypatch.setattr(toys, "catalogue", tuple(bets))
    assert main(["verify", "--out", str(tmp_path), "--jobs", "1"]) == 1 + 2
    assert "inconclusive (multiplicity)" in capsys.readouterr().out


def test_interruption_writes_what_is_finished(tmp_path, monkeypatch, capsys):
    stop = toys.claim("toy/stop", toys.case("stops", toys.Plan(1.0, raises=KeyboardInterrupt())))
    monkeypatch.setattr(toys, "catalogue", (toys.HOLDS, stop, toys.FALSE))
    assert main(["verify", "--out", str(tmp_path), "--jobs", "1"]) == 130
    message = one_line(capsys)
    assert "1 of 3 claims finished and kept" in message and "same command" in message
    assert [row["id"] for row in json.loads((tmp_path / "verdicts.json").read_text())] == ["toy/holds"]
    assert "2 of 3 claims had not finished" in (tmp_path / "report.html").read_text()


def test_a_real_ctrl_c_with_workers(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", START, "verify", "--out", str(tmp_path), "--jobs", "2"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env(TOY_SLOW="1"), start_new_session=True)
    rows = 0
    for line in process.stdout:
        rows += "/" in line.split(":")[0]
        if rows == len(toys.catalogue):
            break
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=50)
    assert time.monotonic() - started < 45  # the sleeper would take 60
    assert process.returncode == 130, errors
    assert errors.count("\n") == 1 and "5 of 6 claims finished" in errors, errors
    assert len(json.loads((tmp_path / "verdicts.json").read_text())) == 5


def test_a_killed_worker_is_one_line_and_loses_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-c", START, "verify", "--out", str(tmp_path), "--jobs", "2"], text=True,
                          capture_output=True, env=env(TOY_KILLED=str(tmp_path / "cache")), check=False, timeout=60)
    assert done.returncode == 2
    assert "a worker process died" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert len(json.loads((tmp_path / "verdicts.json").read_text())) == 5


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("command, says", [
    (["verify", "toy/hols"], "nearest is 'toy/holds'"),
    (["show", "toy/fals"], "nearest is 'toy/false'"),
    (["verify", "--level", "slow"], "'quick' or 'full'"),
    (["verify", "--jobs", "0"], "at least 1"),
    (["verify", "--jobs", "many"], "--jobs"),
    (["verify", "--seed", "-1"], "at least 0"),
    (["verify", "--nonsense"], "--nonsense"),
    (["nonsense"], "nonsense"),
])
def test_bad_input_is_one_line_and_status_2(tmp_path, monkeypatch, capsys, command, says):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    assert says in one_line(capsys)
    assert "Traceback" not in capsys.readouterr().err


def test_output_folder_that_is_a_file(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["verify", "toy/holds", "--out", str(tmp_path / "taken")]) == 2
    assert "cannot write to the folder" in one_line(capsys)


# ---------------------------------------------------------------- list, show, version


def test_list_is_one_line_a_claim(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [c.id for c in toys.catalogue]
    assert "must be refuted" in lines[3]


def test_show(capsys):
    assert main(["show", "toy/lazy"]) == 0
    out = capsys.readouterr().out
    for said in (r"\mathbb{E}", "toy2024, Theorem 1", "the noise ε² is at most 1", "lazily built",
                 "samplingtheory verify toy/lazy"):
        assert said in out


def test_version_and_no_command(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("samplingtheory ")
    assert main([]) == 2
    assert "verify" in capsys.readouterr().out


def test_list_loads_nothing_heavy():
    """The real catalogue, as a module, in a fresh process."""
    code = ("import sys; from samplingtheory.cli import main; status = main(['list']); heavy = {'sklearn', "
            "'matplotlib', 'cvxpy', 'torch', 'scipy.stats', 'joblib', 'jinja2'} & set(sys.modules); "
            "sys.exit(f'loaded: {heavy}' if heavy else status)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env(), check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 10


def test_python_m(tmp_path):
    done = subprocess.run([sys.executable, "-m", "samplingtheory", "show", "no/such"], capture_output=True, text=True,
                          env=env(), cwd=tmp_path, check=False)
    assert done.returncode == 2 and done.stderr.startswith("samplingtheory: ") and done.stderr.count("\n") == 1
