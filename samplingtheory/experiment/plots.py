"""How experiments draw: one style, a colour-blind palette, bands, and SVG files that do not change by themselves."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "samplingtheory", "svg.fonttype": "path", "figure.constrained_layout.use": True,
    "figure.figsize": (7.0, 3.6), "font.size": 9.5, "axes.titlesize": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#e8eaed", "grid.linewidth": 0.7,
    "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": 8.5, "lines.linewidth": 1.7,
}


@contextmanager
def style() -> Iterator[None]:
    """matplotlib without a screen, in the style of the experiments."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE | {"axes.prop_cycle": plt.cycler(color=PALETTE)}):
        yield
    plt.close("all")


def svg(figure: Any) -> str:
    """The figure as SVG without date; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().decode()


def bands(ax: Any, x: Sequence[float], low: Sequence[float], mid: Sequence[float], high: Sequence[float],
          color: str, label: str = "", **line: Any) -> Any:
    """A curve with its band; None and NaN are gaps. Returns the axes."""
    along, below, middle, above = (np.array(v, dtype=float) for v in (x, low, mid, high))
    ax.fill_between(along, below, above, color=color, alpha=0.18, linewidth=0)
    ax.plot(along, middle, color=color, label=label or None, **line)
    return ax
