"""What do the statistics cost?  python -m experiments.benchmarks.distributed [--rounds 15] [--nproc 2] [--skip-ranks]

Prediction: the monitor reads every gradient once (a few percent of a step, less for larger batches), sends one small
message and copies nothing; per-sample norms are nearly free on a perceptron, and at most 1.3 of a plain backward pass
on a transformer, inner products at most 1.8, while torch.func costs several times that.

Rounds in which the variants take turns; medians over rounds of ratios made within one. CPU time, one thread a process:
the monitor's own share is measured inside its calls, since a difference of whole steps drowns in the noise of a shared
machine; the ratio of whole steps stands beside that of plain steps to plain steps. A pass that is thrown away stands
before each plain one, which would otherwise start from the caches that torch.func leaves.

Found (two cores under heavy load, 9 rounds). The monitor takes 0.8 % of a step's CPU time under DDP and 1.5 % under FSDP2;
whole steps 1.02 times plain ones, within the spread of the null run (0.95 to 1.01 and 0.93 to 1.05); memory 0.02 % of the
gradients. Per-sample norms 1.18 to 1.21 times a plain pass on transformers, 1.32 and 1.47 on the perceptron at B = 128 and
32: above the 1.3 that was aimed at, a step of 1.4 ms being mostly Python. With inner products 1.19 to 1.72, below 1.8 in
every case. torch.func 1.7 to 1.9 on transformers, 21 and 37 on the perceptron.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy and torch load their libraries

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402
from datetime import timedelta  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from experiments.language_model.model import SIZES, Llama, Size, next_byte_loss  # noqa: E402
from experiments.language_model.train import Place  # noqa: E402
from samplingtheory.distributed import GradientMonitor  # noqa: E402
from samplingtheory.distributed.passes import functional, mean_part  # noqa: E402
from samplingtheory.distributed.per_sample import PerSample  # noqa: E402

# ---------------------------------------------------------------- ranks

CONTEXT, SEQUENCES = 64, 8


class Stopwatch:
    """CPU seconds of the calling thread inside wrapped calls (other threads may be reducing meanwhile)."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **how: Any) -> Any:
            began = time.thread_time()
            try:
                return call(*args, **how)
            finally:
                self.seconds += time.thread_time() - began
        return timed


class Trainer:
    """Plain or monitored steps of one model of some 4 million parameters."""

    def __init__(self, parallel: str, monitored: bool) -> None:
        self.place = Place(parallel, dist.get_rank())
        self.model = self.place.wrap(Llama(SIZES["small"], CONTEXT))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.rows = torch.randint(256, (SEQUENCES, CONTEXT + 1), generator=torch.Generator().manual_seed(dist.get_rank()))
        self.watch = Stopwatch()
        self.monitor = GradientMonitor(self.model) if monitored else None
        if self.monitor is not None:
            self.monitor.tap.add = self.watch.wrap(self.monitor.tap.add)  # type: ignore[method-assign]
            self.monitor.measure = self.watch.wrap(self.monitor.measure)  # type: ignore[method-assign]

    def step(self) -> tuple[float, float]:
        """CPU seconds of a step, and of them in the monitor, summed over the ranks."""
        dist.barrier()
        self.watch.seconds, began = 0.0, time.process_time()
        self.optimizer.zero_grad()
        loss, size = self.place.loss(self.model, self.rows)
        loss.backward()
        if self.monitor is not None:
            self.monitor.measure(size)
        self.optimizer.step()
        spent = torch.tensor([time.process_time() - began, self.watch.seconds], dtype=torch.float64)
        dist.all_reduce(spent)
        return float(spent[0]), float(spent[1])


def ranks(rounds: int) -> list[dict[str, Any]]:
    """Run by every rank: the rows of the table for DDP and FSDP2."""
    out = []
    for parallel in ("ddp", "fsdp"):
        plain, monitored = Trainer(parallel, False), Trainer(parallel, True)
        plain.step(), monitored.step()
        first, ours, again = (np.array(x) for x in zip(*((plain.step(), monitored.step(), plain.step())
                                                         for _ in range(rounds)), strict=True))
        gradient = torch.cat([p.detach().flatten() for p in Llama(SIZES["small"], CONTEXT).parameters()])
        assert monitored.monitor is not None
        held = allocated(lambda: monitored.monitor.tap.add("probe", gradient))  # type: ignore[union-attr]  # noqa: B023
        held += monitored.monitor.tap.slots.nbytes
        null = again[:, 0] / first[:, 0]
        out.append({"parallel": parallel, "path": monitored.monitor.path, "step": float(np.median(first[:, 0])),
                    "share": float(np.median(ours[:, 1] / first[:, 0])),
                    "ratio": float(np.median(ours[:, 0] / first[:, 0])), "null": np.quantile(null, [0, 0.5, 1]).tolist(),
                    "memory": held / gradient.nbytes, "parameters": gradient.numel()})
        monitored.monitor.close()
    return out


