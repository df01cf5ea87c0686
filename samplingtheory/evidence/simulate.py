"""Evidence by simulation with error control: bets on ratios, counts of failures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import betting, counting
from .base import MC, Evidence, Quantity, extremes, namespace, thin
from .exact import follow_case, recorded

RISK = 0.01


def floor_of(problem: Any) -> float:
    """100 times the error of a gap: of the minimiser, and of what rounding a gradient leaves after a step.

    Noise (`base`) and regularisers (`smooth`) are put around a problem whose gradients they round no better.
    """
    within = getattr(problem, "base", None) or getattr(problem, "smooth", None)
    own = 100 * max(problem.gap_error, getattr(problem, "step_error", 0.0))
    return own if within is None else max(own, floor_of(within))


@dataclass(frozen=True)
class Bet:
    """Betting e-process on measured / bound over `runs` simulated runs of `steps` steps, at level `risk`.

    step claims: one wealth a k fed by the one-step ratios, averaged over k, beside the pooled one; a run whose gap
    has fallen below 100 times its numerical error bets nothing from then on (decided by its past).
    statements: one wealth a k on the whole-run ratio, averaged over k, up to the first k whose bound is below
    100 times the numerical error of a gap.
    """

    steps: int
    runs: int = 1000
    risk: float = RISK

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        record = recorded(quantity, watch) | {"gap": "gap"}
        trace = follow_case(case, self.steps, record, replicates=self.runs * effort, rng=rng)
        path = {n: trace[n] for n in (*trace.points, *trace.steps)}
        floor = floor_of(case.problem)
        trusted = path["gap"][:-1] >= floor
        if not trusted[0].all():
            raise FloatingPointError("the starting gap is below 100 times its numerical error; start further away")
        if kind == "step":
            pairs = [quantity.sides(case.symbols, *_now_then(trace, k)) for k in range(self.steps)]
            ratio = np.stack([quantity.ratio(m, b) for m, b in pairs], axis=1)
            known = trusted.T

            def wealth(x: Any) -> Any:
                return betting.step_wealth(np.where(known, x, 1.0))  # no stake, whatever bound x is divided by
        else:
            measured, bound = quantity.sides(case.symbols, namespace(path))
            bounds = np.broadcast_to(bound, measured.shape).min(axis=1)
            last = int(np.argmax(bounds < floor)) if (bounds < floor).any() else len(measured)
            ratio = quantity.ratio(measured, bound)[:last].T
            known, wealth = np.ones(ratio.shape, bool), betting.average_wealth
        seen = extremes({n: path[n][np.broadcast_to(trusted, path[n].shape)] for n in watch if n in path})
        return self._weigh(ratio, known, wealth, seen, not trusted.all())

    def _weigh(self, ratio: Any, known: Any, wealth: Any, seen: dict[str, float], cut: bool) -> Evidence:
        runs, K = ratio.shape
        log_wealth = wealth(ratio)
        lower = betting.lower_confidence(ratio, self.risk, wealth)
        means = np.where(known, ratio, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        worst = int(np.argmax(means))
        keep = np.unique(np.geomspace(1, runs, min(120, runs)).astype(int)) - 1
        series = {"kind": "wealth", "runs": [int(i) + 1 for i in keep], "wealth": thin(log_wealth[keep]),
                  "threshold": math.log(1 / self.risk), "k": [int(k) for k in thin(np.arange(1, K + 1))],
                  "measured": thin(means), "bound": [1.0] * len(thin(means))}
        first = betting.first_refutation(log_wealth, self.risk)
        where = f"k = {worst + 1}" + (f", refuted after {first} runs" if first is not None else "")
        if cut:
            where += "; steps whose gap is below 100 times its rounding error are left out"
        return Evidence(MC, float(means[worst]), lower, math.inf, 0.0, where, runs, self.risk,
                        float(log_wealth.max()), seen=seen, series=series)


def _now_then(trace: Any, k: int) -> tuple[Any, Any]:
    now = {n: rows[k] for n, rows in trace.points.items()}
    then = {n: rows[k + 1] for n, rows in trace.points.items()} | {n: rows[k] for n, rows in trace.steps.items()}
    return namespace(now), namespace(then)


@dataclass(frozen=True)
class Count:
    """Failures among `runs` independent trials against delta, at `risk`.

    Refuted by the Beta mixture of the likelihood ratio (an e-value, so that e-BH may use it), confirmed and bounded by
    Clopper-Pearson, which is a little sharper.

    The quantity's `sides(s, now, then)` gives (failure indicator, delta) for one step from x0.
    """

    runs: int = 10_000
    risk: float = RISK

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        runs = self.runs * effort
        trace = follow_case(case, 1, recorded(quantity, watch), replicates=runs, rng=rng)
        failed, delta = quantity.sides(case.symbols, *_now_then(trace, 0))
        seen = extremes({n: rows[0] for n, rows in trace.steps.items() if n in watch})
        return counted(failed, delta, seen, self.risk)


@dataclass(frozen=True)
class CountRuns:
    """`Count` for a statement about whole runs: failures among `runs` runs of `steps` steps.

    The quantity's `sides(s, path)` gives (failure indicator (R,), delta).
    """

    steps: int
    runs: int = 1000
    risk: float = RISK

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        trace = follow_case(case, self.steps, recorded(quantity, watch), replicates=self.runs * effort, rng=rng)
        path = {n: trace[n] for n in (*trace.points, *trace.steps)}
        failed, delta = quantity.sides(case.symbols, namespace(path))
        return counted(failed, delta, extremes({n: path[n] for n in watch if n in path}), self.risk)


def counted(failed: Any, delta: Any, seen: dict[str, float], risk: float) -> Evidence:
    """Evidence from the indicators of failure (R,) against P(failure) <= delta."""
    failures, runs, delta = int(np.sum(failed)), len(failed), float(np.max(delta))
    low, high = counting.clopper_pearson(failures, runs, risk)
    log_e = counting.log_evidence(failures, runs, delta, "above")
    series = {"kind": "count", "failures": failures, "runs": runs, "delta": delta, "lower": low, "upper": high}
    return Evidence(MC, failures / runs / delta, low / delta, high / delta, 0.0,
                    f"{failures} failures in {runs} trials, allowed rate {delta:.4g}", runs, risk,
                    log_e, high <= delta, seen=seen, series=series)


__all__ = ["RISK", "Bet", "Count", "CountRuns", "counted"]
