"""Batch-size tests: from the moments of one sample gradient to the smallest admissible sample size.

One inequality serves all of them (u is the unit vector of the direction, total = along + across):

    spread / n * (1 - n/N)  <=  tol^2 * signal            smallest n = 1 / (tol^2 signal / spread + 1/N)

A criterion is which spread and which tolerance. The exact test reads `problem.law(x)`; the practical test is
the same function of a batch. Sizes are real; `whole` is the one place that rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .moments import Array, Moments, exact, exact_array

Criterion = Callable[[Moments], Array]


def smallest(spread: Array, signal: Array, tol: Array, population: float) -> Array:
    """Smallest real n with spread/n (1 - n/N) <= tol^2 signal: 0 without spread, N (or inf) without signal."""
    spread, signal = np.asarray(spread), np.asarray(signal)
    if spread.dtype == object:
        return _smallest_exact(spread, signal, tol, population)
    tol = np.asarray(tol, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = 1.0 / (np.square(tol) * signal / spread + 1.0 / population)
    size = np.where(spread > 0, size, np.where(spread == 0, 0.0, np.nan))
    if np.isnan(size).any():
        raise ValueError(
            "a batch-size test met NaN (or a negative variance): the gradients behind it are not finite"
        )
    return size[()]


def _smallest_exact(spread: Array, signal: Array, tol: Array, population: float) -> Array:
    tol2 = exact(tol, spread) ** 2
    rest = Fraction(0) if math.isinf(population) else 1 / Fraction(population)
    out = np.empty(spread.shape, dtype=object)
    for i in np.ndindex(spread.shape):
        if spread[i] == 0:
            out[i] = Fraction(0)
        elif spread[i] == math.inf:
            out[i] = 1 / rest if rest else math.inf
        else:
            inverse = tol2 * signal[i] / spread[i] + rest
            out[i] = 1 / inverse if inverse else math.inf
    return out[()]


def whole(n: Array, least: float = 1.0, cap: float = 1e15) -> Array:
    """n rounded up to a whole size in [least, cap], as float64.

    n within 1e-12 (relative) above an integer counts as that integer: an oracle that meets its test with
    equality would otherwise draw two samples for one at most points, and the tight case would test nothing.
    """
    n = np.asarray(n)
    if n.dtype == object:
        n = np.array([v if v == math.inf else math.ceil(v) for v in n.ravel()], dtype=float).reshape(n.shape)
    else:
        low = np.minimum(n, cap)
        n = np.where(n < cap, np.ceil(low - 1e-12 * np.maximum(low, 1.0)), cap)
    return np.clip(n, least, cap)


def _positive(name: str, value: Any) -> None:
    try:
        good = bool(np.all(np.asarray(value, dtype=float) > 0) and np.all(np.isfinite(np.asarray(value, dtype=float))))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"{name} is {value}; a tolerance must be a finite number above 0")


@dataclass(frozen=True)
class NormTest:
    """E|g - grad F|^2 = total / n <= eps^2 |grad F|^2.  Byrd, Chin, Nocedal, Wu (2012)."""

    eps: Any

    def __post_init__(self) -> None:
        _positive("eps", self.eps)

    def __call__(self, m: Moments) -> Array:
        return smallest(m.total, m.signal, self.eps, m.population)


@dataclass(frozen=True)
class InnerProductTest:
    """Var <g_i, u> / n <= theta^2 |grad F|^2,  u = grad F / |grad F|.

    Bollapragada, Byrd, Nocedal (2018). Their fourth power cancels because u has unit length.
    """

    theta: Any

    def __post_init__(self) -> None:
        _positive("theta", self.theta)

    def __call__(self, m: Moments) -> Array:
        return smallest(m.along, m.signal, self.theta, m.population)


def across(m: Moments) -> Array:
    """Variance of one sample gradient orthogonal to the direction: total - along (inf if nothing is known)."""
    total, along = np.asarray(m.total), np.asarray(m.along)
    if total.dtype == object:
        return total - along
    known = np.isfinite(total)
    return np.where(known, np.maximum(np.where(known, total, 0) - np.where(known, along, 0), 0.0), np.inf)[()]


@dataclass(frozen=True)
class OrthogonalityTest:
    """E|(I - u u') g_i|^2 / n <= nu^2 |grad F|^2.  Bollapragada, Byrd, Nocedal (2018)."""

    nu: Any

    def __post_init__(self) -> None:
        _positive("nu", self.nu)

    def __call__(self, m: Moments) -> Array:
        return smallest(across(m), m.signal, self.nu, m.population)


@dataclass(frozen=True)
class AugmentedInnerProductTest:
    """Inner product test AND orthogonality test: the larger of the two sizes.

    Bollapragada, Byrd, Nocedal (2018); their parameters are theta = 0.9, nu = 5.84.
    """

    theta: Any = 0.9
    nu: Any = 5.84

    def __post_init__(self) -> None:
        _positive("theta", self.theta)
        _positive("nu", self.nu)

    def __call__(self, m: Moments) -> Array:
        return np.maximum(InnerProductTest(self.theta)(m), OrthogonalityTest(self.nu)(m))


@dataclass(frozen=True)
class CoordinatewiseNormTest:
    """E(g_i - grad_i F)^2 = variances_i / n <= eps^2 (grad_i F)^2 for every coordinate i: the largest of d sizes.

    The condition of Lau, Li, Xu, Liu, Kolar (2024) for AdaGrad and Adam; the formula for the size is ours. Implies
    the norm test. A coordinate with variance and no gradient asks for N, or for inf with replacement: use it with
    multiplicative noise or without replacement. Reads `m.variances` and `m.mean`.
    """

    eps: Any

    def __post_init__(self) -> None:
        _positive("eps", self.eps)

    def __call__(self, m: Moments) -> Array:
        if not hasattr(m, "variances"):
            raise ValueError(f"{type(m).__name__} keeps no coordinate variances, which the coordinate-wise test reads")
        squares = m.squares if hasattr(m, "squares") else m.mean * m.mean
        return np.max(smallest(m.variances, squares, self.eps, m.population), axis=-1)


def growth_of(criterion: Criterion) -> float:
    """M with E|g|^2 <= M |grad F|^2 whenever the exact test holds: 1 + eps^2, or 1 + theta^2 + nu^2; else inf.

    Coordinate-wise: the same in every coordinate. The inner product test alone, the orthogonality test alone and tests
    on the complete step bound no such M (inf): noise across the gradient, or along it, of any size passes.
    """
    inner = getattr(criterion, "criterion", None)
    if isinstance(criterion, (NormTest, CoordinatewiseNormTest)):
        return 1 + criterion.eps * criterion.eps
    if isinstance(criterion, AugmentedInnerProductTest):
        return 1 + criterion.theta * criterion.theta + criterion.nu * criterion.nu
    return growth_of(inner) if inner is not None else math.inf


@dataclass(frozen=True)
class _Restated:
    """Moments whose signal is replaced; all else is read from `base`."""

    base: Moments
    signal: Array
    shrink: Array  # 1/n - 1/N

    @property
    def squares(self) -> Array:
        """Squared entries of the mean, each corrected for its own noise."""
        variances = np.asarray(self.base.variances)  # type: ignore[attr-defined]
        known = np.asarray(variances, dtype=float) < math.inf
        excess = np.where(known, variances, 0) * np.asarray(self.shrink)[..., None]
        return np.where(known, np.maximum(self.base.mean * self.base.mean - excess, 0), 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)


def debiased(m: Moments) -> Moments:
    """m with signal max(0, signal - total/n (1 - n/N)): |g|^2 overstates |grad F|^2 by the variance of g.

    `squares`, which the coordinate-wise test reads, are corrected alike, entry by entry.
    """
    n, total = np.asarray(m.n), np.asarray(m.total)
    if np.isinf(np.asarray(n, dtype=float)).all():
        return m  # an exact law has nothing to correct
    rest = 0 if math.isinf(m.population) else 1 / exact(m.population, total)
    known = np.asarray(total, dtype=float) < math.inf
    shrink = 1 / exact_array(n, total) - rest
    return _Restated(m, np.where(known, np.maximum(m.signal - np.where(known, total, 0) * shrink, 0), 0), shrink)


@dataclass(frozen=True)
class Debiased:
    """A practical test with the signal corrected for its own noise (`debiased`)."""

    criterion: Criterion

    def __call__(self, m: Moments) -> Array:
        return self.criterion(debiased(m))


@dataclass(frozen=True)
class _Known:
    """Moments whose spread is replaced by a bound that is known beforehand."""

    base: Moments
    total: Array
    along: Array

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)


