"""Numbers and examples as a reader wants them: short decimals where exact, else fractions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

import numpy as np


def number(value: Any) -> str:
    """3/8 -> 0.375, 1/3 -> 1/3, 2.5 -> 2.5; floats at full precision."""
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        rest: int = value.denominator
        twos, fives = 0, 0
        while rest % 2 == 0:
            rest, twos = rest // 2, twos + 1
        while rest % 5 == 0:
            rest, fives = rest // 5, fives + 1
        return f"{float(value):.{max(twos, fives)}f}" if rest == 1 and max(twos, fives) <= 8 else str(value)
    if isinstance(value, (float, np.floating)):
        plain = float(value)
        return str(int(plain)) if math.isfinite(plain) and plain == int(plain) and abs(plain) < 1e15 else repr(plain)
    return str(value)


def show(value: Any) -> str:
    """An example, one field a line; a table as rows."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = {f.name: getattr(value, f.name) for f in fields(value) if f.repr}
        return show({name: v for name, v in pairs.items() if v not in (None, {}, ())})
    if isinstance(value, Mapping):
        return "\n".join(show(v) if isinstance(v, Mapping) else f"{name} = {inline(v)}" for name, v in value.items())
    return inline(value)


def inline(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {inline(v)}" for name, v in value.items())
    return number(value)
