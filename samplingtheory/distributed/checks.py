"""Every statistic, on every path, against the NumPy reference on the same gradients. Run by `worker` on each rank."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..moments import moments
from ..units import MODES, UnitStatistics
from . import fsdp
from . import reference as ref
from .monitor import GradientMonitor
from .reduce import add_rows, all_sum
from .taps import TensorTap
from .training import synchronise

LIMIT = {torch.float64: 1e-12, torch.float32: 1e-6}
EPS = 0.5


@dataclass(frozen=True)
class Setting:
    """One way to take a step: reduced at the 'last' or 'each' micro-batch; sizes 'even', 'uneven' or 'ragged'."""

    wrap: str  # ddp, fsdp, hsdp, hooks (FSDP2 without its reduce-scatter), plain
    units: str = "ranks"
    sync: str = "last"
    sizes: str = "even"
    weighting: str = "equal"
    scale: float = 1.0
    compute: torch.dtype | None = None  # FSDP2 mixed precision
    reduce: torch.dtype | None = None
    limit: float | None = None

    @property
    def words(self) -> str:
        name = {"ddp": "DDP", "fsdp": "FSDP2", "hsdp": "FSDP2 on a 2-d mesh", "hooks": "FSDP2",
                "plain": "one process"}[self.wrap]
        when = "reduced once" if self.sync == "last" else "reduced after each micro-batch"
        parts = [name, "tensor hooks" if self.units == "micro" else "", "" if self.wrap == "plain" else when,
                 "" if self.sizes == "even" else f"{self.sizes} sizes, {self.weighting} weights",
                 "" if self.scale == 1 else "scaled loss",
                 "" if self.compute is None and self.reduce is None else
                 f"{_short(self.compute)} compute, {_short(self.reduce)} reduce"]
        return ", ".join(filter(None, parts))


SETTINGS = (
    Setting("ddp"), Setting("ddp", sync="each"), Setting("ddp", "micro"), Setting("fsdp"), Setting("fsdp", sync="each"),
    Setting("hooks", "micro"), Setting("plain"), Setting("ddp", scale=1024.0),
    Setting("ddp", sizes="ragged", weighting="samples"), Setting("fsdp", sizes="ragged", weighting="samples"),
    Setting("ddp", sizes="uneven"), Setting("ddp", sync="each", sizes="uneven"),
    Setting("fsdp", sync="each", sizes="ragged"), Setting("fsdp", sync="each", sizes="ragged", weighting="samples"),
)
MIXED = (
    Setting("fsdp", compute=torch.bfloat16, reduce=torch.float32),
    Setting("fsdp", sync="each", compute=torch.bfloat16, reduce=torch.float32),
    Setting("fsdp", reduce=torch.bfloat16, limit=1e-2), Setting("fsdp", reduce=torch.float16, limit=2e-3),
)


def _short(dtype: torch.dtype | None) -> str:
    return "own" if dtype is None else str(dtype).removeprefix("torch.")


def sizes_of(kind: str, ranks: int) -> list[list[int]]:
    """Micro-batch sizes by rank: equal; a short last one; different on every rank."""
    return [{"even": [4, 4, 4], "uneven": [4, 4, 2], "ragged": [4, 3 + r % 3, 2]}[kind] for r in range(ranks)]


def wrap(setting: Setting, model: nn.Sequential) -> nn.Module:
    if setting.wrap == "ddp":
        return DistributedDataParallel(model, bucket_cap_mb=0.002)  # several buckets
    if setting.wrap == "plain":
        return model
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    device = next(model.parameters()).device.type
    shape = (dist.get_world_size(),) if setting.wrap != "hsdp" else (2, dist.get_world_size() // 2)
    mesh = init_device_mesh(device, shape, mesh_dim_names=("replicate", "shard")[-len(shape):])
    precision = MixedPrecisionPolicy(param_dtype=setting.compute, reduce_dtype=setting.reduce)
    how: Any = {"mesh": mesh, "mp_policy": precision}
    for layer in model:
        if any(True for _ in layer.parameters()):
            fully_shard(layer, **how)
    fully_shard(model, **how)
    return model


def measure(setting: Setting, model: nn.Sequential, data: Tensor, sizes: ref.Sizes) -> UnitStatistics:
    """One step's backward passes over this rank's samples, and the statistics."""
    wrapped = wrap(setting, model)
    alone = setting.wrap == "plain"
    rank, J = (0, 1) if alone else (dist.get_rank(), dist.get_world_size())
    own = [c for row in sizes for c in row] if alone else list(sizes[rank])
    at, n = sum(sum(row) for row in sizes[:rank]), sum(map(sum, sizes))
    if setting.wrap == "hooks":  # as if PyTorch's private names had changed
        with patch.object(fsdp, "predivision", side_effect=AttributeError("planted")), \
                warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            monitor = GradientMonitor(wrapped, weighting=setting.weighting)
        if not isinstance(monitor.tap, TensorTap) or not any("falling back" in str(w.message) for w in said):
            raise RuntimeError("FSDP2 without its reduce-scatter must fall back to tensor hooks, and say so")
    else:
        monitor = GradientMonitor(wrapped, units=setting.units, weighting=setting.weighting)
    for m, c in enumerate(own):
        with synchronise(wrapped, setting.sync == "each" or m + 1 == len(own)):
            value, _ = ref.loss(wrapped, data[at:at + c])
            weight = 1 / len(own) if setting.weighting == "equal" else c * J / n
            (value * weight * setting.scale).backward()
        at += c
    statistics = monitor.measure(own, setting.scale)
    monitor.close()
    return statistics


def compare(got: UnitStatistics, want: UnitStatistics) -> float:
    """The largest error, over mean |g_j|^2; of a size, which divides by differences, over its condition number."""
    if (got.units, got.samples, got.scope) != (want.units, want.samples, want.scope):
        return float("inf")
    size = want.mean_square
    errors = [abs(got.between - want.between) / size, abs(got.signal - want.signal) / size, abs(got.n / want.n - 1),
              abs(got.spread / want.spread - 1), abs(got.total - want.total) * want.spread / size,
              abs(got.gradient2 - want.gradient2) * want.spread * want.n / size]
    for mode in MODES:
        a, b = float(got.required(EPS, mode)), float(want.required(EPS, mode))
        below = want.gradient2 if mode == "unbiased" else want.signal
        if not a == b:
            condition = size / want.between + size / abs(below) * (1 + 1 / (want.spread * want.n))
            errors.append(abs(a / b - 1) / condition)
    return float(np.nan_to_num(max(errors), nan=np.inf))


def run(device: torch.device) -> Iterator[dict[str, Any]]:
    """Rows of the verdict table; every rank runs the same checks, and all must agree to the bit."""
    J = dist.get_world_size()
    settings = SETTINGS + ((Setting("hsdp"), Setting("hsdp", sync="each")) if J >= 4 and J % 2 == 0 else ())
    for kind in ref.MODELS:
        for dtype in (torch.float64, torch.float32):
            yield two_rounds(kind, dtype, device)
            for setting in settings + (MIXED if dtype == torch.float32 else ()):
                yield check(kind, dtype, setting, device)


def two_rounds(kind: str, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """`moments` over sharded micro-batches with all_sum, against the same function in one process."""
    sizes = sizes_of("ragged", dist.get_world_size())
    flat = [c for row in sizes for c in row]
    rows = ref.table(*_model_and_data(kind, dtype, flat, device), flat)
    rank = dist.get_rank()
    first = sum(len(row) for row in sizes[:rank])
    mine = slice(first, first + len(sizes[rank]))
    units = torch.from_numpy(rows[mine]).to(dtype).to(device)
    got = moments(units, torch.tensor(flat[mine], dtype=dtype, device=device), allsum=all_sum())
    want = moments(rows, np.array(flat, dtype=float))
    scale = float(want.total)
    error = max(abs(float(got.total) - float(want.total)) / scale, abs(float(got.along) - float(want.along)) / scale,
                abs(float(got.signal) / float(want.signal) - 1))
    return _row("two rounds with all_sum, ragged sizes", kind, dtype, len(flat), error, LIMIT[dtype])


def _model_and_data(kind: str, dtype: torch.dtype, sizes: list[int], device: torch.device) -> tuple[nn.Module, Tensor]:
    data = ref.samples(kind, sum(sizes), torch.float64, device)
    return ref.build(kind, torch.float32, device).double(), data


def check(kind: str, dtype: torch.dtype, setting: Setting, device: torch.device) -> dict[str, Any]:
    sizes = sizes_of(setting.sizes, dist.get_world_size())
    flat = [c for row in sizes for c in row]
    if setting.compute is None:
        rows = ref.table(*_model_and_data(kind, dtype, flat, device), flat)
    else:  # the same gradients, in the type in which they are computed
        rows = ref.table(ref.build(kind, torch.float32, device).to(setting.compute),
                         ref.samples(kind, sum(flat), dtype, device), flat, 1 / len(sizes[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        got = measure(setting, ref.build(kind, torch.float32, device).to(dtype),
                      ref.samples(kind, sum(flat), dtype, device), sizes)
    want = ref.expected(rows, sizes, got.scope, setting.weighting)
    error = compare(got, want)
    same = all(row == [got.mean_square, got.signal] for row in add_rows([got.mean_square, got.signal])) \
        if setting.wrap != "plain" else True
    limit = setting.limit or LIMIT[dtype]
    return _row(setting.words, kind, dtype, got.units, error if same else float("inf"), limit, got.scope)


def _row(words: str, kind: str, dtype: torch.dtype, units: int, error: float, limit: float,
         scope: str = "micro-batches") -> dict[str, Any]:
    worst = max(row[0] for row in add_rows([error]))
    return {"check": words, "model": kind, "dtype": _short(dtype), "units": units, "scope": scope,
            "error": worst if np.isfinite(worst) else "inf", "limit": limit, "passed": bool(worst <= limit)}


__all__ = ["SETTINGS", "Setting", "compare", "run"]
