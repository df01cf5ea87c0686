"""What is the smallest sum on which a rule that looks at its own batch breaks the theorem's linear rate?

Question. For each way of choosing the size and each test: the least number N of components, and among those the least
integers, for which E F(x_k) - F* <= (1 - mu/(L M))^k (F(x_0) - F*) is false in exact arithmetic. f_i = (x - c_i)^2/2 with
integers c_i of sum 0 and an integer x_0 > 0 (gradients x - c_i, minimiser 0, L = mu = 1), theta = 1/2, batches from two
samples, the step 1/(L M). For the test on the complete step x >= 0 is a constraint that holds the minimiser, sum c_i < 0. Rules that fix
the first size beforehand (`Behind`) must start with a size that the exact test admits, and are followed for two steps.

Prediction. N = 3 for all of them: with N = 2 the first batch is the whole sum. A pair that agrees, c = (-2, 1, 1), passes
every test at every point, also at the solution, so a start close enough to the solution breaks any rule that accepts
it; tolerances and corrections cannot help, only a minimum batch can. For the lagged rule, N = 3 or 4, two steps.

Found. N = 3 for every rule, with every test except two. Same batch, however it grows: c = (-2, 1, 1), x_0 = 1, ratio 9/5,
and with distinct centres c = (-3, 0, 3), x_0 = 1, again 9/5: the pair (-3, 0) passes and doubles the step, the others
take all three. Correcting the tolerance or the signal changes none of these. Pilot of two: 7/3. Lagged, whether sizes may
fall or not: c = (-1, 0, 1), x_0 = 1, ratio 233/225 at the second step, so the prediction that a memory helps is wrong. N = 4
is needed for the lagged augmented test, (-3, 0, 1, 2) from 4, 1517/1350, and for the test on the complete step with
distinct centres, 33/10. All are archived in experiments/data/smallest_instances.json and replayed by the tests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

import samplingtheory as st
from samplingtheory.problems.composite import Composite
from samplingtheory.problems.prox import Box
from samplingtheory.problems.quadratic import QuadraticSum

PAPER = ""
HALF = Fraction(1, 2)
fraction = np.vectorize(Fraction, otypes=[object])
TESTS = {"norm": st.NormTest(HALF), "inner product": st.InnerProductTest(HALF),
         "augmented": st.AugmentedInnerProductTest(Fraction(3, 10), Fraction(2, 5)),
         "coordinate-wise": st.CoordinatewiseNormTest(HALF), "norm, debiased": st.Debiased(st.NormTest(HALF)),
         "norm, repaired": st.Repaired(st.NormTest(HALF)), "step norm": st.StepNormTest(HALF**2, "mapping")}
GROWTH = Fraction(5, 4)  # M = 1 + 1/4 of all of them
RULES = {"extend by one": lambda c: st.SameBatch(c, grow=1), "extend by doubling": lambda c: st.SameBatch(c, grow=2),
         "extend to what is asked": st.SameBatch, "redraw": lambda c: st.SameBatch(c, on_fail="redraw", grow=2),
         "pilot": st.Pilot, "lagged, may fall": lambda c: st.Behind(c, monotone=False), "lagged, never smaller": st.Behind}


def ratio(rule: str, test: str, c: Any, x0: Any) -> tuple[int, Fraction]:
    """(k, E F(x_k)/(rho^k F(x_0))) of an instance, exactly; ratio 0 where the lagged rule starts too small."""
    c, x = fraction(np.asarray(c))[:, None], fraction(np.array([x0]))
    problem: Any = QuadraticSum(fraction(np.ones(len(c), dtype=int)), c)
    alpha, steps = 1 / GROWTH, 2 if rule.startswith("lagged") else 1
    method: Any = st.SGD(alpha)
    if test.startswith("step"):
        box = Box(np.zeros(1), np.full(1, math.inf))
        problem, method = Composite(problem, box, minimiser=fraction(np.zeros(1, dtype=int))), st.ProximalGradient(alpha, box)
    sizing = RULES[rule](TESTS[test])
    if rule.startswith("lagged"):
        exact = TESTS[test].criterion if hasattr(TESTS[test], "criterion") else TESTS[test]
        view = st.View(problem, method, method.init(x[None, :]), st.EVERY)
        if float(st.whole(exact(view.law), 1, len(c))[0]) > 2:
            return steps, Fraction(0)
    gap = st.run(problem, method, sizing, x, steps, rng=st.EVERY, record=("gap",)).means("gap")[:, 0]
    return steps, gap[steps] / ((1 - alpha) ** steps * gap[0])


def candidates(N: int, largest: int, constrained: bool, distinct: bool) -> Iterator[tuple[tuple[int, ...], int]]:
    """Integer instances with N components and numbers up to `largest`, the simplest first."""
    centres = [c for c in combinations_with_replacement(range(-largest, largest + 1), N) if len(set(c)) > 1
               and (sum(c) < 0 if constrained else sum(c) == 0) and (len(set(c)) == N or not distinct)]
    pairs = [(c, x) for c in centres for x in range(1, largest + 1)]
    return iter(sorted(pairs, key=lambda p: (max(*map(abs, p[0]), p[1]), sum(map(abs, p[0])) + p[1], p)))


def tasks(quick: bool) -> list[dict[str, Any]]:
    most = 3 if quick else 5
    return [{"rule": rule, "test": test, "distinct": distinct, "most": most, "largest": 4}
            for distinct in (False, True) for rule in RULES for test in TESTS]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """The first instance beyond the rate, by N and then by simplicity, and how many were tried."""
    tried = 0
    for N in range(2, task["most"] + 1):
        for c, x0 in candidates(N, task["largest"], task["test"].startswith("step"), task["distinct"]):
            tried += 1
            k, value = ratio(task["rule"], task["test"], c, x0)
            if value > 1:
                return {"N": N, "c": list(c), "x0": x0, "k": k, "ratio": str(value), "tried": tried}
    return {"N": None, "tried": tried}


def shape(results: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    return {"rows": [task | result for task, result in results]}


def draw(shaped: dict[str, Any]) -> dict[str, Any]:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 1, figsize=(13, 7.4))
    for ax, distinct in zip(axes, (False, True), strict=True):
        ax.axis("off")
        ax.set_title("distinct centres" if distinct else "any integer centres", loc="left")
        cells = [[next(_cell(row) for row in shaped["rows"] if (row["rule"], row["test"], row["distinct"])
                       == (rule, test, distinct)) for test in TESTS] for rule in RULES]
        table = ax.table(cells, rowLabels=list(RULES), colLabels=list(TESTS), loc="center", cellLoc="center")
        table.auto_set_font_size(False)
        table.set_fontsize(8)
        table.scale(1, 1.9)
    return {"smallest-instances": figure}


def _cell(row: dict[str, Any]) -> str:
    if row["N"] is None:
        return f"none, N <= {row['most']}"
    return f"{tuple(row['c'])}, x={row['x0']}\nk={row['k']}: {row['ratio']}"


def caption(shaped: dict[str, Any]) -> str:
    found = [row for row in shaped["rows"] if row["N"]]
    least = {row["N"] for row in found}
    return (f"Centres c, start x and the exact ratio to the rate at step k. {len(found)} of {len(shaped['rows'])} pairs of "
            f"rule and test have a counter-example with N in {sorted(least)} and integers up to 4.")


if __name__ == "__main__":
    from samplingtheory.experiment import main

    raise SystemExit(main(__file__))
