"""Does the theorem's linear rate survive the rule that is run? The table, with verdicts.

Question. Unit quadratics around N = 256 lognormal centres, d = 1 and 50, theta = 0.5 and 0.9, |x_0| = 3 sd, the exact
test's step, 30 steps, 1000 runs: E F_k/(rho^k F_0) at k = 10 and its largest value, and the number of runs after which
the betting e-process refutes "at most 1 for every k" at risk 0.01. Rules: exact; same batch from two at every step, never
smaller, debiased; lagged; pilot; and the candidate: same batch, theta', at least 16 samples, never smaller.

Prediction. All but the exact rule and the candidate are refuted in d = 1, most of them within a run or two where the
batch starts from two at every step. In d = 50 the memory helps for theta = 0.5. The candidate is not refuted; its
one-step conclusion is, in d = 1.

Found (1000 runs). In d = 1 all but the exact rule and the candidate are refuted at theta = 0.5, after one run where the
batch starts from two at every step; at theta = 0.9 the lagged rule with theta' is not refuted either (largest ratio 0.45),
its one-step conclusion is. In d = 50, theta = 0.5 the memory does not help the lagged rules (refuted after 1 or 2 runs); the
same batch from 16 is not refuted. The candidate is refuted nowhere, although its largest ratio is 30 at theta = 0.5, d = 1 (120
in the quick run): with 4000 runs it is (claim gap2026/same-batch-repaired), so the third prediction is wrong. Its one-step
conclusion is refuted in d = 1, and at theta = 0.9 in d = 50.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import samplingtheory as st
from samplingtheory.claims.gap2026.same_batch import skewed
from samplingtheory.evidence import betting
from samplingtheory.evidence.simulate import floor_of
from samplingtheory.experiment import main

PAPER = ""
RISK = 0.01
RULES = {
    "exact": st.Ahead, "same batch, from two": lambda c: st.SameBatch(c, grow=1, monotone=False),
    "same batch, never smaller": lambda c: st.SameBatch(c, grow=1),
    "same batch, debiased, from two": lambda c: st.SameBatch(st.Debiased(c), grow=1, monotone=False),
    "same batch, redrawn, from two": lambda c: st.SameBatch(c, on_fail="redraw", grow=2, monotone=False),
    "lagged, from two": lambda c: st.Behind(c, monotone=False), "lagged, never smaller": st.Behind,
    "lagged, theta', least 16, never smaller": lambda c: st.Behind(st.Repaired(c), 16, least=16),
    "pilot of two": st.Pilot,
    "same batch, theta', from 16, never smaller": lambda c: st.SameBatch(st.Repaired(c), 16, grow=1),
    "same batch, from 16, never smaller": lambda c: st.SameBatch(c, 16, grow=1)}
CASES = [(1, 0.5), (1, 0.9), (50, 0.5), (50, 0.9)]


def tasks(quick: bool) -> list[dict[str, Any]]:
    runs = 200 if quick else 1000
    return [{"rule": rule, "d": d, "theta": theta, "runs": runs, "steps": 30, "seed": 4}
            for d, theta in CASES for rule in RULES]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    d, theta = task["d"], task["theta"]
    problem, alpha = skewed(256, d), 1 / (1 + theta**2)
    x0 = np.full(d, 3.0)
    trace = st.run(problem, st.SGD(alpha), RULES[task["rule"]](st.NormTest(theta)), x0, task["steps"],
                   replicates=task["runs"], rng=task["seed"], record=("gap", "drawn"))
    gap, rate = trace["gap"], theta**2 / (1 + theta**2)
    least = floor_of(problem)
    floor = np.argmax(rate ** np.arange(task["steps"] + 1) * gap[0, 0] < least) or task["steps"] + 1
    path = (gap[1:floor] / (rate ** np.arange(1, floor)[:, None] * gap[0])).T
    step = np.where(gap[:-1] > least, gap[1:] / (rate * np.maximum(gap[:-1], 1e-300)), 1.0).T
    means = path.mean(axis=0)
    first = betting.first_refutation(betting.average_wealth(path), RISK)
    one = betting.first_refutation(betting.step_wealth(step), RISK)
    return {"at10": float(means[9]), "max": float(means.max()), "runs": first, "step_runs": one,
            "drawn": float(trace["drawn"].sum(0).mean())}


def shape(results: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    return {"runs": results[0][0]["runs"], "rows": [t | r for t, r in results]}


def _cell(r: dict[str, Any]) -> str:
    word = "not refuted" if r["runs"] is None else f"refuted ({r['runs']})"
    step = "" if r["step_runs"] is None else f"; step refuted ({r['step_runs']})"
    return f"{r['at10']:.2g}, max {r['max']:.2g}\n{word}{step}"


def draw(shaped: dict[str, Any]) -> dict[str, Any]:
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(12, 5.6))
    ax.axis("off")
    rows = {(r["rule"], r["d"], r["theta"]): r for r in shaped["rows"]}
    cells = [[_cell(rows[rule, *case]) for case in CASES] for rule in RULES]
    colours = [["#ffffff" if rows[rule, *case]["runs"] is None else "#f6d5c3" for case in CASES] for rule in RULES]
    table = ax.table(cells, cellColours=colours, rowLabels=list(RULES), cellLoc="center", loc="center",
                     colLabels=[f"d = {d}, theta = {theta}" for d, theta in CASES])
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.scale(1, 2.1)
    return {"conclusions-by-rule": figure}


def caption(shaped: dict[str, Any]) -> str:
    broken = {rule: sum(r["runs"] is not None for r in shaped["rows"] if r["rule"] == rule) for rule in RULES}
    never = [rule for rule, times in broken.items() if not times]
    return (f"E F_k/(rho^k F_0) at k = 10 and at its largest, {shaped['runs']} runs; in brackets the run after which the "
            f"bets refute it at risk {RISK}. Refuted in no case: {', '.join(never) or 'none'}.")


if __name__ == "__main__":
    raise SystemExit(main(__file__))
