"""What `samplingtheory conform` does: load what is to be checked, choose its checks, and check ourselves."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..claims.base import Claim
from ..errors import UserError
from .batch import batch_rule, check_batch_rule
from .engine import EXPECTED, SKIPPED, Check, Report, run_checks
from .kinds import KINDS, reference
from .listing import SAMPLINGS
from .optimizers import OPTIMIZER_CHECKS, Optimizer, check_optimizer
from .proxes import PROX_CHECKS, as_prox, check_prox
from .ranks import STATISTIC_CHECKS, STATISTICS, Statistic, check_statistic, reference_statistic
from .recursions import OPTIMIZERS
from .rule_checks import RULE_CHECKS
from .theorems import check_theorem

ALL_KINDS = (*KINDS, *STATISTICS, *OPTIMIZERS, "prox", "theorem")


def load(name: str) -> Any:
    """The object MODULE:ATTRIBUTE, with the working directory on the path."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise UserError(f"{name!r} names no object; write MODULE:CALLABLE, for example mypackage.tests:norm_rule")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise UserError(f"{module} cannot be imported: {type(error).__name__}: {error}") from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UserError(f"{module} has no {attribute!r}; write MODULE:CALLABLE")
        found = getattr(found, part)
    return found


def kind_of(target: Any, kind: str | None) -> str:
    """The kind that was given, or that the object carries."""
    if kind is None:
        kind = "theorem" if isinstance(target, Claim) else "prox" if hasattr(target, "prox") else getattr(
            target, "conformance", {}).get("kind")
    if kind not in ALL_KINDS:
        got = "no kind was given" if kind is None else f"kind is {kind!r}"
        raise UserError(f"{got}; use --kind with one of {', '.join(ALL_KINDS)}")
    return kind


def conform(target: Any, kind: str | None = None, flags: Mapping[str, Any] | None = None, *,
            expected: Mapping[str, str] | None = None, examples: int = 50, seed: int | None = None) -> Report:
    """The report on one object; `flags` are those of its front door (`check_batch_rule`, ...)."""
    kind, flags = kind_of(target, kind), dict(flags or {})
    how: dict[str, Any] = {"expected_failures": expected, "examples": examples, "seed": seed}
    if kind == "theorem":
        call: Callable[..., Report] = partial(check_theorem, expected_failures=expected, seed=seed or 0)
    elif kind == "prox":
        call = partial(check_prox, **how)
    elif kind in KINDS:
        call = partial(check_batch_rule, kind=kind, **how)
    elif kind in STATISTICS:
        call = partial(check_statistic, kind=kind, **how)
    else:
        call = partial(check_optimizer, kind=kind, **how)
    try:
        return call(target, **flags)
    except (TypeError, ValueError) as error:
        words = str(error)
        if "unexpected keyword" in words:
            words = f"kind {kind} takes no option {words.split()[-1].strip(chr(39))}"
        raise UserError(words) from None


def flags_of(given: Mapping[str, Any], more: Sequence[str]) -> dict[str, Any]:
    """Flags from the command line: NAME is true, NAME=2,3 a tuple of whole numbers, NAME=3 one, else text."""
    found = {k: v for k, v in given.items() if v is not None}
    for text in more:
        name, _, value = text.partition("=")
        parts = value.split(",")
        numbers = [int(p) for p in parts if p.isdigit()]
        found[name] = True if not value else value if len(numbers) < len(parts) else (
            numbers[0] if len(numbers) == 1 and name != "layout" else tuple(numbers))
    if isinstance(found.get("value"), str):
        found["value"] = load(found["value"])
    return found


def expected_of(given: Sequence[str]) -> dict[str, str]:
    """CHECK=REASON as a dictionary."""
    pairs = [text.partition("=") for text in given]
    for name, _, reason in pairs:
        if not name or not reason:
            raise UserError(f"--expect {name!r} gives no reason; write --expect CHECK=REASON")
    return {name: reason for name, _, reason in pairs}


def write_files(matrix: Path | None, vectors: Path | None, examples: int | None,
                say: Callable[[str], None]) -> int | None:
    """The kill matrix and the vectors, where asked for; the exit status, or None if neither was."""
    if matrix is None and vectors is None:
        return None
    status = 0
    if vectors is not None:
        from .vectors import dumps

        vectors.write_text(dumps())
        say(str(vectors))
    if matrix is not None:
        from .matrix import kill_matrix, page, summary

        rows = kill_matrix(examples=examples or 50, progress=lambda row: say(
            f"{row.mutant.label}: {', '.join(row.killers) or 'survives'}" + (f" (WRONG: {row.wrong})" if row.wrong else
                                                                            "")))
        matrix.write_text(page(rows))
        say(f"\n{summary(rows)}\n{matrix}")
        status = 1 if any(row.wrong for row in rows) else 0
    return status


def print_reports(reports: Iterator[Report], say: Callable[[str], None]) -> int:
    """One line a report, the whole table of those that failed; exit status 0 or 1."""
    status = 0
    for report in reports:
        judged = sum(r.judged for r in report.results)
        ran = [r for r in report.results if r.verdict != SKIPPED]
        expected = sum(r.verdict == EXPECTED for r in ran)
        say(f"{'ok ' if report.ok else 'NOT'} {report.subject}, kind {report.kind}: {len(ran)} checks, {judged} "
            "examples judged" + (f", {expected} failures as expected ({report.diagnosis})" if expected else ""))
        if not report.ok:
            say(str(report))
            status = 1
    return status


Subject = tuple[Any, Sequence[Check]]


