"""Symbolic points: a method as ordinary linear arithmetic, its analysis as forms linear in a Gram matrix.

Vectors are combinations of basis vectors p_1..p_r, <u, v> is linear in the Gram matrix G = P'P, and function values are
variables of their own. A statement about all functions of a class is then a semidefinite programme (Drori and Teboulle
2014; Taylor, Hendrickx, Glineur 2017). Coefficients may be floats or Fractions.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Coefficients = Mapping[Any, Any]


def _combine(a: Coefficients, b: Coefficients, factor: Any) -> dict[Any, Any]:
    out = dict(a)
    for key, value in b.items():
        out[key] = out.get(key, 0) + factor * value
    return {k: v for k, v in out.items() if v != 0}


@dataclass(frozen=True)
class Vector:
    """A combination of basis vectors: + - and multiples; u @ v is their inner product, a Form."""

    parts: Coefficients = field(default_factory=dict)

    def __add__(self, other: Vector) -> Vector:
        return Vector(_combine(self.parts, other.parts, 1))

    def __sub__(self, other: Vector) -> Vector:
        return Vector(_combine(self.parts, other.parts, -1))

    def __mul__(self, factor: Any) -> Vector:
        return Vector({k: factor * v for k, v in self.parts.items()})

    __rmul__ = __mul__

    def __neg__(self) -> Vector:
        return self * -1

    def __matmul__(self, other: Vector) -> Form:
        gram: dict[Any, Any] = defaultdict(int)
        for i, a in self.parts.items():
            for j, b in other.parts.items():
                gram[min(i, j), max(i, j)] += a * b
        return Form(dict(gram))

    @property
    def squared(self) -> Form:
        """|u|^2."""
        return self @ self


@dataclass(frozen=True)
class Form:
    """sum gram[i, j] <p_i, p_j> + sum values[k] F_k + constant."""

    gram: Coefficients = field(default_factory=dict)
    values: Coefficients = field(default_factory=dict)
    constant: Any = 0

    def __add__(self, other: Any) -> Form:
        if not isinstance(other, Form):
            return Form(self.gram, self.values, self.constant + other)
        return Form(_combine(self.gram, other.gram, 1), _combine(self.values, other.values, 1),
                    self.constant + other.constant)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Form:
        return self + other * -1

    def __rsub__(self, other: Any) -> Form:
        return self * -1 + other

    def __mul__(self, factor: Any) -> Form:
        return Form({k: factor * v for k, v in self.gram.items()}, {k: factor * v for k, v in self.values.items()},
                    factor * self.constant)

    __rmul__ = __mul__

    def __neg__(self) -> Form:
        return self * -1


class Model:
    """Basis vectors, function values, constraints form <= 0, and a performance measure to be maximised."""

    def __init__(self) -> None:
        self.vectors: list[str] = []
        self.values: list[str] = []
        self.constraints: list[tuple[str, Form]] = []
        self.functions: list[Function] = []
        self.objective = Form()

    def vector(self, name: str) -> Vector:
        self.vectors.append(name)
        return Vector({len(self.vectors) - 1: 1})

    def value(self, name: str) -> Form:
        self.values.append(name)
        return Form({}, {len(self.values) - 1: 1})

    def require(self, name: str, form: Form) -> None:
        """form <= 0."""
        self.constraints.append((name, form))

    def function(self, L: Any, mu: Any = 0, name: str = "f") -> Function:
        """A member of the class with curvature in [mu, L]: L = inf convex, mu = -L nonconvex, mu = -inf: only
        F(y) <= F(x) + <grad F(x), y - x> + L/2 |y - x|^2."""
        if not (L > 0 and mu <= L and (mu >= 0 or mu == -L or mu == -math.inf)) or (L == math.inf and mu < 0):
            raise ValueError(f"mu = {mu}, L = {L}: need 0 <= mu <= L, or mu = -L or -inf (nonconvex, L finite), L > 0")
        f = Function(self, L, mu, name)
        self.functions.append(f)
        return f

    def maximise(self, form: Form) -> Model:
        """Set the measure and add the interpolation conditions of every function; returns the model."""
        self.objective = form
        for f in self.functions:
            f.interpolate()
        return self


@dataclass
class Function:
    """A function seen at finitely many points: (x, gradient, value) triples that a member of the class can pass."""

    model: Model
    L: Any
    mu: Any
    name: str
    points: list[tuple[str, Vector, Vector, Form]] = field(default_factory=list)

    def at(self, x: Vector, label: str, gradient: Vector | None = None,
           value: Form | None = None) -> tuple[Vector, Form]:
        """(gradient, value) at x, new unless given."""
        if gradient is None and self.L == self.mu and self.points:  # a quadratic: one gradient gives all
            _, y, s, _ = self.points[0]
            gradient = s + self.L * (x - y)
        g = self.model.vector(f"grad {self.name}({label})") if gradient is None else gradient
        F = self.model.value(f"{self.name}({label})") if value is None else value
        self.points.append((label, x, g, F))
        return g, F

    def minimum(self) -> None:
        """Put the minimiser at 0 with value 0."""
        self.at(Vector(), "*", Vector(), Form())

    def interpolate(self) -> None:
        """The conditions for every ordered pair, necessary and sufficient on R^d, d large."""
        for i, first in enumerate(self.points):
            for j, second in enumerate(self.points):
                if i != j:
                    name = f"{self.name}: {first[0]} above {second[0]}"
                    self.model.require(name, self._below(first[1:], second[1:]))

    def _below(self, first: Any, second: Any) -> Form:
        """lower bound of F_i from point j, minus F_i; <= 0."""
        (x, g, F), (y, s, H) = first, second
        step, turn = x - y, g - s
        if self.mu == -math.inf:
            return H + g @ step - self.L / 2 * step.squared - F
        form = H + s @ step - F
        if self.L == math.inf:
            return form + self.mu / 2 * step.squared if self.mu else form
        if self.L == self.mu:
            return form + self.L / 2 * step.squared
        q = self.mu / self.L
        bow = turn.squared * (1 / self.L) + self.mu * step.squared - 2 * q * (turn @ step)
        return form + 1 / (2 * (1 - q)) * bow
