"""What are the exact constants of SGD under the norm test, over several steps and on convex functions?

    python -m experiments.e03_worst_cases [convex | strong | steps | certificates ...] [--out DIR]

Question. f has curvature in [mu, L], L = 1, q = mu/L; E g = grad f, E|g|^2 <= M|grad f|^2 at every iterate (the norm
test with M = 1 + eps^2). What is the largest E f(x_T) - f* for T = 1..4 steps, and which steps are best for two?

How. A tree of scenarios: every node branches into S equally likely noise vectors with mean zero; the noise of the last
step goes along a flat extra direction of curvature L. S = 2 is a lower bound of the class; S = 3, 4 show whether more
noise laws help.

Prediction. Two steps are better than the square of the one-step rate, because noise moves the error into directions
that contract faster; the convex last iterate is worse than M L R^2/(4T + 2M), the guess that is exact for M = 1.

Found. Recorded in docs/findings.md with their grades.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize, minimize_scalar

from samplingtheory.claims.classes import convex_multipliers, convex_one, tree
from samplingtheory.evidence.worstcase import certify, check_multipliers, solve


def one_step_rate(q: float, M: float, a: float) -> float:
    """(1 - a q)^2 + a^2 q (M - 1), a in units of 1/L: T6*, valid for a <= min{2/(M + q), 1/(M - 1 + q)}."""
    return (1 - a * q) ** 2 + a * a * q * (M - 1)


def convex_two(M: Any) -> Any:
    """Conjecture for two steps 1/(LM), a = 1/M: (1 + a + a^2)/(2(1 + 3a + 6a^2 + 4a^3 + a^4))."""
    a = 1 / M
    return (1 + a + a**2) / (2 * (1 + 3 * a + 6 * a**2 + 4 * a**3 + a**4))


def huber(M: float, T: int) -> float:
    """E f(x_T) of the Huber function with knee 1/(1 + 2aT - a^2 (M - 1)), a = 1/M, from 1, noise across in the last
    step only: above the guess for every M > 1 and T >= 1."""
    a = 1 / M
    return 1 / (2 * (1 + 2 * a * T - a * a * (M - 1)))


def convex() -> tuple[Table, list[dict[str, float]]]:
    table = Table("M", "T", "S", "worst case (primal)", "gap", "status", "formula", "Huber", "guess M/(4T + 2M)",
                  "T7* M/(2T)", "worst / guess", title="convex, step 1/(LM), E f(x_T) - f* in units of L R^2")
    rows = []
    for M in (1.0, 1.25, 2.0, 5.0):
        for T, S in ((1, 2), (2, 2), (2, 3), (2, 4), (3, 2), (4, 2)):
            if S > 2 and M == 1:
                continue
            found = solve(tree(0, M, [1 / M] * T, S, "distance"))
            formula = {1: convex_one(M, 1 / M), 2: convex_two(M)}.get(T)
            guess = M / (4 * T + 2 * M)
            rows.append({"M": M, "T": T, "S": S, "primal": found.primal, "gap": found.gap})
            table.add_row(f"{M:g}", str(T), str(S), f"{found.primal:.8f}", f"{found.gap:.0e}", found.status,
                          "" if formula is None else f"{formula:.8f}", f"{huber(M, T):.6f}", f"{guess:.6f}",
                          f"{M / (2 * T):.5f}", f"{found.primal / guess:.5f}")
    return table, rows


PAIRS = ((0.1, 1.25), (0.1, 2.0), (0.1, 5.0), (0.5, 1.25), (0.01, 1.25))


def strong() -> tuple[Table, list[dict[str, float]]]:
    table = Table("q", "M", "T", "S", "worst case (primal)", "gap", "status", "rho*^T", "paper (1 - q/M)^T",
                  title="strongly convex, step 1/(LM), E f(x_T) - f* for f(x_0) - f* = 1")
    rows = []
    for q, M in PAIRS:
        for T, S in ((1, 2), (2, 2), (2, 3), (2, 4), (3, 2), (4, 2)):
            found = solve(tree(q, M, [1 / M] * T, S))
            rows.append({"q": q, "M": M, "T": T, "S": S, "primal": found.primal, "gap": found.gap})
            table.add_row(f"{q:g}", f"{M:g}", str(T), str(S), f"{found.primal:.8f}", f"{found.gap:.0e}", found.status,
                          f"{one_step_rate(q, M, 1 / M) ** T:.8f}", f"{(1 - q / M) ** T:.8f}")
    return table, rows


def steps() -> tuple[Table, list[dict[str, float]]]:
    """Best constant step for one and for two steps, and the best pair, by search over exact worst cases."""
    table = Table("q", "M", "best for one step: a, rate^2", "two steps with that a", "best constant a, value",
                  "best pair a1, a2, value", "the same, S = 3", title="best steps (in units of 1/L) for two steps")
    rows = []
    for q, M in PAIRS:
        def value(*a: float, q: float = q, M: float = M) -> float:
            return solve(tree(q, M, a)).dual
        high = 2 / (M + q)
        a1 = high if M - 1 <= 1 - q else 1 / (M - 1 + q)
        single = minimize_scalar(lambda a, value=value: value(a, a), bounds=(0.3 * a1, 1.2 * high), method="bounded",
                                 options={"xatol": 1e-6})
        pair = min((minimize(lambda a, value=value: value(*np.maximum(a, 1e-3)), begin, method="Nelder-Mead",
                             options={"xatol": 1e-6, "fatol": 1e-10})
                    for begin in ((single.x, single.x), (1.2 * single.x, 0.8 * single.x),
                                  (0.8 * single.x, 1.2 * single.x))), key=lambda r: float(r.fun))
        rows.append({"q": q, "M": M, "one": a1, "single": float(single.x), "value": float(single.fun),
                     "first": float(pair.x[0]), "second": float(pair.x[1]), "pair": float(pair.fun)})
        table.add_row(f"{q:g}", f"{M:g}", f"{a1:.5f}, {one_step_rate(q, M, a1) ** 2:.6f}", f"{value(a1, a1):.6f}",
                      f"{single.x:.5f}, {single.fun:.6f}", f"{pair.x[0]:.5f}, {pair.x[1]:.5f}, {pair.fun:.6f}",
                      f"{solve(tree(q, M, pair.x, 3)).primal:.6f}")
    return table, rows


def certificates() -> tuple[Table, list[dict[str, Any]]]:
    table = Table("statement", "primal", "exact bound", "grade", title="bounds checked in rational arithmetic")
    rows: list[dict[str, Any]] = []

    def row(what: str, primal: float, bound: float, grade: str) -> None:
        rows.append({"statement": what, "primal": primal, "bound": bound, "grade": grade})
        table.add_row(what, f"{primal:.9f}", f"{bound:.9f}", grade)

    for text in ("1", "5/4", "2", "5", "36"):
        M = Fraction(text)
        bound = check_multipliers(tree(0, M, [1 / M], start="distance", number=Fraction), convex_multipliers(M, 1 / M))
        row(f"convex, one step, M = {text}: exactly {bound}", solve(tree(0, M, [1 / M], start="distance")).primal,
            float(bound), "certified, exact multipliers")
    for what, q, start in (("convex", "0", "distance"), ("q = 1/10", "1/10", "value"), ("q = 1/2", "1/2", "value")):
        for text in ("5/4", "2", "5"):
            M = Fraction(text)
            arguments = (Fraction(q), M, [1 / M, 1 / M], 2, start)
            found = solve(tree(*arguments))
            proof = certify(tree(*arguments, number=Fraction), found)
            row(f"{what}, two steps, S = 2, M = {text}", found.primal, float(proof.bound), proof.words)
    return table, rows


PARTS: dict[str, Callable[[], tuple[Table, list[dict[str, Any]]]]] = {
    "convex": convex, "strong": strong, "steps": steps, "certificates": certificates}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)} (default all)")
    parser.add_argument("--out", type=Path, default=Path("samplingtheory-out"))
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"{unknown[0]!r} is none of {', '.join(PARTS)}")
    results = {}
    for name in options.parts or PARTS:
        table, results[name] = PARTS[name]()
        Console(width=150).print(table)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "e03_worst_cases.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
