"""Mistakes in batch-size rules. Sources: public implementations as described in their documentation and papers
(Bollapragada, Byrd, Nocedal 2018; Lau, Li, Xu, Liu, Kolar 2024), and slips of the pen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..kinds import Rule
from .base import Mutant, sampling_of

Pairs = list[tuple[float, float, float]]  # (spread, signal, tolerance squared)


@dataclass
class Table:
    """What a formula reads of a table; the fields are what mistakes change."""

    g: np.ndarray
    sampling: str
    params: Mapping[str, Any]
    mean: np.ndarray = field(init=False)
    dev: np.ndarray = field(init=False)
    divisor: float = field(init=False)
    population: float = field(init=False)

    def __post_init__(self) -> None:
        N = len(self.g)
        self.mean = self.g.mean(0)
        self.dev = self.g - self.mean
        self.divisor = N if self.sampling == "with" else max(N - 1, 1)
        self.population = N if self.sampling == "without" else math.inf

    @property
    def signal(self) -> float:
        return float(self.mean @ self.mean)

    def total(self) -> float:
        return float((self.dev**2).sum() / self.divisor)

    def along(self) -> float:
        return float(((self.dev @ self.mean) ** 2).sum() / self.divisor / self.signal) if self.signal else self.total()

    def across(self) -> float:
        return max(self.total() - self.along(), 0.0)

    def step(self, alpha: float, weight: float) -> float:
        x = np.asarray(self.params["x"])
        moved = x - alpha * self.mean
        s = (x - np.sign(moved) * np.maximum(np.abs(moved) - alpha * weight, 0)) / alpha
        return float(s @ s)


def right(kind: str, t: Table) -> Pairs:
    """The inequalities of a kind as a textbook would compute them."""
    p = t.params
    if kind == "norm":
        return [(t.total(), t.signal, p["eps"] ** 2)]
    if kind == "inner-product":
        return [(t.along(), t.signal, p["theta"] ** 2)]
    if kind == "orthogonality":
        return [(t.across(), t.signal, p["nu"] ** 2)]
    if kind == "augmented":
        return [(t.along(), t.signal, p["theta"] ** 2), (t.across(), t.signal, p["nu"] ** 2)]
    if kind == "coordinate-wise":
        return [(float(v), float(m * m), p["eps"] ** 2) for v, m in zip(
            (t.dev**2).sum(0) / t.divisor, t.mean, strict=True)]
    return [(t.total(), t.step(p["alpha"], p["weight"]), p["xi"])]


def size_of(spread: float, signal: float, tol2: float, population: float) -> float:
    if spread == 0:
        return 0.0
    inverse = tol2 * signal / spread + 1 / population
    return 1 / inverse if inverse > 0 else math.inf


def ceil(n: float) -> float:
    return n if math.isinf(n) or math.isnan(n) else float(math.ceil(n - 1e-12 * max(1.0, abs(n))))


def rule(kind: str, flags: Mapping[str, Any], *, table: Callable[[Table], None] = lambda t: None,
         pairs: Callable[[Table], Pairs] | None = None, size: Callable[..., float] = size_of,
         combine: Callable[[Sequence[float]], float] = max, rounding: Callable[[float], float] = ceil,
         end: Callable[[float, Table], float] = lambda n, t: n) -> Rule:
    """A rule in steps (read the table, form the inequalities, solve each, combine, round), any of them changed."""
    sampling = sampling_of(flags)

    def call(gradients: Any, **params: Any) -> float:
        t = Table(np.asarray(gradients, dtype=float), sampling, params)
        table(t)
        found = right(kind, t) if pairs is None else pairs(t)
        return end(rounding(combine([size(*pair, t.population) for pair in found])), t)

    return call


def _set(**values: Callable[[Table], Any]) -> Callable[[Table], None]:
    def change(t: Table) -> None:
        for name, value in values.items():
            setattr(t, name, value(t))
    return change


def _blocks(t: Table) -> list[slice]:
    """A layout of two tensors: the first coordinate and the rest."""
    d = t.g.shape[1]
    return [slice(0, 1), slice(1, d)] if d > 1 else [slice(0, 1)]


def _per_tensor(t: Table, split: Callable[[Table], list[slice]] = _blocks) -> float:
    inner = [((t.dev[:, b] @ t.mean[b]) ** 2).sum() / t.divisor for b in split(t)]
    return float(sum(inner) / t.signal) if t.signal else t.total()


def per_tensor(layout: Sequence[int] | None) -> Callable[[Table], list[slice]]:
    """The slices of a layout; of every coordinate by itself if there is none."""
    def split(t: Table) -> list[slice]:
        sizes = layout or [1] * t.g.shape[1]
        ends = np.cumsum(sizes)
        return [slice(int(e) - s, int(e)) for e, s in zip(ends, sizes, strict=True)]
    return split


def _per_tensor_across(t: Table) -> float:
    kept = 0.0
    for b in _blocks(t):
        m = t.mean[b]
        kept += float(((t.dev[:, b] @ m) ** 2).sum() / t.divisor / (m @ m)) if m @ m > 0 else 0.0
    return max(t.total() - kept, 0.0)


def _squared_fpc(spread: float, signal: float, tol2: float, population: float) -> float:
    """Smallest n with spread/n (1 - n/N)^2 <= tol^2 signal."""
    if spread == 0 or math.isinf(population):
        return size_of(spread, signal, tol2, population)
    a = tol2 * signal / spread
    b = 2 / population + a
    return (b - math.sqrt(b * b - 4 / population**2)) * population**2 / 2


def _capped(n: float, t: Table) -> float:
    return min(n, t.population)


NORM = {"kind": "norm"}
WITH = {"kind": "norm", "replacement": True}
BATCH = {"kind": "norm", "role": "lagged"}
INNER, ACROSS, BOTH = {"kind": "inner-product"}, {"kind": "orthogonality"}, {"kind": "augmented"}
COORDINATE, STEP = {"kind": "coordinate-wise"}, {"kind": "step-norm"}


def _general(flags: Mapping[str, Any]) -> list[Mutant]:
    """Mistakes that any kind and any sampling can have."""
    kind = flags["kind"]

    def mutant(name: str, **changes: Any) -> Mutant:
        return Mutant(name, "rule", rule(kind, flags, **changes), flags)

    def tolerance(change: Callable[[float], float]) -> Callable[[Table], Pairs]:
        return lambda t: [(s, g, change(q)) for s, g, q in right(kind, t)]

    found = [
        mutant("tolerance not squared", pairs=tolerance(math.sqrt)) if kind != "step-norm" else
        mutant("xi squared", pairs=tolerance(lambda q: q * q)),
        mutant("tolerance inverted", pairs=tolerance(lambda q: 1 / q)),
        mutant("floor for ceil", rounding=lambda n: n if math.isinf(n) else math.floor(n)),
        mutant("round for ceil", rounding=lambda n: n if math.isinf(n) else float(round(n))),
        mutant("standard deviation for variance",
               size=lambda s, g, q, N: size_of(math.sqrt(s), math.sqrt(g), math.sqrt(q), N)),
        mutant("deviations from the first sample", table=_set(dev=lambda t: t.g - t.g[0])),
        mutant("uncentred second moment", table=_set(dev=lambda t: t.g)),
        mutant("epsilon 1e-8 in the denominator", pairs=lambda t: [(s, g + 1e-8, q) for s, g, q in right(kind, t)]),
        mutant("sum of the gradients for their mean", pairs=lambda t: [
            (s, g * len(t.g) ** 2, q) for s, g, q in right(kind, t)]),
        mutant("signal not squared", pairs=lambda t: [(s, math.sqrt(g), q) for s, g, q in right(kind, t)]),
    ]
    if sampling_of(flags) != "with":
        found.append(mutant("divisor n for n - 1", table=_set(divisor=lambda t: len(t.g))))
    else:
        found.append(Mutant("divisor n - 1 for n", "rule", rule(kind, flags, table=_set(
            divisor=lambda t: max(len(t.g) - 1, 1))), flags,
            conservative="the variance of the law has divisor N; n - 1 asks for N/(N - 1) times as much"))
    if sampling_of(flags) == "without":
        found += [
            Mutant("finite-population factor dropped", "rule", rule(kind, flags, table=_set(
                population=lambda t: math.inf), end=lambda n, t: min(n, len(t.g))), flags,
                conservative="without the factor 1 - n/N every size is sufficient, and too large"),
            mutant("finite-population factor squared", size=_squared_fpc),
        ]
    else:
        found.append(mutant("finite-population factor where there is no population", table=_set(
            population=lambda t: len(t.g))))
    found.append(Mutant("one sample more", "rule", rule(kind, flags, end=lambda n, t: min(
        n + 1, t.population)), flags, conservative="a larger batch meets every test"))
    found.append(Mutant("at least two samples", "rule", rule(kind, flags, end=lambda n, t: max(n, min(
        2, len(t.g)))), flags, conservative="a batch of two where one is enough meets every test"))
    return found


def _mutant(name: str, flags: Mapping[str, Any], pairs: Callable[[Table], Pairs] | None = None, **more: Any) -> Mutant:
    marks = {k: more.pop(k) for k in ("equivalent", "conservative") if k in more}
    return Mutant(name, "rule", rule(flags["kind"], flags, pairs=pairs, **more), flags, **marks)


def _norm(flags: Mapping[str, Any]) -> list[Mutant]:
    eps = lambda t: t.params["eps"] ** 2  # noqa: E731
    return [
        _mutant("largest coordinate variance for the sum", flags, lambda t: [
            (float((t.dev**2).sum(0).max() / t.divisor), t.signal, eps(t))]),
        _mutant("L1 norm for the Euclidean norm", flags, lambda t: [(t.total(), float(np.abs(t.mean).sum()) ** 2,
                                                                      eps(t))]),
        _mutant("one variance over all entries", flags, lambda t: [(float(t.g.var()), t.signal, eps(t))]),
        _mutant("mean over the coordinates for the sum", flags, lambda t: [
            (t.total() / t.g.shape[1], t.signal, eps(t))]),
        _mutant("inner product test for the norm test", flags, lambda t: [(t.along(), t.signal, eps(t))]),
    ]


def _inner(flags: Mapping[str, Any]) -> list[Mutant]:
    theta = lambda t: t.params["theta"] ** 2  # noqa: E731
    return [
        _mutant("per-tensor sum (cross-tensor covariance lost)", flags, lambda t: [
            (_per_tensor(t), t.signal, theta(t))]),
        _mutant("per-coordinate sum (all covariance lost)", flags, lambda t: [
            (_per_tensor(t, per_tensor(None)), t.signal, theta(t))]),
        _mutant("fourth power of |g| missing: divided by |g|^2", flags, lambda t: [
            (t.along() * t.signal, t.signal, theta(t))]),
        _mutant("norm test for the inner product test", flags, lambda t: [(t.total(), t.signal, theta(t))],
                conservative="total >= along: the norm test implies the inner product test"),
    ]


def _across(flags: Mapping[str, Any]) -> list[Mutant]:
    nu = lambda t: t.params["nu"] ** 2  # noqa: E731
    return [
        _mutant("projection removed tensor by tensor", flags, lambda t: [(_per_tensor_across(t), t.signal, nu(t))]),
        _mutant("norm test for the orthogonality test", flags, lambda t: [(t.total(), t.signal, nu(t))],
                conservative="total >= across: the norm test implies the orthogonality test"),
        _mutant("inner product for orthogonality", flags, lambda t: [(t.along(), t.signal, nu(t))]),
    ]


def _both(flags: Mapping[str, Any]) -> list[Mutant]:
    return [
        _mutant("min for max", flags, combine=min),
        _mutant("sum of the two sizes", flags, combine=sum, end=_capped,
                conservative="the sum of two sizes is at least the larger"),
        _mutant("theta and nu exchanged", flags, lambda t: [
            (t.along(), t.signal, t.params["nu"] ** 2), (t.across(), t.signal, t.params["theta"] ** 2)]),
        _mutant("orthogonality dropped", flags, lambda t: right("augmented", t)[:1]),
        _mutant("norm test with theta^2 + nu^2", flags, lambda t: [
            (t.total(), t.signal, t.params["theta"] ** 2 + t.params["nu"] ** 2)]),
    ]


def _coordinate(flags: Mapping[str, Any]) -> list[Mutant]:
    return [
        _mutant("mean over the coordinates for the largest", flags, combine=lambda sizes: sum(sizes) / len(sizes)),
        _mutant("norm test for the coordinate-wise test", flags, lambda t: [
            (t.total(), t.signal, t.params["eps"] ** 2)]),
        _mutant("coordinates without gradient left out", flags, lambda t: [
            p for p in right("coordinate-wise", t) if p[1] > 0]),
    ]


def _step(flags: Mapping[str, Any]) -> list[Mutant]:
    xi = lambda t: t.params["xi"]  # noqa: E731
    return [
        _mutant("gradient for the step", flags, lambda t: [(t.total(), t.signal, xi(t))]),
        _mutant("1/alpha^2 missing", flags, lambda t: [(t.total(), t.params["alpha"] ** 2 * t.step(
            t.params["alpha"], t.params["weight"]), xi(t))]),
        _mutant("prox with the weight, not alpha times it", flags, lambda t: [(t.total(), t.step(
            t.params["alpha"], t.params["weight"] / t.params["alpha"]), xi(t))]),
    ]


def no_cap(gradients: Any, *, eps: float) -> float:
    """The closed form without `min(n, N)`."""
    t = Table(np.asarray(gradients, dtype=float), "without", {"eps": eps})
    return ceil(size_of(t.total(), t.signal, eps * eps, t.population))


def rule_mutants() -> list[Mutant]:
    """Every mistake, each in the kind where it was seen or first looked for."""
    return [
        *_general(NORM), *_norm(NORM), *_inner(INNER), *_across(ACROSS), *_both(BOTH), *_coordinate(COORDINATE),
        *_step(STEP), *_general(WITH), *_general(BATCH),
        Mutant("no cap at N", "rule", no_cap, NORM, equivalent="1/(eps^2 signal/V + 1/N) never exceeds N"),
    ]


def known_mistakes(kind: str, flags: Mapping[str, Any], layout: Sequence[int] | None) -> list[Mutant]:
    """What a failing rule of this kind, with these flags, is compared with."""
    own = {"norm": _norm, "inner-product": _inner, "orthogonality": _across, "augmented": _both,
           "coordinate-wise": _coordinate, "step-norm": _step}[kind](flags)
    if kind == "inner-product" and layout:
        own.insert(0, _mutant(f"per-tensor sum (cross-tensor covariance lost), tensors of {list(layout)}", flags,
                              lambda t: [(_per_tensor(t, per_tensor(layout)), t.signal, t.params["theta"] ** 2)]))
    return [*own, *_general(flags)]
