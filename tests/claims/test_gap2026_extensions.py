"""Extensions of the lagged theorems: the numbers of the notes and the ranges that are sharp."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from samplingtheory.claims.catalogue import catalogue
from samplingtheory.claims.gap2026 import extensions
from samplingtheory.claims.gap2026 import extensions_bounds as bounds
from samplingtheory.claims.gap2026 import extensions_composite as composite
from samplingtheory.claims.gap2026 import lagged_rates as rates
from samplingtheory.evidence.lagged import radius
from samplingtheory.seeds import child

BY_ID = {c.id: c for c in catalogue}


def collect(claim, case):
    case = case() if callable(case) else case
    return case.evidence.collect(claim.kind, claim.quantity, claim.watched, case, child(0, claim.id, case.name), 1)


# ---------------------------------------------------------------- augmented test


def test_rates_of_the_augmented_test():
    """d = 1000, theta^2 + nu^2 = .5: .9369 at .9 of the step 2(1 - s), 1.0705 at 1.1; repaired .9453, .9751."""
    assert [round(radius(1.0, part * 1.0, 0.5), 4) for part in (0.9, 1.1)] == [0.9369, 1.0705]
    theta2, nu2 = extensions.DEFAULT
    found = [radius(1.0, 1 / 35.9156, min(theta2 * d, nu2 * d / (d - 1))) for d in (10, 1000)]
    assert [round(v, 4) for v in found] == [0.9453, 0.9751]


def test_the_default_augmented_test_converges_at_no_step_in_the_mean():
    for d in (2, 3, 10, 1000):
        s = min(0.81 * d, 5.84**2 * d / (d - 1))
        assert s >= 1.62 and all(radius(1.0, a, s) > 1 for a in np.geomspace(1e-4, 1.99, 20))


# ---------------------------------------------------------------- AdaGrad-Norm and Adam


def in_high_dimension(theta2, steps, z=None, alpha=1.0, v0=1.0):
    """The deterministic limit: sqrt(Q) after `steps`, L = 1, |x_1| = 1."""
    v, x2, Q = v0, 1.0, 0.0
    z = theta2 if z is None else z
    for _ in range(steps):
        g2 = x2 + z
        Q, v = Q + x2, v + g2
        a = alpha / math.sqrt(v)
        x2, z = (1 - a) ** 2 * x2 + a * a * z, theta2 * g2
    return math.sqrt(Q)


def test_adagrad_norm_is_sharp_in_theta():
    found = [in_high_dimension(t * t, 20_000) for t in (0.3, 0.7, 0.9, 0.99)]
    assert [round(v, 2) for v in found] == pytest.approx([1.10, 1.51, 2.51, 7.94], abs=0.02)
    assert [round(in_high_dimension(1.0, 10**k)) for k in (3, 4)] == [22, 71]


def test_adagrad_bounds_have_the_limits_that_they_should():
    """theta -> 0 with no first term is the deterministic theorem; A-lag is void from theta^2 = 1/2 on, A' from 1 on."""
    tiny = bounds.adagrad_norm(0.5, 1.0, 1.0, 1.0, 1e-12, 0.0, 1.0)
    root = bounds.largest_root(lambda A: A - 0.5 - math.log1p(A))
    assert tiny.total <= root * (1 + 1e-5)
    assert math.isinf(bounds.adagrad_norm(0.5, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0).total)
    assert math.isfinite(bounds.adagrad_norm_any(0.5, 1.0, 1.0, 1.0, 0.9, 1.0, 1.0).total)
    assert math.isinf(bounds.adagrad_norm_any(0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0).total)


def test_golden_ratio_constant_of_adam():
    s = np.geomspace(1e-3, 1e3, 200_001)
    assert bounds.GOLDEN == pytest.approx(((1 - (1 + s) ** -0.5) / np.sqrt(s)).max(), rel=1e-8)
    assert round(bounds.GOLDEN, 4) == 0.3003
    T, Y = np.meshgrid(np.geomspace(1e-4, 1e4, 80), np.geomspace(1e-4, 1e4, 80))
    assert (1 - (1 + T + Y) ** -0.5 <= (np.sqrt(T) + bounds.GOLDEN * np.sqrt(Y)) / np.sqrt(1 + T) + 1e-15).all()


def test_room_for_adam():
    assert bounds.room(0.49, 0.0, 0.99) > 0 > bounds.room(0.5, 0.0, 0.99), "theta^2 < sqrt(beta2)/2 for RMSProp"
    assert bounds.room(1e-9, 0.9, 0.999) < 0, "the common decays are outside, whatever theta"


# ---------------------------------------------------------------- complete steps


def test_the_range_of_the_lagged_step_test_is_exact():
    """h = 0: xi < 1 - alpha L/2; 1.131 at alpha L = 1, xi = .6."""
    for t in (0.3, 1.0, 1.7):
        assert radius(1.0, t, 0.999 * (1 - t / 2)) < 1 < radius(1.0, t, 1.001 * (1 - t / 2))
    assert round(radius(1.0, 1.0, 0.6), 3) == 1.131


