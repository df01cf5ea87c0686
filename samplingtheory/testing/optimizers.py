"""Checks of optimizers: `factory(x0, **hyper)` returns an object whose `step(gradient)` returns the next point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .diagnosis import verdict
from .engine import EXAMPLES, NAMED, Check, Deferred, Failure, Report, deferred, need, run_checks
from .guard import as_points, guarded, seedless
from .recursions import HYPER, OPTIMIZERS, constant_moves, impulse_moves, soft, trajectory
from .rule_checks import turned
from .strategies import rationals

NORMED = ("sgd", "momentum", "adagrad-norm")  # invariant to every rotation
STILL = ("adamw", "proximal-gradient")  # the step depends on the point
ADAPTIVE = ("adagrad-norm", "adagrad", "rmsprop", "adam", "adam-theory", "adamw")


@dataclass(frozen=True)
class Optimizer:
    """A factory under test. tolerance: relative, 1e-9 for float64 (1e-4 for float32); v0 need not be given where
    the recursion has none."""

    factory: Any
    kind: str = "sgd"
    tolerance: float = 1e-9
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in OPTIMIZERS:
            raise ValueError(f"kind is {self.kind!r}; use one of {', '.join(OPTIMIZERS)}")
        object.__setattr__(self, "name", self.name or getattr(self.factory, "__name__", type(self.factory).__name__))

    def points(self, x0: Any, gradients: Any, hyper: Mapping[str, Any], seed: int = 0) -> np.ndarray:
        """x_0, ..., x_K as (K + 1, d)."""
        start = np.array(x0, dtype=float)
        called = guarded(self._run, start, np.array(gradients, dtype=float), _floats(hyper), seed=seed)
        return np.array([start, *[as_points(p, start.shape, "a point") for p in called]])

    def _run(self, x0: np.ndarray, gradients: np.ndarray, hyper: Mapping[str, float]) -> list[Any]:
        optimizer = self.factory(x0.copy(), **hyper)
        found = []
        for g in gradients:
            x = optimizer.step(g.copy())
            found.append(x.copy() if isinstance(x, np.ndarray) else x)
        return found


def _floats(hyper: Mapping[str, Any]) -> dict[str, float]:
    return {k: float(v) for k, v in hyper.items()}


@dataclass(frozen=True)
class OptimizerExample:
    x0: Sequence[Fraction]
    gradients: Sequence[Sequence[Fraction]]
    hyper: Mapping[str, Fraction]
    change: Mapping[str, Any]


RANGES = {"alpha": st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 4)]), "weight": rationals(1, 8),
          "beta": st.sampled_from([Fraction(1, 2), Fraction(9, 10)]), "v0": st.sampled_from([
              Fraction(1), Fraction(1, 4), Fraction(4)]), "eps": st.sampled_from([Fraction(1, 2), Fraction(1, 16)]),
          "beta1": st.sampled_from([Fraction(1, 2), Fraction(9, 10)]), "beta2": st.sampled_from([
              Fraction(3, 4), Fraction(99, 100)]), "decay": st.sampled_from([Fraction(1, 2), Fraction(1, 10)])}


def examples(steps: tuple[int, int] = (1, 5), dim: tuple[int, int] = (1, 3), change: Any = None) -> Any:
    @st.composite
    def build(draw: Any, o: Optimizer) -> OptimizerExample:
        d, K = draw(st.integers(*dim)), draw(st.integers(*steps))
        hyper = {name: draw(RANGES[name]) for name in HYPER[o.kind]}
        vectors = st.lists(rationals(-8, 8), min_size=d, max_size=d)
        x0, gradients = draw(vectors), [draw(vectors) for _ in range(K)]
        return OptimizerExample(x0, gradients, hyper, draw(change(d)) if change else {})
    return build


def runs(o: Optimizer, e: OptimizerExample) -> None:
    guarded(o._run, np.array(e.x0, dtype=float), np.array(e.gradients, dtype=float), _floats(e.hyper))


def finite_points(o: Optimizer, e: OptimizerExample) -> None:
    o.points(e.x0, e.gradients, e.hyper)


def leaves_alone(o: Optimizer, e: OptimizerExample) -> None:
    x0, g = np.array(e.x0, dtype=float), np.array(e.gradients[0], dtype=float)
    given, gradient = x0.copy(), g.copy()
    guarded(lambda: o.factory(given, **_floats(e.hyper)).step(gradient))
    need(np.array_equal(gradient, g), "changes the gradient that it is given")
    need(np.array_equal(given, x0), "changes the starting point that it is given")


def global_state(o: Optimizer, e: OptimizerExample) -> None:
    seedless(lambda seed: o.points(e.x0, e.gradients, e.hyper, seed))


def agree(o: Optimizer, found: np.ndarray, wanted: Any, words: str) -> None:
    wanted = np.asarray(wanted)
    off = np.abs(found - wanted) > o.tolerance * (1 + np.abs(wanted))
    if off.any():
        k, i = (int(v) for v in np.argwhere(off)[0])
        raise Failure(f"{words}, step {k + 1}: {found[k, i]:.10g}, not {wanted[k, i]:.10g}")


def recursion(o: Optimizer, e: OptimizerExample) -> None:
    x0, gradients = ([float(v) for v in e.x0], [[float(v) for v in g] for g in e.gradients])
    agree(o, o.points(e.x0, e.gradients, e.hyper)[1:], trajectory(o.kind, x0, gradients, _floats(e.hyper)),
          f"the recursion of {o.kind}")


def _closed(o: Optimizer, e: OptimizerExample, moves: Any, gradients: Any, words: str) -> None:
    x, hyper, points = [float(v) for v in e.x0], _floats(e.hyper), []
    shrink, t = 1 - hyper["alpha"] * hyper.get("decay", 0.0), hyper["alpha"] * hyper.get("weight", 0.0)
    for k in range(1, len(gradients) + 1):
        move = moves(o.kind, [float(v) for v in gradients[0]], k, hyper)
        x = [soft(shrink * p - q, t) if t else shrink * p - q for p, q in zip(x, move, strict=True)]
        points.append(x)
    agree(o, o.points(e.x0, gradients, e.hyper)[1:], points, words)


def constant(o: Optimizer, e: OptimizerExample) -> None:
    _closed(o, e, constant_moves, [e.gradients[0]] * 4, "the same gradient at every step")


def impulse(o: Optimizer, e: OptimizerExample) -> None:
    zero = [Fraction(0)] * len(e.x0)
    _closed(o, e, impulse_moves, [e.gradients[0], zero, zero, zero], "one gradient, then zeros")


def coordinates(o: Optimizer, e: OptimizerExample) -> None:
    rotates = o.kind in NORMED
    turn = lambda row: turned(row, e.change, rotates)  # noqa: E731
    points = o.points(e.x0, e.gradients, e.hyper)
    wanted = [[float(v) for v in turn([Fraction(float(v)) for v in p])] for p in points]
    agree(o, o.points(turn(e.x0), [turn(g) for g in e.gradients], e.hyper)[1:], wanted[1:],
          "start and gradients in other coordinates")


def translation(o: Optimizer, e: OptimizerExample) -> None:
    shift = np.array(e.change["shift"], dtype=float)
    points = o.points(e.x0, e.gradients, e.hyper)
    moved = o.points(np.array(e.x0, dtype=float) + shift, e.gradients, e.hyper)
    agree(o, moved[1:], (points + shift)[1:], "start moved by a vector")


def linear(o: Optimizer, e: OptimizerExample) -> None:
    """The first step is proportional to alpha; all of them are where a step does not depend on the point."""
    gradients = e.gradients[:1] if o.kind in STILL else e.gradients
    once = np.diff(o.points(e.x0, gradients, e.hyper), axis=0)
    twice = np.diff(o.points(e.x0, gradients, {**e.hyper, "alpha": 2 * e.hyper["alpha"]}), axis=0)
    agree(o, twice, 2 * once, "twice the step length")


def gradient_scale(o: Optimizer, e: OptimizerExample) -> None:
    """Gradients (and eps, sqrt(v0), weights) times 2^k: an adaptive step is the same, to the bit; others scale."""
    factor = Fraction(2) ** e.change["power"]
    powers = {"eps": factor, "v0": factor * factor, "weight": factor}
    hyper = {k: v * powers.get(k, 1) for k, v in e.hyper.items()}
    gradients = [[factor * v for v in g] for g in e.gradients]
    adaptive = o.kind in ADAPTIVE
    x0 = e.x0 if adaptive else [factor * v for v in e.x0]
    a, b = o.points(e.x0, e.gradients, e.hyper), o.points(x0, gradients, hyper)
    wanted = a if adaptive else a * float(factor)
    if not np.array_equal(b, wanted):
        far = float(np.abs(b - wanted).max() / (np.abs(wanted).max() or 1))
        raise Failure(f"gradients times 2^{e.change['power']}: points differ by {far:.3g} (relative); equality to the "
                      "bit is asked for")


def _turn(d: int) -> Any:
    return st.fixed_dictionaries({"order": st.permutations(range(d)), "signs": st.lists(
        st.sampled_from([1, -1]), min_size=d, max_size=d)})


def _not_still(o: Optimizer) -> str:
    return "its steps depend on the point" if o.kind in STILL else ""


OPTIMIZER_CHECKS: tuple[Check, ...] = (
    Check("runs", "raises nothing", runs, examples(), implied=NAMED),
    Check("returns-points", "points are finite arrays of the shape of x0", finite_points, examples(), implied=NAMED),
    Check("leaves-input-alone", "x0 and gradients are not changed", leaves_alone, examples()),
    Check("ignores-global-random-state", "one input, one answer", global_state, examples(), share=0.5),
    Check("recursion", "the recursion, step by step", recursion, examples(), free=False),
    Check("constant-gradient", "closed form under the same gradient at every step", constant, examples((1, 1))),
    Check("impulse", "closed form under one gradient and then zeros", impulse, examples((1, 1))),
    Check("coordinates", "the same path in other coordinates", coordinates, examples(dim=(1, 4), change=_turn)),
    Check("translation", "the same steps from another start", translation, examples(
        change=lambda d: st.fixed_dictionaries({"shift": st.lists(rationals(), min_size=d, max_size=d)})),
        applies=_not_still),
    Check("step-linear", "twice the step length, twice the step", linear, examples(),
          applies=lambda o: "a prox is not linear" if o.kind == "proximal-gradient" else ""),
    Check("gradient-scale", "gradients times 2^k: the same or 2^k times the path, to the bit", gradient_scale, examples(
        change=lambda d: st.fixed_dictionaries({"power": st.integers(-12, 12).filter(bool)}))),
)


def optimizer(factory: Any, **flags: Any) -> Optimizer:
    if isinstance(factory, Optimizer):
        return factory
    return Optimizer(factory, **{**getattr(factory, "conformance", {}), **flags})


def check_optimizer(factory: Any, *, expected_failures: Mapping[str, str] | None = None, examples: int = EXAMPLES,
                    seed: int | None = None, **flags: Any) -> Report:
    """Every check on `factory(x0, **hyper).step(gradient) -> x`. flags: kind, tolerance, name.

    The hyper-parameters of each kind are those of `recursions.HYPER`; the report names the known variant.
    """
    return run_checks(optimizer(factory, **flags), OPTIMIZER_CHECKS, expected=expected_failures, examples=examples,
                      seed=seed, diagnose=diagnose)


def optimizer_checks(factory: Any, *, expected_failures: Mapping[str, str] | None = None, examples: int = EXAMPLES,
                     seed: int | None = None, **flags: Any) -> list[Deferred]:
    """The same checks one by one, for pytest."""
    return deferred(optimizer(factory, **flags), OPTIMIZER_CHECKS, expected_failures, examples, seed)


def diagnose(o: Optimizer) -> str:
    """The known variants that the optimizer equals on fixed random paths of 12 steps."""
    from .mistakes.optimizers import known_mistakes

    rng, middle = np.random.default_rng(0), {
        "alpha": 0.1, "weight": 0.3, "beta": 0.8, "beta1": 0.8, "beta2": 0.95, "eps": 0.02, "v0": 0.5, "decay": 0.2}
    hyper = {name: middle[name] for name in HYPER[o.kind]}
    paths = [(rng.standard_normal(3), rng.standard_normal((12, 3))) for _ in range(6)]

    def walk(factory: Any) -> np.ndarray | None:
        try:
            return np.array([Optimizer(factory, o.kind).points(x0, g, hyper) for x0, g in paths])
        except Failure:
            return None

    def same(other: np.ndarray | None) -> bool:
        return ours is not None and other is not None and bool((np.abs(ours - other) <= o.tolerance * (
            1 + np.abs(other))).all())

    ours = walk(o.factory)
    right = np.array([[x0, *trajectory(o.kind, x0.tolist(), g.tolist(), hyper)] for x0, g in paths])
    known = known_mistakes(o.kind)
    return verdict([m for m in known if same(walk(m.build))], len(known), same(right), f"{len(paths)} of {len(paths)} "
                   "paths")
