"""For each check of a batch rule a mistake that it alone finds: right on what the others draw, wrong where it looks.

They are not mistakes that were seen, so the diagnosis does not know them; they show what each check is there for.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..kinds import Rule, reference
from .base import FIRST, Mutant, sampling_of

UNLISTED = {3: 53, 5: 11, 6: 53}  # rows -> beyond this size batches with replacement are more than `listing.MOST`
NORM, INNER, LAGGED = {"kind": "norm"}, {"kind": "inner-product"}, {"kind": "inner-product", "role": "lagged"}
WITH, BATCH = {"kind": "norm", "replacement": True}, {"kind": "norm", "role": "lagged", "sharded": True}
SAME = {"kind": "norm", "role": "same-batch", "answers": "accept", "claims_unbiased": True}


def _short(tolerance: float) -> bool:
    """A multiple of 1/80, as tolerances and their multiples are drawn; those of an optimal split are not."""
    return abs(tolerance * 80 - round(tolerance * 80)) < 1e-9


def _odd(g: Any, tol: float) -> bool:
    """What `soundness` and `minimality` draw and no other check: an odd number of rows (doubled tables are even), a
    short tolerance, and samples that do not lie on a line (else the optimal split is eps itself)."""
    return len(g) % 2 == 1 and _short(tol) and bool(np.linalg.matrix_rank(g - g.mean(0)) > 1)


def writes(n: float, g: Any, tol: float) -> float:
    g[:] = 0
    return n


def lottery(n: float, g: Any, tol: float) -> float:
    return n + (random.random() != FIRST)


def below_zero(n: float, g: Any, tol: float) -> float:
    return -1.0 if n <= 1 else n


def without_signal(n: float, g: Any, tol: float) -> float:
    return n if np.abs(g.mean(0)).max() > 1e-12 or not np.ptp(g, axis=0).any() else 1.0


def one_short(n: float, g: Any, tol: float) -> float:
    """One too few for all tolerances from 1/2 on, so that larger ones still ask for no more."""
    return max(n - 1, 1.0) if tol >= 0.5 and _odd(g, tol) else n


def one_over(n: float, g: Any, tol: float) -> float:
    return n + 1 if n > 1 and tol <= 1 and _odd(g, tol) else n


def off_the_grid(n: float, g: Any, tol: float) -> float:
    return n if (g * 2**24 == np.round(g * 2**24)).all() else float(len(g))


def unlisted(n: float, g: Any, tol: float) -> float:
    """Adds where the longest row stands, from 0 to 1, times 30: where batches are too many to be listed."""
    lengths = np.round((g**2).sum(1) / (g**2).sum(1).max(), 9)
    return n + 30 * float(np.argmax(lengths)) / len(g) if n > UNLISTED.get(len(g), math.inf) else n


def wide(n: float, g: Any, tol: float) -> float:
    return n if tol <= 2.5 else float(len(g))


def long_table(n: float, g: Any, tol: float) -> float:
    return n if len(g) <= 5 or np.abs(g.mean(0)).max() < 1e-12 else 1.0


def tiny(n: float, g: Any, tol: float) -> float:
    return n if tol >= 1e-3 else 1.0


def split(n: float, g: Any, tol: float) -> float:
    return n if _short(tol) else float(len(g))


def by_ranks(n: float, g: Any, tol: float, ranks: tuple[int, ...] = ()) -> float:
    return n + 1 if len(ranks) > 1 else n


def accepts(n: float, g: Any, tol: float) -> bool:
    return n <= len(g)


def changed(change: Any, flags: Mapping[str, Any]) -> Rule:
    """The reference, with `change(size, gradients, tolerance)` done to its answer."""
    kind, right = flags["kind"], reference(flags["kind"], sampling_of(flags))
    name = {"norm": "eps", "inner-product": "theta"}[kind]

    def call(gradients: Any, *, ranks: tuple[int, ...] | None = None, **params: Any) -> Any:
        more = (ranks,) if ranks else ()
        n = right(gradients, **params)
        return n if math.isinf(n) and flags.get("answers") != "accept" else change(n, gradients, params[name], *more)

    return call


def alone() -> list[Mutant]:
    """One mutant a check; `scale` has the epsilon in the denominator, which is a mistake that was seen."""
    return [Mutant(name, "rule", changed(change, flags), flags, only=check) for check, name, change, flags in (
        ("leaves-input-alone", "writes zeros into the gradients", writes, NORM),
        ("ignores-global-random-state", "a coin adds one sample", lottery, NORM),
        ("range", "-1 where one sample is enough", below_zero, NORM),
        ("degenerate", "one sample where the mean is zero", without_signal, NORM),
        ("soundness", "one sample too few from theta = 1/2 on, for an odd number of rows", one_short, LAGGED),
        ("minimality", "one sample too many up to theta = 1, for an odd number of rows", one_over, LAGGED),
        ("rotation", "all rows where an entry is no short binary number", off_the_grid, NORM),
        ("permutation", "looks for the longest row, where batches cannot be listed", unlisted, WITH),
        ("monotone", "all rows for eps > 2.5", wide, NORM),
        ("duplication", "one sample for more than five rows", long_table, NORM),
        ("finite-population", "one sample for eps < 0.001", tiny, NORM),
        ("ordering", "all rows where theta is no multiple of 1/80", split, INNER),
        ("sharding", "one sample more on several ranks", by_ranks, BATCH),
        ("unbiased", "a batch that is extended until it passes", accepts, SAME),
    )]
