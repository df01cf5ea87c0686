"""The bound for Adam printed in Lau, Li, Xu, Liu, Kolar (2024), Theorem B.1, and a corrected reading of it.

Both are claims under test, not theorems of ours: the printed one is false, the corrected one was not re-proved.
"""

from __future__ import annotations

import math

from scipy.optimize import minimize_scalar


def p2_condition(eta: float, beta1: float, beta2: float) -> float:
    """Margin of beta1 <= sqrt(beta2) - 8 (1 + eta^2)(1 - beta2)/beta2^2, as stated in the paper; below 0 it fails."""
    return math.sqrt(beta2) - 8 * (1 + eta * eta) * (1 - beta2) / beta2**2 - beta1


def _constants(L: float, alpha: float, tau2: float, beta1: float, beta2: float, d: int, sigma: float,
               noise: float) -> float:
    """c1; `noise` stands where the paper prints sigma and its own lemma has tau."""
    theta = beta1 / math.sqrt(beta2)
    rest = 1 - theta
    return (32 * L * alpha * (1 + theta) ** 3 / ((1 - beta2) * rest**3)
            + 16 * beta1**2 * sigma * (1 - beta1) / (beta2 * math.sqrt(1 - beta2) * rest**3)
            + 64 * (1 + noise) * noise * L * L * alpha * alpha * d
            / (beta2**2 * rest**4 * sigma * (1 - beta2) ** 1.5))


def _total(Delta: float, log_factor: float, c1: float, grad2: float, alpha: float, v0: float, tau2: float,
           beta1: float, beta2: float, K: int, d: int, sigma: float) -> float:
    """sqrt(c2 + 2 c1 d ln X) sqrt X, the bound on sum E|G_k|."""
    r = math.sqrt(beta2)
    theta = beta1 / r
    start = beta2 * v0 + (1 - beta2) * sigma * sigma
    c2 = (8 * (1 - theta) / (alpha * (1 - beta1)) * Delta + 32 / (beta2 * (1 - theta) ** 2) * grad2 / math.sqrt(start)
          + 2 * c1 * d * (math.log(1 / math.sqrt(beta2 * v0)) - K * math.log(beta2)))
    b = d * tau2 * c1 / r
    X = 2 * (K + 1) * d * math.sqrt(v0 + sigma * sigma) + 24 * b * math.log(log_factor * b) + 12 * tau2 * c2 / r
    inside = c2 + 2 * c1 * d * math.log(X) if X > 0 else -1.0
    return math.sqrt(inside * X) if inside > 0 else math.inf


def _best_sigma(f: object) -> float:
    return float(minimize_scalar(lambda z: math.log(f(math.exp(z))), bounds=(-40.0, 12.0),  # type: ignore[operator]
                                 method="bounded", options={"xatol": 1e-4}).fun)


def bound_p2_corrected(Delta: float, L: float, alpha: float, v0: float, eta: float, beta1: float, beta2: float, K: int,
                       grad2: float, d: int = 1) -> float:
    """sum_{k<=K} E|G_k| <= sqrt(c2 + 2 c1 d ln X) sqrt X with Delta in c2, tau in c1 and 12 in the logarithm of X.

    Minimised over sigma > 0, which is free. grad2 = sum_i E G_{1,i}^2. Provenance: reconstructed.
    """
    if not (0 <= eta and v0 > 0 and p2_condition(eta, beta1, beta2) >= 0):
        return math.inf
    tau2 = 1 + eta * eta

    def at(sigma: float) -> float:
        c1 = _constants(L, alpha, tau2, beta1, beta2, d, sigma, tau2)
        return _total(Delta, 12.0, c1, grad2, alpha, v0, tau2, beta1, beta2, K, d, sigma)

    return math.exp(_best_sigma(at))


def bound_p2_printed(L: float, alpha: float, v0: float, eta: float, beta1: float, beta2: float, K: int, grad2: float,
                     d: int = 1) -> float:
    """The same as printed: no Delta, sigma^2 for tau^2 in c1, no 12 in the logarithm; minimised over sigma > 0.

    Lau, Li, Xu, Liu, Kolar (2024), Theorem B.1, for d = 1 (for d > 1 the place of d is unclear). False as stated.
    """
    if not (0 <= eta and v0 > 0 and p2_condition(eta, beta1, beta2) >= 0):
        return math.inf
    tau2 = 1 + eta * eta

    def at(sigma: float) -> float:
        c1 = _constants(L, alpha, tau2, beta1, beta2, d, sigma, sigma * sigma)
        return _total(1.0, 1.0, c1, grad2, alpha, v0, tau2, beta1, beta2, K, d, sigma)

    return math.exp(_best_sigma(at))
