"""GradientMonitor: the statistics of the norm test from an ordinary training step.

Every unit contributes one number, its squared norm; |gbar|^2 is what the parameters hold after the reduction. One small
all-reduce a measured step, no copy of a gradient.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from ..units import WEIGHTINGS, UnitStatistics
from . import fsdp
from .norms import share, squared_norm
from .reduce import NonFiniteGradients, add_rows, size_and_rank
from .taps import SLOTS, BucketTap, Tap, TensorTap, fsdp_modules, is_sharded

UNITS = ("ranks", "micro")
FINE, NO_GRADIENT, BAD_COUNTS, UNEVEN, TOO_MANY, MISALIGNED, MISSED = range(7)
ADVICE = {
    NO_GRADIENT: "no gradient was seen: run forward and backward (with the last micro-batch synchronised) first",
    BAD_COUNTS: "counts must be the sizes of this rank's micro-batches, whole and positive",
    UNEVEN: "the number of reductions does not divide the number of micro-batches: reduce once, after every "
            "micro-batch or at even intervals, and use each module once in a forward pass",
    TOO_MANY: f"more than {SLOTS} reductions since the last step: call measure() or reset() once a step",
    MISALIGNED: "some parameters had no gradient in some micro-batches, so micro-batches of different sizes cannot be "
                "told apart: give them equal sizes, or use units='ranks' and reduce once a step",
    MISSED: "some gradients passed by the tensor hooks (parameters used outside their FSDP module's forward); use "
            "units='ranks'",
}


class GradientMonitor:
    """Statistics of a step's gradients: `measure(counts)` right after the last backward, before clipping.

    model      DistributedDataParallel, a module after `fully_shard`, or a plain module
    units      'ranks': the gradient that a rank puts into the reduction. If it reduces once a step, that is J units of
               all its samples; FSDP2 that reduces after every micro-batch gives J M units, DDP that does so is measured
               over its last micro-batch only. 'micro': always the J M micro-batches (one hook a parameter; a plain
               module knows no other), with more degrees of freedom
    weighting  'equal': the loss of each micro-batch is its mean, divided by the number of micro-batches;
               'samples': losses are scaled so that the reduced gradient is the mean over all samples
    group      the ranks over which the gradients are averaged (default: all)
    reduce     another DDP communication hook to run after the norm (default: average)
    """

    def __init__(self, model: nn.Module, group: Any = None, units: str = "ranks", weighting: str = "equal",
                 reduce: Any = None) -> None:
        for name, value, good in (("units", units, UNITS), ("weighting", weighting, WEIGHTINGS)):
            if value not in good:
                raise ValueError(f"{name} is {value!r}; need one of {', '.join(map(repr, good))}")
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("no parameter of the model requires a gradient; there is nothing to measure")
        self.group, self.weighting = group, weighting
        sharded, parallel = bool(fsdp_modules(model)), hasattr(model, "register_comm_hook")
        self.alone = not sharded and not parallel and group is None  # whatever other ranks there are
        self.ranks, self.rank = (1, 0) if self.alone else size_and_rank(group)
        loose = [name for name, p in model.named_parameters() if p.requires_grad and not is_sharded(p)]
        if sharded and loose:
            raise ValueError(f"parameter {loose[0]} is not sharded, so FSDP2 does not reduce its gradient; apply "
                             "fully_shard to the root module")
        if units == "ranks" and self.ranks == 1 and (sharded or parallel):
            raise ValueError("world size 1: one rank is one unit, from which no variance can be told (and FSDP2 never "
                             "reduces there); use units='micro' with at least two micro-batches, or more ranks")
        micro = units == "micro" or not (sharded or parallel)
        self.tap = self._tap(model, micro, sharded, reduce)
        self.sharded = sharded

    def _tap(self, model: nn.Module, micro: bool, sharded: bool, reduce: Any) -> Tap:
        device = self.parameters[0].device
        if micro:
            return TensorTap(model, device, unsharded=sharded)
        if not sharded:
            return BucketTap(model, self.group, reduce, device)
        try:
            return fsdp.ScatterTap(model, self.ranks, device)
        except fsdp.PRIVATE as error:
            warnings.warn(f"FSDP2's reduce-scatter cannot be watched here ({error}): falling back to tensor hooks, "
                          "which are slower and take every micro-batch as a unit", RuntimeWarning, stacklevel=3)
            return TensorTap(model, device, unsharded=True)

    @property
    def path(self) -> str:
        """How the norms are taken, in words."""
        return self.tap.words

    @property
    def enabled(self) -> bool:
        return self.tap.enabled

    @enabled.setter
    def enabled(self, on: bool) -> None:
        self.tap.enabled = on

    def reset(self) -> None:
        """Forget what was seen since the last step; once a step, on steps that are not measured too."""
        self.tap.reset()

    def close(self) -> None:
        """Stop looking."""
        self.tap.close()

    @torch.no_grad()
    def measure(self, counts: int | Sequence[int], scale: float = 1.0) -> UnitStatistics:
        """The statistics of this step; collective, the same on every rank.

        counts  sizes of this rank's micro-batches in this step
        scale   the factor on the loss (GradScaler.get_scale()): gradients are looked at before they are unscaled
        Errors are raised on all ranks alike: NonFiniteGradients, or ValueError that says which rank lacks what.
        """
        if not self.tap.enabled:
            raise ValueError("the monitor was off in this step; set monitor.enabled = True before its forward pass")
        sizes = list(counts) if isinstance(counts, Iterable) else [counts]
        rounds = self.tap.rounds
        state = self._state(sizes)
        sums = self._local(sizes, rounds) if state == FINE else [0.0] * 5
        row = [float(state), float(len(sizes)), float(rounds), *sums, self._signal()]
        rows = [row] if self.alone else add_rows(row, self.group)
        self.reset()
        self._agree(rows)
        if not 0 < scale < math.inf:  # last: a rank that raises earlier would leave the others waiting
            raise ValueError(f"scale is {scale}; give the finite factor above 0 by which the loss was multiplied")
        return self._statistics([math.fsum(column) for column in zip(*(row[3:] for row in rows), strict=True)],
                                len(sizes), rounds, scale)

    def _state(self, sizes: Sequence[int]) -> int:
        rounds, M = self.tap.rounds, len(sizes)
        if not sizes or any(not isinstance(c, Integral) or c <= 0 for c in sizes):
            return BAD_COUNTS
        if rounds == 0:
            return NO_GRADIENT
        if rounds > SLOTS:
            return TOO_MANY
        if rounds > M or M % rounds or (self.tap.kind == "ddp" and rounds not in (1, M)):
            return UNEVEN
        if self.tap.kind == "tensor" and len(self.tap.counts) != sum(p.grad is not None for p in self.parameters):
            return MISSED
        return MISALIGNED if not self.tap.aligned and len(set(sizes)) > 1 and rounds > 1 else FINE

    def _last_only(self, rounds: int) -> bool:
        """DDP reduced after every micro-batch: what it holds is the average so far, plus this micro-batch."""
        return self.tap.kind == "ddp" and rounds > 1

    def _local(self, sizes: Sequence[int], rounds: int) -> list[float]:
        """[sum |u|^2, sum |u|^2/c, sum 1/c of the units, sum 1/c of the micro-batches, samples] of this rank."""
        squares = self.tap.read()
        if self._last_only(rounds):
            squares, sizes_of = squares[-1:], [float(sizes[-1])]
        else:
            step = len(sizes) // rounds
            sizes_of = [_effective(sizes[i:i + step], self.weighting) for i in range(0, len(sizes), step)]
        return [math.fsum(squares), math.fsum(s / c for s, c in zip(squares, sizes_of, strict=True)),
                math.fsum(1 / c for c in sizes_of), math.fsum(1 / c for c in sizes), float(sum(sizes))]

    def _signal(self) -> float:
        """This rank's part of |gbar|^2: its shards, or its share of the parameters that all ranks hold."""
        held = [p for p in self.parameters if p.grad is not None]
        if self.sharded:
            parts = [squared_norm(p.grad.to_local()) / fsdp.replicas(p) for p in held]  # type: ignore[union-attr]
        else:
            mine = share([p.numel() for p in held], self.ranks, self.rank)
            parts = [squared_norm(held[i].grad) for i in mine]  # type: ignore[arg-type]
        return float(_sum(parts)) * self.tap.correction

    def _agree(self, rows: list[list[float]]) -> None:
        states = [int(row[0]) for row in rows]
        for code in sorted(set(states) - {FINE}):
            raise ValueError(f"{_ranks(states, code)}: {ADVICE[code]}")
        shapes = sorted({(int(row[1]), int(row[2])) for row in rows})
        if len(shapes) > 1:
            raise ValueError(f"the ranks differ in (micro-batches, reductions): {shapes}; give all ranks the same")
        broken = [r for r, row in enumerate(rows) if not math.isfinite(row[3])]
        if broken or not all(math.isfinite(row[-1]) for row in rows):
            where = f"rank{'s' * (len(broken) > 1)} {', '.join(map(str, broken))}" if broken else "the reduced gradient"
            raise NonFiniteGradients(f"NaN or infinite gradients ({where}); skip the step or lower the step size")

    def _statistics(self, sums: list[float], M: int, rounds: int, scale: float) -> UnitStatistics:
        squares, per_size, inverse, inverse_all, samples, signal = sums
        J, last = self.ranks, self._last_only(rounds)
        units = J if last else J * rounds
        if units < 2:
            raise ValueError("one micro-batch on one rank is one unit, from which no variance can be told; use at "
                             "least two micro-batches or two ranks")
        scope = "last micro-batch" if last else "micro-batches" if rounds > 1 and rounds == M else "ranks"
        if self.weighting == "samples":
            if last:
                raise ValueError("DDP reduced after every micro-batch: weighting='samples' cannot be told from its "
                                 "last one; use no_sync() for all but the last, or units='micro'")
            mean_square, n, spread = per_size * samples / J**2, samples, (units - 1) / samples
        else:
            whole = (J * M) ** 2 / inverse_all  # the effective size of the whole step
            mean_square, n = squares * (1 if last else rounds) / J, whole
            spread = (J - 1) / J**2 * inverse / M**2 if last else (1 - 1 / units) * inverse / units
        return UnitStatistics(mean_square / scale**2, signal / scale**2, units, int(samples), n, spread, scope)


def _effective(sizes: Sequence[int], weighting: str) -> float:
    """The size c with variance V/c of a unit that is made of several micro-batches."""
    return float(sum(sizes)) if weighting == "samples" else len(sizes) ** 2 / math.fsum(1 / c for c in sizes)


def _sum(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).sum() if parts else torch.zeros(())


def _ranks(states: list[int], code: int) -> str:
    found = [str(r) for r, s in enumerate(states) if s == code]
    return f"rank{'s' * (len(found) > 1)} {', '.join(found)}" if len(states) > 1 else "this step"
