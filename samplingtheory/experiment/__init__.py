"""Experiments: a question, a prediction, tasks that can be killed and resumed, figures, and what the paper reports.

An experiment is a module with five functions and a constant:

    tasks(quick)     list of tasks, each a dict of JSON values that names its seeds; independent, 1 s or more each
    compute(task)    its result as JSON values, a deterministic function of the task
    shape(results)   (task, result) pairs -> what is drawn, as JSON values
    draw(shaped)     {name: matplotlib Figure}
    caption(shaped)  the finding, with a number
    PAPER            what the paper reports and with what settings, '' if the experiment is ours

and, where they apply, `compare(shaped)` (where we agree with the paper and where not) and `DATA` (names of functions in
`problems.data` whose checksums are kept with every result). The docstring opens with the question.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from .plots import PALETTE, bands
from .sweep import Options, Report, run_experiments

__all__ = ["PALETTE", "Options", "Report", "bands", "main", "run_experiments"]


def main(file: str) -> int:
    """The command line of one experiment: `raise SystemExit(main(__file__))` at the end of its module."""
    sys.path.insert(0, str(Path(file).resolve().parents[1]))
    # by name: the command line stands to the right of this package
    return int(import_module("samplingtheory.cli").main(["experiment", Path(file).stem, *sys.argv[1:]]))
