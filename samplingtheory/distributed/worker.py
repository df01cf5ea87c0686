"""One rank of `samplingtheory distributed`, started by torchrun -m samplingtheory.distributed.worker OPTIONS."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ..store import dumps, write
from . import checks, faults, reference, runs

LOST = ("onnection", "imed out", "imeout", "peer", "reset by")


def main(options: dict[str, Any]) -> int:
    """Exit status 0: done (the verdict is in result.json), 1: an error, which rank<r>.json tells."""
    rank, out = int(os.environ["RANK"]), Path(options["out"])
    signal.signal(signal.SIGTERM, lambda *_: _stopped())
    try:
        device = _device(options)
        dist.init_process_group(options["backend"], timeout=timedelta(seconds=options["patience"]))
        rows = list(_work(options, device))
        if rank == 0:
            write(out / "result.json", dumps(rows))
        dist.destroy_process_group()
        return 0
    except Stopped:
        said = "stopped, because another rank failed"
    except Exception as error:
        said = _explain(error)
    write(out / f"rank{rank}.json", dumps({"rank": rank, "error": said}))
    sys.stderr.flush()
    os._exit(1)  # a lost rank must not hold the others in a destructor


class Stopped(BaseException):
    """torchrun asks to end."""


def _stopped() -> None:
    raise Stopped


def _explain(error: Exception) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, RuntimeError) and any(word in said for word in LOST):
        return f"lost contact: another rank has died or stands still ({said[:200]})"
    return f"{type(error).__name__}: {said}"


def _device(options: dict[str, Any]) -> torch.device:
    torch.set_num_threads(1)
    if options["device"] != "cuda":
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


def _work(options: dict[str, Any], device: torch.device) -> Iterator[dict[str, Any]]:
    fault, path = options["fault"], options.get("checkpoint")
    if fault == "disagree" and dist.get_rank() == dist.get_world_size() - 1:
        spoil = reference.samples
        reference.samples = lambda *args, **more: spoil(*args, **more).flip(0)
    if "checks" in options["parts"]:
        yield from checks.run(device)
    if "faults" in options["parts"]:
        yield from faults.run(device)
    if "resume" in options["parts"]:
        for wrapper in ("ddp", "fsdp"):
            yield _resume(wrapper, device, Path(options["out"]) / f"{wrapper}.npz")
    for part in (p for p in ("train", "whole") if p in options["parts"]):  # whole: without the checkpoint
        losses = runs.train("transformer", options["wrapper"], options["steps"], device,
                            Path(path) if path and part == "train" else None, fault=fault)
        yield {"check": "training", "losses": losses, "passed": True}


def _resume(wrapper: str, device: torch.device, path: Path, steps: int = 6) -> dict[str, Any]:
    """Losses of a run that was stopped after 4 of 6 steps and resumed, less those of one that was not."""
    whole = runs.train("mlp", wrapper, steps, device)
    runs.train("mlp", wrapper, 4, device, path)
    resumed = runs.train("mlp", wrapper, steps, device, path)
    error = max(abs(a - b) for a, b in zip(whole, resumed, strict=True))
    words = f"stopped and resumed, {'DDP' if wrapper == 'ddp' else 'FSDP2'}"
    return {"check": words, "model": "mlp", "dtype": "float64", "units": dist.get_world_size(), "scope": "ranks",
            "error": error, "limit": 1e-12, "passed": error <= 1e-12}


if __name__ == "__main__":
    raise SystemExit(main(json.loads(sys.argv[1])))
