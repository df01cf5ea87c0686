"""The checks of a batch-size rule. None of them knows a formula for the size: promises are listed, laws are laws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import permutations
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from .engine import NAMED, Check, need
from .guard import seedless
from .kinds import TOLERANCES
from .listing import inequalities, listable, parts, promise, ratio
from .rules import NONE, BatchRule, Rows, RuleExample, leaves_alone, one_sample, same_size, whole
from .strategies import gradient_tables, rationals, shard_layouts, test_params, tolerances

ROTATES = ("norm", "inner-product", "orthogonality", "augmented")  # the others depend on the coordinates
Change = Callable[[BatchRule, Any, int, int], dict[str, Any]]


def examples(rows: tuple[int, int] = (2, 5), dim: tuple[int, int] = (1, 3), change: Change | None = None,
             zero_mean: bool = False, without: Mapping[str, tuple[str, ...]] | None = None,
             ) -> Callable[[BatchRule], st.SearchStrategy[RuleExample]]:
    """Tables and parameters (but those in `without`, by kind), with what `change(rule, draw, N, d)` adds."""
    @st.composite
    def build(draw: Any, rule: BatchRule) -> RuleExample:
        width = (rule.dim, rule.dim) if rule.dim else dim
        table = draw(gradient_tables(rows, width, exact=True, zero_mean=zero_mean))
        N, d = len(table), len(table[0])
        unused = without[rule.kind] if without else ()
        params = {k: v for k, v in draw(test_params(rule.kind, d)).items() if k not in unused}
        return RuleExample(table, params, change(rule, draw, N, d) if change else {})

    return build


def soundness(rule: BatchRule, e: RuleExample) -> None:
    sound(rule, e.gradients, e.params)


def sound(rule: BatchRule, rows: Rows, params: Mapping[str, Any]) -> None:
    n = rule.asked(rows, params)
    assume(n <= len(rows) or rule.answers == "size")
    assume(n < math.inf and listable(len(rows), int(n), rule.sampling))
    kept = promise(rule.kind, params, rows, int(n), rule.sampling)
    assume(kept is not None)
    need(kept, lambda: f"a batch of {n:g} breaks the test: measured/allowed = {_listed(rule, rows, params, n):.4g}")


def minimality(rule: BatchRule, e: RuleExample) -> None:
    minimal(rule, e.gradients, e.params)


def minimal(rule: BatchRule, rows: Rows, params: Mapping[str, Any]) -> None:
    n, least = rule.asked(rows, params), len(rows) if rule.monotone else 1
    assume(n > least and (rule.answers == "size" or n > len(rows)))
    if n == math.inf:
        need(one_sample(rule, rows, params) == math.inf, "asks for infinitely many samples where a finite batch passes")
        return
    assume(listable(len(rows), int(n) - 1, rule.sampling))
    kept = promise(rule.kind, params, rows, int(n) - 1, rule.sampling)
    assume(kept is not None)
    need(not kept, lambda: f"asks for {n:g} samples where {n - 1:g} pass: measured/allowed = "
                           f"{_listed(rule, rows, params, n - 1):.4g}")


def _listed(rule: BatchRule, rows: Rows, params: Mapping[str, Any], n: float) -> float:
    return float(ratio(inequalities(rule.kind, params, parts(rows, int(n), rule.sampling))))


def runs(rule: BatchRule, e: RuleExample) -> None:
    rule.ask(rule.convert(e.gradients), rule.arguments(e.params))


def one_number(rule: BatchRule, e: RuleExample) -> None:
    rule.raw(e.gradients, e.params)


def global_state(rule: BatchRule, e: RuleExample) -> None:
    seedless(lambda seed: rule.raw(e.gradients, e.params, seed=seed))


def in_range(rule: BatchRule, e: RuleExample) -> None:
    size, N = rule.raw(e.gradients, e.params), len(e.gradients)
    need(size >= 0, f"returns {size:g}; a size is not negative")
    if rule.sampling == "without":
        need(whole(size) <= N, f"asks for {size:g} of {N} samples without replacement (if the table is a batch, say "
                                "role='lagged')")
    elif one_sample(rule, e.gradients, e.params) < math.inf:
        need(size < math.inf, "asks for infinitely many samples where a finite batch passes")
    if rule.monotone:
        need(size >= N, f"asks for {size:g}, fewer than the {N} of this batch")


def degenerate(rule: BatchRule, e: RuleExample) -> None:
    rows = e.gradients
    if e.change["case"] == "equal rows":
        rows = [rows[0]] * len(rows)
    elif e.change["case"] == "zero mean":
        rows = [*rows, *[[-v for v in row] for row in rows]]
    n, N, first = rule.asked(rows, e.params), len(rows), one_sample(rule, rows, e.params)
    if e.change["case"] == "zero mean" and rule.kind == "orthogonality":
        assume(False)  # no direction, so nothing is asserted but a number
    if first == 0:
        most = N if rule.monotone or rule.answers == "accept" else 1
        need(n <= most, f"asks for {n:g} samples though there is nothing to average away ({e.change['case']})")
    elif first == math.inf and rule.answers == "accept":
        need(n > N, f"accepts a batch with noise and no signal ({e.change['case']})")
    elif first == math.inf:
        need(n >= (N if rule.sampling == "without" else NONE), f"asks for {n:g} samples where no batch passes but "
             + ("all of the population" if rule.sampling == "without" else "an infinite one") +
             f" ({e.change['case']})")


def scaled(params: Mapping[str, Any], factor: Fraction) -> dict[str, Any]:
    """Parameters that have the dimension of a gradient, scaled with the table."""
    return {k: [factor * v for v in value] if k == "x" else factor * value if k == "weight" else value
            for k, value in params.items()}


def scale(rule: BatchRule, e: RuleExample) -> None:
    factor = Fraction(2) ** e.change["power"]
    rows = [[factor * v for v in row] for row in e.gradients]
    n, m = rule.raw(e.gradients, e.params), rule.raw(rows, scaled(e.params, factor))
    need(n == m, f"gradients times 2^{e.change['power']}, exact in binary: {n!r} becomes {m!r}")


def turned(row: Any, change: Mapping[str, Any], rotates: bool) -> list[Fraction]:
    """Signs, an order of the coordinates and, if `rotates`, a turn by (3, 4, 5) in two of them."""
    out = [s * row[i] for s, i in zip(change["signs"], change["order"], strict=True)]
    if rotates and len(out) > 1:
        a, b = out[0], out[1]
        out[:2] = (3 * a - 4 * b) / 5, (4 * a + 3 * b) / 5
    return out


def rotation(rule: BatchRule, e: RuleExample) -> None:
    rotates = rule.kind in ROTATES
    rows = [turned(row, e.change, rotates) for row in e.gradients]
    params = {k: turned(v, e.change, rotates) if k == "x" else v for k, v in e.params.items()}
    same_size(rule, (e.gradients, e.params), (rows, params), "gradients in other coordinates")


def permutation(rule: BatchRule, e: RuleExample) -> None:
    rows = [e.gradients[i] for i in e.change["order"]]
    same_size(rule, (e.gradients, e.params), (rows, e.params), "samples in another order")


def monotone(rule: BatchRule, e: RuleExample) -> None:
    larger = {k: v * e.change["factor"] if k in TOLERANCES[rule.kind] else v for k, v in e.params.items()}
    n, m = rule.asked(e.gradients, e.params), rule.asked(e.gradients, larger)
    need(m <= n, f"tolerances times {float(e.change['factor']):g}: {n:g} becomes {m:g}")


def duplication(rule: BatchRule, e: RuleExample) -> None:
    doubled = [row for row in e.gradients for _ in range(2)]
    if rule.sampling == "with":  # the law is the same
        same_size(rule, (e.gradients, e.params), (doubled, e.params), "every sample twice")
    elif e.change["side"] == "sound":
        sound(rule, doubled, e.params)
    else:
        minimal(rule, doubled, e.params)


def finite_population(rule: BatchRule, e: RuleExample) -> None:
    tiny = {k: Fraction(1, 10**8) if k in TOLERANCES[rule.kind] else v for k, v in e.params.items()}
    first, N = one_sample(rule, e.gradients, tiny), len(e.gradients)
    assume(first > 0)
    n = rule.asked(e.gradients, tiny)
    need(n == N, f"tolerance 1e-8: asks for {n:g}; only all {N} samples leave no variance")


def split(kind: str, eps: Fraction, p: Any) -> dict[str, Any]:
    """Tolerances at which a test of this kind says the same as the norm test with eps: theta^2 = eps^2 along/total."""
    theta, nu = (float(eps) * math.sqrt(v / p.total) for v in (p.along, p.across))
    named: dict[str, dict[str, Any]] = {
        "norm": {"eps": eps}, "inner-product": {"theta": theta}, "orthogonality": {"nu": nu},
        "augmented": {"theta": theta, "nu": nu}, "coordinate-wise": {"eps": eps}}
    return named[kind]


def ordering(rule: BatchRule, e: RuleExample) -> None:
    eps, N = e.change["eps"], len(e.gradients)
    p = parts(e.gradients, 1, rule.sampling)
    assume(p.total > 0)
    if rule.kind == "step-norm":
        params: dict[str, Any] = {**e.params, "xi": eps * eps, "weight": Fraction(0)}
    else:
        params = split(rule.kind, eps, p)
    assume(all(v > 0 for k, v in params.items() if k in TOLERANCES[rule.kind]))
    n = rule.asked(e.gradients, params)
    equal, decided = rule.kind != "coordinate-wise", False  # that one only implies the norm test
    for size, wanted in ((n, True), (n - 1, False)):
        if not (wanted or equal) or not 1 <= size < math.inf or not listable(N, int(size), rule.sampling):
            continue
        if (rule.answers == "accept" and size != N) or (not wanted and rule.monotone and n <= N):
            continue
        kept = promise("norm", {"eps": eps}, e.gradients, int(size), rule.sampling)
        if kept is not None:
            decided = True
            need(kept == wanted, f"at the split that equals the norm test with eps = {float(eps):g}: size {n:g}, but "
                                 f"a batch of {size:g} {'breaks' if wanted else 'meets'} the norm test")
    assume(decided)


def sharding(rule: BatchRule, e: RuleExample) -> None:
    ranks, N = e.change["ranks"], len(e.gradients)
    n, m = (rule.asked(e.gradients, e.params, ranks=r) for r in ((N,), ranks))
    if n != m:
        same_size(rule, (e.gradients, e.params), (e.gradients, e.params), "called twice")
        need(abs(n - m) < 1e-9 * n, f"one rank: {n:g}; ranks of {', '.join(map(str, ranks))} samples: {m:g}")


def unbiased(rule: BatchRule, e: RuleExample) -> None:
    """E of the accepted batch's mean over all orders of the rows; batches are extended until they pass."""
    N, d = len(e.gradients), len(e.gradients[0])
    mean = [sum((row[i] for row in e.gradients), Fraction(0)) / N for i in range(d)]
    total, orders = [Fraction(0)] * d, list(permutations(e.gradients))
    for order in orders:
        m = 2
        while m < N and (n := rule.asked(order[:m], e.params)) > m:
            m = int(min(N, n)) if rule.answers == "size" else m + 1
        total = [t + sum((row[i] for row in order[:m]), Fraction(0)) / m for i, t in enumerate(total)]
    found = [t / len(orders) for t in total]
    need(found == mean, lambda: f"the accepted batch has mean {[str(v) for v in found]}, the population "
                                f"{[str(v) for v in mean]}")


