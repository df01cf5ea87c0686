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
        """(plan, this rank's micro-batches) of each optimiser step. Update the batch before asking for the next one."""
        stream = iter(loader)
        while self.done < self.total:
            try:
                first = next(stream)
            except StopIteration:
                return
            plan = self.ahead[0]
            rest = _take(stream, plan.accumulate - 1)
            yield plan, _chain(first, rest)
            for _ in rest:
                raise ValueError("a step was left before its last micro-batch; use them all, or stop the loop")
            self.finish()

    def finish(self) -> None:
        """The oldest step that was issued is over."""
        self.done += self.ahead.pop(0).size

    def state_dict(self) -> dict[str, Any]:
        """Take it between steps."""
        return {"done": self.done, "ahead": [[p.micro, p.accumulate, p.ranks] for p in self.ahead],
                "length": self.length, "seed": self.seed, "replacement": self.replacement}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("length", "seed", "replacement"):
            if state[name] != getattr(self, name):
                raise ValueError(f"the checkpoint's sampler has {name} = {state[name]}, this one "
                                 f"{getattr(self, name)}; the run would not go on with the same samples")
        self.done = int(state["done"])
        self.ahead = [Plan(*map(int, p)) for p in state["ahead"]]


def _take(stream: Iterator[Any], count: int) -> Iterator[Any]:
    for _ in range(count):
        yield next(stream)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
