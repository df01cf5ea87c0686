"""Right-hand sides of the theorems on adaptive gradient methods, as functions of what a theorem is told.

Pure functions of numbers. Outside the hypotheses of its theorem (eta >= 1, v0 <= 0, alpha too long) a bound is inf: it
says nothing there. Proofs: docs/proofs (adadagrad2024, lau2024). eta is the relative noise of the norm test
(`NormTest.eps`), Delta = F(x_1) - inf F, tau^2 = 1 + eta^2. All constants ours, unless a docstring says otherwise.
"""

from .adagrad import (
    Bound,
    bound_adagrad_coord,
    bound_adagrad_norm,
    bound_any_tau,
    bound_pathwise,
    descent_share,
    generalised,
)
from .adam import bound_adam, bound_adam_pathwise, condition_margin, momentum_margin
from .lau2024 import bound_p2_corrected, bound_p2_printed, p2_condition

__all__ = [
    "Bound", "bound_adagrad_coord", "bound_adagrad_norm", "bound_adam", "bound_adam_pathwise", "bound_any_tau",
    "bound_p2_corrected", "bound_p2_printed", "bound_pathwise", "condition_margin", "descent_share", "generalised",
    "momentum_margin", "p2_condition",
]
