"""Runs against sampled gradients: what several experiments need of a path, and how it is summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import samplingtheory as st


def against_samples(problem: Any, method: Any, sizing: Any, x0: Any, *, budget: float, most: int, replicates: int,
                    rng: int, record: Mapping[str, Any], unit: float = 1.0, points: int = 80,
                    least: float | None = None) -> dict[str, Any]:
    """Columns of R runs, read at `points` spendings between `least` and `budget` units of `unit` sampled gradients.

    A run stops when it has spent the budget, or after `most` steps. Row j of a column is its value after the last
    step that ends within spending j (step functions: nothing is interpolated); NaN once a run has ended before.
    Also `steps` (R,) and the spendings: `spent`.
    """
    spent = np.zeros(replicates)
    alive = np.arange(replicates)

    def over(step: Any) -> Any:
        nonlocal alive
        spent[alive] += np.asarray(step.batch.drawn)
        done = spent[alive] >= budget * unit
        alive = alive[~done]
        return done

    trace = st.run(problem, method, sizing, x0, most, replicates=replicates, rng=rng,
                   record={**record, "drawn": "drawn", "n": "n"}, stop=over)
    total = trace["drawn"].cumsum(axis=0) / unit
    least = float(total[0].min()) if least is None else least
    grid = np.geomspace(max(least, 1e-12), budget, points)
    columns = {name: trace[name] for name in {**record, "n": "n"}}
    out: dict[str, Any] = {"spent": grid.tolist(), "steps": (trace["drawn"] > 0).sum(0).tolist(), "at": {}}
    for name, rows in columns.items():
        after = rows[1:] if len(rows) == len(total) + 1 else rows
        out["at"][name] = [_read(after[:, r], total[:, r], trace["drawn"][:, r] > 0, grid) for r in range(replicates)]
    return out


def _read(values: Any, total: Any, took: Any, grid: Any) -> list[float | None]:
    values, total = values[took], total[took]
    place = np.searchsorted(total, grid, side="right") - 1
    return [float(values[i]) if i >= 0 and g <= total[-1] * (1 + 1e-12) else None
            for i, g in zip(place, grid, strict=True)]


def quantiles(rows: Sequence[Sequence[float | None]], levels: Sequence[float] = (0.1, 0.5, 0.9)) -> list[list[Any]]:
    """Quantiles over runs (axis 0) where at least half of them are known, None elsewhere."""
    table = np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float)
    known = np.isfinite(table).sum(0) >= max(1, len(table) / 2)
    out = np.full((len(levels), table.shape[1]), np.nan)
    if known.any():
        out[:, known] = np.nanquantile(table[:, known], levels, axis=0)
    return [[None if np.isnan(v) else float(v) for v in row] for row in out]


def first_reach(rows: Sequence[Sequence[float | None]], spent: Sequence[float], level: float) -> list[float | None]:
    """For each run, the least recorded spending from which its value is at most `level`; None: never."""
    out: list[float | None] = []
    for row in rows:
        hit = [s for s, v in zip(spent, row, strict=True) if v is not None and v <= level]
        out.append(hit[0] if hit else None)
    return out


def median_or_never(values: Sequence[float | None]) -> float | None:
    """Median, with never as infinity; None if the median run never got there."""
    middle = float(np.median([np.inf if v is None else v for v in values]))
    return None if np.isinf(middle) else middle


def mean_band(table: Any, seed: int, times: int) -> tuple[Any, Any]:
    """Ends of the 95 % bootstrap band of the mean of each row (K, R); whole runs are resampled `times` times."""
    R = table.shape[1]
    weights = np.random.default_rng(seed).multinomial(R, np.full(R, 1 / R), size=times) / R
    low, high = np.quantile(weights @ table.T, (0.025, 0.975), axis=0)
    return low, high
