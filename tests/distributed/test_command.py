"""`samplingtheory distributed`: usage, exit statuses, and life without PyTorch."""

import subprocess
import sys

import pytest

from samplingtheory import cli
from samplingtheory.distributed import launch as launching
from samplingtheory.distributed.launch import Outcome

ROW = {"check": "DDP, reduced once", "model": "mlp", "dtype": "float64", "units": 2, "scope": "ranks", "error": 1e-16,
       "limit": 1e-12, "passed": True}


@pytest.mark.parametrize("rows, errors, status, words", [
    ([ROW], [], 0, "1 of 1 checks agree on 2 ranks (gloo)"),
    ([ROW, ROW | {"passed": False, "error": "inf"}], [], 1, "1 of 2 checks agree"),
    ([], ["rank 1: died without a word"], 1, "no verdict on 2 ranks"),
])
def test_exit_status_and_table(monkeypatch, capsys, rows, errors, status, words):
    monkeypatch.setattr(launching, "launch", lambda *args, **more: Outcome(rows, errors))
    assert cli.main(["distributed"]) == status
    out, err = capsys.readouterr()
    assert words in out and all(line in err for line in errors)
    assert out.count("✓") == sum(row["passed"] for row in rows) and out.count("✗") == sum(not r["passed"] for r in rows)


@pytest.mark.parametrize("arguments, words", [
    (["--nproc", "1"], "world size 1 reduces nothing and proves nothing"), (["--backend", "mpi"], "need one of gloo"),
    (["--timeout", "0"], "--timeout is 0"), (["--fault", "x"], "need one of kill"),
    (["--backend", "nccl", "--nproc", "64"], "NCCL needs one GPU per rank: 64 ranks"),
])
def test_usage_is_one_line_and_2(capsys, arguments, words):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'samplingtheory[distributed]'")
    assert cli.main(["distributed", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


WITHOUT = """
import sys
sys.modules["torch"] = None
sys.meta_path.insert(0, type("No", (), {"find_spec": staticmethod(
    lambda name, path=None, target=None: (_ for _ in ()).throw(ModuleNotFoundError(name=name))
    if name.split(".")[0] == "torch" else None)}))
import importlib.util
importlib.util.find_spec.__globals__["sys"].modules.pop("torch")
import samplingtheory.distributed as sd
batch = sd.AdaptiveBatch(8, eps=0.5, most=64)
assert next(iter(sd.AdaptiveBatchSampler(20, batch, total=8)))
assert sd.unit_statistics([1.0, 2.0], 1.0, [4, 4]).total > 0
try:
    sd.GradientMonitor
    raise SystemExit("no error")
except ImportError as error:
    print(error)
"""


def test_without_torch_the_numpy_side_works_and_the_rest_says_what_to_install():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "GradientMonitor needs PyTorch, which is not installed: pip install 'samplingtheory[" in done.stdout


def test_without_torch_the_command_says_so(monkeypatch, capsys):
    monkeypatch.setattr(launching, "find_spec", lambda name: None)
    assert cli.main(["distributed"]) == 2
    assert "needs PyTorch, which is not installed" in capsys.readouterr().err


def test_listing_loads_no_torch():
    code = "import sys, samplingtheory.cli, samplingtheory.distributed; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
