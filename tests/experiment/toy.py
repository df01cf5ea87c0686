"""Does the mean of n draws come closer to zero as n grows?

Prediction. Its square falls like 1/n.

    a command that the page leaves out

Found. It does.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from samplingtheory.experiment import bands, main

PAPER = "Every textbook: 1/n & <no more>."
DATA = ("breast_cancer",)
PAUSE = float(os.environ.get("TOY_PAUSE", "0"))
COUNT = int(os.environ.get("TOY_COUNT", "4"))
FAIL = os.environ.get("TOY_FAIL", "")


def tasks(quick: bool) -> list[dict[str, Any]]:
    return [{"n": 2**i, "seed": i, "runs": 50 if quick else 500} for i in range(COUNT)]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    time.sleep(PAUSE)
    if FAIL and task["n"] == int(FAIL):
        raise ValueError("planted\nfailure")
    A = np.random.default_rng(task["seed"]).standard_normal((task["runs"], task["n"], 30))
    squares = (A.mean(1) ** 2 @ np.ones(30)) / 30
    return {"low": float(np.quantile(squares, 0.1)), "mid": float(squares.mean()),
            "high": float(np.quantile(squares, 0.9)), "gram": float(np.linalg.svd(A[0])[1].sum())}


def shape(results: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    return {"n": [task["n"] for task, _ in results]} | {
        key: [result[key] for _, result in results] for key in ("low", "mid", "high")}


def draw(shaped: dict[str, Any]) -> dict[str, Any]:
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    bands(ax, shaped["n"], shaped["low"], shaped["mid"], shaped["high"], "#0072B2", "measured")
    ax.set(xscale="log", yscale="log", xlabel="sampled gradients", ylabel="squared mean")
    return {"means": figure}


def caption(shaped: dict[str, Any]) -> str:
    return f"n times the squared mean is {shaped['n'][-1] * shaped['mid'][-1]:.3f}."


def compare(shaped: dict[str, Any]) -> str:
    return "It agrees."


if __name__ == "__main__":
    raise SystemExit(main(__file__))
