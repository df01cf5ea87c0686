"""How many samples does the norm test ask for on the way to the minimiser?

Prediction. The gap halves with each step and the batch doubles, so the samples are in proportion to 1/gap.
"""

import numpy as np

import samplingtheory as st
from samplingtheory.experiment import PALETTE, bands
from samplingtheory.problems.quadratic import GaussianQuadratic

PAPER = ""  # what a paper reports, with its settings; empty: the experiment is yours


def tasks(quick):
    """One task a tolerance, with its seed: JSON values, independent of each other."""
    return [{"eps": eps, "runs": 50 if quick else 500, "seed": 1} for eps in (0.3, 0.6)]


def compute(task):
    """The same result for the same task, whoever computes it: JSON values, no files, no clock."""
    problem = GaussianQuadratic(np.ones(10), 1.0)
    trace = st.run(problem, st.SGD(0.3), st.Ahead(st.NormTest(task["eps"])), np.ones(10), 20,
                   replicates=task["runs"], rng=task["seed"], record=("gap", "drawn"))
    low, mid, high = np.quantile(trace["gap"][1:], (0.1, 0.5, 0.9), axis=1)
    return {"low": low.tolist(), "gap": mid.tolist(), "high": high.tolist(),
            "samples": trace["drawn"].cumsum(axis=0).mean(axis=1).tolist()}


def shape(results):
    """(task, result) pairs to what is drawn."""
    return {"curves": [task | result for task, result in results]}


def draw(shaped):
    """Figures by name."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    for colour, c in zip(PALETTE, shaped["curves"], strict=False):
        bands(ax, c["samples"], c["low"], c["gap"], c["high"], colour, f"eps = {c['eps']}")
    ax.set(xscale="log", yscale="log", xlabel="sampled gradients (mean)", ylabel="gap, 10 to 90 %")
    ax.legend()
    return {"cost": figure}


def caption(shaped):
    """The finding, with a number."""
    return "; ".join(f"eps = {c['eps']}: {c['samples'][-1] * c['gap'][-1]:.1f} samples times gap at the end"
                     for c in shaped["curves"]) + "."
