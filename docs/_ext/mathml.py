"""Formulas as MathML, written at build time: pages show them without network and without scripts."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.util import logging

from samplingtheory.report.page import formula

log = logging.getLogger(__name__)


def _converted(node: Any, display: str) -> str:
    """MathML in which a bar is a bracket, without the space that browsers put around an operator."""
    latex = node.astext().strip()
    try:
        text = str(formula(latex.replace(r"\begin{equation}", "").replace(r"\end{equation}", ""), display))
        return text.replace('<mo stretchy="false">&#x0007C;', '<mo stretchy="false" lspace="0" rspace="0">&#x0007C;')
    except Exception as error:  # the converter raises many kinds
        log.warning("formula %r is not convertible to MathML (%s)", latex, error, location=node)
        return f"<code>{nodes.unescape(latex)}</code>"


def inline(translator: Any, node: Any) -> None:
    translator.body.append(_converted(node, "inline"))
    raise nodes.SkipNode


def block(translator: Any, node: Any) -> None:
    translator.body.append(f'<div class="formula">{_converted(node, "block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
