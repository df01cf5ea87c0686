"""Constants certified on a ball: attained, never passed inside, passed outside; and runs that leave are noticed."""

from types import SimpleNamespace

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.claims.common import INSIDE
from samplingtheory.problems.ball import MatrixFactorisation, PhaseRetrieval
from samplingtheory.problems.check import check_problem
from samplingtheory.problems.noise import ContinuousOracle, Gaussian
from samplingtheory.problems.oracles import Lazy, Oracle
from samplingtheory.problems.separable import LogQuad

rng = np.random.default_rng(3)
FACTORS = rng.standard_normal((3, 2)), rng.standard_normal((2, 2))
ROWS, SIGNAL = rng.standard_normal((20, 3)), np.array([1.0, -0.5, 0.2])
PROBLEMS = [MatrixFactorisation(*FACTORS, 6.0), PhaseRetrieval(ROWS, SIGNAL, 2.0),
            PhaseRetrieval(ROWS, SIGNAL, 1.5, replace=True)]


def hessian(p, x, h=1e-5):
    e = h * np.eye(p.dim)
    H = (p.gradient(x + e) - p.gradient(x - e)) / (2 * h)
    return (H + H.T) / 2


def in_ball(p, R, share=1.0):
    z = np.random.default_rng(4).standard_normal((R, p.dim))
    return share * p.constants.radius * z / np.sqrt((z * z).sum(-1))[:, None] * np.linspace(0.1, 1, R)[:, None]


@pytest.mark.parametrize("p", [*PROBLEMS, Oracle(PROBLEMS[0], Lazy(2.0)), ContinuousOracle(PROBLEMS[0], Gaussian(0.5))],
                         ids=lambda p: type(p).__name__)
def test_the_problem_is_consistent(p):
    """Random part: risk 1e-6 a check. All points and pairs that are looked at lie in the ball."""
    assert [f for f in check_problem(p, rng=4) if not f.passed] == []


@pytest.mark.parametrize("p", PROBLEMS, ids=lambda p: type(p).__name__)
def test_certified_constants_against_eigenvalues(p):
    inside = [np.linalg.eigvalsh(hessian(p, x))[[0, -1]] for x in in_ball(p, 60)]
    assert min(v[0] for v in inside) >= p.constants.mu - 1e-6 and max(v[1] for v in inside) <= p.constants.L + 1e-6
    assert max(np.linalg.eigvalsh(hessian(p, x))[-1] for x in in_ball(p, 60, 3.0)) > p.constants.L, "why a ball"


def test_bounds_are_attained():
    """Scalars: (u v + 1)^2/2 at u = v, (u v - 1)^2/2 at u = -v, on the sphere; one measurement at radius and at 0."""
    p, r = MatrixFactorisation([[1.0]], [[-1.0]], 2.0), 2.0
    assert np.linalg.eigvalsh(hessian(p, np.full(2, r / 2**0.5)))[-1] == pytest.approx(p.constants.L, rel=1e-8)
    other = MatrixFactorisation([[1.0]], [[1.0]], r)
    lowest = np.linalg.eigvalsh(hessian(other, np.array([r, -r]) / 2**0.5))[0]
    assert lowest == pytest.approx(other.constants.mu, rel=1e-8)
    q = PhaseRetrieval([[1.0]], [1.0], 2.0)
    assert hessian(q, np.array([2.0]))[0, 0] == pytest.approx(q.constants.L, rel=1e-8)
    assert hessian(q, np.array([0.0]))[0, 0] == pytest.approx(q.constants.mu, rel=1e-8)


@pytest.mark.parametrize("h", [1e-3, 1e-7, 1e-10])
def test_gap_of_phase_retrieval_keeps_its_digits(h):
    p, way = PROBLEMS[1], np.array([0.6, 0.0, 0.8])
    for sign in (1, -1):
        x = sign * SIGNAL + h * way
        moved = x.astype(np.longdouble) - sign * SIGNAL
        true = float((((ROWS @ moved) * (ROWS @ (x + sign * SIGNAL))) ** 2).mean() / 4)
        assert p.gap(x[None])[0] == pytest.approx(true, rel=1e-12 + 1e-15 / h)


def test_rotated_factors_are_minimisers():
    p, turn = PROBLEMS[0], np.linalg.qr(rng.standard_normal((2, 2)))[0]
    x = np.concatenate([(FACTORS[0] @ turn).ravel(), (FACTORS[1] @ turn).ravel()])[None]
    assert p.gap(x)[0] <= p.gap_error and np.abs(p.gradient(x)).max() < 1e-13


def reach(p, method, x0, steps=5):
    return st.run(p, method, st.Fixed(1), x0, steps, record=("reach",))["reach"]


def test_reach_is_noticed():
    """A run that stays has reach <= 1; a step far too long leaves, and the hypothesis is then violated."""
    p = Oracle(PROBLEMS[0], Lazy(1))
    start = np.full(p.dim, 0.5)
    stays = reach(p, st.SGD(0.5 / p.constants.L), start)
    leaves = reach(p, st.SGD(100 / p.constants.L), start, 1)
    case = SimpleNamespace()
    assert INSIDE.margin(case, {"reach": stays.max()}) > 0 > INSIDE.margin(case, {"reach": leaves.max()})


@pytest.mark.parametrize("start", [0.3, 1.1])  # times a minimiser: the point grows, or shrinks
def test_reach_is_the_longer_end_of_a_step(start):
    p, x0 = Oracle(PROBLEMS[0], Lazy(1)), start * PROBLEMS[0].constants.minimiser
    record = {"reach": "reach", "length": lambda s: np.sqrt((s.after.x**2).sum(-1))}
    seen = st.run(p, st.SGD(0.01), st.Fixed(1), x0, 6, record=record)
    lengths = np.concatenate([[[np.sqrt(x0 @ x0)]], seen["length"]]) / 6.0
    assert (np.diff(lengths[:3], axis=0) * (1 - start) > 0).all()
    assert seen["reach"] == pytest.approx(np.maximum(lengths[1:], lengths[:-1]))


def test_no_ball_no_reach():
    assert (reach(ContinuousOracle(LogQuad(2), Gaussian(0.1)), st.SGD(0.1), np.ones(2)) == 0).all()


@pytest.mark.parametrize("p", [*PROBLEMS[1:], Oracle(PROBLEMS[0], Lazy(2.0))], ids=lambda p: type(p).__name__)
def test_a_start_outside_is_refused(p):
    with pytest.raises(ValueError, match="start inside, or give a larger radius") as error:
        st.run(p, st.SGD(0.01), st.Fixed(1), np.full(p.dim, 4.0), 1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: MatrixFactorisation(*FACTORS, 0.5), "must lie inside the ball"),
    (lambda: MatrixFactorisation(FACTORS[0], np.ones((2, 3)), 9.0), "need finite (m, r) and (n, r)"),
    (lambda: MatrixFactorisation(FACTORS[0] * np.nan, FACTORS[1], 9.0), "need finite"),
    (lambda: PhaseRetrieval(ROWS, SIGNAL, 1.0), "must lie inside the ball"),
    (lambda: PhaseRetrieval(ROWS, SIGNAL[:2], 3.0), "need (N, d) and (d,)"),
])
def test_bad_input_is_one_line(make, words):
    with pytest.raises(ValueError) as error:
        make()
    assert words in str(error.value) and "\n" not in str(error.value)
