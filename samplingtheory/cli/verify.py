"""samplingtheory verify"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .. import store
from ..claims.base import Claim, Verdict
from ..errors import UserError
from ..report import words
from ..verify import Interrupted, Outcome, check_options, exit_status, select
from ..verify import verify as run_claims
from .terminal import Ids, bar, complain, cores, plain_console

COLOURS = {"confirmed": "green", "open": "cyan", "denied": "magenta", "unsure": "yellow", "wrong": "bold red"}
HEADER = "  sharpness    factor  controls      time  claim: verdict"


def verify(
    ids: Ids = None,
    level: Annotated[str, typer.Option(help="quick, or full: ten times the runs.")] = "quick",
    out: Annotated[Path, typer.Option(help="Folder for verdicts.json, report.html and the cache.")] = Path(
        "samplingtheory-out"),
    jobs: Annotated[int | None, typer.Option(help="Processes; by default one a usable core.")] = None,
    seed: Annotated[int, typer.Option(help="Root of all random numbers.")] = 0,
) -> int:
    """Run claims; one row each, verdicts.json and report.html.

    Exit status: 0 every claim as expected, 1 one is not (or a broken case survived), 2 usage, 3 neither, but
    some inconclusive, 130 interrupted (what was finished is kept).
    """
    if seed < 0:
        raise UserError(f"seed is {seed}; give a whole number, at least 0")
    chosen = select(ids or None)
    console = plain_console()
    rows, missing = _Rows(), 0
    jobs = cores() if jobs is None else jobs
    check_options(level, jobs)
    store.open_output(out)
    console.print(HEADER)
    try:
        with bar(console, len(chosen)) as advance:
            verdicts = run_claims(chosen, level, seed, jobs=jobs, out=out,
                                  progress=lambda outcome: advance(rows(outcome)))
    except Interrupted as stopped:
        verdicts, missing = stopped.verdicts, len(chosen) - len(stopped.verdicts)
    _report(verdicts, chosen, out, level, seed, missing)
    for verdict in verdicts:
        if verdict.verdict != rows.seen[verdict.id]:
            console.print(rows(Outcome(verdict, remark="after correction for the number of claims")))
    console.print(f"\n{words.summary(verdicts)}\n{out / 'verdicts.json'}\n{out / 'report.html'}")
    if missing:
        return complain(f"interrupted: {len(verdicts)} of {len(chosen)} claims finished and kept; "
                         "the same command goes on from there", 130)
    return exit_status(verdicts)


def _report(verdicts: list[Verdict], chosen: list[Claim], out: Path, level: str, seed: int, missing: int) -> None:
    from ..report.page import render

    now = datetime.now().astimezone()
    date = f"{now.day} {now:%B %Y, %H:%M %Z}"
    store.write(out / "report.html", render(verdicts, chosen, level=level, seed=seed, date=date, missing=missing))


class _Rows:
    """One line a claim; remembers the verdicts that were printed."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def __call__(self, outcome: Outcome) -> Text:
        v, status = outcome.verdict, words.status(outcome.verdict)
        self.seen[v.id] = v.verdict
        said = status.words if len(status.words) <= 120 else status.words[:119] + "…"
        controls = f"{v.controls['killed']}/{v.controls['total']}"
        colour = COLOURS[status.key]
        row = Text().append(status.symbol, colour)
        row.append(f" {words.ratio(v.sharpness):>9}  {words.number(v.detectable_factor):>8}  {controls:>8}"
                   f"  {words.seconds(v.seconds):>8}  {v.id}: ").append(said, colour)
        row.append(" (cached)" if outcome.cached else "", "dim")
        row.append(f"\n  {outcome.remark}" if outcome.remark else "", "yellow")
        return row
