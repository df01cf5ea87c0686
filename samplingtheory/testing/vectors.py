"""Language-neutral test vectors: gradients and parameters in exact rationals, with what every test must answer.

The format is docs/conformance.md; `samplingtheory conform --vectors FILE` writes them. All numbers are computed here
with Fractions from the definitions, not by the criteria of this package, which a test compares with them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from importlib.resources import files
from typing import Any

from .kinds import KINDS, TOLERANCES
from .listing import SAMPLINGS, mapping

FORMAT = "samplingtheory-batch-size-vectors/1"
SHAPES = ((2, 1), (3, 2), (4, 3), (6, 2), (9, 4), (16, 3))
Rows = Sequence[Sequence[Fraction]]


def text(value: Any) -> Any:
    """Fractions as 'p/q', lists of them as lists, infinity as 'inf'."""
    if isinstance(value, (list, tuple)):
        return [text(v) for v in value]
    return "inf" if value == math.inf else str(Fraction(value))


def value(given: Any) -> Any:
    """What `text` wrote."""
    if isinstance(given, list):
        return [value(v) for v in given]
    return math.inf if given == "inf" else Fraction(given)


def _entries(seed: int, count: int) -> list[Fraction]:
    """Multiples of 1/4 in [-4, 4] from a linear congruence: the same on every machine and in every version."""
    found = []
    for _ in range(count):
        seed = (1103515245 * seed + 12345) % 2**31
        found.append(Fraction((seed >> 16) % 33 - 16, 4))
    return found


def table(seed: int, N: int, d: int) -> list[list[Fraction]]:
    flat = _entries(seed, N * d)
    rows = [flat[i * d:(i + 1) * d] for i in range(N)]
    rows[0][0] += 1 if not any(map(sum, zip(*rows, strict=True))) else 0
    return rows


def moments(rows: Rows, sampling: str) -> dict[str, Any]:
    """mean, signal and the spreads of one sample; divisor N with replacement, else N - 1."""
    N, d = len(rows), len(rows[0])
    mean = [sum((r[i] for r in rows), Fraction(0)) / N for i in range(d)]
    off = [[v - m for v, m in zip(r, mean, strict=True)] for r in rows]
    divisor = N if sampling == "with" else N - 1
    signal = sum((m * m for m in mean), Fraction(0))
    variances = [sum((r[i] * r[i] for r in off), Fraction(0)) / divisor for i in range(d)]
    inner = [sum((v * m for v, m in zip(r, mean, strict=True)), Fraction(0)) for r in off]
    total = sum(variances, Fraction(0))
    along = sum((p * p for p in inner), Fraction(0)) / divisor / signal if signal else total
    return {"mean": mean, "signal": signal, "total": total, "along": along, "across": total - along,
            "variances": variances}


def size(kind: str, m: Mapping[str, Any], params: Mapping[str, Any], population: Fraction | None) -> Any:
    """Smallest real n: 1/(tol^2 signal/spread + 1/N), the largest over the inequalities of the test."""
    if kind == "step-norm":
        step = mapping(m["mean"], params["alpha"], params["weight"], params["x"])
        pairs = [(m["total"], params["xi"] * sum((s * s for s in step), Fraction(0)))]
    elif kind == "coordinate-wise":
        pairs = [(v, params["eps"] ** 2 * g * g) for v, g in zip(m["variances"], m["mean"], strict=True)]
    else:
        spread = {"eps": "total", "theta": "along", "nu": "across"}
        pairs = [(m[spread[name]], params[name] ** 2 * m["signal"]) for name in TOLERANCES[kind]]
    found: Any = Fraction(0)
    for spread_, allowed in pairs:
        inverse = (allowed / spread_ + (1 / population if population else 0)) if spread_ else None
        found = max(found, Fraction(0) if inverse is None else 1 / inverse if inverse else math.inf)
    return found


def _batch_vectors() -> Iterator[dict[str, Any]]:
    for number, kind in enumerate(KINDS):
        for sampling in SAMPLINGS:
            for i, (N, d) in enumerate(SHAPES):
                seed = 1000 * number + 10 * i + SAMPLINGS.index(sampling)
                rows = table(seed, N, d)
                params: dict[str, Any] = {name: Fraction(1 + (seed * 7 + 3 * j) % 20, 10)
                                          for j, name in enumerate(TOLERANCES[kind])}
                if kind == "step-norm":
                    params |= {"alpha": Fraction(1, 2), "weight": Fraction(1 + i, 4), "x": _entries(seed + 5, d)}
                m = moments(rows, sampling)
                real = size(kind, m, params, Fraction(N) if sampling == "without" else None)
                batch = None if real == math.inf else max(1, math.ceil(real))
                yield {"id": f"{kind}/{sampling}/{i + 1}", "kind": kind, "sampling": sampling, "gradients": text(rows),
                       "parameters": {k: text(v) for k, v in params.items()},
                       "expected": {**{k: text(v) for k, v in m.items()}, "size": text(real), "batch": batch}}


def _rank_vectors() -> Iterator[dict[str, Any]]:
    for i, ranks in enumerate(((2, 2), (1, 3), (4, 4, 4), (1, 2, 5), (3, 0, 2), (1, 1, 1, 1))):
        rows, means, at = table(77 + i, sum(ranks), 2), [], 0
        for c in ranks:
            part, at = rows[at:at + c], at + c
            means.append([sum((r[k] for r in part), Fraction(0)) / c if c else Fraction(0) for k in range(2)])
        mean = [sum((c * u[k] for c, u in zip(ranks, means, strict=True)), Fraction(0)) / sum(ranks) for k in range(2)]
        squares = sum((c * sum(((a - b) ** 2 for a, b in zip(u, mean, strict=True)), Fraction(0))
                       for c, u in zip(ranks, means, strict=True)), Fraction(0))
        pooled = moments(rows, "batch")["total"]
        yield {"id": f"ranks/{i + 1}", "kind": "ranks", "gradients": text(rows), "counts": list(ranks),
               "expected": {"means": text(means), "mean": text(mean), "total-of-rank-means":
                            text(squares / (sum(c > 0 for c in ranks) - 1)), "total-of-samples": text(pooled)}}


def vectors() -> dict[str, Any]:
    """All vectors, as they stand in vectors.json."""
    return {"format": FORMAT, "numbers": "rationals as strings 'p/q' or 'p'; 'inf' for infinity",
            "vectors": [*_batch_vectors(), *_rank_vectors()]}


def dumps() -> str:
    """The file: one vector a line."""
    found = vectors()
    lines = ",\n  ".join(json.dumps(v) for v in found["vectors"])
    head = f'{{"format": {json.dumps(found["format"])},\n "numbers": {json.dumps(found["numbers"])},\n'
    return f'{head} "vectors": [\n  {lines}\n ]}}\n'


def shipped() -> dict[str, Any]:
    """The vectors that ship with the package."""
    return json.loads(files(__package__).joinpath("vectors.json").read_text())
