"""A global batch shared by ranks: all that is kept of rank j is the mean of its own m_j samples."""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from ..moments import Array, Weighted, divide, dot, exact_array
from .base import Batch, Chance, Every


class Ranked(Weighted):
    """Moments of one sample gradient from rank means u_j of m_j samples: `moments(units, counts)`, in weights.

    units (E, J, d), shares m_j / b (E, J), n = b (E,), dof = J - 1, total = sum_j m_j |u_j - g|^2 / (J - 1).
    within (E,) is the mean over ranks of their own sample variances, inf where a rank holds one sample.
    """

    def __init__(self, units: Array, sizes: Array, within: Array, population: float) -> None:
        n, J = sizes.sum(-1), units.shape[-2]
        b, dof = exact_array(n, units), np.full(len(n), J - 1.0)
        scale = divide(b, exact_array(dof, units), 0)
        super().__init__(units, exact_array(sizes, units) / b[:, None], scale, n, dof, population)
        self.within = within

    @cached_property
    def printed(self) -> Array:
        """Vhat = (1/J) sum_j |u_j - g|^2, the statistic of DDP-Norm as printed."""
        return dot(self._centred, self._centred).sum(-1) / self.atoms.shape[-2]

    @cached_property
    def scalars(self) -> Array:
        """(1/J) sum_j |u_j|^2 - |g|^2: the same from numbers that one scalar all-reduce delivers (equal shares)."""
        return dot(self.atoms, self.atoms).sum(-1) / self.atoms.shape[-2] - dot(self.mean, self.mean)


class Ranks:
    """`base` sampled by J ranks: a batch of n is rounded up to n / sum(shares) samples a share.

    shares  samples of each rank per unit of batch, (1,) * J for equal ones
    shifts  (J, d), added to the gradients of each rank: shards that hold different data (their sum should be 0)
    """

    def __init__(self, base: Any, shares: tuple[int, ...], shifts: Any = None) -> None:
        if len(shares) < 2 or min(shares) < 1:
            raise ValueError(f"shares are {shares}; need at least two ranks with at least one sample each")
        self.base, self.shares = base, np.array(shares)
        self.shifts = 0 if shifts is None else np.asarray(shifts)
        self.dim, self.constants, self.gap_error = base.dim, base.constants, base.gap_error
        self.gap, self.gradient, self.law, self.population = base.gap, base.gradient, base.law, base.population

    @property
    def ranks(self) -> int:
        return len(self.shares)

    def sizes(self, n: Array) -> Array:
        """Samples of every rank, (R, J): whole shares, at least n in all."""
        return np.ceil(np.asarray(n, dtype=float) / self.shares.sum() - 1e-12)[:, None] * self.shares

    def draw(self, x: Array, n: Array, rng: Chance) -> Batch:
        sizes = self.sizes(n)
        if isinstance(rng, Every):
            return self._every(x, sizes, rng)
        drawn = self.base.draw(np.repeat(x, self.ranks, axis=0), sizes.ravel(), rng).moments
        units = drawn.mean.reshape(*sizes.shape, self.dim) + self.shifts
        within = np.asarray(drawn.total).reshape(sizes.shape).mean(-1)
        return Batch(Ranked(units, sizes, within, self.population), sizes.sum(-1))

    def _every(self, x: Array, sizes: Array, rng: Every) -> Batch:
        """All batches of all ranks, point by point: the product of what each rank can draw."""
        units, within, weights, parents = [], [], [], []
        for r, row in enumerate(sizes):
            each = [self.base.draw(x[r : r + 1], row[j : j + 1], rng) for j in range(self.ranks)]
            index = np.array(list(product(*(range(len(b.weight)) for b in each)))).T
            chosen = list(zip(each, index, strict=True))
            units.append(np.stack([b.moments.mean[i] for b, i in chosen], axis=1) + self.shifts)
            within.append(np.stack([b.moments.total[i] for b, i in chosen], axis=1).sum(-1) / self.ranks)
            weights.append(np.prod([b.weight[i] for b, i in chosen], axis=0))
            parents.append(np.full(index.shape[1], r))
        parent = np.concatenate(parents)
        m = Ranked(np.concatenate(units), sizes[parent], np.concatenate(within), self.population)
        return Batch(m, m.n, parent, np.concatenate(weights))
