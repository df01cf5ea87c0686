"""Batches of the rows of a data matrix, one a replicate and ragged, without ever gathering them all.

`Table` visits every row of the data (`counts` times, or once each) by dense products; `Lists` visits the
listed rows only. Both offer the same few sums, so that `factored.Factored` is written once. A batch is a list
of parts, groups of replicates whose scalars fit the cache: tables of all replicates are bound by memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from ..moments import Array
from .finite import block_counts, draw_counts

BLOCK = 12288  # entries (96 KB) of a temporary: several stay in cache, and their pages are used again
LISTED = 4  # data at least this many times larger than the batches are visited by lists
DENSE = 20  # a product with all rows costs less than this many times a gathered one, a row
SHORT = 1024  # up to this N, sorting N random keys a replicate costs less than one call of rng.choice
MANY = 256  # from this size on, one call of rng.choice costs less than sorting


def pieces(total: int, width: float) -> Iterator[slice]:
    """Slices of range(total), each of about BLOCK entries where an item has `width` of them."""
    step = max(1, int(BLOCK / width))
    return (slice(i, min(i + step, total)) for i in range(0, total, step))


def product(t: Array, table: Array) -> Array:
    """t @ table for t (R, N), one row by vector times matrix, which reads the table at full bandwidth."""
    return (t[0] @ table)[None] if len(t) == 1 else t @ table


class Data:
    """Rows A (N, d), and what is computed once: |a_i|^2 (N,) and, on request, the squares a_ij^2 (N, d)."""

    def __init__(self, A: Array) -> None:
        self.A = np.ascontiguousarray(A, dtype=float)
        self.N, self.d = self.A.shape

    @cached_property
    def norms(self) -> Array:
        return np.einsum("ij,ij->i", self.A, self.A)

    @cached_property
    def squares(self) -> Array:
        return self.A * self.A


class Table:
    """All rows for each of R replicates: row i counts[r, i] times, or once (None). Scalars are (R, N)."""

    def __init__(self, data: Data, counts: Array | None = None) -> None:
        self.data, self.counts = data, counts

    def project(self, v: Array) -> Array:
        """a_i'v at the samples, v (R, d)."""
        return (self.data.A @ v[0])[None] if len(v) == 1 else v @ self.data.A.T

    def at(self, column: Array) -> Array:
        """A value a row of the data (N,), at the samples."""
        return column

    def spread(self, v: Array) -> Array:
        """A value a replicate (R,), at the samples."""
        return v[:, None]

    def add(self, t: Array) -> Array:
        """sum of t over the samples of each replicate, (R,); overwrites t."""
        if self.counts is not None:
            t *= self.counts
        return t.sum(-1)

    def combine(self, t: Array, table: Array) -> Array:
        """sum of t_i table_i over the samples of each replicate: (R,) for a table (N,), (R, d) for (N, d)."""
        return product(t if self.counts is None else t * self.counts, table)

    def split(self, R: int, B: int, rng: np.random.Generator) -> list[tuple[Rows, Array]]:
        """A random split of each batch into B equal parts: (rows, their sizes (R,))."""
        counts = np.ones((R, self.data.N)) if self.counts is None else self.counts
        parts = block_counts(counts, B, rng)
        return [(Table(self.data, parts[:, b]), parts[:, b].sum(-1)) for b in range(B)]

    def held(self, R: int) -> Array:
        """How often each row of the data is held, (R, N)."""
        return np.ones((R, self.data.N), dtype=int) if self.counts is None else self.counts.astype(int)

    def members(self, r: int, t: Array) -> tuple[Array, Array, Array]:
        """Replicate r: rows of the data, how often each, and their t."""
        if self.counts is None:
            return np.arange(self.data.N), np.ones(self.data.N), t[r]
        rows = np.flatnonzero(self.counts[r])
        return rows, self.counts[r, rows], t[r, rows]


