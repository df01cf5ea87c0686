"""Momentum, AdaGrad, RMSProp and Adam: definitions, torch.optim, invariances, bad input."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import samplingtheory as st
from samplingtheory.problems.base import Batch
from samplingtheory.problems.quadratic import GaussianQuadratic

THEORY = [st.AdaGradNorm(0.3, 0.5), st.AdaGrad(0.3, 0.5), st.RMSProp(0.3, 0.9, 0.5), st.Adam(0.3, 0.6, 0.9, 0.5),
          st.RMSProp(0.3, 0.9, 0.5, norm=True), st.Adam(0.3, 0.6, 0.9, 0.5, norm=True)]


@dataclass
class Mean:
    mean: Any


def follow(method, gradients, x):
    """Points (K + 1, R, d) of a method fed with given gradients (K, R, d)."""
    state, points = method.init(x), [x]
    for g in gradients:
        state = method.step(state, Batch(Mean(g), np.ones(len(x))))
        points.append(state.x)
    return np.array(points)


def gradients(K=12, R=3, d=4, seed=0):
    return np.random.default_rng(seed).standard_normal((K, R, d)) * 10.0 ** np.arange(-1, d - 1)


def test_adagrad_norm_is_its_closed_form():
    g = gradients()
    v = 0.5 + np.cumsum((g**2).sum(-1), axis=0)
    expected = -0.3 * np.cumsum(g / np.sqrt(v)[..., None], axis=0)
    assert follow(st.AdaGradNorm(0.3, 0.5), g, np.zeros((3, 4)))[1:] == pytest.approx(expected, rel=1e-12)


def test_adagrad_is_adagrad_norm_in_each_coordinate():
    g, x = gradients(), np.zeros((3, 4))
    whole = follow(st.AdaGrad(0.3, 0.5), g, x)
    for i in range(4):
        alone = follow(st.AdaGradNorm(0.3, 0.5), g[..., i : i + 1], x[:, i : i + 1])
        assert (whole[..., i : i + 1] == alone).all()


def test_rmsprop_is_adam_without_momentum():
    g, x = gradients(), np.ones((3, 4))
    for norm in (False, True):
        assert (follow(st.RMSProp(0.3, 0.9, 0.5, norm=norm), g, x)
                == follow(st.Adam(0.3, 0.0, 0.9, 0.5, norm=norm), g, x)).all()


def test_adam_unrolled():
    """m_K and v_K are exponentially weighted sums of all gradients."""
    g, (b1, b2) = gradients(), (0.6, 0.9)
    state = st.Adam(0.3, b1, b2, 0.5).init(np.zeros((3, 4)))
    for row in g:
        state = st.Adam(0.3, b1, b2, 0.5).step(state, Batch(Mean(row), np.ones(3)))
    past = np.arange(len(g))[::-1][:, None, None]
    assert state.m == pytest.approx(((1 - b1) * b1**past * g).sum(0), rel=1e-12)
    assert state.v == pytest.approx(0.5 * b2 ** len(g) + ((1 - b2) * b2**past * g * g).sum(0), rel=1e-12)


@pytest.mark.parametrize("eps", [0.0, 1e-3, 1.0])
def test_one_step_of_the_practical_forms(eps):
    """From zero moments the bias correction is exact: |step| = alpha |g|/(|g| + eps), epsilon outside the root."""
    g, x = gradients(1), np.ones((3, 4))
    expected = x - 0.1 * g[0] / (np.abs(g[0]) + eps)
    assert follow(st.AdamW(0.1, eps=eps), g, x)[1] == pytest.approx(expected, rel=1e-12)
    assert follow(st.AdaGrad(0.1, 0.0, eps), g, x)[1] == pytest.approx(expected, rel=1e-12)
    expected = x - 0.1 * g[0] / (0.1 * np.abs(g[0]) + eps)  # v = (1 - 0.99) g^2, not corrected
    assert follow(st.RMSProp(0.1, 0.99, 0.0, eps), g, x)[1] == pytest.approx(expected, rel=1e-12)


def test_adamw_without_bias_correction_is_the_theory_form():
    """Adam from v0 = 0 with step alpha_k = alpha sqrt(1 - beta2^k)/(1 - beta1^k) is AdamW without epsilon and decay."""
    g, x = gradients(), np.ones((3, 4))
    points, state = follow(st.AdamW(0.1, 0.6, 0.9, eps=0.0), g, x), st.Adam(1.0, 0.6, 0.9, 0.0).init(x)
    for k, row in enumerate(g, 1):
        step = 0.1 * np.sqrt(1 - 0.9**k) / (1 - 0.6**k)
        state = st.Adam(step, 0.6, 0.9, 0.0).step(state, Batch(Mean(row), np.ones(3)))
        assert points[k] == pytest.approx(state.x, rel=1e-12)


def test_weight_decay_is_decoupled():
    """It shrinks the point by 1 - alpha decay whatever the gradients' scale, and does not enter the moments."""
    g, x = gradients(), np.ones((3, 4))
    plain, decayed = (st.AdamW(0.1, eps=0.0, decay=decay) for decay in (0.0, 0.5))
    moves = np.diff(follow(plain, g, x), axis=0)
    points = follow(decayed, g, x)
    assert points[1:] == pytest.approx(0.95 * points[:-1] + moves, rel=1e-12)
    assert (points == follow(decayed, 2.0**10 * g, x)).all()


