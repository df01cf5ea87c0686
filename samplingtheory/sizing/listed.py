"""Stopped batches of a small finite sum: from the lattice of its subsets, or from one random order a replicate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from ..criteria import complete_step, whole
from ..moments import Array
from ..problems.base import EVERY, Batch, Every
from ..problems.finite import counted
from ..problems.lattice import MOST, Layer, extended, redrawn
from ..problems.prefixes import Prefixes
from .base import View, larger

if TYPE_CHECKING:
    from .same_batch import SameBatch

CHUNK = 2**20  # numbers in a temporary table of gradients
CACHED = 2**17  # the same, where several passes are made over it


def has_subsets(view: View) -> bool:
    """Whether all batches are asked for, of a sum so small that its subsets can be listed."""
    return isinstance(view.rng, Every) and view.problem.population <= MOST


def has_orders(rule: SameBatch, view: View) -> bool:
    """Whether a batch is the prefix of a random order that is short enough to be held for every replicate."""
    return (isinstance(view.rng, Generator) and rule.on_fail == "extend" and hasattr(view.problem, "atoms")
            and view.problem.population * view.problem.dim <= CHUNK and not complete_step(rule.criterion))


def layers(rule: SameBatch, start: Array, view: View) -> Iterator[Layer]:
    """The law of the accepted batch at every point of the view, on the lattice of all subsets."""
    N = int(view.problem.population)
    problem: Any = view.problem
    atoms, cap = problem.atoms(view.state.x)[0], min(rule.cap, N)
    one = Fraction(1) if atoms.dtype == object else 1.0
    sweep = extended if rule.on_fail == "extend" else redrawn
    return sweep(start, N, partial(_asked, rule, view, atoms, cap),
                 lambda n, asked: larger(n, asked, rule.grow, cap), cap, rule.corrections, one)


def _asked(rule: SameBatch, view: View, atoms: Array, cap: float, n: float, counts: Array) -> Array:
    """What the test of each of the subsets `counts` (L, N) asks for, at every point: (P, L)."""
    out = np.empty((len(atoms), len(counts)))
    step = max(1, CHUNK // atoms[0].size)
    for p in range(len(atoms)):
        for i in range(0, len(counts), step):
            part = counts[i:i + step].astype(int)
            size = np.full(len(part), n)
            m = counted(np.broadcast_to(atoms[p], (len(part), *atoms.shape[1:])), part, size, atoms.shape[1])
            batch = Batch(m, size, np.full(len(part), p))
            out[p, i:i + step] = whole(rule.criterion(view.seen(batch)), 1, cap)
    return out


def enumerated(rule: SameBatch, start: Array, view: View) -> Batch:
    """Every batch that can be accepted, equal sets joined, with its probability."""
    rows = []
    for n, drawn, counts, weight in layers(rule, start, view):
        p, i = np.nonzero(weight > 0)
        rows.append((p, counts[i], np.full(len(p), float(n)), np.full(len(p), float(drawn)), weight[p, i]))
    parent, held, size, paid, chance = (np.concatenate(column) for column in zip(*rows, strict=True))
    batch = Batch(None, paid, parent, chance, counts=held)
    return view.problem.draw(view.state.x, size, EVERY, batch=batch)  # type: ignore[call-arg]


def by_prefixes(rule: SameBatch, start: Array, view: View, cap: float) -> Batch:
    """One random order a replicate; the test of all its prefixes at once decides where it stops."""
    problem: Any = view.problem
    R, N = len(start), int(problem.population)
    size, ranks = np.empty(R), np.empty((R, N), dtype=np.int64)
    rows = max(1, CACHED // (N * view.problem.dim))
    for i in range(0, R, rows):
        part = slice(i, min(i + rows, R))
        order = view.rng.random((len(range(R)[part]), N)).argsort(axis=1)
        np.put_along_axis(ranks[part], order, np.broadcast_to(np.arange(N), order.shape), axis=1)
        atoms = problem.atoms(view.state.x[part])[0]
        size[part] = _stops(rule, start[part], atoms, order, cap)
    held = Batch(None, size, counts=(ranks < size[:, None]).astype(int))
    return view.problem.draw(view.state.x, size, view.rng, batch=held)  # type: ignore[call-arg]


def _stops(rule: SameBatch, start: Array, atoms: Array, order: Array, cap: float) -> Array:
    """Where the rule stops in each order (R, N); longer prefixes are looked at only where they are needed."""
    n, N, corrected = start.copy(), order.shape[1], np.zeros(len(start))
    todo, width = np.arange(len(n)), 2 * int(start.max()) + 16
    while len(todo):
        W = min(width, N)
        table = np.take_along_axis(atoms[todo], order[todo, :W, None], axis=1)
        asked = whole(rule.criterion(Prefixes(table, N)), 1, cap)
        failed = asked > np.arange(1.0, W + 1)
        while True:
            inside = np.flatnonzero((n[todo] <= W) & (n[todo] < cap) & (corrected[todo] < rule.corrections))
            at = n[todo[inside]].astype(int) - 1
            inside, at = inside[failed[inside, at]], at[failed[inside, at]]
            if not len(inside):
                break
            n[todo[inside]] = _next(rule, failed[inside], at, asked[inside, at], cap)
            corrected[todo[inside]] += 1
        todo, width = todo[(n[todo] > W)], 4 * W
    return n


def _next(rule: SameBatch, failed: Array, at: Array, asked: Array, cap: float) -> Array:
    """Size after the failed test of prefix at + 1; one by one it is found without looking at each."""
    if rule.grow != 1 or rule.corrections < math.inf:
        return larger(at + 1.0, asked, rule.grow, cap)
    open_ = ~failed & (np.arange(failed.shape[1]) > at[:, None])
    return np.minimum(np.where(open_.any(axis=1), open_.argmax(axis=1), failed.shape[1]) + 1.0, cap)
