"""Enumeration: all children of every node, equal ones joined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..moments import Array
from ..problems.base import take
from .trace import Trace, gather
from .view import Step


def branch(trace: Trace, step: Step) -> tuple[Any, Any]:
    """The states of method and sizing at all children, equal ones joined; `trace` gets edges and probabilities."""
    batch = step.batch
    if batch.parent is None or batch.weight is None:
        raise ValueError("this problem's draw ignored EVERY: it must return every batch with `parent` and `weight`")
    weight = trace.weight[-1][batch.parent] * batch.weight
    child, origin, weight, state, chosen = _merge(trace.origin[-1][batch.parent], weight, step.after, step.chosen)
    trace.edges.append((batch.parent, batch.weight, child))
    trace.weight.append(weight)
    trace.origin.append(origin)
    return state, chosen


def _merge(origin: Array, weight: Array, state: Any, chosen: Any) -> tuple[Array, Array, Array, Any, Any]:
    """Join nodes whose states are equal to the bit; returns (child index per edge, origin, weight, states)."""
    leaves = [leaf for part in (state, chosen) if isinstance(part, tuple) for leaf in part
              if isinstance(leaf, np.ndarray) and leaf.ndim > 0]
    rows = [leaf.reshape(len(weight), -1) for leaf in leaves]
    seen: dict[Any, int] = {}
    child = np.empty(len(weight), dtype=int)
    if any(r.dtype == object for r in rows):
        keys: Iterable[Any] = ((*(v for r in rows for v in r[i]), origin[i]) for i in range(len(weight)))
    else:
        table = np.ascontiguousarray(np.concatenate([*rows, origin[:, None]], axis=1, dtype=float)) + 0.0
        keys = (row.tobytes() for row in table)
    for i, key in enumerate(keys):
        child[i] = seen.setdefault(key, len(seen))
    if len(seen) == len(weight):
        return child, origin, weight, state, chosen
    first = np.full(len(seen), len(weight))
    np.minimum.at(first, child, np.arange(len(weight)))
    return child, origin[first], gather(child, weight, len(seen)), take(state, first), take(chosen, first)
