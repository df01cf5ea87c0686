"""Means of the lagged rule on quadratics, exactly: with real n the sizes enter only through z = V/n.

    E z_{k+1} = s E|g_k|^2 = s (E|G_k|^2 + E z_k),      s = theta^2 for the norm test

so E of all second moments of (x, m), m the momentum, and of z follow a linear recursion, whatever the law of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..methods import SGD, Momentum, ProximalGradient
from ..moments import Array, Spread
from ..problems.quadratic import Quadratic
from ..sizing import Behind
from .base import ROUNDING, Evidence, Quantity, exact_evidence, namespace, path_series


def relative(problem: Any, sizing: Any) -> float:
    """s = z_{k+1}/|g_k|^2 of a rule whose size is inversely proportional to |g_k|^2; ValueError if it is not one."""
    if not (isinstance(sizing, Behind) and not sizing.integer and not sizing.monotone and hasattr(problem, "law")):
        raise ValueError("the mean recursion needs noise of constant variance and Behind(KnownVariance(test, U), "
                         "monotone=False, integer=False): whole sizes do not close")
    law = problem.law(np.zeros((1, problem.dim)))
    unit = Spread(np.eye(1, problem.dim), law.cov)
    return float(law.total[0] / sizing.criterion(unit)[0])


@dataclass(frozen=True)
class _Linear:
    """m+ = keep m + take g;  x+ = x - alpha m+."""

    alpha: float
    keep: float
    take: float


def _method(method: Any) -> _Linear:
    if isinstance(method, Momentum):
        return _Linear(float(method.alpha), float(method.beta), 1 - float(method.beta) if method.average else 1.0)
    if isinstance(method, SGD) or (isinstance(method, ProximalGradient) and type(method.h).__name__ == "Nothing"):
        return _Linear(float(method.alpha), 0.0, 1.0)
    raise ValueError(f"{type(method).__name__} is not linear; the mean recursion is for SGD and Momentum")


@dataclass(frozen=True)
class MeanRecursion:
    """E gap, grad2, dist2 (rows 0..steps), z and next_z (rows 0..steps-1) of the lagged rule with real n; diagonal H.

    The real n may be below 1: the value is that of the theorem's z, not of a rule that rounds.
    """

    steps: int = 100

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        path, s = self.means(case)
        measured, bound = quantity.sides(case.symbols, namespace({n: v[:, None] for n, v in path.items()}))
        ratio = quantity.ratio(measured, bound)
        return exact_evidence(ratio, lambda i: f"k = {i + 1}", ROUNDING, seen={"lag": s},
                              series=path_series(np.asarray(measured), bound, ratio))

    def means(self, case: Any) -> tuple[dict[str, Array], float]:
        base = getattr(case.problem, "base", case.problem)
        if not isinstance(base, Quadratic) or base.hessian.ndim != 1:
            raise ValueError("the mean recursion needs a quadratic with a diagonal Hessian")
        s, h, law = relative(case.problem, case.sizing), base.hessian, case.problem.law(np.zeros((1, base.dim)))
        total = float(law.total[0])
        share = np.broadcast_to(np.asarray(law.variances, dtype=float), (1, base.dim))[0] / total
        start = base.displacement(np.asarray(case.x0, dtype=float))
        state = np.zeros((3, base.dim))
        state[0] = start * start
        z, rows, noise = total / case.sizing.start, [], []
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(self.steps):
                rows.append(_summary(h, state[0]))
                state, g2 = _advance(_method(case.method), h, state, z * share)
                noise.append((z, s * g2))
                z = s * g2
        path = dict(zip(("gap", "grad2", "dist2"), np.array([*rows, _summary(h, state[0])]).T, strict=True))
        return path | dict(zip(("z", "next_z"), np.array(noise).T, strict=True)), s


def _summary(h: Array, xx: Array) -> tuple[float, float, float]:
    return float(h @ xx) / 2, float((h * h) @ xx), float(xx.sum())


def _advance(method: _Linear, h: Array, state: Array, noise: Array) -> tuple[Array, float]:
    """E[xx, xm, mm] an eigenvalue after one step, and E|g|^2 before it."""
    xx, xm, mm = state
    a, b, w = method.alpha, method.keep, method.take
    gg = h * h * xx + noise
    inner, square = b * xm + w * h * xx, b * b * mm + 2 * b * w * h * xm + w * w * gg
    return np.array([xx - 2 * a * inner + a * a * square, inner - a * square, square]), float(gg.sum())


def radius(L: float, alpha: float, s: float) -> float:
    """Spectral radius of (E gap, E z) on F = L|x|^2/2: of [[(1 - alpha L)^2, L alpha^2/2], [2 L s, s]]."""
    matrix = np.array([[(1 - alpha * L) ** 2, L * alpha**2 / 2], [2 * L * s, s]])
    return float(abs(np.linalg.eigvals(matrix)).max())


__all__ = ["MeanRecursion", "radius", "relative"]
