"""What do the tests cost, and how fast are replicates?  python -m experiments.benchmarks [--rounds 9] [--quick]

Prediction: on generalised linear models the norm test is free (its row norms are cached), all three tests cost one
more pass over the data (ratio 1.5 to 1.8); Gaussian problems do not care how large the batch is; vectorised replicates
beat a loop by the width of the vector. Process CPU time, one BLAS thread, interleaved rounds, medians of ratios made
within one round: a lone time says nothing on a shared machine.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy loads its BLAS

import argparse  # noqa: E402
import time  # noqa: E402
import tracemalloc  # noqa: E402
from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import samplingtheory as st  # noqa: E402
from samplingtheory.problems.quadratic import GaussianQuadratic  # noqa: E402
from samplingtheory.problems.regression import LeastSquares  # noqa: E402

Timed = dict[str, Callable[[], object]]


def interleaved(tasks: Timed, rounds: int) -> dict[str, np.ndarray]:
    """CPU seconds of each task in each round, the tasks taking turns; one round of warm-up is dropped."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            seconds[name].append(time.process_time() - start)
    return {name: np.array(values[1:]) for name, values in seconds.items()}


def large_batch(n: int, d: int) -> tuple[Timed, str]:
    """One batch of n rows: the bare gradient against gradient + tests; fresh moments every time."""
    rng = np.random.default_rng(0)
    problem = LeastSquares(rng.standard_normal((n, d)), rng.standard_normal(n), ridge=1e-3)
    A, y, x, size = problem.data.A, problem.y, np.full((1, d), 0.1), np.array([float(n)])
    every = np.random.default_rng(1)

    def bare() -> object:
        return (A @ x[0] - y) @ A / n

    def draw() -> object:
        return problem.draw(x, size, every).moments

    def norm() -> object:
        return st.NormTest(0.5)(draw())

    def three() -> object:
        m = draw()
        return st.NormTest(0.5)(m), st.InnerProductTest(0.9)(m), st.OrthogonalityTest(5.84)(m)

    def naive() -> object:
        table = (A @ x[0] - y)[:, None] * A + 1e-3 * x[0]
        g = table.mean(0)
        e = table - g
        return (e * e).sum() / (n - 1), ((e @ g) ** 2).sum() / (n - 1)

    norm()  # the row norms are cached once a data set
    return {"bare gradient": bare, "norm test": norm, "norm + inner product + orthogonality": three,
            "naive n x d table": naive}, "bare gradient"


def gaussian(sizing: object, noise: float, steps: int = 100) -> Callable[[], object]:
    problem = GaussianQuadratic(np.linspace(1, 10, 10), noise)
    return lambda: st.run(problem, st.SGD(0.05), sizing, np.ones(10), steps, replicates=1000, rng=1)


def small_sums(b: float) -> tuple[Timed, Timed]:
    """N = 200, d = 10, R = 1000 replicates, mean batch b: the package against a Python loop over replicates."""
    rng = np.random.default_rng(0)
    N, d, R = 200, 10, 1000
    A, y = rng.standard_normal((N, d)), rng.standard_normal(N)
    problem = LeastSquares(A, y, replace=True)
    x = rng.standard_normal((R, d))
    sizes = rng.integers(int(b / 2), int(3 * b / 2) + 1, R).astype(float)
    norms = (A * A).sum(1)
    test = st.NormTest(0.5)

    def one(x_r: np.ndarray, n: int, g: np.random.Generator) -> tuple[np.ndarray, float]:
        index = g.integers(N, size=n)
        rows = A[index]
        s = rows @ x_r - y[index]
        mean = s @ rows / n
        total = (s * s @ norms[index] - n * mean @ mean) / (n - 1)
        return mean, total / (0.25 * (mean @ mean))

    def loop() -> object:
        g = np.random.default_rng(1)
        return [one(x[r], int(sizes[r]), g) for r in range(R)]

    def vector() -> object:
        return test(problem.draw(x, sizes, np.random.default_rng(1)).moments)

    H, best = A.T @ A / N, problem.constants.minimiser

    def loop_run(steps: int = 10) -> object:
        g, points, n = np.random.default_rng(1), x.copy(), np.full(R, b)
        gaps = []
        for _ in range(steps):
            for r in range(R):
                mean, asked = one(points[r], int(n[r]), g)
                points[r] = points[r] - 0.05 * mean
                n[r] = max(n[r], min(np.ceil(asked), 2 * b))
                z = points[r] - best
                gaps.append(z @ H @ z / 2)
        return gaps

    def vector_run(steps: int = 10) -> object:
        return st.run(problem, st.SGD(0.05), st.Behind(test, start=b, cap=2 * b), x, steps, rng=1)

    return {"loop": loop, "package": vector}, {"loop": loop_run, "package": vector_run}


def peak_over_table(n: int, d: int) -> float:
    """Peak memory of draw + three tests, over the n x d table that is never made."""
    tasks, _ = large_batch(n, d)
    tracemalloc.start()
    tasks["norm + inner product + orthogonality"]()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / (8 * n * d)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, to see that it runs")
    options = parser.parse_args()
    n = 10_000 if options.quick else 100_000
    table = Table("what", "median", "min, max", "target")

    def row(what: str, ratios: np.ndarray, target: str, digits: str = ".2f") -> None:
        low, middle, high = (format(float(v), digits) for v in (ratios.min(), np.median(ratios), ratios.max()))
        table.add_row(what, middle, f"{low}, {high}", target)

    tasks, base = large_batch(n, 1000)
    seconds = interleaved(tasks, options.rounds)
    for name, target in (("norm test", "<= 1.15"), ("norm + inner product + orthogonality", "<= 1.8"),
                         ("naive n x d table", "")):
        row(f"{name} / {base}, n = {n}, d = 1000", seconds[name] / seconds[base], target)

    sizes = {"Ahead": st.Ahead(st.NormTest(0.5)), "Behind": st.Behind(st.NormTest(0.5))}
    for name, target in (("Ahead", ">= 1e6"), ("Behind", ">= 7e5")):
        runs = {"small": gaussian(sizes[name], 10.0), "large": gaussian(sizes[name], 1e4)}
        seconds = interleaved(runs, options.rounds)
        row(f"Gaussian d = 10, {name}: replicate-steps a CPU-second", 1e5 / seconds["small"], target, ".3g")
        row(f"Gaussian, {name}: batches 1000 times larger / small", seconds["large"] / seconds["small"], "<= 1.2")

    draws, runs = small_sums(100)
    for name, tasks, target in (("draw + gradient + test", draws, ">= 8"), ("end to end", runs, ">= 5")):
        seconds = interleaved(tasks, max(3, options.rounds // 3))
        row(f"N = 200, mean batch 100, {name}: loop / package", seconds["loop"] / seconds["package"], target)
    row("peak memory of draw + three tests / n x d table", np.array([peak_over_table(n, 1000)]), "<< 1", ".4f")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
