"""Exact expectations: enumerated paths, second-moment recursions, binomial mixtures, values at points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..moments import Array
from ..problems.base import EVERY, Batch
from ..problems.quadratic import GaussianQuadratic, Quadratic
from ..run import POINTS, STEPS, Step, Trace, View, run
from ..sizing import Ahead, Fixed, Geometric
from .base import ROUNDING, Evidence, Quantity, exact_evidence, extremes, namespace, path_series, point_series


def rounding(case: Any, gaps: Array) -> float:
    """Relative error of a ratio of gaps: rounding, and what the numerical minimiser adds."""
    smallest = np.min(np.asarray(gaps, dtype=float)[np.asarray(gaps) > 0], initial=math.inf)
    return ROUNDING + 2 * math.sqrt(case.problem.gap_error / smallest) if math.isfinite(smallest) else ROUNDING


def recorded(quantity: Quantity, watch: tuple[str, ...]) -> dict[str, Any]:
    """Columns to record: names, or a quantity's own (name, function of the step)."""
    own: dict[str, Any] = dict(c if isinstance(c, tuple) else (c, c) for c in quantity.columns)
    return {name: name for name in watch} | own


def follow_case(case: Any, steps: int, record: Any, **how: Any) -> Trace:
    return run(case.problem, case.method, case.sizing, case.x0, steps, record=record, **how)


def conditional(quantity: Quantity, trace: Trace, k: int, symbols: Any) -> tuple[Array, Array]:
    """Both sides of a step claim at every node of row k, given that node."""
    now = {n: rows[k] for n, rows in trace.points.items()}
    then = {n: trace.given(n, k) for n in (*trace.points, *trace.steps)}
    return quantity.sides(symbols, namespace(now), namespace(then))


@dataclass(frozen=True)
class Enumerate:
    """Every batch, `depth` steps deep, from every starting point: all conditional or full expectations."""

    depth: int = 1

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        trace = follow_case(case, self.depth, recorded(quantity, watch), rng=EVERY)
        seen = extremes({n: np.concatenate([np.asarray(r, dtype=float).ravel() for r in trace.steps[n]])
                         for n in watch if n in trace.steps})
        if kind in ("step", "probability"):
            pairs = [conditional(quantity, trace, k, case.symbols) for k in range(self.depth)]
            labels = [(k, i) for k, (m, _) in enumerate(pairs) for i in range(len(m))]
            where = lambda i: f"k = {labels[i][0]}, node {labels[i][1]} of {len(pairs[labels[i][0]][0])}"  # noqa: E731
            measured, bound = (np.concatenate([np.asarray(p[j]) for p in pairs]) for j in (0, 1))
        else:
            path = {n: trace.means(n) for n in (*trace.points, *trace.steps)}
            measured, bound = quantity.sides(case.symbols, namespace(path))
            starts = measured.shape[-1]
            where = lambda i: f"k = {i // starts + 1}, start {i % starts}"  # noqa: E731
        ratio = quantity.ratio(measured, bound)
        gaps = np.concatenate([np.ravel(r) for r in trace.points["gap"]]) if "gap" in trace.points else np.ones(1)
        series = point_series(ratio) if ratio.ndim == 1 else path_series(measured, bound, ratio)
        nodes = sum(len(w) for w in trace.weight)
        return exact_evidence(ratio, where, rounding(case, gaps), seen=seen, series=series, runs=nodes)


@dataclass(frozen=True)
class AtPoints:
    """Both sides as functions of the exact law at every row of x0, and along `steps` exact-test steps."""

    steps: int = 0

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        pairs: list[tuple[Array, Array]] = []
        seen: dict[str, float] = {}
        view = View(case.problem, case.method, case.method.init(np.atleast_2d(case.x0)), rng)
        chosen = case.sizing.init(len(view.state.x))
        for k in range(self.steps + 1):
            pairs.append(quantity.sides(case.symbols, view))
            if k < self.steps or watch:
                batch, chosen = case.sizing.batch(chosen, view)
                step = Step(k, view, batch, view.after(batch))
                seen = _larger(seen, extremes({n: STEPS[n](step) for n in watch if n in STEPS}))
                view = View(case.problem, case.method, step.after, rng)
        measured, bound = (np.concatenate([np.ravel(np.broadcast_arrays(*p)[j]) for p in pairs]) for j in (0, 1))
        ratio = quantity.ratio(measured, bound)
        R = len(pairs[0][0])
        return exact_evidence(ratio, lambda i: f"step {i // R}, point {i % R}", 1e-12, seen=seen,
                              series=point_series(ratio), runs=len(ratio))