def _coordinates(rule: BatchRule, draw: Any, N: int, d: int) -> dict[str, Any]:
    return {"order": draw(st.permutations(range(d))),
            "signs": draw(st.lists(st.sampled_from([1, -1]), min_size=d, max_size=d))}


def _moved(N: int) -> st.SearchStrategy[list[int]]:
    """An order of the rows that is not the one they have."""
    return st.permutations(range(N)).map(lambda order: order[::-1] if order == list(range(N)) else order)


def _only(sampling: str, reason: str) -> Callable[[BatchRule], str]:
    return lambda rule: "" if rule.sampling == sampling else reason


def _sizes(rule: BatchRule) -> str:
    return "" if rule.answers == "size" else "it accepts or not, and names no size"


def _finite(rule: BatchRule) -> str:
    return _sizes(rule) or _only("without", "the population is not finite")(rule)


def _claimed(rule: BatchRule) -> str:
    if rule.role != "same-batch":
        return "the size does not depend on the samples that step"
    return "" if rule.claims_unbiased else "not claimed (claims_unbiased=False)"


POWERS = st.integers(-20, 20).filter(bool)
FACTORS = rationals(5, 16)
RULE_CHECKS: tuple[Check, ...] = (
    Check("runs", "raises nothing", runs, examples(), implied=NAMED),
    Check("returns-one-number", "a size is one real number", one_number, examples(), implied=NAMED),
    Check("leaves-input-alone", "gradients and parameters are not changed", leaves_alone, examples()),
    Check("ignores-global-random-state", "one input, one answer", global_state, examples(), share=0.5),
    Check("range", "0 <= size, and size <= N without replacement", in_range, examples()),
    Check("degenerate", "equal gradients, and gradients with mean zero", degenerate, examples(
        change=lambda rule, draw, N, d: {"case": draw(st.sampled_from(["equal rows", "zero mean"]))}, zero_mean=True)),
    Check("soundness", "a batch of this size meets the test, by listing all batches", soundness, examples()),
    Check("minimality", "one sample fewer does not, by listing all batches", minimality, examples()),
    Check("scale", "gradients times a power of two: the same size, to the bit", scale, examples(
        change=lambda rule, draw, N, d: {"power": draw(POWERS)})),
    Check("rotation", "the same size in other coordinates", rotation, examples(dim=(1, 4), change=_coordinates),
          applies=lambda rule: "the layout fixes the coordinates" if rule.layout else ""),
    Check("permutation", "the same size for samples in another order", permutation, examples(
        change=lambda rule, draw, N, d: {"order": draw(_moved(N))})),
    Check("monotone", "a larger tolerance asks for no more", monotone, examples(
        change=lambda rule, draw, N, d: {"factor": draw(FACTORS)})),
    Check("duplication", "every sample twice: by listing, or (with replacement) the same size", duplication, examples(
        rows=(2, 4), change=lambda rule, draw, N, d: {"side": draw(st.sampled_from(["sound", "minimal"]))}), share=0.5),
    Check("finite-population", "a tiny tolerance asks for exactly N", finite_population, examples(), applies=_finite),
    Check("ordering", "tests that say the same at the optimal split agree, by listing", ordering, examples(
        change=lambda rule, draw, N, d: {"eps": draw(tolerances())}, without=TOLERANCES)),
    Check("sharding", "the same size for every layout of the ranks", sharding, examples(
        rows=(4, 8), change=lambda rule, draw, N, d: {"ranks": draw(shard_layouts(N, 2))}),
        applies=lambda rule: "" if rule.sharded else "it takes no ranks"),
    Check("unbiased", "the accepted batch has the mean of the population, over all orders", unbiased,
          examples(rows=(3, 4), dim=(1, 2)), applies=_claimed, share=0.3),
)
