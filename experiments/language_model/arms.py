"""The batch schedules that are compared: constant, stage-wise, and the norm test in four forms."""

from __future__ import annotations

import math
from typing import Any

from samplingtheory.distributed import AdaptiveBatch, Plan

CONSTANT, STAGES, PRINTED, MATCHED = "constant", "stage-wise", "printed", "equal steps"


def name_of(arm: dict[str, Any]) -> str:
    if arm["rule"] == CONSTANT:
        return f"constant {arm['batch']}"
    return STAGES if arm["rule"] == STAGES else f"{arm['rule']} eps = {arm['eps']:g}"


ARMS: tuple[dict[str, Any], ...] = (
    *({"rule": CONSTANT, "batch": b} for b in (32, 128, 512)),
    {"rule": STAGES},
    *({"rule": PRINTED, "eps": e} for e in (0.1, 0.2, 0.4)),
    *({"rule": "unbiased", "eps": e} for e in (0.5, 1.0, 2.0)),
    *({"rule": "lagged", "eps": e} for e in (0.5, 1.0)),
)


class Stages:
    """b_max/4, b_max/2 and b_max for 2.5, 2.5 and 95 % of the samples: the schedule 2048-4096-8192 of the paper."""

    due = False

    def __init__(self, most: int, total: int, ranks: int) -> None:
        self.most, self.total, self.ranks, self.done = most, total, ranks, 0

    @property
    def plan(self) -> Plan:
        part = 4 if self.done < 0.025 * self.total else 2 if self.done < 0.05 * self.total else 1
        return Plan(math.ceil(self.most / part / self.ranks), 1, self.ranks)

    def update(self, statistics: Any = None) -> Plan:
        self.done += self.plan.size
        return self.plan

    def state_dict(self) -> dict[str, int]:
        return {"done": self.done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.done = state["done"]


class Even:
    """`samples` in exactly `steps` steps: the constant batch of a schedule's mean size, whole units of J apart."""

    due = False

    def __init__(self, samples: int, steps: int, ranks: int) -> None:
        self.units, self.steps, self.ranks, self.step = samples // ranks, steps, ranks, 0

    @property
    def plan(self) -> Plan:
        return Plan((self.step + 1) * self.units // self.steps - self.step * self.units // self.steps, 1, self.ranks)

    def update(self, statistics: Any = None) -> Plan:
        self.step += 1
        return self.plan

    def state_dict(self) -> dict[str, int]:
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.step = state["step"]


def schedule(arm: dict[str, Any], start: int, most: int, total: int, ranks: int,
             micro_most: int | None = None) -> AdaptiveBatch | Stages | Even:
    """What decides the batch of every step. The printed rule is run as printed: no average, no growth cap.

    The others average tr Sigma and |grad F|^2 over about ten tests and at most double the batch.
    """
    if arm["rule"] == STAGES:
        return Stages(most, total, ranks)
    if arm["rule"] == MATCHED:
        return Even(arm["samples"], arm["steps"], ranks)
    if arm["rule"] == CONSTANT:
        size = arm["batch"]
        return AdaptiveBatch(size, 1.0, size, ranks, micro_most)
    if arm["rule"] == PRINTED:
        return AdaptiveBatch(start, arm["eps"], most, ranks, micro_most, mode="paper", smoothing=0.0, grow=math.inf)
    return AdaptiveBatch(start, arm["eps"], most, ranks, micro_most, mode=arm["rule"], smoothing=0.9, grow=2.0)
