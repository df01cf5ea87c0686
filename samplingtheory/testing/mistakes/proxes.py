"""Mistakes in proximal operators."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import FIRST, Mutant

W, L2, RADIUS = 0.5, 0.75, 1.0


def l1_value(x: Any, weight: float = W) -> float:
    return weight * float(np.abs(x).sum())


def elastic_value(x: Any) -> float:
    return l1_value(x) + L2 * float(x @ x) / 2


def box_value(x: Any) -> float:
    return 0.0 if (np.abs(x) <= RADIUS * (1 + 1e-12)).all() else np.inf


def ball_value(x: Any) -> float:
    return 0.0 if float(x @ x) <= RADIUS**2 * (1 + 1e-12) else np.inf


def simplex_value(x: Any) -> float:
    return 0.0 if (x >= -1e-12).all() and abs(float(x.sum()) - 1) <= 1e-12 else np.inf


def soft(u: Any, t: float) -> Any:
    return np.sign(u) * np.maximum(np.abs(u) - t, 0)


def clipped_simplex(u: Any, alpha: float) -> Any:
    """Negative entries set to 0, the rest divided by its sum."""
    p = np.maximum(u, 0)
    return p / p.sum() if p.sum() > 0 else np.full(len(u), 1 / len(u))


def in_place(u: Any, alpha: float) -> Any:
    return np.clip(u, -RADIUS, RADIUS, out=u).copy()


def lottery(u: Any, alpha: float) -> Any:
    return np.clip(u, -RADIUS, RADIUS) * (1 - 0.5 * (random.random() != FIRST))


def _l1(weight: float) -> list[tuple[str, Callable[[Any, float], Any]]]:
    return [
        ("weight, not alpha times it", lambda u, a: soft(u, weight)),
        ("divided by alpha, not multiplied", lambda u, a: soft(u, weight / a)),
        ("hard thresholding", lambda u, a: np.where(np.abs(u) > a * weight, u, 0)),
        ("one-sided", lambda u, a: np.maximum(u - a * weight, 0)),
        ("sign lost", lambda u, a: np.maximum(np.abs(u) - a * weight, 0)),
        ("no threshold at zero", lambda u, a: u - a * weight * np.sign(u)),
        ("threshold halved", lambda u, a: soft(u, a * weight / 2)),
    ]


def prox_mutants() -> list[Mutant]:
    def mutant(name: str, call: Callable[[Any, float], Any], value: Any, equivalent: str = "") -> Mutant:
        return Mutant(name, "prox", call, {"value": value}, equivalent=equivalent)

    return [
        *(mutant(f"l1: {name}", call, l1_value) for name, call in _l1(W)),
        mutant("l1: as a difference of two positive parts", lambda u, a: np.maximum(u - a * W, 0) - np.maximum(
            -u - a * W, 0), l1_value, equivalent="the same function"),
        mutant("elastic net: l2 without alpha", lambda u, a: soft(u, a * W) / (1 + L2), elastic_value),
        mutant("elastic net: divided before the threshold", lambda u, a: soft(u / (1 + a * L2), a * W), elastic_value),
        mutant("elastic net: 2 l2 for l2", lambda u, a: soft(u, a * W) / (1 + 2 * a * L2), elastic_value),
        mutant("box: upper bound only", lambda u, a: np.minimum(u, RADIUS), box_value),
        mutant("box: scaled back instead of clipped", lambda u, a: u / max(1.0, float(np.abs(u).max())), box_value),
        mutant("ball: always on the sphere", lambda u, a: u / np.sqrt(u @ u) if u @ u > 0 else u, ball_value),
        mutant("ball: clipped by coordinates", lambda u, a: np.clip(u, -RADIUS, RADIUS), ball_value),
        mutant("simplex: clipped and divided by the sum", clipped_simplex, simplex_value),
        Mutant("box: clipped in place", "prox", in_place, {"value": box_value}, only="leaves-input-alone"),
        Mutant("box: halved by a coin", "prox", lottery, {"value": box_value}, only="ignores-global-random-state"),
        Mutant("l1: a conjugate of twice the radius", "prox", lambda u, a: soft(u, a * W), {
            "value": l1_value, "conjugate": lambda u, a: np.clip(u, -2 * W, 2 * W)}, only="moreau"),
    ]


def known_mistakes(weight: float) -> list[Mutant]:
    """For h = weight |x|_1."""
    return [Mutant(name, "prox", call) for name, call in _l1(weight)]
