"""A theorem of one's own, from problem to verdict: python -m experiments.e00_own_theorem

Question. Does one step of SGD with a fixed batch of n = 2 halve the gap on this finite sum, on average?
Prediction. Only if the noise is small enough: the claim must hold for close components and fail for distant ones.
"""

from __future__ import annotations

import numpy as np

import samplingtheory as st
from samplingtheory.claims.base import Case, Claim, Hypothesis, Source, Symbols
from samplingtheory.evidence.base import Quantity
from samplingtheory.evidence.exact import Enumerate
from samplingtheory.problems.base import Constants
from samplingtheory.problems.finite import FiniteSum


def problem(distance: float) -> FiniteSum:
    """f_i = (x - c_i)^2/2 with c = distance * (-1, 0, 1): gradients (R, N, d), gap (R,), L = mu = 1, minimiser 0."""
    c = distance * np.array([[-1.0], [0.0], [1.0]])
    return FiniteSum(lambda x: x[:, None, :] - c, lambda x: (x**2).sum(-1) / 2, Constants(1.0, 1.0, np.zeros(1)), 3, 1)


def case(name: str, distance: float) -> Case:
    return Case(name, problem(distance), st.SGD(0.5), st.Fixed(2), np.array([1.0]), Enumerate(1), Symbols(factor=0.5))


SMALL = Hypothesis("the relative variance of the batch is at most 1", lambda case, seen: 1 - seen["rel_total"],
                   ("rel_total",))
claim = Claim(
    id="example2026/halving", kind="step", title="Half the gap in one step",
    source=Source("example2026", "an example", "ours"), statement=r"\mathbb{E}F(x_1)\le\frac12F(x_0)",
    quantity=Quantity(("gap",), lambda s, now, then: (then.gap, s.factor * now.gap)),
    hypotheses={"small": SMALL},
    tight=(case("relative variance exactly 1", 6**0.5),), generic=(case("close components", 0.5),),
    broken={"small": (case("distant components", 4.0),)},
)


def main() -> None:
    for finding in st.check_problem(problem(0.5)):
        print(f"{'ok ' if finding.passed else 'NOT'} {finding.check}")
    (verdict,) = st.verify([claim])
    print(f"{verdict.verdict}, sharpness {verdict.sharpness:.6f}, controls {verdict.controls}")


if __name__ == "__main__":
    main()
