"""The kill matrix of the conformance kit: which check catches which planted mistake. Drawn from data, so that neither
`verify` nor the documentation needs hypothesis; `samplingtheory conform --matrix FILE` computes it anew.

    {"examples": 50, "hypothesis": "6.1", "sections": [{"subject": "rule", "title": ..., "checks": [{"name", "words",
     "free", "implied"}], "mutants": [{"label", "caught", "skipped", "named", "note", "only", "wrong"}]}]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

DATA = Path(__file__).parents[1] / "testing" / "kills.json"
Data = Mapping[str, Any]


def shipped() -> Data:
    """The matrix of this version, as the tests recompute it."""
    return json.loads(DATA.read_text(encoding="utf-8"))


def mutants(data: Data) -> list[Data]:
    return [m for section in data["sections"] for m in section["mutants"]]


def summary(data: Data) -> str:
    """The matrix in one sentence."""
    rows = mutants(data)
    notes = [m["note"].partition(":")[0] for m in rows]
    wrong = [f"{m['label']} ({m['wrong']})" for m in rows if m["wrong"]]
    return (f"{len(rows)} mutants: {sum(bool(m['caught']) for m in rows)} caught, {notes.count('equivalent')} equivalent "
            f"(must survive), {notes.count('conservative')} conservative; {sum(m['named'] for m in rows)} named by the "
            "diagnosis; " + (f"{len(wrong)} wrong: {'; '.join(wrong)}" if wrong else "all as they should be"))


def alone(section: Data, check: str) -> list[str]:
    """Mutants that this check catches and no other does."""
    return [m["label"] for m in section["mutants"] if m["caught"] == [check]]


def unexplained(data: Data) -> list[str]:
    """Checks of which nothing shows that they are needed: no mutant is theirs alone, and no reason is given."""
    return [f"{s['title']}: {c['name']}" for s in data["sections"] for c in s["checks"]
            if not (alone(s, c["name"]) or c["implied"])]


def tables(data: Data) -> Markup:
    """The matrix as HTML, one table a kind of code; styled by report.css."""
    from .page import environment

    return Markup(environment().get_template("kills.html.jinja").render(data=data, alone=alone))


def page(data: Data) -> str:
    """One self-contained HTML page."""
    from .page import environment

    return environment().get_template("kills-page.html.jinja").render(data=data, summary=summary(data),
                                                                      tables=tables(data))

