"""Is a problem what it says? Gradient, constants, minimiser, law, atoms and draws against each other.

For problems of one's own, before a verdict is built on them: a wrong L or a wrong covariance makes a true
theorem look false. Everything is measured at given points; nothing here is a proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.special import ndtri

from ..moments import Array, dot
from ..seeds import Seedable, generator
from .base import EVERY

STEPS = 10.0 ** -np.arange(1, 8)  # of the central differences, relative to the size of the point
FULL = 64  # dimension up to which the curvature is probed in every direction
BLOCK = 256  # rows drawn at once: tables (rows, N, d) stay small
TINY = 1e-150  # its square does not underflow: 0/0 counts as 0


@dataclass(frozen=True)
class Finding:
    """One check: passed iff worst <= tolerance. worst = nan: it does not apply, and `detail` says why."""

    check: str
    passed: bool
    worst: float
    tolerance: float
    detail: str

    def __str__(self) -> str:
        if math.isnan(self.worst):
            return f"--  {self.check}: {self.detail}"
        return f"{'ok ' if self.passed else 'NOT'} {self.check}: {self.worst:.2g}, at most {self.tolerance:.2g} ({self.detail})"


def _finding(check: str, worst: Any, tolerance: float, detail: str) -> Finding:
    value = float(np.max(worst))
    value = math.inf if math.isnan(value) else value
    return Finding(check, value <= tolerance, value, tolerance, detail)


def _skipped(check: str, why: str) -> Finding:
    return Finding(check, True, math.nan, math.nan, f"not checked: {why}")


class _Floats:
    """The problem with floats in and out; its points become Fractions if its minimiser holds Fractions."""

    def __init__(self, problem: Any) -> None:
        self.problem, self.dim, self.constants = problem, problem.dim, problem.constants
        minimiser = self.constants.minimiser
        self.exact = minimiser is not None and np.asarray(minimiser).dtype == object
        self.minimiser = None if minimiser is None else np.asarray(minimiser, dtype=float)

    def points(self, x: Array) -> Array:
        return np.vectorize(Fraction, otypes=[object])(x) if self.exact else x

    def gap(self, x: Array) -> Array:
        return np.asarray(self.problem.gap(self.points(x)), dtype=float)

    def gradient(self, x: Array) -> Array:
        return np.asarray(self.problem.gradient(self.points(x)), dtype=float)


def _length(x: Array) -> Array:
    return np.sqrt(dot(x, x))


def _directions(d: int, most: int, rng: np.random.Generator) -> Array:
    """Orthonormal rows: all d if d <= most, otherwise `most` random ones."""
    return np.linalg.qr(rng.standard_normal((d, min(d, most))))[0].T


def _gradient(p: _Floats, x: Array, rng: np.random.Generator) -> Finding:
    """|(F(x + h e) - F(x - h e))/(2h) - <G, e>| <= 1e-6 |G|, the best of several h, every point and direction."""
    e, G = _directions(p.dim, 32, rng), p.gradient(x)
    slope, best = G @ e.T, np.full((len(x), len(e)), np.inf)
    for h in STEPS:
        move = h * np.maximum(1.0, _length(x))[:, None, None] * e
        up, down = ((x[:, None] + sign * move).reshape(-1, p.dim) for sign in (1, -1))
        rise = (p.gap(up) - p.gap(down)).reshape(slope.shape)
        run = 2 * h * np.maximum(1.0, _length(x))[:, None]
        best = np.fmin(best, np.abs(rise / run - slope))
    size = _length(G)
    worst = best / (size + 1e-3 * size.max() + TINY)[:, None]
    return _finding("gradient", worst, 1e-6, f"central differences of gap, {len(e)} directions, relative to |G|")


def _pairs(p: _Floats, x: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Pairs of points, far and near; for d <= FULL along every eigenvector of the difference quotient of G."""
    scale = np.maximum(1.0, _length(x))[:, None, None]
    lengths = 10.0 ** rng.uniform(-4, 1, (len(x), 32, 1))
    moves = [scale * lengths * rng.standard_normal((len(x), 32, p.dim))]
    if p.dim <= FULL:
        ahead = (x[:, None] + 1e-4 * scale * np.eye(p.dim)).reshape(-1, p.dim)
        H = (p.gradient(ahead).reshape(len(x), p.dim, p.dim) - p.gradient(x)[:, None]) / (1e-4 * scale)
        axes = np.linalg.eigh((H + H.swapaxes(-1, -2)) / 2)[1].swapaxes(-1, -2)
        moves += [h * scale * axes for h in (1e-4, 1e-2, 1.0)]
    move = np.concatenate(moves, axis=1)
    x, y = np.repeat(x, move.shape[1], axis=0), (x[:, None] + move).reshape(-1, p.dim)
    inside = np.maximum(_length(x), _length(y)) <= p.constants.radius
    return x[inside], y[inside]


