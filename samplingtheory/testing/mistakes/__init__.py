"""Planted mistakes by subject; `mutants()` is all of them."""

from __future__ import annotations

from .base import Mutant

__all__ = ["Mutant", "mutants"]


def mutants() -> list[Mutant]:
    """Every mutant that ships with the kit: batch rules, per-rank statistics, optimizers, proxes, theorems."""
    from .alone import alone
    from .optimizers import optimizer_mutants
    from .proxes import prox_mutants
    from .ranks import statistic_mutants
    from .rules import rule_mutants
    from .theorems import theorem_mutants

    return [*rule_mutants(), *alone(), *statistic_mutants(), *optimizer_mutants(), *prox_mutants(),
            *theorem_mutants()]
