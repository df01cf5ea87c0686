"""A batch sampler whose size may change between steps: the same samples in the same order for any number of ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..seeds import child
from .batch import AdaptiveBatch, Plan


class AdaptiveBatchSampler:
    """Index lists, one a micro-batch of this rank; for `DataLoader(dataset, batch_sampler=...)` and `steps(loader)`.

    length       samples in the dataset
    batch        the AdaptiveBatch that is asked for the plan of each step as its first micro-batch is issued
    total        stop at the first step that reaches so many samples over all ranks (the last step is whole)
    replacement  independent uniform draws, as theorems assume; else each epoch is a new permutation

    Global batch k takes the next `plan.size` positions of one endless stream, whatever the ranks and micro-batches are.
    With loader workers, plans are made some micro-batches ahead; those are kept and resumed too.
    """

    def __init__(self, length: int, batch: AdaptiveBatch, total: int, rank: int = 0, seed: int = 0,
                 replacement: bool = False) -> None:
        if length < 1 or total < 1 or not 0 <= rank < batch.ranks:
            raise ValueError(f"length = {length}, total = {total}, rank = {rank} of {batch.ranks}; need length >= 1, "
                             "total >= 1 and 0 <= rank < ranks")
        self.length, self.batch, self.total, self.rank = length, batch, total, rank
        self.seed, self.replacement = seed, replacement
        self.done = 0  # samples of the steps that are over
        self.ahead: list[Plan] = []  # plans of steps that are not over
        self._epoch: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.int64))

    def _indices(self, first: int, count: int) -> list[int]:
        """Positions first, ..., first + count - 1 of the stream."""
        out: list[int] = []
        while count:
            epoch, at = divmod(first, self.length)
            if epoch != self._epoch[0]:
                rng = child(self.seed, "samples", epoch)
                order = rng.integers(self.length, size=self.length) if self.replacement else \
                    rng.permutation(self.length)
                self._epoch = epoch, order
            piece = self._epoch[1][at:at + count].tolist()
            out += piece
            first, count = first + len(piece), count - len(piece)
        return out

    def __iter__(self) -> Iterator[list[int]]:
        waiting, start = list(self.ahead), self.done
        while start < self.total:
            if waiting:
                plan = waiting.pop(0)
            else:
                plan = self.batch.plan
                self.ahead.append(plan)
            first = start + self.rank * plan.local
            for m in range(plan.accumulate):
                yield self._indices(first + m * plan.micro, plan.micro)
            start += plan.size

    def steps(self, loader: Iterable[Any]) -> Iterator[tuple[Plan, Iterator[Any]]]:
        """(plan, this rank's micro-batches) of each optimiser step, all of which must be used.

        Update the batch before asking for the next step.
        """
        stream = iter(loader)
        while self.done < self.total:
            try:
                first = next(stream)
            except StopIteration:
                return
            before = self.done
            yield self.ahead[0], self._step(first, stream, self.ahead[0])
            if self.done == before:
                raise ValueError("a step was left before its last micro-batch; use them all")

    def _step(self, first: Any, stream: Iterator[Any], plan: Plan) -> Iterator[Any]:
        yield first
        for _ in range(plan.accumulate - 1):
            yield next(stream)
        self.done += self.ahead.pop(0).size  # the step is over: the state may be kept from here on

    def state_dict(self) -> dict[str, Any]:
        """Take it after the last micro-batch of a step has been used and the batch was updated."""
        return {"done": self.done, "ahead": [[p.micro, p.accumulate, p.ranks] for p in self.ahead],
                "length": self.length, "seed": self.seed, "replacement": self.replacement}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("length", "seed", "replacement"):
            if state[name] != getattr(self, name):
                raise ValueError(f"the checkpoint's sampler has {name} = {state[name]}, this one "
                                 f"{getattr(self, name)}; the run would not go on with the same samples")
        self.done = int(state["done"])
        self.ahead = [Plan(*map(int, p)) for p in state["ahead"]]