def _larger(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    return {n: max(a.get(n, -math.inf), b.get(n, -math.inf)) for n in {*a, *b}}


# ---------------------------------------------------------------- second moments of quadratics


@dataclass(frozen=True)
class Noise:
    """E[e e'] of the batch mean as an affine function of W = E[G G'] and its constant part; `rel_*` are the
    values that the norm and the inner product test bound."""

    second: Any
    adjoint: Any
    rel_total: float
    rel_along: float
    constant: Any = 0.0


def _proportional(factor: float, cov: Array) -> Noise:
    """E[e e'] = factor tr(W) cov / tr(cov): a norm test that real n meets with equality."""
    unit = cov / np.trace(cov)
    along = factor * float(np.linalg.eigvalsh(unit).max())
    return Noise(lambda W: factor * np.trace(W) * unit,
                 lambda S: factor * np.trace(S @ unit) * np.eye(len(unit)), factor, along)


def noise_of(problem: Any, sizing: Any, k: int) -> Noise:
    """The noise of batch k, where its second moment closes; a ValueError says when it does not."""
    if hasattr(problem, "base") and isinstance(sizing, (Fixed, Geometric)):
        law, n = problem.noise, sizing.n if isinstance(sizing, Fixed) else sizing.at(k)
        along = getattr(law, "along", law.growth - 1)
        return Noise(lambda W: law.second(W) / n, lambda S: law.adjoint(S) / n, (law.growth - 1) / n, along / n,
                     law.constant / n)
    if isinstance(problem, GaussianQuadratic):
        cov = problem.noise * np.eye(problem.dim) if problem.noise.ndim == 0 else problem.noise
        cov = np.diag(cov) if cov.ndim == 1 else cov
        if isinstance(sizing, (Fixed, Geometric)):
            n = sizing.n if isinstance(sizing, Fixed) else sizing.at(k)
            return Noise(lambda W: cov / n, lambda S: np.zeros_like(cov), math.inf, math.inf, cov / n)
        if isinstance(sizing, Ahead) and not sizing.integer:
            test, d = sizing.criterion, problem.dim
            if hasattr(test, "eps"):
                return _proportional(test.eps**2, cov)
            if problem.noise.ndim == 0 and hasattr(test, "theta"):
                across = test.nu**2 / (d - 1) if hasattr(test, "nu") and d > 1 else math.inf
                return _proportional(d * min(test.theta**2, across), cov)
    raise ValueError(
        "the second moment of this noise does not close; use an oracle with Fixed, or Gaussian noise with "
        "Ahead(NormTest(eps), integer=False) (isotropic for inner product tests), or another evidence"
    )


def _matrix(H: Array) -> Array:
    return np.diag(H) if H.ndim == 1 else H


@dataclass(frozen=True)
class Recursion:
    """C_{k+1} = A C A + alpha^2 N(H C H), C = E[z z'], A = I - alpha H: E gap, dist2, grad2 for k = 0..steps.

    everywhere=True takes the supremum over all starting points by the adjoint: columns gap and dist2 then hold
    the largest factor by which each can have grown, per unit of its start.
    """

    steps: int = 100
    everywhere: bool = False

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        base = getattr(case.problem, "base", case.problem)
        if not isinstance(base, Quadratic):
            raise ValueError(f"the recursion needs a quadratic; this case has {type(base).__name__}")
        path = self._suprema(case, base) if self.everywhere else self._means(case, base)
        noise = noise_of(case.problem, case.sizing, 0)
        measured, bound = quantity.sides(case.symbols, namespace({n: v[:, None] for n, v in path.items()}))
        ratio = quantity.ratio(measured, bound)
        seen = {"rel_total": noise.rel_total, "rel_along": noise.rel_along}
        return exact_evidence(ratio, lambda i: f"k = {i + 1}", ROUNDING, seen=seen,
                              series=path_series(measured, bound, ratio))

    def _means(self, case: Any, base: Quadratic) -> dict[str, Array]:
        H, a = _matrix(base.hessian), float(case.method.alpha)
        z = base.displacement(np.asarray(case.x0, dtype=float))
        C, rows = np.outer(z, z), []
        A = np.eye(len(H)) - a * H
        for k in range(self.steps + 1):
            W = H @ C @ H
            rows.append((np.trace(H @ C) / 2, np.trace(C), np.trace(W)))
            noise = noise_of(case.problem, case.sizing, k)
            C = A @ C @ A + a * a * noise.second(W)
        return dict(zip(("gap", "dist2", "grad2"), np.array(rows).T, strict=True))

    def _suprema(self, case: Any, base: Quadratic) -> dict[str, Array]:
        H, a = _matrix(base.hessian), float(case.method.alpha)
        A = np.eye(len(H)) - a * H
        values, vectors = np.linalg.eigh(H)
        root = vectors / np.sqrt(values) @ vectors.T
        gap, dist = [1.0], [1.0]
        Q, P = H / 2, np.eye(len(H))
        for k in range(self.steps):
            noise = noise_of(case.problem, case.sizing, k)
            if np.any(noise.constant):
                raise ValueError("additive noise has no supremum over starts; use Recursion(everywhere=False)")
            Q = A @ Q @ A + a * a * H @ noise.adjoint(Q) @ H
            P = A @ P @ A + a * a * H @ noise.adjoint(P) @ H
            gap.append(float(np.linalg.eigvalsh(2 * root @ Q @ root)[-1]))
            dist.append(float(np.linalg.eigvalsh(P)[-1]))
        return {"gap": np.array(gap), "dist2": np.array(dist)}


# ---------------------------------------------------------------- the lazy gradient


@dataclass(frozen=True)
class Mixture:
    """Lazy gradient g = M B G, B ~ Bernoulli(1/M): after k steps, Binomial(k, 1/M) steps of size alpha M.

    E[column_k] = sum_j P(Bin(k, 1/M) = j) column(y_j), y_j deterministic: exact for any objective.
    """

    steps: int = 100

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        noise: Any = getattr(case.problem, "noise", None)
        if type(noise).__name__ != "Lazy" or not isinstance(case.sizing, Fixed) or case.sizing.n != 1:
            raise ValueError("the mixture needs Oracle(base, Lazy(M)) and Fixed(1)")
        path = self._means(case, tuple(c for c in quantity.columns if isinstance(c, str)))
        measured, bound = quantity.sides(case.symbols, namespace({n: v[:, None] for n, v in path.items()}))
        ratio = quantity.ratio(measured, bound)
        gaps = path.get("gap", np.ones(1))
        return exact_evidence(ratio, lambda i: f"k = {i + 1}", rounding(case, gaps),
                              series=path_series(measured, bound, ratio),
                              seen={"rel_total": noise.growth - 1, "rel_along": noise.growth - 1})

    def _means(self, case: Any, columns: tuple[str, ...]) -> dict[str, Array]:
        from scipy.stats import binom

        M, base = case.problem.noise.growth, case.problem.base
        state = case.method.init(np.atleast_2d(np.asarray(case.x0, dtype=float)))
        rows: dict[str, list[float]] = {n: [] for n in columns}
        for _ in range(self.steps + 1):
            for n in columns:
                rows[n].append(float(POINTS[n](base, state)[0]))
            lone = Batch(_Mean(M * base.gradient(state.x)), np.ones(1))
            state = case.method.step(state, lone)
        values = np.array([rows[n] for n in columns])
        out = np.empty_like(values)
        for k in range(self.steps + 1):  # one row of the binomial table at a time keeps memory linear
            out[:, k] = values[:, : k + 1] @ binom.pmf(np.arange(k + 1), k, 1 / M)
        return dict(zip(columns, out, strict=True))


@dataclass(frozen=True)
class _Mean:
    mean: Array


# ---------------------------------------------------------------- every path


@dataclass(frozen=True)
class Pathwise:
    """The statement on each of `runs` simulated paths: one violation refutes, silence confirms these paths only."""

    steps: int
    runs: int = 1

    def collect(self, kind: str, quantity: Quantity, watch: tuple[str, ...], case: Any,
                rng: Any, effort: int) -> Evidence:
        trace = follow_case(case, self.steps, recorded(quantity, watch), replicates=self.runs, rng=rng)
        path = {n: trace[n] for n in (*trace.points, *trace.steps)}
        measured, bound = quantity.sides(case.symbols, namespace(path))
        ratio = quantity.ratio(measured, bound)
        seen = extremes({n: path[n] for n in watch if n in path})
        where = lambda i: f"k = {i // ratio.shape[1] + 1}, run {i % ratio.shape[1]}"  # noqa: E731
        gaps = path.get("gap", np.ones(1))
        return exact_evidence(ratio, where, rounding(case, gaps), seen=seen,
                              series=path_series(measured, bound, ratio), runs=self.runs)


__all__ = ["AtPoints", "Enumerate", "Mixture", "Noise", "Pathwise", "Recursion", "noise_of"]
