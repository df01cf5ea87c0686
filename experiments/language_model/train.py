"""Training of one arm: J ranks in one process, or under DDP or FSDP2; the same samples, batches and statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from samplingtheory.distributed import AdaptiveBatchSampler, GradientMonitor, Plan, UnitStatistics, train_step

from .arms import schedule
from .model import SIZES, Llama, next_byte_loss
from .text import Text, library_text

AVERAGED = 256  # sequences that the final losses are means over


@dataclass(frozen=True)
class Setting:
    """What all arms share. Learning rate: linear warm-up, then cosine to a tenth, in samples; AdamW as in the paper."""

    size: str = "nano"
    context: int = 64
    sequences: int = 4000
    start: int = 8
    most: int = 512
    ranks: int = 4
    rate: float = 3e-3
    warm: float = 0.01
    decay: float = 0.1
    clip: float = 1.0
    micro_most: int | None = None

    def learning_rate(self, done: int) -> float:
        warm = max(self.warm * self.sequences, 1.0)
        if done < warm:
            return self.rate * (done + 1) / warm
        part = min((done - warm) / (self.sequences - warm), 1.0)
        return self.rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * part)))


@dataclass
class Place:
    """Where a run takes place: parallel 'none' (ranks simulated in this process), 'ddp' or 'fsdp'."""

    parallel: str = "none"
    rank: int = 0
    device: str = "cpu"
    dtype: str = "float32"

    def wrap(self, model: nn.Module) -> nn.Module:
        model = model.to(self.device, torch.float64 if self.dtype == "float64" else torch.float32)
        if self.parallel == "ddp":
            return nn.parallel.DistributedDataParallel(model)
        if self.parallel == "fsdp":
            from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

            low = MixedPrecisionPolicy(torch.bfloat16, torch.float32)
            policy = low if self.dtype == "bfloat16" else MixedPrecisionPolicy()
            for block in model.blocks:  # type: ignore[union-attr]
                fully_shard(block, mp_policy=policy)
            return fully_shard(model, mp_policy=policy)
        return model

    def precision(self) -> Any:
        """Mixed precision of the forward pass; FSDP2 has its own."""
        if self.dtype != "bfloat16" or self.parallel == "fsdp":
            return nullcontext()
        return torch.autocast(self.device.split(":")[0], torch.bfloat16)

    def loss(self, model: nn.Module, batch: Tensor) -> tuple[Tensor, int]:
        batch = batch.to(self.device).long()
        with self.precision():
            logits = model(batch[:, :-1])
        return next_byte_loss(logits, batch[:, 1:]), len(batch)

    @torch.no_grad()
    def mean_loss(self, model: nn.Module, rows: Tensor) -> float:
        """Over the given sequences, all of them on every rank."""
        model.eval()
        values = [self.loss(model, part) for part in rows.split(64)]
        model.train()
        return sum(float(v) * n for v, n in values) / sum(n for _, n in values)


def steps_of(samplers: list[AdaptiveBatchSampler], data: Tensor) -> Iterator[tuple[Plan, list[Tensor]]]:
    """(plan, micro-batches of this process) step by step; several samplers are ranks that take turns."""
    streams = [sampler.steps(data[index] for index in sampler) for sampler in samplers]
    for step in zip(*streams, strict=True):
        yield step[0][0], [batch for _, micro in step for batch in micro]


def train(setting: Setting, arm: dict[str, Any], seed: int, place: Place | None = None, text: Text | None = None,
          most_steps: float = math.inf) -> dict[str, Any]:
    """One run: sizes, losses a step, final losses, and what the statistics said. Deterministic in its arguments."""
    place, text = place or Place(), text or library_text(setting.context)
    model = place.wrap(Llama(SIZES[setting.size], setting.context, seed))
    optimizer = torch.optim.AdamW(model.parameters(), lr=setting.rate, betas=(0.9, 0.95), weight_decay=setting.decay)
    batch = schedule(arm, setting.start, setting.most, setting.sequences, setting.ranks, setting.micro_most)
    alone = place.parallel == "none"
    total = arm.get("samples", setting.sequences)  # a run to be compared with takes as many samples, overshoot included
    samplers = [AdaptiveBatchSampler(len(text.train), batch, total, rank, seed)  # type: ignore[arg-type]
                for rank in (range(setting.ranks) if alone else [place.rank])]
    monitor = GradientMonitor(model, units="micro" if alone else "ranks")
    done, sizes, losses, seen = 0, [], [], []
    for plan, micro_batches in steps_of(samplers, text.train):
        monitor.enabled = batch.due
        optimizer.param_groups[0]["lr"] = setting.learning_rate(done)
        local = Plan(plan.micro, len(micro_batches), 1) if alone else plan
        loss, statistics = train_step(model, optimizer, micro_batches, place.loss, local, monitor, setting.clip)
        batch.update(statistics)
        done += plan.size
        sizes.append(plan.size)
        losses.append(loss)
        if statistics is not None:
            seen.append((plan.size, statistics))
        if len(sizes) >= most_steps:
            break
    monitor.close()
    held = [place.mean_loss(model, rows[:: max(1, len(rows) // AVERAGED)][:AVERAGED])
            for rows in (text.train, text.validation)]
    return {"steps": len(sizes), "samples": done, "train": held[0], "validation": held[1], "losses": losses,
            "sizes": [[size, len(list(group))] for size, group in groupby(sizes)], **summary(seen, arm, setting.ranks)}


def summary(seen: list[tuple[int, UnitStatistics]], arm: dict[str, Any], ranks: int) -> dict[str, Any]:
    """What was measured: the factor between the printed and the corrected size, and the noise scale along the run."""
    if not seen:
        return {"tests": 0}
    eps = arm["eps"]
    factor = [float(s.required(eps, "scaled") / s.required(eps, "paper")) * (ranks - 1) / b for b, s in seen]
    thirds = [seen[i * len(seen) // 3:(i + 1) * len(seen) // 3] or seen for i in range(3)]
    scales = [sum(float(s.total) for _, s in part) / max(sum(float(s.gradient2) for _, s in part), 1e-300)
              for part in thirds]
    return {"tests": len(seen), "factor": [min(factor), max(factor)], "noise_scale": scales,
            "eps_eff": [eps * math.sqrt(b / (ranks - 1)) for b in (seen[0][0], seen[-1][0])]}
