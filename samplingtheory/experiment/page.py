"""The page: every experiment of an output folder, its figures beside what the paper reports."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from .. import store
from ..errors import UserError

HERE = Path(__file__).parent


def write_page(out: Path) -> Path:
    """Write `out/experiments.html` from the summaries and figures in `out/experiments`; returns its path."""
    path = out / "experiments.html"
    try:
        store.write(path, render(out / "experiments"))
    except OSError as error:
        raise UserError(f"cannot write {path} ({store.reason(error)})") from None
    return path


def render(folder: Path) -> str:
    """The page as self-contained HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = filter(None, map(_section, sorted(folder.glob("*/summary.json"))))
    env = Environment(loader=FileSystemLoader([HERE, HERE.parent / "report"]), autoescape=True,
                      undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return env.get_template("experiments.html.jinja").render(experiments=list(found))


def _section(path: Path) -> dict[str, Any] | None:
    """A summary with its figures; one that is damaged or half drawn is left out (drawing it again mends it)."""
    try:
        summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        summary["images"] = [(name, _inline(path.with_name(f"{name}.svg"))) for name in summary["figures"]]
        summary["paragraphs"] = paragraphs(summary["doc"])[1:]
    except store.DAMAGE:
        return None
    return summary


def _inline(path: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def paragraphs(text: str) -> list[str]:
    """Paragraphs of a docstring, without indented commands."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return [" ".join(block.split()) for block in blocks if block and not block.startswith("    ")]
