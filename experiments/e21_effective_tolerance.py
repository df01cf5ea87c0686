"""Is the test on the step's own batch, in high dimension, the exact test with theta^2/(1 - theta^2)?

Question. Streaming Gaussian gradients of covariance Sigma, batches extended one by one from two until they pass. The law
derived in docs/gap.md: |g|^2 concentrates at |G|^2 + tr Sigma/n, so that V/n = theta_eff^2 |G|^2 at the size where the
rule stops, theta_eff^2 = s/(1 - s): s = theta^2 for the norm test, min(theta^2 d_eff, nu^2 ...) for the augmented one;
relative error of order e/(1 - theta^2), e^2 = 2 theta^4/d_eff + 4 theta^2 (1 - theta^2) l_G/V + 2/((n - 1) d_eff), with
d_eff = (tr Sigma)^2/tr Sigma^2 and l_G the variance along G. Does the error collapse on e for spectra of different shape?
And what do AdaGrad-Norm and Adam do with such batches?

Prediction. E|g - G|^2/(theta_eff^2 |G|^2) - 1 is at most about 2 e/(1 - theta^2), whatever the spectrum and d, since only
d_eff counts; for d_eff < 10 it is far larger. The inner product test alone is blind once theta^2 d_eff > 1: it accepts
the first batch. A method run on such batches spends what the exact test with theta_eff spends and ends at its gap.

Found. From d_eff = 90 on and for theta <= 0.7 the variance is 0.99 to 1.15 times theta^2/(1 - theta^2)|G|^2, within 0.7 e/(1 -
theta^2) of it. The prediction of the error is too low elsewhere: theta = 0.9 has 2.7 times at d_eff = 119 (2.9 e/(1 - theta^2)),
1.18 at 1000 and 1.02 at 3000; theta = 0.7 is up to 17 e/(1 - theta^2) off for d_eff between 12 and 45. Below 3 the variance
reaches 123 times. Inner product test, d = 100: its variance estimate has n - 1 degrees of freedom in any dimension, so a start
of 32 samples meets the prediction at theta^2 d = 0.3 (0.53 +- 0.06 for 0.43; 2.1 for 1 at 0.5) and a start of two does not (68);
with theta^2 d > 1 it stops at 33 samples, started at 32. SGD in d = 300 follows the exact test with theta_eff (gap 9.3e-6 with
63,000 samples against 1.1e-5 with 54,000), AdaGrad-Norm lies between theta_eff and theta, and both stall at a gap of 1e-2 in d
= 10; 12 steps of Adam say nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import samplingtheory as st
from samplingtheory.experiment import PALETTE, bands, main
from samplingtheory.problems.quadratic import GaussianQuadratic

from .paths import mean_band

PAPER = ""
RATIO = 50.0  # tr Sigma / |G|^2
SPECTRA = ("isotropic", "1/i", "one of ten")
THETAS = (0.3, 0.5, 0.7, 0.9)
PATHS = ("same batch", "exact, theta_eff", "exact, theta")
METHODS = {"SGD": lambda: st.SGD(0.5), "AdaGrad-Norm": lambda: st.AdaGradNorm(1.0, 0.1), "Adam": lambda: st.Adam(0.3, 0.5, 0.9, 0.01)}


def spectrum(name: str, d: int) -> np.ndarray:
    """Eigenvalues with sum 1."""
    i = np.arange(1, d + 1)
    values = {"isotropic": np.ones(d), "1/i": 1 / i, "one of ten": np.where(i % 10 == 1, 1.0, 0.01)}[name]
    return values / values.sum()


def tasks(quick: bool) -> list[dict[str, Any]]:
    dims = (1, 10, 100, 1000) if quick else (1, 3, 10, 30, 100, 300, 1000, 3000)
    runs = 100 if quick else 400
    norm = [{"kind": "norm", "spectrum": s, "d": d, "theta": t, "runs": runs, "seed": 1}
            for s in SPECTRA for d in dims for t in THETAS]
    inner = [{"kind": "augmented", "d": 100, "theta2d": x, "nu2": nu2, "start": start, "runs": runs // 2, "seed": 2}
             for x in (0.3, 0.5, 0.7, 0.8, 0.9, 1.1, 2.0) for nu2, start in ((1e9, 2), (1e9, 32), (0.7, 32))]
    path = [{"kind": "path", "method": m, "rule": r, "theta": 0.6, "d": d, "steps": 9 if quick else 12, "runs": runs // 4,
             "seed": 3} for m in METHODS for d in (10, 300) for r in PATHS]
    return norm + inner + path


def compute(task: dict[str, Any]) -> dict[str, Any]:
    return {"norm": _norm, "augmented": _augmented, "path": _path}[task["kind"]](task)


def one_batch(noise: Any, rule: Any, d: int, runs: int, seed: int, ratio: float = RATIO) -> tuple[Any, Any]:
    """Sizes and squared relative errors of accepted batches at |G|^2 = 1/ratio, tr Sigma = 1."""
    x = np.full(d, (ratio * d) ** -0.5)
    trace = st.run(GaussianQuadratic(np.ones(d), noise), st.SGD(0.5), rule, x, 1, replicates=runs, rng=seed,
                   record=("n", "rel_error2"))
    return trace["n"][0], trace["rel_error2"][0]


def _norm(task: dict[str, Any]) -> dict[str, Any]:
    values, theta2 = spectrum(task["spectrum"], task["d"]), task["theta"] ** 2
    rule = st.SameBatch(st.NormTest(task["theta"]), grow=1, cap=5000)
    runs = min(task["runs"], max(50, 200_000 // task["d"]))
    n, rv = one_batch(values, rule, task["d"], runs, task["seed"])
    d_eff, size = 1 / (values**2).sum(), RATIO * (1 - theta2) / theta2
    along = values.mean()  # G has equal entries
    error = 2 * theta2**2 / d_eff + 4 * theta2 * (1 - theta2) * along + 2 / ((size - 1) * d_eff)
    return {"d_eff": float(d_eff), "scale": float(error**0.5 / (1 - theta2)), "size": size, "n": float(n.mean()),
            "rv": float(rv.mean() * (1 - theta2) / theta2), "se": float(rv.std() / runs**0.5 * (1 - theta2) / theta2)}


def _augmented(task: dict[str, Any]) -> dict[str, Any]:
    d, s = task["d"], min(task["theta2d"], task["nu2"] * task["d"] / (task["d"] - 1))
    test = st.AugmentedInnerProductTest((task["theta2d"] / d) ** 0.5, task["nu2"] ** 0.5)
    rule = st.SameBatch(test, task["start"], grow=1, cap=2000)
    n, rv = one_batch(1 / d, rule, d, task["runs"], task["seed"], 6 * RATIO)
    return {"s": s, "predicted": s / (1 - s) if s < 1 else None, "rv": float(rv.mean()),
            "se": float(rv.std() / task["runs"] ** 0.5), "n": float(n.mean())}


def _path(task: dict[str, Any]) -> dict[str, Any]:
    d, theta = task["d"], task["theta"]
    rule = {"same batch": st.SameBatch(st.NormTest(theta), grow=1, monotone=False, cap=50_000),
            "exact, theta_eff": st.Ahead(st.NormTest(theta / (1 - theta**2) ** 0.5), cap=50_000),
            "exact, theta": st.Ahead(st.NormTest(theta), cap=50_000)}[task["rule"]]
    x = np.full(d, (2.0 / d) ** 0.5)
    trace = st.run(GaussianQuadratic(np.ones(d), 1 / d), METHODS[task["method"]](), rule, x, task["steps"],
                   replicates=task["runs"], rng=task["seed"], record=("gap", "drawn"))
    gap = trace["gap"][1:]
    low, high = mean_band(gap, task["seed"], 500)
    return {"gap": gap.mean(1).tolist(), "low": low.tolist(), "high": high.tolist(),
            "drawn": trace["drawn"].mean(1).cumsum().tolist()}


def shape(results: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    return {kind: [t | r for t, r in results if t["kind"] == kind] for kind in ("norm", "augmented", "path")}


def draw(shaped: dict[str, Any]) -> dict[str, Any]:
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8))
    for colour, name in zip(PALETTE, SPECTRA, strict=False):
        for marker, theta in zip("os^D", THETAS, strict=True):
            rows = [r for r in shaped["norm"] if (r["spectrum"], r["theta"]) == (name, theta)]
            label = name if theta == THETAS[0] else None
            left.errorbar([r["d_eff"] for r in rows], [r["rv"] for r in rows], [2 * r["se"] for r in rows], fmt=marker,
                          color=colour, label=label, markersize=4, elinewidth=0.8)
            for r in rows:
                middle.plot(r["scale"], abs(r["rv"] - 1), marker, color=colour, markersize=4,
                            fillstyle="full" if r["rv"] > 1 else "none")
    left.axhline(1, color="black", linestyle="--", linewidth=1)
    left.set(xscale="log", yscale="log", ylim=(0.4, 300), xlabel="effective dimension", ylabel="variance / (theta_eff^2 |G|^2)")
    for marker, theta in zip("os^D", THETAS, strict=True):
        left.plot([], [], marker, color="#555", label=f"theta = {theta}", markersize=4)
    left.legend(ncols=2, fontsize=7)
    grid = np.array(sorted(r["scale"] for r in shaped["norm"]))
    middle.plot(grid, 2 * grid, color="black", linestyle="--", linewidth=1)
    middle.set(xscale="log", yscale="log", ylim=(1e-3, 1e3), xlabel="e / (1 - theta^2)", ylabel="|excess over theta_eff^2| (open: below)")
    for colour, (nu2, start) in zip(PALETTE, ((1e9, 2), (1e9, 32), (0.7, 32)), strict=False):
        rows = [r for r in sorted(shaped["augmented"], key=lambda r: r["theta2d"]) if (r["nu2"], r["start"]) == (nu2, start)]
        label = f"inner product test, from {start}" if nu2 > 1 else "augmented, nu^2 = 0.7, from 32"
        right.errorbar([r["theta2d"] for r in rows], [r["rv"] for r in rows], [2 * r["se"] for r in rows], fmt="o",
                       color=colour, label=label, markersize=5)
        known = [r for r in rows if r["predicted"] is not None] if start > 2 else []
        right.plot([r["theta2d"] for r in known], [r["predicted"] for r in known], color=colour, linewidth=1)
    right.axhline(6 * RATIO / 32, color="black", linestyle="--", linewidth=1)
    right.set(yscale="log", xlabel="theta^2 d", ylabel="variance / |G|^2, d = 100")
    right.legend()
    paths, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True)
    for ax, method in zip(axes, METHODS, strict=True):
        for colour, rule in zip(PALETTE, PATHS, strict=False):
            for line, d in (("-", 300), (":", 10)):
                row = next(r for r in shaped["path"] if (r["method"], r["rule"], r["d"]) == (method, rule, d))
                bands(ax, row["drawn"], row["low"], row["gap"], row["high"], colour, f"{rule}, d = {d}", linestyle=line)
        ax.set(xscale="log", yscale="log", title=method, xlabel="mean sampled gradients")
    axes[0].set_ylabel("mean gap, theta = 0.6")
    axes[0].legend(fontsize=7)
    return {"effective-tolerance": figure, "effective-tolerance-methods": paths}


def caption(shaped: dict[str, Any]) -> str:
    high, most = ([r for r in shaped["norm"] if r["d_eff"] >= 90 and (r["theta"] > 0.7) == last] for last in (False, True))
    low = [r for r in shaped["norm"] if r["d_eff"] < 3]
    blind = [r for r in shaped["augmented"] if r["theta2d"] > 1 and r["nu2"] > 1 and r["start"] == 32]
    return (f"Means, bars of two standard errors and 95 % bootstrap bands. Where the effective dimension is at least 90 the "
            f"variance is {min(r['rv'] for r in high):.2f} to {max(r['rv'] for r in high):.2f} times theta^2/(1 - theta^2)|G|^2 "
            f"for theta <= 0.7 and {min(r['rv'] for r in most):.2f} to {max(r['rv'] for r in most):.2f} times for 0.9; below 3 it reaches "
            f"{max(r['rv'] for r in low):.1f} times. The inner product test with theta^2 d > 1, started at 32 samples, stops at "
            f"{np.mean([r['n'] for r in blind]):.1f} on average.")


if __name__ == "__main__":
    raise SystemExit(main(__file__))
