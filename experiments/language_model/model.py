"""Llama in small: RMSNorm, rotary embedding, SwiGLU, on bytes. Rotary: Su et al. (2021); SwiGLU: Shazeer (2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VOCABULARY = 256


@dataclass(frozen=True)
class Size:
    """Width d, layers, heads; the feed-forward width is 8/3 d, a multiple of 8."""

    width: int
    layers: int
    heads: int

    @property
    def hidden(self) -> int:
        return (8 * self.width // 3 + 7) // 8 * 8


SIZES = {
    "nano": Size(64, 2, 4),  # 0.13 million parameters
    "small": Size(256, 5, 4),  # 4 million
    "base": Size(768, 12, 12),  # 85 million
    "large": Size(1024, 24, 16),  # 303 million
}


def rotary(length: int, width: int) -> Tensor:
    """Angles (length, width / 2): position times 10000^(-2i/width)."""
    return torch.outer(torch.arange(length), 10_000.0 ** (-torch.arange(0, width, 2) / width))


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Each pair of entries of x (..., T, width), as a plane, turned by its angle."""
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.qkv = nn.Linear(size.width, 3 * size.width, bias=False)
        self.out = nn.Linear(size.width, size.width, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        B, T, d = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(rotate(q, angles), rotate(k, angles), v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, T, d))


class Block(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.before, self.between = nn.RMSNorm(size.width), nn.RMSNorm(size.width)
        self.attention = Attention(size)
        self.up = nn.Linear(size.width, 2 * size.hidden, bias=False)
        self.down = nn.Linear(size.hidden, size.width, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        x = x + self.attention(self.before(x), angles)
        gate, value = self.up(self.between(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * value)


class Llama(nn.Module):
    """Bytes (B, T) to logits of the next byte (B, T, 256)."""

    def __init__(self, size: Size, context: int, seed: int = 0) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, size.width)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.last = nn.RMSNorm(size.width)
        self.head = nn.Linear(size.width, VOCABULARY, bias=False)
        self.register_buffer("angles", rotary(context, size.width // size.heads), persistent=False)
        rng = torch.Generator().manual_seed(seed)
        for name, p in self.named_parameters():
            if p.dim() > 1:  # the two maps that end in the residual stream start smaller
                shrink = (2 * size.layers) ** -0.5 if name.endswith(("out.weight", "down.weight")) else 1.0
                nn.init.normal_(p, std=0.02 * shrink, generator=rng)

    def forward(self, x: Tensor) -> Tensor:
        angles = self.angles[: x.shape[1]]
        h = self.embed(x)
        for block in self.blocks:
            h = block(h, angles)
        return self.head(self.last(h))


def next_byte_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy (nats a byte) of logits (B, T, 256) against bytes (B, T)."""
    exact = torch.promote_types(logits.dtype, torch.float32)
    return F.cross_entropy(logits.to(exact).flatten(0, -2), targets.flatten())
