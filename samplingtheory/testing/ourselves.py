"""Our own implementations under every check, with the examples of a check shared by the kinds that it applies to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .adapters import PerRank
from .batch import batch_rule
from .engine import Check, Report, run_checks
from .kinds import KINDS, reference
from .listing import SAMPLINGS
from .optimizers import OPTIMIZER_CHECKS, Optimizer
from .proxes import PROX_CHECKS, as_prox
from .ranks import STATISTIC_CHECKS, STATISTICS, Statistic, reference_statistic
from .rule_checks import RULE_CHECKS
from .theorems import check_theorem

Subject = tuple[Any, Sequence[Check]]


def rules() -> list[Subject]:
    """Every test in every sampling; one over ranks; and a fixed size, which is unbiased and promises nothing else."""
    ours: list[Subject] = [(batch_rule(
        reference(kind, s), kind=kind, role="lagged" if s == "batch" else "exact", replacement=s == "with"), RULE_CHECKS)
        for kind in KINDS for s in SAMPLINGS]
    ranks = batch_rule(PerRank(reference_statistic("rank-moments")), name="reference norm (pooled over ranks)")
    fixed = batch_rule(lambda gradients, eps: True, kind="norm", role="same-batch", answers="accept",
                       claims_unbiased=True, name="a fixed size")
    return [*ours, (ranks, RULE_CHECKS), (fixed, [c for c in RULE_CHECKS if c.name == "unbiased"])]


def statistics() -> list[Subject]:
    return [(Statistic(reference_statistic(kind), kind, equal, padded=True), STATISTIC_CHECKS)
            for kind in STATISTICS for equal in (False, True)]


def optimizers() -> list[Subject]:
    from .. import methods
    from .adapters import from_method

    build: dict[str, Any] = {
        "sgd": methods.SGD, "momentum": methods.Momentum, "adagrad-norm": methods.AdaGradNorm,
        "adagrad": methods.AdaGrad, "rmsprop": partial(methods.RMSProp, v0=0.0), "adam": methods.AdamW,
        "adam-theory": methods.Adam, "adamw": methods.AdamW, "proximal-gradient": _proximal_gradient}
    return [(Optimizer(from_method(make), kind, name=f"reference {kind}"), OPTIMIZER_CHECKS)
            for kind, make in build.items()]


def _proximal_gradient(alpha: float, weight: float) -> Any:
    from ..methods import ProximalGradient
    from ..problems.prox import L1

    return ProximalGradient(alpha, L1(weight))


def proxes() -> list[Subject]:
    from ..problems import prox

    hs: list[tuple[Any, dict[str, Any]]] = [
        (prox.Nothing(), {}), (prox.L1(0.5), {"conjugate": prox.Box(-0.5, 0.5).prox}), (prox.ElasticNet(0.5, 1.0), {}),
        (prox.Box(-1.0, 1.0), {}), (prox.Ball(1.0), {}), (prox.Simplex(1.0), {}), (prox.L1Ball(1.0), {}),
        (prox.Nuclear(0.5, (2, 2)), {"dim": 4})]
    return [(as_prox(h, **flags), PROX_CHECKS) for h, flags in hs]


def ourselves() -> list[list[Subject]]:
    """Everything of ours that the kit can check, in groups that share their checks."""
    return [rules(), statistics(), optimizers(), proxes()]


def check_ourselves(examples: int = 180, seed: int | None = None) -> Iterator[Report]:
    """Every check on our own implementations: `examples` random examples a check in all, shared evenly by the
    implementations that it applies to, each from a seed of its own. A claim draws nothing."""
    from .mistakes.theorems import claim

    for group in ourselves():
        sharing = Counter(c.name for subject, checks in group for c in checks if not c.applies(subject))
        for number, (subject, checks) in enumerate(group):
            shared = [replace(c, share=1 / max(sharing[c.name], 1)) for c in checks]
            yield run_checks(subject, shared, examples=examples, seed=None if seed is None else seed + number)
    yield check_theorem(claim())
