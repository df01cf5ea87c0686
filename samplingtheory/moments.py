"""What is known about ONE sample gradient, exactly or from a batch of n.

Every array starts with the replicate axis R (or has no leading axis at all); `Moments` is the protocol
that criteria read, and the classes here are its general implementations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np

Array = Any  # NumPy float64, object arrays of Fraction, or torch tensors


@runtime_checkable
class Moments(Protocol):
    """The record that a batch-size test reads.

    n            (R,)    samples behind the record; for an exact law, inf
    mean         (R, d)  mean gradient
    total        (R,)    tr Cov of one sample gradient
    along        (R,)    variance of one sample gradient along `direction`; total = along + across
    signal       (R,)    squared length of the direction (by default the mean)
    population   N of a finite sum drawn without replacement, else inf
    dof          (R,)    degrees of freedom behind the spreads; 0 makes them inf
    """

    @property
    def n(self) -> Array: ...
    @property
    def mean(self) -> Array: ...
    @property
    def total(self) -> Array: ...
    @property
    def along(self) -> Array: ...
    @property
    def signal(self) -> Array: ...
    @property
    def population(self) -> float: ...
    @property
    def dof(self) -> Array: ...


def is_number(value: Any) -> bool:
    """Whether value is one real number, of Python or NumPy (NaN and inf are)."""
    return isinstance(value, Real)


def dot(a: Array, b: Array) -> Array:
    """Inner product over the last axis."""
    return (a * b).sum(-1)


def exact(value: Any, like: Array) -> Any:
    """`value` as a Fraction where `like` holds Fractions (0.5 is exactly 1/2), as a float where it holds floats."""
    kind = getattr(like, "dtype", None)
    if kind is np.dtype(object) and isinstance(value, (int, float)) and math.isfinite(value):
        return Fraction(value)
    return float(value) if kind is np.dtype(float) and isinstance(value, Fraction) else value


def exact_array(n: Array, like: Array) -> Array:
    """Whole float sizes as Fractions where `like` holds Fractions."""
    if np.asarray(like).dtype != object:
        return n
    return np.array([Fraction(int(v)) for v in np.ravel(n)], dtype=object).reshape(np.shape(n))


def divide(a: Array, b: Array, otherwise: float) -> Array:
    """a / b where b > 0, else `otherwise`; exact on Fractions."""
    a, b = np.broadcast_arrays(a, b)
    positive = b > 0
    out = np.full(b.shape, otherwise, dtype=b.dtype)
    out[positive] = a[positive] / b[positive]
    return out[()] if out.ndim == 0 else out


class Overlay:
    """Moments of which a subclass replaces some fields; all others are read from `base`."""

    base: Any

    def __getattr__(self, name: str) -> Any:
        if name == "base":  # not set yet: copying and unpickling ask
            raise AttributeError(name)
        return getattr(self.base, name)


@dataclass(frozen=True)
class Record:
    """Moments as plain numbers, from a table of gradients or from ranks."""

    n: Array
    mean: Array
    total: Array
    along: Array
    signal: Array
    population: float
    dof: Array
    variances: Array


def _floats(name: str, values: Any) -> Any:
    """A NumPy array of floats, or None; Fractions become floats here (`Weighted` keeps them)."""
    if values is None and name != "gradients":
        return None
    try:
        if np.iscomplexobj(values):
            raise TypeError
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} are no rectangular array of real numbers; give gradients (B, d) or (R, B, d), one row "
                         "a sample") from None


def moments(
    units: Array,
    counts: Array | None = None,
    direction: Array | None = None,
    *,
    allsum: Callable[[Array], Array] = lambda x: x,
    population: float = math.inf,
) -> Record:
    """Moments of one sample gradient from a table of unit means, in two rounds (mean, centred squares).

    units (..., B, d): per-sample gradients, or means of `counts` (..., B) samples each; a count of 0 is
    padding. With u_j, c_j: mean = sum c_j u_j / n, variances = sum c_j (u_j - mean)^2 / dof, where dof is
    the number of units that count, less one: unbiased for the covariance of ONE sample for any counts.
    `allsum` adds over ranks and is the whole difference between one process and many.
    """
    if not hasattr(units, "new_zeros"):
        units, counts, direction = (_floats(*v) for v in (("gradients", units), ("counts", counts),
                                                          ("direction", direction)))
    xp = np if not hasattr(units, "new_zeros") else __import__("torch")
    if units.ndim < 2 or 0 in units.shape:
        raise ValueError(f"gradients have shape {tuple(units.shape)}; give (B, d) or (R, B, d), one row a sample")
    if counts is None:
        counts = xp.ones_like(units[..., 0])
    if tuple(counts.shape) != tuple(units.shape[:-1]):
        raise ValueError(
            f"counts have shape {tuple(counts.shape)}; gradients of shape {tuple(units.shape)} "
            f"need one count a unit: {tuple(units.shape[:-1])}"
        )
    if direction is not None and tuple(direction.shape[-1:]) != tuple(units.shape[-1:]):
        raise ValueError(f"direction has shape {tuple(direction.shape)}; gradients of shape {tuple(units.shape)} "
                         f"need one of length {units.shape[-1]}")
    if bool((counts < 0).any()):
        raise ValueError("a count is negative; counts are numbers of samples, 0 for padding")
    n = allsum(counts.sum(-1))
    if bool((n > population).any()):
        raise ValueError(f"{float(n.max()):g} samples from a population of {population}; need n <= N")
    mean = allsum((counts[..., None] * units).sum(-2)) / n[..., None]
    if not bool(xp.isfinite(mean).all()):
        raise ValueError("gradients hold NaN or infinite values (or no sample counts); drop or repair them first")
    dof = allsum((counts > 0).sum(-1)) - 1
    direction = mean if direction is None else direction
    signal = dot(direction, direction)
    centred = units - mean[..., None, :]
    weighted = counts[..., None] * centred
    p = (centred * direction[..., None, :]).sum(-1)
    sums = allsum((weighted * centred).sum(-2)), allsum((counts * p * p).sum(-1))
    safe = xp.where(dof > 0, dof, xp.ones_like(dof))
    blank = xp.where(dof > 0, 0.0 * n, math.inf + 0.0 * n)  # no spread is known from a single unit
    variances = sums[0] / safe[..., None] + blank[..., None]
    total = variances.sum(-1)
    along = xp.where(signal > 0, sums[1] / xp.where(signal > 0, signal, 1.0 + signal) / safe + blank, total)
    return Record(n, mean, total, along, signal, population, dof, variances)


class Weighted:
    """Moments of weighted atoms: an exact finite law, or a batch that holds atom j `weights[j] * n` times.

    atoms (R, A, d), weights (R, A) or (A,) with sum 1; the covariance sum w |g - mean|^2 is multiplied by
    `scale` (R,): n/(n - 1) for a batch, N/(N - 1) for a population drawn without replacement, 1 for a law.
    Spreads are inf where dof = 0. Only + - * / and comparisons, so Fractions pass.
    """

    def __init__(self, atoms: Array, weights: Array, scale: Array, n: Array, dof: Array,
                 population: float = math.inf, direction: Array | None = None) -> None:
        self.atoms, self.weights, self.scale = atoms, weights, scale
        self.n, self.dof, self.population, self._direction = n, dof, population, direction

    def toward(self, direction: Array) -> Weighted:
        """The same batch, compared with another direction (R, d)."""
        return Weighted(self.atoms, self.weights, self.scale, self.n, self.dof, self.population, direction)

    def _spread(self, sums: Array) -> Array:
        return np.where(self.dof > 0, self.scale * sums, math.inf)

    @cached_property
    def mean(self) -> Array:
        if self.atoms.dtype == object:
            return (self.weights[..., None] * self.atoms).sum(-2)
        return (self.weights[..., None, :] @ self.atoms)[..., 0, :]

    @property
    def direction(self) -> Array:
        return self.mean if self._direction is None else self._direction

    @cached_property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

    @cached_property
    def _centred(self) -> Array:
        return self.atoms - self.mean[..., None, :]

    @cached_property
    def variances(self) -> Array:
        sums = (self.weights[..., None] * self._centred * self._centred).sum(-2)
        return np.moveaxis(self._spread(np.moveaxis(sums, -1, 0)), 0, -1)

    @cached_property
    def total(self) -> Array:
        if self.atoms.dtype == object:
            return self._spread((self.weights * dot(self._centred, self._centred)).sum(-1))
        return self._spread(np.einsum("...a,...ad,...ad->...", self.weights, self._centred, self._centred))

    @cached_property
    def along(self) -> Array:
        p = (self._centred * self.direction[..., None, :]).sum(-1)
        known = divide(self.scale * (self.weights * p * p).sum(-1), self.signal, 0)
        return np.where((self.signal > 0) & (self.dof > 0), known, self.total)


class Spread:
    """Moments of a law with mean (R, d) and covariance `cov`: a number (times I), (d,), (d, d) or (R, d, d)."""

    def __init__(self, mean: Array, cov: Array, direction: Array | None = None) -> None:
        self.mean, self.cov = mean, np.asarray(cov)
        self.direction = mean if direction is None else direction
        self.n = self.dof = np.full(mean.shape[0], math.inf)
        self.population = math.inf

    @cached_property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

    @cached_property
    def variances(self) -> Array:
        diagonal = self.cov if self.cov.ndim < 2 else np.diagonal(self.cov, axis1=-2, axis2=-1)
        return np.broadcast_to(diagonal, self.mean.shape)

    @cached_property
    def total(self) -> Array:
        return self.variances.sum(-1)

    @cached_property
    def along(self) -> Array:
        if self.cov.ndim == 0:
            return np.full(self.signal.shape, float(self.cov))
        u = self.direction
        image = u * self.cov if self.cov.ndim == 1 else (self.cov @ u[..., None])[..., 0]
        return np.where(self.signal > 0, divide(dot(u, image), self.signal, 0.0), self.total)
