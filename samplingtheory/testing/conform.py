"""What `samplingtheory conform` does: load what is to be checked, choose its checks, print what they found."""

from __future__ import annotations

import importlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..claims.base import Claim
from ..errors import UserError
from .batch import check_batch_rule
from .engine import EXPECTED, SKIPPED, Report
from .kinds import KINDS
from .optimizers import check_optimizer
from .proxes import check_prox
from .ranks import STATISTICS, check_statistic
from .recursions import OPTIMIZERS
from .theorems import check_theorem

ALL_KINDS = (*KINDS, *STATISTICS, *OPTIMIZERS, "prox", "theorem")


def load(name: str) -> Any:
    """The object MODULE:ATTRIBUTE, with the working directory on the path."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise UserError(f"{name!r} names no object; write MODULE:CALLABLE, for example mypackage.tests:norm_rule")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise UserError(f"{module} cannot be imported: {type(error).__name__}: {error}") from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UserError(f"{module} has no {attribute!r}; write MODULE:CALLABLE")
        found = getattr(found, part)
    return found


def kind_of(target: Any, kind: str | None) -> str:
    """The kind that was given, or that the object carries."""
    if kind is None:
        kind = "theorem" if isinstance(target, Claim) else "prox" if hasattr(target, "prox") else getattr(
            target, "conformance", {}).get("kind")
    if kind not in ALL_KINDS:
        got = "no kind was given" if kind is None else f"kind is {kind!r}"
        raise UserError(f"{got}; use --kind with one of {', '.join(ALL_KINDS)}")
    return kind


def front_of(kind: str) -> str:
    """What a kind is a kind of."""
    return ("rule" if kind in KINDS else "statistic" if kind in STATISTICS else "optimizer" if kind in OPTIMIZERS
            else kind)


def conform(target: Any, kind: str | None = None, flags: Mapping[str, Any] | None = None, *,
            expected: Mapping[str, str] | None = None, examples: int = 50, seed: int | None = None) -> Report:
    """The report on one object; `flags` are those of its front door (`check_batch_rule`, ...)."""
    kind, flags = kind_of(target, kind), dict(flags or {})
    how: dict[str, Any] = {"expected_failures": expected, "examples": examples, "seed": seed}
    if kind == "theorem":
        call: Callable[..., Report] = partial(check_theorem, expected_failures=expected, seed=seed or 0)
    elif kind == "prox":
        call = partial(check_prox, **how)
    elif kind in KINDS:
        call = partial(check_batch_rule, kind=kind, **how)
    elif kind in STATISTICS:
        call = partial(check_statistic, kind=kind, **how)
    else:
        call = partial(check_optimizer, kind=kind, **how)
    try:
        return call(target, **flags)
    except (TypeError, ValueError) as error:
        words = str(error)
        if "unexpected keyword" in words:
            words = f"kind {kind} takes no option {words.split()[-1].strip(chr(39))}"
        raise UserError(words) from None


def flags_of(given: Mapping[str, Any], more: Sequence[str]) -> dict[str, Any]:
    """Flags from the command line: NAME is true, NAME=2,3 a tuple of whole numbers, NAME=3 one, else text."""
    found = {k: v for k, v in given.items() if v is not None}
    for text in more:
        name, _, value = text.partition("=")
        parts = value.split(",")
        numbers = [int(p) for p in parts if p.isdigit()]
        found[name] = True if not value else value if len(numbers) < len(parts) else (
            numbers[0] if len(numbers) == 1 and name != "layout" else tuple(numbers))
    if isinstance(found.get("value"), str):
        found["value"] = load(found["value"])
    return found


def expected_of(given: Sequence[str]) -> dict[str, str]:
    """CHECK=REASON as a dictionary."""
    pairs = [text.partition("=") for text in given]
    for name, _, reason in pairs:
        if not name or not reason:
            raise UserError(f"--expect {name!r} gives no reason; write --expect CHECK=REASON")
    return {name: reason for name, _, reason in pairs}


def write_files(matrix: Path | None, vectors: Path | None, examples: int | None,
                say: Callable[[str], None]) -> int | None:
    """The kill matrix and the vectors, where asked for; the exit status, or None if neither was."""
    if matrix is None and vectors is None:
        return None
    status = 0
    if vectors is not None:
        from .vectors import dumps as dumped

        vectors.write_text(dumped())
        say(str(vectors))
    if matrix is not None:
        from ..report import kills
        from .matrix import data, dumps, kill_matrix

        rows = kill_matrix(examples=examples or 50, progress=lambda row: say(
            f"{row.mutant.label}: {', '.join(row.killers) or 'survives'}" + (f" (WRONG: {row.wrong})" if row.wrong else
                                                                            "")))
        found = data(rows, examples or 50)
        matrix.write_text(dumps(found) if matrix.suffix == ".json" else kills.page(found), encoding="utf-8")
        say(f"\n{kills.summary(found)}\n{matrix}")
        status = 1 if any(row.wrong for row in rows) else 0
    return status


def print_reports(reports: Iterator[Report], say: Callable[[str], None]) -> int:
    """One line a report, the whole table of those that failed, and what was judged; exit status 0 or 1."""
    status, judged_of = 0, Counter[tuple[str, str]]()
    for report in reports:
        judged_of.update({(front_of(report.kind), r.check): r.judged for r in report.results})
        judged = sum(r.judged for r in report.results)
        ran = [r for r in report.results if r.verdict != SKIPPED]
        expected = sum(r.verdict == EXPECTED for r in ran)
        say(f"{'ok ' if report.ok else 'NOT'} {report.subject}, kind {report.kind}: {len(ran)} checks, {judged} "
            "examples judged" + (f", {expected} failures as expected ({report.diagnosis})" if expected else ""))
        if not report.ok:
            say(str(report))
            status = 1
    say("\nExamples judged, by check, over all that it applies to:")
    for front in dict.fromkeys(front for front, _ in judged_of):
        say(f"  {front}: " + ", ".join(f"{check} {n:,}" for (of, check), n in judged_of.items() if of == front and n))
    return status
