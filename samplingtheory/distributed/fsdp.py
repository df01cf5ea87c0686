"""FSDP2: the norm of the whole local gradient at the reduce-scatter. All that is private to PyTorch stands here.

Read in PyTorch 2.13. `fully_shard` puts the local gradients of one unit into one buffer (padded with zeros), divides it
in advance where the reduce type is neither float32 nor bfloat16, and hands it to the module's reduce-scatter object.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .taps import Tap, fsdp_modules

PRIVATE = (ImportError, AttributeError, TypeError, ValueError, KeyError, IndexError)


def replicas(parameter: Any) -> int:
    """How many ranks hold the same shard of a sharded parameter (1, or more on a 2-d mesh)."""
    mesh = parameter.device_mesh
    copies = 1
    for dimension, placement in enumerate(parameter.placements):
        if placement.is_replicate():
            copies *= mesh.size(dimension)
    return copies


def _unit(module: Any) -> Any:
    """The one parameter group of an FSDP module; None if it has no parameters of its own."""
    groups = module._get_fsdp_state()._fsdp_param_groups
    if len(groups) > 1:
        raise ValueError("several parameter groups")
    return groups[0] if groups else None


def _groups(unit: Any) -> tuple[Any, Any]:
    """(reduce-scatter group, all-reduce group or None) as `post_backward` passes them on."""
    from torch.distributed.fsdp._fully_shard._fsdp_common import DDPMeshInfo, FSDPMeshInfo

    scatter = unit._reduce_scatter_process_group if isinstance(unit.mesh_info, FSDPMeshInfo) else None
    return scatter, unit._all_reduce_process_group if isinstance(unit.mesh_info, DDPMeshInfo) else None


def predivision(unit: Any, dtype: torch.dtype) -> float:
    """The factor by which FSDP2 has divided the buffer before the reduce-scatter sees it."""
    from torch.distributed.fsdp._fully_shard._fsdp_collectives import _get_gradient_divide_factors

    factors = _get_gradient_divide_factors(*_groups(unit), dtype, unit.device.type, unit.gradient_divide_factor,
                                           unit.force_sum_reduction_for_comms)
    return float(factors[0] or 1)


def divisor(unit: Any, ranks: int) -> float:
    """What the sum over ranks is divided by in the end: the number of ranks, unless the user chose another."""
    return float(unit.gradient_divide_factor or ranks)


class ScatterTap(Tap):
    """|input|^2 of every reduce-scatter, rescaled by the division that was made in advance."""

    kind = "fsdp"
    words = "FSDP2 reduce-scatter: the norm of each unit's local gradient before it is reduced"

    def __init__(self, model: nn.Module, ranks: int, device: torch.device) -> None:
        super().__init__(device)
        from torch.distributed.fsdp._fully_shard._fsdp_collectives import DefaultReduceScatter

        tap, self.before = self, []

        class Measured(DefaultReduceScatter):
            """The default reduce-scatter, which looks at its input first."""

            def __init__(self, unit: Any) -> None:
                super().__init__()
                self.unit = unit

            def __call__(self, output_tensor: Any, input_tensor: Any, group: Any, op: Any,
                         async_op: bool = False) -> Any:
                tap.add(id(self), input_tensor, predivision(self.unit, input_tensor.dtype) ** 2)
                return super().__call__(output_tensor, input_tensor, group, op, async_op)

        units = [(module, _unit(module)) for module in fsdp_modules(model)]
        units = [(module, unit) for module, unit in units if unit is not None]
        for _, unit in units:
            if type(unit._reduce_scatter_comm) is not DefaultReduceScatter:
                raise ValueError("a reduce-scatter other than the default is installed")
            predivision(unit, torch.float64)
        corrections = {(divisor(unit, ranks) / ranks) ** 2 for _, unit in units}
        if len(corrections) != 1:
            raise ValueError("the modules divide their gradients by different factors")
        self.correction = corrections.pop()
        for module, unit in units:
            self.before.append((module, unit._reduce_scatter_comm))
            module.set_custom_reduce_scatter(Measured(unit))

    def close(self) -> None:
        for module, comm in self.before:
            module.set_custom_reduce_scatter(comm)
        self.before.clear()
