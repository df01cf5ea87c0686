"""Solving the programme: primal and dual values, the worst function, and its re-simulation.

Clarabel is given the dual in conic form, min c'w over w >= 0 with B'w = b_0 and sum w_k A_k - A_0 semidefinite: few
rows, no modelling layer; G and F are the multipliers of its constraints. Other solvers are reached through cvxpy.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csc_matrix, csr_array, vstack

from ...moments import Array
from .gram import Form, Model, Vector

Data = tuple[csr_array, csr_array, Array, csr_array, csr_array, float]


@dataclass(frozen=True)
class WorstCase:
    """max of the measure over the class: primal <= exact value <= dual (up to the solver's tolerance).

    gap     |dual - primal|, part of the result      status       of the solver
    gram, values  the worst function's Gram matrix and function values      multipliers  one a constraint
    residual  largest violated constraint when the worst function is put back in, relative
    """

    primal: float
    dual: float
    gap: float
    status: str
    gram: Array
    values: Array
    multipliers: Array
    residual: float
    build: Callable[[], Model]

    @cached_property
    def model(self) -> Model:
        return self.build()

    def points(self) -> Array:
        """Coordinates (r, k) of the basis vectors of the worst function: rows whose Gram matrix is `gram`."""
        w, V = np.linalg.eigh(self.gram)
        keep = w > 1e-9 * max(w.max(), 1e-300)
        return V[:, keep] * np.sqrt(w[keep])

    def evaluate(self, form: Form, P: Array | None = None) -> float:
        """A form at the worst function, from coordinates (not from the Gram matrix)."""
        P = self.points() if P is None else P
        total = float(form.constant) + sum(float(c) * self.values[k] for k, c in form.values.items())
        return total + sum(float(c) * float(P[i] @ P[j]) for (i, j), c in form.gram.items())

    def place(self, vector: Vector) -> Array:
        """Coordinates of a symbolic vector at the worst function."""
        P = self.points()
        return sum((float(c) * P[i] for i, c in vector.parts.items()), np.zeros(P.shape[1]))


def matrices(model: Model) -> Data:
    """(A, B, c, A0, B0, c0): constraints A vec(G) + B F <= c, measure <A0, vec G> + B0 F + c0."""
    forms = [form for _, form in model.constraints] + [model.objective]
    r, m = len(model.vectors), len(model.values)
    rows, columns, entries, vrows, vcolumns, ventries = [], [], [], [], [], []
    for k, form in enumerate(forms):
        for (i, j), c in form.gram.items():
            half = float(c) / 2
            rows += [k, k]
            columns += [i * r + j, j * r + i]
            entries += [half, half]
        for v, c in form.values.items():
            vrows.append(k)
            vcolumns.append(v)
            ventries.append(float(c))
    A = csr_array(coo_array((entries, (rows, columns)), shape=(len(forms), r * r)))
    B = csr_array(coo_array((ventries, (vrows, vcolumns)), shape=(len(forms), max(m, 1))))
    c = -np.array([float(form.constant) for form in forms])
    return A[:-1], B[:-1], c[:-1], A[[-1]], B[[-1]], -float(c[-1])


def _result(build: Callable[[], Model], left: Callable[[Array], Array], data: Data, r: int, g: Any, F: Any,
            multipliers: Any, status: str) -> WorstCase:
    """The result at svec(G) = g; left(g) is the vector of <A0, G>, <A_1, G>, ..."""
    if g is None or not all(np.isfinite(v).all() for v in (g, F, multipliers)):
        raise ArithmeticError(f"inconclusive (solver): status {status}; the class may be unbounded for this method, or "
                              "the programme badly scaled")
    _, B, c, _, B0, c0 = data
    w, values, products = np.maximum(multipliers, 0), np.ravel(F), left(g)
    primal, dual = float(products[0] + (B0 @ values)[0]) + c0, float(w @ c) + c0
    excess = products[1:] + B @ values - c
    gram = (_triangle(r) @ g).reshape(r, r)
    return WorstCase(primal, dual, abs(dual - primal), status, gram, values, w,
                     float(max(excess.max(initial=0), 0) / (1 + np.abs(gram).max())), build)


# ---------------------------------------------------------------- Clarabel, directly

STATUS = {"Solved": "optimal", "AlmostSolved": "optimal_inaccurate", "PrimalInfeasible": "unbounded",
          "AlmostPrimalInfeasible": "unbounded_inaccurate", "DualInfeasible": "infeasible",
          "AlmostDualInfeasible": "infeasible_inaccurate"}  # of the programme that is maximised


@lru_cache(maxsize=16)
def _triangle(r: int) -> csr_array:
    """T with vec(G) = T svec(G): the upper triangle by columns, off-diagonals times sqrt(2), an isometry."""
    j, i = np.tril_indices(r)
    k, off = np.arange(len(i)), i != j
    entries = np.where(off, math.sqrt(0.5), 1.0)
    return csr_array((np.r_[entries, entries[off]], (np.r_[i * r + j, (j * r + i)[off]], np.r_[k, k[off]])),
                     shape=(r * r, len(i)))


class _Conic:
    """b - M w in {0}^m x R_+^n x semidefinite, assembled once for a pattern of (A, A0) in svec coordinates.

    `rows`, `columns`: where A0 (row 0) and A (rows 1..n) may be non-zero, in any order.
    """

    def __init__(self, B: csr_array, B0: csr_array, c: Array, rows: Array, columns: Array, r: int) -> None:
        (n, m), fixed = B.shape, B.tocoo()
        self.r, self.m, self.n, self.c, self.aims = r, m, n, c, rows == 0
        self.rows, self.columns = rows, columns
        self.b = np.r_[B0.toarray()[0], np.zeros(n + r * (r + 1) // 2)]
        down = np.r_[fixed.col, m + np.arange(n), m + n + columns[~self.aims]]
        across = np.r_[fixed.row, np.arange(n), rows[~self.aims] - 1]
        self.order = np.lexsort((down, across))
        self.indices, self.fixed = down[self.order], np.r_[fixed.data, np.full(n, -1.0)]
        self.starts = np.r_[0, np.cumsum(np.bincount(across, minlength=n))]

    def solve(self, entries: Array) -> tuple[Any, Any, Any, str]:
        """(svec G, F, multipliers, status) for these entries; None where there is no finite answer."""
        import clarabel

        data = np.r_[self.fixed, -entries[~self.aims]][self.order]
        M = csc_matrix((data, self.indices, self.starts), shape=(len(self.b), self.n))
        b = self.b.copy()
        b[self.m + self.n + self.columns[self.aims]] = -entries[self.aims]
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        cones = [clarabel.ZeroConeT(self.m), clarabel.NonnegativeConeT(self.n), clarabel.PSDTriangleConeT(self.r)]
        found = clarabel.DefaultSolver(_nothing(self.n), self.c, M, b, cones, settings).solve()
        status = STATUS.get(str(found.status), str(found.status))
        if not status.startswith("optimal"):
            return None, None, None, status
        z = np.asarray(found.z)
        return z[self.m + self.n:], -z[:self.m], np.asarray(found.x), status


@lru_cache(maxsize=4)
def _nothing(n: int) -> csc_matrix:
    return csc_matrix((n, n))


def _entries(A: csr_array, A0: csr_array, r: int) -> tuple[Array, Array]:
    """Keys (row times the size of svec, plus column) and values of (A0, A) in svec coordinates, keys in order."""
    S = coo_array(vstack([A0, A], format="csr") @ _triangle(r))
    keys = S.row.astype(np.int64) * S.shape[1] + S.col
    order = np.argsort(keys)
    return keys[order], S.data[order]


# ---------------------------------------------------------------- other solvers, by cvxpy


def _cvxpy(data: Data, r: int, solver: str) -> tuple[Any, Any, Any, str]:
    import cvxpy as cp

    A, B, c, A0, B0, _ = data
    G, F = cp.Variable((r, r), PSD=True), cp.Variable(B.shape[1])
    g = cp.vec(G, order="C")
    constraint = A @ g + B @ F <= c
    problem = cp.Problem(cp.Maximize(cp.sum(A0 @ g + B0 @ F)), [constraint])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 'may be inaccurate' is part of the status that is returned
            problem.solve(solver=solver)
    except cp.SolverError as error:
        if "not installed" in str(error):
            raise ValueError(str(error)) from error
        return None, None, None, str(error).splitlines()[0]
    if G.value is None or constraint.dual_value is None:
        return None, None, None, str(problem.status)
    return _triangle(r).T @ G.value.ravel(), F.value, np.ravel(constraint.dual_value), str(problem.status)


# ---------------------------------------------------------------- what is called


def solve(model: Model, solver: str = "CLARABEL") -> WorstCase:
    """The exact worst case of a model. ArithmeticError 'inconclusive (solver)' when there is no finite answer.

    "CLARABEL" takes the direct way; any other name is a solver of cvxpy.
    """
    data, r = matrices(model), len(model.vectors)
    A, B, c, A0, B0, _ = data
    keys, entries = _entries(A, A0, r)
    rows, columns = np.divmod(keys, r * (r + 1) // 2)
    if solver == "CLARABEL":
        found = _Conic(B, B0, c, rows, columns, r).solve(entries)
    else:
        found = _cvxpy(data, r, solver)
    return _result(lambda: model, _products(rows, columns, entries, len(c)), data, r, *found)


def _products(rows: Array, columns: Array, entries: Array, n: int) -> Callable[[Array], Array]:
    return lambda g: np.bincount(rows, entries * g[columns], minlength=n + 1)


NODES = (0.25, 0.5, 1.0)  # three builds give a quadratic, the fourth checks it
CHECK = 0.75


def sweep(build: Callable[[float], Model], parameters: Iterable[float], solver: str = "CLARABEL") -> list[WorstCase]:
    """`solve(build(a))` for many a, from four builds.

    Every coefficient of a product of vectors must be a polynomial of degree at most 2 in a (steps of first-order
    methods are), function values and constants must not depend on it. ValueError if they do.
    """
    parameters = [float(a) for a in parameters]
    if not parameters or solver != "CLARABEL":
        return [solve(build(a), solver) for a in parameters]
    scale = max(map(abs, parameters)) or 1.0
    first = build(scale * CHECK)
    r, data = len(first.vectors), matrices(first)
    A, B, c, A0, B0, c0 = data
    nodes = [matrices(build(scale * t)) for t in NODES]
    if any(n[0].shape != A.shape or abs(n[1] - B).max() > 0 or np.abs(n[2] - c).max(initial=0) > 0
           or abs(n[4] - B0).max() > 0 or n[5] != c0 for n in nodes):
        raise ValueError("function values or constants depend on the parameter; solve each value on its own")
    pairs = [_entries(A, A0, r)] + [_entries(n[0], n[3], r) for n in nodes]
    keys = np.unique(np.concatenate([k for k, _ in pairs]))
    table = np.zeros((len(pairs), len(keys)))
    for row, (k, v) in zip(table, pairs, strict=True):
        row[np.searchsorted(keys, k)] = v
    pieces = np.linalg.solve(np.vander(NODES, 3, increasing=True), table[1:])
    if np.abs(np.array([1, CHECK, CHECK**2]) @ pieces - table[0]).max() > 1e-9 * (1 + np.abs(table[0]).max()):
        raise ValueError("the model is not quadratic in the parameter; solve each value on its own")
    rows, columns = np.divmod(keys, r * (r + 1) // 2)
    conic, results = _Conic(B, B0, c, rows, columns, r), []
    for a in parameters:
        t = a / scale
        entries = pieces[0] + t * (pieces[1] + t * pieces[2])
        results.append(_result(partial(build, a), _products(rows, columns, entries, len(c)), data, r,
                               *conic.solve(entries)))
    return results
