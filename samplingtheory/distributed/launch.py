"""Starts the ranks through torchrun, waits no longer than it was told, and collects what they found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import UserError
from . import MISSING

FAULTS = ("kill", "nan", "differ", "frozen", "stall", "disagree", "share")
PARTS = ("checks", "faults", "resume")
BACKENDS = ("gloo", "nccl")


@dataclass(frozen=True)
class Outcome:
    """`rows` of the verdict table (empty if the ranks failed) and one line a rank that failed."""

    rows: list[dict[str, Any]]
    errors: list[str]

    @property
    def status(self) -> int:
        """0: everything agrees; 1: it does not, or a rank failed."""
        return 0 if self.rows and not self.errors and all(row["passed"] for row in self.rows) else 1


def check_request(nproc: int, backend: str, device: str, timeout: float, fault: str = "") -> None:
    """UserError unless the ranks can be started here."""
    if find_spec("torch") is None:
        raise UserError(f"samplingtheory distributed {MISSING}")
    if nproc < 2:
        raise UserError(f"--nproc is {nproc}; world size 1 reduces nothing and proves nothing: give at least 2")
    if backend not in BACKENDS:
        raise UserError(f"--backend is {backend!r}; need one of {', '.join(BACKENDS)}")
    if fault and fault not in FAULTS:
        raise UserError(f"--fault is {fault!r}; need one of {', '.join(FAULTS)}")
    if not timeout > 0:
        raise UserError(f"--timeout is {timeout}; need a number of seconds above 0")
    if backend == "nccl" or device == "cuda":
        import torch

        held = torch.cuda.device_count()
        if backend == "nccl" and held < nproc:
            raise UserError(f"NCCL needs one GPU per rank: {nproc} ranks, {held} GPUs; use --backend gloo")
        if held == 0:
            raise UserError("--device cuda, but no GPU is visible; leave it out")


def launch(nproc: int, backend: str = "gloo", device: str = "cpu", timeout: float = 300.0,
           parts: Sequence[str] = PARTS, fault: str = "", **more: Any) -> Outcome:
    """Run `parts` on `nproc` ranks. A rank that dies ends the others; after `timeout` seconds all are ended."""
    check_request(nproc, backend, device, timeout, fault)
    with tempfile.TemporaryDirectory(prefix="samplingtheory-") as folder:
        options = {"backend": backend, "device": device, "parts": list(parts), "fault": fault, "out": folder,
                   "patience": min(15.0, timeout), "wrapper": "ddp", "steps": 6} | more
        log = Path(folder) / "log"
        code = _torchrun(nproc, options, log, timeout)
        return _collect(Path(folder), nproc, code, timeout, log)


def _torchrun(nproc: int, options: dict[str, Any], log: Path, timeout: float) -> int | None:
    """Exit status, or None: it took too long."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(nproc),
               "-m", "samplingtheory.distributed.worker", json.dumps(options)]
    package = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}
    environment.setdefault("OMP_NUM_THREADS", "1")
    with open(log, "wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment, start_new_session=True)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing that was started outlives the command."""
    if process.poll() is None:
        process.terminate()  # torchrun ends its ranks
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _collect(folder: Path, nproc: int, code: int | None, timeout: float, log: Path) -> Outcome:
    found = folder / "result.json"
    rows = json.loads(found.read_text(encoding="utf-8")) if found.exists() else []
    if code == 0 and rows:
        return Outcome(rows, [])
    errors = [] if code is not None else [f"no answer within {timeout:g} s; all ranks were ended"]
    silent = []
    for rank in range(nproc):
        path = folder / f"rank{rank}.json"
        if path.exists():
            errors.append(f"rank {rank}: {json.loads(path.read_text(encoding='utf-8'))['error']}")
        else:
            silent.append(rank)
    errors += [f"rank {rank}: died without a word (killed, or out of memory)" for rank in silent if code is not None]
    if len(silent) == nproc:  # nothing started: what torchrun said is all there is
        tail = log.read_text(errors="replace").strip().splitlines()[-3:]
        errors.append(f"torchrun ended with {code}: {' / '.join(tail)}")
    return Outcome([], errors)