def test_the_exact_step_test_at_the_end_of_its_range():
    """T1 at .999 and 1.1 of the range, mu = .1, alpha = .3: .96988 and .9882 against .97."""
    from samplingtheory.criteria import StepNormTest
    from samplingtheory.run import EVERY, run
    from samplingtheory.sizing import Ahead

    limit, found = composite.exact_limit(0.1, 1.0, 0.3), []
    for part in (0.999, 1.1):
        case = composite.across(0.1, 1.0, part * limit, 0.3, "x", sizing=Ahead(StepNormTest(part * limit, "realised")))
        gap = run(case.problem, case.method, case.sizing, case.x0, 1, rng=EVERY).means("gap")[:, 0]
        found.append(gap[1] / gap[0])
    assert found == pytest.approx([0.96988, 0.9882], abs=6e-5)


@pytest.mark.parametrize("id_", ["lagged-prox", "realised-step-test", "lagged-augmented", "momentum-quadratic",
                                 "sample-cost"])
def test_tight_cases_reach_the_bound(id_):
    claim = BY_ID[f"gap2026/{id_}"]
    values = [collect(claim, c).value for c in claim.tight]
    assert min(values) > 0.999 and max(values) < 1 + 1e-9


def test_trees_draw_less_than_everything_somewhere():
    from samplingtheory.run import EVERY, run

    for build in (*composite.strong.generic[:5], *composite.convex.generic[:3]):
        case = build()
        trace = run(case.problem, case.method, case.sizing, case.x0, 3, rng=EVERY, record=("gap", "n"))
        assert min(n.min() for n in trace.steps["n"]) < 4


# ---------------------------------------------------------------- momentum


@pytest.mark.parametrize("theta2", [0.25, 0.81, 0.98])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
def test_the_threshold_of_momentum_is_exact(theta2, beta):
    """Spectral radius of the moments of (x, m, z) on |x|^2/2: 1 at 2/(eps^2 + (1 - b)/(1 + b)), to 1e-8."""
    def largest(alpha):
        w = 1 - beta
        xx, xm, mm, z = np.eye(4)  # each moment as a row over the old ones
        gg = xx + z
        inner, square = beta * xm + w * xx, beta**2 * mm + 2 * beta * w * xm + w * w * gg
        new = np.array([xx - 2 * alpha * inner + alpha**2 * square, inner - alpha * square, square, theta2 * gg])
        return abs(np.linalg.eigvals(new)).max()
    edge = extensions.threshold(theta2, beta)
    assert largest(edge * (1 - 1e-5)) < 1 < largest(edge * (1 + 1e-5))
    assert largest(edge) == pytest.approx(1, abs=1e-8)


def test_momentum_sums():
    s = SimpleNamespace(alpha=0.6, L=1.0, beta=0.5, gain=0.25)
    h, x0 = np.array([0.2, 1.0]), np.array([1.0, 2.0])
    x, m, D = x0.copy(), 0 * x0, 0.0
    for _ in range(3000):
        g = h * x
        D += g @ g
        m = s.beta * m + (1 - s.beta) * g
        x = x - s.alpha * m
    assert extensions.without_noise(h, x0, s.alpha, s.beta) == pytest.approx(D, rel=1e-10)
    values = [collect(extensions.momentum_short, c).value for c in extensions.momentum_short.generic[:2]]
    assert [round(1 / v, 2) for v in values] == pytest.approx([1.04, 2.5], abs=0.08)


# ---------------------------------------------------------------- variance that grows, samples


def test_the_variance_bound_of_streamed_least_squares():
    problem = extensions.regression()
    x = np.linspace(-50, 50, 2001)[:, None]
    law = problem.law(x)
    assert law.total == pytest.approx(2 * x[:, 0] ** 2 + 5.6 * x[:, 0] + 35.04)
    assert (law.total <= extensions.U0 + extensions.U1 * law.signal).all()


@pytest.mark.parametrize("part", [0.99, 1.01])
def test_the_growing_variance_step_is_exact_for_the_recursion(part):
    """E|g|^2 = (1 + eta^2)|G|^2 + z, z+ = theta^2|g|^2 on |x|^2/2: stable iff alpha < 2/M."""
    eta2, theta2 = 0.25, 0.5
    a = part * 2 * (1 - theta2) / (1 + eta2)
    matrix = np.array([[(1 - a) ** 2 + a * a * eta2, a * a / 2], [2 * theta2 * (1 + eta2), theta2]])
    assert (abs(np.linalg.eigvals(matrix)).max() < 1) == (part < 1)


def test_sample_costs_of_the_notes():
    repaired = [extensions.cost_limit(t * t, 1 / (1 + t * t), rates.repaired(t * t)[0]) for t in (0.1, 0.5, 0.9, 3.0)]
    assert [round(v, 2) for v in repaired] == [1.09, 1.36, 1.48, 1.60]
    last = extensions.cost_limit(1e8, 1 / (1 + 1e8), rates.repaired(1e8)[0])
    assert last == pytest.approx(extensions.GOLDEN_RATIO, 1e-4)
    plain = [extensions.cost_limit(t * t, 1 / (1 + t * t), t * t) for t in (0.5, 0.7, 0.8)]
    assert [round(v, 2) for v in plain] == [1.56, 2.68, 7.58]
    assert math.isinf(extensions.cost_limit(0.841**2, 1 / (1 + 0.841**2), 0.841**2))
    for case, limit in zip(extensions.cost.generic, repaired, strict=True):
        assert collect(extensions.cost, case).value * extensions.GOLDEN_RATIO == pytest.approx(limit, rel=2e-3)
