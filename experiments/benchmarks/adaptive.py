"""What do replicates of AdaGrad-Norm cost?  python -m experiments.benchmarks.adaptive [--rounds 5] [--quick]

sum log(1 + x_i^2), d = 10, 400 replicates x 4000 steps under each of four noise laws, recording |grad F|^2.
Prediction: all four within a minute; AdaGrad-Norm within 1.5 times SGD (one more dot product, one root, one division a
step); a plain loop over replicates at least 30 times dearer a replicate-step; sizes from the exact test (Ahead) at most
twice Fixed(1), because only then the law is computed. Found: 2 CPU s in all; 1.15 to 1.2 times SGD; the loop is 26
times dearer where a sample is d normals, but only 16 to 19 times where it is one coin; Ahead 1.5 to 2.1 times Fixed(1).
Process CPU time, one thread, interleaved rounds, medians of ratios made within one round.
"""

from __future__ import annotations

from .__main__ import interleaved  # before NumPy loads its BLAS: it sets one thread

# isort: split
import argparse
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import samplingtheory as st
from samplingtheory.problems.noise import ContinuousOracle, Gaussian, Sphere
from samplingtheory.problems.oracles import Lazy, Oracle, Rare
from samplingtheory.problems.separable import LogQuad

EPS, D, ALPHA, V0, START = 0.3, 10, 0.2, 0.01, 1.5
BASE = LogQuad(D)
LAWS = {"gaussian": ContinuousOracle(BASE, Gaussian(EPS)), "sphere": ContinuousOracle(BASE, Sphere(EPS)),
        "drop": Oracle(BASE, Lazy(1 + EPS**2)), "rare": Oracle(BASE, Rare(EPS))}


def package(problem: Any, method: Any, sizing: Any, runs: int, steps: int) -> Callable[[], object]:
    return lambda: st.run(problem, method, sizing, np.full(D, START), steps, replicates=runs, rng=1, record=("grad2",))


def error(law: str, G: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """g - G of one sample, as one would write it for a single run."""
    if law == "drop":
        return EPS**2 * G if rng.random() < 1 / (1 + EPS**2) else -G
    if law == "rare":
        return (0.0 if rng.random() >= 0.01 else rng.choice((-1, 1)) * EPS / 0.1) * G
    z = rng.standard_normal(D)
    return EPS * math.sqrt(G @ G) * (z / math.sqrt(D) if law == "gaussian" else z / math.sqrt(z @ z))


def loop(law: str, runs: int, steps: int) -> Callable[[], object]:
    """AdaGrad-Norm, one replicate after another."""
    def task() -> np.ndarray:
        rng, grad2 = np.random.default_rng(1), np.empty((steps, runs))
        for r in range(runs):
            x, v = np.full(D, START), V0
            for k in range(steps):
                G = 2 * x / (1 + x * x)
                grad2[k, r] = G @ G
                g = G + error(law, G, rng)
                v += g @ g
                x = x - ALPHA / math.sqrt(v) * g
        return grad2
    return task


def agree(law: str, runs: int = 400, steps: int = 50) -> float:
    """|mean sum_k |G_k|^2 of the loop - of the package| in standard errors: they compute the same thing."""
    ours = package(LAWS[law], st.AdaGradNorm(ALPHA, V0), st.Fixed(1), runs, steps)()["grad2"][:-1].sum(0)  # type: ignore[index]
    plain = np.asarray(loop(law, runs, steps)()).sum(0)
    return float(abs(ours.mean() - plain.mean()) / math.sqrt((ours.var() + plain.var()) / runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps, to see that it runs")
    options = parser.parse_args()
    runs, steps, slice_of = 400, 400 if options.quick else 4000, 4
    table = Table("noise law", f"{runs} x {steps}, CPU s", "/ SGD", "Ahead(NormTest) / Fixed(1)",
                  "plain loop / package, a replicate-step", "agreement, std errors")
    method, total = st.AdaGradNorm(ALPHA, V0), 0.0
    for law, problem in LAWS.items():
        seconds = interleaved({
            "ours": package(problem, method, st.Fixed(1), runs, steps),
            "sgd": package(problem, st.SGD(ALPHA), st.Fixed(1), runs, steps),
            "ahead": package(problem, method, st.Ahead(st.NormTest(EPS)), runs, steps),
            "loop": loop(law, slice_of, steps),
        }, options.rounds)
        ours = seconds["ours"]
        total += float(np.median(ours))
        ratios = (ours / seconds["sgd"], seconds["ahead"] / ours, seconds["loop"] / slice_of / (ours / runs))
        table.add_row(law, f"{np.median(ours):.2f}", *(f"{np.median(r):.2f} [{r.min():.2f}, {r.max():.2f}]"
                                                       for r in ratios), f"{agree(law):.1f}")
    Console(width=140).print(table, f"all four: {total:.1f} CPU s, one core; target: 60 s on two")


if __name__ == "__main__":
    main()
