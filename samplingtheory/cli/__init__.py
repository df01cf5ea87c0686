"""The command line: verify, list, show, experiment, distributed, conform."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ..errors import UserError
from .catalogue import list_claims, show
from .conform import conform
from .distributed import distributed
from .experiment import experiment
from .terminal import complain
from .verify import verify

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
                  help="Check theorems about adaptive sampling by experiment.")
for _command in (verify, list_claims, show, experiment, conform, distributed):
    app.command("list" if _command is list_claims else None)(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; what the user can mend is one line on stderr and 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode must not cost the verdicts
    try:
        return int(app(args=argv, prog_name="samplingtheory", standalone_mode=False) or 0)
    except BrokenPipeError:  # `samplingtheory list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (KeyboardInterrupt, typer.Abort):
        return complain("interrupted", 130)
    except (UserError, ValueError, OSError) as error:
        return complain(str(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's usage errors have it, wherever their class lives
            raise
        return complain(f"{error.format_message()} (see samplingtheory --help)")


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        print(f"samplingtheory {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _top(context: typer.Context, version: Annotated[bool, typer.Option(
        "--version", callback=_version, is_eager=True, help="Print the version and leave.")] = False) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)