def test_momentum_averages_and_heavy_ball():
    g, x = gradients(), np.ones((3, 4))
    ball = follow(st.Momentum(0.02, 0.8), g, x)
    assert ball == pytest.approx(follow(st.Momentum(0.1, 0.8, average=True), g, x), rel=1e-12)
    again = [x, x - 0.02 * g[0]]  # x+ = x - alpha g + beta (x - x-)
    for row in g[1:]:
        again.append(again[-1] - 0.02 * row + 0.8 * (again[-1] - again[-2]))
    assert ball == pytest.approx(np.array(again), rel=1e-9)
    assert (follow(st.Momentum(0.1, 0.0), g, x) == follow(st.SGD(0.1), g, x)).all()


@pytest.mark.parametrize("method", THEORY, ids=repr)
@given(power=hs.integers(-20, 20))
def test_scale_of_the_gradients(method, power):
    """Without epsilon: gradients times c and v0 times c^2 give the same points (powers of two: to the bit)."""
    c = 2.0**power
    g, x = gradients(5), np.zeros((3, 4))
    scaled = type(method)(**{**method.__dict__, "v0": method.v0 * c * c})
    assert (follow(method, g, x) == follow(scaled, c * g, x)).all()


@pytest.mark.parametrize("method", [m for m in THEORY if getattr(m, "norm", True) and not isinstance(m, st.AdaGrad)],
                         ids=repr)
def test_norm_forms_turn_with_the_space(method):
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    g, x = gradients(), np.ones((3, 4))
    assert follow(method, g @ turn, x @ turn) == pytest.approx(follow(method, g, x) @ turn, rel=1e-9, abs=1e-9)


def test_replicates_do_not_touch_each_other():
    g, x = gradients(), np.ones((3, 4))
    for method in [*THEORY, st.AdamW(0.1), st.Momentum(0.1)]:
        alone = follow(method, g[:, 1:2], x[1:2])
        assert (follow(method, g, x)[:, 1:2] == alone).all()


def badly_scaled(seed=0, d=5):
    return 10.0 ** np.linspace(-4, 4, d), np.random.default_rng(seed).standard_normal((500, 1, d))


def torch_pairs(torch):
    return {
        "SGD with momentum": (st.Momentum(1e-5, 0.9), lambda p: torch.optim.SGD(p, lr=1e-5, momentum=0.9)),
        "Adagrad": (st.AdaGrad(0.1, 0.0, 1e-10), lambda p: torch.optim.Adagrad(p, lr=0.1)),
        "Adagrad from 0.1": (st.AdaGrad(0.1, 0.1, 1e-10),
                             lambda p: torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.1)),
        "RMSprop": (st.RMSProp(0.01, 0.99, 0.0, 1e-8), lambda p: torch.optim.RMSprop(p, lr=0.01)),
        "Adam": (st.AdamW(0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
        "AdamW": (st.AdamW(0.01, 0.9, 0.95, 1e-8, 0.1),
                  lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)),
    }


