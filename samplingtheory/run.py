"""One loop, for simulation and for enumeration, over all replicates at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .moments import Array, dot
from .problems.base import EVERY, Batch, Chance, Every, Problem, follow, take
from .seeds import Seedable, generator
from .steps import AtBatch, AtPoint, StepMoments, step_moments

__all__ = ["EVERY", "Step", "Trace", "View", "run"]


@dataclass
class View:
    """The replicates' points as a sizing sees them."""

    problem: Problem
    method: Any
    state: Any
    rng: Chance

    @cached_property
    def law(self) -> Any:
        """Exact moments of one sample gradient at the points, and of the complete step (`step`, `mapping`)."""
        return AtPoint(self.problem.law(self.state.x), self.problem, self.method, self.state)

    def seen(self, batch: Batch) -> Any:
        """A batch's own moments, as a practical test sees them, bound to the step that it makes."""
        return AtBatch(batch, self.method, self.state)

    def draw(self, n: Array, batch: Batch | None = None) -> Batch:
        """Fresh batches of n[r] samples; given a batch, each of its rows extended to n[row]."""
        if batch is None:
            return self.problem.draw(self.state.x, n, self.rng)
        if batch.counts is None and not hasattr(batch.moments, "without"):
            raise ValueError(f"{type(self.problem).__name__} cannot extend a batch; use a finite sum with a table of "
                             "components, or a sizing that draws once")
        return self.problem.draw(self.state.x, n, self.rng, batch=batch)  # type: ignore[call-arg]

    def after(self, batch: Batch) -> Any:
        """The method's state after the step that `batch` would cause."""
        return self.method.step(take(self.state, batch.parent), batch)

    def at(self, parent: Array | None) -> View:
        return View(self.problem, self.method, take(self.state, parent), self.rng)


