"""Plots as small SVG elements, styled by the page (so they follow light, dark and print).

Written directly: matplotlib takes 0.1 s and 20 kB a panel and bakes in fonts and colours; a report has 200.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

from .series import Curve, Plot
from .words import SUPERSCRIPT

WIDTH, LEFT, RIGHT, TOP = 340, 40, 10, 8
Scale = Callable[[float], float]


def svg(plot: Plot, label: str) -> str:
    """One <svg>; `label` is read out in its place."""
    bottom = 36 if plot.x_label else 22
    base = plot.height - bottom
    xs = [v for c in plot.curves for v in c.x] + ([] if plot.limit is None else [plot.limit])
    ys = [v for c in plot.curves for v in c.y] + [v for v in (plot.level, plot.floor) if v is not None]
    x_range = _limits(xs, plot.log_x, pad=plot.limit is not None)
    y_range = _limits(ys, plot.log_y, pad=True)
    x = _scale(*x_range, LEFT, WIDTH - RIGHT, plot.log_x)
    y = _scale(*y_range, base, TOP, plot.log_y)
    whole = all(v == int(v) for v in xs if math.isfinite(v))
    rungs = [] if plot.limit is not None else _ticks(*y_range, plot.log_y, (base - TOP) // 24)
    parts = [_rungs(rungs, y), _feet(_ticks(*x_range, plot.log_x, 5, whole), x, base)]
    if plot.x_label:
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(f'<text class="mid" x="{middle}" y="{plot.height - 4}">{escape(plot.x_label)}</text>')
    parts += [_excess(plot, x, y), *(_curve(curve, x, y, (TOP + base) / 2) for curve in plot.curves)]
    if plot.level is not None:  # on top: where the measured curve reaches the bound, both are seen
        parts.append(f'<path class="bound" d="M{LEFT} {y(plot.level):.1f}H{WIDTH - RIGHT}"/>')
    if plot.limit is not None:
        parts.append(f'<path class="bound" d="M{x(plot.limit):.1f} {TOP}V{base}"/>')
    title = escape(f"{label}: {plot.title}")
    return (f'<svg viewBox="0 0 {WIDTH} {plot.height}" role="img" aria-label="{title}"><title>{title}</title>'
            + "".join(parts) + "</svg>")


def _limits(values: Sequence[float], log: bool, pad: bool) -> tuple[float, float]:
    """The range to show: whole decades on a logarithmic y axis, never empty."""
    finite = [v for v in values if math.isfinite(v) and (v > 0 or not log)] or [1.0]
    low, high = min(finite), max(finite)
    if log and pad:
        low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** min(math.ceil(math.log10(high)), 308)
        return (max(low, 1e-300), high) if high > low else (low / 10, high * 10)
    if pad:  # at least 2 %: rounding must not look like an excess
        extra = max(0.06 * (high - low), 0.02 * max(abs(low), abs(high))) or 0.5
    elif high == low:
        return (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    else:
        extra = 0.0
    return (low if low == 0 < high else low - extra), high + extra


def _scale(low: float, high: float, start: float, end: float, log: bool) -> Scale:
    """Position of a value; what lies outside the axis is drawn on its edge."""
    to = (lambda v: math.log10(max(v, 1e-320))) if log else (lambda v: v)
    a, b = to(low), to(high)
    return lambda v: start + (end - start) * min(max((to(v) - a) / (b - a), 0.0), 1.0)


def _ticks(low: float, high: float, log: bool, most: int, whole: bool = False) -> list[tuple[float, str]]:
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        stride = max(1, math.ceil((last - first) / most))
        return [(10.0**e, {0: "1", 1: "10"}.get(e, f"10{str(e).translate(SUPERSCRIPT)}"))
                for e in range(first, last + 1) if e % stride == 0]
    rough = max((high - low) / most, 1.0 if whole else 0.0)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    count = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [(i * step, f"{i * step:.6g}".replace("-", "−")) for i in count]


def _rungs(ticks: list[tuple[float, str]], y: Scale) -> str:
    return "".join(f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
                   f'<text class="end" x="{LEFT - 6}" y="{y(value) + 3.5:.1f}">{text}</text>'
                   for value, text in ticks)


def _feet(ticks: list[tuple[float, str]], x: Scale, base: float) -> str:
    marks = "".join(f'<path class="axis" d="M{x(value):.1f} {base}v4"/>'
                    f'<text class="mid" x="{x(value):.1f}" y="{base + 15}">{text}</text>' for value, text in ticks)
    return f'<path class="axis" d="M{LEFT} {TOP}V{base}H{WIDTH - RIGHT}"/>{marks}'


def _curve(curve: Curve, x: Scale, y: Scale, middle: float) -> str:
    if curve.role == "interval":
        low, value, high = (x(v) for v in curve.x)
        return (f'<path class="measured" d="M{low:.1f} {middle}H{high:.1f}"/>'
                f'<circle class="dot" cx="{value:.1f}" cy="{middle}" r="4.5"/>')
    pairs = [(x(a), y(b)) for a, b in zip(curve.x, curve.y, strict=True) if not math.isnan(b)]
    out = f'<path class="{curve.role}" d="{_line(pairs)}"/>' if len(pairs) > 1 else ""
    if curve.role == "measured" and len(pairs) <= 24:
        out += "".join(f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="2.6"/>' for a, b in pairs)
    elif len(pairs) == 1:
        out = f'<path class="{curve.role}" d="M{pairs[0][0] - 12:.1f} {pairs[0][1]:.1f}h24"/>'
    return out


def _line(pairs: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in pairs)


def _excess(plot: Plot, x: Scale, y: Scale) -> str:
    """The area by which the measured curve lies above what it may not exceed."""
    measured = next((c for c in plot.curves if c.role == "measured"), None)
    if measured is None or not plot.shaded:
        return ""
    bound = next((c.y for c in plot.curves if c.role == "bound"), [plot.level] * len(measured.x))
    rows = [(x(a), y(m), y(b)) for a, m, b in zip(measured.x, measured.y, bound, strict=True)
            if b is not None and not math.isnan(m)]
    if not any(m < b - 0.5 for _, m, b in rows):  # pixels grow downwards
        return ""
    rows = _with_crossings(rows)
    outline = [(a, min(m, b)) for a, m, b in rows] + [(a, b) for a, _, b in reversed(rows)]
    return f'<path class="excess" d="{_line(outline)}Z"/>'


def _with_crossings(rows: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Rows (x, m, b) and the points between them at which m = b."""
    out = rows[:1]
    for (x0, m0, b0), (x1, m1, b1) in pairwise(rows):
        if (m0 - b0) * (m1 - b1) < 0:
            t = (m0 - b0) / ((m0 - b0) - (m1 - b1))
            out.append((x0 + t * (x1 - x0), m0 + t * (m1 - m0), m0 + t * (m1 - m0)))
        out.append((x1, m1, b1))
    return out
