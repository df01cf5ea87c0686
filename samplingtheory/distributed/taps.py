"""Where the squared norms of local gradients are taken, without a copy of any gradient.

A tap adds |u|^2 of each piece (bucket, FSDP unit, parameter) into one slot a round; u is what this rank puts into the
reduction. The slots are allocated once, so that norms taken on side streams never meet the caching allocator.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

from .norms import squared_norm

SLOTS = 256  # reductions that may lie between two measurements


def fsdp_modules(model: nn.Module) -> list[Any]:
    """The modules to which `fully_shard` was applied."""
    try:
        from torch.distributed.fsdp import FSDPModule
    except ImportError:
        return []
    return [m for m in model.modules() if isinstance(m, FSDPModule)]


def is_sharded(parameter: Any) -> bool:
    from torch.distributed.tensor import DTensor

    return isinstance(parameter, DTensor)


class Tap:
    """Squared norms by round; `counts` are the rounds that each piece has seen since the last reset."""

    kind = ""
    words = ""
    correction = 1.0  # |gbar|^2 is this times |what the parameters hold|^2

    def __init__(self, device: torch.device) -> None:
        self.slots = torch.zeros(SLOTS, dtype=torch.float64, device=device)
        self.counts: dict[Any, int] = {}
        self.enabled = True
        self.handles: list[Any] = []

    def add(self, piece: Any, gradient: Tensor, factor: float = 1.0) -> None:
        k = self.counts.get(piece, 0)
        self.counts[piece] = k + 1
        self.add_to(k, gradient, factor)

    def add_to(self, k: int, gradient: Tensor, factor: float = 1.0) -> None:
        if self.enabled and k < SLOTS:
            norm = squared_norm(gradient)
            self.slots[k].add_(norm if factor == 1 else norm * factor)

    @property
    def rounds(self) -> int:
        return max(self.counts.values(), default=0)

    @property
    def aligned(self) -> bool:
        """Every piece took part in every round."""
        return len(set(self.counts.values())) <= 1

    def read(self) -> list[float]:
        return self.slots[: self.rounds].tolist()

    def reset(self) -> None:
        self.slots.zero_()
        self.counts.clear()

    def close(self) -> None:
        for handle in self.handles:
            handle.remove()
        self.handles.clear()


class BucketTap(Tap):
    """DistributedDataParallel: a communication hook sees each bucket before it is averaged over the ranks."""

    kind = "ddp"
    words = "DDP communication hook: the norm of each bucket before it is reduced"

    def __init__(self, model: Any, group: Any, reduce: Callable[..., Any] | None, device: torch.device) -> None:
        super().__init__(device)
        self.live, after = True, reduce or allreduce_hook

        def hook(state, bucket):  # DDP reads annotations, and refuses their text
            if self.live:  # buckets come in order, but DDP forms new ones after its first reduction
                k = self.counts.setdefault("reduction", 0)
                self.add_to(k, bucket.buffer())
                self.counts["reduction"] = k + bucket.is_last()
            return after(state, bucket)

        try:
            model.register_comm_hook(group, hook)
        except RuntimeError as error:
            raise ValueError("this DDP model has a communication hook already; give it to GradientMonitor as reduce= "
                             f"and register no other ({error})") from error

    def close(self) -> None:
        self.live = False  # DDP knows no way to take a hook out; it goes on reducing


class TensorTap(Tap):
    """Hooks on the parameters themselves: the gradient of every micro-batch, before it is accumulated. Public API only.

    `unsharded` watches modules whose parameters exist in full during the forward pass only (FSDP2).
    """

    kind = "tensor"
    words = "tensor hooks: the norm of each parameter's gradient, once a micro-batch"

    def __init__(self, model: nn.Module, device: torch.device, unsharded: bool = False) -> None:
        super().__init__(device)
        self.seen: dict[int, weakref.ref[Tensor]] = {}
        if unsharded:
            self.words = f"{self.words} (slower than the reduce-scatter)"
            for module in fsdp_modules(model):  # not every layer's own forward: attention reads its parts' weights
                self.handles.append(module.register_forward_pre_hook(self._watch))
        else:
            for p in model.parameters():
                self._hook(p)

    def _watch(self, module: nn.Module, inputs: Any) -> None:
        for p in module.parameters():
            if not is_sharded(p):  # what is still a shard belongs to a module further in
                self._hook(p)

    def _hook(self, p: Tensor) -> None:
        known = self.seen.get(id(p))
        if p.requires_grad and (known is None or known() is not p):
            key = id(p)
            self.seen[key] = weakref.ref(p)
            self.handles.append(p.register_hook(lambda g: self.add(key, g)))