@dataclass
class Step:
    """One iteration: `view` before (one row a point), `batch`, `after` and the sizing's new state (one row a batch)."""

    k: int
    view: View
    batch: Batch
    after: Any
    chosen: Any = None

    @property
    def before(self) -> Any:
        return self.view.state

    def law(self, name: str) -> Array:
        """A field of the exact law, one row a batch."""
        return follow(np.asarray(getattr(self.view.law, name)), self.batch.parent)

    @cached_property
    def next_law(self) -> Any:
        """Exact moments of one sample gradient at the points after the step, one row a batch."""
        return self.view.problem.law(self.after.x)

    @cached_property
    def shrink(self) -> Array:
        """(1 - n/N)/n: variance of the batch mean over `law.total`."""
        n = np.asarray(self.batch.moments.n, dtype=float)
        return 1 / n - 1 / self.view.problem.population

    def relative(self, spread: str) -> Array:
        """Variance of the batch mean over |grad F|^2, for spread 'total', 'along'; 0/0 = 0."""
        noise = np.asarray(self.law(spread), dtype=float) * self.shrink
        signal = np.asarray(self.law("signal"), dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(noise <= 0, 0.0, noise / signal)

    @cached_property
    def reach(self) -> Array:
        """max(|x_k|, |x_{k+1}|) over the radius of the ball on which the constants hold: at most 1 inside it."""
        before = follow(dot(self.before.x, self.before.x), self.batch.parent)
        return np.sqrt(np.maximum(before, dot(self.after.x, self.after.x))) / self.view.problem.constants.radius

    @cached_property
    def complete(self) -> StepMoments:
        """Exact moments of the complete step, one row a point; EVERY only."""
        return step_moments(self.view.method, self.before, self.view.law.mean, self.batch)

    def of_step(self, name: str) -> Array:
        """A field of `complete`, one row a batch."""
        return follow(getattr(self.complete, name), self.batch.parent)

    @cached_property
    def error(self) -> Array:
        """g - grad F, (E, d)."""
        return self.batch.moments.mean - self.law("mean")


def _dist2(problem: Problem, state: Any) -> Array:
    z = state.x - problem.constants.minimiser
    return dot(z, z)


def _grad2(problem: Problem, state: Any) -> Array:
    G = problem.gradient(state.x)
    return dot(G, G)


Column = Callable[[Step], Array]
POINTS: dict[str, Callable[[Problem, Any], Array]] = {
    "gap": lambda problem, state: problem.gap(state.x),
    "grad2": _grad2,
    "dist2": _dist2,
    "lipschitz": lambda problem, state: state.lipschitz,
    "tries": lambda problem, state: state.tries,
}
STEPS: dict[str, Column] = {
    "n": lambda s: np.asarray(s.batch.moments.n, dtype=float),
    "drawn": lambda s: np.asarray(s.batch.drawn, dtype=float),
    "g2": lambda s: dot(s.batch.moments.mean, s.batch.moments.mean),
    "inner": lambda s: dot(s.batch.moments.mean, s.law("mean")),
    "error2": lambda s: dot(s.error, s.error),
    "rel_error2": lambda s: dot(s.error, s.error) / np.maximum(s.law("signal"), 1e-300),
    "rel_total": lambda s: s.relative("total"),
    "rel_along": lambda s: s.relative("along"),
    "C": lambda s: s.of_step("C"),
    "V": lambda s: s.of_step("V"),
    "m": lambda s: s.of_step("m"),
    "v": lambda s: s.of_step("v"),
    "E2": lambda s: s.of_step("E2"),
    "shadow": lambda s: s.of_step("shadow"),
    "mhat": lambda s: s.view.method.alpha**2 * s.law("mapping"),
    "reach": lambda s: s.reach,
    "rel_across": lambda s: np.maximum(s.relative("total") - s.relative("along"), 0),
}


@dataclass
class Trace:
    """Recorded columns: rows 0..K of point columns (gap, ...), rows 0..K-1 of step columns (n, ...).

    Rectangular (K, R) in simulation; under EVERY row k has one entry a node, with probability
    `weight[k]`, start `origin[k]`, and edges (parent, probability, child) to row k + 1.
    """

    points: dict[str, list[Array]]
    steps: dict[str, list[Array]]
    weight: list[Array]
    origin: list[Array]
    edges: list[tuple[Array, Array, Array]] = field(default_factory=list)
    final: Any = None

    def __getitem__(self, name: str) -> Array:
        """Column `name` as an array (K + 1, R) or (K, R); simulations only."""
        if self.edges:
            raise ValueError(f"column {name!r} is ragged under EVERY; use means({name!r})")
        return np.array(self._rows(name))

    def _rows(self, name: str) -> list[Array]:
        if name not in self.points and name not in self.steps:
            known = ", ".join([*self.points, *self.steps])
            raise KeyError(f"no column {name!r} was recorded; recorded: {known}; name it in record=")
        return self.points.get(name) or self.steps[name]

    def means(self, name: str) -> Array:
        """E[column] per row and start, (K + 1, S) or (K, S): exact under EVERY, an average otherwise."""
        rows, out = self._rows(name), []
        starts = int(self.origin[0].max()) + 1
        at_nodes = name in self.points
        for k, row in enumerate(rows):
            weight, origin = self.weight[k], self.origin[k]
            if not at_nodes and self.edges:
                parent, probability, _ = self.edges[k]
                weight, origin = weight[parent] * probability, origin[parent]
            out.append(gather(origin, weight * row, starts) / gather(origin, weight, starts))
        return np.array(out)

    def given(self, name: str, k: int) -> Array:
        """E[column of step k, or point column after step k | node of row k], one a node; EVERY only."""
        parent, probability, child = self.edges[k]
        row = self.steps[name][k] if name in self.steps else self.points[name][k + 1][child]
        return gather(parent, probability * row, len(self.weight[k]))


def gather(index: Array, values: Array, size: int) -> Array:
    """Sums of `values` by index, exact on Fractions."""
    if values.dtype != object:
        return np.bincount(index, values, minlength=size)
    out = np.full(size, 0, dtype=object)
    np.add.at(out, index, values)
    return out


def _checked(name: str, k: int, row: Array) -> Array:
    if row.dtype != object and not np.isfinite(row).all():
        bad = int((~np.isfinite(row)).sum())
        raise FloatingPointError(
            f"step {k}: column {name!r} is NaN or infinite in {bad} of {row.size} replicates; "
            "the run diverged (step too long?) or the problem returned a bad value"
        )
    return row


def _start(x0: Array, replicates: int, dim: int, enumerated: bool) -> tuple[Array, Array]:
    x = np.asarray(x0)
    x = x if x.dtype == object else np.asarray(x, dtype=float)
    if x.ndim not in (1, 2) or x.shape[-1] != dim or x.size == 0:
        raise ValueError(f"x0 has shape {x.shape}; this problem needs ({dim},) or (R, {dim})")
    if x.dtype != object and not np.isfinite(x).all():
        raise ValueError("x0 holds NaN or infinite values; give a finite starting point")
    if x.ndim == 2 and (replicates != 1 or enumerated):
        if replicates != 1:
            raise ValueError(f"x0 has {len(x)} rows and replicates={replicates}; give one row or replicates=1")
        return x, np.arange(len(x))
    if x.ndim == 2:
        return x, np.zeros(len(x), dtype=int)
    R = 1 if enumerated else int(replicates)
    return np.repeat(x[None, :], R, axis=0), np.zeros(R, dtype=int)


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


def run(
    problem: Problem,
    method: Any,
    sizing: Any,
    x0: Array,
    steps: int,
    *,
    replicates: int = 1,
    rng: Seedable | Every = 0,
    record: Iterable[str] | Mapping[str, Column | str] = ("gap", "n"),
    stop: Callable[[Step], Array] | None = None,
) -> Trace:
    """Iterate `method` with batches chosen by `sizing`, over R replicates at once, each with its own size.

    x0 (d,) is repeated `replicates` times; x0 (R, d) gives each replicate its own start. With rng=EVERY all
    batches are followed with their probabilities, and equal states are joined (Fractions stay exact).
    `record` names columns: gap, grad2, dist2 (rows 0..K), n, drawn, g2, inner, error2 (rows 0..K-1), or a
    mapping from a new name to a function of the `Step`. `stop(step) -> (R,) bool` freezes replicates.
    Raises FloatingPointError when a recorded value is not finite.
    """
    steps, replicates = _whole("steps", steps, 0), _whole("replicates", replicates, 1)
    _check_parts(problem, method, sizing)
    chance: Chance = rng if isinstance(rng, Every) else generator(rng)
    enumerated = isinstance(chance, Every)
    if enumerated and stop is not None:
        raise ValueError("stop= freezes simulated replicates; it has no meaning under EVERY")
    points, columns = _columns(record)
    x, origin = _start(x0, replicates, problem.dim, enumerated)
    if hasattr(problem, "check_start"):
        problem.check_start(x)
    weight = np.full(len(x), 1, dtype=object) if x.dtype == object else np.ones(len(x))
    state, chosen, alive = method.init(x), sizing.init(len(x)), np.arange(len(x))
    _check_regulariser(problem, method)
    trace = Trace({n: [] for n in points}, {n: [] for n in columns}, [weight], [origin])
    for name, point in points.items():
        trace.points[name].append(_checked(name, 0, np.asarray(point(problem, state))))
    for k in range(steps):
        with np.errstate(over="ignore", invalid="ignore"):  # `_checked` reports divergence, once and by name
            view = View(problem, method, state, chance)
            batch, chosen = sizing.batch(chosen, view)
            step = Step(k, view, batch, method.step(take(state, batch.parent), batch), chosen)
            state, fresh = step.after, {name: np.asarray(column(step)) for name, column in columns.items()}
            if enumerated:
                child, origin, weight, state, chosen = _branch(batch, origin, weight, state, chosen)
                trace.edges.append((batch.parent, batch.weight, child))
            rows = {name: np.asarray(point(problem, state)) for name, point in points.items()}
        if stop is not None:
            fresh = {n: _spread_out(row, alive, len(x), 0.0) for n, row in fresh.items()}
            rows = {n: _spread_out(row, alive, len(x), trace.points[n][-1]) for n, row in rows.items()}
            keep = ~np.asarray(stop(step))
            alive, state, chosen = alive[keep], take(state, keep), take(chosen, keep)
        for name, row in fresh.items():
            trace.steps[name].append(_checked(name, k, row))
        for name, row in rows.items():
            trace.points[name].append(_checked(name, k + 1, row))
        trace.weight.append(weight)
        trace.origin.append(origin)
        if not len(alive):
            break
    trace.final = state
    return trace


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, (int, float, np.number)) and value >= least and int(value) == value:
        return int(value)
    raise ValueError(f"{name} is {value!r}; give a whole number, at least {least}")


