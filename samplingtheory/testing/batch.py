"""The front door for batch-size rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .diagnosis import diagnose
from .engine import EXAMPLES, Deferred, Report, deferred, run_checks
from .rule_checks import RULE_CHECKS
from .rules import BatchRule


def batch_rule(rule: Any, **flags: Any) -> BatchRule:
    """The rule with its flags: those given here before those that it carries in its attribute `conformance`."""
    if isinstance(rule, BatchRule):
        return rule
    return BatchRule(rule, **{**getattr(rule, "conformance", {}), **flags})


def check_batch_rule(rule: Any, *, expected_failures: Mapping[str, str] | None = None, examples: int = EXAMPLES,
                     seed: int | None = None, **flags: Any) -> Report:
    """Every check on `rule(gradients, **params) -> size`; a report, never an exception about the rule.

    flags              fields of `BatchRule`: kind, role, replacement, answers, monotone, claims_unbiased, ...
    expected_failures  check -> reason; strict: one that passes is an error
    examples, seed     examples a check, derandomised unless a seed is given
    """
    return run_checks(batch_rule(rule, **flags), RULE_CHECKS, expected=expected_failures, examples=examples,
                      seed=seed, diagnose=diagnose)


def batch_rule_checks(rule: Any, *, expected_failures: Mapping[str, str] | None = None, examples: int = EXAMPLES,
                      seed: int | None = None, **flags: Any) -> list[Deferred]:
    """The same checks one by one, for `@pytest.mark.parametrize("check", batch_rule_checks(...), ids=str)`."""
    return deferred(batch_rule(rule, **flags), RULE_CHECKS, expected_failures, examples, seed)
