"""Drawing from finite supports, and enumerating every batch of a size with its probability."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, combinations_with_replacement

import numpy as np

from ..moments import Array, Weighted, divide, exact_array
from .base import Batch, Chance, Constants, Every, least_size

MOST = 2_000_000  # batches one enumeration step may list


@lru_cache(maxsize=256)
def _subsets(N: int, n: int) -> tuple[Array, Array]:
    """All subsets of size n as counts (C(N, n), N), each with its exact weight."""
    rows = np.array(list(combinations(range(N), n)), dtype=int).reshape(-1, n)
    counts = np.zeros((len(rows), N), dtype=int)
    np.put_along_axis(counts, rows, 1, axis=1)
    return counts, np.full(len(rows), Fraction(1, len(rows)), dtype=object)


@lru_cache(maxsize=256)
def _multisets(A: int, n: int) -> tuple[Array, Array]:
    """All multisets of n from A atoms as counts (C(A + n - 1, n), A), with their multinomial coefficients."""
    rows = np.array(list(combinations_with_replacement(range(A), n)), dtype=int).reshape(-1, n)
    counts = np.stack([(rows == a).sum(1) for a in range(A)], axis=1)
    ways = [math.factorial(n) // math.prod(math.factorial(int(c)) for c in row) for row in counts]
    return counts, np.array(ways, dtype=object)


def batches(A: int, n: int, probabilities: Array, population: float) -> tuple[Array, Array]:
    """Every batch of size n: counts (J, A) and weights (J,), exact if the probabilities are Fractions."""
    without = not math.isinf(population)
    number = math.comb(A, n) if without else math.comb(A + n - 1, n)
    if number > MOST:
        raise ValueError(
            f"{number} batches of size {n} from {A} atoms are too many to enumerate (at most {MOST}); "
            "use fewer atoms or a Monte Carlo rng"
        )
    if without:
        counts, weights = _subsets(A, n)
        return counts, weights if probabilities.dtype == object else weights.astype(float)
    counts, ways = _multisets(A, n)
    powers = (probabilities ** counts.astype(probabilities.dtype)).prod(axis=1)  # Fraction ** int64 would be a float
    weights = ways * powers
    return (counts, weights) if probabilities.dtype == object else (counts, weights.astype(float))


def counted(atoms: Array, counts: Array, n: Array, population: float) -> Weighted:
    """Moments of batches that hold atom j `counts[:, j]` times; atoms (E, A, d), counts (E, A), n (E,)."""
    size = exact_array(n, atoms)
    rational = np.vectorize(Fraction, otypes=[object])
    weights = (rational(counts) if atoms.dtype == object else counts) / size[:, None]
    return Weighted(atoms, weights, divide(size, size - 1, 0), n, n - 1, population)


def enumerate_batches(
    atoms: Array, probabilities: Array, n: Array, population: float,
    value: Callable[[Array | None, Array], Callable[[Array], Array]] | None = None,
) -> Batch:
    """Every batch of n[r] atoms at every point r, as one Batch with `parent` and `weight`."""
    parents, tables, weights, sizes = [], [], [], []
    A = atoms.shape[-2]
    for size in np.unique(n):
        rows = np.flatnonzero(n == size)
        counts, w = batches(A, int(size), probabilities, population)
        if len(rows) * len(counts) > MOST:
            raise ValueError(
                f"the tree would grow by {len(rows) * len(counts)} batches in one step (at most {MOST}); "
                "enumerate fewer steps or a smaller population"
            )
        parents.append(np.repeat(rows, len(counts)))
        tables.append(np.tile(counts, (len(rows), 1)))
        weights.append(np.tile(w, len(rows)))
        sizes.append(np.full(len(rows) * len(counts), float(size)))
    parent, counts, size = np.concatenate(parents), np.concatenate(tables), np.concatenate(sizes)
    m = counted(atoms[parent], counts, size, population)
    return Batch(m, size, parent, np.concatenate(weights), value(parent, counts) if value else None, counts)


def draw_counts(n: Array, N: int, rng: np.random.Generator, replace: bool) -> Array:
    """Index counts (R, N) of one uniform batch of n[r] a replicate, with or without replacement."""
    R = len(n)
    if not replace:
        if (n == N).all():
            return np.ones((R, N))
        ranks = rng.random((R, N)).argsort(axis=1, kind="stable").argsort(axis=1)
        return (ranks < n[:, None]).astype(float)
    sizes = n.astype(np.int64)
    if sizes.sum() > 8 * R * N:  # beyond a few visits an entry, N binomials a row cost less than indices
        return rng.multinomial(sizes, np.full(N, 1.0 / N)).astype(float)
    rows = np.repeat(np.arange(R), sizes)
    flat = rng.integers(N, size=int(sizes.sum())) + rows * N
    return np.bincount(flat, minlength=R * N).reshape(R, N).astype(float)


def draw_atoms(n: Array, probabilities: Array, rng: np.random.Generator) -> Array:
    """Counts (R, A) of n[r] independent draws from A atoms with the given probabilities."""
    return rng.multinomial(n.astype(np.int64), np.asarray(probabilities, dtype=float)).astype(float)


def exact_law(atoms: Array, probabilities: Array, population: float) -> Weighted:
    """Law of one component gradient drawn from `atoms` (R, A, d); without replacement the divisor is N - 1."""
    R, A, _ = atoms.shape
    one = Fraction(1) if atoms.dtype == object else 1.0
    scale = one if math.isinf(population) or A == 1 else one * A / (A - 1)
    infinite = np.full(R, math.inf)
    return Weighted(atoms, probabilities, np.full(R, scale), infinite, infinite, population)


def draw_batch(atoms: Array, probabilities: Array, n: Array, population: float, rng: Chance,
               value: Callable[[Array | None, Array], Callable[[Array], Array]] | None = None,
               batch: Batch | None = None) -> Batch:
    """A batch of n[r] components at every point, or every batch; `value(parent, counts)` -> F_S differences.

    With `batch`, each of its rows is extended to n[row] components; rows that are large enough stay.
    """
    n = least_size(n, population)
    if batch is not None:
        return extend(atoms, probabilities, n, population, rng, batch, value)
    if isinstance(rng, Every):
        return enumerate_batches(atoms, probabilities, n, population, value)
    if math.isinf(population):
        counts = draw_atoms(n, probabilities, rng)
    else:
        counts = draw_counts(n, atoms.shape[-2], rng, replace=False)
    return Batch(counted(atoms, counts, n, population), n, value=value(None, counts) if value else None,
                 counts=counts, blocks=_blocks(atoms, counts, rng))


def _blocks(atoms: Array, counts: Array, rng: np.random.Generator) -> Callable[[int], Array]:
    def means(B: int) -> Array:
        parts = block_counts(counts, B, rng)
        return parts @ atoms / parts.sum(-1, keepdims=True)
    return means


def block_counts(counts: Array, B: int, rng: np.random.Generator) -> Array:
    """The samples of each row of counts (R, N), split at random into B parts, equal up to one sample: (R, B, N)."""
    counts = np.asarray(counts).astype(np.int64)
    R, N = counts.shape
    sizes = counts.sum(axis=1)
    row, item = np.repeat(np.arange(R), sizes), np.repeat(np.tile(np.arange(N), R), counts.ravel())
    order = np.lexsort((rng.random(len(row)), row))  # shuffled within each row
    rank = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    label = rank * B // sizes[row]
    flat = (row * B + label) * N + item[order]
    return np.bincount(flat, minlength=R * B * N).reshape(R, B, N).astype(float)


def extend(atoms: Array, probabilities: Array, n: Array, population: float, rng: Chance, batch: Batch,
           value: Callable[[Array | None, Array], Callable[[Array], Array]] | None = None) -> Batch:
    """Batches grown to n components: every completion with its probability, or one at random."""
    if batch.counts is None:
        raise ValueError("this batch does not say which components it holds, so it cannot be extended")
    held = np.asarray(batch.held).astype(int)
    more = (n - held.sum(1)).astype(int)
    without = not math.isinf(population)
    if isinstance(rng, Every):
        row, added, weight = _completions(held, more, probabilities, population)
        parent = batch.parent[row] if batch.parent is not None else row
        weight = batch.weight[row] * weight if batch.weight is not None else weight
    else:
        row, parent, weight = np.arange(len(held)), batch.parent, batch.weight
        added = added_counts(held, more, rng, None if without else probabilities)
    counts = held[row] + added
    m = counted(atoms if parent is None else atoms[parent], counts, n[row], population)
    drawn = np.asarray(batch.drawn)[row] + np.maximum(more, 0)[row]
    blocks = None if isinstance(rng, Every) else _blocks(m.atoms, counts, rng)
    return Batch(m, drawn, parent, weight, value(parent, counts) if value else None, counts, blocks)


def added_counts(held: Array, more: Array, rng: np.random.Generator, probabilities: Array | None = None) -> Array:
    """Counts (R, N) of more[r] further components: uniform among those not held, or independent draws if given p."""
    added = np.zeros(held.shape, dtype=int)
    rows = np.flatnonzero(more > 0)
    if len(rows) and probabilities is None:  # the lowest random keys among those not held
        keys = np.where(held[rows] > 0, np.inf, rng.random((len(rows), held.shape[1])))
        order = np.sort(keys, axis=1)
        added[rows] = keys <= order[np.arange(len(rows)), more[rows] - 1][:, None]
    elif len(rows):
        added[rows] = draw_atoms(more[rows], probabilities, rng).astype(int)
    return added


def _completions(held: Array, more: Array, probabilities: Array, population: float) -> tuple[Array, Array, Array]:
    """Rows of `held`, added counts and conditional weights of every way to add more[row] components."""
    without, A = not math.isinf(population), held.shape[1]
    rows, tables, weights = [], [], []
    for size, extra in {(int(a), int(b)) for a, b in zip(held.sum(1), more, strict=True)}:
        chosen = np.flatnonzero((held.sum(1) == size) & (more == extra))
        free = A - size if without else A
        equal = np.full(free, Fraction(1, free), dtype=object) if free else np.zeros(0)
        p = probabilities if not without else equal if probabilities.dtype == object else equal.astype(float)
        if extra <= 0:
            table, w = np.zeros((1, free), dtype=int), np.ones(1, dtype=probabilities.dtype)
        else:
            table, w = batches(free, extra, p, free if without else math.inf)
        added = np.zeros((len(chosen), len(table), A), dtype=int)
        if without:  # columns of the components that a row does not hold, in order
            columns = np.argsort(held[chosen] > 0, axis=1, kind="stable")[:, :free]
            np.put_along_axis(added, np.broadcast_to(columns[:, None, :], (len(chosen), len(table), free)),
                              np.broadcast_to(table, (len(chosen), *table.shape)), axis=2)
        else:
            added += table
        rows.append(np.repeat(chosen, len(table)))
        tables.append(added.reshape(-1, A))
        weights.append(np.tile(w, len(chosen)))
    return np.concatenate(rows), np.concatenate(tables), np.concatenate(weights)


class FiniteSum:
    """F = (1/N) sum_i F_i from component gradients: bring your own problem.

    gradients(x) -> (R, N, d), gap(x) -> (R,) = F(x) - F*, `constants`; drawn without replacement by default.
    """

    gap_error = 0.0

    def __init__(self, gradients: Callable[[Array], Array], gap: Callable[[Array], Array],
                 constants: Constants, size: int, dim: int, replace: bool = False) -> None:
        if size < 1 or dim < 1:
            raise ValueError(f"size = {size}, dim = {dim}; need at least one component and one dimension")
        self._table, self.gap, self.constants = gradients, gap, constants
        self.size, self.dim, self.population = size, dim, math.inf if replace else size
        self.probabilities = np.full(size, 1 / size)

    def _gradients(self, x: Array) -> Array:
        table = np.asarray(self._table(x))
        if table.shape != (len(x), self.size, self.dim):
            raise ValueError(f"gradients(x) returned shape {table.shape} for {len(x)} points; need "
                             f"({len(x)}, {self.size}, {self.dim}): points, components, coordinates")
        return table

    def gradient(self, x: Array) -> Array:
        return self._gradients(x).mean(1)

    def atoms(self, x: Array) -> tuple[Array, Array]:
        return self._gradients(x), self.probabilities

    def law(self, x: Array) -> Weighted:
        return exact_law(self._gradients(x), self.probabilities, self.population)

    def draw(self, x: Array, n: Array, rng: Chance, batch: Batch | None = None) -> Batch:
        return draw_batch(self._gradients(x), self.probabilities, n, self.population, rng, batch=batch)
