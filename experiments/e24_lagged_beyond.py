"""What happens beyond the theorem, when this batch sizes the next with the exact test's theta and step?

Question. F = |x|^2/2 under isotropic Gaussian noise of variance 1, theta = 0.9, alpha = 1/(1 + theta^2), the exact
test's step; the lagged theorem needs theta < 0.841. From gap 50. With real n the mean diverges. With whole n >= 1 it
cannot: does the method converge, and when?

Prediction. |g|^2 concentrates as d grows, and sizes repeat themselves: n = ceil(n/(theta^2 (1 + alpha/(2 - alpha))))
for n = 1, ..., 9, a ladder of metastable sizes, left only by fluctuations of |g|^2 of relative size sqrt(2/d). Low
dimension converges; high dimension stalls for longer and longer. If n may never shrink, each rung is left for good.
With theta' it converges at once.

Found (2000 runs, 3000 steps). In d = 1 and 3 it converges (mean gap below 1e-100). Where n may shrink, the mean gap
stays at .009 in d = 10, .038 in d = 100 (median of 5 samples), .042 in d = 1000, .19 in d = 10000 (one sample). Where n
never shrinks, d = 10 and 100 converge (2.6e-25 at 3000 steps in d = 100), d = 1000 has come to .009 and 22 samples, and
d = 10000 has not left one sample. With theta' every dimension converges, at 1e-44 after 300 steps in d >= 100. So a
stall over thousands of steps needs d >= 100, or d >= 10000 for sizes that never shrink; "for ever" was not seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from samplingtheory.experiment import bands

from .paths import mean_band

THETA2 = 0.81
ALPHA = 1 / (1 + THETA2)
RULES = ("may shrink", "never shrinks", "theta'")
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7")  # Okabe and Ito
MOST = 1e300  # samples a batch, as a double
FLOOR = 1e-20  # of the figure
PAPER = ""


def tasks(quick: bool) -> list[dict[str, Any]]:
    steps, runs, dims = (300, 200, (1, 10, 100, 1000)) if quick else (3000, 2000, (1, 3, 10, 100, 1000, 10000))
    return [{"d": d, "rule": rule, "steps": steps, "runs": runs, "seed": i}
            for i, (d, rule) in enumerate((d, rule) for rule in RULES for d in dims)]


def step(x2: Any, n: Any, d: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """(|x|^2 after the step, |g|^2): only lengths matter on an isotropic quadratic."""
    scale, x = 1 / np.sqrt(n * d), np.sqrt(x2)
    along = x + scale * rng.standard_normal(len(x2))
    across = scale**2 * 2 * rng.standard_gamma((d - 1) / 2, len(x2)) if d > 1 else 0.0
    return (x - ALPHA * along) ** 2 + ALPHA**2 * across, along**2 + across


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Mean gap with its band, median n and median samples so far at about 60 steps, geometrically spaced."""
    d, rng = task["d"], np.random.default_rng(task["seed"])
    theta2 = THETA2 / (1 + THETA2) if task["rule"] == "theta'" else THETA2
    x2, n, drawn = np.full(task["runs"], 100.0), np.ones(task["runs"]), np.zeros(task["runs"])
    kept = set(np.unique(np.geomspace(1, task["steps"], 60).astype(int)).tolist())
    rows = []
    for k in range(1, task["steps"] + 1):
        used, drawn = n, drawn + n
        x2, g2 = step(x2, n, d, rng)
        with np.errstate(divide="ignore", over="ignore"):
            asked = np.clip(np.ceil(1 / (theta2 * g2)), 1, MOST)
        n = np.maximum(n, asked) if task["rule"] == "never shrinks" else asked
        if k in kept:
            rows.append((k, x2 / 2, float(np.median(used)), float(np.median(drawn))))
    k, gaps, size, samples = map(list, zip(*rows, strict=True))
    low, high = mean_band(np.array(gaps), task["seed"], 500)
    return {"k": k, "gap": np.mean(gaps, axis=1).tolist(), "low": low.tolist(), "high": high.tolist(), "n": size,
            "samples": samples}


def shape(results: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    return {rule: [{"d": t["d"], **r} for t, r in results if t["rule"] == rule] for rule in RULES}


def rungs() -> list[int]:
    """Sizes n that repeat themselves when |g|^2 is at its mean: ceil(n/(theta^2 (1 + alpha/(2 - alpha)))) = n."""
    factor = THETA2 * (1 + ALPHA / (2 - ALPHA))
    return [n for n in range(1, 100) if np.ceil(n / factor - 1e-12) == n]


def draw(shaped: dict[str, Any]) -> dict[str, Any]:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), sharey=True)
    for column, rule in zip(axes.T, RULES, strict=True):
        for colour, row in zip(COLOURS, shaped[rule], strict=False):
            low, mid, high = (np.maximum(row[name], FLOOR) for name in ("low", "gap", "high"))
            bands(column[0], row["k"], low, mid, high, colour, f"d = {row['d']}")
            bands(column[1], row["samples"], low, mid, high, colour)
        column[0].set(title=f"n {rule}" if rule != RULES[2] else "theta', n may shrink", xlabel="iteration k")
        column[1].set(xlabel="sampled gradients so far (median)", xlim=(0.8, 1e20))
        for ax in column:
            ax.set(xscale="log", yscale="log", ylim=(FLOOR, 100))
    for ax in axes[:, 0]:
        ax.set_ylabel("mean gap, 95 % band")
    axes[0, 0].legend(loc="lower left")
    return {"gap": figure}


def caption(shaped: dict[str, Any]) -> str:
    def last(rule: str, d: int) -> float:
        return next(row["gap"][-1] for row in shaped[rule] if row["d"] == d)
    steps = shaped[RULES[0]][0]["k"][-1]
    return (f"Lagged test with theta = 0.9 and the exact test's step, from gap 50: mean gap after {steps} steps, "
            f"{last('may shrink', 1000):.2g} in d = 1000 when sizes may shrink and {last('never shrinks', 1000):.2g} "
            f"when they may not (sizes that repeat themselves: {', '.join(map(str, rungs()))}); with theta' "
            f"{last(RULES[2], 1000):.1e}.")


if __name__ == "__main__":
    from samplingtheory.experiment import main

    raise SystemExit(main(__file__))
