"""One step of SGD with step 1/(LM) under the norm test: E[F(x+) - F*] <= (1 - mu/(LM)) (F(x) - F*), M = 1 + eps^2.

For F = (L/2) x^2 with mu = L the factor is attained once the noise meets the test with equality.
"""

import numpy as np

import samplingtheory as st
from samplingtheory.claims.base import Case, Claim, Hypothesis, Source, Symbols
from samplingtheory.evidence.base import Quantity
from samplingtheory.evidence.exact import Enumerate
from samplingtheory.problems.base import Constants
from samplingtheory.problems.finite import FiniteSum

L, EPS = 2.0, 0.5
M = 1 + EPS**2


def problem(spread: float) -> FiniteSum:
    """f_i = (L/2) x^2 + c_i x with c = spread * (-1, 1), drawn with replacement: V = spread^2 everywhere."""
    c = spread * np.array([[-1.0], [1.0]])
    return FiniteSum(lambda x: L * x[:, None, :] + c, lambda x: L / 2 * (x**2).sum(-1), Constants(L, L, np.zeros(1)),
                     2, 1, replace=True)


def case(name: str, spread: float, alpha: float = 1 / (L * M)) -> Case:
    """At x = 1 the gradient is L: one sample has the relative variance (spread / L)^2."""
    told = Symbols(L=L, mu=L, growth=M, alpha=1 / (L * M))
    return Case(name, problem(spread), st.SGD(alpha), st.Fixed(1), np.array([1.0]), Enumerate(1), told)


test_holds = Hypothesis("the norm test holds: the relative variance is at most eps^2",
                        lambda case, seen: 1 - (1 + seen["rel_total"]) / case.symbols.growth, ("rel_total",))
short_step = Hypothesis("the step that is made is the one in the bound",
                        lambda case, seen: 1e-9 - abs(case.method.alpha / case.symbols.alpha - 1))

claim = Claim(
    id="me2026/one-step", kind="step", title="One step under the norm test",
    source=Source("me2026", "a template", "ours"),
    statement=r"\mathbb{E}[F(x_+)-F^*]\le\Bigl(1-\frac{\mu}{LM}\Bigr)(F(x)-F^*)",
    quantity=Quantity(("gap",), lambda s, now, then: (then.gap, (1 - s.mu / (s.L * s.growth)) * now.gap)),
    hypotheses={"test": test_holds, "step": short_step},
    tight=(case("noise at the limit of the test", EPS * L),),
    generic=(case("half the noise", EPS * L / 2),),
    broken={"test": (case("twice the noise", 2 * EPS * L),), "step": (case("twice the step", EPS * L, 2 / (L * M)),)},
)

if __name__ == "__main__":
    (verdict,) = st.verify([claim])
    print(f"{verdict.verdict}; sharpness {verdict.sharpness:.3f}; "
          f"controls {verdict.controls['killed']} of {verdict.controls['total']}")
