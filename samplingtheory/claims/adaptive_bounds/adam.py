"""Bounds for RMSProp and Adam in the form of the theorems (no bias correction, no epsilon): theorem C, and E below."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ...moments import Array
from .adagrad import descent_share
from .roots import largest_root

WINDOWS = (8, 16, 32, 64, 128, 256, 512, 1024)


def decay_ratio(beta1: float, beta2: float) -> float:
    """theta = beta1/sqrt(beta2): what remains of m/sqrt(v) after a step without gradient."""
    return beta1 / math.sqrt(beta2) if beta2 > 0 else math.inf * beta1


def momentum_margin(eta: float, beta1: float, beta2: float) -> float:
    """kappa = mu - theta/sqrt(1 - theta^2), mu = (1 - eta^2)/(1 + eta^2): theorem C needs kappa > 0."""
    theta = decay_ratio(beta1, beta2) if beta1 else 0.0
    return descent_share(eta) - theta / math.sqrt(1 - theta * theta) if theta < 1 else -math.inf


def second_order(theta: float, d: int = 1) -> float:
    """B with (L/2)|u+ - u|^2 + L|u - x||u+ - u| summed to at most (L alpha^2/(1 - theta)^2) B sum a_k^2.

    B = 1/2 + theta/(1 - theta) + .102 q + sqrt(.204 q) + mixed, q = theta^2/(1 - theta^2); a_k^2 stands for its bound
    (1 - beta1)^2/(1 - beta2) ln(v_k/(beta2 v_{k-1})). mixed bounds sum |q_k||q_k X_k|: q/2 with one v; with d of them
    X differs by coordinate, and the smaller of sqrt(d) q/2 and sqrt(.204 q) theta/(1 - theta) is proved.
    """
    q, tail = theta * theta / (1 - theta * theta), theta / (1 - theta)
    mixed = 0.5 * q if d == 1 else min(0.5 * q * math.sqrt(d), math.sqrt(0.204 * q) * tail)
    return 0.5 + tail + 0.102 * q + math.sqrt(0.204 * q) + mixed


def _valid(Delta: float, v0: float, eta: float, beta1: float, beta2: float) -> bool:
    return 0 <= eta < 1 and v0 > 0 and Delta >= 0 and 0 < beta2 < 1 and 0 <= beta1 < math.sqrt(beta2)


def _solve(slope: float, A: float, Delta: float, alpha: float, v0: float, eta: float, beta2: float, K: int,
           d: int) -> tuple[float, float]:
    """(bound on sum E|G_k|_1, S) from slope S <= Delta/alpha + A ln(1 + beta2^(-K/2) tau (1 - beta2) S/(d sqrt v0))."""
    tau, r = math.sqrt(1 + eta * eta), math.sqrt(beta2)
    shift = K / 2 * math.log(1 / beta2) + math.log(tau * (1 - beta2) / (d * math.sqrt(v0)))
    S = largest_root(lambda s: slope * s - Delta / alpha - A * np.logaddexp(0.0, shift + math.log(s)))
    kappa = r * tau * (1 + r) + 1 - beta2
    return math.sqrt(S * (r * d * math.sqrt(v0) / (1 - r) + kappa * S)), S


def _log_factor(L: float, alpha: float, beta1: float, beta2: float, d: int) -> float:
    """A = 2 d alpha L B(theta, d) (1 - beta1)^2/((1 - theta)^2 (1 - beta2))."""
    theta = decay_ratio(beta1, beta2)
    return 2 * d * alpha * L * second_order(theta, d) * (1 - beta1) ** 2 / ((1 - theta) ** 2 * (1 - beta2))


def bound_adam(Delta: float, L: float, alpha: float, v0: float, eta: float, beta1: float, beta2: float, K: int,
               d: int = 1) -> tuple[float, float]:
    """Theorem C: (bound on sum_{k<=K} E|G_k|_1, S), S bounds sum E G_i^2/sqrt(beta2 v_{k-1,i} + (1 - beta2) G_i^2).

    d = 1: one v for all coordinates, the norm test, |G_k| for |G_k|_1. d coordinates: the coordinate-wise test, equal
    L and v0. m_0 = 0. S is the largest root of ((1 - beta1)/(1 - theta)) kappa S = Delta/alpha + A ln(1 + ...).
    """
    kappa = momentum_margin(eta, beta1, beta2) if _valid(Delta, v0, eta, beta1, beta2) else -1.0
    if kappa <= 0:
        return math.inf, math.inf
    slope = (1 - beta1) / (1 - decay_ratio(beta1, beta2)) * kappa
    return _solve(slope, _log_factor(L, alpha, beta1, beta2, d), Delta, alpha, v0, eta, beta2, K, d)


def _loss(t: Array, tau2: float) -> Array:
    """sqrt(1 + t) (1 - 1/sqrt(1 + tau2 t)): the momentum term over |m_{k-1}| |G| / sqrt(xi), t = (1 - beta2)|G|^2/w."""
    return np.sqrt(1 + t) * (1 - 1 / np.sqrt(1 + tau2 * t))


@lru_cache(maxsize=256)
def steady_loss(eta: float, beta1: float, beta2: float, window: int) -> float:
    """Largest share of the descent that momentum can cost where |G_k| >= window * alpha L max|m/sqrt(v)|.

    There |G_{k-j}| is within (1 +- j/window)|G_k|. After n = k - 1 steps v holds at least (1 - eta)^2 |G_k|^2 times
    held_n = sum beta2^j (1 - j/window)^2; m holds at most (1 + eta)|G_k| times sigma_n = sum beta1^(j-1) (1 + j/window)
    and, by Cauchy-Schwarz at most sqrt(spread_n) times the root of what v holds, spread_n = sum beta1^(2j-2)/beta2^j.
    """
    j = np.arange(1, window + 1)
    sigma, spread = np.cumsum(beta1 ** (j - 1) * (1 + j / window)), np.cumsum(beta1 ** (2 * j - 2) / beta2**j)
    sigma[-1] = 1 / (1 - beta1) + 1 / window / (1 - beta1) ** 2  # every longer past
    spread[-1] = 1 / (beta2 - beta1 * beta1)
    held = (1 - eta) ** 2 * np.cumsum(beta2**j * (1 - j / window) ** 2)
    momentum = np.minimum((1 + eta) * sigma, np.sqrt(spread * held))
    return float(np.max(beta1 * momentum * _loss(1 / held, 1 + eta * eta)))


@lru_cache(maxsize=256)
def spike_price(eta: float, theta: float, steady: float) -> float:
    """psi = sup_t sqrt(t/(1 + t)) (worst loss - steady)_+/ln(1 + (1 - eta)^2 t): excess of a step with small |G|."""
    t = np.geomspace(1e-8, 1e8, 20_001)
    worst = theta / math.sqrt(1 - theta * theta) * _loss(t, 1 + eta * eta) / np.sqrt(t)
    excess = np.maximum(worst - steady, 0) * np.sqrt(t / (1 + t)) / np.log1p((1 - eta) ** 2 * t)
    return 1.001 * float(excess.max())  # a factor of 1.0016 lies between neighbouring t; psi moves less


def bound_adam_pathwise(Delta: float, L: float, alpha: float, v0: float, eta: float, beta1: float, beta2: float,
                        K: int, d: int = 1) -> tuple[float, float]:
    """Theorem E: as `bound_adam`, for |g_k - G_k| <= eta|G_k| surely (each coordinate if d > 1); reaches beta1 = .9.

    Where |G_k| is large against alpha L it has changed little over the last steps, so v already holds |G_k|^2 many
    times and momentum costs at most `steady_loss`; elsewhere the excess is paid by the logarithm of v. Best window.
    """
    if not _valid(Delta, v0, eta, beta1, beta2):
        return math.inf, math.inf
    theta, best = decay_ratio(beta1, beta2), (math.inf, math.inf)
    reach = (1 - beta1) / math.sqrt((1 - beta2) * (1 - theta * theta))  # |m/sqrt(v)| never exceeds it
    weight = (1 - beta1) / (1 - theta)
    for window in WINDOWS:
        steady = steady_loss(eta, beta1, beta2, window)
        if descent_share(eta) <= steady:
            continue
        price = weight * window * alpha * L * reach * math.sqrt(d) * spike_price(eta, theta, steady)
        A = _log_factor(L, alpha, beta1, beta2, d) + 2 * d * price / math.sqrt(1 - beta2)
        best = min(best, _solve(weight * (descent_share(eta) - steady), A, Delta, alpha, v0, eta, beta2, K, d))
    return best


def condition_margin(eta: float, beta1: float, beta2: float) -> float:
    """descent_share - steady_loss for the best window: theorem E needs it to be positive."""
    return descent_share(eta) - min(steady_loss(eta, beta1, beta2, w) for w in WINDOWS)
