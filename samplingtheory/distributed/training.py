"""One optimiser step with accumulation, the gradients synchronised once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ..units import UnitStatistics
from .batch import Plan
from .monitor import GradientMonitor
from .taps import fsdp_modules

Loss = Callable[[nn.Module, Any], tuple[Tensor, int]]  # (model, micro-batch) -> (mean loss, its size)


def synchronise(model: nn.Module, on: bool) -> AbstractContextManager[Any]:
    """Reduce the gradients of the coming backward over ranks, or leave them local."""
    if hasattr(model, "no_sync"):
        return nullcontext() if on else model.no_sync()  # type: ignore[operator]
    modules = fsdp_modules(model)
    if modules and modules[0] is model:
        model.set_requires_gradient_sync(on)
    return nullcontext()


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer, micro_batches: Iterable[Any], loss: Loss, plan: Plan,
               monitor: GradientMonitor | None = None, clip: float | None = None,
               scaler: Any = None) -> tuple[float, UnitStatistics | None]:
    """(mean loss of this rank, statistics or None): backward over `plan.accumulate` micro-batches, measure, clip, step.

    The monitor measures if it is enabled. Gradients are set to zero before, so that the step leaves them to look at.
    """
    optimizer.zero_grad(set_to_none=True)
    scale = scaler.get_scale() if scaler is not None else 1.0
    losses, sizes = [], []
    for m, micro_batch in enumerate(micro_batches):
        with synchronise(model, m + 1 == plan.accumulate):
            value, size = loss(model, micro_batch)
            part = value / plan.accumulate
            (part if scaler is None else scaler.scale(part)).backward()
        losses.append(float(value.detach()))
        sizes.append(size)
    if len(sizes) != plan.accumulate:
        raise ValueError(f"got {len(sizes)} micro-batches; the plan has {plan.accumulate}")
    statistics = monitor.measure(sizes, scale) if monitor is not None and monitor.enabled else None
    if monitor is not None:
        monitor.reset()
    if scaler is not None:
        scaler.unscale_(optimizer)
    if clip is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip)
    if scaler is not None:
        scaler.step(optimizer)
        scaler.update()
    else:
        optimizer.step()
    return math.fsum(losses) / len(losses), statistics
