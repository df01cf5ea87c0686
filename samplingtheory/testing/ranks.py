"""Statistics of ranks: estimates of tr Cov of ONE sample from what workers or micro-batches hold.

    rank-means     statistic(means (J, d), counts (J,)) -> number
    rank-moments   statistic(means (J, d), counts (J,), scatters (J,)) -> number; scatters[j] is rank j's own unbiased
                   estimate (divisor counts[j] - 1; 0 where counts[j] = 1)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .engine import EXAMPLES, NAMED, Check, Deferred, Failure, Report, deferred, need, run_checks
from .guard import as_number, guarded, seedless
from .listing import parts
from .rule_checks import turned
from .rules import Rows
from .strategies import gradient_tables, shard_layouts

STATISTICS = ("rank-means", "rank-moments")
CLOSE = 1e-9


@dataclass(frozen=True)
class Statistic:
    """A statistic under test. equal: only for ranks that hold equally many samples; padded: a rank may hold none;
    least: samples that every other rank holds at least (2 where a rank needs a variance of its own)."""

    call: Any
    kind: str = "rank-means"
    equal: bool = False
    padded: bool = False
    least: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in STATISTICS:
            raise ValueError(f"kind is {self.kind!r}; use one of {', '.join(STATISTICS)}")
        object.__setattr__(self, "name", self.name or getattr(self.call, "__name__", type(self.call).__name__))

    def arguments(self, table: np.ndarray, ranks: Sequence[int]) -> list[np.ndarray]:
        """What each rank holds of a table whose rows are dealt out in order; a rank of 0 holds zeros."""
        cut = np.split(table, np.cumsum(ranks)[:-1])
        means = np.array([c.mean(0) if len(c) else np.zeros(table.shape[1]) for c in cut])
        scatters = np.array([c.var(0, ddof=1).sum() if len(c) > 1 else 0.0 for c in cut])
        return [means, np.array(ranks, dtype=float), *([scatters] if self.kind == "rank-moments" else [])]

    def value(self, table: Any, ranks: Sequence[int], seed: int = 0) -> float:
        found = guarded(self.call, *self.arguments(np.array(table, dtype=float), ranks), seed=seed)
        return as_number(found, "an estimate")


@dataclass(frozen=True)
class RankExample:
    gradients: Rows
    ranks: Sequence[int]
    change: Any = None


def examples(dim: tuple[int, int] = (1, 3), rows: tuple[int, int] = (2, 8), change: Any = None) -> Any:
    @st.composite
    def build(draw: Any, s: Statistic) -> RankExample:
        table = draw(gradient_tables((2 * s.least, rows[1]), dim, exact=True, zero_mean=True))
        ranks = draw(layouts(s, len(table)))
        return RankExample(table, ranks, draw(change(len(table[0]), len(ranks))) if change else None)
    return build


@st.composite
def layouts(draw: Any, s: Statistic, total: int) -> tuple[int, ...]:
    """Two or more ranks where the statistic needs them; equal ones if it asks for that."""
    if s.equal:
        many = [j for j in range(1, total + 1) if total % j == 0 and total // j >= s.least and (
            j > 1 or s.kind == "rank-moments")]
        J = draw(st.sampled_from(many))
        return (total // J,) * J
    ranks = draw(shard_layouts(total, s.least))
    return ranks if len(ranks) > 1 or s.kind == "rank-moments" else (s.least, total - s.least)


def runs(s: Statistic, e: RankExample) -> None:
    guarded(s.call, *s.arguments(np.array(e.gradients, dtype=float), e.ranks))


def one_number(s: Statistic, e: RankExample) -> None:
    need(math.isfinite(s.value(e.gradients, e.ranks)), "returns an infinite estimate")


def leaves_alone(s: Statistic, e: RankExample) -> None:
    given = s.arguments(np.array(e.gradients, dtype=float), e.ranks)
    before = [a.copy() for a in given]
    guarded(s.call, *given)
    need(all(np.array_equal(a, b) for a, b in zip(given, before, strict=True)), "changes what it is given")


def global_state(s: Statistic, e: RankExample) -> None:
    seedless(lambda seed: s.value(e.gradients, e.ranks, seed))


def close(a: float, b: float, size: float) -> bool:
    return a == b or abs(a - b) <= CLOSE * max(abs(a), abs(b), size)


def _size(rows: Rows) -> float:
    return float(max((v * v for row in rows for v in row), default=Fraction(0)))


def not_negative(s: Statistic, e: RankExample) -> None:
    value = s.value(e.gradients, e.ranks)
    need(value >= -CLOSE * _size(e.gradients), f"estimates a variance of {value:g}")


def unbiased(s: Statistic, e: RankExample) -> None:
    """The mean over every way in which the ranks can draw from the two or three atoms, against the exact variance."""
    atoms, ranks = e.gradients, e.ranks
    table = np.array(atoms, dtype=float)
    found = [s.value(table[list(rows)], ranks) for rows in product(range(len(atoms)), repeat=sum(ranks))]
    mean, exact = math.fsum(found) / len(found), float(parts(atoms, 1, "with").total)
    need(close(mean, exact, _size(atoms)), f"ranks of {', '.join(map(str, ranks))} samples: the expectation is "
         f"{mean:.6g}, the variance {exact:.6g}" + (f", a factor {mean / exact:.6g}" if exact else ""))


def sharding(s: Statistic, e: RankExample) -> None:
    whole, cut = s.value(e.gradients, (len(e.gradients),)), s.value(e.gradients, e.ranks)
    need(close(whole, cut, _size(e.gradients)), f"one rank: {whole:.6g}; ranks of {', '.join(map(str, e.ranks))} "
                                                f"samples: {cut:.6g}")


def rank_order(s: Statistic, e: RankExample) -> None:
    args = s.arguments(np.array(e.gradients, dtype=float), e.ranks)
    moved = [a[list(e.change)] for a in args]
    a, b = (as_number(guarded(s.call, *x), "an estimate") for x in (args, moved))
    need(close(a, b, _size(e.gradients)), f"ranks in another order: {a:.6g} becomes {b:.6g}")


def padding(s: Statistic, e: RankExample) -> None:
    a, b = s.value(e.gradients, e.ranks), s.value(e.gradients, (*e.ranks, 0))
    need(close(a, b, _size(e.gradients)), f"with a rank that holds no sample: {a:.6g} becomes {b:.6g}")


def scale(s: Statistic, e: RankExample) -> None:
    factor = Fraction(2) ** e.change
    a, b = s.value(e.gradients, e.ranks), s.value([[factor * v for v in row] for row in e.gradients], e.ranks)
    need(b == a * 4.0**e.change, f"gradients times 2^{e.change}: {a!r} becomes {b!r}, not 4^{e.change} times as much")


def rotation(s: Statistic, e: RankExample) -> None:
    a, b = s.value(e.gradients, e.ranks), s.value([turned(row, e.change, True) for row in e.gradients], e.ranks)
    need(close(a, b, _size(e.gradients)), f"gradients in other coordinates: {a:.6g} becomes {b:.6g}")


def origin(s: Statistic, e: RankExample) -> None:
    shift = e.gradients[0]
    moved = [[v + w for v, w in zip(row, shift, strict=True)] for row in e.gradients]
    a, b = s.value(e.gradients, e.ranks), s.value(moved, e.ranks)
    need(close(a, b, 4 * _size(e.gradients)), f"all gradients moved by one vector: {a:.6g} becomes {b:.6g}")


def _of_ranks(d: int, J: int) -> Any:
    return st.permutations(range(J))


def _turn(d: int, J: int) -> Any:
    return st.fixed_dictionaries({"order": st.permutations(range(d)), "signs": st.lists(
        st.sampled_from([1, -1]), min_size=d, max_size=d)})


@st.composite
def _atoms(draw: Any, s: Statistic) -> RankExample:
    atoms = draw(gradient_tables((2, 3), (1, 2), exact=True, zero_mean=True))
    ranks = draw(layouts(s, draw(st.integers(2 * s.least, 6 if len(atoms) == 2 else 4))))
    return RankExample(atoms, ranks)


STATISTIC_CHECKS: tuple[Check, ...] = (
    Check("runs", "raises nothing", runs, examples(), implied=NAMED),
    Check("returns-one-number", "an estimate is one finite number", one_number, examples()),
    Check("leaves-input-alone", "what the ranks hold is not changed", leaves_alone, examples()),
    Check("ignores-global-random-state", "one input, one answer", global_state, examples(), share=0.5),
    Check("not-negative", "a variance is not negative", not_negative, examples()),
    Check("unbiased", "the expectation over all draws, listed, is the variance of one sample", unbiased, _atoms,
          share=0.5),
    Check("sharding", "the same estimate for every layout of the ranks", sharding, examples(),
          applies=lambda s: "" if s.kind == "rank-moments" else "rank means alone estimate from fewer numbers"),
    Check("rank-order", "the same estimate for ranks in another order", rank_order, examples(change=_of_ranks)),
    Check("padding", "a rank without samples changes nothing", padding, examples(),
          applies=lambda s: "" if s.padded else "not claimed (padded=False)"),
    Check("scale", "gradients times 2^k: 4^k times the estimate, to the bit", scale, examples(
        change=lambda d, J: st.integers(-20, 20).filter(bool))),
    Check("rotation", "the same estimate in other coordinates", rotation, examples(dim=(1, 4), change=_turn)),
    Check("origin", "the same estimate when all gradients move by one vector", origin, examples()),
)


def statistic(call: Any, **flags: Any) -> Statistic:
    if isinstance(call, Statistic):
        return call
    return Statistic(call, **{**getattr(call, "conformance", {}), **flags})


def check_statistic(call: Any, *, expected_failures: Mapping[str, str] | None = None, examples: int = EXAMPLES,
                    seed: int | None = None, **flags: Any) -> Report:
    """Every check on a statistic of ranks. flags: kind, equal, padded, name."""
    return run_checks(statistic(call, **flags), STATISTIC_CHECKS, expected=expected_failures, examples=examples,
                      seed=seed, diagnose=diagnose)


def statistic_checks(call: Any, *, expected_failures: Mapping[str, str] | None = None, examples: int = EXAMPLES,
                     seed: int | None = None, **flags: Any) -> list[Deferred]:
    """The same checks one by one, for pytest."""
    return deferred(statistic(call, **flags), STATISTIC_CHECKS, expected_failures, examples, seed)


def reference_statistic(kind: str) -> Any:
    """This package's estimate: `moments(units, counts)`, and the pooled variance where the ranks know their own."""
    from ..moments import moments

    def rank_means(means: np.ndarray, counts: np.ndarray) -> float:
        return float(moments(means, counts).total)

    def rank_moments(means: np.ndarray, counts: np.ndarray, scatters: np.ndarray) -> float:
        n = counts.sum()
        if n < 2:
            return 0.0
        centred = means - (counts[:, None] * means).sum(0) / n
        within = (np.maximum(counts - 1, 0) * scatters).sum()
        return float((within + (counts * (centred**2).sum(1)).sum()) / (n - 1))

    return {"rank-means": rank_means, "rank-moments": rank_moments}[kind]