def _curvature(p: _Floats, x: Array, rng: np.random.Generator) -> Iterator[Finding]:
    """mu |z|^2 <= <G(x + z) - G(x), z> <= L |z|^2 and |G(x + z) - G(x)| <= max(L, -mu) |z|."""
    L, mu = p.constants.L, p.constants.mu
    x, y = _pairs(p, x, rng)
    before, after, z = p.gradient(x), p.gradient(y), y - x
    size, change = dot(z, z), after - before
    rounding = 1e-14 * (_length(before) + _length(after)) / np.sqrt(size)
    rounding += 1e-14 * (L if math.isfinite(L) else 0.0) * (_length(x) + _length(y)) / np.sqrt(size)
    slope, steep = dot(change, z) / size, _length(change) / np.sqrt(size)
    how = f"{len(x)} pairs" + ("" if p.dim <= FULL else f", random directions only (d > {FULL}): a weak check")
    if math.isfinite(L):
        over = np.maximum((slope - rounding) / L, (steep - rounding) / max(L, -mu))
        yield _finding("L", over, 1 + 1e-9, f"curvature over L; {how}")
    else:
        yield _skipped("L", "L is inf: the problem claims no global smoothness")
    if p.constants.L1 > 0:
        u = p.constants.L1 * np.sqrt(size)  # Gronwall along the segment; as |z| -> 0 it is the condition itself
        most = (p.constants.L0 / p.constants.L1 + _length(before)) * np.expm1(np.minimum(u, 500))
        yield _finding("L0, L1", _length(change) / most, 1 + 1e-6, f"|G(x + z) - G(x)| over its bound; {how}")
    if math.isfinite(mu):
        short = (mu - slope - rounding) / (abs(mu) or (L if math.isfinite(L) else 1.0))
        yield _finding("mu", short, 1e-9, f"(mu - curvature) over |mu|; {how}")
    else:
        yield _skipped("mu", f"mu is {mu}: the problem claims no lower bound")


def _minimum(p: _Floats, x: Array, rng: np.random.Generator) -> Iterator[Finding]:
    """|G(x*)| <= residual; gap(x*) = 0 <= gap(x), mu h^2/2 <= gap(x* + h) <= L h^2/2, up to gap_error."""
    if p.minimiser is None:
        yield _skipped("minimiser", "the problem names none")
        yield _skipped("gap", "without a minimiser F may be measured from any level")
        return
    c, star = p.constants, np.asarray(p.constants.minimiser)[None]
    left = _length(p.gradient(star)) - c.residual
    yield _finding("minimiser", left / (_length(p.gradient(x)).max() or 1.0), 1e-12, "|G(x*)| - residual")
    around = p.minimiser + np.outer(10.0 ** -np.arange(3, 10), _directions(p.dim, 1, rng)[0])
    values, h = p.gap(around), _length(around - p.minimiser)
    most = c.L / 2 * h * h * (1 + 1e-5) + c.residual * h  # a difference of two large values breaks one of these
    least = max(c.mu, 0.0) / 2 * h * h * (1 - 1e-5) - c.residual * h
    excess = np.concatenate([np.abs(p.gap(star)), -p.gap(x), least - values, values - most]) - p.problem.gap_error
    yield _finding("gap", excess, 0.0, "0 at the minimiser, >= 0, in [mu, L] h^2/2 close by; less gap_error")


def _read(record: Any, *names: str) -> list[Array]:
    return [np.asarray(getattr(record, name), dtype=float) for name in names]


