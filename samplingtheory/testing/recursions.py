"""The recursions that optimizers are named after, coordinate by coordinate in plain floats, each written as its paper
writes it; and what they do under two special sequences of gradients, in closed form.

    sgd                x -= alpha g
    momentum           m = beta m + g;  x -= alpha m                                     (m_0 = 0)
    proximal-gradient  x = soft(x - alpha g, alpha weight)                               (h = weight |x|_1)
    adagrad-norm       v += |g|^2;  x -= alpha g / sqrt(v)                               (v_0 = v0, one number)
    adagrad            v += g^2;  x -= alpha g / (sqrt(v) + eps)                         (v_0 = v0)
    rmsprop            v = beta2 v + (1 - beta2) g^2;  x -= alpha g / (sqrt(v) + eps)    (v_0 = 0)
    adam               m, v averaged with beta1, beta2 from 0, divided by 1 - beta^k;  x -= alpha m / (sqrt(v) + eps)
    adam-theory        the same without the division and without eps                     (m_0 = 0, v_0 = v0)
    adamw              x *= 1 - alpha decay, then adam
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

HYPER: Mapping[str, tuple[str, ...]] = {
    "sgd": ("alpha",), "momentum": ("alpha", "beta"), "proximal-gradient": ("alpha", "weight"),
    "adagrad-norm": ("alpha", "v0"), "adagrad": ("alpha", "v0", "eps"), "rmsprop": ("alpha", "beta2", "eps"),
    "adam": ("alpha", "beta1", "beta2", "eps"), "adam-theory": ("alpha", "beta1", "beta2", "v0"),
    "adamw": ("alpha", "beta1", "beta2", "eps", "decay"),
}
OPTIMIZERS = tuple(HYPER)
Point = list[float]
Hyper = Mapping[str, float]


def over(a: float, b: float) -> float:
    """a/b, and 0 for 0/0: a coordinate without any gradient stays where it is."""
    return a / b if b else 0.0


def soft(v: float, t: float) -> float:
    return math.copysign(max(abs(v) - t, 0.0), v)


def trajectory(kind: str, x0: Sequence[float], gradients: Sequence[Sequence[float]], h: Hyper) -> list[Point]:
    """The points x_1, ..., x_K of a recursion."""
    x, d = list(x0), len(x0)
    m, v, points = [0.0] * d, [h.get("v0", 0.0)] * d, []
    step = {"sgd": _plain, "momentum": _plain, "proximal-gradient": _proximal}.get(kind, _adaptive)
    for k, g in enumerate(gradients, 1):
        x, m, v = step(kind, x, list(g), m, v, k, h)
        points.append(x)
    return points


State = tuple[Point, Point, Point]


def _plain(kind: str, x: Point, g: Point, m: Point, v: Point, k: int, h: Hyper) -> State:
    m = [h.get("beta", 0.0) * a + b for a, b in zip(m, g, strict=True)]
    return [p - h["alpha"] * a for p, a in zip(x, m, strict=True)], m, v


def _proximal(kind: str, x: Point, g: Point, m: Point, v: Point, k: int, h: Hyper) -> State:
    a = h["alpha"]
    return [soft(p - a * b, a * h["weight"]) for p, b in zip(x, g, strict=True)], m, v


def _adaptive(kind: str, x: Point, g: Point, m: Point, v: Point, k: int, h: Hyper) -> State:
    b1, b2 = h.get("beta1", 0.0), h.get("beta2", 0.0)
    squares = [sum(b * b for b in g)] * len(g) if kind == "adagrad-norm" else [b * b for b in g]
    m = [b1 * a + (1 - b1) * b for a, b in zip(m, g, strict=True)]
    v = [a + s if kind.startswith("adagrad") else b2 * a + (1 - b2) * s for a, s in zip(v, squares, strict=True)]
    first, second = (1 - b1**k, 1 - b2**k) if kind in ("adam", "adamw") else (1.0, 1.0)
    move = [h["alpha"] * over(a / first, math.sqrt(s / second) + h.get("eps", 0.0)) for a, s in zip(m, v, strict=True)]
    return [p * (1 - h["alpha"] * h.get("decay", 0.0)) - q for p, q in zip(x, move, strict=True)], m, v


def constant_moves(kind: str, g: Sequence[float], k: int, h: Hyper) -> Point:
    """Step k, without decay and prox, under the same gradient g at every step: x_k - x_{k-1} = -move."""
    a, eps, v0 = h["alpha"], h.get("eps", 0.0), h.get("v0", 0.0)
    b1, b2 = h.get("beta1", 0.0), h.get("beta2", 0.0)
    closed: Mapping[str, Callable[[float], float]] = {
        "sgd": lambda b: a * b,
        "proximal-gradient": lambda b: a * b,
        "momentum": lambda b: a * b * (1 - h["beta"] ** k) / (1 - h["beta"]),
        "adagrad-norm": lambda b: a * over(b, math.sqrt(v0 + k * sum(c * c for c in g))),
        "adagrad": lambda b: a * over(b, math.sqrt(v0 + k * b * b) + eps),
        "rmsprop": lambda b: a * over(b, abs(b) * math.sqrt(1 - b2**k) + eps),
        "adam": lambda b: a * over(b, abs(b) + eps),
        "adamw": lambda b: a * over(b, abs(b) + eps),
        "adam-theory": lambda b: a * over((1 - b1**k) * b, math.sqrt(b2**k * v0 + (1 - b2**k) * b * b)),
    }
    return [closed[kind](b) for b in g]


def impulse_moves(kind: str, g: Sequence[float], k: int, h: Hyper) -> Point:
    """Step k under the gradient g at the first step and 0 ever after."""
    a, eps, v0 = h["alpha"], h.get("eps", 0.0), h.get("v0", 0.0)
    b1, b2 = h.get("beta1", 0.0), h.get("beta2", 0.0)
    first = 1.0 if k == 1 else 0.0
    fade1, fade2 = (1 - b1) * b1 ** (k - 1), (1 - b2) * b2 ** (k - 1)
    closed: Mapping[str, Callable[[float], float]] = {
        "sgd": lambda b: first * a * b,
        "proximal-gradient": lambda b: first * a * b,
        "momentum": lambda b: a * b * h["beta"] ** (k - 1),
        "adagrad-norm": lambda b: first * a * over(b, math.sqrt(v0 + sum(c * c for c in g))),
        "adagrad": lambda b: first * a * over(b, math.sqrt(v0 + b * b) + eps),
        "rmsprop": lambda b: first * a * over(b, abs(b) * math.sqrt(fade2) + eps),
        "adam-theory": lambda b: a * over(fade1 * b, math.sqrt(b2**k * v0 + fade2 * b * b)),
    }
    if kind in ("adam", "adamw"):
        return [a * over(fade1 * b / (1 - b1**k), abs(b) * math.sqrt(fade2 / (1 - b2**k)) + eps) for b in g]
    return [closed[kind](b) for b in g]
