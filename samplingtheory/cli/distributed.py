"""samplingtheory distributed"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from .terminal import plain_console


def distributed(
    nproc: Annotated[int, typer.Option(help="Ranks, at least 2.")] = 2,
    backend: Annotated[str, typer.Option(help="gloo, or nccl (one GPU per rank).")] = "gloo",
    device: Annotated[str, typer.Option(help="cpu, or cuda: gloo on GPU tensors.")] = "cpu",
    timeout: Annotated[float, typer.Option(help="Seconds after which all ranks are ended.")] = 300.0,
    fault: Annotated[str, typer.Option(
        help="Plant one on the last rank: kill, nan, differ, frozen, stall, disagree or share.")] = "",
) -> int:
    """Compare the statistics of DDP, FSDP2, accumulation and one process with NumPy, over ranks.

    Exit status: 0 everything agrees, 1 it does not or a rank failed, 2 usage (or no PyTorch), 130 interrupted.
    """
    from ..distributed.launch import PARTS, launch

    parts = PARTS if not fault else ("checks",) if fault == "disagree" else ("train",)
    outcome = launch(nproc, backend, "cuda" if backend == "nccl" else device, timeout, parts, fault)
    console = plain_console()
    for row in outcome.rows:
        console.print(_agreement(row))
    for line in outcome.errors:
        print(f"samplingtheory: {line}", file=sys.stderr)
    good = sum(row["passed"] for row in outcome.rows)
    console.print(f"\n{good} of {len(outcome.rows)} checks agree on {nproc} ranks ({backend})" if outcome.rows else
                  f"\nno verdict on {nproc} ranks ({backend}): a rank failed")
    return outcome.status


def _agreement(row: dict[str, Any]) -> Text:
    """One line of the verdict table: error and limit, what was computed how, from how many units."""
    colour = "green" if row["passed"] else "bold red"
    if "losses" in row:
        return Text("✓", colour).append("  losses " + " ".join(f"{loss:.6g}" for loss in row["losses"]), "default")
    text = Text("✓" if row["passed"] else "✗", colour)
    text.append(f" {float(row['error']):>8.1e} {'<=' if row['passed'] else '> '} {row['limit']:<7.0e} ")
    return text.append(f"{row['model']:<11} {row['dtype']:<7}  {row['units']:>2} {row['scope']:<16} ").append(
        row["check"], colour)
