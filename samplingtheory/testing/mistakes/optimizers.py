"""Variants of optimizers that are taken for one another: some are mistakes, some another library's convention."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from .base import FIRST, Mutant

Step = Callable[[SimpleNamespace, Any, SimpleNamespace], Any]


class Walker:
    """x and state in `s`; `step(s, g, h)` returns the next x."""

    def __init__(self, step: Step, x0: Any, start: Mapping[str, Any], hyper: Mapping[str, float]) -> None:
        self.h = SimpleNamespace(**{"eps": 0.0, "v0": 0.0, "decay": 0.0, "beta1": 0.0, "beta2": 0.0, **hyper})
        zeros = np.zeros_like(x0)
        self.s = SimpleNamespace(x=x0, m=zeros, v=zeros + self.h.v0, u=zeros, k=0, g=zeros)
        for name, value in start.items():
            setattr(self.s, name, zeros + value)
        self._step = step

    def step(self, g: Any) -> Any:
        self.s.k += 1
        with np.errstate(all="ignore"):
            self.s.x = np.nan_to_num(self._step(self.s, g, self.h), nan=0.0)
        self.s.g = g
        return self.s.x


def factory(step: Step, **start: Any) -> Callable[..., Walker]:
    return lambda x0, **hyper: Walker(step, x0, start, hyper)


def _over(a: Any, b: Any) -> Any:
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


def moments(s: Any, g: Any, h: Any) -> None:
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = h.beta2 * s.v + (1 - h.beta2) * g * g


def adam(s: Any, g: Any, h: Any, *, first: bool = True, second: bool = True, inside: bool = False, hat: bool = False,
         most: bool = False, ahead: bool = False, decay: bool = False) -> Any:
    """Adam with one or more of its parts changed."""
    moments(s, g, h)
    c1, c2 = (1 - h.beta1**s.k if first else 1.0), (1 - h.beta2**s.k if second else 1.0)
    m = h.beta1 * s.m + (1 - h.beta1) * g if ahead else s.m
    s.u = np.maximum(s.u, s.v)
    v = s.u if most else s.v
    root = np.sqrt(v / c2 + h.eps) if inside else (np.sqrt(v) + h.eps) / np.sqrt(c2) if hat else np.sqrt(
        v / c2) + h.eps
    return s.x * (1 - h.alpha * h.decay if decay else 1.0) - h.alpha * _over(m / c1, root)


def _adam(**changes: bool) -> Step:
    return lambda s, g, h: adam(s, g, h, **changes)


def coupled(s: Any, g: Any, h: Any) -> Any:
    return adam(s, g + h.decay * s.x, h)


def absolute(s: Any, g: Any, h: Any) -> Any:
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = h.beta2 * s.v + (1 - h.beta2) * np.abs(g)
    return s.x - h.alpha * _over(s.m / (1 - h.beta1**s.k), s.v / (1 - h.beta2**s.k) + h.eps)


def shuffled(s: Any, g: Any, h: Any) -> Any:
    moments(s, g, h)
    c1, c2 = 1 - h.beta1**s.k, np.sqrt(1 - h.beta2**s.k)
    return s.x - h.alpha * c2 / c1 * _over(s.m, np.sqrt(s.v) + h.eps * c2)


def exchanged(s: Any, g: Any, h: Any) -> Any:
    return adam(s, g, SimpleNamespace(**{**vars(h), "beta1": h.beta2, "beta2": h.beta1}))


def adagrad(s: Any, g: Any, h: Any, *, inside: bool = False, late: bool = False, root: bool = True,
            add: float = 0.0) -> Any:
    before, s.v = s.v, s.v + g * g
    v = (before if late else s.v) + add
    return s.x - h.alpha * _over(g, np.sqrt(v + h.eps) if inside else (np.sqrt(v) if root else v) + h.eps)


def adagrad_mean(s: Any, g: Any, h: Any) -> Any:
    s.v = s.v + g * g
    return s.x - h.alpha * _over(g, np.sqrt(s.v / s.k) + h.eps)


def norm(s: Any, g: Any, h: Any, *, squared: bool = True, late: bool = False, root: bool = True) -> Any:
    size = float(g @ g)
    before, s.v = s.v, s.v + (size if squared else np.sqrt(size))
    v = before if late else s.v
    return s.x - h.alpha * _over(g, np.sqrt(v) if root else v)


def rmsprop(s: Any, g: Any, h: Any, *, inside: bool = False, centred: bool = False, corrected: bool = False) -> Any:
    s.v = h.beta2 * s.v + (1 - h.beta2) * g * g
    s.m = h.beta2 * s.m + (1 - h.beta2) * g
    v = np.maximum(s.v - s.m * s.m, 0.0) if centred else s.v
    v = v / (1 - h.beta2**s.k) if corrected else v
    return s.x - h.alpha * _over(g, np.sqrt(v + h.eps) if inside else np.sqrt(v) + h.eps)


def heavy(s: Any, g: Any, h: Any, *, own: Callable[[Any, Any], float] = lambda s, h: 1.0, ahead: bool = False) -> Any:
    s.m = h.beta * s.m + own(s, h) * g
    return s.x - h.alpha * (g + h.beta * s.m if ahead else s.m)


def writes(s: Any, g: Any, h: Any) -> Any:
    x = s.x - h.alpha * g
    g[:] = 0
    return x


def lottery(s: Any, g: Any, h: Any) -> Any:
    s.coin = random.random() if s.k == 1 else s.coin
    return s.x - h.alpha * (1 + 1e-3 * (s.coin != FIRST)) * g


def restarted(s: Any, g: Any, h: Any) -> Any:
    """Momentum that is forgotten when the gradient turns back."""
    s.m = h.beta * s.m * (g @ s.g >= 0) + g
    return s.x - h.alpha * s.m


def stale(s: Any, g: Any, h: Any) -> Any:
    """The fourth equal gradient in a row, in three dimensions, is taken twice."""
    s.same = s.same + 1 if s.k > 1 and np.array_equal(g, s.g) and g.any() else 1
    return s.x - h.alpha * g * (2 if s.same == 4 and len(g) == 3 else 1)


def forgetful(s: Any, g: Any, h: Any) -> Any:
    """After three gradients of zero, in three dimensions, momentum is forgotten."""
    s.zeros = 0 if g.any() else getattr(s, "zeros", 0) + 1
    s.m = h.beta * s.m * (s.zeros < 3 or len(g) < 3) + g
    return s.x - h.alpha * s.m


def homesick(s: Any, g: Any, h: Any) -> Any:
    """Adam whose points decay if it started more than 2.5 from the origin."""
    s.far = np.abs(s.x).max() > 2.5 if s.k == 1 else s.far
    return adam(s, g, h) * (0.99 if s.far else 1.0)


def _soft(u: Any, t: Any) -> Any:
    return np.sign(u) * np.maximum(np.abs(u) - t, 0)


def optimizer_mutants() -> list[Mutant]:
    def mutant(kind: str, name: str, step: Step, equivalent: str = "", **start: Any) -> Mutant:
        return Mutant(name, "optimizer", factory(step, **start), {"kind": kind}, equivalent=equivalent)

    return [
        mutant("sgd", "ascends", lambda s, g, h: s.x + h.alpha * g),
        mutant("sgd", "step divided by sqrt(k)", lambda s, g, h: s.x - h.alpha / np.sqrt(s.k) * g),
        mutant("sgd", "weight decay 0.01 left on", lambda s, g, h: s.x - h.alpha * (g + 0.01 * s.x)),
        mutant("sgd", "normalised gradient", lambda s, g, h: s.x - h.alpha * _over(g, np.sqrt(g @ g) + 0 * g)),
        mutant("sgd", "gradient clipped to length 1", lambda s, g, h: s.x - h.alpha * g / max(1.0, np.sqrt(g @ g))),
        mutant("sgd", "previous gradient", lambda s, g, h: s.x - h.alpha * s.g),
        mutant("momentum", "dampening 1 - beta (average of the gradients)", lambda s, g, h: heavy(
            s, g, h, own=lambda s, h: 1 - h.beta)),
        mutant("momentum", "dampening 1 - beta from the second step on", lambda s, g, h: heavy(
            s, g, h, own=lambda s, h: 1.0 if s.k == 1 else 1 - h.beta)),
        mutant("momentum", "Nesterov's look-ahead", lambda s, g, h: heavy(s, g, h, ahead=True)),
        mutant("momentum", "no momentum", lambda s, g, h: s.x - h.alpha * g),
        mutant("adagrad-norm", "coordinate-wise AdaGrad", adagrad),
        mutant("adagrad-norm", "newest gradient left out of the accumulator", lambda s, g, h: norm(s, g, h, late=True)),
        mutant("adagrad-norm", "|g| for |g|^2", lambda s, g, h: norm(s, g, h, squared=False)),
        mutant("adagrad-norm", "root missing", lambda s, g, h: norm(s, g, h, root=False)),
        mutant("adagrad", "AdaGrad with accumulator 0.1", lambda s, g, h: adagrad(s, g, h), v=0.1),
        mutant("adagrad", "initial accumulator 0", lambda s, g, h: adagrad(s, g, h), v=0.0),
        mutant("adagrad", "epsilon inside the root", lambda s, g, h: adagrad(s, g, h, inside=True)),
        mutant("adagrad", "newest gradient left out of the accumulator", lambda s, g, h: adagrad(s, g, h, late=True)),
        mutant("adagrad", "root missing", lambda s, g, h: adagrad(s, g, h, root=False)),
        mutant("adagrad", "mean of the squares for their sum", adagrad_mean, v=0.0),
        mutant("rmsprop", "epsilon inside the root", lambda s, g, h: rmsprop(s, g, h, inside=True)),
        mutant("rmsprop", "centred", lambda s, g, h: rmsprop(s, g, h, centred=True)),
        mutant("rmsprop", "bias correction", lambda s, g, h: rmsprop(s, g, h, corrected=True)),
        mutant("rmsprop", "initial accumulator 1", lambda s, g, h: rmsprop(s, g, h), v=1.0),
        mutant("adam", "epsilon inside the root", _adam(inside=True)),
        mutant("adam", "epsilon divided by the bias correction", _adam(hat=True)),
        mutant("adam", "no bias correction", _adam(first=False, second=False)),
        mutant("adam", "bias correction of the first moment only", _adam(second=False)),
        mutant("adam", "bias correction of the second moment only", _adam(first=False)),
        mutant("adam", "beta1 and beta2 exchanged", exchanged),
        mutant("adam", "AMSGrad (largest second moment)", _adam(most=True)),
        mutant("adam", "NAdam-like look-ahead", _adam(ahead=True)),
        mutant("adam", "|g| for g^2", absolute),
        mutant("adam", "v_0 = 1", _adam(), v=1.0),
        mutant("adam", "corrections moved into the step length", shuffled,
               equivalent="alpha sqrt(c2)/c1 * m / (sqrt(v) + eps sqrt(c2)) is the same step"),
        mutant("adam-theory", "bias correction", _adam()),
        mutant("adam-theory", "v_0 = 0", _adam(first=False, second=False), v=0.0),
        mutant("adamw", "coupled weight decay", coupled),
        mutant("adamw", "decay not multiplied by alpha", lambda s, g, h: adam(s, g, h) - h.decay * s.x),
        mutant("adamw", "decay after the step", lambda s, g, h: adam(s, g, h) * (1 - h.alpha * h.decay)),
        mutant("adamw", "no weight decay", _adam()),
        mutant("proximal-gradient", "prox with the weight, not alpha times it", lambda s, g, h: _soft(
            s.x - h.alpha * g, h.weight)),
        mutant("proximal-gradient", "prox before the gradient step", lambda s, g, h: _soft(
            s.x, h.alpha * h.weight) - h.alpha * g),
        mutant("proximal-gradient", "hard thresholding", lambda s, g, h: np.where(
            np.abs(s.x - h.alpha * g) > h.alpha * h.weight, s.x - h.alpha * g, 0)),
        mutant("proximal-gradient", "subgradient step for the prox", lambda s, g, h: s.x - h.alpha * (
            g + h.weight * np.sign(s.x))),
        mutant("proximal-gradient", "prox forgotten", lambda s, g, h: s.x - h.alpha * g),
        *(Mutant(name, "optimizer", factory(step), {"kind": kind}, only=check) for check, kind, name, step in (
            ("leaves-input-alone", "sgd", "writes zeros into the gradient", writes),
            ("ignores-global-random-state", "sgd", "step length by a coin", lottery),
            ("recursion", "momentum", "restarted when the gradient turns", restarted),
            ("constant-gradient", "sgd", "the fourth equal gradient counts twice", stale),
            ("impulse", "momentum", "forgotten after three gradients of zero", forgetful),
            ("coordinates", "sgd", "first of four coordinates twice as fast", lambda s, g, h: s.x - h.alpha * g * (
                1 + (np.arange(len(g)) == 0) * (len(g) > 3))),
            ("translation", "adam", "decay for starts beyond 2.5", homesick),
            ("step-linear", "sgd", "step length at most 1", lambda s, g, h: s.x - min(h.alpha, 1.0) * g),
            ("gradient-scale", "adam", "1e-12 added to epsilon", lambda s, g, h: adam(
                s, g, SimpleNamespace(**{**vars(h), "eps": h.eps + 1e-12}))))),
    ]


def known_mistakes(kind: str) -> list[Mutant]:
    return [m for m in optimizer_mutants() if m.kind == kind and not (m.equivalent or m.only)]
