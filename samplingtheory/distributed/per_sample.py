"""Per-sample gradient statistics of a PyTorch model, over all its parameters: what the exact-variance tests read.

    statistics = PerSample(model, loss)             # loss(outputs, targets): mean or sum over samples
    m = statistics(inputs, targets)                 # one forward and backward pass
    st.AugmentedInnerProductTest(0.9, 5.84)(m)      # m is a `Moments`

|g_i|^2 and <g_i, g> come from hooks on Linear, Embedding, LayerNorm and RMSNorm; other parameters fall back, one by
one, on torch.func, and `paths` says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from .layers import Part
from .passes import Layers, Loss, functional, hooked, mean_part, plan


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
    reduction  'mean' or 'sum' over samples is promised (and the targets of a batch all count); None: found out on every
               batch by one more evaluation of the loss, which matters for small models only
    """

    def __init__(self, model: nn.Module, loss: Loss, reduction: str | None = None) -> None:
        if reduction not in (None, "mean", "sum"):
            raise ValueError(f"reduction is {reduction!r}; need 'mean', 'sum' or None (found out on every batch)")
        for name, module in model.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
                raise ValueError(f"{name or 'the model'} is a BatchNorm in training mode: samples share statistics, so "
                                 "no sample has a gradient of its own; call model.eval() or use LayerNorm")
        self.model, self.loss, self.reduction = model, loss, reduction
        self._paths: dict[str, str] = {}
        self._layers: Layers = {}

    def paths(self, inputs: Tensor, targets: Tensor) -> dict[str, str]:
        """How each trainable parameter is treated: 'hooks', or 'torch.func (why)'."""
        trainable = {n for n, p in self.model.named_parameters() if p.requires_grad}
        if not trainable:
            raise ValueError("the model has no parameter with requires_grad=True; nothing to measure")
        if trainable != self._paths.keys():
            self._paths, self._layers = plan(self.model, self.loss, inputs[:1], targets[:1])
        return self._paths

    def __call__(self, inputs: Tensor, targets: Tensor, inner: bool = True) -> PerSampleMoments:
        parts = self.parts(inputs, targets, inner)
        norms = torch.stack([part.norms for part in parts.values()]).sum(0)
        known = [part.inner for part in parts.values() if part.inner is not None]
        products = torch.stack(known).sum(0).cpu().numpy() if inner else None
        found = PerSampleMoments(norms.cpu().numpy(), products, {n: p.gradient for n, p in parts.items()},
                                 dict(self._paths))
        if not np.isfinite(found.norms).all():
            raise ValueError(f"{int((~np.isfinite(found.norms)).sum())} of {len(found.norms)} per-sample gradients are "
                             "NaN or infinite; look at the loss and the learning rate")
        return found

    def parts(self, inputs: Tensor, targets: Tensor, inner: bool = True) -> dict[str, Part]:
        """By parameter: mean gradient, |g_i|^2, <g_i, g>."""
        if len(inputs) != len(targets) or len(inputs) == 0:
            raise ValueError(f"{len(inputs)} inputs and {len(targets)} targets; need one target a sample, and a sample")
        paths = self.paths(inputs, targets)
        slow = [n for n, path in paths.items() if path != "hooks"]
        parts = hooked(self.model, self.loss, inputs, targets, self._layers, inner, self.reduction)
        parts |= {n: mean_part(t, inner) for n, t in functional(self.model, self.loss, inputs, targets, slow).items()}
        return {n: parts[n] for n in paths if n in parts}