def diagnose(s: Statistic) -> str:
    """The known mistakes that the statistic equals on fixed random ranks."""
    from .diagnosis import verdict
    from .mistakes.ranks import known_mistakes

    rng, asked = np.random.default_rng(0), []
    for i in range(20):
        J = int(rng.integers(2, 6))
        ranks = (int(rng.integers(2, 6)),) * J if s.equal or i % 2 else tuple(rng.integers(2, 6, size=J).tolist())
        asked.append((rng.standard_normal((sum(ranks), 3)), ranks))
    if s.padded:
        asked = [(table, (*ranks, 0)) for table, ranks in asked]

    def values(call: Any) -> list[float]:
        found = []
        for table, ranks in asked:
            try:
                found.append(Statistic(call, s.kind).value(table, ranks))
            except Failure:
                found.append(math.nan)
        return found

    ours, right = values(s.call), values(reference_statistic(s.kind))
    known = known_mistakes(s.kind)
    same = [m for m in known if all(math.isnan(b) or close(a, b, 0) for a, b in zip(ours, values(m.build), strict=True))
            ] if not any(map(math.isnan, ours)) else []
    return verdict(same, len(known), all(close(a, b, 0) for a, b in zip(ours, right, strict=True)),
                   f"{len(asked)} of {len(asked)} layouts")

