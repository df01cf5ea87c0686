"""Bounds for AdaGrad-Norm and AdaGrad (theorems A, A-gen, A', B, D and P of the notes)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from ...moments import Array
from .roots import best_split, largest_root


class Bound(NamedTuple):
    """Q bounds E sqrt(Q_K), Q_K = sum |G_k|^2;  root: E sqrt(v_K);  S: sum E |G_k|^2/sqrt(v_{k-1} + |G_k|^2)."""

    Q: float
    root: float
    S: float


VACUOUS = Bound(math.inf, math.inf, math.inf)


def descent_share(eta: float) -> float:
    """mu = (1 - eta^2)/(1 + eta^2): E <G, g>/sqrt(w + c|g|^2) >= mu |G|^2/sqrt(w + c|G|^2) under the norm test.

    The best constant for all w >= 0, in any dimension (sharp form of Lemma 1; the notes prove 1 - eta).
    """
    return (1 - eta * eta) / (1 + eta * eta)


def growth_of_curvature(u: float) -> float:
    """2 (e^u - 1 - u)/u^2 = 1 + u/3 + ...: how much the curvature of an (L0, L1)-smooth F gains over a step u/L1."""
    return 1 + u / 3 + u * u / 12 if u < 1e-4 else 2 * (math.expm1(u) - u) / (u * u)


def generalised(L0: float, L1: float, alpha: float) -> dict[str, float]:
    """L, L1 for `bound_adagrad_norm` where |Hess F| <= L0 + L1 |G|: both times 2 (e^u - 1 - u)/u^2, u = L1 alpha.

    AdaGrad-Norm never steps further than alpha. With u <= 1 the factor is at most 2 (e - 2) = 1.437 (notes: 2, e - 1).
    """
    factor = growth_of_curvature(L1 * alpha)
    return {"L": factor * L0, "L1": factor * L1}


def bound_adagrad_norm(Delta: float, L: float, alpha: float, v0: float, eta: float, L1: float = 0.0) -> Bound:
    """Theorem A: AdaGrad-Norm under E|g - G|^2 <= eta^2 |G|^2, eta < 1, any alpha > 0, v0 > 0, for every K.

    S <= the smaller of: the largest root of mu S = Delta/alpha + alpha L ln(1 + tau S/sqrt(v0)); and `best_split`.
    mu = (1 - eta^2)/(1 + eta^2) - alpha L1/2 (A-gen: L and L1 from `generalised`). E sqrt(v_K) <= sqrt(v0) + tau S,
    E sqrt(Q_K) <= sqrt(S ((1 + tau) S + sqrt(v0))). By Markov, P(Q_K > Q^2/delta^2) <= delta.
    """
    if not (0 <= eta < 1 and v0 > 0 and Delta >= 0):
        return VACUOUS
    tau, root, mu = math.sqrt(1 + eta * eta), math.sqrt(v0), descent_share(eta) - alpha * L1 / 2
    if mu <= 0:
        return VACUOUS
    first = largest_root(lambda s: mu * s - Delta / alpha - alpha * L * math.log1p(tau * s / root))
    second = best_split(Delta / alpha, alpha * L, 0.5, alpha * L * tau * tau / (2 * mu), root) / mu
    S = min(first, second)
    return Bound(math.sqrt(S * ((1 + tau) * S + root)), root + tau * S, S)


def bound_pathwise(Delta: float, L: float, alpha: float, v0: float, eta: float = 0.0) -> tuple[float, float]:
    """Theorem P (eta = 0: D, without noise): |g_k - G_k| <= eta |G_k| surely. (Q, root): on every path, for every K,

    Q_K <= R (sqrt(v0) + P), sqrt(v_K) <= sqrt(v0) + P, R = H/(1 - eta), P = (1 + eta) H, H from `best_split` with
    threshold alpha L (1 + eta)/2.
    """
    if not (0 <= eta < 1 and v0 > 0 and Delta >= 0):
        return math.inf, math.inf
    root = math.sqrt(v0)
    H = best_split(Delta / alpha, alpha * L, 0.0, alpha * L * (1 + eta) / 2, root)
    largest = root + (1 + eta) * H
    return H / (1 - eta) * largest, largest


def bound_any_tau(Delta: float, L: float, alpha: float, v0: float, tau2: float, grad2: float) -> Bound:
    """Theorem A': only E|g|^2 <= tau2 |G|^2, any tau2 >= 1; grad2 = |G_1|^2. Telescoping of Wang et al. (2023).

    With c = 1 - rho - tau2 e/(4 rho) > 0, C = Delta/alpha + tau2/(4 rho sqrt(v0)) (|G_1|^2 + 2 (1/e - 1)(L alpha)^2),
    S is the largest root of c S = C + alpha L ln(1 + tau2 S/(2 sqrt(v0))), or `best_split`; best rho, e in (0, 1].
    sum E|G_k|^2/sqrt(v_{k-1}) <= S, E sqrt(v_K) <= sqrt(v0) + tau2 S/2, E sqrt(Q_K) <= sqrt(S (sqrt(v0) + tau2 S/2)).
    """
    if not (tau2 >= 1 and v0 > 0 and Delta >= 0):
        return VACUOUS
    root = math.sqrt(v0)

    def at(rho: float, e: float) -> float:
        c = 1 - rho - tau2 * e / (4 * rho)
        if c <= 0:
            return math.inf
        C = Delta / alpha + tau2 / (4 * rho * root) * (grad2 + 2 * (1 / e - 1) * (L * alpha) ** 2)
        first = largest_root(lambda s: c * s - C - alpha * L * math.log1p(tau2 * s / (2 * root)))
        return min(first, best_split(C, alpha * L, 0.5, alpha * L * tau2 / (2 * c), root) / c)

    def inside(z: Array) -> tuple[float, float]:  # every (rho, e) gives a valid bound; only c > 0 is needed
        rho, part = 1 / (1 + math.exp(-z[0])), 1 / (1 + math.exp(-z[1]))
        return rho, min(part * 4 * rho * (1 - rho) / tau2, 1.0)

    found = minimize(lambda z: math.log(at(*inside(z))), (0.0, 0.0), method="Nelder-Mead", options={"xatol": 1e-4})
    S = at(*inside(found.x))
    return Bound(math.sqrt(S * (root + tau2 * S / 2)), root + tau2 * S / 2, S)


def bound_adagrad_coord(Delta: float, L: Array, alpha: float, v0: Array, eta: float) -> Bound:
    """Theorem B: AdaGrad under E(g_i - G_i)^2 <= eta^2 G_i^2 for every i; L (d,) curvatures, v0 a number or (d,).

    S bounds sum_k sum_i E G_i^2/sqrt(v_{k-1,i} + G_i^2): the largest root of
    mu S = Delta/alpha + alpha Lam ln(1 + tau S max_i L_i/(Lam sqrt(v0_i))), Lam = sum L_i, or the split per coordinate.
    E sum_i sqrt(sum_k G_{k,i}^2) <= Q = sqrt(S ((1 + tau) S + sum_i sqrt(v0_i))). `root`: of sum_i E sqrt(v_{K,i}).
    """
    L = np.atleast_1d(np.asarray(L, dtype=float))
    roots = np.sqrt(np.broadcast_to(np.asarray(v0, dtype=float), L.shape))
    if not (0 <= eta < 1 and (roots > 0).all() and Delta >= 0):
        return VACUOUS
    tau, mu, Lam = math.sqrt(1 + eta * eta), descent_share(eta), float(L.sum())
    slope = tau * float(np.max(L / (Lam * roots)))
    S = largest_root(lambda s: mu * s - Delta / alpha - alpha * Lam * math.log1p(slope * s))
    thresholds = L * alpha * tau * tau / (2 * mu)

    def split(z: float) -> float:
        lam = 1 / (1 + math.exp(-z))
        b = thresholds / (1 - lam)
        extra = np.where(b > roots, alpha * L * (0.5 + np.log(np.maximum(b / roots, 1))), 0.0)
        return float((Delta / alpha + extra.sum()) / (lam * mu))

    starts = [*np.linspace(-8, 12, 41), *(math.log(r / t - 1) - 1e-9 for r, t in zip(roots, thresholds, strict=True)
                                          if r > t)]
    z = min(starts, key=split)
    S = min(S, split(z), float(minimize_scalar(split, bounds=(z - 0.5, z + 0.5), method="bounded").fun))
    start = float(roots.sum())
    return Bound(math.sqrt(S * ((1 + tau) * S + start)), start + tau * S, S)
