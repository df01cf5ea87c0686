"""The notebooks run, within their time, and ask before they show. (The documentation runs them again, with a
kernel.)"""

import re
import time
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("n*.md"))
LIMIT = 20.0  # CPU seconds each


def cells(path):
    return re.findall(r"```\{code-cell\} python3\n(.*?)```", path.read_text(), flags=re.S)


def test_there_are_nine():
    assert [p.stem[:2] for p in NOTEBOOKS] == [f"n{i}" for i in range(1, 10)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_runs(path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    if "IPython" in path.read_text():
        pytest.importorskip("IPython")
    scope: dict[str, object] = {}
    start = time.process_time()
    with plt.rc_context():
        for i, cell in enumerate(cells(path)):
            exec(compile(cell, f"{path.name}, cell {i + 1}", "exec"), scope)
            plt.close("all")
    assert time.process_time() - start < LIMIT


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_predicts_first_and_ends_with_exercises(path):
    text = path.read_text()
    assert text.index("**Prediction.**") < text.index("{code-cell}")
    exercises = text.split("## Exercises")[1]
    assert exercises.count("{code-cell}") >= 2 and exercises.count("assert") >= 2
