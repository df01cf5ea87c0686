"""Checks of proximal operators: `prox(u, alpha)` for a closed convex h that is given by its values.

p = argmin_z h(z) + |z - u|^2/(2 alpha)  if and only if  h(z) >= h(p) + <u - p, z - p>/alpha for every z. The z that are
tried: prox images of other points, points between, and small moves along coordinates and pairs of coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .engine import EXAMPLES, NAMED, Check, Deferred, Failure, Report, deferred, need, run_checks
from .guard import as_number, as_points, guarded, seedless
from .strategies import rationals

CLOSE = 1e-9
MOVES = (1.0, 0.1, 1e-3)


@dataclass(frozen=True)
class Prox:
    """A prox under test. value(x) -> h(x), inf outside the domain; conjugate(u, alpha): the prox of h*, if known."""

    call: Any
    value: Callable[[np.ndarray], Any] = field(repr=False)
    dim: int | None = None
    conjugate: Any = None
    kind: str = "prox"
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or getattr(self.call, "__name__", type(self.call).__name__))

    def at(self, u: Any, alpha: Any, seed: int = 0) -> np.ndarray:
        point = np.array(u, dtype=float)
        return as_points(guarded(self.call, point.copy(), float(alpha), seed=seed), point.shape, "a prox")

    def h(self, x: np.ndarray) -> float:
        return as_number(self.value(x), "a value")


@dataclass(frozen=True)
class ProxExample:
    u: Sequence[Fraction]
    v: Sequence[Fraction]
    alpha: Fraction


def examples() -> Any:
    @st.composite
    def build(draw: Any, p: Prox) -> ProxExample:
        d = p.dim or draw(st.integers(1, 3))
        vectors = st.lists(rationals(-12, 12), min_size=d, max_size=d)
        return ProxExample(draw(vectors), draw(vectors), draw(st.sampled_from([
            Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(2)])))
    return build


def runs(p: Prox, e: ProxExample) -> None:
    guarded(p.call, np.array(e.u, dtype=float), float(e.alpha))


def a_point(p: Prox, e: ProxExample) -> None:
    p.at(e.u, e.alpha)


def leaves_alone(p: Prox, e: ProxExample) -> None:
    u = np.array(e.u, dtype=float)
    guarded(p.call, u, float(e.alpha))
    need(np.array_equal(u, np.array(e.u, dtype=float)), "changes the point that it is given")


def global_state(p: Prox, e: ProxExample) -> None:
    seedless(lambda seed: p.at(e.u, e.alpha, seed))


def inside(p: Prox, e: ProxExample) -> None:
    need(p.h(p.at(e.u, e.alpha)) < math.inf, "the prox lies outside the domain of h")


def _tried(q: np.ndarray, w: np.ndarray) -> Iterator[np.ndarray]:
    d = len(q)
    yield from (q + t * (w - q) for t in (1.0, 0.5, 0.01))
    yield np.zeros(d)
    for i in range(d):
        for t in MOVES:
            move = t * np.eye(d)[i]
            yield from (q + move, q - move, *(q + move - t * np.eye(d)[j] for j in range(d) if j != i))
        yield np.where(np.arange(d) == i, 0.0, q)


def optimal(p: Prox, e: ProxExample) -> None:
    u, q, alpha = np.array(e.u, dtype=float), p.at(e.u, e.alpha), float(e.alpha)
    here = p.h(q)
    need(here < math.inf, "the prox lies outside the domain of h")
    for z in _tried(q, p.at(e.v, e.alpha)):
        least = here + float((u - q) @ (z - q)) / alpha
        size = 1 + abs(here) + float(u @ u + z @ z) / alpha
        there = p.h(z)
        if there < least - CLOSE * size:
            raise Failure(f"prox = {q.tolist()} is not the minimiser: z = {z.tolist()} breaks "
                          "h(z) >= h(p) + <u - p, z - p>/alpha")


def firmly(p: Prox, e: ProxExample) -> None:
    u, v = np.array(e.u, dtype=float), np.array(e.v, dtype=float)
    a, b = p.at(e.u, e.alpha), p.at(e.v, e.alpha)
    gap = float((a - b) @ (u - v) - (a - b) @ (a - b))
    need(gap >= -CLOSE * (1 + float(u @ u + v @ v)),
         f"<p - q, u - v> - |p - q|^2 = {gap:.3g} < 0: not firmly nonexpansive")


def moreau(p: Prox, e: ProxExample) -> None:
    u, alpha = np.array(e.u, dtype=float), float(e.alpha)
    other = as_points(guarded(p.conjugate, u / alpha, 1 / alpha), u.shape, "a prox")
    off = float(np.abs(p.at(e.u, e.alpha) + alpha * other - u).max())
    need(off <= CLOSE * (1 + float(np.abs(u).max())), f"prox_h + alpha prox_h*/alpha misses u by {off:.3g}")


PROX_CHECKS: tuple[Check, ...] = (
    Check("runs", "raises nothing", runs, examples(), implied=NAMED),
    Check("returns-a-point", "a prox is a finite array of the shape of u", a_point, examples(), implied=NAMED),
    Check("leaves-input-alone", "u is not changed", leaves_alone, examples()),
    Check("ignores-global-random-state", "one input, one answer", global_state, examples(), share=0.5),
    Check("inside", "the prox lies in the domain of h", inside, examples(),
          implied="a point outside breaks the inequality of `optimal`; this check says where it lies"),
    Check("optimal", "the subgradient inequality that defines a prox", optimal, examples()),
    Check("firmly-nonexpansive", "<p - q, u - v> >= |p - q|^2", firmly, examples(),
          implied="it is the sum of the inequalities of `optimal` at u and at v; but it needs no values of h"),
    Check("moreau", "u = prox_h(u) + alpha prox_h*(u/alpha)", moreau, examples(),
          applies=lambda p: "" if p.conjugate else "no conjugate given"),
)


def check_prox(prox: Any, value: Any = None, *, expected_failures: Mapping[str, str] | None = None,
               examples: int = EXAMPLES, seed: int | None = None, **flags: Any) -> Report:
    """Every check on `prox(u, alpha)` for h with values `value(x)`. flags: dim, conjugate, name.

    An object with `prox` and `value` (a `Regulariser` of this package, say) can be given alone.
    """
    return run_checks(as_prox(prox, value, **flags), PROX_CHECKS, expected=expected_failures, examples=examples,
                      seed=seed, diagnose=diagnose)


def as_prox(prox: Any, value: Any = None, **flags: Any) -> Prox:
    if isinstance(prox, Prox):
        return prox
    if value is None and hasattr(prox, "prox"):
        return Prox(prox.prox, prox.value, name=flags.pop("name", type(prox).__name__), **flags)
    if not callable(value):
        raise ValueError("a prox is checked against h: give value=, a function x -> h(x), or an object with both")
    return Prox(prox, value, **flags)


def diagnose(p: Prox) -> str:
    """What a wrong soft-thresholding is known to be; other h have no list."""
    from .diagnosis import verdict
    from .mistakes.proxes import known_mistakes, l1_value

    rng = np.random.default_rng(0)
    asked = [(rng.standard_normal(p.dim or 3) * 2, a) for a in (0.5, 1.0, 2.0) for _ in range(4)]
    weights = [p.h(np.eye(len(asked[0][0]))[0])]
    if not 0 < weights[0] < math.inf or any(abs(p.h(u) - l1_value(u, weights[0])) > 1e-12 * (
            1 + weights[0] * float(np.abs(u).sum())) for u, _ in asked):
        return ""
    known = known_mistakes(weights[0])
    try:
        same = [m for m in known if all(np.allclose(p.at(u, a), m.build(u, a), rtol=1e-9, atol=1e-12)
                                        for u, a in asked)]
    except Failure:
        same = []
    return verdict(same, len(known), False, f"{len(asked)} of {len(asked)} points")


def prox_checks(prox: Any, value: Any = None, *, expected_failures: Mapping[str, str] | None = None,
                examples: int = EXAMPLES, seed: int | None = None, **flags: Any) -> list[Deferred]:
    """The same checks one by one, for pytest."""
    return deferred(as_prox(prox, value, **flags), PROX_CHECKS, expected_failures, examples, seed)
