"""Noiseless bases for `Oracle` that make the convex and nonconvex bounds tight, and two continuous laws.

Huber, Sawtooth, TwoCurvature: values and gradients only. StochasticRosenbrock, RandomHessian: gradients
G + B(x) z with z of mean zero and low dimension, so a batch is known from the mean and covariance of its z.
`constants.L` bounds the curvature from above and `constants.mu` from below: mu < 0 where F is not convex.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..moments import Array, Spread, dot
from .base import Batch, Chance, Constants, least_size, need_generator
from .quadratic import Quadratic

CHUNK = 1 << 20  # samples held at once
MOST = 2e9  # samples one call may draw


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}; it must be a finite number above 0")


class Huber:
    """F(x) = L|x|^2/2 for |x| <= knee, L knee (|x| - knee/2) beyond: convex, L-smooth, minimiser 0.

    With `Lazy` noise the tightest instance known of E F(x_T) - F* <= |x_0|^2/(2 alpha T). Ours.
    """

    gap_error = 0.0

    def __init__(self, knee: float, L: float = 1.0, dim: int = 1) -> None:
        _positive(knee=knee, L=L, dim=dim)
        self.knee, self.dim, self.constants = knee, dim, Constants(L, 0.0, np.zeros(dim))

    def gradient(self, x: Array) -> Array:
        r = np.sqrt(dot(x, x))
        return self.constants.L * x * (self.knee / np.maximum(r, self.knee))[..., None]

    def gap(self, x: Array) -> Array:
        r = np.sqrt(dot(x, x))
        inner = np.minimum(r, self.knee)
        return self.constants.L * inner * (r - inner / 2)


class Sawtooth:
    """d = 1, F' rises from -1 with slope L over 1/L - delta, falls back to -1 over delta; period exactly 1/L.

    A step 1/L from F' = -1 lands on F' = -1 again. teeth=inf: repeated for ever, no minimum, and `gap` is
    F(x) - F(0), of either sign (a telescoped bound needs only differences). teeth=n: the n-th tooth after 0
    rises all the way to F' = 0, and F is flat from there, n/L, on: the `minimiser`; gap = F - F_min.
    L bounds the curvature from above only; from below it is mu = L - 1/delta. Ours.
    """

    dim, gap_error = 1, 0.0

    def __init__(self, delta: float, L: float = 1.0, teeth: float = math.inf) -> None:
        _positive(L=L, delta=delta)
        if not (delta * L < 1 <= teeth and (teeth == math.inf or teeth == int(teeth))):
            raise ValueError(f"delta = {delta}, teeth = {teeth}; need delta < 1/L and 1, 2, ... or inf teeth")
        self.delta, self.teeth, finite = delta, teeth, teeth < math.inf
        self.constants = Constants(L, L - 1 / delta, np.array([teeth / L]) if finite else None)
        self.drop = (1 + L * delta) / (2 * L)  # of F over one period
        self._start = (teeth - 1) * self.drop + 1 / (2 * L) if finite else 0.0  # gap(0)

    def _place(self, x: Array) -> tuple[Array, Array, Array]:
        """Number of the tooth, distance s into it, and distance r before its end where F' falls (else 0)."""
        L, tooth = self.constants.L, np.floor(x[..., 0] * self.constants.L)
        s = np.clip(x[..., 0] - tooth / L, 0.0, 1 / L)
        return tooth, s, np.where((s > 1 / L - self.delta) & (tooth < self.teeth - 1), 1 / L - s, 0.0)

    def gradient(self, x: Array) -> Array:
        L, (tooth, s, r) = self.constants.L, self._place(x)
        slope = np.where(r > 0, (1 - L * self.delta) * r / self.delta, L * s) - 1
        return np.where(tooth < self.teeth, slope, 0.0)[..., None]

    def gap(self, x: Array) -> Array:
        L, (tooth, s, r) = self.constants.L, self._place(x)
        fall = r - (1 - L * self.delta) * r * r / (2 * self.delta) - self.drop
        before = np.where(r > 0, fall, L * s * s / 2 - s) + (self._start - tooth * self.drop)
        last = np.where(tooth < self.teeth, (1 - L * s) ** 2 / (2 * L), 0.0)
        return np.where(tooth < self.teeth - 1, before, last)


