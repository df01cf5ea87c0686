"""e10 with its clock: the paper's columns, times included, and one JSON table. Resumable, one task an arm and a seed."""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.e10_language_model import caption, compute, shape, tasks

from .arms import name_of
from .text import library_text


def table(shaped: dict[str, Any], seconds: dict[str, float]) -> Any:
    """The paper's columns, then the paired comparisons."""
    from rich.table import Table

    out = Table(title=f"{shaped['sequences']} sequences, means over {shaped['rows'][0]['seeds']} seeds", box=None)
    paired = {p["arm"]: p for p in shaped["pairs"]}
    for name in ("arm", "steps", "avg batch", "last", "time (s)", "train loss", "val loss", "- equal-step constant",
                 f"- {shaped['largest']}"):
        out.add_column(name, justify="left" if name == "arm" else "right")
    for r in shaped["rows"]:
        p = paired.get(r["arm"])
        cells = [f"{p[k][0]:+.3f} ± {p[k][1]:.3f}" for k in ("equal steps", "largest")] if p else ["", ""]
        out.add_row(r["arm"], f"{r['steps']:.0f}", f"{r['batch']:.0f}", f"{r['last']:.0f}",
                    f"{seconds.get(r['arm'], math.nan):.1f}", f"{r['train']:.3f}", f"{r['validation']:.3f}", *cells)
    return out


def sweep(folder: Path, todo: list[dict[str, Any]]) -> tuple[list[tuple[dict, dict]], dict[str, float]]:
    """Every task that has no file yet is computed; (task, result) pairs and mean CPU seconds of an arm's own run."""
    folder.mkdir(parents=True, exist_ok=True)
    results, seconds = [], {}
    for i, task in enumerate(todo):
        path = folder / f"{name_of(task['arm']).replace(' ', '')}-{task['sequences']}-{task['seed']}.json"
        if not path.exists():
            began = time.process_time()
            result = compute(task)
            fresh = path.with_suffix(".part")
            fresh.write_text(json.dumps({"task": task, "result": result, "cpu": time.process_time() - began}))
            fresh.replace(path)
            print(f"{i + 1}/{len(todo)}  {path.stem}: validation {result['own']['validation']:.3f}", flush=True)
        held = json.loads(path.read_text())
        results.append((held["task"], held["result"]))
        share = 1.0 if "matched" not in held["result"] else 0.5  # a task with a match makes two runs
        seconds.setdefault(name_of(task["arm"]), []).append(share * held["cpu"])
    return results, {name: float(np.mean(values)) for name, values in seconds.items()}


def main() -> int:
    from rich.console import Console

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=Path("samplingtheory-out/language_model"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--save", type=Path, help="write the table as JSON here")
    options = parser.parse_args()
    results, seconds = sweep(options.out, tasks(options.quick, options.sequences))
    shaped = shape(results)
    console = Console(width=160)
    console.print(table(shaped, seconds))
    for words, holds, number in shaped["statements"]:
        console.print(f"{'holds' if holds else 'FAILS'}  {words} ({number})")
    console.print(caption(shaped))
    if options.save:
        text = library_text(64)
        source = {"python": text.python, "files": text.files, "checksum": text.checksum}
        options.save.write_text(json.dumps(shaped | {"seconds": seconds, "text": source}, indent=None) + "\n")
    return 0 if all(holds for _, holds, _ in shaped["statements"][:-1]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
