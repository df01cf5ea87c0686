"""A small adaptive training run with checkpoints, for the worker: to be stopped, killed and resumed."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from . import reference as ref
from .batch import AdaptiveBatch
from .checkpoint import load_checkpoint, save_checkpoint
from .checks import Setting, wrap
from .monitor import GradientMonitor
from .reduce import check_same_model
from .sampler import AdaptiveBatchSampler
from .training import train_step

SAMPLES = 200


def train(kind: str, wrapper: str, steps: int, device: torch.device, path: Path | None = None, keep: int = 2,
          fault: str = "", at: int = 3) -> list[float]:
    """Losses (mean over ranks) of steps 1, ..., `steps`; goes on from `path` if it exists, kept every `keep` steps.

    `fault` is planted on the last rank in step `at`.
    """
    J, rank = dist.get_world_size(), dist.get_rank()
    last = rank == J - 1
    model = ref.build(kind, torch.float64, device)
    if fault == "differ" and last:
        model.append(torch.nn.Linear(1, 1, dtype=torch.float64, device=device))
    if fault == "frozen":
        model.requires_grad_(False)
    check_same_model(model)
    wrapped = wrap(Setting(wrapper), model)
    optimizer = torch.optim.AdamW(wrapped.parameters(), lr=1e-2)
    monitor = GradientMonitor(wrapped)
    start = 4 * J + (1 if fault == "share" else 0)
    batch = AdaptiveBatch(start, eps=0.5, most=16 * J, ranks=J, micro_most=4, smoothing=0.5)
    sampler = AdaptiveBatchSampler(SAMPLES, batch, total=10**9, rank=rank, seed=3)
    losses: list[float] = []
    if path is not None and path.exists():
        losses = load_checkpoint(path, wrapped, optimizer, batch=batch, sampler=sampler)["losses"]
    data = ref.samples(kind, SAMPLES, torch.float64, device)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data), batch_sampler=sampler)
    for plan, micro_batches in sampler.steps(loader):
        here = len(losses) + 1 == at and last
        loss = partial(_loss, fault=fault if here else "")
        own, statistics = train_step(wrapped, optimizer, micro_batches, loss, plan, monitor)
        batch.update(statistics)
        total = torch.tensor(own, dtype=torch.float64, device=device)
        dist.all_reduce(total)
        losses.append(float(total) / J)
        if path is not None and len(losses) % keep == 0:
            save_checkpoint(path, wrapped, optimizer, batch=batch, sampler=sampler, losses=losses)
        if len(losses) >= steps:
            break
    return losses


def _loss(model: Any, micro_batch: list[torch.Tensor], fault: str) -> tuple[torch.Tensor, int]:
    value, size = ref.loss(model, micro_batch[0])
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "stall":
        time.sleep(3600)
    return value * float("nan") if fault == "nan" else value, size
