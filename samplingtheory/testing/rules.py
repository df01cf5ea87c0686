"""A batch-size rule under test, and how its answers are read.

A rule is a callable `rule(gradients, **params) -> size` on a table (N, d) of per-sample gradients. The size may be
real (the caller rounds up) or whole; `inf` where no size is enough. With answers='accept' it returns a truth value
instead: whether the table, as a batch, passes.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import assume

from .engine import Failure, need
from .guard import as_array, as_number, guarded
from .kinds import KINDS, OTHERS, TOLERANCES
from .listing import BOUNDARY, inequalities, parts, ratio

ROLES = ("exact", "same-batch", "lagged", "pilot")
Rows = Sequence[Sequence[Fraction]]
NONE = 1e6  # a size from here on says that no finite batch is enough


@dataclass(frozen=True)
class RuleExample:
    """A table, the parameters of the test, and what a check changes about them."""

    gradients: Rows
    params: Mapping[str, Any]
    change: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BatchRule:
    """A rule and what it claims to be.

    kind      norm, inner-product, orthogonality, augmented, coordinate-wise or step-norm
    role      exact       the table is the population from which the batch will be drawn
              same-batch  the table is the batch that steps if it passes
              lagged      the table is this batch, the size is for the next one
              pilot       the table is an independent batch that only decides
    replacement      exact only: batches are drawn with replacement
    answers          'size' or 'accept'
    monotone         never asks for fewer samples than the table holds
    claims_unbiased  same batch only: the mean of the accepted batch is claimed to be unbiased
    sharded          takes `ranks=`, the number of samples of every rank
    dim, layout      length of a gradient if the rule fixes it; sizes of its parameter tensors (for the diagnosis)
    arrays           'numpy', 'torch' or 'jax': what the rule is given
    """

    call: Any
    kind: str = "norm"
    role: str = "exact"
    replacement: bool = False
    answers: str = "size"
    monotone: bool = False
    claims_unbiased: bool = False
    sharded: bool = False
    dim: int | None = None
    layout: tuple[int, ...] | None = None
    arrays: str = "numpy"
    name: str = ""

    def __post_init__(self) -> None:
        for what, value, known in (("kind", self.kind, KINDS), ("role", self.role, ROLES), ("answers", self.answers, (
                "size", "accept")), ("arrays", self.arrays, ("numpy", "torch", "jax"))):
            if value not in known:
                raise ValueError(f"{what} is {value!r}; use one of {', '.join(known)}")
        fits(self.call, (None,), (*TOLERANCES[self.kind], *OTHERS.get(self.kind, ())), f"a rule of kind {self.kind}")
        if self.replacement and self.role != "exact":
            raise ValueError(f"replacement=True says how the population is drawn; with role={self.role!r} the table is "
                             "a batch: leave it out")
        if self.layout and self.dim not in (None, sum(self.layout)):
            raise ValueError(f"the layout {self.layout} has {sum(self.layout)} entries, dim is {self.dim}")
        object.__setattr__(self, "dim", sum(self.layout) if self.layout else self.dim)
        object.__setattr__(self, "name", self.name or getattr(self.call, "__name__", type(self.call).__name__))

    @property
    def sampling(self) -> str:
        return "batch" if self.role != "exact" else "with" if self.replacement else "without"

    def convert(self, value: Any) -> Any:
        """A table as the rule wants it."""
        array = np.array(value, dtype=float)
        if self.arrays == "torch":
            import torch

            return torch.as_tensor(array)
        if self.arrays == "jax":
            import jax

            with jax.enable_x64(True):
                return jax.numpy.asarray(array)
        return array

    def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {k: self.convert(v) if isinstance(v, (list, tuple)) else float(v) for k, v in params.items()}

    def raw(self, rows: Rows, params: Mapping[str, Any], seed: int = 0, **more: Any) -> float:
        """What the rule answers, as a number; a broken contract is a `Failure`."""
        return self.read(self.ask(self.convert(rows), self.arguments(params), seed, **more), len(rows))

    def ask(self, table: Any, arguments: Mapping[str, Any], seed: int = 0, **more: Any) -> Any:
        """The answer as it comes, in double precision for JAX too; an exception is a `Failure`."""
        if self.arrays != "jax":
            return guarded(self.call, table, seed=seed, **arguments, **more)
        import jax

        with jax.enable_x64(True):
            return guarded(self.call, table, seed=seed, **arguments, **more)

    def read(self, answer: Any, N: int) -> float:
        if self.answers == "size":
            return as_number(answer)
        value = as_number(answer, "acceptance")
        need(value in (0, 1), f"returns {answer!r}; acceptance is true or false")
        return float(N if value else N + 1)

    def asked(self, rows: Rows, params: Mapping[str, Any], **more: Any) -> float:
        """The size in whole samples, at least 1, or inf."""
        return whole(self.raw(rows, params, **more))


def fits(call: Any, given: Sequence[Any], names: Sequence[str], what: str) -> None:
    """One line if `call` cannot be called so: a class, or a function with other parameters."""
    told = f"{what} is called as rule({', '.join(['gradients'] * len(given) + [f'{n}=...' for n in names])})"
    if isinstance(call, type):
        raise ValueError(f"{call.__name__} is a class; {told}: wrap it in samplingtheory.testing.Scheduler(" +
                         f"{call.__name__}, step=NAME) or Sequential({call.__name__}), and give that")
    if not callable(call):
        raise ValueError(f"the rule is {call!r}; {told}")
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):
        return  # built-in code does not say what it takes
    try:
        signature.bind(*given, **dict.fromkeys(names))
    except TypeError as error:
        raise ValueError(f"{told}, but it takes {signature}: {error}") from None


def whole(size: float) -> float:
    return size if math.isinf(size) else float(max(1, math.ceil(size - 1e-12 * max(1.0, abs(size)))))


def one_sample(rule: BatchRule, rows: Rows, params: Mapping[str, Any]) -> float:
    """Listed measured/allowed of a batch of one."""
    return float(ratio(inequalities(rule.kind, params, parts(rows, 1, rule.sampling))))


def away_from_edge(rule: BatchRule, rows: Rows, params: Mapping[str, Any], *sizes: float) -> None:
    """Reject the example if a size or the one below sits where rounding decides (uses that variance falls as 1/n)."""
    first, N = one_sample(rule, rows, params), len(rows)
    for size in sizes:
        for n in (size, size - 1):
            if not 1 <= n < math.inf:
                continue
            share = 1 / n if rule.sampling != "without" or N == 1 else max(0.0, (1 / n - 1 / N) / (1 - 1 / N))
            assume(abs(first * share - 1) > 10 * BOUNDARY)


def same_size(rule: BatchRule, a: tuple[Rows, Mapping[str, Any]], b: tuple[Rows, Mapping[str, Any]],
              words: str) -> None:
    """Both tables must get one size, unless it is decided by rounding."""
    n, m = rule.asked(*a), rule.asked(*b)
    if n != m:
        if min(n, m) >= NONE and one_sample(rule, *a) == math.inf:
            return  # no finite batch passes: how a mean of zero is rounded decides between inf and a cap
        away_from_edge(rule, *a, n, m)
        raise Failure(f"{words}: {n:g} becomes {m:g}")


def leaves_alone(rule: BatchRule, example: RuleExample) -> None:
    given = rule.convert(example.gradients)
    before = as_array(given).copy()
    params = rule.arguments(example.params)
    kept = {k: as_array(v).copy() for k, v in params.items()}
    rule.ask(given, params)
    need(np.array_equal(as_array(given), before), "changes the gradients that it is given")
    need(all(np.array_equal(as_array(v), kept[k]) for k, v in params.items()), "changes its parameters")
