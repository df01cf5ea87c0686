"""Models of one step over whole function classes, for the claims of grade CERTIFICATE.

Each builder takes exact parameters as strings or integers and a number type, so that one text serves the solver (float)
and the certificate (Fraction).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from ..evidence.worstcase.gram import Form, Model, Vector
from .base import Symbols

Build = Callable[[Any], Model]


def _check(alpha: Any, growth: Any = 1) -> None:
    if not Fraction(alpha) > 0:
        raise ValueError(f"the step is {alpha}; a step must be above 0")
    if not Fraction(growth) >= 1:
        raise ValueError(f"M = {growth}; the growth constant is 1 + eps^2, at least 1")


def scenarios(model: Model, S: int, weight: Any) -> tuple[list[Vector], Form]:
    """S equally likely noise vectors with mean zero, and their mean square."""
    e = [model.vector(f"noise {s}") for s in range(S - 1)]
    last = -e[0]
    for v in e[1:]:
        last = last - v
    e.append(last)
    total = e[0].squared
    for v in e[1:]:
        total = total + v.squared
    return e, total * weight


def mean(forms: list[Form], weight: Any) -> Form:
    total = forms[0]
    for form in forms[1:]:
        total = total + form
    return total * weight


def noisy_step(L: Any, mu: Any, growth: Any, alpha: Any, measure: str = "value") -> Build:
    """One SGD step, E|g - grad f|^2 <= (M - 1)|grad f|^2 with two scenarios: E f(x+) for f(x) = 1, or E|x+|^2."""
    _check(alpha, growth)

    def build(number: Any) -> Model:
        l, m, M, a, half = (number(Fraction(v)) for v in (L, mu, growth, alpha, Fraction(1, 2)))
        model = Model()
        f = model.function(l, m)
        x = model.vector("x")
        f.minimum()
        g, F = f.at(x, "0")
        e, V = scenarios(model, 2, half)
        model.require("test", V - (M - 1) * g.squared)
        ends = [x - a * (g + v) for v in e]
        if measure == "distance":
            model.require("start", x.squared - 1)
            return model.maximise(mean([y.squared for y in ends], half))
        model.require("start", F - 1)
        return model.maximise(mean([f.at(y, f"1{s}")[1] for s, y in enumerate(ends)], half))
    return build


def reduced_step(L: Any, mu: Any, growth: Any, alpha: Any) -> Build:
    """The same worst case with one point: f(x - alpha grad f) + (L/2) alpha^2 (M - 1)|grad f|^2 (reduction lemma)."""
    _check(alpha, growth)

    def build(number: Any) -> Model:
        l, m, M, a = (number(Fraction(v)) for v in (L, mu, growth, alpha))
        model = Model()
        f = model.function(l, m)
        x = model.vector("x")
        f.minimum()
        g, F = f.at(x, "0")
        _, after = f.at(x - a * g, "1")
        model.require("start", F - 1)
        return model.maximise(after + l * a * a * (M - 1) / 2 * g.squared)
    return build


def sharp_multipliers(s: Symbols) -> dict[str, Fraction]:
    """The exact dual of `reduced_step`: r = 1 - alpha mu on (x, x+), alpha mu on (*, x+), r - rho on (*, x)."""
    a, m, l, M = (Fraction(v) for v in (s.exact_alpha, s.exact_mu, s.exact_L, s.exact_growth))
    r = 1 - a * m
    rho = r * r + a * a * l * m * (M - 1)
    return {"f: 0 above 1": r, "f: * above 1": a * m, "f: * above 0": r - rho, "start": rho}


def relative_error(L: Any, mu: Any, eps: Any, alpha: Any) -> Build:
    """One step along d with |d - grad f| <= eps |grad f| surely."""
    _check(alpha)

    def build(number: Any) -> Model:
        l, m, e, a = (number(Fraction(v)) for v in (L, mu, eps, alpha))
        model = Model()
        f = model.function(l, m)
        x = model.vector("x")
        f.minimum()
        g, F = f.at(x, "0")
        d = model.vector("error")
        model.require("error", d.squared - e * e * g.squared)
        model.require("start", F - 1)
        return model.maximise(f.at(x - a * (g + d), "1")[1])
    return build


def descent(L: Any, steps: int, alpha: Any) -> Build:
    """Gradient descent on convex f from |x0 - x*| <= 1."""
    _check(alpha)

    def build(number: Any) -> Model:
        l, a = number(Fraction(L)), number(Fraction(alpha))
        model = Model()
        f = model.function(l, number(0))
        x = model.vector("x")
        f.minimum()
        model.require("start", x.squared - 1)
        for k in range(steps):
            x = x - a * f.at(x, str(k))[0]
        return model.maximise(f.at(x, str(steps))[1])
    return build


def nonconvex_descent(L: Any, steps: int, two_sided: bool) -> Build:
    """min |grad f(x_k)|^2 over k < T of gradient descent with step 1/L from f(x0) - f_min <= 1."""
    def build(number: Any) -> Model:
        l = number(Fraction(L))
        model = Model()
        f = model.function(l, -l if two_sided else -math.inf)
        x = model.vector("x")
        least, lowest = model.value("least"), Form()
        points = []
        for k in range(steps):
            g, F = f.at(x, str(k))
            points.append((g, F))
            model.require(f"gradient {k}", least - g.squared)
            x = x - (1 / l) * g
        g, F = f.at(x, str(steps))
        points.append((g, F))
        for k, (g, F) in enumerate(points):  # the minimum lies below every step that descent guarantees
            model.require(f"minimum {k}", lowest + 1 / (2 * l) * g.squared - F)
        model.require("start", points[0][1] - 1)
        return model.maximise(least)
    return build


def composite_step(L: Any, mu: Any, alpha: Any, eta: Any = None, xi: Any = None) -> Build:
    """One proximal step with two noise scenarios under (M, eta) or (N1, xi): E phi(x+) - phi* for phi(x) - phi* = 1."""
    _check(alpha)

    def build(number: Any) -> Model:
        l, m, a, half = (number(Fraction(v)) for v in (L, mu, alpha, Fraction(1, 2)))
        model = Model()
        f, h = model.function(l, m), model.function(math.inf, number(0), "h")
        x, slope, s0 = model.vector("x"), model.vector("grad f(*)"), model.vector("subgradient h(0)")
        f.at(Vector(), "*", slope, Form())
        h.at(Vector(), "*", -slope, Form())
        g, F = f.at(x, "0")
        _, H = h.at(x, "0", s0)
        e, V = scenarios(model, 2, half)
        ends, steps = [], []
        for s, v in enumerate(e):
            sub = model.vector(f"subgradient h(1{s})")
            y = x - a * (g + v + sub)
            ends.append(f.at(y, f"1{s}")[1] + h.at(y, f"1{s}", sub)[1])
            steps.append(y - x)
        C = mean([v @ d for v, d in zip(e, steps, strict=True)], -half)
        E2 = mean([d.squared for d in steps], half)
        expected = (steps[0] + steps[1]) * half
        if eta is not None:
            model.require("test", C - number(Fraction(eta)) / (2 * a) * E2)
        if xi is not None:
            model.require("test", V - number(Fraction(xi)) / (a * a) * expected.squared)
        model.require("start", F + H - 1)
        return model.maximise(mean(ends, half))
    return build


def tree(q: Any, M: Any, steps: Sequence[Any], S: int = 2, start: str = "value", number: Any = float) -> Model:
    """E f(x_T) - f* after `steps` (L = 1) from f(x_0) - f* <= 1 or ('distance') |x_0 - x*| <= 1.

    A tree of S equally likely noise vectors a node; the last step by the reduction lemma. A lower bound over all noise
    laws for more than one step, exact for one.
    """
    q, M, steps = number(q), number(M), [number(a) for a in steps]
    model = Model()
    f = model.function(number(1), q)
    x = model.vector("x")
    f.minimum()
    g, F = f.at(x, "0")
    model.require("start", (F if start == "value" else x.squared) - 1)
    nodes = [(x, g, "0")]
    for a in steps[:-1]:
        nodes = [node for y, g, label in nodes for node in _branch(model, f, y, g, label, a, M, S)]
    a, total = steps[-1], Form()
    for y, g, label in nodes:
        total = total + f.at(y - a * g, f"{label}+")[1] + a * a * (M - 1) / 2 * g.squared
    return model.maximise(total * (number(1) / len(nodes)))


def _branch(model: Model, f: Any, y: Vector, g: Vector, label: str, a: Any, M: Any,
            S: int) -> list[tuple[Vector, Vector, str]]:
    e = [model.vector(f"noise {label}{s}") for s in range(S - 1)]
    e.append(-sum(e, Vector()))
    V = sum((v.squared for v in e), Form())
    model.require(f"test {label}", V - S * (M - 1) * g.squared)
    ends = [y - a * (g + v) for v in e]
    return [(z, f.at(z, f"{label}{s}")[0], f"{label}{s}") for s, z in enumerate(ends)]


def convex_one(M: Any, t: Any) -> Any:
    """sup E f(x_1) - f* for |x_0 - x*| = 1, L = 1: 1/(2(1 + 2t - t^2 (M - 1))), t <= 1/M. Proved in docs/proofs."""
    return 1 / (2 * (1 + 2 * t - t * t * (M - 1)))


def convex_multipliers(M: Fraction, t: Fraction) -> dict[str, Fraction]:
    """Its exact dual: w = (t - s)/(2t - s), s = t^2 (M - 1), on (x, x+) and (*, x), 1 - w on (*, x+)."""
    s = t * t * (M - 1)
    w = (t - s) / (2 * t - s)
    return {"f: 0 above 0+": w, "f: * above 0": w, "f: * above 0+": 1 - w, "start": convex_one(M, t)}
