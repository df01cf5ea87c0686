"""Batches of the rows of a data matrix, one a replicate and ragged, without ever gathering them all.

`Table` visits every row of the data (`counts` times, or once each) by dense products; `Lists` visits the listed
rows only. Both offer the same few sums, so that `factored.Factored` is written once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from ..moments import Array
from .finite import draw_counts

BLOCK = 32768  # entries (256 KB) of a gathered block: it stays in cache


class Data:
    """Rows A (N, d), and what is computed once: |a_i|^2 (N,) and, on request, the squares a_ij^2 (N, d)."""

    def __init__(self, A: Array) -> None:
        self.A = np.ascontiguousarray(A, dtype=float)
        self.N, self.d = self.A.shape
        self.step = max(1, BLOCK // self.d)

    @cached_property
    def norms(self) -> Array:
        return np.einsum("ij,ij->i", self.A, self.A)

    @cached_property
    def squares(self) -> Array:
        return self.A * self.A

    def blocks(self, T: int) -> Iterator[slice]:
        """Slices of range(T), each with at most BLOCK entries of A."""
        return (slice(i, min(i + self.step, T)) for i in range(0, T, self.step))


class Table:
    """All rows for each of R replicates: row i counts[r, i] times, or once if counts is None. Scalars (R, N)."""

    def __init__(self, data: Data, counts: Array | None = None) -> None:
        self.data, self.counts = data, counts

    def project(self, v: Array) -> Array:
        """a_i'v for v (R, d); a single replicate by matrix times vector, which reads A at full bandwidth."""
        return (self.data.A @ v[0])[None] if len(v) == 1 else v @ self.data.A.T

    def at(self, column: Array) -> Array:
        """A value a row of the data (N,), at the samples."""
        return column

    def spread(self, v: Array) -> Array:
        """A value a replicate (R,), at the samples."""
        return v[:, None]

    def add(self, t: Array) -> Array:
        """sum of t over the samples of each replicate, (R,)."""
        return t.sum(-1) if self.counts is None else np.einsum("rn,rn->r", self.counts, t)

    def combine(self, t: Array, table: Array) -> Array:
        """sum of t_i table[i] over the samples of each replicate, (R, d)."""
        t = t if self.counts is None else self.counts * t
        return (t[0] @ table)[None] if len(t) == 1 else t @ table

    def members(self, r: int, t: Array) -> tuple[Array, Array, Array]:
        """Replicate r: rows of the data, how often each, and their t."""
        if self.counts is None:
            return np.arange(self.data.N), np.ones(self.data.N), t[r]
        rows = np.flatnonzero(self.counts[r])
        return rows, self.counts[r, rows], t[r, rows]


class Lists:
    """The rows index (T,) of R batches one after another, sizes[r] of them a replicate. Scalars (T,)."""

    def __init__(self, data: Data, index: Array, sizes: Array) -> None:
        self.data, self.index, self.R = data, index, len(sizes)
        self.ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    @cached_property
    def _replicate(self) -> Array:
        return np.repeat(np.arange(self.R), np.diff(self.ends))

    def project(self, v: Array) -> Array:
        """a_i'v for v (R, d): from one dense product where that is cheaper than gathering, else in row blocks."""
        A, T = self.data.A, len(self.index)
        if 1 < self.R and self.R * self.data.N <= 8 * T:
            return (v @ A.T).ravel()[self._replicate * self.data.N + self.index]
        out = np.empty(T)
        for b in self.data.blocks(T):
            rows = A[self.index[b]]
            if self.R == 1:
                np.matmul(rows, v[0], out=out[b])
            else:
                np.einsum("td,td->t", rows, v[self._replicate[b]], out=out[b])
        return out

    def at(self, column: Array) -> Array:
        return column[self.index]

    def spread(self, v: Array) -> Array:
        return v[self._replicate]

    def add(self, t: Array) -> Array:
        return np.add.reduceat(t, self.ends[:-1])

    def combine(self, t: Array, table: Array) -> Array:
        if self.R > 1:
            return csr_array((t, self.index, self.ends), shape=(self.R, self.data.N)) @ table
        out = np.zeros((1, self.data.d))
        for b in self.data.blocks(len(t)):
            out[0] += t[b] @ table[self.index[b]]
        return out

    def members(self, r: int, t: Array) -> tuple[Array, Array, Array]:
        mine = slice(self.ends[r], self.ends[r + 1])
        return self.index[mine], np.ones(mine.stop - mine.start), t[mine]


Rows = Table | Lists


def draw_rows(data: Data, n: Array, rng: np.random.Generator, replace: bool) -> Rows:
    """One uniform batch of n[r] rows a replicate: dense where it reaches a quarter of the data, else as lists."""
    R, N = len(n), data.N
    if not replace and (n == N).all():
        return Table(data)
    if 4 * n.sum() >= R * N:
        return Table(data, draw_counts(n, N, rng, True) if replace else subset_counts(n, N, rng))
    sizes = n.astype(np.int64)
    index = rng.integers(N, size=int(sizes.sum())) if replace else subset_lists(sizes, N, rng)
    return Lists(data, index, sizes)


def subset_counts(n: Array, N: int, rng: np.random.Generator) -> Array:
    """0/1 counts (R, N) of a uniform subset of n[r] a replicate: the n[r] smallest of N random keys.

    The column number fills the low bits of the 64-bit keys, so that no two are equal.
    """
    bits = max(1, (N - 1).bit_length())
    keys = rng.integers(0, 2**64, size=(len(n), N), dtype=np.uint64)
    keys &= np.uint64(2**64 - 2**bits)
    keys |= np.arange(N, dtype=np.uint64)
    last = np.sort(keys, axis=1)[np.arange(len(n)), n.astype(np.int64) - 1]
    return (keys <= last[:, None]).astype(float)


def subset_lists(sizes: Array, N: int, rng: np.random.Generator) -> Array:
    """Concatenated uniform subsets of sizes[r] << N rows: the first distinct ones of independent draws."""
    missing, found = sizes, np.empty(0, dtype=np.int64)
    while missing.any():
        owner = np.repeat(np.arange(len(sizes)), missing)
        found = np.sort(np.concatenate([found, owner * N + rng.integers(N, size=len(owner))]), kind="stable")
        found = found[np.diff(found, prepend=-1) > 0]
        missing = sizes - np.bincount(found // N, minlength=len(sizes))
    return found % N