def ourselves() -> list[list[Subject]]:
    """Everything of ours that the kit can check, in groups that share their checks."""
    from .. import methods
    from ..problems import prox
    from .adapters import from_method

    rules: list[Subject] = [(batch_rule(reference(kind, s), kind=kind, role="lagged" if s == "batch" else "exact",
                         replacement=s == "with"), RULE_CHECKS) for kind in KINDS for s in SAMPLINGS]
    ranks: list[Subject] = [(Statistic(reference_statistic(kind), kind, equal, padded=True), STATISTIC_CHECKS)
             for kind in STATISTICS for equal in (False, True)]
    build: dict[str, Any] = {"sgd": methods.SGD, "momentum": methods.Momentum, "adagrad-norm": methods.AdaGradNorm,
             "adagrad": methods.AdaGrad, "rmsprop": partial(methods.RMSProp, v0=0.0), "adam": methods.AdamW,
             "adam-theory": methods.Adam, "adamw": methods.AdamW, "proximal-gradient": _proximal_gradient}
    walks: list[Subject] = [(Optimizer(from_method(make), kind, name=f"reference {kind}"), OPTIMIZER_CHECKS)
             for kind, make in build.items()]
    hs = [(prox.Nothing(), None), (prox.L1(0.5), None), (prox.ElasticNet(0.5, 1.0), None), (prox.Box(-1.0, 1.0), None),
          (prox.Ball(1.0), None), (prox.Simplex(1.0), None), (prox.L1Ball(1.0), None), (prox.Nuclear(0.5, (2, 2)), 4)]
    return [rules, ranks, walks, [(as_prox(h, dim=d), PROX_CHECKS) for h, d in hs]]


def _proximal_gradient(alpha: float, weight: float) -> Any:
    from ..methods import ProximalGradient
    from ..problems.prox import L1

    return ProximalGradient(alpha, L1(weight))


def check_ourselves(examples: int = 360, seed: int | None = None) -> Iterator[Report]:
    """Every check on our own implementations, `examples` a check in all, spread over the kinds that share it."""
    from .mistakes.theorems import claim

    for group in ourselves():
        each = -(-examples // len(group))
        for subject, checks in group:
            yield run_checks(subject, [replace(c, share=1.0) for c in checks], examples=each, seed=seed)
    yield check_theorem(claim())


def third_party() -> list[tuple[str, Any, str, Mapping[str, str]]]:
    """(name, factory, kind, expected failures) of optimizers of other libraries that are installed."""
    from .adapters import from_pair, from_torch

    found: list[tuple[str, Any, str, Mapping[str, str]]] = []
    if find_spec("torch"):
        import torch

        found += [(f"torch.optim.{cls.__name__}", from_torch(cls, **more), kind, {}) for cls, kind, more in (
            (torch.optim.SGD, "sgd", {}), (torch.optim.SGD, "momentum", {}), (torch.optim.Adagrad, "adagrad", {}),
            (torch.optim.RMSprop, "rmsprop", {}), (torch.optim.Adam, "adam", {}), (torch.optim.AdamW, "adamw", {}))]
    if find_spec("optax"):
        import jax
        import optax

        jax.config.update("jax_enable_x64", True)
        inside = {name: "optax puts epsilon inside the root" for name in (
            "recursion", "constant-gradient", "impulse", "gradient-scale")}
        decay = {"beta2": "decay", "alpha": "learning_rate"}
        found += [("optax.sgd", from_pair(optax.sgd), "sgd", {}), ("optax.sgd", from_pair(optax.sgd), "momentum", {}),
                  ("optax.adagrad", from_pair(optax.adagrad), "adagrad", inside),
                  ("optax.rmsprop", from_pair(optax.rmsprop, decay), "rmsprop", inside),
                  ("optax.adam", from_pair(optax.adam), "adam", {}),
                  ("optax.adamw", from_pair(optax.adamw), "adamw", {})]
    return found


def per_tensor(gradients: Any, theta: float) -> float:
    """The practical inner product test as a published implementation is described: the variance of <g_i, G> tensor by
    tensor, added up; here for two tensors of two entries. Written from that description."""
    mean = gradients.mean(0)
    blocks = (slice(0, 2), slice(2, 4))
    spread = float(sum(((gradients[:, b] - mean[b]) @ mean[b]).var(ddof=1) for b in blocks))
    allowed = theta**2 * float(mean @ mean) ** 2
    return spread / allowed if allowed else math.inf if gradients.any() else 0.0


def described() -> list[tuple[str, Any, str, Mapping[str, Any], Mapping[str, str]]]:
    """(name, callable, kind, flags, expected failures) of rules and statistics written from published descriptions."""
    from .mistakes.ranks import plain_mean, printed, within_plus_between

    lost, biased = "the covariance between tensors is lost", "biased"
    return [
        ("inner product test, tensor by tensor", per_tensor, "inner-product", {"role": "lagged", "layout": (2, 2)},
         dict.fromkeys(("soundness", "minimality", "duplication", "ordering"), lost)),
        ("DDP-Norm as printed", printed, "rank-means", {"equal": True}, {"unbiased": biased}),
        ("mean of ranks that hold unequally many", plain_mean, "rank-means", {}, {"unbiased": biased}),
        ("within plus between", within_plus_between, "rank-moments", {"equal": True, "least": 2},
         {"unbiased": biased, "sharding": biased}),
    ]


def check_third_party(examples: int = 50, seed: int | None = None) -> Iterator[Report]:
    """Optimizers of other libraries, where installed, and rules as published; known differences are expected
    failures."""
    for words, call, what, flags, known in described():
        yield conform(call, what, {**flags, "name": words}, expected=known, examples=examples, seed=seed)
    for name, factory, kind, expected in third_party():
        yield check_optimizer(factory, kind=kind, name=name, expected_failures=expected, examples=examples, seed=seed)
