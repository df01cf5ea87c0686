"""The kill matrix: which check catches which mutant, as rows and as the data that `report.kills` draws."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis

from . import diagnosis, optimizers, proxes, ranks
from .batch import batch_rule
from .engine import FAILED, SKIPPED, Check, Report, run_check, run_checks
from .mistakes import Mutant, mutants
from .optimizers import OPTIMIZER_CHECKS, optimizer
from .proxes import PROX_CHECKS, as_prox
from .ranks import STATISTIC_CHECKS, statistic
from .rule_checks import RULE_CHECKS
from .theorems import THEOREM_CHECKS, theorem

FRONTS: dict[str, tuple[str, Sequence[Check]]] = {
    "rule": ("Batch-size rules", RULE_CHECKS), "statistic": ("Statistics of ranks", STATISTIC_CHECKS),
    "optimizer": ("Optimizers", OPTIMIZER_CHECKS), "prox": ("Proximal operators", PROX_CHECKS),
    "theorem": ("Claims: bounds and their controls", THEOREM_CHECKS)}


def subject_of(mutant: Mutant) -> tuple[Any, Sequence[Check], Callable[[Any], str]]:
    """The mutant as its checks want it, the checks, and the diagnosis."""
    checks = FRONTS[mutant.subject][1]
    if mutant.subject == "theorem":
        return theorem(mutant.build), checks, lambda subject: ""
    make, diagnose = {
        "rule": (batch_rule, diagnosis.diagnose), "prox": (as_prox, proxes.diagnose),
        "statistic": (statistic, ranks.diagnose), "optimizer": (optimizer, optimizers.diagnose)}[mutant.subject]
    return make(mutant.build, **{**mutant.flags, "name": mutant.label}), checks, diagnose


def check_mutant(mutant: Mutant, examples: int = 50) -> Report:
    """The report on one mutant, counter-examples not shrunk."""
    subject, checks, diagnose = subject_of(mutant)
    return run_checks(subject, checks, examples=examples, shrink=False, diagnose=diagnose)


def first_killer(mutant: Mutant, examples: int = 50) -> str:
    """The first check that catches the mutant, or ""; none with a reference, unless the mutant is planted for it."""
    subject, checks, _ = subject_of(mutant)
    first = (mutant.only, "soundness", "minimality", "unbiased", "constant-gradient", "optimal")
    tried = [c for c in checks if c.free or c.name == mutant.only]
    for check in sorted(tried, key=lambda c: c.name not in first):
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
        m, free = self.mutant, [r.check for r in self.report.results if r.verdict == FAILED and r.free]
        if m.equivalent:
            return f"equivalent, but caught by {', '.join(self.killers)}" if self.killers else ""
        if m.only:
            return "" if self.killers == (m.only,) else f"caught by {', '.join(self.killers) or 'none'}, not {m.only}"
        return "" if free else "not caught by any check that needs no reference"


def kill_matrix(which: Iterable[Mutant] | None = None, examples: int = 50,
                progress: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Every mutant against every check."""
    rows = []
    for mutant in mutants() if which is None else which:
        rows.append(Row(mutant, check_mutant(mutant, examples)))
        progress(rows[-1])
    return rows


def data(rows: Sequence[Row], examples: int = 50) -> dict[str, Any]:
    """The matrix in the plain form that `report.kills` describes."""
    def section(subject: str) -> dict[str, Any]:
        title, checks = FRONTS[subject]
        return {"subject": subject, "title": title,
                "checks": [{"name": c.name, "words": c.words, "free": c.free, "implied": c.implied} for c in checks],
                "mutants": [_plain(row) for row in rows if row.mutant.subject == subject]}

    return {"examples": examples, "hypothesis": hypothesis.__version__,
            "sections": [section(s) for s in FRONTS if any(row.mutant.subject == s for row in rows)]}


def _plain(row: Row) -> dict[str, Any]:
    m = row.mutant
    notes = [f"{mark}: {why}" for mark, why in (
        ("equivalent", m.equivalent), ("conservative", m.conservative), ("planted for", m.only)) if why]
    return {"label": m.label, "caught": list(row.killers),
            "skipped": [r.check for r in row.report.results if r.verdict == SKIPPED],
            "named": row.report.diagnosis.startswith("equals the known mistake"), "note": "; ".join(notes),
            "only": m.only, "wrong": row.wrong}


def dumps(found: dict[str, Any]) -> str:
    """The data as they are shipped: one mutant a line."""
    text = json.dumps(found, ensure_ascii=False)
    return text.replace('{"label"', '\n{"label"').replace('{"subject"', '\n{"subject"') + "\n"
