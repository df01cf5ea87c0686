"""The loop, and what is checked at its door."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..moments import Array
from ..problems.base import Chance, Every, Problem, take
from ..seeds import Seedable, generator
from .branch import branch
from .columns import Column, columns
from .trace import Trace, empty_trace, not_finite
from .view import Step, View


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
    chance = _chance(rng, stop)
    x, origin = _start(x0, replicates, problem.dim, isinstance(chance, Every))
    if hasattr(problem, "check_start"):
        problem.check_start(x)
    points, of_steps = columns(record)
    state, chosen, alive = method.init(x), sizing.init(len(x)), np.arange(len(x))
    _check_regulariser(problem, method)
    trace = empty_trace(points, of_steps, x, origin, state)
    trace.add({}, {name: np.asarray(point(problem, state)) for name, point in points.items()})
    for k in range(steps):
        with np.errstate(over="ignore", invalid="ignore"):  # `Trace.add` reports divergence, once and by name
            view = View(problem, method, state, chance)
            batch, chosen = sizing.batch(chosen, view)
            step = Step(k, view, batch, method.step(take(state, batch.parent), batch), chosen)
            state, fresh = step.after, {name: np.asarray(column(step)) for name, column in of_steps.items()}
            if isinstance(chance, Every):
                state, chosen = branch(trace, step)
            else:
                trace.carry()
            rows = {name: np.asarray(point(problem, state)) for name, point in points.items()}
        if stop is not None:
            fresh = {n: _spread_out(row, alive, len(x), 0.0) for n, row in fresh.items()}
            rows = {n: _spread_out(row, alive, len(x), trace.points[n][-1]) for n, row in rows.items()}
            keep = ~_stopped(stop(step), len(alive))
            trace.final = trace.final if keep.all() else _put_back(trace.final, state, alive)
            alive, state, chosen = alive[keep], take(state, keep), take(chosen, keep)
        trace.add(fresh, rows)
        if not len(alive):
            break
    trace.final = state if stop is None else _put_back(trace.final, state, alive)
    return trace


def _chance(rng: Seedable | Every, stop: Any) -> Chance:
    if stop is not None and not callable(stop):
        raise ValueError(f"stop= is {stop!r}; give a function of the step that returns one Boolean a replicate")
    if not isinstance(rng, Every):
        return generator(rng)
    if stop is not None:
        raise ValueError("stop= freezes simulated replicates; it has no meaning under EVERY")
    return rng


def _start(x0: Array, replicates: int, dim: int, enumerated: bool) -> tuple[Array, Array]:
    try:
        x = np.asarray(x0)
        x = x if x.dtype == object else np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"x0 is {x0!r}; give an array of numbers ({dim},) or (R, {dim})") from None
    if x.ndim not in (1, 2) or x.shape[-1] != dim or x.size == 0:
        raise ValueError(f"x0 has shape {x.shape}; this problem needs ({dim},) or (R, {dim})")
    if not_finite(x).any():
        raise ValueError("x0 holds NaN or infinite values; give a finite starting point")
    if x.ndim == 2 and (replicates != 1 or enumerated):
        if replicates != 1:
            raise ValueError(f"x0 has {len(x)} rows and replicates={replicates}; give one row or replicates=1")
        return x, np.arange(len(x))
    if x.ndim == 2:
        return x, np.zeros(len(x), dtype=int)
    R = 1 if enumerated else int(replicates)
    return np.repeat(x[None, :], R, axis=0), np.zeros(R, dtype=int)


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, (int, float, np.number)) and least <= value < math.inf and int(value) == value:
        return int(value)
    raise ValueError(f"{name} is {value!r}; give a whole number, at least {least}")


def _check_parts(problem: Any, method: Any, sizing: Any) -> None:
    """One line for the mistakes that would otherwise surface deep inside, or never."""
    wrap = "wrap a test: Ahead(NormTest(0.5)) or Behind(...)"
    for what, part, names, advice in (
            ("problem", problem, ("dim", "draw"), "for example LeastSquares(A, y)"),
            ("method", method, ("step", "init"), "for example SGD(alpha)"), ("sizing", sizing, ("batch", "init"), wrap)):
        missing = [name for name in names if not hasattr(part, name)]
        if isinstance(part, type):
            raise ValueError(f"{what} is the class {part.__name__}; give an instance, {advice}")
        if missing:
            raise ValueError(f"{what} is {part!r}, which has no `{missing[0]}`: {advice}")


def _check_regulariser(problem: Any, method: Any) -> None:
    h, used = getattr(problem, "h", None), getattr(method, "h", None)
    if h is not None and type(h).__name__ != "Nothing" and type(used) is not type(h):
        raise ValueError(f"the problem has h = {h!r} and the method h = {used!r}: use "
                         "ProximalGradient(alpha, problem.h)")


def _stopped(answer: Any, R: int) -> Array:
    """What stop= said of each of the R living replicates."""
    out = np.asarray(answer, dtype=bool)
    if out.shape not in ((), (R,)):
        raise ValueError(f"stop= returned shape {out.shape} for {R} replicates; return one Boolean a replicate: ({R},)")
    return np.broadcast_to(out, (R,))


def _put_back(states: Any, state: Any, alive: Array) -> Any:
    """The states of all replicates, of which those of `alive` are now `state`."""
    def put(whole: Any, part: Any) -> Any:
        if not isinstance(part, np.ndarray) or part.ndim == 0:
            return part
        whole = np.array(whole)
        whole[alive] = part
        return whole

    return type(state)(*map(put, states, state))


def _spread_out(row: Array, alive: Array, R: int, rest: Any) -> Array:
    """A row of the living replicates put back among all R; the others keep `rest`."""
    out = np.broadcast_to(rest, (R,)).astype(float)
    out[alive] = row
    return out
