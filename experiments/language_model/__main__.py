"""One arm on real ranks, or in one process.

    torchrun --nproc-per-node 4 -m experiments.language_model --rule unbiased --eps 1 --parallel fsdp
    torchrun --nproc-per-node 8 -m experiments.language_model --backend nccl --dtype bfloat16 --size large \\
        --context 1024 --start 256 --most 8192 --sequences 2000000 --rate 4e-4 --rule unbiased --eps 0.5 --micro-most 8
    python -m experiments.language_model --size small --steps 200
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from .model import SIZES
from .text import library_text
from .train import Place, Setting, train


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--rule", default="unbiased", choices=("constant", "stage-wise", "printed", "unbiased", "lagged", "scaled"))
    add("--eps", type=float, default=1.0, help="tolerance of the norm test")
    add("--batch", type=int, default=32, help="for --rule constant")
    add("--parallel", default="", choices=("", "none", "ddp", "fsdp"), help="default: ddp under torchrun, else none")
    add("--backend", default="gloo", choices=("gloo", "nccl"))
    add("--dtype", default="float32", choices=("float32", "bfloat16", "float64"))
    add("--size", default="nano", choices=tuple(SIZES))
    add("--seed", type=int, default=0)
    add("--steps", type=int, default=0, help="stop after so many steps")
    for name, value in (("context", 64), ("sequences", 4000), ("start", 8), ("most", 512), ("ranks", 4)):
        add(f"--{name}", type=int, default=value)
    add("--rate", type=float, default=Setting.rate, help="peak learning rate")
    add("--micro-most", type=int, default=None, help="largest micro-batch that fits a device")
    return parser.parse_args()


def place_of(o: argparse.Namespace) -> tuple[Place, int]:
    """Where this process stands, and the number of ranks."""
    device = "cuda" if o.backend == "nccl" else "cpu"
    if "RANK" not in os.environ:
        if o.parallel not in ("", "none"):
            raise SystemExit(f"--parallel {o.parallel} needs torchrun: torchrun --nproc-per-node 4 -m "
                             "experiments.language_model ...")
        return Place("none", 0, device, o.dtype), o.ranks
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    else:
        torch.set_num_threads(1)
    dist.init_process_group(o.backend, timeout=timedelta(seconds=120))
    return Place(o.parallel or "ddp", dist.get_rank(), device, o.dtype), dist.get_world_size()


def main() -> int:
    o = options()
    place, ranks = place_of(o)
    setting = Setting(o.size, o.context, o.sequences, o.start, o.most, ranks, o.rate, micro_most=o.micro_most)
    arm: dict[str, Any] = {"rule": o.rule} | ({"batch": o.batch} if o.rule == "constant" else {"eps": o.eps})
    text = library_text(o.context)
    began = time.perf_counter()
    found = train(setting, arm, o.seed, place, text, o.steps or float("inf"))
    if place.rank == 0:
        print(json.dumps({"arm": arm, "parallel": place.parallel, "ranks": ranks, "setting": vars(setting),
                          "checksum": text.checksum, "python": text.python, "seconds": time.perf_counter() - began,
                          **found}))
    if dist.is_initialized():
        dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
