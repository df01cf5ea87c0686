"""Hypothesis strategies for property-based tests: problem and seed are drawn, all else follows from them.

Entries are short decimals (multiples of 1/4), so that counter-examples read well and sums are exact in binary.
`exact=True` gives Fractions. No subnormals, no NaN, bounded sizes: what is drawn is meant to be ordinary.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .. import criteria
from ..claims.base import Case
from ..problems.base import Problem
from .kinds import KINDS, OTHERS, TOLERANCES

Draw = Any  # hypothesis's draw function
_quarters = st.integers(-16, 16)


def rationals(least: int = -16, most: int = 16, over: int = 4) -> st.SearchStrategy[Fraction]:
    """Fractions k/over, least <= k <= most; shrink towards 0."""
    return st.integers(least, most).map(lambda k: Fraction(k, over))


def tolerances(least: int = 2, most: int = 50) -> st.SearchStrategy[Fraction]:
    """Tolerances k/20 > 0."""
    return st.integers(least, most).map(lambda k: Fraction(k, 20))


@st.composite
def _rows(draw: Draw, rows: tuple[int, int], dim: tuple[int, int], zero_mean: bool) -> list[list[Fraction]]:
    N, d = draw(st.integers(*rows)), draw(st.integers(*dim))
    flat = draw(st.lists(_quarters, min_size=N * d, max_size=N * d))
    table = [[Fraction(v, 4) for v in flat[i * d:(i + 1) * d]] for i in range(N)]
    if not zero_mean and not any(map(sum, zip(*table, strict=True))):
        table[0][0] += 1
    return table


def gradient_tables(rows: tuple[int, int] = (2, 6), dim: tuple[int, int] = (1, 3), *, exact: bool = False,
                    zero_mean: bool = False) -> st.SearchStrategy[Any]:
    """Tables of N per-sample gradients of length d: (N, d) floats, or lists of Fractions. The mean is not zero
    unless `zero_mean`."""
    found = _rows(rows, dim, zero_mean)
    return found if exact else found.map(lambda table: np.array(table, dtype=float))


@st.composite
def test_params(draw: Draw, kind: str, dim: int) -> dict[str, Any]:
    """Parameters of a test of `kind` for gradients of length `dim`, as Fractions (`x` is a list of them)."""
    params: dict[str, Any] = {name: draw(tolerances()) for name in TOLERANCES[kind]}
    if "x" in OTHERS.get(kind, ()):
        params |= {"alpha": draw(st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 4)])),
                   "weight": draw(rationals(0, 8)), "x": draw(st.lists(rationals(), min_size=dim, max_size=dim))}
    return params


test_params.__test__ = False  # type: ignore[attr-defined]  # pytest must not collect it


@st.composite
def batch_tests(draw: Draw) -> Any:
    """Criteria of this package with drawn tolerances."""
    kind = draw(st.sampled_from([k for k in KINDS if k != "step-norm"]))
    params = {name: float(draw(tolerances())) for name in TOLERANCES[kind]}
    named: dict[str, Any] = {"norm": criteria.NormTest, "inner-product": criteria.InnerProductTest,
             "orthogonality": criteria.OrthogonalityTest, "augmented": criteria.AugmentedInnerProductTest,
             "coordinate-wise": criteria.CoordinatewiseNormTest}
    return named[kind](**params)


@st.composite
def quadratics(draw: Draw, dim: tuple[int, int] = (1, 3)) -> Any:
    """Quadratics with diagonal Hessian in (0, 4], minimiser 0: L and mu are exact."""
    from ..problems.quadratic import Quadratic

    d = draw(st.integers(*dim))
    return Quadratic(np.array(draw(st.lists(rationals(1, 16), min_size=d, max_size=d)), dtype=float))


@st.composite
def finite_sums(draw: Draw, rows: tuple[int, int] = (2, 5), dim: tuple[int, int] = (1, 3),
                replace: bool | None = None) -> Problem:
    """Sums of N quadratics with diagonal Hessians in (0, 4] and drawn linear parts; L and mu are certified."""
    from ..problems.quadratic import QuadraticSum

    N, d = draw(st.integers(*rows)), draw(st.integers(*dim))
    curves = draw(st.lists(rationals(1, 16), min_size=N * d, max_size=N * d))
    linear = draw(gradient_tables((N, N), (d, d), zero_mean=True))
    replace = draw(st.booleans()) if replace is None else replace
    return QuadraticSum(np.array(curves, dtype=float).reshape(N, d), linear, replace)


@st.composite
def noise_laws(draw: Draw) -> Any:
    """Laws of `problems.oracles` that meet a test with equality (four atoms in the plane, two points, lazy)."""
    from ..problems.oracles import FourAtoms, Lazy, TwoPoint

    theta, nu = float(draw(tolerances())), float(draw(tolerances()))
    return draw(st.sampled_from([FourAtoms(theta, nu), TwoPoint(theta), Lazy(1 + theta * theta)]))


@st.composite
def tight_instances(draw: Draw) -> Case:
    """Cases on which the one-step linear rate of Bollapragada, Byrd, Nocedal (2018) holds with equality: the unit
    quadratic, noise at the bound, alpha = 1/(L M), one enumerated step."""
    from ..claims.common import theory
    from ..evidence.exact import Enumerate
    from ..methods import SGD
    from ..problems.oracles import Oracle
    from ..problems.quadratic import Quadratic
    from ..sizing import Fixed

    law = draw(noise_laws())
    problem = Oracle(Quadratic(np.ones(2)), law)
    symbols = theory(problem, float(law.growth))
    x0 = np.array([1.0, float(draw(rationals()))])
    return Case(f"tight, M = {float(law.growth):g}", problem, SGD(symbols.alpha), Fixed(1), x0, Enumerate(1), symbols)


@st.composite
def regularisers(draw: Draw, dim: int) -> Any:
    """Closed convex h with a cheap prox: l1, elastic net, box, ball, simplex, or none."""
    from ..problems import prox

    weight = float(draw(rationals(1, 8)))
    low = np.array(draw(st.lists(rationals(-8, 0), min_size=dim, max_size=dim)), dtype=float)
    return draw(st.sampled_from([prox.Nothing(), prox.L1(weight), prox.ElasticNet(weight, 1.0),
                                 prox.Box(low, low + weight), prox.Ball(weight), prox.Simplex(weight)]))


@st.composite
def composite_problems(draw: Draw) -> Any:
    """A drawn finite sum plus a drawn regulariser."""
    from ..problems.composite import Composite

    smooth = draw(finite_sums((2, 4), (1, 2), replace=False))
    return Composite(smooth, draw(regularisers(smooth.dim)))


@st.composite
def shard_layouts(draw: Draw, total: int, least: int = 1) -> tuple[int, ...]:
    """Sizes of the ranks that share `total` samples, each at least `least`; shrinks to one rank."""
    left, sizes = total, []
    while left >= 2 * least and draw(st.booleans()):
        sizes.append(draw(st.integers(least, left - least)))
        left -= sizes[-1]
    return (*sizes, left)
