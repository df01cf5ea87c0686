"""What does each estimator of the noise scale estimate?  Means over many batches against the formula.

Prediction: the printed DDP-Norm statistic has mean (J-1) tr Sigma / b and not tr Sigma; S = b Vhat/(J-1) and
|g|^2 - S/b are unbiased; the within-plus-between variance of the public code is (J-1)/b too large; |g|^2 is too large
by tr Sigma / b; the ratio of two unbiased numbers is biased. Every mean lies within 3 standard errors of its formula:
18 of them, so about one run in 20 would show an excess by chance.

Found: all within 2.7 standard errors over 160 000 batches a setting. The ratio has mean 87 where the noise scale is 73
(J = 4, b = 64), and no usable mean at J = 2, b = 32, where its denominator changes sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from samplingtheory.problems.quadratic import GaussianQuadratic
from samplingtheory.problems.ranks import Ranks
from samplingtheory.seeds import child

PAPER = ""
D, SPECTRUM = 50, 0.2 + 2.6 * np.arange(50) / 49 * np.linspace(0.9, 1.0, 50)
SETTINGS = ((4, 64), (2, 32))


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a setting (J ranks, batch b) and block of batches."""
    blocks = 2 if quick else 8
    runs = 2000 if quick else 20_000
    return [{"ranks": J, "batch": b, "runs": runs, "seed": s} for J, b in SETTINGS for s in range(blocks)]


def compute(task: dict[str, Any]) -> dict[str, list[float]]:
    """Sums and sums of squares of every estimator over `runs` batches."""
    J, b = task["ranks"], task["batch"]
    base = GaussianQuadratic(np.ones(D), SPECTRUM)
    x = np.repeat(np.eye(D)[:1], task["runs"], axis=0)
    rng = child(task["seed"], "e11", J, b)
    m = Ranks(base, (1,) * J).draw(x, np.full(len(x), float(b)), rng).moments
    one = base.draw(x, np.full(len(x), float(b)), rng).moments
    small, large = (m.atoms[:, 0] ** 2).sum(-1), m.signal  # the first rank alone, and all of them
    values = {
        "two batches, |grad F|^2": (large - small / J) / (1 - 1 / J),
        "two batches, tr Sigma": (small - large) / (J / b - 1 / b),
        "S = b Vhat/(J-1)": m.total,
        "|g|^2 - S/b": m.signal - m.total / b,
        "printed Vhat": m.printed,
        "samples, divisor b-1": one.total,
        "within + between (public code)": m.within + m.printed,
        "pooled within and between": ((b / J - 1) * J * m.within + (J - 1) * m.total) / (b - 1),
        "|g|^2": m.signal,
        "S/(|g|^2 - S/b), no formula": m.total / (m.signal - m.total / b),
    }
    return {name: [float(v.sum()), float((v * v).sum())] for name, v in values.items()}


def formulas(J: int, b: int) -> dict[str, float]:
    V = float(SPECTRUM.sum())
    return {"two batches, |grad F|^2": 1.0, "two batches, tr Sigma": V, "S = b Vhat/(J-1)": V, "|g|^2 - S/b": 1.0,
            "printed Vhat": (J - 1) * V / b, "samples, divisor b-1": V, "pooled within and between": V,
            "within + between (public code)": V * (1 + (J - 1) / b), "|g|^2": 1 + V / b,
            "S/(|g|^2 - S/b), no formula": V}


def shape(results: list[tuple[dict, dict]]) -> dict[str, Any]:
    """Rows (setting, estimator, mean, standard error, formula, excess in standard errors)."""
    rows = []
    for J, b in SETTINGS:
        mine = [(t, r) for t, r in results if (t["ranks"], t["batch"]) == (J, b)]
        runs = sum(t["runs"] for t, _ in mine)
        for name, formula in formulas(J, b).items():
            total, squares = (sum(r[name][i] for _, r in mine) for i in (0, 1))
            mean = total / runs
            error = ((squares / runs - mean * mean) / (runs - 1)) ** 0.5
            rows.append([f"J = {J}, b = {b}", name, mean, error, formula, (mean - formula) / error])
    return {"rows": rows, "runs": runs}


def draw(shaped: dict[str, Any]) -> dict[str, Any]:
    from matplotlib.figure import Figure

    rows = [r for r in shaped["rows"] if "no formula" not in r[1]]
    figure = Figure(figsize=(7, 5), layout="constrained")
    ax = figure.subplots()
    place = np.arange(len(rows))[::-1]
    for (J, b), colour, marker in zip(SETTINGS, ("#0072B2", "#D55E00"), "os", strict=True):
        mine = [i for i, r in enumerate(rows) if r[0] == f"J = {J}, b = {b}"]
        ax.errorbar([rows[i][5] for i in mine], place[mine], xerr=2, fmt=marker, color=colour, markersize=5, elinewidth=0.8,
                    label=f"J = {J}, b = {b}")
    ax.axvspan(-3, 3, color="0.92")
    ax.axvline(0, color="black", linestyle="--", linewidth=1)
    ax.set_yticks(place, [r[1] for r in rows], fontsize=8)
    ax.set_xlabel("(mean - formula) / standard error, bars of two")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return {"estimators": figure}


def caption(shaped: dict[str, Any]) -> str:
    known = [r for r in shaped["rows"] if "no formula" not in r[1]]
    worst = max(known, key=lambda r: abs(r[5]))
    ratio = next(r for r in shaped["rows"] if "no formula" in r[1])
    return (f"Means of {len(known)} estimators over {shaped['runs']} batches a setting: all within {abs(worst[5]):.1f} "
            "standard errors of their formulas (grey: 3). The ratio of the two unbiased numbers has mean "
            f"{ratio[2]:.1f} where the noise scale is {ratio[4]:.1f} ({ratio[0]}).")


if __name__ == "__main__":
    from samplingtheory.experiment import main

    raise SystemExit(main(__file__))
