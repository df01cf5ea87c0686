"""The kinds of batch-size test: their parameters, and the reference, which is this package's own criteria."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import criteria
from ..methods import ProximalGradient
from ..moments import Moments, dot, moments
from ..problems.finite import exact_law
from ..problems.prox import L1

TOLERANCES: Mapping[str, tuple[str, ...]] = {
    "norm": ("eps",), "inner-product": ("theta",), "orthogonality": ("nu",), "augmented": ("theta", "nu"),
    "coordinate-wise": ("eps",), "step-norm": ("xi",),
}
OTHERS: Mapping[str, tuple[str, ...]] = {"step-norm": ("alpha", "weight", "x")}
KINDS = tuple(TOLERANCES)
Rule = Callable[..., Any]


def record(gradients: Any, sampling: str) -> Moments:
    """Moments of one sample gradient, as the given sampling reads a table (N, d)."""
    table = np.asarray(gradients, dtype=float)
    N = len(table)
    if sampling == "batch":
        return moments(table[None])
    return exact_law(table[None], np.full(N, 1 / N), math.inf if sampling == "with" else N)


def real_size(kind: str, sampling: str, gradients: Any, params: Mapping[str, Any]) -> float:
    """The smallest real n by this package's criteria."""
    m = record(gradients, sampling)
    tests: dict[str, Any] = {"norm": criteria.NormTest, "inner-product": criteria.InnerProductTest,
             "orthogonality": criteria.OrthogonalityTest, "augmented": criteria.AugmentedInnerProductTest,
             "coordinate-wise": criteria.CoordinatewiseNormTest}
    if kind in tests:
        return float(tests[kind](**params)(m)[0])
    method = ProximalGradient(params["alpha"], L1(params["weight"]))
    step = method.mapping(np.asarray(params["x"], dtype=float)[None], m.mean)
    return float(criteria.smallest(m.total, dot(step, step), math.sqrt(params["xi"]), m.population)[0])


def reference(kind: str, sampling: str = "without") -> Rule:
    """This package's test as a rule: (gradients, **params) -> whole size, a float, inf where no size is enough."""
    def rule(gradients: Any, **params: Any) -> float:
        size = real_size(kind, sampling, gradients, params)
        return size if math.isinf(size) else float(criteria.whole(size))

    rule.__name__ = f"reference {kind} ({sampling})"
    return rule