def _check_parts(problem: Any, method: Any, sizing: Any) -> None:
    """One line for the mistakes that would otherwise surface deep inside, or never."""
    for what, part, name, advice in (("method", method, "step", "for example SGD(alpha)"),
                                     ("sizing", sizing, "batch", "wrap a test: Ahead(NormTest(0.5)) or Behind(...)")):
        if isinstance(part, type) or not hasattr(part, name):
            raise ValueError(f"{what} is {part!r}, which has no `{name}`: {advice}")


def _check_regulariser(problem: Any, method: Any) -> None:
    h, used = getattr(problem, "h", None), getattr(method, "h", None)
    if h is not None and type(h).__name__ != "Nothing" and type(used) is not type(h):
        raise ValueError(f"the problem has h = {h!r} and the method h = {used!r}: use "
                         "ProximalGradient(alpha, problem.h)")


def _columns(record: Any) -> tuple[dict[str, Any], dict[str, Column]]:
    """`record` as columns of points and columns of steps."""
    record = (record,) if isinstance(record, str) else record
    wanted = dict(record) if isinstance(record, Mapping) else {name: name for name in record}
    points = {n: POINTS[c] for n, c in wanted.items() if isinstance(c, str) and c in POINTS}
    steps: dict[str, Any] = {n: STEPS.get(c, c) if isinstance(c, str) else c
                             for n, c in wanted.items() if n not in points}
    for name, column in steps.items():
        if not callable(column):
            raise ValueError(f"record names {name!r}: {column!r}; ready-made are {', '.join([*POINTS, *STEPS])}")
    return points, steps


def _branch(batch: Batch, origin: Array, weight: Array, state: Any, chosen: Any) -> Any:
    """All children with their probabilities, equal states joined."""
    if batch.parent is None or batch.weight is None:
        raise ValueError("this problem's draw ignored EVERY: it must return every batch with `parent` and `weight`")
    return _merge(origin[batch.parent], weight[batch.parent] * batch.weight, state, chosen)


def _spread_out(row: Array, alive: Array, R: int, rest: Any) -> Array:
    """A row of the living replicates put back among all R; the others keep `rest`."""
    out = np.broadcast_to(rest, (R,)).astype(float)
    out[alive] = row
    return out
