"""Dual certificates in exact arithmetic: a bound for the whole class that rests on no solver's tolerance.

For every G >= 0 and F that satisfy the constraints <A_k, G> + b_k F <= c_k and every multiplier vector w >= 0 with
sum w_k b_k = b_0 and S = sum w_k A_k - A_0 positive semidefinite, the measure is at most sum w_k c_k. Multipliers come
from the solver, are rounded to rationals, and all three conditions are then checked in Fractions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .gram import Form, Model
from .solve import WorstCase, matrices

Matrix = list[list[Fraction]]


@dataclass(frozen=True)
class Certificate:
    """bound: exact rational upper bound of the worst case; multipliers by constraint name; words: what may be said."""

    bound: Fraction
    multipliers: dict[str, Fraction]
    exact: bool
    words: str


def _rational(value: Any) -> Fraction:
    return value if isinstance(value, Fraction) else Fraction(value)


def _dense(form: Form, r: int) -> Matrix:
    M = [[Fraction(0)] * r for _ in range(r)]
    for (i, j), c in form.gram.items():
        M[i][j] += _rational(c) / 2
        M[j][i] += _rational(c) / 2
    return M


def semidefinite(S: Matrix) -> bool:
    """Whether a symmetric rational matrix is positive semidefinite, by exact elimination."""
    S = [row[:] for row in S]
    n = len(S)
    for k in range(n):
        if S[k][k] < 0 or (S[k][k] == 0 and any(S[k][j] for j in range(k + 1, n))):
            return False
        if S[k][k] == 0:
            continue
        for i in range(k + 1, n):
            if S[i][k]:
                factor = S[i][k] / S[k][k]
                for j in range(i, n):
                    S[i][j] -= factor * S[k][j]
                    S[j][i] = S[i][j]
    return True


def check_multipliers(model: Model, multipliers: dict[str, Fraction]) -> Fraction:
    """The exact bound that multipliers (by constraint name; 0 elsewhere) prove. ValueError says what fails."""
    total = -model.objective
    for name, form in model.constraints:
        w = _rational(multipliers.get(name, 0))
        if w < 0:
            raise ValueError(f"multiplier of {name!r} is {float(w):.3g}, below 0")
        if w:
            total = total + form * w
    left = {model.values[k]: c for k, c in total.values.items() if c != 0}
    if left:
        raise ValueError(f"the function values do not cancel: {', '.join(left)}")
    if not semidefinite(_dense(total, len(model.vectors))):
        raise ValueError("the weighted sum of inequalities is not positive semidefinite")
    return -_rational(total.constant)


def certify(model: Model, found: WorstCase, slacks: tuple[float, ...] = (1e-10, 1e-9, 1e-8, 1e-7),
            digits: int = 14) -> Certificate:
    """A rational certificate near the solver's dual: the bound is at most about `slack` trace(G) above the value.

    The dual is solved again with S >= slack I, so that rounding keeps S semidefinite (the smallest slack that works is
    taken); the rounded multipliers are then moved so that the function values cancel exactly. `model` must hold
    Fractions. Where this fails the words say `numerical`, with the gap.
    """
    reason: Exception = ValueError("no slack given")
    for slack in slacks:
        try:
            w = _interior(found, slack)
            exact = _balance(model, [Fraction(round(float(v) * 10**digits), 10**digits) for v in w])
            names = [name for name, _ in model.constraints]
            multipliers = {n: v for n, v in zip(names, exact, strict=True) if v}
            bound = check_multipliers(model, multipliers)
        except (ValueError, ArithmeticError) as failure:
            reason = failure
            continue
        return Certificate(bound, multipliers, True, f"certified in rational arithmetic: at most {float(bound):.10g}")
    return Certificate(Fraction(found.dual), {}, False, f"numerical, gap {found.gap:.1e} ({reason})")


def _interior(found: WorstCase, slack: float) -> Any:
    """Dual multipliers with S >= slack I on the basis vectors that matter; first with the active constraints only."""
    import cvxpy as cp

    A, B, c, A0, B0, _ = matrices(found.model)
    r = len(found.model.vectors)
    scale = max(float(found.multipliers.max()), 1e-300)
    for least in (1e-5 * scale, 1e-7 * scale, -1.0):
        active = np.flatnonzero(found.multipliers > least)
        rows = abs(A[active]).sum(axis=0) + abs(A0).sum(axis=0)
        used = np.flatnonzero(np.asarray(rows).reshape(r, r).sum(axis=0) > 0)
        w = cp.Variable(len(active), nonneg=True)
        S = cp.reshape(A[active].T @ w - A0.toarray()[0], (r, r), order="C")[used][:, used]
        problem = cp.Problem(cp.Minimize(c[active] @ w), [B[active].T @ w == B0.toarray()[0],
                                                          (S + S.T) / 2 >> slack * np.eye(len(used))])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # whatever comes back is checked exactly
                problem.solve(solver="CLARABEL")
        except cp.SolverError:
            continue
        if problem.status in ("optimal", "optimal_inaccurate") and w.value is not None:
            out = np.zeros(A.shape[0])
            out[active] = np.maximum(w.value, 0)
            return out
    raise ArithmeticError("no strictly feasible dual")


def _balance(model: Model, w: list[Fraction]) -> list[Fraction]:
    """w moved so that the function values cancel exactly, changing the largest multipliers that can absorb it."""
    m = len(model.values)
    forms = [form for _, form in model.constraints]
    order = sorted(range(len(w)), key=lambda k: -w[k])
    rows = [[_rational(forms[k].values.get(v, 0)) for k in order] for v in range(m)]
    rest = [_rational(model.objective.values.get(v, 0)) - sum(rows[v][i] * w[k] for i, k in enumerate(order))
            for v in range(m)]
    table = [[*row, b] for row, b in zip(rows, rest, strict=True)]
    pivots, done = [], 0
    for column in range(len(order)):
        pivot = next((i for i in range(done, m) if table[i][column]), None)
        if pivot is None:
            continue
        table[done], table[pivot] = table[pivot], table[done]
        table[done] = [v / table[done][column] for v in table[done]]
        for i in range(m):
            if i != done and table[i][column]:
                f = table[i][column]
                table[i] = [a - f * b for a, b in zip(table[i], table[done], strict=True)]
        pivots.append((done, column))
        done += 1
        if done == m:
            break
    if any(table[i][-1] for i in range(done, m)):
        raise ValueError("the function values cannot be balanced")
    out = list(w)
    for row, column in pivots:
        out[order[column]] += table[row][-1]
    return out
