"""phi* once more, by cvxpy: an independent check of a composite problem's minimiser, never on the hot path."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..moments import Array
from .prox import L1, Ball, Box, ElasticNet, L1Ball, Nothing, Nuclear, Regulariser, Simplex
from .quadratic import Quadratic
from .regression import LeastSquares, LogisticRegression


def cross_check(problem: Any) -> float:
    """phi at cvxpy's minimiser less phi at ours, by cvxpy's own formulas: about its accuracy, 1e-9 to 1e-7 of phi.

    Clearly below 0 would refute our minimiser. Slow; smooth parts: quadratics, least squares, logistic regression.
    """
    import cvxpy

    x = cvxpy.Variable(problem.dim)
    penalty, constraints = expression(problem.h, x)
    objective = cvxpy.Minimize(_expression(problem.smooth, x) + penalty)
    theirs = cvxpy.Problem(objective, constraints).solve(solver=cvxpy.CLARABEL)
    x.value = np.asarray(problem.constants.minimiser, dtype=float)
    return float(theirs) - float(objective.value)


def _expression(smooth: Any, x: Any) -> Any:
    """f as a cvxpy expression, up to a constant."""
    import cvxpy

    if hasattr(smooth, "base"):
        return _expression(smooth.base, x)
    if isinstance(smooth, Quadratic):
        H, centre = smooth.hessian.astype(float), np.asarray(smooth.constants.minimiser, dtype=float)
        z = x - centre
        return cvxpy.quad_form(z, cvxpy.psd_wrap(np.diag(H) if H.ndim == 1 else H)) / 2
    if not isinstance(smooth, LeastSquares | LogisticRegression):
        raise TypeError(f"no cvxpy expression is known for {type(smooth).__name__}")
    z, ridge = smooth.data.A @ x, smooth.ridge / 2 * cvxpy.sum_squares(x)
    if isinstance(smooth, LeastSquares):
        return cvxpy.sum_squares(z - smooth.y) / (2 * smooth.size) + ridge
    return cvxpy.sum(cvxpy.logistic(cvxpy.multiply(-smooth.y, z))) / smooth.size + ridge


def expression(h: Regulariser, x: Any) -> tuple[Any, list[Any]]:
    """h as a cvxpy expression and constraints on the variable x."""
    import cvxpy

    match h:
        case Nothing():
            return 0.0, []
        case L1():
            return cvxpy.sum(cvxpy.multiply(_full(h.weight, x), cvxpy.abs(x))), []
        case ElasticNet():
            squares = cvxpy.sum(cvxpy.multiply(_full(h.l2, x), cvxpy.square(x))) / 2
            return cvxpy.sum(cvxpy.multiply(_full(h.l1, x), cvxpy.abs(x))) + squares, []
        case Nuclear():
            return float(h.weight) * cvxpy.normNuc(cvxpy.reshape(x, h.shape, order="C")), []
        case Box():
            low, high = _full(h.low, x), _full(h.high, x)
            below, above = np.flatnonzero(np.isfinite(low)), np.flatnonzero(np.isfinite(high))
            return 0.0, [x[below] >= low[below], x[above] <= high[above]]
        case Simplex():
            return 0.0, [x >= 0, cvxpy.sum(x) == float(h.total)]
        case Ball():
            return 0.0, [cvxpy.norm(x - h.center) <= float(h.radius)]
        case L1Ball():
            return 0.0, [cvxpy.norm1(x) <= float(h.radius)]
    raise TypeError(f"no cvxpy expression is known for {type(h).__name__}")


def _full(v: Any, x: Any) -> Array:
    return np.broadcast_to(np.asarray(v, dtype=float), x.shape)