@dataclass(frozen=True)
class KnownVariance:
    """A practical test that does not estimate the spread: tr Cov <= total (and its part along g <= `along`) is known.

    With `Behind` it is the lagged rule of the theorems: n_{k+1} >= total / (theta^2 |g_k|^2). Without `along` all of
    the variance may lie along the direction. A batch of one sample is enough: nothing is estimated.
    """

    criterion: Criterion
    total: Any
    along: Any = None

    def __post_init__(self) -> None:
        _positive("total", self.total)
        if self.along is not None and not 0 <= self.along <= self.total:
            raise ValueError(f"along is {self.along}; it is a part of total = {self.total}")

    def __call__(self, m: Moments) -> Array:
        signal = np.asarray(m.signal)
        known = [exact(self.total if v is None else v, signal) for v in (self.total, self.along)]
        total, along = (np.full(signal.shape, v, dtype=signal.dtype) for v in known)
        return self.criterion(_Known(m, total, along))


def needs_spread(criterion: Any) -> bool:
    """Whether a test estimates a variance, which takes two samples: not if `KnownVariance` is anywhere inside."""
    while criterion is not None and not isinstance(criterion, KnownVariance):
        criterion = getattr(criterion, "criterion", None)
    return criterion is None


ENUMERABLE = 20  # largest N whose subsets are listed
STEPS = ("expected", "realised", "mapping")


