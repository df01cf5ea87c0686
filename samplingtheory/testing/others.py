"""Other people's code: optimizers of libraries that are installed, and rules as publications describe them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from .conform import conform
from .engine import Report
from .optimizers import check_optimizer


def third_party() -> list[tuple[str, Any, str, Mapping[str, str]]]:
    """(name, factory, kind, expected failures) of optimizers of other libraries that are installed."""
    from .adapters import from_pair, from_torch

    found: list[tuple[str, Any, str, Mapping[str, str]]] = []
    if find_spec("torch"):
        import torch

        found += [(f"torch.optim.{cls.__name__}", from_torch(cls, **more), kind, {}) for cls, kind, more in (
            (torch.optim.SGD, "sgd", {}), (torch.optim.SGD, "momentum", {}), (torch.optim.Adagrad, "adagrad", {}),
            (torch.optim.RMSprop, "rmsprop", {}), (torch.optim.Adam, "adam", {}), (torch.optim.AdamW, "adamw", {}))]
    if find_spec("optax"):
        import jax
        import optax

        jax.config.update("jax_enable_x64", True)
        inside = {name: "optax puts epsilon inside the root" for name in (
            "recursion", "constant-gradient", "impulse", "gradient-scale")}
        decay = {"beta2": "decay", "alpha": "learning_rate"}
        found += [("optax.sgd", from_pair(optax.sgd), "sgd", {}), ("optax.sgd", from_pair(optax.sgd), "momentum", {}),
                  ("optax.adagrad", from_pair(optax.adagrad), "adagrad", inside),
                  ("optax.rmsprop", from_pair(optax.rmsprop, decay), "rmsprop", inside),
                  ("optax.adam", from_pair(optax.adam), "adam", {}),
                  ("optax.adamw", from_pair(optax.adamw), "adamw", {})]
    return found


def per_tensor(gradients: Any, theta: float) -> float:
    """The practical inner product test as a published implementation is described: the variance of <g_i, G> tensor by
    tensor, added up; here for two tensors of two entries. Written from that description."""
    mean = gradients.mean(0)
    blocks = (slice(0, 2), slice(2, 4))
    spread = float(sum(((gradients[:, b] - mean[b]) @ mean[b]).var(ddof=1) for b in blocks))
    allowed = theta**2 * float(mean @ mean) ** 2
    return spread / allowed if allowed else math.inf if gradients.any() else 0.0


def described() -> list[tuple[str, Any, str, Mapping[str, Any], Mapping[str, str]]]:
    """(name, callable, kind, flags, expected failures) of rules and statistics written from published descriptions."""
    from .mistakes.ranks import plain_mean, printed, within_plus_between

    lost, biased = "the covariance between tensors is lost", "biased"
    return [
        ("inner product test, tensor by tensor", per_tensor, "inner-product", {"role": "lagged", "layout": (2, 2)},
         dict.fromkeys(("soundness", "minimality", "duplication", "ordering"), lost)),
        ("DDP-Norm as printed", printed, "rank-means", {"equal": True}, {"unbiased": biased}),
        ("mean of ranks that hold unequally many", plain_mean, "rank-means", {}, {"unbiased": biased}),
        ("within plus between", within_plus_between, "rank-moments", {"equal": True, "least": 2},
         {"unbiased": biased, "sharding": biased}),
    ]


def check_third_party(examples: int = 50, seed: int | None = None) -> Iterator[Report]:
    """Optimizers of other libraries, where installed, and rules as published; known differences are expected
    failures."""
    for words, call, what, flags, known in described():
        yield conform(call, what, {**flags, "name": words}, expected=known, examples=examples, seed=seed)
    for name, factory, kind, expected in third_party():
        yield check_optimizer(factory, kind=kind, name=name, expected_failures=expected, examples=examples, seed=seed)
