"""From the size that a test asks for to micro-batches, accumulation steps and ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from ..criteria import whole
from ..units import MODES, UnitStatistics


@dataclass(frozen=True)
class Plan:
    """One optimiser step: `accumulate` micro-batches of `micro` samples on each of `ranks` ranks."""

    micro: int
    accumulate: int = 1
    ranks: int = 1

    @property
    def local(self) -> int:
        return self.micro * self.accumulate

    @property
    def size(self) -> int:
        return self.local * self.ranks


def plan_of(size: float, ranks: int, accumulate: int, micro_most: float, most: float) -> Plan:
    """The smallest plan of at least `size` samples by the rounding rules of AdAdaGrad's code, at most `most`.

    micro = ceil(B/(J M)), M = ceil(B/(J micro)); if micro is too large for the device: micro = its largest, and M anew.
    Where that passes `most` it is the largest plan below it (the code's ceilings pass it).
    """
    micro = math.ceil(size / (ranks * accumulate))
    if micro > micro_most:
        micro = int(micro_most)
    steps = math.ceil(size / (ranks * micro))
    if micro * steps * ranks > most:
        local = int(most) // ranks
        steps = max(min(accumulate, local), math.ceil(local / micro_most))
        micro = local // steps
    return Plan(micro, steps, ranks)


@dataclass
class AdaptiveBatch:
    """The global batch of a training run, sized by the norm test with `eps`: this batch sizes the next one.

    start, most  first and largest global batch, multiples of `ranks`
    micro_most   largest micro-batch that fits a device
    accumulate   accumulation steps M that the rounding starts from
    mode         'lagged', 'unbiased', 'scaled' or 'paper': `UnitStatistics.required`; why: docs/decisions.md
    every        a test each so many steps
    smoothing    memory of the averages of tr Sigma and |G|^2, each by itself; 0: none
    grow         growth cap: at most this factor a test, rounded up; inf: none
    monotone     never shrink
    Averages start at the first test (bias-corrected). Nothing here touches the optimiser.
    """

    start: int
    eps: float
    most: int
    ranks: int = 1
    micro_most: int | None = None
    accumulate: int = 1
    mode: str = "lagged"
    every: int = 1
    smoothing: float = 0.5
    grow: float = 2.0
    monotone: bool = True
    plan: Plan = field(init=False)
    step: int = field(init=False, default=0)
    weight: float = field(init=False, default=0.0)
    averages: list[float] = field(init=False, default_factory=lambda: [0.0, 0.0])

    def __post_init__(self) -> None:
        J, M = self.ranks, self.accumulate
        for name, value in (("ranks", J), ("accumulate", M), ("every", self.every)):
            if not (isinstance(value, int) and value >= 1):
                raise ValueError(f"{name} is {value!r}; need a whole number, at least 1")
        for name, value, unit in (("start", self.start, J * M), ("most", self.most, J)):
            if value < unit or value % unit:
                raise ValueError(f"the global batch {name} = {value} cannot be shared evenly by {J} ranks"
                                 + (f" with {M} micro-batches each" if unit != J else "")
                                 + f"; give a multiple of {unit}, such as {unit * max(1, math.ceil(value / unit))}")
        if self.most < self.start:
            raise ValueError(f"start = {self.start} is above most = {self.most}")
        if self.micro_most is not None and self.micro_most < 1:
            raise ValueError(f"micro_most is {self.micro_most}; need at least 1, or None")
        if self.mode not in MODES:
            raise ValueError(f"mode is {self.mode!r}; need one of {', '.join(map(repr, MODES))}")
        if not (self.eps > 0 and math.isfinite(self.eps)) or not 0 <= self.smoothing < 1 or not self.grow > 1:
            raise ValueError(f"eps = {self.eps}, smoothing = {self.smoothing}, grow = {self.grow}; need eps > 0 and "
                             "finite, smoothing in [0, 1), grow > 1")
        self.plan = self._plan(self.start)

    def _plan(self, size: float) -> Plan:
        largest = math.inf if self.micro_most is None else self.micro_most
        return plan_of(size, self.ranks, self.accumulate, largest, self.most)

    @property
    def due(self) -> bool:
        """Whether the coming step is tested. Nothing is left to test at the largest batch that never shrinks."""
        full = self.monotone and self._plan(self.most).size <= self.plan.size
        return self.step % self.every == 0 and not full

    def update(self, statistics: UnitStatistics | None = None) -> Plan:
        """Once a step, after it: the plan of the next one. Without statistics the step was not tested."""
        self.step += 1
        if statistics is not None:
            now = self.plan.size
            cap = self.most if math.isinf(self.grow) else min(math.ceil(self.grow * now), self.most)
            asked = self.smoothed(statistics).required(self.eps, self.mode)
            plan = self._plan(float(whole(asked, now if self.monotone else 1, cap)))
            if plan.size > now or not self.monotone:
                self.plan = plan
        return self.plan

    def smoothed(self, s: UnitStatistics) -> UnitStatistics:
        """The statistics as they would be if tr Sigma and |G|^2 were their averages over past tests.

        Each is averaged by itself: a mean of ratios is biased and heavy-tailed. |gbar|^2 and Vhat are rebuilt at the
        size of this step.
        """
        new = float(s.total), float(s.gradient2)
        if not all(map(math.isfinite, new)):
            raise ValueError("a test needs finite statistics of at least two units")
        keep = self.smoothing
        self.weight = keep * self.weight + 1 - keep
        self.averages = [keep * old + (1 - keep) * x for old, x in zip(self.averages, new, strict=True)]
        total, gradient2 = (x / self.weight for x in self.averages)
        signal = max(gradient2 + total / s.n, 0.0)
        return replace(s, signal=signal, mean_square=signal + total * s.spread)

    def state_dict(self) -> dict[str, Any]:
        """What a run must keep to go on as if it had never stopped."""
        return {"plan": [self.plan.micro, self.plan.accumulate, self.plan.ranks], "step": self.step,
                "weight": self.weight, "averages": list(self.averages)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        micro, accumulate, ranks = map(int, state["plan"])
        if ranks != self.ranks:
            raise ValueError(f"the checkpoint was made with {ranks} ranks, this run has {self.ranks}; use as many")
        self.plan = Plan(micro, accumulate, ranks)
        self.step, self.weight = int(state["step"]), float(state["weight"])
        self.averages = [float(x) for x in state["averages"]]
