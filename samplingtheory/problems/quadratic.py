"""Quadratics F(x) = F* + (x - x*)' H (x - x*) / 2 with Gaussian noise, as finite sums, or without noise."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ..moments import Array, Spread, Weighted, divide, dot
from .base import Batch, Chance, Constants, follow, need_generator
from .finite import draw_batch, exact_law
from .joined import Emptied, Joined

UP = 1 + 1e-12  # eigenvalues are rounded outwards: L must be an upper bound, mu a lower one


def apply(H: Array, z: Array) -> Array:
    """H z for a diagonal (d,) or full (d, d) matrix, z (R, d)."""
    return z * H if H.ndim == 1 else z @ H


def spectrum(H: Array) -> tuple[float, float]:
    """Certified (mu, L) of a symmetric matrix given as (d,) or (d, d)."""
    values = np.asarray(H, dtype=float) if H.ndim == 1 else np.linalg.eigvalsh(np.asarray(H, dtype=float))
    if not (np.isfinite(values).all() and values.min() >= -1e-12 * abs(values).max()):
        raise ValueError(f"the Hessian has smallest eigenvalue {values.min():.3g}; it must be positive semidefinite")
    if H.ndim == 1:
        return max(0.0, float(values.min())), float(values.max())
    low, high = float(values.min()), float(values.max())
    return (low / UP if low > 1e-12 * high else 0.0), high * UP  # below that a positive eigenvalue may be rounding


class Quadratic:
    """F(x) = z'Hz/2, z = x - x*, without noise. hessian (d,) or (d, d); minimiser (d,), 0 by default."""

    population = math.inf
    gap_error = 0.0

    def __init__(self, hessian: Any, minimiser: Any = None) -> None:
        H = np.asarray(hessian)
        self.hessian = H if H.dtype == object else H.astype(float)
        self.dim = H.shape[-1]
        mu, L = spectrum(self.hessian)
        origin = np.zeros(self.dim) if minimiser is None else np.asarray(minimiser)
        self.constants = Constants(L, mu, origin)

    def displacement(self, x: Array) -> Array:
        return x - self.constants.minimiser

    def gradient(self, x: Array) -> Array:
        return apply(self.hessian, self.displacement(x))

    def gap(self, x: Array) -> Array:
        z = self.displacement(x)
        return dot(z, apply(self.hessian, z)) / 2


class GaussianQuadratic(Quadratic):
    """g_i = H z + e_i, e_i ~ N(0, C), C a number (times I), (d,) or (d, d); drawn by sufficient statistics.

    A batch of n costs its mean and, for C = s^2 I, two chi-squares: along ~ s^2 chi2(n - 1)/(n - 1) whatever
    the direction, as long as it is a function of batch means; otherwise a Bartlett factor of the scatter.
    Real n >= 1 are allowed (n < 1 too, when only the mean is read).
    """

    def __init__(self, hessian: Any, noise: Any, minimiser: Any = None) -> None:
        super().__init__(hessian, minimiser)
        self.noise = np.asarray(noise, dtype=float)
        if self.noise.ndim and self.noise.shape[-1] != self.dim:
            raise ValueError(f"noise has shape {self.noise.shape}; the Hessian needs (), ({self.dim},) or square")
        low = self.noise.min() if self.noise.ndim < 2 else np.linalg.eigvalsh(self.noise).min()
        if not low >= -1e-12 * abs(self.noise).max():
            raise ValueError(f"the noise covariance has smallest eigenvalue {low:.3g}; it must be semidefinite")
        self._root = np.sqrt(self.noise) if self.noise.ndim < 2 else _root(self.noise)

    def law(self, x: Array) -> Spread:
        return Spread(self.gradient(x), self.noise)

    def draw(self, x: Array, n: Array, rng: Chance, batch: Batch | None = None) -> Batch:
        """A batch by its sufficient statistics; given one, its extension: new samples are independent of it."""
        rng = need_generator(rng, "Gaussian noise")
        n = np.asarray(n, dtype=float)
        if batch is not None:
            more = np.maximum(n - batch.moments.n, 0)
            fresh = self.draw(x, np.maximum(more, 1), rng).moments
            return Batch(Joined(batch.moments, fresh, more), np.asarray(batch.drawn) + more)
        if not (n > 0).all():
            raise ValueError(f"a batch of {n.min():g} samples was asked for; sizes must be above 0")
        G = self.gradient(x)
        e = rng.standard_normal(G.shape)
        e = e * self._root if self.noise.ndim < 2 else e @ self._root.T
        e /= np.sqrt(n)[:, None]
        e += G
        return Batch(GaussianBatch(e, self.noise, self._root, n, rng), n)


