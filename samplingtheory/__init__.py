"""Check theorems about adaptive sampling by experiment.

    import samplingtheory as st
    m = st.moments(gradients)      # (B, d) per-sample gradients
    st.NormTest(0.5)(m)            # smallest admissible batch size

`samplingtheory verify` runs the catalogue of theorems; see the README.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from .criteria import (
    AugmentedInnerProductTest,
    CoordinatewiseNormTest,
    Debiased,
    InnerProductTest,
    KnownVariance,
    NormTest,
    OrthogonalityTest,
    Repaired,
    StepInnerProductTest,
    StepNormTest,
    debiased,
    growth_of,
    smallest,
    whole,
)
from .methods import SGD, AdaGrad, AdaGradNorm, Adam, AdamW, Backtracking, Momentum, ProximalGradient, RMSProp
from .moments import Moments, moments
from .run import EVERY, Trace, View, run
from .sizing import Ahead, Averaged, Behind, Fixed, Geometric, Lagged, Pilot, Safeguard, SameBatch
from .verify import verify  # eagerly: a later import of the submodule would put the module in the function's place

if TYPE_CHECKING:
    from .claims.catalogue import catalogue
    from .problems.check import check_problem

try:
    __version__ = version("samplingtheory")
except PackageNotFoundError:  # run from a checkout that was not installed
    __version__ = "0+unknown"

_LAZY = {"catalogue": "claims.catalogue", "check_problem": "problems.check"}

__all__ = [
    "EVERY", "SGD", "AdaGrad", "AdaGradNorm", "Adam", "AdamW", "Ahead", "AugmentedInnerProductTest", "Averaged",
    "Backtracking", "Behind", "CoordinatewiseNormTest", "Debiased", "Fixed", "Geometric", "InnerProductTest",
    "KnownVariance", "Lagged", "Moments", "Momentum", "NormTest", "OrthogonalityTest", "Pilot", "ProximalGradient",
    "RMSProp", "Repaired", "Safeguard", "SameBatch",
    "StepInnerProductTest", "StepNormTest", "Trace", "View", "catalogue", "check_problem", "debiased", "growth_of",
    "moments", "run", "smallest", "verify", "whole",
]


def __getattr__(name: str) -> Any:
    """Names whose import costs more than the tests themselves are loaded when first used."""
    if name in _LAZY:
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for completion; all else is still reached by its full name."""
    return sorted([*__all__, "__version__"])
