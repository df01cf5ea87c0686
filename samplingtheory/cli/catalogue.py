"""samplingtheory list and show"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ..check import case_name
from ..claims.base import Case, Claim
from ..report import words
from ..verify import select
from .terminal import Ids


def list_claims(ids: Ids = None) -> None:
    """All claims, one a line."""
    chosen = select(ids or None)
    width, kind = (max((len(text) for text in texts), default=0)
                   for texts in ([c.id for c in chosen], [c.kind for c in chosen]))
    for c in chosen:
        print(f"{c.id:<{width}}  {c.kind:<{kind}}  {c.source.provenance:<13}  {c.title}"
              + (" (must be refuted)" if c.expected == "fails" else ""))


def show(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Claims, or patterns.")]) -> None:
    """What a claim says, where it comes from, how it is tested."""
    print("\n\n".join(map(describe, select(ids))))


def describe(claim: Claim) -> str:
    """A claim in words."""
    source = claim.source
    lines = [f"{claim.id}: {claim.title}", "", f"  {claim.statement}", ""]
    if claim.expected == "fails":
        lines += ["Expected to be wrong: its tight cases are counter-examples and must be refuted."]
    lines += [words.pretty(claim.explain)] if claim.explain else []
    lines += [f"No tight case: {words.pretty(claim.no_tight)}"] if claim.no_tight else []
    lines += ["", f"source      {source.paper}, {source.label}", f"provenance  {words.PROVENANCE[source.provenance]}",
              f"kind        {words.KIND[claim.kind]}", "", "Hypotheses"]
    lines += [f"  {name}: {words.pretty(h.words)}" for name, h in claim.hypotheses.items()] or ["  none"]
    rows = [(f"broken: {violates}" if violates else role, *_built(case)) for role, violates, case in claim.cases()]
    width = max((len(role) for role, *_ in rows), default=0)
    lines += ["", "Cases", *(f"  {role:<{width}}  {words.pretty(name)}; {plan}" for role, name, plan in rows)]
    return "\n".join([*lines, "", f"Run it:  samplingtheory verify {claim.id}"])


def _built(given: Case | Callable[[], Case]) -> tuple[str, str]:
    """Name and evidence of a case; data that cannot be loaded are no reason to say nothing of the claim."""
    try:
        case = given if isinstance(given, Case) else given()
    except Exception as error:
        return case_name(given), f"cannot be built: {error}"
    return case.name, repr(case.evidence)