@pytest.mark.parametrize("name", ["SGD with momentum", "Adagrad", "Adagrad from 0.1", "RMSprop", "Adam", "AdamW"])
def test_practical_forms_are_torch_optim(name):
    """500 steps on a quadratic with curvatures 1e-4 to 1e4 and noise, float64, equal to 1e-13."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    method, optimizer = torch_pairs(torch)[name]
    H, noise = badly_scaled()
    x = torch.ones(5, dtype=torch.float64, requires_grad=True)
    other = optimizer([x])
    state = method.init(np.ones((1, 5)))
    for e in noise:
        g = H * state.x + e
        state = method.step(state, Batch(Mean(g), np.ones(1)))
        x.grad = torch.from_numpy(H) * x.detach() + torch.from_numpy(e[0])
        other.step()
        assert np.abs(state.x[0] - x.detach().numpy()).max() <= 1e-13 * max(1.0, np.abs(state.x).max())


@pytest.mark.parametrize("make", [lambda: st.AdamW(0.01, eps=1e-6), lambda: st.AdaGrad(0.1, 0.1),
                                  lambda: st.RMSProp(0.01, 0.99, 0.0, 1e-6)], ids=["Adam", "AdaGrad", "RMSProp"])
def test_variants_differ_visibly(make):
    """The control of the comparison with torch: another epsilon or start is told apart."""
    right = {st.AdamW: st.AdamW(0.01), st.AdaGrad: st.AdaGrad(0.1, 0.0), st.RMSProp: st.RMSProp(0.01, 0.99, 0.0, 1e-8)}
    H, noise = badly_scaled()
    g = [1e-6 * H + 1e-6 * e for e in noise]
    wrong = make()
    assert np.abs(follow(wrong, g, np.ones((1, 5))) - follow(right[type(wrong)], g, np.ones((1, 5)))).max() > 1e-9


def test_run_with_every_method():
    p = GaussianQuadratic(np.ones(3), np.full(3, 0.1))
    for method in [*THEORY, st.AdamW(0.05), st.Momentum(0.1, 0.5)]:
        trace = st.run(p, method, st.Ahead(st.NormTest(0.5)), np.ones(3), 30, replicates=4, rng=0)
        assert (trace["gap"][-1] < trace["gap"][0]).all()


@pytest.mark.parametrize("make, words", [
    (lambda: st.AdaGradNorm(0.1, -1.0), "v0 is -1.0"), (lambda: st.AdaGrad(0.1, [1.0, np.nan]), "v0 is"),
    (lambda: st.AdaGradNorm(0.0), "alpha is 0"), (lambda: st.Adam(0.1, 1.0), "beta1 is 1.0"),
    (lambda: st.Adam(0.1, 0.9, -0.1), "beta2 is -0.1"), (lambda: st.RMSProp(0.1, float("nan")), "beta2 is nan"),
    (lambda: st.AdamW(0.1, eps=-1.0), "eps is -1.0"), (lambda: st.Momentum(0.1, 1.5), "beta is 1.5"),
    (lambda: st.AdaGrad(0.1, [1.0, 2.0]).init(np.ones((2, 3))), "v0 has shape (2,)"),
    (lambda: st.AdaGradNorm(Fraction(1, 10)), "alpha is 1/10"), (lambda: st.Adam(0.1, Fraction(1, 2)), "beta1 is 1/2"),
    *((lambda method=method: method.init(np.full((1, 1), Fraction(1))), "x0 as floats")
      for method in [*THEORY, st.AdamW(0.1)]),
    (lambda: st.AdamW(0.1, decay=-0.1), "decay is -0.1"), (lambda: st.RMSProp(0.1, eps="x"), "eps is x"),
])
def test_bad_input_is_one_line(make, words):
    with pytest.raises(ValueError) as error:
        make()
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_coordinate_that_never_moved():
    g = np.zeros((3, 1, 2))
    g[:, :, 0] = 1.0
    points = follow(st.AdaGrad(0.1, 0.0), g, np.ones((1, 2)))
    assert np.isfinite(points).all() and (points[:, 0, 1] == 1.0).all()
