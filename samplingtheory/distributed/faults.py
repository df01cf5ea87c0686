"""What must go wrong clearly: faults planted on one rank, whose error every rank must then raise. Run by `worker`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from . import reference as ref
from .batch import AdaptiveBatch
from .checks import Setting, wrap
from .monitor import GradientMonitor
from .reduce import NonFiniteGradients, add_rows, check_same_model


def run(device: torch.device) -> Iterator[dict[str, Any]]:
    """Rows of the verdict table: the expected error came on every rank, and said what it must."""
    for name, (kind, words, plant) in PLANTED.items():
        said = ""
        try:
            plant(device)
        except kind as error:
            said = str(error)
        everywhere = all(row[0] for row in add_rows([float(words in said)]))
        yield {"check": f"fault: {name}", "model": "mlp", "dtype": "float32", "units": dist.get_world_size(),
               "scope": "ranks", "error": 0.0 if everywhere else "inf", "limit": 0.0, "passed": everywhere}


def _last() -> bool:
    return dist.get_rank() == dist.get_world_size() - 1


def _step(device: torch.device, wrapper: str, factor: Callable[[int], float], counts: Callable[[int], Any],
          backward: bool = True) -> None:
    wrapped = wrap(Setting(wrapper), ref.build("mlp", torch.float32, device))
    monitor = GradientMonitor(wrapped)
    if backward:
        value, _ = ref.loss(wrapped, ref.samples("mlp", 4, torch.float32, device))
        (value * factor(dist.get_rank())).backward()
    monitor.measure(counts(dist.get_rank()))


def _nan(device: torch.device) -> None:
    _step(device, "ddp", lambda r: float("nan") if _last() else 1.0, lambda r: [4])


def _infinite(device: torch.device) -> None:
    _step(device, "fsdp", lambda r: float("inf") if _last() else 1.0, lambda r: [4])


def _different(device: torch.device) -> None:
    model = ref.build("mlp", torch.float32, device)
    check_same_model(model.append(nn.Linear(1, 1)) if _last() else model)


def _frozen(device: torch.device) -> None:
    GradientMonitor(ref.build("mlp", torch.float32, device).requires_grad_(False))


def _none(device: torch.device) -> None:
    _step(device, "fsdp", lambda r: 1.0, lambda r: [4], backward=False)


def _bad_counts(device: torch.device) -> None:
    _step(device, "fsdp", lambda r: 1.0, lambda r: [0] if _last() else [4])


def _uneven_steps(device: torch.device) -> None:
    _step(device, "ddp", lambda r: 1.0, lambda r: [2, 2] if _last() else [4])


def _indivisible(device: torch.device) -> None:
    J = dist.get_world_size()
    AdaptiveBatch(4 * J + 1, eps=0.5, most=1000 * J, ranks=J)


def _alone(device: torch.device) -> None:
    group = dist.new_subgroups(1)[0]
    model = DistributedDataParallel(ref.build("mlp", torch.float32, device), process_group=group)
    GradientMonitor(model, group=group)


def _two_hooks(device: torch.device) -> None:
    model = DistributedDataParallel(ref.build("mlp", torch.float32, device))
    GradientMonitor(model)
    GradientMonitor(model)


def _loose(device: torch.device) -> None:
    from torch.distributed.fsdp import fully_shard

    model = ref.build("mlp", torch.float32, device)
    fully_shard(model[0])
    GradientMonitor(model)


def _negative(device: torch.device) -> None:
    AdaptiveBatch(dist.get_world_size(), eps=-1.0, most=1000 * dist.get_world_size(), ranks=dist.get_world_size())


PLANTED: dict[str, tuple[type[Exception], str, Callable[[torch.device], None]]] = {
    "NaN on one rank (DDP)": (NonFiniteGradients, "NaN or infinite gradients (rank", _nan),
    "infinity on one rank (FSDP2)": (NonFiniteGradients, "NaN or infinite gradients (rank", _infinite),
    "another model on one rank": (ValueError, "different models", _different),
    "a model without gradients": (ValueError, "nothing to measure", _frozen),
    "no backward": (ValueError, "no gradient was seen", _none),
    "bad counts on one rank": (ValueError, "counts must be", _bad_counts),
    "other micro-batches on one rank": (ValueError, "ranks differ in (micro-batches", _uneven_steps),
    "ranks that do not divide the batch": (ValueError, "cannot be shared evenly", _indivisible),
    "world size 1": (ValueError, "world size 1", _alone),
    "two monitors on one DDP model": (ValueError, "communication hook already", _two_hooks),
    "a parameter outside FSDP2": (ValueError, "not sharded", _loose),
    "a tolerance below 0": (ValueError, "need eps > 0", _negative),
}
