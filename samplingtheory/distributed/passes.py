"""The passes behind `PerSample`: with hooks on layers that have a rule, by torch.func for the rest, and the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from .layers import RULES, Part, refusal, rows

Loss = Callable[[Any, Tensor], Tensor]
AGREE = 1e-3  # relative; the hooks' gradient of a probe against autograd's: misuse of a layer is off by much more


def mean_part(table: Tensor, inner: bool) -> Part:
    """The same from a table of sample gradients g_i (B, ...)."""
    B, part = len(table), rows(table, inner)
    return Part(part.gradient / B, part.norms, part.inner / B if part.inner is not None else None)


def owners(model: nn.Module) -> dict[str, tuple[nn.Module, str, str]]:
    """Of every trainable parameter: its module, its name there, and why the hooks cannot serve it ('' if they can)."""
    names: dict[int, list[str]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(p), []).append(name)
    out: dict[str, tuple[nn.Module, str, str]] = {}
    for module in model.modules():
        for short, p in module.named_parameters(recurse=False):
            name = names[id(p)][0]
            if p.requires_grad and name not in out:
                why = f"shared: {' = '.join(names[id(p)])}" if len(names[id(p)]) > 1 else refusal(module)
                out[name] = module, short, why
    return out


Layers = dict[nn.Module, dict[str, str]]  # what the hooks serve: module, its parameters' names there and in the model


def served(own: dict[str, tuple[nn.Module, str, str]], paths: dict[str, str]) -> Layers:
    layers: Layers = {}
    for name, (module, short, _) in own.items():
        if paths[name] == "hooks":
            layers.setdefault(module, {})[short] = name
    return layers


def plan(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor) -> tuple[dict[str, str], Layers]:
    """Paths of all trainable parameters and the layers that get hooks, from one sample."""
    own = owners(model)
    paths = {n: f"torch.func ({why})" if why else "hooks" for n, (_, _, why) in own.items()}
    layers = served(own, paths)
    parameters = dict(model.named_parameters())
    with torch.random.fork_rng(), torch.enable_grad():  # the same dropout in both passes
        torch.manual_seed(0)
        exact = torch.autograd.grad(loss(model(inputs), targets), [parameters[n] for n in own], allow_unused=True)
        torch.manual_seed(0)
        found = hooked(model, loss, inputs, targets, layers, False, strict=False)
    for name, g in zip(own, exact, strict=True):
        mine = found[name].gradient if name in found else torch.zeros_like(parameters[name])
        g = torch.zeros_like(mine) if g is None else g
        if paths[name] == "hooks" and not (mine - g).norm() <= AGREE * g.norm() + 1e-30:
            paths[name] = "torch.func (its layer is used more than once, by a functional call, or without a batch axis)"
    return paths, served(own, paths)


def hooked(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, layers: Layers, inner: bool,
           reduction: str | None = None, strict: bool = True) -> dict[str, Part]:
    """One forward and backward pass with hooks on `layers`; strict: an error if one is used in an unforeseen way.

    No parameter asks autograd for its gradient meanwhile: the rules form it themselves, from the same two factors.
    """
    if not layers:
        return {}
    found: dict[str, Part] = {}
    leaves: list[Tensor] = []
    with torch.enable_grad(), frozen(model), hooks(layers, found, leaves, len(inputs), inner, strict):
        outputs = model(inputs)
        value = loss(outputs, targets)
        torch.autograd.grad(value, leaves, allow_unused=True)
    B = len(inputs)
    reduction = reduction or reduction_of(loss, outputs, targets, value)
    r = 1 / B if reduction == "mean" else 1.0  # c_i = r g_i
    return {n: Part(p.gradient if reduction == "mean" else p.gradient / B, p.norms / r**2,
                    p.inner / (r * r * B) if p.inner is not None else None) for n, p in found.items()}


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No parameter requires a gradient inside."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    try:
        for p in trainable:
            p.requires_grad_(False)
        yield
    finally:
        for p in trainable:
            p.requires_grad_(True)


@contextmanager
def hooks(layers: Layers, found: dict[str, Part], leaves: list[Tensor], B: int, inner: bool,
          strict: bool) -> Iterator[None]:
    """Keep the input of every layer and, when the gradient of its output arrives, apply the layer's rule."""
    ran: set[nn.Module] = set()

    def forward(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        a, first = args[0].detach(), not output.requires_grad
        if strict and (len(a) != B or module in ran):
            raise ValueError(f"{type(module).__name__} ({', '.join(layers[module].values())}) now runs twice or "
                             f"without a batch axis of {B}, unlike in the first batch: make a PerSample anew, or one "
                             "a use")
        if len(a) != B:
            return None  # no batch axis: `plan` finds the parameter wanting
        ran.add(module)
        if first:
            leaves.append(output.detach().requires_grad_())
            output = leaves[-1].clone()  # a copy, so that what follows may work in place

        def backward(delta: Tensor) -> None:
            for short, part in RULES[type(module)](module, a, delta, inner).items():
                if short in layers[module]:
                    found[layers[module][short]] = part

        output.register_hook(backward)
        return output if first else None

    handles = [module.register_forward_hook(forward) for module in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def reduction_of(loss: Loss, outputs: Any, targets: Tensor, value: Tensor) -> str:
    """'mean' or 'sum' over samples; an error if the loss is neither. Evaluates the loss once more."""
    if not isinstance(outputs, Tensor) or len(outputs) != len(targets):
        raise ValueError("the model must return one tensor with a row a sample")
    with torch.no_grad():
        each = vmap(loss)(outputs.detach()[:, None], targets[:, None]).double()
        for name, whole in (("mean", each.mean()), ("sum", each.sum())):
            if torch.isclose(value.double(), whole, rtol=1e-3, atol=1e-30):
                return name
    if not torch.isfinite(each).all():
        raise ValueError(f"the loss of {int((~torch.isfinite(each)).sum())} of {len(each)} samples is NaN or infinite")
    raise ValueError(f"the loss of the batch is {float(value.detach()):.6g}, neither the mean {float(each.mean()):.6g} "
                     f"nor the sum {float(each.sum()):.6g} of its samples' losses: per-sample gradients need "
                     "reduction='mean' or 'sum' over samples of equal weight (no ignored targets, no class weights)")


def functional(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, names: list[str]) -> dict[str, Tensor]:
    """Tables (B, ...) of the sample gradients of some parameters by torch.func: the oracle, and the way back."""
    if not names:
        return {}
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.training and module.p > 0:
            raise ValueError(f"{name} drops at random, which torch.func cannot repeat sample by sample (needed for "
                             f"{names[0]}); call model.eval() or set its p = 0")
    chosen = {n: p.detach() for n, p in model.named_parameters() if n in set(names)}

    def one(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return loss(functional_call(model, parameters, (x[None],)), y[None])

    with frozen(model):
        return vmap(grad(one), in_dims=(None, 0, 0))(chosen, inputs, targets)
