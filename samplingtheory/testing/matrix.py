"""The kill matrix: which check catches which mutant; as data, and as a page in the style of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

from . import diagnosis, optimizers, proxes, ranks
from .batch import batch_rule
from .engine import FAILED, SKIPPED, Check, Report, run_check, run_checks
from .mistakes import Mutant, mutants
from .optimizers import OPTIMIZER_CHECKS, optimizer
from .proxes import PROX_CHECKS, as_prox
from .ranks import STATISTIC_CHECKS, statistic
from .rule_checks import RULE_CHECKS
from .theorems import THEOREM_CHECKS, theorem

TITLES = {"rule": "Batch-size rules", "statistic": "Statistics of ranks", "optimizer": "Optimizers",
          "prox": "Proximal operators", "theorem": "Claims: bounds and their controls"}


def subject_of(mutant: Mutant) -> tuple[Any, Sequence[Check], Callable[[Any], str]]:
    """The mutant as its checks want it, the checks, and the diagnosis."""
    if mutant.subject == "theorem":
        return theorem(mutant.build), THEOREM_CHECKS, lambda subject: ""
    flags = {**mutant.flags, "name": mutant.label}
    front: dict[str, tuple[Callable[..., Any], Sequence[Check], Callable[[Any], str]]] = {
        "rule": (batch_rule, RULE_CHECKS, diagnosis.diagnose), "prox": (as_prox, PROX_CHECKS, proxes.diagnose),
        "statistic": (statistic, STATISTIC_CHECKS, ranks.diagnose),
        "optimizer": (optimizer, OPTIMIZER_CHECKS, optimizers.diagnose)}
    make, checks, diagnose = front[mutant.subject]
    return make(mutant.build, **flags), checks, diagnose


def check_mutant(mutant: Mutant, examples: int = 50) -> Report:
    """The report on one mutant, counter-examples not shrunk."""
    subject, checks, diagnose = subject_of(mutant)
    return run_checks(subject, checks, examples=examples, shrink=False, diagnose=diagnose)


def first_killer(mutant: Mutant, examples: int = 50) -> str:
    """The first check without a reference that catches the mutant, or ""; the promises are tried first."""
    subject, checks, _ = subject_of(mutant)
    first = ("soundness", "minimality", "unbiased", "constant-gradient", "optimal")
    for check in sorted((c for c in checks if c.free), key=lambda c: c.name not in first):
        if run_check(check, subject, examples, shrink=False).verdict == FAILED:
            return check.name
    return ""


@dataclass(frozen=True)
class Row:
    """One mutant and what caught it. `wrong`: what the kit got wrong about it, or ""."""

    mutant: Mutant
    report: Report

    @property
    def killers(self) -> tuple[str, ...]:
        return tuple(r.check for r in self.report.results if r.verdict == FAILED)

    @property
    def wrong(self) -> str:
        free = [r.check for r in self.report.results if r.verdict == FAILED and r.free]
        if self.mutant.equivalent:
            return f"equivalent, but caught by {', '.join(self.killers)}" if self.killers else ""
        return "" if free else "not caught by any check that needs no reference"


def kill_matrix(which: Iterable[Mutant] | None = None, examples: int = 50,
                progress: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Every mutant against every check."""
    rows = []
    for mutant in mutants() if which is None else which:
        rows.append(Row(mutant, check_mutant(mutant, examples)))
        progress(rows[-1])
    return rows


def summary(rows: Sequence[Row]) -> str:
    equivalent = sum(bool(r.mutant.equivalent) for r in rows)
    conservative = sum(bool(r.mutant.conservative) for r in rows)
    named = sum(bool(r.report.diagnosis.startswith("equals the known mistake")) for r in rows)
    wrong = [r for r in rows if r.wrong]
    caught = sum(bool(r.killers) for r in rows)
    return (f"{len(rows)} mutants: {caught} caught, {equivalent} equivalent (must survive), "
            f"{conservative} conservative; {named} named by the diagnosis; "
            + (f"{len(wrong)} wrong: {'; '.join(f'{r.mutant.label} ({r.wrong})' for r in wrong)}" if wrong else
               "all as they should be"))


def page(rows: Sequence[Row]) -> str:
    """The matrix as one self-contained HTML page."""
    style = files("samplingtheory.report").joinpath("report.css").read_text()
    parts = "".join(_section(subject, [r for r in rows if r.mutant.subject == subject]) for subject in TITLES
                    if any(r.mutant.subject == subject for r in rows))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kill matrix</title><style>{style}
main {{ max-width: 1320px; }}
.matrix {{ overflow-x: auto; }}
.matrix table {{ width: auto; }}
.matrix th.turn {{ writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: 4px 3px; }}
.matrix td {{ padding: 4px 7px; }}
.matrix td.hit {{ background: color-mix(in srgb, var(--green) 30%, transparent); text-align: center; }}
.matrix td.oracle {{ background: color-mix(in srgb, var(--sky) 30%, transparent); text-align: center; }}
.matrix td.none {{ color: var(--muted); text-align: center; }}
.matrix td.name {{ min-width: 22em; }}
.matrix td.note {{ min-width: 18em; color: var(--muted); }}
</style></head><body><main>
<div class="top"><p class="brand">samplingtheory conform --matrix</p><h1>Which check catches which mistake</h1>
<p class="lead">{escape(summary(rows))}.</p>
<p>A mark says that the check failed on the mutant, as it should. Green: the check needs no reference implementation;
blue: it compares with one. A dot: it has no meaning for this mutant.</p></div>
{parts}</main></body></html>
"""


def _section(subject: str, rows: Sequence[Row]) -> str:
    checks = list(dict.fromkeys(r.check for row in rows for r in row.report.results))
    head = "".join(f'<th class="turn">{escape(c)}</th>' for c in checks)
    body = "".join(_line(row, checks) for row in rows)
    return (f'<section><h2>{TITLES[subject]}</h2><div class="matrix"><table><thead><tr><th>mutant</th>{head}'
            f'<th>named by the diagnosis; note</th></tr></thead><tbody>{body}</tbody></table></div></section>')


def _line(row: Row, checks: Sequence[str]) -> str:
    found: dict[str, Any] = {r.check: r for r in row.report.results}
    cells = []
    for name in checks:
        r = found.get(name)
        if r is None or r.verdict == SKIPPED:
            cells.append('<td class="none" aria-label="not applicable">·</td>')
        elif r.verdict == FAILED:
            cells.append(f'<td class="{"hit" if r.free else "oracle"}" title="{escape(r.found)}">✕</td>')
        else:
            cells.append("<td></td>")
    m = row.mutant
    note = (f"equivalent: {m.equivalent}" if m.equivalent else f"conservative: {m.conservative}" if m.conservative
            else "")
    named = "yes" if row.report.diagnosis.startswith("equals the known") else ""
    badge = f' <span class="badge wrong">{escape(row.wrong)}</span>' if row.wrong else ""
    return (f'<tr><td class="name">{escape(m.label)}{badge}</td>{"".join(cells)}<td class="note">'
            f'{escape("; ".join(filter(None, (named, note))))}</td></tr>')
