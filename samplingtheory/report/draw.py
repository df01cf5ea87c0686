"""Plots as small SVG elements, styled by the page (so they follow light, dark and print).

Written directly: matplotlib takes 0.1 s and 20 kB a panel and bakes in fonts and colours; a report has 200.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from .series import Curve, Plot
from .words import SUPERSCRIPT

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 200, 46, 10, 10, 36
Scale = Callable[[float], float]


def svg(plot: Plot, label: str) -> str:
    """One <svg>; `label` is read out in its place."""
    height = 96 if plot.limit is not None else HEIGHT
    xs = [v for c in plot.curves for v in c.x] + ([] if plot.limit is None else [plot.limit])
    ys = [v for c in plot.curves for v in c.y] + [v for v in (plot.level, plot.floor) if v is not None]
    x_low, x_high = _limits(xs, plot.log_x, pad=plot.limit is not None)
    y_low, y_high = _limits(ys, plot.log_y, pad=True)
    x = _scale(x_low, x_high, LEFT, WIDTH - RIGHT, plot.log_x)
    y = _scale(y_low, y_high, height - BOTTOM, TOP, plot.log_y)
    parts = [_grid(plot, x, y, (x_low, x_high), (y_low, y_high), height)]
    if plot.level is not None:
        parts.append(f'<path class="bound" d="M{LEFT} {y(plot.level):.1f}H{WIDTH - RIGHT}"/>')
    if plot.limit is not None:
        parts.append(f'<path class="bound" d="M{x(plot.limit):.1f} {TOP}V{height - BOTTOM}"/>')
    parts += _excess(plot, x, y)
    parts += [_curve(curve, x, y, y_high, height) for curve in plot.curves]
    title = escape(f"{label}: {plot.title}")
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}"><title>{title}</title>'
            + "".join(parts) + "</svg>")


def _limits(values: Sequence[float], log: bool, pad: bool) -> tuple[float, float]:
    """The range to show: whole decades on a logarithmic y axis, never empty."""
    finite = [v for v in values if math.isfinite(v) and (v > 0 or not log)] or [1.0]
    low, high = min(finite), max(finite)
    if log and pad:
        low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** min(math.ceil(math.log10(high)), 308)
        return (max(low, 1e-300), high) if high > low else (low / 10, high * 10)
    if high == low:
        return (low / 2, high * 2) if log else (low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2)
    extra = 0.06 * (high - low) if pad else 0.0
    return (low if low == 0 else low - extra), high + extra


def _scale(low: float, high: float, start: float, end: float, log: bool) -> Scale:
    """Position of a value; what lies outside the axis is drawn on its edge."""
    to = (lambda v: math.log10(max(v, 1e-320))) if log else (lambda v: v)
    a, b = to(low), to(high)
    return lambda v: start + (end - start) * min(max((to(v) - a) / (b - a), 0.0), 1.0)


def _ticks(low: float, high: float, log: bool) -> list[tuple[float, str]]:
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        stride = max(1, math.ceil((last - first) / 5))
        return [(10.0**e, "1" if e == 0 else f"10{str(e).translate(SUPERSCRIPT)}" if e != 1 else "10")
                for e in range(first, last + 1) if e % stride == 0]
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    count = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [(i * step, f"{i * step:.6g}".replace("-", "−")) for i in count]


def _grid(plot: Plot, x: Scale, y: Scale, x_range: tuple[float, float], y_range: tuple[float, float],
          height: float) -> str:
    base = height - BOTTOM
    out = [f'<path class="axis" d="M{LEFT} {TOP}V{base}H{WIDTH - RIGHT}"/>']
    if plot.limit is None:
        for value, text in _ticks(*y_range, plot.log_y):
            out.append(f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
                       f'<text class="end" x="{LEFT - 6}" y="{y(value) + 3.5:.1f}">{text}</text>')
    for value, text in _ticks(*x_range, plot.log_x):
        out.append(f'<path class="axis" d="M{x(value):.1f} {base}v4"/>'
                   f'<text class="mid" x="{x(value):.1f}" y="{base + 15}">{text}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text class="mid label" x="{middle}" y="{height - 5}">{escape(plot.x_label)}</text>')
    if plot.y_label:
        out.append(f'<text class="mid label" transform="translate(11 {(TOP + base) / 2}) rotate(-90)">'
                   f"{escape(plot.y_label)}</text>")
    return "".join(out)


def _curve(curve: Curve, x: Scale, y: Scale, top: float, height: float) -> str:
    if curve.role == "interval":
        low, value, high = (x(v) for v in curve.x)
        middle = (TOP + height - BOTTOM) / 2
        return (f'<path class="measured" d="M{low:.1f} {middle}H{high:.1f}"/>'
                f'<circle class="dot" cx="{value:.1f}" cy="{middle}" r="4.5"/>')
    pairs = [(x(a), y(min(b, top))) for a, b in zip(curve.x, curve.y, strict=True) if not math.isnan(b)]
    line = "L".join(f"{a:.1f} {b:.1f}" for a, b in pairs)
    out = f'<path class="{curve.role}" d="M{line}"/>' if len(pairs) > 1 else ""
    if curve.role == "measured" and len(pairs) <= 24:
        out += "".join(f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="2.6"/>' for a, b in pairs)
    return out or f'<path class="{curve.role}" d="M{pairs[0][0] - 12:.1f} {pairs[0][1]:.1f}h24"/>' if pairs else ""


def _excess(plot: Plot, x: Scale, y: Scale) -> list[str]:
    """The area by which the measured curve lies above what it may not exceed."""
    measured = next((c for c in plot.curves if c.role == "measured"), None)
    if measured is None:
        return []
    bound = next((c.y for c in plot.curves if c.role == "bound"), None) or [plot.level] * len(measured.x)
    rows = [(x(a), y(m), y(b)) for a, m, b in zip(measured.x, measured.y, bound, strict=True)
            if b is not None and not math.isnan(m)]
    if not any(m < b - 0.05 for _, m, b in rows):  # pixels grow downwards
        return []
    upper = "L".join(f"{a:.1f} {min(m, b):.1f}" for a, m, b in rows)
    lower = "L".join(f"{a:.1f} {b:.1f}" for a, _, b in reversed(rows))
    return [f'<path class="excess" d="M{upper}L{lower}Z"/>']
