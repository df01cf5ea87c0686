"""The page: verdicts and their claims in, one self-contained HTML text out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import store
from ..claims.base import MARGIN, CaseResult, Claim, Verdict
from ..claims.worst_cases import INEXPRESSIBLE
from . import kills, tightness, words
from .draw import svg
from .series import plots

PANELS = 6
MATHML = "{http://www.w3.org/1998/Math/MathML}"


@dataclass(frozen=True)
class Panel:
    """One case as pictures."""

    case: CaseResult
    status: words.Status
    pictures: tuple[tuple[str, Markup], ...]  # (title, svg)


@dataclass(frozen=True)
class Section:
    """One claim as the template shows it."""

    claim: Claim
    verdict: Verdict
    status: words.Status
    statement: tuple[Markup, ...]
    panels: tuple[Panel, ...]

    @property
    def undrawn(self) -> int:
        return len(self.verdict.cases) - len(self.panels)

    def controls(self, hypothesis: str) -> str:
        """How many violations of a hypothesis were planted, and caught."""
        rows = [c for c in self.verdict.cases if c.violates == hypothesis]
        return f"{sum(c.refuted for c in rows)} of {len(rows)} caught" if rows else "none planted"

    def reproduce(self, seed: int, level: str) -> str:
        return f"samplingtheory verify {self.claim.id} --seed {seed} --level {level}"


def render(verdicts: Sequence[Verdict], claims: Iterable[Claim], *, level: str, seed: int, date: str = "",
           missing: int = 0) -> str:
    """The report of a run. `claims` are those of the verdicts; `missing` were asked for and not finished."""
    table = {claim.id: claim for claim in claims}
    known = kills.shipped()
    return environment().get_template("report.html.jinja").render(
        sections=[section(table[v.id], v) for v in verdicts], summary=words.summary(verdicts), level=level, seed=seed,
        date=date, missing=missing, versions=store.versions(), total=sum(v.seconds for v in verdicts),
        tightness=tightness.rows(verdicts, table), inexpressible=INEXPRESSIBLE, kills=kills.tables(known),
        kills_summary=kills.summary(known), examples=known["examples"],
    )


def render_claim(claim: Claim, verdict: Verdict) -> str:
    """One claim as HTML, from its statement to its table of cases; styled by report.css."""
    return environment().get_template("claim.html.jinja").render(s=section(claim, verdict), v=verdict)


def environment() -> Environment:
    env = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                      trim_blocks=True, lstrip_blocks=True)
    env.filters |= {"number": words.number, "ratio": words.ratio, "margin": words.margin,
                    "seconds": words.seconds, "pretty": words.pretty, "violated": violated}
    env.globals |= {"provenance": words.PROVENANCE, "kind": words.KIND, "case_status": words.case_status}
    return env


def section(claim: Claim, verdict: Verdict) -> Section:
    drawn = [panel(case, claim) for case in chosen(verdict.cases)]
    return Section(claim, verdict, words.status(verdict), mathml(claim.statement),
                   tuple(p for p in drawn if p.pictures))


def chosen(cases: Sequence[CaseResult]) -> list[CaseResult]:
    """The cases to draw: in order, with room for one on real data and two controls, which show what failure is."""
    drawable = [c for c in cases if c.evidence.series]
    held = [c for c in drawable if c.role != "broken"]
    controls = [c for c in drawable if c.role == "broken"]
    room, real = PANELS - min(2, len(controls)), [c for c in held if c.role == "real"][:1]
    if real and real[0] not in held[:room]:
        held = [*held[: room - 1], *real]
    held = held[:room]
    return held + controls[: PANELS - len(held)]


def panel(case: CaseResult, claim: Claim) -> Panel:
    found = plots(case, claim.quantity.horizontal)
    label = f"{case.role} case {case.name}"
    return Panel(case, words.case_status(case, claim.expected),
                 tuple((p.title, Markup(svg(p, label))) for p in found))


def violated(case: CaseResult) -> str:
    """Hypotheses that do not hold in a case, with their margins."""
    return ", ".join(f"{name} {words.margin(m)}" for name, m in case.margins.items() if m < MARGIN)


# ---------------------------------------------------------------- LaTeX


def mathml(latex: str) -> tuple[Markup, ...]:
    """A statement as MathML, in parts between which lines may break: at \\quad, \\qquad and \\Rightarrow.

    What cannot be converted to well-formed MathML is shown as it is written.
    """
    try:
        return tuple(formula(part) for part in _parts(latex))
    except Exception:  # the converter raises many kinds; a formula must not cost the report
        return (Markup("<code>{}</code>").format(latex),)


def formula(latex: str, display: str = "block") -> Markup:
    """One formula as MathML; display: block or inline. Raises what the converter raises, ValueError for bad output."""
    from latex2mathml.converter import convert

    text = convert(latex, display=display)
    if any(not e.tag.startswith(MATHML) for e in ElementTree.fromstring(text).iter()):
        raise ValueError("not MathML")
    return Markup(text)


def _parts(latex: str) -> list[str]:
    """Split at \\quad, \\qquad and before \\Rightarrow, outside braces, environments and \\left ... \\right."""
    parts, start = [], 0
    for space in re.finditer(r"\\q?quad(?![A-Za-z])|(?:\\[;, ])?(?=\\Rightarrow)", latex):
        before = latex[start:space.start()]
        openers = len(re.findall(r"(?<!\\)\{|\\left(?![a-z])|\\begin", before))
        closers = len(re.findall(r"(?<!\\)\}|\\right(?![a-z])|\\end", before))
        if openers == closers:
            parts.append(before)
            start = space.end()
    return [part for part in [*parts, latex[start:]] if part.strip()]
