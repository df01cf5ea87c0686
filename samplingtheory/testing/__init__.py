"""Conformance checks and property-based tests for adaptive batch sizes, one's own or other people's.

    from samplingtheory.testing import batch_rule_checks, check_batch_rule
    print(check_batch_rule(my_rule, kind="norm"))           # rule(gradients, eps=...) -> size

    @pytest.mark.parametrize("check", batch_rule_checks(my_rule, kind="norm"), ids=str)
    def test_my_rule(check):
        check()

Needs hypothesis: the extra `testing`. The rest of the package does not.
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401
except ModuleNotFoundError:
    raise ModuleNotFoundError("samplingtheory.testing needs hypothesis: pip install 'samplingtheory[testing]'",
                              name="hypothesis") from None

from . import strategies
from .adapters import PerRank, Scheduler, Sequential, from_method, from_pair, from_torch
from .batch import batch_rule_checks, check_batch_rule
from .engine import ConformanceError, Report, Result
from .matrix import kill_matrix
from .mistakes import Mutant, mutants
from .optimizers import check_optimizer, optimizer_checks
from .proxes import check_prox, prox_checks
from .ranks import check_statistic, statistic_checks
from .theorems import check_theorem, theorem_checks
from .vectors import shipped as vectors

__all__ = [
    "ConformanceError", "Mutant", "PerRank", "Report", "Result", "Scheduler", "Sequential", "batch_rule_checks",
    "check_batch_rule", "check_optimizer", "check_prox", "check_statistic", "check_theorem", "from_method", "from_pair",
    "from_torch", "kill_matrix", "mutants", "optimizer_checks", "prox_checks", "statistic_checks", "strategies",
    "theorem_checks", "vectors",
]