class Lists:
    """The rows index (T,) of R batches one after another, sizes[r] of them a replicate. Scalars are (T,)."""

    def __init__(self, data: Data, index: Array, sizes: Array) -> None:
        self.data, self.index, self.R = data, index, len(sizes)
        self.ends = np.concatenate([[0], np.cumsum(sizes)])

    @cached_property
    def _replicate(self) -> Array:
        return np.repeat(np.arange(self.R), np.diff(self.ends))

    def project(self, v: Array) -> Array:
        """a_i'v at the samples: by dense products where those cost less than gathering, else by blocks."""
        A, T = self.data.A, len(self.index)
        out = np.empty(T)
        if 1 < self.R and self.R * self.data.N <= DENSE * T:
            for r in pieces(self.R, self.data.N):
                t = slice(self.ends[r.start], self.ends[r.stop])
                out[t] = (v[r] @ A.T).ravel()[(self._replicate[t] - r.start) * self.data.N + self.index[t]]
            return out
        for t in pieces(T, self.data.d):
            rows = A[self.index[t]]
            if self.R == 1:
                np.matmul(rows, v[0], out=out[t])
            else:
                np.einsum("td,td->t", rows, v[self._replicate[t]], out=out[t])
        return out

    def at(self, column: Array) -> Array:
        return column[self.index]

    def spread(self, v: Array) -> Array:
        return v[self._replicate]

    def add(self, t: Array) -> Array:
        return np.add.reduceat(t, self.ends[:-1])

    def combine(self, t: Array, table: Array) -> Array:
        if table.ndim == 1:
            return self.add(t * table[self.index])
        if self.R > 1:
            return csr_array((t, self.index, self.ends), shape=(self.R, self.data.N)) @ table
        out = np.zeros((1, self.data.d))
        for b in pieces(len(t), self.data.d):
            out[0] += t[b] @ table[self.index[b]]
        return out

    def split(self, R: int, B: int, rng: np.random.Generator) -> list[tuple[Rows, Array]]:
        order = np.lexsort((rng.random(len(self.index)), self._replicate))  # shuffled within each replicate
        index, label = self.index[order], np.empty(len(order), dtype=np.int64)
        label = (np.arange(len(order)) - self.ends[self._replicate]) * B // np.diff(self.ends)[self._replicate]
        sizes = [np.bincount(self._replicate[label == b], minlength=self.R) for b in range(B)]
        return [(Lists(self.data, index[label == b], sizes[b]), sizes[b].astype(float)) for b in range(B)]

    def held(self, R: int) -> Array:
        flat = self.index + self._replicate * self.data.N
        return np.bincount(flat, minlength=R * self.data.N).reshape(R, self.data.N)

    def members(self, r: int, t: Array) -> tuple[Array, Array, Array]:
        mine = slice(self.ends[r], self.ends[r + 1])
        return self.index[mine], np.ones(mine.stop - mine.start), t[mine]


Rows = Table | Lists
Parts = list[tuple[slice, Rows]]  # replicates, and their rows


def whole_data(data: Data, R: int) -> Parts:
    """Every row once, for R replicates."""
    return [(r, Table(data)) for r in pieces(R, data.N)]


def draw_parts(data: Data, n: Array, rng: np.random.Generator, replace: bool) -> Parts:
    """One uniform batch of n[r] rows a replicate: dense from a quarter of the data on, else lists."""
    R, N, sizes = len(n), data.N, n.astype(np.int64)
    if not replace and (n == N).all():
        return whole_data(data, R)
    if LISTED * n.sum() < R * N:
        return [(r, Lists(data, _lists(sizes[r], N, rng, replace), sizes[r])) for r in pieces(R, n.mean())]
    table = multiset_table if replace else subset_table
    return [(r, Table(data, table(sizes[r], N, rng))) for r in pieces(R, N)]


def _lists(sizes: Array, N: int, rng: np.random.Generator, replace: bool) -> Array:
    return rng.integers(N, size=int(sizes.sum())) if replace else subset_lists(sizes, N, rng)


def multiset_table(sizes: Array, N: int, rng: np.random.Generator) -> Array:
    """Counts (R, N) of sizes[r] independent draws a replicate, in 16 bits where they fit: half the time."""
    R, T = len(sizes), int(sizes.sum())
    if T > 8 * R * N or max(N, sizes.max()) >= 2**16:
        return draw_counts(sizes, N, rng, replace=True)
    flat = np.repeat(np.arange(0, R * N, N), sizes)
    flat += rng.integers(N, size=T, dtype=np.uint16)
    return np.bincount(flat, minlength=R * N).reshape(R, N).astype(np.uint16)


def subset_table(sizes: Array, N: int, rng: np.random.Generator) -> Array:
    """Members (R, N) of a uniform subset of sizes[r] of N rows a replicate: the smallest of N random keys.

    Where the last 32-bit key inside equals the first one outside, the row is drawn again: exactly uniform.
    """
    R = len(sizes)
    if N > SHORT:
        members = np.zeros((R, N), dtype=bool)
        for r in range(R):
            members[r, rng.choice(N, sizes[r], replace=False, shuffle=False)] = True
        return members
    keys = rng.integers(0, 2**64, size=(R, (N + 1) // 2), dtype=np.uint64).view(np.uint32)[:, :N]
    order, row = np.sort(keys, axis=1), np.arange(R)
    last = order[row, sizes - 1]
    members = keys <= last[:, None]
    tied = (sizes < N) & (order[row, np.minimum(sizes, N - 1)] == last)
    if tied.any():
        members[tied] = subset_table(sizes[tied], N, rng)
    return members


def subset_lists(sizes: Array, N: int, rng: np.random.Generator) -> Array:
    """Concatenated uniform subsets of sizes[r] << N rows: the first distinct ones of independent draws."""
    if sizes.mean() > MANY:
        return np.concatenate([rng.choice(N, size, replace=False, shuffle=False) for size in sizes])
    missing, found = sizes, np.empty(0, dtype=np.int64)
    while missing.any():
        owner = np.repeat(np.arange(len(sizes)), missing)
        fresh = np.sort(owner * N + rng.integers(N, size=len(owner)))
        found = np.sort(np.concatenate([found, fresh]), kind="stable")  # merges two sorted runs
        found = found[np.diff(found, prepend=-1) > 0]
        missing = sizes - np.bincount(found // N, minlength=len(sizes))
    return found % N
