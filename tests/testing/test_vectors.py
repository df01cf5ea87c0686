"""The shipped vectors, re-derived by a reader that knows only their specification and the standard library."""

import json
import math
import re
from fractions import Fraction
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = json.loads((ROOT / "samplingtheory" / "testing" / "vectors.json").read_text())
VECTORS = FILE["vectors"]
SPREADS = {"norm": {"eps": "total"}, "inner-product": {"theta": "along"}, "orthogonality": {"nu": "across"},
           "augmented": {"theta": "along", "nu": "across"}}


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def record(rows, sampling):
    """Moments of one sample, spreads from all pairs: half the mean squared difference (no mean is subtracted)."""
    N = len(rows)
    mean = [sum(column) / N for column in zip(*rows, strict=True)]
    signal, pairs = dot(mean, mean), N * (N if sampling == "with" else N - 1)
    away = [[a - b for a, b in zip(x, y, strict=True)] for x in rows for y in rows]
    total = sum(dot(v, v) for v in away) / 2 / pairs
    along = sum(dot(v, mean) ** 2 for v in away) / 2 / pairs / signal if signal else total
    return {"mean": mean, "signal": signal, "total": total, "along": along, "across": total - along,
            "variances": [sum(v[i] ** 2 for v in away) / 2 / pairs for i in range(len(mean))]}


def proximal_step(mean, p):
    moved = [x - p["alpha"] * g for x, g in zip(p["x"], mean, strict=True)]
    shrunk = [max(abs(v) - p["alpha"] * p["weight"], 0) * (1 if v > 0 else -1) for v in moved]
    return [(x - y) / p["alpha"] for x, y in zip(p["x"], shrunk, strict=True)]


def size(kind, sampling, r, p, N):
    if kind == "step-norm":
        step = proximal_step(r["mean"], p)
        sides = [(r["total"], p["xi"] * dot(step, step))]
    elif kind == "coordinate-wise":
        sides = [(v, (p["eps"] * m) ** 2) for v, m in zip(r["variances"], r["mean"], strict=True)]
    else:
        sides = [(r[spread], p[name] ** 2 * r["signal"]) for name, spread in SPREADS[kind].items()]
    rest = Fraction(1, N) if sampling == "without" else 0
    sizes = [0 if s == 0 else math.inf if a / s + rest == 0 else 1 / (a / s + rest) for s, a in sides]
    return max(sizes)


def read(v):
    return [read(x) for x in v] if isinstance(v, list) else math.inf if v == "inf" else Fraction(v)


@pytest.mark.parametrize("v", [v for v in VECTORS if v["kind"] != "ranks"], ids=lambda v: v["id"])
def test_an_independent_reader_gets_the_same_rationals(v):
    rows = read(v["gradients"])
    r = record(rows, v["sampling"])
    wanted = {k: read(x) for k, x in v["expected"].items() if k != "batch"}
    n = size(v["kind"], v["sampling"], r, {k: read(x) for k, x in v["parameters"].items()}, len(rows))
    assert wanted == {**r, "size": n}
    assert v["expected"]["batch"] == (None if n == math.inf else max(1, math.ceil(n)))


@pytest.mark.parametrize("v", [v for v in VECTORS if v["kind"] == "ranks"], ids=lambda v: v["id"])
def test_an_independent_reader_gets_the_same_rank_statistics(v):
    rows, at, means = read(v["gradients"]), 0, []
    for c in v["counts"]:
        part, at = rows[at:at + c], at + c
        means.append([sum(column) / c for column in zip(*part, strict=True)] if c else [Fraction(0)] * len(rows[0]))
    held = [(c, m) for c, m in zip(v["counts"], means, strict=True) if c]
    between = sum(c * b * sum((x - y) ** 2 for x, y in zip(m, k, strict=True)) for c, m in held for b, k in held)
    assert read(v["expected"]["means"]) == means
    assert Fraction(v["expected"]["total-of-rank-means"]) == between / 2 / len(rows) / (len(held) - 1)
    assert Fraction(v["expected"]["total-of-samples"]) == record(rows, "batch")["total"]


def test_every_kind_and_sampling_is_there_and_sizes_differ():
    assert FILE["format"] == "samplingtheory-batch-size-vectors/1"
    kinds = {(v["kind"], v["sampling"]) for v in VECTORS if v["kind"] != "ranks"}
    assert kinds == {(k, s) for k in [*SPREADS, "coordinate-wise", "step-norm"] for s in ("without", "with", "batch")}
    assert len({v["expected"].get("size") for v in VECTORS}) > len(VECTORS) / 2


def test_the_reader_in_the_documentation_runs(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "conformance.md").read_text(), re.S)[1]
    (tmp_path / "vectors.json").write_text(json.dumps(FILE))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "conformance.md", "exec"), {})
    spoilt = code.replace("eps**2", "eps")
    with pytest.raises(AssertionError):
        exec(compile(spoilt, "conformance.md", "exec"), {})
