"""Squared norms that survive the subtraction of nearly equal numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SPLIT = 65536  # a dot product of this length in float32 is right to about 1e-7; summed in float64
ROW = 4096  # the same for a reduction on an accelerator


def squared_norm(x: Tensor) -> Tensor:
    """|x|^2 as a float64 scalar on x's device: dot products of 64k entries, summed in float64.

    The variance over units is a difference of such numbers: one float32 norm over 25 million entries is off by 3e-3.
    Half precision is upcast to float64 piece by piece: on its coarse grid float32 sums round to one side (1e-5).
    """
    x = x.detach().reshape(-1)
    if x.device.type != "cpu":
        return _rows(x)
    wide = Tensor.double if x.dtype in (torch.float16, torch.bfloat16) else Tensor.detach
    return torch.stack([torch.dot(p, p) for p in map(wide, x.split(SPLIT))]).double().sum()


def _rows(x: Tensor) -> Tensor:
    """The same on an accelerator, in a few launches: a reduction tree over each row of 4096 entries."""
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    whole = x.numel() // ROW * ROW
    rows = [torch.linalg.vector_norm(part, dim=1, dtype=dtype).double().square().sum()
            for part in (x[:whole].view(-1, ROW), x[whole:].view(1, -1)) if part.numel()]
    return torch.stack(rows).sum() if rows else x.new_zeros((), dtype=torch.float64)


def share(sizes: Sequence[int], ranks: int, rank: int) -> list[int]:
    """Which of several tensors this rank measures, so that each of them is measured once: largest first, evenly."""
    load = [0] * ranks
    mine = []
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        least = load.index(min(load))
        load[least] += sizes[i]
        if least == rank:
            mine.append(i)
    return sorted(mine)