def _law(p: _Floats, x: Array) -> Iterator[Finding]:
    """The law's mean is the gradient, along <= total, and the atoms have the law's moments."""
    law, G = p.problem.law(p.points(x)), p.gradient(x)
    mean, total, along, signal = _read(law, "mean", "total", "along", "signal")
    size = _length(G) + np.sqrt(total) + TINY
    yield _finding("law mean", _length(mean - G) / size, 1e-10, "|law.mean - G| over |G| + sqrt(total)")
    low = np.maximum(along - total, -along) / (total + TINY)
    yield _finding("law along", low, 1e-10, "0 <= along <= total")
    yield _finding("law signal", np.abs(signal - dot(G, G)) / size**2, 1e-10, "signal = |G|^2")
    if not hasattr(p.problem, "atoms"):
        yield _skipped("atoms", "the problem lists none")
        return
    g, w = (np.asarray(v, dtype=float) for v in p.problem.atoms(p.points(x)))
    N, e = p.problem.population, g - G[:, None, :]
    one = N / (N - 1) if 1 < N < math.inf else 1.0  # drawn without replacement: divisor N - 1
    u = G / np.maximum(_length(G), TINY)[:, None]
    all_of, parallel = one * (w * dot(e, e)).sum(-1), one * (w * dot(e, u[:, None]) ** 2).sum(-1)
    parts = [_length((w[..., None] * g).sum(-2) - G) / size, np.abs(all_of - total) / size**2]
    parts += [np.where(signal > 0, np.abs(parallel - along) / size**2, 0.0)]
    parts += [np.abs(np.sum(w, axis=-1) - 1).ravel(), np.maximum(-w, 0.0).ravel()]
    yield _finding("atoms", np.concatenate(parts), 1e-10, "weights >= 0 with sum 1; mean, total, along of the law")


