"""Adapters: other shapes of implementation as the callables that the checks take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from .guard import as_array


class Sequential:
    """A sequential test, `factory(**params)` with `observe(gradient)` and `stop()`, as a rule that accepts a batch:
    whether it would stop after the last row. What it said before is not asked."""

    def __init__(self, factory: Callable[..., Any], **flags: Any) -> None:
        self.factory = factory
        self.__name__ = getattr(factory, "__name__", type(factory).__name__)
        self.conformance = {"role": "same-batch", "answers": "accept", **flags}

    def __call__(self, gradients: Any, **params: Any) -> bool:
        test = self.factory(**params)
        for row in gradients:
            test.observe(row)
        return bool(test.stop())


class PerRank:
    """A statistic of ranks (see `ranks`) as a norm test on a batch: tr Cov / (eps^2 |g|^2)."""

    def __init__(self, statistic: Callable[..., Any], kind: str = "rank-moments", **flags: Any) -> None:
        from .ranks import Statistic

        self.statistic = Statistic(statistic, kind)
        self.__name__ = self.statistic.name
        self.conformance = {"kind": "norm", "role": "lagged", "sharded": kind == "rank-moments", **flags}

    def __call__(self, gradients: Any, *, eps: float, ranks: tuple[int, ...] | None = None) -> float:
        table = as_array(gradients).astype(float)
        ranks = ranks or (1,) * len(table)
        total = float(self.statistic.call(*self.statistic.arguments(table, ranks)))
        signal = float((table.mean(0) ** 2).sum())
        return total / (eps**2 * signal) if signal > 0 else float("inf") if total > 0 else 0.0


class Scheduler:
    """A batch-size scheduler, `factory(batch_size, **params)` with `step(gradients)` that updates `batch_size`."""

    def __init__(self, factory: Callable[..., Any], *, step: str = "step", size: str = "batch_size",
                 **flags: Any) -> None:
        self.factory, self._step, self._size = factory, step, size
        self.__name__ = getattr(factory, "__name__", type(factory).__name__)
        self.conformance = {"role": "lagged", "monotone": True, "arrays": "torch", **flags}

    def __call__(self, gradients: Any, **params: Any) -> Any:
        scheduler = self.factory(len(gradients), **params)
        getattr(scheduler, self._step)(gradients)
        return getattr(scheduler, self._size)


def from_method(build: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """A method of this package (or of its shape: init(x), step(state, batch)) as an optimizer factory."""
    class Bound:
        def __init__(self, x0: Any, **hyper: float) -> None:
            self.method = build(**hyper, **fixed)
            self.state = self.method.init(np.asarray(x0, dtype=float)[None])

        def step(self, gradient: Any) -> Any:
            batch = SimpleNamespace(moments=SimpleNamespace(mean=np.asarray(gradient, dtype=float)[None]))
            self.state = self.method.step(self.state, batch)
            return self.state.x[0]

    Bound.__name__ = getattr(build, "__name__", "method")
    return Bound


TORCH: Mapping[str, Mapping[str, str]] = {  # our name -> torch's, where they differ, by class
    "SGD": {"beta": "momentum"}, "Adagrad": {"v0": "initial_accumulator_value"}, "RMSprop": {"beta2": "alpha"},
    "Adam": {}, "AdamW": {"decay": "weight_decay"},
}


def from_torch(cls: Any, **fixed: Any) -> Callable[..., Any]:
    """A `torch.optim` class as an optimizer factory, in float64; `fixed` are further keywords."""
    names = {"alpha": "lr", "decay": "weight_decay", **next((TORCH[c.__name__] for c in cls.__mro__ if c.__name__ in TORCH), {})}

    class Bound:
        def __init__(self, x0: Any, **hyper: float) -> None:
            import torch

            self.x = torch.nn.Parameter(torch.tensor(np.asarray(x0, dtype=float)))
            keywords: dict[str, Any] = {names.get(k, k): v for k, v in hyper.items() if k not in ("beta1",)}
            if "beta1" in hyper:
                keywords["betas"] = (hyper["beta1"], keywords.pop("beta2"))
            self.optimizer = cls([self.x], **{**keywords, **fixed})

        def step(self, gradient: Any) -> Any:
            import torch

            self.x.grad = torch.tensor(np.asarray(gradient, dtype=float))
            self.optimizer.step()
            return self.x.detach().numpy().copy()

    Bound.__name__ = f"torch.optim.{cls.__name__}"
    return Bound


OPTAX = {"alpha": "learning_rate", "beta1": "b1", "beta2": "b2", "beta": "momentum", "decay": "weight_decay",
         "v0": "initial_accumulator_value"}


def from_pair(build: Callable[..., Any], names: Mapping[str, str] = OPTAX, **fixed: Any) -> Callable[..., Any]:
    """A builder of (init, update) pairs, optax's shape, as an optimizer factory: update(g, state, x) -> (step, state)
    and x + step."""
    class Bound:
        def __init__(self, x0: Any, **hyper: float) -> None:
            self.pair = build(**{**{names.get(k, k): v for k, v in hyper.items()}, **fixed})
            self.x = np.asarray(x0, dtype=float)
            self.state = self.pair.init(self.x)

        def step(self, gradient: Any) -> Any:
            step, self.state = self.pair.update(np.asarray(gradient, dtype=float), self.state, self.x)
            self.x = self.x + as_array(step).astype(float)
            return self.x.copy()

    Bound.__name__ = getattr(build, "__name__", "pair")
    return Bound