def _first(m: Any, passes: Callable[[Any], Array], what: str) -> Array:
    """Smallest n in 1..N whose exact complete step passes; enumeration, so for small N only."""
    if math.isinf(m.population):
        raise ValueError(f"{what} enumerates sizes up to N; with replacement there is no N: use step='mapping'")
    R, N = len(m.signal), int(m.population)
    if N > ENUMERABLE:
        raise ValueError(f"{what} lists all batches of every size; N = {N} is too large (at most {ENUMERABLE}): use "
                         "step='mapping'")
    size = np.full(R, float(N))
    waiting = np.ones(R, dtype=bool)
    for n in range(1, N):
        good = waiting & passes(m.step(np.full(R, float(n))))
        size[good], waiting = n, waiting & ~good
        if not waiting.any():
            break
    return size


def _check_step(step: str) -> None:
    if step not in STEPS:
        raise ValueError(f"step is {step!r}; compare with one of {', '.join(map(repr, STEPS))}")


@dataclass(frozen=True)
class StepNormTest:
    """V <= (xi / alpha^2) |step|^2: the norm test on the complete step, in the spirit of Xie et al. (2024).

    step  'expected'  |E x+ - x|^2 (condition N1)      'realised'  E|x+ - x|^2 (N2; vacuous for xi >= 1)
          'mapping'   |xhat - x|^2, xhat the step of the exact gradient (N3): closed form, any N; on a batch
                      the realised step, which estimates N2. xi < 1: implies N1 with xi/(1 - sqrt xi)^2.
    With h = 0 the first and the last are the norm test with eps^2 = xi. Reads `m.step` or `m.mapping`.
    """

    xi: Any
    step: str = "expected"

    def __post_init__(self) -> None:
        _positive("xi", self.xi)
        _check_step(self.step)

    def __call__(self, m: Any) -> Array:
        if self.step == "mapping":
            return smallest(m.total, m.mapping * exact(self.xi, np.asarray(m.mapping)), 1, m.population)
        column = "m" if self.step == "expected" else "E2"
        return _first(m, lambda s: s.alpha**2 * s.V <= self.xi * getattr(s, column) * SLACK, "StepNormTest")


