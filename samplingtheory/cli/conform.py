"""samplingtheory conform"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError


def conform(
    target: Annotated[str | None, typer.Argument(metavar="[MODULE:CALLABLE]", show_default=False,
                                                 help="What to check; our own implementations if left out.")] = None,
    kind: Annotated[str | None, typer.Option(help="norm, inner-product, ..., adam, prox, theorem; required unless the "
                                                  "object carries it.")] = None,
    role: Annotated[str | None, typer.Option(help="exact, same-batch, lagged or pilot.")] = None,
    replacement: Annotated[bool, typer.Option("--replacement", help="Batches are drawn with replacement.")] = False,
    flag: Annotated[list[str] | None, typer.Option(metavar="NAME[=VALUE]", help="A further flag of the check, such as "
                                                   "monotone, layout=2,3 or answers=accept; repeatable.")] = None,
    expect: Annotated[list[str] | None, typer.Option(metavar="CHECK=REASON", help="An expected failure; it is an error "
                                                     "if it passes. Repeatable.")] = None,
    value: Annotated[str | None, typer.Option(metavar="MODULE:CALLABLE", help="For a prox: x -> h(x).")] = None,
    examples: Annotated[int | None, typer.Option(help="Examples a check: 50; for our own 180, over all kinds.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random examples from this seed; else always the same.")] = None,
    third_party: Annotated[bool, typer.Option("--third-party", help="Check torch and optax, if installed.")] = False,
    matrix: Annotated[Path | None, typer.Option(help="Write the kill matrix (checks x planted mistakes) here.")] = None,
    vectors: Annotated[Path | None, typer.Option(help="Write the language-neutral test vectors here.")] = None,
) -> int:
    """Check an implementation of a batch-size test, an optimizer, a prox or a claim.

    Exit status: 0 every check passed (or failed as expected), 1 one did not, 2 usage.
    """
    if (examples is not None and examples < 1) or (seed is not None and seed < 0):
        raise UserError(f"examples is {examples}, seed {seed}; give examples at least 1, seed at least 0")
    try:
        from ..testing import conform as kit
    except ModuleNotFoundError as error:
        raise UserError(str(error)) from None
    if target is not None:
        flags = kit.flags_of({"role": role, "replacement": replacement or None, "value": value}, flag or [])
        report = kit.conform(kit.load(target), kind, flags, expected=kit.expected_of(expect or []),
                             examples=examples or 50, seed=seed)
        print(report)
        return 0 if report.ok else 1
    done = kit.write_files(matrix, vectors, examples, lambda line: print(line, flush=True))
    if done is not None:
        return done
    from ..testing.others import check_third_party
    from ..testing.ourselves import check_ourselves

    reports = check_third_party(examples or 50, seed) if third_party else check_ourselves(examples or 180, seed)
    return kit.print_reports(reports, lambda line: print(line, flush=True))