def _root(cov: Array) -> Array:
    values, vectors = np.linalg.eigh(cov)
    return vectors * np.sqrt(np.maximum(values, 0))


def bartlett(dof: Array, d: int, rng: np.random.Generator) -> Array:
    """T (R, d, k), lower, T T' the scatter of dof + 1 standard Gaussian vectors, k = min(d, largest dof): Bartlett
    (1933)."""
    m = np.maximum(dof, 0)[:, None]
    if ((m > 0) & (m < d) & (m != np.floor(m))).any():
        raise ValueError("a Gaussian batch with general covariance needs whole n, or n > d")
    j = np.arange(max(1, math.ceil(min(d, m.max()))))
    T = np.tril(rng.standard_normal((len(m), d, len(j))), -1)
    T[:, j, j] = np.sqrt(2 * rng.standard_gamma(np.maximum(m - j, 0) / 2))
    T *= (j < m)[:, None, :]  # fewer than d degrees of freedom: a trapezoid
    return T


class GaussianBatch:
    """Sample moments of n Gaussian gradients with known covariance, drawn when first read.

    The scatter is independent of the mean, so it is drawn on demand; one stream a batch keeps the run
    reproducible. Reads of `along` for different directions share one scatter only if C is not a multiple of I.
    """

    population = math.inf

    def __init__(self, mean: Array, noise: Array, root: Array, n: Array, rng: np.random.Generator,
                 direction: Array | None = None, scatter: dict[str, Array] | None = None) -> None:
        self.mean, self.noise, self.n, self.dof = mean, noise, n, n - 1
        self._root, self._rng = root, rng
        self.direction = mean if direction is None else direction
        self._scatter: dict[str, Array] = {} if scatter is None else scatter

    def toward(self, direction: Array) -> GaussianBatch:
        """The same batch, compared with another direction (R, d), itself a function of batch means."""
        return GaussianBatch(self.mean, self.noise, self._root, self.n, self._rng, direction, self._scatter)

    @property
    def signal(self) -> Array:
        return dot(self.direction, self.direction)

    def _drawn(self) -> dict[str, Array]:
        if not self._scatter:
            if self.noise.ndim == 0:
                self._scatter.update(self._two_chi_squares())
            else:
                self._scatter["factor"] = self._bartlett()
        return self._scatter

    def _two_chi_squares(self) -> dict[str, Array]:
        d, m = self.mean.shape[-1], np.maximum(self.dof, 0)
        unknown = np.where(m > 0, 0.0, math.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            along = np.where(m > 0, self.noise * 2 * self._rng.standard_gamma(m / 2) / m, 0) + unknown
            across = np.where(m > 0, self.noise * 2 * self._rng.standard_gamma(m * (d - 1) / 2) / m, 0)
        return {"along": along, "total": along + across}

    def _bartlett(self) -> Array:
        """(R, d, d) factor T root', with the sample covariance as its square over dof."""
        T = bartlett(self.dof, self.mean.shape[-1], self._rng)
        return self._root[:, None] * T if self.noise.ndim == 1 else self._root @ T

    def without(self, rows: Array) -> Emptied:
        return Emptied(self, ~rows)

    @property
    def sum_total(self) -> Array:
        """Sum of |g_i - mean|^2, (R,)."""
        return np.where(self.dof > 0, self.total, 0) * np.maximum(self.dof, 0)

    @cached_property
    def matrix(self) -> Array:
        """Sum of (g_i - mean)(g_i - mean)', (R, d, d), given what was drawn of it."""
        scatter = self._drawn()
        factor = scatter["factor"] if "factor" in scatter else self._completed(scatter)
        return factor @ factor.swapaxes(-1, -2)

    def _completed(self, scatter: dict[str, Array]) -> Array:
        """A factor with the two drawn chi-squares: parts of a Gaussian are independent of the length of the whole.

        The first row of a Bartlett factor belongs to the direction u; a reflection takes the first axis to u.
        """
        m, T = np.maximum(self.dof, 0), bartlett(self.dof, self.mean.shape[-1], self._rng)
        along, total = (np.where(m > 0, scatter[name], 0) * m for name in ("along", "total"))
        T[:, 0, 0] = 0
        T *= np.sqrt(divide(np.maximum(total - along, 0), (T * T).sum((-2, -1)), 0.0))[:, None, None]
        T[:, 0, 0] = np.sqrt(along)
        w = -divide(self.mean, np.sqrt(dot(self.mean, self.mean))[:, None], 0.0)
        w[:, 0] += 1
        image = (w[:, None, :] @ T)[:, 0, :]
        return T - 2 * divide(w, dot(w, w)[:, None], 0.0)[:, :, None] * image[:, None, :]

    @property
    def total(self) -> Array:
        scatter = self._drawn()
        if "total" in scatter:
            return scatter["total"]
        return self._over_dof((scatter["factor"] ** 2).sum((-2, -1)))

    @property
    def along(self) -> Array:
        scatter = self._drawn()
        if "along" in scatter:
            return scatter["along"]
        image = (self.direction[:, None, :] @ scatter["factor"])[:, 0, :]
        signal = np.where(self.signal > 0, self.signal, 1.0)
        return np.where(self.signal > 0, self._over_dof(dot(image, image) / signal), self.total)

    @property
    def variances(self) -> Array:
        if self.noise.ndim == 0:
            raise ValueError("an isotropic batch keeps no coordinate variances: give the noise as d equal entries")
        return self._over_dof((self._drawn()["factor"] ** 2).sum(-1).T).T

    def _over_dof(self, squares: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.dof > 0, squares / self.dof, math.inf)


class QuadraticSum(Quadratic):
    """F = (1/N) sum_i x'H_i x/2 - b_i'x: gradients H_i x - b_i, N atoms. Fractions are kept exact.

    hessians (N,) multiples of I, (N, d) diagonals or (N, d, d); linear (N, d).
    """

    def __init__(self, hessians: Any, linear: Any, replace: bool = False) -> None:
        h, b = np.asarray(hessians), np.asarray(linear)
        N, d = b.shape
        if len(h) != N:
            raise ValueError(f"{len(h)} Hessians and {N} linear terms; need one of each a component")
        h = np.repeat(h[:, None], d, axis=1) if h.ndim == 1 else h
        self.hessians, self.linear, self.replace = h, b, replace
        if b.dtype == object:
            count: Any = Fraction(N)
            minimiser = _solve_exactly(h.sum(0) / count, b.sum(0) / count)
        else:
            count = N
            mean = h.mean(0)
            minimiser = b.mean(0) / mean if mean.ndim == 1 else _least_solution(mean, b.mean(0))
        super().__init__(h.sum(0) / count, minimiser)
        self.size = N
        self.population = math.inf if replace else N
        self.probabilities = (np.full(N, Fraction(1, N), dtype=object) if b.dtype == object else np.full(N, 1 / N))
        z = np.abs(np.asarray(minimiser, dtype=float)).max()
        self.gap_error = 0.0 if b.dtype == object else self.constants.L * d * (4e-16 * z) ** 2

    def _gradients(self, x: Array) -> Array:
        if self.hessians.ndim == 2:
            return self.hessians * x[:, None, :] - self.linear
        return (self.hessians @ x[:, None, :, None])[..., 0] - self.linear

    def atoms(self, x: Array) -> tuple[Array, Array]:
        """All component gradients (R, N, d) and their probabilities 1/N."""
        return self._gradients(x), self.probabilities

    def law(self, x: Array) -> Weighted:
        return exact_law(self._gradients(x), self.probabilities, self.population)

    def draw(self, x: Array, n: Array, rng: Chance, batch: Batch | None = None) -> Batch:
        return draw_batch(self._gradients(x), self.probabilities, n, self.population, rng,
                          lambda parent, counts: self._value(follow(x, parent), counts), batch)

    def _value(self, x: Array, counts: Array) -> Any:
        def difference(y: Array) -> Array:
            move, middle = y - x, (x + y) / 2  # a quadratic's difference is its midpoint gradient times the move
            values = (self._gradients(middle) * move[:, None, :]).sum(-1)
            return (counts * values).sum(-1) / counts.sum(-1)
        return difference


def _least_solution(H: Array, b: Array) -> Array:
    """The shortest minimiser of x'Hx/2 - b'x; ValueError if b has a part in the kernel of H."""
    if np.linalg.cond(H) < 1e12:
        return np.linalg.solve(H, b)
    x = np.linalg.lstsq(H, b, rcond=1e-12)[0]
    if np.abs(H @ x - b).max() > 1e-9 * max(np.abs(b).max(), 1e-300):
        raise ValueError("the mean Hessian is singular and the linear term is not in its range: F has no minimiser")
    return x


def _solve_exactly(H: Array, b: Array) -> Array:
    """H x = b in Fractions: H a diagonal (d,) or a positive definite matrix (d, d)."""
    if H.ndim == 1:
        return b / H
    A = np.concatenate([H, b[:, None]], axis=1)
    for i in range(len(b)):
        A[i] = A[i] / A[i, i]
        for j in range(len(b)):
            if j != i:
                A[j] = A[j] - A[j, i] * A[i]
    return A[:, -1]
