"""Per-sample gradient statistics of a PyTorch model, over its whole parameter vector: what the exact-variance tests read.

    statistics = PerSample(model, loss)             # loss(outputs, targets): mean or sum over samples
    m = statistics(inputs, targets)                 # one forward and backward pass
    st.AugmentedInnerProductTest(0.9, 5.84)(m)      # m is a `Moments`

|g_i|^2 and <g_i, g> come from hooks on Linear, Embedding, LayerNorm and RMSNorm; other parameters fall back, one by one, on
torch.func, and `paths` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from .layers import RULES, Part, refusal, rows

Loss = Callable[[Any, Tensor], Tensor]
AGREE = 1e-3  # relative; the hooks' gradient of a probe against autograd's: misuse of a layer is off by much more


@dataclass(frozen=True)
class PerSampleMoments:
    """`Moments` of one sample gradient from |g_i|^2 and <g_i, g>, g their mean. Uncentred, in float64.

    norms, inner  (B,)     gradient  mean gradient by parameter     paths  how each parameter's share was found
    An uncentred variance below 1e-6 of mean |g_i|^2 is lost in the rounding of float32 gradients.
    """

    norms: np.ndarray
    products: np.ndarray | None
    gradient: dict[str, Tensor]
    paths: dict[str, str]
    population: float = math.inf

    @property
    def n(self) -> float:
        return float(len(self.norms))

    @property
    def dof(self) -> float:
        return self.n - 1

    @property
    def inner(self) -> np.ndarray:
        if self.products is None:
            raise ValueError("inner products were not computed; ask for them: statistics(inputs, targets, inner=True)")
        return self.products

    @cached_property
    def signal(self) -> float:
        return float(sum(float(g.double().square().sum()) for g in self.gradient.values()))

    @cached_property
    def total(self) -> float:
        """sum_i (|g_i|^2 - |g|^2) / (B - 1), inf for one sample."""
        return math.inf if self.dof == 0 else max(float(self.norms.sum() - self.n * self.signal), 0.0) / self.dof

    @cached_property
    def along(self) -> float:
        """sum_i (<g_i, g> - |g|^2)^2 / |g|^2 / (B - 1)."""
        if self.dof == 0 or self.signal == 0:
            return self.total
        return float(np.square(self.inner - self.inner.mean()).sum()) / self.signal / self.dof

    @property
    def mean(self) -> np.ndarray:
        """The mean gradient as one vector, in the order of `gradient`."""
        return np.concatenate([g.detach().double().cpu().numpy().ravel() for g in self.gradient.values()])

    def assign(self, model: nn.Module) -> None:
        """Write the mean gradient into .grad, as a backward pass of the mean loss would have."""
        for name, p in model.named_parameters():
            if name in self.gradient:
                p.grad = self.gradient[name].to(p.dtype)


class PerSample:
    """Squared norms and inner products of per-sample gradients in one pass. See the module's docstring.

    The first call plans: it compares the hooks' gradient of one sample with autograd's, parameter by parameter, so that
    a layer used in an unforeseen way (twice, by functional calls, without a batch axis) is found and falls back.
    """

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        for name, module in model.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
                raise ValueError(f"{name or 'the model'} is a BatchNorm in training mode: samples share statistics, so no "
                                 "sample has a gradient of its own; call model.eval() or use LayerNorm")
        self.model, self.loss = model, loss
        self._plan: dict[str, str] | None = None
        self._key: tuple[str, ...] = ()

    def paths(self, inputs: Tensor, targets: Tensor) -> dict[str, str]:
        """How each trainable parameter is treated: 'hooks', or 'torch.func (why)'."""
        key = tuple(n for n, p in self.model.named_parameters() if p.requires_grad)
        if not key:
            raise ValueError("the model has no parameter with requires_grad=True; nothing to measure")
        if self._plan is None or self._key != key:
            self._plan, self._key = plan(self.model, self.loss, inputs[:1], targets[:1]), key
        return self._plan

    def __call__(self, inputs: Tensor, targets: Tensor, inner: bool = True) -> PerSampleMoments:
        paths = self.paths(inputs, targets)
        parts = self.parts(inputs, targets, inner)
        norms = torch.stack([part.norms for part in parts.values()]).sum(0)
        products = torch.stack([part.inner for part in parts.values()]).sum(0).cpu().numpy() if inner else None
        found = PerSampleMoments(norms.cpu().numpy(), products, {n: p.gradient for n, p in parts.items()}, dict(paths))
        if not np.isfinite(found.norms).all():
            raise ValueError(f"{int((~np.isfinite(found.norms)).sum())} of {len(found.norms)} per-sample gradients are NaN "
                             "or infinite; look at the loss and the learning rate")
        return found

    def parts(self, inputs: Tensor, targets: Tensor, inner: bool = True) -> dict[str, Part]:
        """By parameter: mean gradient, |g_i|^2, <g_i, g>."""
        if len(inputs) != len(targets) or len(inputs) == 0:
            raise ValueError(f"{len(inputs)} inputs and {len(targets)} targets; need one target a sample, and a sample")
        paths = self.paths(inputs, targets)
        fast = {n for n, path in paths.items() if path == "hooks"}
        slow = [n for n in paths if n not in fast]
        parts = hooked(self.model, self.loss, inputs, targets, fast, inner) if fast else {}
        parts |= {n: mean_part(t, inner) for n, t in functional(self.model, self.loss, inputs, targets, slow).items()}
        return {n: parts[n] for n in paths if n in parts}


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
    for prefix, module in model.named_modules():
        for short, p in module.named_parameters(recurse=False):
            name = names[id(p)][0]
            if p.requires_grad and name not in out:
                why = f"shared: {' = '.join(names[id(p)])}" if len(names[id(p)]) > 1 else refusal(module)
                out[name] = module, short, why
    return out


def plan(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor) -> dict[str, str]:
    """Paths of all trainable parameters, from one sample."""
    own = owners(model)
    paths = {n: f"torch.func ({why})" if why else "hooks" for n, (_, _, why) in own.items()}
    fast = {n for n, path in paths.items() if path == "hooks"}
    parameters = dict(model.named_parameters())
    with torch.random.fork_rng(), torch.enable_grad():  # the same dropout in both passes
        torch.manual_seed(0)
        exact = torch.autograd.grad(loss(model(inputs), targets), [parameters[n] for n in own], allow_unused=True)
        torch.manual_seed(0)
        found = hooked(model, loss, inputs, targets, fast, False) if fast else {}
    for name, g in zip(own, exact, strict=True):
        mine = found[name].gradient if name in found else torch.zeros_like(parameters[name])
        g = torch.zeros_like(mine) if g is None else g
        if name in fast and not (mine - g).norm() <= AGREE * g.norm() + 1e-30:
            paths[name] = "torch.func (its layer is used more than once, by a functional call, or without a batch axis)"
    return paths


def hooked(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, fast: set[str],
           inner: bool) -> dict[str, Part]:
    """One forward and backward pass with hooks on the layers that own the parameters `fast`.

    No parameter asks autograd for its gradient meanwhile: the rules form it themselves, from the same two factors.
    """
    found: dict[str, Part] = {}
    layers: dict[nn.Module, dict[str, str]] = {}
    for name, (module, short, _) in owners(model).items():
        if name in fast:
            layers.setdefault(module, {})[short] = name
    leaves: list[Tensor] = []
    with torch.enable_grad(), frozen(model), hooks(layers, found, leaves, len(inputs), inner):
        outputs = model(inputs)
        value = loss(outputs, targets)
        torch.autograd.grad(value, leaves, allow_unused=True)
    r, B = sample_weight(loss, outputs, targets, value), len(inputs)
    return {n: Part(p.gradient / (r * B), p.norms / r**2, p.inner / (r * r * B) if p.inner is not None else None)
            for n, p in found.items()}


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
def hooks(layers: dict[nn.Module, dict[str, str]], found: dict[str, Part], leaves: list[Tensor], B: int,
          inner: bool) -> Iterator[None]:
    """Keep the input of every layer and, when the gradient of its output arrives, apply the layer's rule."""
    def forward(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        a, first = args[0].detach(), not output.requires_grad
        if len(a) != B:
            return None  # no batch axis: `plan` finds the parameter wanting
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


def sample_weight(loss: Loss, outputs: Any, targets: Tensor, value: Tensor) -> float:
    """1/B for a mean over samples, 1 for a sum; an error if the loss is neither."""
    if not isinstance(outputs, Tensor) or len(outputs) != len(targets):
        raise ValueError("the model must return one tensor with a row a sample")
    with torch.no_grad():
        each = vmap(loss)(outputs.detach()[:, None], targets[:, None]).double()
        for r, whole in ((1 / len(each), each.mean()), (1.0, each.sum())):
            if torch.isclose(value.double(), whole, rtol=1e-3, atol=1e-30):
                return r
    if not torch.isfinite(each).all():
        raise ValueError(f"the loss of {int((~torch.isfinite(each)).sum())} of {len(each)} samples is NaN or infinite")
    raise ValueError(f"the loss of the batch is {float(value.detach()):.6g}, neither the mean {float(each.mean()):.6g} nor the sum "
                     f"{float(each.sum()):.6g} of its samples' losses: per-sample gradients need reduction='mean' or 'sum' "
                     "over samples of equal weight (no ignored targets of unequal number, no class weights)")


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
