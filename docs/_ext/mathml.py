"""Formulas as MathML, written at build time: pages show them without network and without scripts.

Browsers do not break MathML into lines, so a formula in a paragraph becomes several, cut where a printer would break it.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.util import logging

from samplingtheory.report.page import formula

log = logging.getLogger(__name__)

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.S)
OPEN = {"{", "(", "[", r"\{", r"\begin", r"\langle", r"\lVert", r"\lfloor", r"\lceil"}
CLOSE = {"}", ")", "]", r"\}", r"\end", r"\rangle", r"\rVert", r"\rfloor", r"\rceil"}
RELATIONS = {"=", "<", ">", r"\le", r"\ge", r"\ll", r"\gg", r"\approx", r"\in", r"\to", r"\Rightarrow", r"\preceq", r"\ne"}
SIGNS = {"+", "-"}
SHORT, LEAST = 14, 4  # letters of a formula that stays whole; of a piece


def size(latex: str) -> int:
    """About how many letters are seen."""
    return sum(token.strip() not in ("", "{", "}", "_", "^", r"\mathbb", r"\frac", r"\mathrm") for token in TOKEN.findall(latex))


def pieces(latex: str) -> list[str]:
    """The formula cut before relations and signs, and after commas, that stand in no bracket, script or argument."""
    if size(latex) <= SHORT:
        return [latex]
    found, depth, bars, before = [""], 0, 0, ""
    for token in TOKEN.findall(latex):
        loose = depth == 0 and bars % 2 == 0 and before not in ("", "_", "^") and size(found[-1]) >= LEAST
        if loose and (token in RELATIONS or (token in SIGNS and before not in RELATIONS | {","})):
            found.append("")
        found[-1] += token
        depth += (token in OPEN) - (token in CLOSE)
        bars += token == "|"
        if loose and token == ",":
            found.append("")
        before = token if token.strip() else before
    whole = depth == 0 and bars % 2 == 0  # else a bracket without its partner: leave it alone
    return [part for part in found if part.strip()] if whole else [latex]


def _converted(node: Any, latex: str, display: str, signed: bool = False) -> str:
    """MathML in which a bar is a bracket, without the space around an operator; `signed`: begins with a binary sign."""
    try:
        text = str(formula(latex.replace(r"\begin{equation}", "").replace(r"\end{equation}", ""), display))
        text = text.replace('<mo stretchy="false">&#x0007C;', '<mo stretchy="false" lspace="0" rspace="0">&#x0007C;')
        return text.replace("<mo>", '<mo form="infix">', 1) if signed else text
    except Exception as error:  # the converter raises many kinds
        log.warning("formula %r is not convertible to MathML (%s)", latex, error, location=node)
        return f"<code>{nodes.unescape(latex)}</code>"


def inline(translator: Any, node: Any) -> None:
    parts = pieces(node.astext().strip())
    translator.body.append("<wbr>".join(
        _converted(node, part, "inline", i > 0 and part.strip()[0] in SIGNS) for i, part in enumerate(parts)))
    raise nodes.SkipNode


def block(translator: Any, node: Any) -> None:
    translator.body.append(f'<div class="formula">{_converted(node, node.astext().strip(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
