"""Per-sample gradients of common layers from what a plain backward pass sees: input, and gradient of the output.

A rule maps (module, input (B, ...), delta (B, ...)) to one `Part` a parameter: the gradient summed over samples, and of
each sample's c_i the squared norm |c_i|^2 and the inner product <c_i, sum c>, without a table of B gradients where that
is cheaper ('ghost').
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TABLE = 2**24  # entries of a table of per-sample gradients (64 MB); larger ones are made for some samples at a time
PASS = 40  # a pass over the table costs about as much as this many multiplications an entry (one CPU core)


class Part(NamedTuple):
    """Of one parameter: sum_i c_i, |c_i|^2 (B,) and <c_i, sum c> (B,) or None, both in float64."""

    gradient: Tensor
    norms: Tensor
    inner: Tensor | None


def rows(table: Tensor, inner: bool) -> Part:
    """From the table itself, (B, ...)."""
    flat = table.flatten(1)
    total = flat.sum(0)
    return Part(total.view(table.shape[1:]), squares(flat), (flat @ total).double() if inner else None)


def squares(flat: Tensor) -> Tensor:
    """Squared norm of each row (B, k)."""
    return torch.linalg.vector_norm(flat, dim=1).double().square()


def tokens(x: Tensor) -> Tensor:
    """(B, ..., k) as (B, T, k)."""
    return x.reshape(x.shape[0], -1, x.shape[-1])


def linear(module: Any, a: Tensor, delta: Tensor, inner: bool) -> dict[str, Part]:
    """W of y = W a + b: c_i = sum_t delta_it a_it'. By inner products of tokens where T is small, else by its table."""
    a, delta = tokens(a), tokens(delta)
    (T, d), p = a.shape[1:], delta.shape[-1]
    by_tokens = T == 1 or T * T * (d + p) + inner * T * d * p < PASS * d * p
    out = {"weight": (_by_tokens if by_tokens else _by_table)(a, delta, inner)}
    if module.bias is not None:
        out["bias"] = rows(delta.sum(1), inner)
    return out


def _by_tokens(a: Tensor, delta: Tensor, inner: bool) -> Part:
    """|c_i|^2 = sum_{t,u} (a_it'a_iu)(delta_it'delta_iu), <c_i, G> = sum_t delta_it'G a_it."""
    G = delta.flatten(0, 1).T @ a.flatten(0, 1)
    if a.shape[1] == 1:
        norms = squares(a[:, 0]) * squares(delta[:, 0])
    else:
        norms = ((a @ a.mT) * (delta @ delta.mT)).sum((1, 2)).double()
    return Part(G, norms.clamp_min(0), _against(G, a, delta) if inner else None)


def _against(G: Tensor, a: Tensor, delta: Tensor) -> Tensor:
    return ((a @ G.mT) * delta).sum((1, 2)).double()


def _by_table(a: Tensor, delta: Tensor, inner: bool) -> Part:
    B, d, p = len(a), a.shape[-1], delta.shape[-1]
    some = max(1, TABLE // (d * p))
    if some >= B:
        return rows(delta.mT @ a, inner)
    parts = [rows(delta[i : i + some].mT @ a[i : i + some], False) for i in range(0, B, some)]
    G = torch.stack([part.gradient for part in parts]).sum(0)
    return Part(G, torch.cat([part.norms for part in parts]), _against(G, a, delta) if inner else None)


def embedding(module: Any, index: Tensor, delta: Tensor, inner: bool) -> dict[str, Part]:
    """Row v of c_i is the sum of delta_it over the tokens t of sample i that are v: equal tokens are added first."""
    B, index, delta = len(index), index.reshape(len(index), -1), tokens(delta)
    if module.padding_idx is not None:
        delta = delta * (index != module.padding_idx)[..., None]
    V, d = module.weight.shape
    sample = torch.arange(B, device=index.device)[:, None]
    keys, place = torch.unique(sample * V + index, return_inverse=True)
    sums = delta.new_zeros(len(keys), d).index_add_(0, place.flatten(), delta.flatten(0, 1))
    owner, token = keys // V, keys % V
    G = delta.new_zeros(V, d).index_add_(0, token, sums)

    def per_sample(values: Tensor) -> Tensor:
        return torch.zeros(B, dtype=torch.float64, device=index.device).index_add_(0, owner, values.double())

    products = per_sample((sums * G[token]).sum(-1)) if inner else None
    return {"weight": Part(G, per_sample((sums * sums).sum(-1)), products)}


def norm(module: Any, a: Tensor, delta: Tensor, inner: bool) -> dict[str, Part]:
    """LayerNorm and RMSNorm, y = w xhat (+ b): c_i = sum_t delta_it xhat_it, sum_t delta_it."""
    shape = module.normalized_shape
    keep = a.dim() - len(shape)
    plain = F.layer_norm if isinstance(module, nn.LayerNorm) else F.rms_norm
    xhat = plain(a, shape, eps=module.eps) if module.eps is not None else plain(a, shape)
    over = tuple(range(1, keep))
    out = {"weight": rows((delta * xhat).sum(over) if over else delta * xhat, inner)}
    if getattr(module, "bias", None) is not None:
        out["bias"] = rows(delta.sum(over) if over else delta, inner)
    return out


RULES: dict[type, Callable[[Any, Tensor, Tensor, bool], dict[str, Part]]] = {
    nn.Linear: linear, nn.Embedding: embedding, nn.LayerNorm: norm, nn.RMSNorm: norm,
}


def refusal(module: nn.Module) -> str:
    """Why the fast path does not know a layer ('' if it does)."""
    if type(module) not in RULES:
        return f"no rule for {type(module).__name__}"
    if isinstance(module, nn.Embedding) and (module.max_norm is not None or module.scale_grad_by_freq or module.sparse):
        return "Embedding with max_norm, scale_grad_by_freq or sparse"
    return ""
