"""Softmax regression and small tanh networks on bundled digits, with the statistics of the tests, in NumPy.

A weight's gradient of one sample is delta_i a_i', so norms and inner products over a batch need no n x d table:
|g_i|^2 = sum over layers of |delta_i|^2 (|a_i|^2 + 1), <g_i, u> = sum of delta_i'(U a_i + u_b).
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from samplingtheory.moments import Array
from samplingtheory.problems.base import Batch, least_size, need_generator


class LayeredBatch:
    """Moments of batches of layered models: sums of |g_i|^2 and <g_i, g>^2 from the factors of each layer."""

    population = math.inf

    def __init__(self, n: Array, parts: list[Parts]) -> None:
        self.n, self.dof, self._parts = n, n - 1, parts
        self.mean = np.stack([p.mean for p in parts])

    @cached_property
    def signal(self) -> Array:
        return (self.mean**2).sum(-1)

    def _spread(self, sums: Array, part: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.dof > 0, np.maximum(sums - self.n * part, 0) / self.dof, math.inf)

    @cached_property
    def total(self) -> Array:
        return self._spread(np.array([p.squares().sum() for p in self._parts]), self.signal)

    @cached_property
    def along(self) -> Array:
        inner = np.array([(p.along(p.mean) ** 2).sum() for p in self._parts])
        return self._spread(inner / np.maximum(self.signal, 1e-300), self.signal)


class Parts:
    """One batch: the inputs a (n, p) and output errors delta (n, q) of each layer."""

    def __init__(self, layers: list[tuple[Array, Array]]) -> None:
        self.layers = layers
        n = len(layers[0][0])
        self.mean = np.concatenate([np.concatenate([(e.T @ a).ravel(), e.sum(0)]) for a, e in layers]) / n

    def squares(self) -> Array:
        return sum((e * e).sum(1) * ((a * a).sum(1) + 1) for a, e in self.layers)

    def along(self, u: Array) -> Array:
        out, start = np.zeros(len(self.layers[0][0])), 0
        for a, e in self.layers:
            end = start + e.shape[1] * a.shape[1]
            U, bias = u[start:end].reshape(e.shape[1], a.shape[1]), u[end : end + e.shape[1]]
            out += (e * (a @ U.T + bias)).sum(1)
            start = end + e.shape[1]
        return out


class Digits:
    """Mean cross-entropy of tanh layers of the given widths on 8 x 8 digits (10 classes), drawn with replacement.

    widths () is softmax regression. A fifth of the data, fixed, is held out; the rest is drawn from.
    """

    population = math.inf

    def __init__(self, widths: tuple[int, ...] = ()) -> None:
        from sklearn.datasets import load_digits

        A, y = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(A))
        A, y = A[order] / 16.0, y[order]
        held = len(A) // 5
        self.held, self.train = (A[:held], y[:held]), (A[held:], y[held:])
        self.sizes = list(zip((64, *widths), (*widths, 10), strict=True))
        self.dim = sum(q * p + q for p, q in self.sizes)

    def start(self, seed: int) -> Array:
        rng = np.random.default_rng(seed)
        return np.concatenate([np.concatenate([rng.standard_normal(q * p) / math.sqrt(p), np.zeros(q)])
                               for p, q in self.sizes])

    def _layers(self, x: Array) -> list[tuple[Array, Array]]:
        out, start = [], 0
        for p, q in self.sizes:
            end = start + q * p
            out.append((x[start:end].reshape(q, p), x[end : end + q]))
            start = end + q
        return out

    def _forward(self, x: Array, A: Array) -> tuple[list[Array], Array]:
        """Inputs of every layer, and the logarithms of the class probabilities."""
        layers, inputs = self._layers(x), [A]
        for W, b in layers[:-1]:
            inputs.append(np.tanh(inputs[-1] @ W.T + b))
        scores = inputs[-1] @ layers[-1][0].T + layers[-1][1]
        scores = scores - scores.max(1, keepdims=True)
        return inputs, scores - np.log(np.exp(scores).sum(1, keepdims=True))

    def loss(self, x: Array, held: bool = False) -> tuple[float, float]:
        """Mean cross-entropy and share of right answers on the training or the held-out part, for one x (d,)."""
        A, y = self.held if held else self.train
        logs = self._forward(x, A)[1]
        return float(-logs[np.arange(len(y)), y].mean()), float((logs.argmax(1) == y).mean())

    def batch(self, x: Array, index: Array) -> Parts:
        A, y = self.train[0][index], self.train[1][index]
        inputs, logs = self._forward(x, A)
        error = np.exp(logs)
        error[np.arange(len(y)), y] -= 1
        parts = [(inputs[-1], error)]
        for (W, _), a in zip(self._layers(x)[:0:-1], inputs[:0:-1], strict=True):
            error = (error @ W) * (1 - a * a)
            parts.append((inputs[len(self.sizes) - 1 - len(parts)], error))
        return Parts(parts[::-1])

    def draw(self, x: Array, n: Array, rng: Any) -> Batch:
        n, chance = least_size(n), need_generator(rng, "a network")
        parts = [self.batch(row, chance.integers(len(self.train[0]), size=int(size)))
                 for row, size in zip(x, n, strict=True)]  # one replicate is already large work
        return Batch(LayeredBatch(n, parts), n)