class TwoCurvature:
    """F = phi(x_1) + (L/2) sum_{i>1} x_i^2, phi'' = mu for |x_1| <= knee and L beyond; minimiser 0.

    With noise `Along` e_2 it exceeds the rate of quadratics once alpha > 1/(L(growth - 1) + mu). Ours.
    """

    gap_error = 0.0

    def __init__(self, mu: float, L: float, knee: float, dim: int = 2) -> None:
        _positive(mu=mu, knee=knee, dim=dim, **{"L - mu": L - mu})
        self.knee, self.dim, self.constants = knee, dim, Constants(L, mu, np.zeros(dim))
        self._first = np.arange(dim) == 0

    def _parts(self, x: Array) -> tuple[Array, Array]:
        """Gradient of the quadratic diag(mu, L, ..., L), and the part of x_1 beyond the knee."""
        outside = np.copysign(np.maximum(np.abs(x) - self.knee, 0.0), x)
        return np.where(self._first, self.constants.mu, self.constants.L) * x, self._first * outside

    def gradient(self, x: Array) -> Array:
        inner, outside = self._parts(x)
        return inner + (self.constants.L - self.constants.mu) * outside

    def gap(self, x: Array) -> Array:
        inner, outside = self._parts(x)
        return (dot(inner, x) + (self.constants.L - self.constants.mu) * dot(outside, outside)) / 2


class SampledBatch:
    """Moments of batches from means (R, d) and covariances (R, d, d), divisor n - 1; inf where n = 1."""

    population = math.inf

    def __init__(self, mean: Array, cov: Array, n: Array, direction: Array | None = None) -> None:
        self.mean, self.cov, self.n, self.dof = mean, cov, n, n - 1
        spread, unknown = Spread(mean, cov, direction), np.where(n > 1, 0.0, math.inf)
        self.signal, self.total, self.along = spread.signal, spread.total + unknown, spread.along + unknown
        self.variances = spread.variances + unknown[:, None]

    def toward(self, direction: Array) -> SampledBatch:
        """The same batches, compared with another direction (R, d)."""
        return SampledBatch(self.mean, self.cov, self.n, direction)


