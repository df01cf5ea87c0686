"""Tests on the complete step x+ - x: after prox and projection, and after the method's own scaling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..moments import Array, exact
from .sizes import SLACK, positive, smallest

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
        positive("xi", self.xi)
        _check_step(self.step)

    def __call__(self, m: Any) -> Array:
        if self.step == "mapping":
            return smallest(m.total, m.mapping * exact(self.xi, np.asarray(m.mapping)), 1, m.population)
        column = "m" if self.step == "expected" else "E2"
        return _first(m, lambda s: s.alpha**2 * s.V <= self.xi * getattr(s, column) * (1 + SLACK), "StepNormTest")


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
        positive("eta", self.eta)
        _check_step(self.step)

    def __call__(self, m: Any) -> Array:
        if self.step == "mapping":
            if not hasattr(m, "surviving"):
                raise ValueError("the inner product condition is closed only on a batch: with the exact law of data "
                                 "too large to enumerate use StepNormTest(xi, 'mapping')")
            return smallest(m.surviving, m.alpha**2 * m.mapping, np.sqrt(self.eta), m.population)
        column = "m" if self.step == "expected" else "E2"
        return _first(m, lambda s: 2 * s.alpha * s.C <= self.eta * getattr(s, column) * (1 + SLACK), "StepInnerProductTest")