def _sampled(p: _Floats, x: Array, n: float, B: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Means (P, B, d) and total (P, B) of B batches of n at each point."""
    rows = p.points(np.repeat(x, B, axis=0))
    parts = [rows[i:i + BLOCK] for i in range(0, len(rows), BLOCK)]
    found = [_read(p.problem.draw(part, np.full(len(part), n), rng).moments, "mean", "total") for part in parts]
    mean, total = (np.concatenate(column) for column in zip(*found, strict=True))
    return mean.reshape(len(x), B, p.dim), total.reshape(len(x), B)


def _z(sample: Array, target: Array, size: Array) -> Array:
    """|average - target| in standard errors, over axis 1; what rounding explains counts as zero."""
    gap = np.abs(sample.mean(1) - target)
    error = sample.std(1, ddof=1) / math.sqrt(sample.shape[1])
    return np.where(gap <= 1e-9 * size, 0.0, gap / np.maximum(error, TINY))


def _draws(p: _Floats, x: Array, B: int, n: float, risk: float, rng: np.random.Generator) -> Iterator[Finding]:
    """Averages over batches against the law: mean, sample spread, and spread of the batch mean."""
    law, G, N = p.problem.law(p.points(x)), p.gradient(x), p.problem.population
    total, along = _read(law, "total", "along")
    n = float(min(n, max(1, N - 1)))
    mean, spread = _sampled(p, x, n, B, rng)
    e, shrink, size = mean - G[:, None], 1 / n - 1 / N, (_length(G) + np.sqrt(total))
    u = G / np.maximum(_length(G), TINY)[:, None]
    axes = _directions(p.dim, 16, rng)
    parallel = np.where(_length(G) > 0, along * shrink, 0.0)
    tests = {
        "draw mean": (e @ axes.T, np.zeros((len(x), len(axes))), size[:, None]),
        "draw total": (spread, total, size**2),
        "draw error": (dot(e, e), total * shrink, size**2),
        "draw along": (dot(e, u[:, None]) ** 2, parallel, size**2),
    }
    for name, (sample, target, scale) in tests.items():
        if name == "draw total" and n < 2:
            yield _skipped(name, "one sample shows no spread")
            continue
        limit = -float(ndtri(risk / (2 * target.size)))
        yield _finding(name, _z(sample, target, scale), limit, f"z over {B} batches of {n:g}, risk {risk:g}")


def _all_batches(p: _Floats, x: Array, rng: np.random.Generator) -> Iterator[Finding]:
    """The whole population is the gradient; every batch of two has the mean and the variance of the law."""
    N, G = p.problem.population, p.gradient(x)
    (total,) = _read(p.problem.law(p.points(x)), "total")
    size = _length(G) + np.sqrt(total) + TINY
    if math.isinf(N):
        yield _skipped("full batch", "the population is infinite")
    else:
        (mean,) = _read(p.problem.draw(p.points(x), np.full(len(x), float(N)), rng).moments, "mean")
        yield _finding("full batch", _length(mean - G) / size, 1e-10, "all N without replacement give G")
    if not hasattr(p.problem, "atoms") or p.problem.atoms(p.points(x))[0].shape[1] > FULL or N < 2:
        yield _skipped("every batch", f"no list of at most {FULL} atoms")
        return
    batch = p.problem.draw(p.points(x), np.full(len(x), 2.0), EVERY)
    w, e = np.asarray(batch.weight, dtype=float), _read(batch.moments, "mean")[0] - G[batch.parent]
    columns = (np.ones(len(w)), *e.T, dot(e, e))
    weight, *drift, square = (np.bincount(batch.parent, w * v, minlength=len(x)) for v in columns)
    parts = [np.abs(weight - 1), _length(np.transpose(drift)) / size]
    parts += [np.abs(square - total * (0.5 - 1 / N)) / size**2]
    yield _finding("every batch", np.concatenate(parts), 1e-10, "EVERY batch of 2: weights, mean, variance")


def _composite(problem: Any, rng: np.random.Generator) -> Iterator[Finding]:
    """phi = f + h beyond f: gap(x*) = 0, gap >= mu |x - x*|^2/2 on the domain, and x* = prox(x* - alpha grad f(x*))."""
    c, h = problem.constants, problem.h
    star = np.asarray(c.minimiser, dtype=float)[None]
    far = star + rng.standard_normal((64, problem.dim)) * np.geomspace(1e-3, 3, 64)[:, None]
    x = h.prox(far, 1.0 / c.L)  # a prox lands in the domain
    short = (problem.gap(x) - c.mu / 2 * dot(x - star, x - star)) / (problem.gap(x).max() + TINY)
    yield _finding("composite gap", -short, 1e-9, "mu |x - x*|^2/2 - gap(x), relative, at 64 points of the domain")
    yield _finding("composite minimum", problem.gap(star) - problem.gap_error, TINY, "gap(x*) - gap_error")
    moved = star - h.prox(star - problem.gradient(star) / c.L, 1 / c.L)
    allowed = np.sqrt(2 * problem.gap_error / c.L) + 1e-12 * (1 + _length(star))
    yield _finding("composite minimiser", _length(moved) / allowed, 1.0, "prox step from x*, over its error")


def check_problem(
    problem: Any, rng: Seedable = 0, points: Array | None = None, *,
    batches: int = 4000, size: int = 8, risk: float = 1e-6,
) -> list[Finding]:
    """All findings about a problem, at `points` (P, d) or at 8 random ones around its minimiser (else 0).

    Random checks draw `batches` batches of `size` at the first three points; each has error level `risk`, by
    Bonferroni and the normal approximation (heavy tails may raise it). A base without `law` is checked as far as
    it goes. Raises ValueError for points of the wrong shape; whatever the problem raises passes through.
    """
    if hasattr(problem, "h") and type(problem.h).__name__ != "Nothing":
        smooth = check_problem(problem.smooth, rng, points, batches=batches, size=size, risk=risk)
        return smooth + list(_composite(problem, generator(rng)))
    chance, p = generator(rng), _Floats(problem)
    if points is None:
        way = chance.standard_normal((8, p.dim))
        radius = np.geomspace(3.0, 0.1, 8) * chance.uniform(0.8, 1.2, 8)  # at no special point, such as a knee
        points = (0.0 if p.minimiser is None else p.minimiser) + (radius / _length(way))[:, None] * way
        points = points * np.minimum(1, 0.99 * p.constants.radius / _length(points))[:, None]
    x = np.asarray(points, dtype=float)
    if x.ndim != 2 or x.shape[-1] != p.dim:
        raise ValueError(f"points have shape {x.shape}; this problem needs (P, {p.dim})")
    found = [_gradient(p, x, chance), *_curvature(p, x, chance), *_minimum(p, x, chance)]
    if hasattr(problem, "law"):
        few = x[:3]
        found += [*_law(p, x), *_draws(p, few, batches, size, risk, chance), *_all_batches(p, few, chance)]
    else:
        found.append(_skipped("law", "the problem is a noiseless base"))
    return found