@dataclass(frozen=True)
class StepInnerProductTest:
    """C <= (eta / (2 alpha)) E|x+ - x|^2, C = -E<g - grad f, x+ - x>: the error that survives the prox.

    step  'realised'  E|x+ - x|^2 (condition M, the weakest)    'expected'  |E x+ - x|^2 (I1 with xi = eta/2)
          'mapping'   practical: C from random blocks of the batch, against the step that it makes
    In the spirit of Xie et al. (2024); with h = 0, M is the norm test with eps^2 = eta/(2 - eta).
    """

    eta: Any
    step: str = "realised"

    def __post_init__(self) -> None:
        _positive("eta", self.eta)
        _check_step(self.step)

    def __call__(self, m: Any) -> Array:
        if self.step == "mapping":
            if not hasattr(m, "surviving"):
                raise ValueError("the inner product condition is closed only on a batch: with the exact law of data "
                                 "too large to enumerate use StepNormTest(xi, 'mapping')")
            return smallest(m.surviving, m.alpha**2 * m.mapping, np.sqrt(self.eta), m.population)
        column = "m" if self.step == "expected" else "E2"
        return _first(m, lambda s: 2 * s.alpha * s.C <= self.eta * getattr(s, column) * SLACK, "StepInnerProductTest")


SLACK = 1 + 1e-12  # as in `whole`: an oracle that meets its test with equality passes

def _squared_tolerances(criterion: Any, like: Array) -> Any:
    """Sum of the squared tolerances of a test; the test on the surviving error has none to correct (see `Repaired`)."""
    if isinstance(criterion, StepInnerProductTest):
        return 0
    if isinstance(criterion, StepNormTest):
        return exact(criterion.xi, like)
    tolerances = [exact(getattr(criterion, name), like) for name in ("eps", "theta", "nu") if hasattr(criterion, name)]
    if not tolerances:
        raise ValueError(f"{criterion!r} has no tolerance to correct; Repaired needs a test of this package, not one "
                         "that is corrected already (Debiased, Repaired) and not a function")
    return sum(t * t for t in tolerances)


@dataclass(frozen=True)
class _Divided:
    """Moments whose squared lengths, of gradient, entries and step, are divided by `by`."""

    base: Any
    by: Any

    @property
    def signal(self) -> Array:
        return self.base.signal / self.by

    @property
    def squares(self) -> Array:
        return self.base.mean * self.base.mean / self.by

    @property
    def mapping(self) -> Array:
        return self.base.mapping / self.by

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)


@dataclass(frozen=True)
class Repaired:
    """A practical test with theta'^2 = theta^2 / (c (1 + theta^2)): |g|^2 is (1 + theta^2)|grad F|^2 when it is met.

    Of several tolerances the squares are added: theta'^2 = theta^2/(1 + theta^2 + nu^2), nu'^2 alike; xi' = xi/(1 +
    xi). Equal to total/n <= theta^2 (|g|^2 - total/n), but never without signal as `Debiased` may be. c > 1 pays for an
    estimated variance. For the inner product test alone it is right only if all noise lies along the gradient.
    StepInnerProductTest stays as it is: it compares with the realised step, whose mean is what condition M has on its
    right. Source: ours (docs/gap.md).
    """

    criterion: Any
    c: Any = 1

    def __post_init__(self) -> None:
        if not 1 <= self.c < math.inf:
            raise ValueError(f"c is {self.c}; it multiplies theta^2 for an estimated variance: give a finite c >= 1")
        _squared_tolerances(self.criterion, np.zeros(1))

    def __call__(self, m: Moments) -> Array:
        like = np.asarray(m.mean)
        return self.criterion(_Divided(m, exact(self.c, like) * (1 + _squared_tolerances(self.criterion, like))))
