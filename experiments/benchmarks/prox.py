"""What do proximal operators cost?  python -m experiments.benchmarks.prox [--rounds 15]

Prediction: each is no slower than twice its closed form in plain NumPy on (1000, 50) arrays: the extra work (clipping
in place of signs, keeping points inside a set to the bit, accepting Fractions) is passes over memory, not algorithms.
Process CPU time, one thread, interleaved rounds, medians of ratios made within one round.
"""

from __future__ import annotations

from .__main__ import interleaved  # before NumPy loads its BLAS: it sets one thread

# isort: split
import argparse
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from samplingtheory.problems.prox import L1, Ball, Box, ElasticNet, L1Ball, Nuclear, Regulariser, Simplex

R, D, ALPHA, REPEAT = 1000, 50, 0.3, 20
Plain = Callable[[np.ndarray], np.ndarray]


def soft(u: np.ndarray) -> np.ndarray:
    return np.sign(u) * np.maximum(np.abs(u) - ALPHA, 0)


def ball(u: np.ndarray) -> np.ndarray:
    return u * np.minimum(1, 5 / np.linalg.norm(u, axis=1, keepdims=True))


def moved_ball(u: np.ndarray) -> np.ndarray:
    z = u - CENTRE
    return CENTRE + z * np.minimum(1, 5 / np.linalg.norm(z, axis=1, keepdims=True))


def simplex(u: np.ndarray) -> np.ndarray:
    ordered = -np.sort(-u, axis=1)
    excess = ordered.cumsum(1) - 1
    k = (ordered * np.arange(1, D + 1) > excess).sum(1)
    return np.maximum(u - (excess[np.arange(R), k - 1] / k)[:, None], 0)


def l1_ball(u: np.ndarray) -> np.ndarray:
    inside = np.abs(u).sum(1, keepdims=True) <= 1
    return np.where(inside, u, np.sign(u) * simplex(np.abs(u)))


def nuclear(u: np.ndarray) -> np.ndarray:
    left, sigma, right = np.linalg.svd(u.reshape(R, 5, 10), full_matrices=False)
    return ((left * np.maximum(sigma - ALPHA, 0)[:, None]) @ right).reshape(R, D)


CENTRE = np.linspace(-1, 1, D)
PAIRS: dict[str, tuple[Regulariser, Plain]] = {
    "l1": (L1(1.0), soft), "l1, one weight a coordinate": (L1(np.ones(D)), soft),
    "elastic net": (ElasticNet(1.0, 0.5), lambda u: soft(u) / (1 + ALPHA * 0.5)),
    "box": (Box(-0.5, 0.5), lambda u: np.clip(u, -0.5, 0.5)), "simplex": (Simplex(), simplex),
    "ball": (Ball(5.0), ball), "ball, moved": (Ball(5.0, CENTRE), moved_ball), "l1 ball": (L1Ball(1.0), l1_ball),
    "nuclear, 5 x 10": (Nuclear(1.0, (5, 10)), nuclear),
}


def repeated(operator: Callable[[np.ndarray], np.ndarray], u: np.ndarray) -> Callable[[], object]:
    def task() -> None:
        for _ in range(REPEAT):
            operator(u)
    return task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    np.ones(3_500_000)  # having freed 28 MB, glibc keeps smaller blocks: no time goes into new pages
    u = np.random.default_rng(0).standard_normal((R, D))
    table = Table("prox", "plain, us", "ratio", "min, max", "target")
    for name, (h, plain) in PAIRS.items():
        assert np.abs(h.prox(u, ALPHA) - plain(u)).max() < 1e-12, name
        tasks = {"ours": repeated(lambda v, h=h: h.prox(v, ALPHA), u), "plain": repeated(plain, u)}
        seconds = interleaved(tasks, rounds)
        ratio = seconds["ours"] / seconds["plain"]
        table.add_row(name, f"{1e6 * np.median(seconds['plain']) / REPEAT:.0f}", f"{np.median(ratio):.2f}",
                      f"{ratio.min():.2f}, {ratio.max():.2f}", "<= 2")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
