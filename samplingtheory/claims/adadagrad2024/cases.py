"""What the theorems on adaptive steps are told, their hypotheses, and the runs that test them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ...criteria import CoordinatewiseNormTest, NormTest
from ...methods import AdaGrad, AdaGradNorm
from ...moments import Array, dot
from ...problems.base import follow
from ...problems.noise import ContinuousOracle
from ...problems.oracles import Oracle, TwoPoint
from ...problems.separable import LogQuad
from ...run import Step
from ...sizing import Ahead, Fixed
from ..adaptive_bounds import Bound, bound_adagrad_coord, bound_adagrad_norm, bound_any_tau, bound_pathwise, generalised
from ..base import Case, Hypothesis, Symbols
from ..common import SMOOTH, robust

PAPER = "adadagrad2024"
ONE = Fixed(1)

# ---------------------------------------------------------------- columns of a step


def scale(step: Step) -> Array:
    """w = v_{k-1}, before the step, one row a batch."""
    return follow(step.before.v, step.batch.parent)


def share(step: Step) -> Array:
    """|G|^2/sqrt(v_{k-1} + |G|^2): what S adds up."""
    G2 = step.law("signal")
    return G2 / np.maximum(np.sqrt(scale(step) + G2), 1e-300)


def shares(step: Step) -> Array:
    """Its coordinate-wise form, summed over i."""
    G = step.law("mean")
    return (G * G / np.maximum(np.sqrt(scale(step) + G * G), 1e-300)).sum(-1)


def pull(step: Step) -> Array:
    """<G, g>/sqrt(v_k)."""
    return dot(step.law("mean"), step.batch.moments.mean) / np.sqrt(step.after.v)


def spent(step: Step) -> Array:
    """|g|^2/v_k."""
    g = step.batch.moments.mean
    return dot(g, g) / step.after.v


def risen(step: Step) -> Array:
    """sqrt(v_k) - sqrt(v_{k-1})."""
    return np.sqrt(step.after.v) - np.sqrt(scale(step))


def worst_coordinate(step: Step) -> Array:
    """max_i Var(g_i)/G_i^2 for the batch mean; 0/0 = 0."""
    noise, G = step.law("variances") * step.shrink[:, None], step.law("mean")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(noise <= 0, 0.0, noise / (G * G)).max(-1)


# ---------------------------------------------------------------- hypotheses

Told = Callable[[Case, Mapping[str, float]], float]


def _as_told(name: str, least: float = 0.0) -> Told:
    """The method's number is the one that the theorem was told, and above `least`."""
    def margin(case: Case, seen: Mapping[str, float]) -> float:
        used = float(np.min(getattr(case.method, name)))
        told = float(np.min(getattr(case.symbols, name)))
        return 1e-9 - abs(used / told - 1) if min(used, told) > least else -1.0
    return margin


def _gap(case: Case, seen: Mapping[str, float]) -> float:
    gap = float(np.max(case.problem.gap(np.atleast_2d(np.asarray(case.x0, dtype=float)))))
    return case.symbols.Delta / gap - 1 if gap > 0 else 0.0


def _test(case: Case, seen: Mapping[str, float]) -> float:
    return 1 - (1 + seen["rel_total"]) / (1 + case.symbols.eta**2)


START = Hypothesis("v0 > 0, as the bound was told", _as_told("v0"))
STEP = Hypothesis("the step is the one that the bound was told", _as_told("alpha"))
GAP = Hypothesis("Delta is at least F(x_1) - inf F", _gap)
BELOW_ONE = Hypothesis("eta < 1", lambda case, seen: 1 - case.symbols.eta - 1e-6)
TEST = Hypothesis("the norm test holds at every iterate: E|g - G|^2 <= eta^2 |G|^2", _test, ("rel_total",))
SURE = Hypothesis("every realised gradient satisfies |g - G| <= eta |G|",
                  lambda case, seen: case.symbols.eta**2 * (1 + 1e-9) + 1e-18 - seen["rel_error2"], ("rel_error2",))
COMMON = {"smooth": SMOOTH, "start": START, "step": STEP, "gap": GAP, "eta": BELOW_ONE}
NORM = COMMON | {"test": TEST}


# ---------------------------------------------------------------- cases


@lru_cache(maxsize=4096)
def _norm_bound(Delta: float, L: float, alpha: float, v0: float, eta: float) -> Bound:
    return bound_adagrad_norm(Delta, L, alpha, v0, eta)


