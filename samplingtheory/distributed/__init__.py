"""The same batch-size tests over ranks, on real PyTorch training steps.

What needs no torch (statistics of units, batch plan, sampler) imports without it; the rest is loaded where it is named.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..units import MODES, UnitStatistics, unit_statistics
from .batch import AdaptiveBatch, Plan
from .sampler import AdaptiveBatchSampler

TORCH = {
    "all_sum": "reduce", "check_same_model": "reduce", "NonFiniteGradients": "reduce",
    "GradientMonitor": "monitor", "squared_norm": "norms", "train_step": "training",
    "save_checkpoint": "checkpoint", "load_checkpoint": "checkpoint",
    "PerSample": "per_sample", "check_per_sample_gradients": "per_sample_check",
}
__all__ = ["MODES", "AdaptiveBatch", "AdaptiveBatchSampler", "GradientMonitor", "NonFiniteGradients", "PerSample",
           "Plan", "UnitStatistics", "all_sum", "check_per_sample_gradients", "check_same_model", "load_checkpoint",
           "save_checkpoint", "squared_norm", "train_step", "unit_statistics"]
MISSING = "needs PyTorch, which is not installed: pip install 'samplingtheory[distributed]'"


def __getattr__(name: str) -> Any:
    if name not in TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{TORCH[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(f"samplingtheory.distributed.{name} {MISSING}") from None
