"""How fast are exact worst cases next to PEPit?  python -m experiments.benchmarks.worstcase [--rounds 9]

Question. Both programmes build the same semidefinite programme for gradient descent with h = 1 on smooth convex
functions (n steps, value L/(4n + 2)) and give it to Clarabel. What does the way to the solver cost?

Prediction. PEPit makes one cvxpy expression a constraint; here the dual goes to Clarabel as one sparse matrix, and a
sweep builds it four times whatever the number of step sizes. At least 5 times less at n = 5 and n = 10, at least 15
times on a sweep of ten step sizes, values equal to 1e-6. Process CPU time, one BLAS thread, interleaved rounds, medians
of ratios made within one round. PEPit is needed for this benchmark only: pip install PEPit

Found (shared cores, PEPit 0.5.1, Clarabel 0.11.1, medians of 9 rounds): 9.8 times less at n = 2, 10.7 at n = 5, 8.4 at
n = 10, 22.8 on the sweep; the values differ by at most 2.3e-9.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy loads its BLAS

import argparse  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from samplingtheory.evidence.worstcase import Model, solve, sweep  # noqa: E402

from .__main__ import interleaved  # noqa: E402

STEPS = np.linspace(0.5, 1.5, 10)


def descent(n: int, h: float) -> Model:
    """n steps of length h/L, L = 1, from |x0 - x*| <= 1; the measure is f(x_n) - f*."""
    model = Model()
    f = model.function(1.0)
    x = model.vector("x0")
    f.minimum()
    model.require("start", x.squared - 1)
    for k in range(n):
        x = x - h * f.at(x, str(k))[0]
    return model.maximise(f.at(x, str(n))[1])


def pepit(n: int, h: float) -> float:
    """The same in PEPit."""
    from PEPit import PEP
    from PEPit.functions import SmoothConvexFunction

    problem = PEP()
    f = problem.declare_function(SmoothConvexFunction, L=1.0)
    best, x = f.stationary_point(), problem.set_initial_point()
    problem.set_initial_condition((x - best) ** 2 <= 1)
    for _ in range(n):
        x = x - h * f.gradient(x)
    problem.set_performance_metric(f(x) - f(best))
    return float(problem.solve(wrapper="cvxpy", solver="CLARABEL", verbose=0))


def compare(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[dict[str, np.ndarray], float]:
    """CPU seconds of both, taking turns, and the largest difference of their values."""
    values: dict[str, Any] = {}

    def keep(name: str, task: Callable[[], Any]) -> Callable[[], object]:
        def run() -> object:
            values[name] = np.asarray(task())
            return None
        return run

    seconds = interleaved({"package": keep("package", ours), "PEPit": keep("PEPit", theirs)}, rounds)
    return seconds, float(np.abs(values["package"] - values["PEPit"]).max())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    try:
        import PEPit  # noqa: F401
    except ImportError:
        print("this benchmark compares with PEPit, which is not installed: pip install PEPit", file=sys.stderr)
        return 2
    table = Table("gradient descent, smooth convex, h = 1", "package, ms", "PEPit, ms", "PEPit / package: median",
                  "min, max", "target", "largest difference")
    fine = True

    def row(what: str, ours: Callable[[], Any], theirs: Callable[[], Any], target: float) -> None:
        nonlocal fine
        seconds, difference = compare(ours, theirs, options.rounds)
        ratios = seconds["PEPit"] / seconds["package"]
        fine &= bool(np.median(ratios) >= target and difference <= 1e-6)
        table.add_row(what, *(f"{1e3 * np.median(seconds[k]):.1f}" for k in ("package", "PEPit")),
                      f"{np.median(ratios):.1f}", f"{ratios.min():.1f}, {ratios.max():.1f}",
                      f">= {target:g}" if target else "", f"{difference:.1e}")

    for n, target in ((2, 0), (5, 5), (10, 5)):
        row(f"n = {n}", lambda n=n: solve(descent(n, 1.0)).primal, lambda n=n: pepit(n, 1.0), target)
    row("n = 5, ten step sizes 0.5 to 1.5", lambda: [w.primal for w in sweep(lambda h: descent(5, h), STEPS)],
        lambda: [pepit(5, h) for h in STEPS], 15)
    Console(width=140).print(table)
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