def allocated(call: Callable[[], Any]) -> int:
    """Bytes allocated in a call, freed or not: an upper bound of its peak."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        call()
    return sum(max(e.self_cpu_memory_usage, 0) for e in found.events())


def launch(nproc: int, rounds: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(nproc), "--rdzv-backend", "c10d",
               "--rdzv-endpoint", "localhost:0", "-m", "experiments.benchmarks.distributed", "--worker", "--rounds",
               str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    if done.returncode:
        raise SystemExit(f"the ranks failed:\n{done.stderr[:3000]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


# ---------------------------------------------------------------- per-sample statistics


def cases() -> dict[str, tuple[nn.Module, Any, Tensor, Tensor]]:
    torch.manual_seed(0)
    out: dict[str, tuple[nn.Module, Any, Tensor, Tensor]] = {}
    for B in (32, 128):
        model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
        out[f"MLP, 0.4 million, B = {B}"] = model, F.cross_entropy, torch.randn(B, 256), torch.randint(10, (B,))
    for name, size, T in (("0.13", SIZES["nano"], 64), ("0.5", Size(128, 2, 4), 64), ("0.5", Size(128, 2, 4), 16)):
        x = torch.randint(256, (32, T + 1))
        out[f"transformer, {name} million, B = 32, T = {T}"] = Llama(size, T), next_byte_loss, x[:, :-1], x[:, 1:]
    return out


def per_sample(model: nn.Module, loss: Any, x: Tensor, y: Tensor, rounds: int) -> dict[str, float]:
    """Median ratios to a plain forward and backward pass made in the same round, torch.func in a third of the
    rounds."""
    statistics = PerSample(model, loss, "mean")
    names = list(statistics.paths(x, y))

    def plain() -> None:
        model.zero_grad()
        loss(model(x), y).backward()

    def oracle() -> None:
        for table in functional(model, loss, x, y, names).values():
            mean_part(table, True)

    tasks: dict[str, Callable[[], Any]] = {
        "warm": plain, "plain": plain, "null": plain, "norms": lambda: statistics(x, y, inner=False),
        "inner": lambda: statistics(x, y), "torch.func": oracle}
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for r in range(rounds + 1):
        for name, task in tasks.items():
            if name == "torch.func" and r % 3:
                continue
            began = time.process_time()
            task()
            if r:
                seconds[name].append(time.process_time() - began)
    base = np.array(seconds["plain"])
    out = {name: float(np.median(np.array(seconds[name]) / base)) for name in ("null", "norms", "inner")}
    thirds = base[2::3]
    return out | {"torch.func": float(np.median(np.array(seconds["torch.func"]) / thirds)) if len(thirds) else np.nan,
                  "ms": 1e3 * float(np.median(base))}


def tables(rounds: int, nproc: int, with_ranks: bool) -> dict[str, Any]:
    console, found = Console(width=140), {}
    if with_ranks:
        found["ranks"] = launch(nproc, rounds)
        table = Table(title=f"monitor, {nproc} gloo ranks, {found['ranks'][0]['parameters'] / 1e6:.1f} million "
                            f"parameters, {SEQUENCES} sequences of {CONTEXT} a rank", box=None)
        for name in ("", "CPU in the monitor", "whole step, ratio", "null run: least, median, most", "memory / gradients"):
            table.add_column(name)
        for row in found["ranks"]:
            table.add_row(row["parallel"], f"{row['share']:.2%}", f"{row['ratio']:.3f}",
                          ", ".join(f"{v:.3f}" for v in row["null"]), f"{row['memory']:.4%}")
        console.print(table)
    table = Table(title="per-sample statistics: CPU time, ratio to a plain forward and backward pass", box=None)
    for name in ("", "plain, ms", "null run", "norms", "norms and inner products", "torch.func"):
        table.add_column(name)
    for name, case in cases().items():
        row = found[name] = per_sample(*case, 3 * rounds)
        table.add_row(name, f"{row['ms']:.1f}", *(f"{row[k]:.2f}" for k in ("null", "norms", "inner", "torch.func")))
    console.print(table)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--nproc", type=int, default=2)
    parser.add_argument("--skip-ranks", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--save", help="write the numbers as JSON here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "There is a performance drop")  # torch.func on attention: part of what it costs
    if options.worker:
        dist.init_process_group("gloo", timeout=timedelta(seconds=120))
        rows = ranks(options.rounds)
        if dist.get_rank() == 0:
            print(json.dumps(rows))
        dist.destroy_process_group()
        return 0
    found = tables(options.rounds, options.nproc, not options.skip_ranks)
    if options.save:
        with open(options.save, "w") as file:
            json.dump(found, file, indent=1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
