"""Which known mistake a failing implementation equals: the same answers on tables where mistakes differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from .engine import Failure
from .kinds import TOLERANCES, reference
from .mistakes.base import Mutant
from .rules import BatchRule, whole

TABLES = 40
Question = tuple[np.ndarray, dict[str, Any]]


def questions(rule: BatchRule) -> list[Question]:
    """Tables on which sizes are large, so that mistakes do not agree by chance; fixed seed.

    The first half has the mean at the scale of the noise; the second is small in magnitude, where a constant in a
    denominator shows.
    """
    rng, found = np.random.default_rng(0), []
    for i in range(TABLES):
        d = rule.dim or int(rng.integers(2, 5))
        table = np.round(rng.standard_normal((int(rng.integers(8, 40)), d)) + rng.standard_normal(d), 3)
        params: dict[str, Any] = {name: float(np.round(rng.uniform(0.05, 0.4), 3)) for name in TOLERANCES[rule.kind]}
        small = 2.0**-12 if i % 2 else 1.0
        if rule.kind == "step-norm":
            params |= {"alpha": 0.25, "weight": 0.3 * small, "x": list(np.round(rng.standard_normal(d), 3) * small)}
        found.append((table * small, params))
    return found


def answers(call: Callable[..., Any], rule: BatchRule, asked: Iterable[Question]) -> list[float]:
    """Whole sizes, NaN where there is none."""
    found, asking = [], replace(rule, call=call)
    for table, params in asked:
        try:
            found.append(whole(rule.read(asking.ask(rule.convert(table), rule.arguments(params)), len(table))))
        except Failure:
            found.append(math.nan)
    return found


def match(ours: list[float], theirs: list[float], right: list[float]) -> bool:
    """Equal wherever both answer (more than half of the time), and not merely right."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if not (math.isnan(a) or math.isnan(b))]
    return 2 * len(pairs) > len(ours) and all(a == b for a, b in pairs) and theirs != right


def diagnose(rule: BatchRule) -> str:
    """The known mistakes that the rule equals, in words; "" if it accepts rather than sizes."""
    from .mistakes.rules import known_mistakes

    if rule.answers != "size":
        return ""
    flags = {"kind": rule.kind, "role": rule.role, "replacement": rule.replacement}
    asked = questions(rule)
    plain = BatchRule(reference(rule.kind, rule.sampling), rule.kind, rule.role, rule.replacement, dim=rule.dim)
    ours, right = answers(rule.call, rule, asked), answers(plain.call, plain, asked)
    if all(map(math.isnan, ours)):
        return "it answers on no table"
    known = known_mistakes(rule.kind, flags, rule.layout)
    return verdict([m for m in known if match(ours, answers(m.build, plain, asked), right)], len(known), ours == right,
                   f"{len(asked)} of {len(asked)} tables")


def verdict(found: list[Mutant], known: int, right: bool, where: str) -> str:
    if found:
        return f"equals the known mistake \"{found[0].name}\" ({where})" + "".join(f"; and \"{m.name}\""
                                                                                  for m in found[1:])
    if right:
        return f"equals the reference on {where}: what failed lies elsewhere (contract, edge cases, magnitudes)"
    return f"none of the {known} known mistakes"

