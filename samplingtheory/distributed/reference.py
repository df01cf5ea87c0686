"""What the distributed statistics must equal: unit gradients one by one in float64, and NumPy over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..moments import moments
from ..units import UnitStatistics

VOCABULARY = 17
LENGTH = 6
Sizes = Sequence[Sequence[int]]  # micro-batches by rank


def mlp() -> nn.Sequential:
    """Sizes that no number of ranks divides, so that shards are padded."""
    return nn.Sequential(nn.Linear(5, 33), nn.Tanh(), nn.Linear(33, 17), nn.Tanh(), nn.Linear(17, 1))


def transformer() -> nn.Sequential:
    """Embedding, two attention layers, head; 6 thousand parameters."""
    layers = [nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True) for _ in range(2)]
    return nn.Sequential(nn.Embedding(VOCABULARY, 16), *layers, nn.Linear(16, VOCABULARY))


MODELS = {"mlp": mlp, "transformer": transformer}


def build(kind: str, dtype: torch.dtype, device: Any = "cpu", seed: int = 0) -> nn.Sequential:
    """The same weights (rounded to float32) whatever the type."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[kind]().to(dtype).to(device)


def samples(kind: str, n: int, dtype: torch.dtype, device: Any = "cpu") -> Tensor:
    rng = np.random.default_rng(1)
    if kind == "transformer":
        return torch.from_numpy(rng.integers(VOCABULARY, size=(n, LENGTH))).to(device)
    return torch.from_numpy(rng.standard_normal((n, 5)).astype(np.float32)).to(dtype).to(device)


def loss(model: nn.Module, batch: Tensor) -> tuple[Tensor, int]:
    """Mean loss over the samples (sequences) of a batch, and their number."""
    if batch.is_floating_point():
        inputs = batch.to(next(model.parameters()).dtype)  # as FSDP2 casts them for its compute type
        return (model(inputs) - batch[:, :1]).square().mean(), len(batch)
    logits = model(batch)[:, :-1].reshape(-1, VOCABULARY)
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return nn.functional.cross_entropy(wide, batch[:, 1:].reshape(-1)), len(batch)


def table(model: nn.Module, data: Tensor, sizes: Sequence[int], weight: float = 1.0) -> np.ndarray:
    """Mean gradient of each consecutive piece of `data`, as float64 rows; rounding sees loss times `weight`."""
    rows, at = [], 0
    for c in sizes:
        gradients = torch.autograd.grad(loss(model, data[at:at + c])[0] * weight, list(model.parameters()))
        rows.append(torch.cat([g.double().reshape(-1) for g in gradients]).cpu().numpy() / weight)
        at += c
    return np.array(rows)


def expected(rows: np.ndarray, sizes: Sizes, scope: str, weighting: str) -> UnitStatistics:
    """Statistics of `rows` (J M, d), micro-batch gradients in order of ranks, in centred form."""
    J, M = len(sizes), len(sizes[0])
    g, c = rows.reshape(J, M, -1), np.array(sizes, dtype=float)
    n = c.sum()
    w = c / n if weighting == "samples" else np.full((J, M), 1 / (J * M))
    mean = np.einsum("jm,jmd->d", w, g)
    effective = 1 / float((w * w / c).sum())
    if scope == "last micro-batch":
        u, cu, wu = g[:, -1], c[:, -1], np.full(J, 1 / J)
        moved = (u - u.mean(0)) / M
        spread = float((wu * (1 - wu) / cu).sum()) / M**2
    else:
        wu = w.ravel() if scope == "micro-batches" else w.sum(1)
        u = rows if scope == "micro-batches" else np.einsum("jm,jmd->jd", w, g) / wu[:, None]
        cu = c.ravel() if scope == "micro-batches" else wu**2 / (w * w / c).sum(1)
        moved = u - mean
        spread = float((wu * (1 - wu) / cu).sum())
    between, signal = float((wu * (moved * moved).sum(1)).sum()), float(mean @ mean)
    if weighting == "samples":
        assert math.isclose(between / spread, float(moments(u, cu).total), rel_tol=1e-9)
    return UnitStatistics(between + signal, signal, len(u), int(n), effective, spread, scope)