def norm_bound(s: Symbols) -> Bound:
    return _norm_bound(s.Delta, s.L, s.alpha, s.v0, s.eta)


def sure_bound(s: Symbols) -> tuple[float, float]:
    return bound_pathwise(s.Delta, s.L, s.alpha, s.v0, s.eta)


def general_bound(s: Symbols) -> Bound:
    return bound_adagrad_norm(s.Delta, alpha=s.alpha, v0=s.v0, eta=s.eta, **generalised(s.L0, s.L1, s.alpha))


def any_bound(s: Symbols) -> Bound:
    return bound_any_tau(s.Delta, s.L, s.alpha, s.v0, s.growth, s.grad2)


def coordinate_bound(s: Symbols) -> Bound:
    return bound_adagrad_coord(s.Delta, s.curvatures, s.alpha, s.v0, s.eta)


def adaptive_case(name: str, problem: Any, sizing: Any, x0: Any, evidence: Any, alpha: float, v0: float, eta: float,
                  method: Any = AdaGradNorm, note: str = "", **told: Any) -> Case:
    """A run of AdaGrad-Norm (or AdaGrad); `told` replaces what the theorem is told of it."""
    start = np.full(problem.dim, float(x0)) if np.ndim(x0) == 0 else np.asarray(x0, dtype=float)
    G = problem.gradient(start[None])
    known = {"Delta": float(problem.gap(start[None])[0]), "L": problem.constants.L, "alpha": alpha, "v0": v0,
             "eta": eta, "growth": 1 + eta * eta, "grad2": float(dot(G, G)[0]), "L0": problem.constants.L0,
             "L1": problem.constants.L1}
    base = getattr(problem, "base", problem)
    if hasattr(base, "curvatures"):
        known["curvatures"] = base.curvatures
    return Case(name, problem, method(alpha, v0), sizing, start, evidence, Symbols(**(known | told)), note)


def told(case: Case, **symbols: Any) -> Case:
    """The same run, of which the theorem is told something else."""
    return replace(case, symbols=Symbols(**(vars(case.symbols) | symbols)))


def noisy(base: Any, noise: Any) -> Any:
    return ContinuousOracle(base, noise) if hasattr(noise, "deviation") else Oracle(base, noise)


def on_logquad(name: str, noise: Any, evidence: Any, eta: float, d: int = 10, x0: float = 1.5, alpha: float = 0.2,
               v0: float = 0.01, **how: Any) -> Case:
    """F = sum log(1 + x_i^2); by default the setting in which theorem A is nearly met."""
    return adaptive_case(name, noisy(LogQuad(d), noise), ONE, x0, evidence, alpha, v0, eta, **how)


def on_data(name: str, loss: str, eta: float, evidence: Any, alpha: float = 0.2, v0: float = 0.01,
            coordinates: bool = False, **how: Any) -> Any:
    """Robust regression on data shipped with scikit-learn, sizes from the exact (coordinate-wise) test; lazily."""
    def build() -> Case:
        problem, test = robust(name, loss), (CoordinatewiseNormTest if coordinates else NormTest)(eta)
        method = AdaGrad if coordinates else AdaGradNorm
        return adaptive_case(f"{name}, {loss} regression, {'coordinate-wise ' if coordinates else ''}norm test",
                             problem, Ahead(test), np.zeros(problem.dim), evidence, alpha, v0, eta, method, **how)
    return build


def silent(name: str, evidence: Any, eta: float = 0.0, d: int = 1, **how: Any) -> Case:
    """No noise, a start of 1e-3 with v0 = 1e-6: the logarithm of the bound is all that there is."""
    return on_logquad(name, TwoPoint(0.0), evidence, eta, d, **({"x0": 1e-3, "alpha": 1.0, "v0": 1e-6} | how))


@dataclass(frozen=True)
class Backwards:
    """g = -back G with probability p, else the larger multiple that makes E g = G and E|g - G|^2 = eta^2 |G|^2.

    Cantelli's law, moved a little beyond 0: as back -> 0 it reaches the sharp Lemma 1 at w = 0. Ours.
    """

    eta: float
    back: float = 1e-6
    constant = 0

    @property
    def growth(self) -> float:
        return 1 + self.eta * self.eta

    @property
    def probabilities(self) -> Array:
        p = self.eta**2 / (self.eta**2 + (1 + self.back) ** 2)
        return np.array([p, 1 - p])

    def atoms(self, G: Array) -> Array:
        return np.stack([-self.back * G, (1 + self.eta**2 / (1 + self.back)) * G], axis=-2)
