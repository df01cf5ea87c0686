"""Sums over ranks, and what all ranks must agree on before they add anything up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn


class NonFiniteGradients(ValueError):
    """Some rank's gradient holds NaN or infinity; raised on every rank, with the ranks named."""


def active() -> bool:
    return dist.is_available() and dist.is_initialized()


def size_and_rank(group: Any = None) -> tuple[int, int]:
    """(J, rank) in the group; (1, 0) outside torch.distributed."""
    return (dist.get_world_size(group), dist.get_rank(group)) if active() else (1, 0)


def all_sum(group: Any = None) -> Callable[[Any], Any]:
    """The `allsum` of `moments`: adds tensors (or NumPy arrays and numbers) over the ranks of `group`.

    With it the two-round statistics over sharded samples are the lines of code that run in one process:
    moments(my_gradients, counts, allsum=all_sum()). Its result is the same to the bit on every rank.
    """

    def add(x: Any) -> Any:
        if isinstance(x, Tensor):
            out = x.detach().clone()
            dist.all_reduce(out, group=group)
            return out
        array = np.asarray(x)
        out = torch.from_numpy(np.array(array, copy=True)).to(_device(group))
        dist.all_reduce(out, group=group)
        return out.cpu().numpy().astype(array.dtype, copy=False)[()]

    return add if active() else lambda x: x


def _device(group: Any) -> torch.device:
    """Where small tensors must live for this group's backend."""
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend(group) == "nccl" \
        else torch.device("cpu")


def add_rows(row: list[float], group: Any = None) -> list[list[float]]:
    """Every rank's row of numbers, by one small all-reduce. A rank that is lost makes it fail, not hang."""
    ranks, rank = size_and_rank(group)
    if ranks == 1:
        return [row]
    table = torch.zeros(ranks, len(row), dtype=torch.float64, device=_device(group))
    table[rank] = torch.tensor(row, dtype=torch.float64)
    try:
        dist.all_reduce(table, group=group)
    except RuntimeError as error:
        raise RuntimeError(f"rank {rank}: the sum over {ranks} ranks failed; another rank has died or stands still "
                           f"({' '.join(str(error).split())[:160]})") from error
    return table.tolist()


def check_same_model(model: nn.Module, group: Any = None) -> None:
    """ValueError on every rank unless all ranks hold the same parameters (names, shapes, what is trained).

    Call it before wrapping: `fully_shard` on different models hangs at the first step.
    """
    named = [(name, tuple(p.shape), str(p.dtype), p.requires_grad) for name, p in model.named_parameters()]
    digest = hashlib.sha256(repr(named).encode()).digest()
    numel = sum(p.numel() for p in model.parameters())
    rows = add_rows([float(len(named)), float(numel), float(int.from_bytes(digest[:6], "big"))], group)
    if any(row != rows[0] for row in rows):
        held = "; ".join(f"rank {r}: {int(row[0])} parameters, {int(row[1])} numbers" for r, row in enumerate(rows))
        raise ValueError(f"the ranks hold different models ({held}); build the same model on every rank")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("no parameter of the model requires a gradient; there is nothing to measure")