def ragged(n: Array, sample: Callable[[int], Array], chunk: int = CHUNK) -> tuple[Array, Array]:
    """Means (R, k) and covariances (R, k, k), divisor n - 1, of n[r] samples each; sample(m) -> (m, k).

    Every sample is drawn; the replicates' samples lie end to end, about `chunk` of them at once, and pieces
    of a batch are joined by the update of Chan, Golub, LeVeque (1983). Covariance 0 where n = 1.
    """
    if n.sum() > MOST or (n != np.floor(n)).any():
        raise ValueError(f"{n.sum():g} samples, in batches of up to {n.max():g}: this law draws every one, so sizes "
                         f"are whole and at most {MOST:g} in all; loosen the test or take fewer steps")
    left, done, k = n.astype(np.int64), np.zeros(len(n)), sample(0).shape[1]
    mean, scatter = np.zeros((len(n), k)), np.zeros((len(n), k, k))
    while (some := np.flatnonzero(left)[:chunk]).size:
        m = np.minimum(left[some], max(1, chunk // len(some)))
        z, starts = sample(int(m.sum())), np.cumsum(m) - m
        piece = np.add.reduceat(z, starts) / m[:, None]
        z = z - np.repeat(piece, m, axis=0)
        move, share = piece - mean[some], m / (done[some] + m)
        scatter[some] += np.add.reduceat(z[:, :, None] * z[:, None, :], starts)
        scatter[some] += (share * done[some])[:, None, None] * (move[:, :, None] * move[:, None, :])
        mean[some] += share[:, None] * move
        done[some] += m
        left[some] -= m
    return mean, scatter / np.maximum(n - 1, 1)[:, None, None]


def _linear(G: Array, B: Array, n: Array, sample: Callable[[int], Array]) -> Batch:
    """Batches of the gradients G + B z: B (R, d, k), sample(m) -> z (m, k) of mean zero."""
    n = least_size(n)
    z, cov = ragged(n, sample)
    return Batch(SampledBatch(G + (B @ z[..., None])[..., 0], B @ cov @ B.swapaxes(-1, -2), n), n)


class StochasticRosenbrock:
    """f = (a - x0 + t0)^2 + b (x1 - x0^2 + t0^2 - t1^2)^2, t ~ N(0, sigma^2 I); d = 2, minimiser (a, a^2).

    gap = (a - x0)^2 + b (x1 - x0^2)^2: what else F has, sigma^2 + 4 b sigma^4, does not depend on x. Noise of
    one sample: (4 b x0 w - 2 t0, -2 b w), w = t1^2 - t0^2. Not globally smooth: L = inf, mu = -inf. From the
    MICE code of the group of Espath et al. (2021); covariance: ours.
    """

    population, dim, gap_error = math.inf, 2, 0.0

    def __init__(self, a: float = 1.0, b: float = 100.0, sigma: float = 0.1) -> None:
        _positive(b=b, sigma=sigma)
        self.a, self.b, self.sigma = a, b, sigma
        self.constants = Constants(math.inf, -math.inf, np.array([a, a * a]))

    def gap(self, x: Array) -> Array:
        return (self.a - x[..., 0]) ** 2 + self.b * (x[..., 1] - x[..., 0] ** 2) ** 2

    def gradient(self, x: Array) -> Array:
        valley = 2 * self.b * (x[..., 1] - x[..., 0] ** 2)
        return np.stack([2 * (x[..., 0] - self.a) - 2 * x[..., 0] * valley, valley], axis=-1)

    def _tilt(self, x: Array) -> Array:
        """B (R, 2, 2): the noise is B (w, t0), and w, t0 have variances 4 sigma^4, sigma^2, covariance 0."""
        B = np.tile([[0.0, -2.0], [-2 * self.b, 0.0]], (len(x), 1, 1))
        B[:, 0, 0] = 4 * self.b * x[:, 0]
        return B

    def law(self, x: Array) -> Spread:
        B = self._tilt(x)
        return Spread(self.gradient(x), (B * [4 * self.sigma**4, self.sigma**2]) @ B.swapaxes(-1, -2))

    def draw(self, x: Array, n: Array, rng: Chance) -> Batch:
        chance = need_generator(rng, "Gaussian noise")

        def sample(m: int) -> Array:
            t = self.sigma * chance.standard_normal((m, 2))
            return np.stack([t[:, 1] ** 2 - t[:, 0] ** 2, t[:, 0]], axis=1)

        return _linear(self.gradient(x), self._tilt(x), n, sample)


class RandomHessian(Quadratic):
    """f = x'H(t)x/2 - 1'x, H(t) = (1 - t) I + t A, A = [[2 kappa, 1/2], [1/2, 1]], t ~ U(0, 1); d = 2.

    Noise (t - 1/2) v, v = (A - I) x: covariance v v'/12, of rank one, not zero at the minimiser. Experiment 1
    of Espath et al. (2021), whose code keeps the covariance constant; this is the true one. `optimum` is F*.
    """

    def __init__(self, kappa: float = 100.0) -> None:
        _positive(kappa=kappa)
        A = np.array([[2.0 * kappa, 0.5], [0.5, 1.0]])
        H = (np.eye(2) + A) / 2
        minimiser = np.linalg.solve(H, np.ones(2))
        super().__init__(H, minimiser)
        self.tilt, self.optimum = A - np.eye(2), -minimiser.sum() / 2
        self.gap_error = self.constants.L * 2 * (4e-16 * abs(minimiser).max()) ** 2

    def law(self, x: Array) -> Spread:
        v = x @ self.tilt
        return Spread(self.gradient(x), v[:, :, None] * v[:, None, :] / 12)

    def draw(self, x: Array, n: Array, rng: Chance) -> Batch:
        chance, v = need_generator(rng, "a uniform parameter"), x @ self.tilt
        return _linear(self.gradient(x), v[:, :, None], n, lambda m: chance.random((m, 1)) - 0.5)
