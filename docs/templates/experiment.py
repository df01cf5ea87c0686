"""How many sampled gradients does the tolerance of the norm test cost?

Prediction. A larger tolerance takes smaller batches and shorter steps; what it saves on batches it loses on steps, so
that the gap against sampled gradients hardly depends on it.
"""

import numpy as np

import samplingtheory as st
from samplingtheory.experiment import PALETTE, bands
from samplingtheory.problems.data import breast_cancer
from samplingtheory.problems.regression import LogisticRegression

PAPER = ""  # what a paper reports, and with which settings; '' if there is none
DATA = ("breast_cancer",)  # checksums go into the provenance


def tasks(quick):
    """One JSON record for each independent piece of work, its seed included."""
    return [{"eps": eps, "runs": 10 if quick else 50, "steps": round(40 * (1 + eps**2)), "seed": 1}
            for eps in (0.3, 0.9, 2.0)]


def compute(task):
    """From a task to plain numbers; no files, no clock."""
    problem = LogisticRegression(*breast_cancer(), ridge=0.05, replace=True)
    method = st.SGD(1 / (problem.constants.L * (1 + task["eps"] ** 2)))
    trace = st.run(problem, method, st.Ahead(st.NormTest(task["eps"])), np.zeros(problem.dim), task["steps"],
                   replicates=task["runs"], rng=task["seed"])
    low, mid, high = np.quantile(trace["gap"][1:], (0.1, 0.5, 0.9), axis=1)
    used = np.median(trace["n"].cumsum(axis=0), axis=1)
    return {"used": used.tolist(), "low": low.tolist(), "mid": mid.tolist(), "high": high.tolist()}


def shape(results):
    """From (task, result) pairs to what is drawn."""
    return {"curves": [task | result for task, result in results]}


def draw(shaped):
    """Figures by name."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    for color, c in zip(PALETTE, shaped["curves"], strict=False):
        bands(ax, c["used"], c["low"], c["mid"], c["high"], color, f"eps = {c['eps']}")
    ax.set(xscale="log", yscale="log", xlabel="sampled gradients", ylabel="gap (median, 80 % band)")
    ax.legend()
    return {"tolerance": figure}


def caption(shaped):
    """The finding, with a number."""
    last = ", ".join(f"{c['mid'][-1]:.1e} after {c['used'][-1]:.0f} (eps = {c['eps']})" for c in shaped["curves"])
    return f"Median gap and sampled gradients at the end: {last}."


def compare(shaped):
    """Where the result and the paper agree and where they do not; here, the prediction."""
    return "No paper. The curves are to be compared at equal numbers of sampled gradients."
