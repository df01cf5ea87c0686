"""Are your per-sample gradients right?  Hooks, torch.func and a loop of backward passes, parameter by parameter."""

from __future__ import annotations

from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Part
from .passes import Loss, functional, mean_part
from .per_sample import PerSample


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of outputs (B, ..., V) against class numbers (B, ...)."""
    return F.cross_entropy(outputs.flatten(0, -2), targets.flatten())


class ParameterCheck(NamedTuple):
    """Largest relative error over samples against the loop; inner products relative to |g_i| |g|."""

    name: str
    path: str
    norms: float
    inner: float
    functional_norms: float
    functional_inner: float
    good: bool


def looped(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, names: list[str]) -> dict[str, Tensor]:
    """Tables (B, ...) of sample gradients, one backward pass a sample."""
    parameters = dict(model.named_parameters())
    chosen = [parameters[n] for n in names]
    found: list[list[Tensor]] = [[] for _ in names]
    for x, y in zip(inputs, targets, strict=True):
        grads = torch.autograd.grad(loss(model(x[None]), y[None]), chosen, allow_unused=True)
        for table, p, g in zip(found, chosen, grads, strict=True):
            table.append(torch.zeros_like(p) if g is None else g)
    return {n: torch.stack(table) for n, table in zip(names, found, strict=True)}


def _errors(mine: Part, true: Part) -> tuple[float, float]:
    size = true.norms.max().clamp_min(1e-300)
    length = (true.norms.sqrt() * true.gradient.double().norm()).max().clamp_min(1e-300)
    assert mine.inner is not None and true.inner is not None
    return (float((mine.norms - true.norms).abs().max() / size), float((mine.inner - true.inner).abs().max() / length))


def check_per_sample_gradients(model: nn.Module, batch: tuple[Tensor, Tensor], loss: Loss = cross_entropy,
                               tolerance: float | None = None, show: bool = True) -> list[ParameterCheck]:
    """Squared norms and inner products by parameter: `PerSample` and torch.func against a loop. Prints a table.

    tolerance  relative; by default 1e4 roundings of the parameters' type. ValueError as `PerSample`.
    """
    inputs, targets = batch
    statistics = PerSample(model, loss)
    paths = statistics.paths(inputs, targets)
    names = list(paths)
    fast = statistics.parts(inputs, targets)
    func = {n: mean_part(t, True) for n, t in functional(model, loss, inputs, targets, names).items()}
    true = {n: mean_part(t, True) for n, t in looped(model, loss, inputs, targets, names).items()}
    found = []
    for name in names:
        limit = 1e4 * torch.finfo(true[name].gradient.dtype).eps if tolerance is None else tolerance
        errors = (*_errors(fast[name], true[name]), *_errors(func[name], true[name]))
        found.append(ParameterCheck(name, paths[name], *errors, max(errors) <= limit))
    if show:
        Console().print(_table(found, len(inputs)))
    return found


def _table(found: list[ParameterCheck], B: int) -> Table:
    table = Table(title=f"per-sample gradients of {B} samples: relative error against a loop", box=None)
    for column in ("parameter", "path", "norms", "inner", "torch.func norms", "inner", ""):
        table.add_column(column, overflow="fold")
    for row in found:
        table.add_row(row.name, row.path, *(f"{v:.0e}" for v in row[2:6]), "agrees" if row.good else "DIFFERS")
    return table
