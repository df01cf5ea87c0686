"""What the commands share: the list of claims, the console, the bar, the line of a complaint."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

Ids = Annotated[list[str] | None, typer.Argument(
    metavar="ID", show_default=False, help="Claims, or patterns such as 'espath2021/*'; all if none is given.")]


def plain_console() -> Console:
    """Standard output, without guesses about what is worth a colour."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def complain(message: str, status: int = 2) -> int:
    print(f"samplingtheory: {' '.join(message.split())}", file=sys.stderr)
    return status


def cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())


@contextmanager
def bar(console: Console, total: int) -> Iterator[Any]:
    """A function that prints a row, if it gets one; on a terminal, above a bar that it moves on."""
    if not console.is_terminal:
        yield lambda row=None: row is None or print(row.plain, flush=True)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    columns = SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)

        def advance(row: Text | None = None) -> None:
            if row is not None:
                progress.console.print(row, soft_wrap=True)
            progress.advance(task)

        yield advance
