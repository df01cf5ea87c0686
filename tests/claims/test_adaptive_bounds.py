"""The bounds against the numbers of the theory notes, against their own equations, and against random sequences."""

import math

import numpy as np
import pytest

from samplingtheory.claims import adaptive_bounds as ab
from samplingtheory.claims.adaptive_bounds.adam import second_order, spike_price, steady_loss
from samplingtheory.claims.adaptive_bounds.roots import best_split, largest_root

DELTA = 10 * math.log(1 + 1.5**2)  # logquad, d = 10, from 1.5
TIGHT = (DELTA, 2.0, 0.2, 0.01)


def notes_bound(Delta, L, alpha, v0, eta):
    """Theorem A with the share 1 - eta and a grid over lambda, as in the notes."""
    tau, root, mu = math.sqrt(1 + eta * eta), math.sqrt(v0), 1 - eta
    S = largest_root(lambda s: mu * s - Delta / alpha - L * alpha * math.log1p(tau * s / root))
    for lam in np.linspace(0.02, 0.98, 49):
        b = L * alpha * tau**2 / (2 * (1 - lam) * mu)
        extra = 0 if root >= b else L * alpha / 2 * (1 + 2 * math.log(b / root))
        S = min(S, (Delta / alpha + extra) / (lam * mu))
    return S


@pytest.mark.parametrize("told", [TIGHT, (0.1, 2, 1, 1), (1e-6, 2, 1, 1e-6), (5.0, 0.1, 0.3, 100.0)])
@pytest.mark.parametrize("eta", [0.0, 0.3, 0.9])
def test_never_above_the_notes(told, eta):
    assert ab.bound_adagrad_norm(*told, eta).S <= notes_bound(*told, eta) * (1 + 1e-9)


def test_numbers_of_the_tight_setting():
    assert ab.bound_adagrad_norm(*TIGHT, 0.0).S == pytest.approx(61.502, abs=1e-3)
    assert ab.bound_adagrad_norm(*TIGHT, 0.3).S == pytest.approx(73.775, abs=1e-3)  # the notes: 88.1
    assert notes_bound(*TIGHT, 0.3) == pytest.approx(88.1, abs=0.1)
    assert ab.bound_adagrad_norm(math.log1p(1e-6), 2.0, 1.0, 1e-6, 0.0).S == pytest.approx(19.79, abs=0.01)


@pytest.mark.parametrize("C, A, jump, threshold, root", [(1, 1, 0.5, 1, 0.1), (1, 1, 0.5, 0.5, 2), (0, 1, 0, 1, 1e-3),
                                                         (50, 0.1, 0.5, 0.4, 0.5), (0.01, 3, 0, 2, 2.1)])
def test_best_split_is_the_best(C, A, jump, threshold, root):
    lam = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 200_001), [max(1 - threshold / root, 1e-9)]])
    b = threshold / (1 - lam)
    extra = np.where(b > root * (1 + 1e-12), A * (jump + np.log(np.maximum(b / root, 1))), 0)
    assert best_split(C, A, jump, threshold, root) == pytest.approx(((C + extra) / lam).min(), rel=1e-6, abs=1e-9)


def test_known_special_cases():
    """sqrt(v0) >= alpha L, lambda = 1/2: 4 (Delta/alpha)^2 + 2 sqrt(v0) Delta/alpha, as Ward, Wu, Bottou have it."""
    for Delta, alpha, v0 in ((1.0, 0.5, 1.0), (3.0, 0.1, 4.0)):
        ward = 4 * (Delta / alpha) ** 2 + 2 * math.sqrt(v0) * Delta / alpha
        assert ab.bound_pathwise(Delta, 2.0, alpha, v0)[0] <= ward * (1 + 1e-12)
    one, many = ab.bound_adagrad_coord(1.0, [2.0], 0.5, 1.0, 0.3), ab.bound_adagrad_norm(1.0, 2.0, 0.5, 1.0, 0.3)
    assert one.S == pytest.approx(many.S, rel=1e-6) and one.Q == pytest.approx(many.Q, rel=1e-6)
    assert ab.bound_adam(1, 2, 0.1, 1, 0.3, 0, 0.9, 100)[0] < math.inf


def test_the_step_of_generalised_smoothness():
    assert ab.generalised(1, 1, 1.0)["L"] == pytest.approx(2 * (math.e - 2))
    assert ab.generalised(1, 1, 1e-6)["L1"] == pytest.approx(1, abs=1e-6)
    long, longer = (ab.bound_adagrad_norm(1.0, alpha=a, v0=1.0, eta=0.0, **ab.generalised(1, 1, a)).S
                    for a in (1.2, 1.3))
    assert long < math.inf and longer == math.inf  # with the constants of u = 1 the step 1.3 would be let through


@pytest.mark.parametrize("bound", [
    ab.bound_adagrad_norm(*TIGHT, 1.0), ab.bound_adagrad_norm(1, 1, 1, 0.0, 0.5), ab.bound_pathwise(1, 1, 1, 1, 1.0),
    ab.bound_pathwise(1, 1, 1, -1.0, 0.5), ab.bound_adagrad_coord(1, [1.0, 2.0], 1, [1.0, 0.0], 0.5),
    ab.bound_any_tau(1, 1, 1, 1, 0.5, 1), ab.bound_adam(1, 1, 1, 1, 0.2, 0.9, 0.999, 10),
    ab.bound_adam_pathwise(1, 1, 1, 1, 0.5, 0.9, 0.999, 10), ab.bound_adam(1, 1, 1, 0.0, 0.2, 0.0, 0.9, 10),
    (ab.bound_p2_printed(1, 1, 1, 0.2, 0.9, 0.95, 10, 1.0),),
    (ab.bound_p2_corrected(1, 1, 1, 0, 0.2, 0.1, 0.999, 9, 1),)],
    ids=str)
def test_vacuous_outside_the_hypotheses(bound):
    assert all(v == math.inf for v in bound)


def test_the_printed_bound_and_the_corrected_one():
    L = 1e-6
    for K, expected in ((1000, 321), (10_000, 929)):
        far = 1 / (2 * L) + 2 * K
        assert ab.bound_p2_printed(L, 1, 1, 0.1, 0.01, 0.999, K, 1.0) == pytest.approx(expected, abs=0.6)
        assert ab.bound_p2_corrected(far, L, 1, 1, 0.1, 0.01, 0.999, K, 1.0) == pytest.approx(1.42e7, rel=0.03)
        assert K < ab.bound_adam(far, L, 1, 1, 0.1, 0.01, 0.999, K)[0] < 8.4e5


def test_the_condition_on_the_betas():
    assert ab.p2_condition(0.2, 0.9, 0.95) + 0.9 == pytest.approx(0.514, abs=5e-4)
    assert ab.p2_condition(0.2, 0.9, 0.999) + 0.9 == pytest.approx(0.991, abs=5e-4)
    assert ab.momentum_margin(0.2, 0.9, 0.999) < 0 < ab.condition_margin(0.2, 0.9, 0.999)
    assert [round(ab.condition_margin(eta, 0.9, 0.999), 2) for eta in (0, 0.2, 0.4, 0.5)] == [0.61, 0.45, 0.1, -0.14]
    assert ab.momentum_margin(0.2, 0.67, 0.999) > 0 > ab.momentum_margin(0.2, 0.69, 0.999)


def adam_run(rng, beta1, beta2, K):
    """Scalar gradients with bursts: columns g, w = beta2 v_{k-1}, v, m_{k-1}, m."""
    g = rng.standard_normal(K) * np.exp(3 * rng.standard_normal(K) * (rng.random(K) < 0.2) + np.cumsum(
        rng.standard_normal(K) * 0.3))
    v, m, rows = 10.0 ** rng.uniform(-4, 2), 0.0, []
    for x in g:
        w, before = beta2 * v, m
        v, m = w + (1 - beta2) * x * x, beta1 * m + (1 - beta1) * x
        rows.append((x, w, v, before, m))
    return np.array(rows).T


@pytest.mark.parametrize("d", [1, 4])
@pytest.mark.parametrize("beta1, beta2", [(0.9, 0.999), (0.5, 0.9), (0.9, 0.95), (0.0, 0.9), (0.1, 0.5)])
def test_second_order_terms_are_paid_by_the_logarithm(beta1, beta2, d):
    """Sum of |u+ - u|^2/2 + |u - x||u+ - u|, in units of (alpha/(1 - theta))^2, on 200 rough sequences of vectors."""
    theta, worst = beta1 / math.sqrt(beta2), 0.0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        _g, w, v, _before, m = np.stack([adam_run(rng, beta1, beta2, 60) for _ in range(d)], axis=-1)
        old = np.concatenate([np.zeros((1, d)), m[:-1]]) / np.concatenate([np.ones((1, d)), np.sqrt(v[:-1])])
        step, moved = np.linalg.norm(m / np.sqrt(v) - theta * old, axis=1), np.linalg.norm(old, axis=1)
        total = (step**2 / 2 + theta * moved * step).sum()
        worst = max(worst, total * (1 - beta2) / (1 - beta1) ** 2 / np.log(v / w).sum())
    assert worst <= second_order(theta, d)
    assert d > 1 or second_order(theta) <= (0.5 + 2 * theta + 1.5 * theta**2) / (1 - theta) ** 2 + 1e-12


@pytest.mark.parametrize("eta, window", [(0.0, 64), (0.2, 32), (0.2, 512)])
def test_momentum_costs_at_most_the_steady_loss(eta, window):
    """Random pasts with |G_{k-j}| within (1 +- j/window)|G_k| and |g| within (1 +- eta)|G|: beta1 = 0.9."""
    beta1, beta2, rng = 0.9, 0.999, np.random.default_rng(0)
    limit, worst = steady_loss(eta, beta1, beta2, window), 0.0
    for _ in range(2000):
        n = int(rng.integers(1, 40))
        j = np.arange(1, n + 1)
        G = 1 + rng.choice([-1, 0, 1]) * np.minimum(j / window, 1) * rng.random()
        noise = (rng.uniform(-1, 1, n), rng.choice([-1, 1], n), np.full(n, -1))[int(rng.integers(3))]
        g = G * (1 + eta * noise)
        m, w = (1 - beta1) * (beta1 ** (j - 1) * g).sum(), (1 - beta2) * (beta2**j * g * g).sum()
        now = np.array([1 + eta, 1 - eta])  # a law with mean 1 and variance eta^2
        cost = beta1 * m * (1 / math.sqrt(w) - (1 / np.sqrt(w + (1 - beta2) * now**2)).mean())
        worst = max(worst, cost * math.sqrt(w + 1 - beta2) / (1 - beta1) / limit)
    assert 0.8 < worst <= 1 + 1e-12


def test_the_price_of_a_spike_is_a_supremum():
    steady, theta = steady_loss(0.2, 0.9, 0.999, 128), 0.9 / math.sqrt(0.999)
    t = np.random.default_rng(1).uniform(-6, 6, 100_000)
    t = 10**t
    worst = theta / math.sqrt(1 - theta**2) * np.sqrt((1 + t) / t) * (1 - 1 / np.sqrt(1 + 1.04 * t))
    excess = np.sqrt(t / (1 + t)) * (worst - steady) / np.log1p(0.64 * t)
    assert excess.max() <= spike_price(0.2, theta, steady) <= 1.002 * excess.max()


@pytest.mark.parametrize("eta", [0.0, 0.4])
def test_theorem_p_written_out(eta):
    """Q = R (sqrt(v0) + P), R = H/(1 - eta), P = (1 + eta) H: Q from the second bound alone."""
    Q, largest = ab.bound_pathwise(1.3, 2.0, 0.5, 0.04, eta)
    H = (largest - 0.2) / (1 + eta)
    assert Q == pytest.approx(H / (1 - eta) * (0.2 + (1 + eta) * H), rel=1e-12)


def test_theorem_a_prime_against_a_grid():
    """Every (rho, e) bounds S; the minimiser is as good as the best of a grid."""
    Delta, L, alpha, v0, tau2, grad2 = 1.3, 2.0, 0.2, 0.5, 1.6, 0.7
    root, best = math.sqrt(v0), math.inf
    for rho in np.linspace(0.02, 0.98, 97):
        for e in np.geomspace(1e-3, 1, 60):
            c = 1 - rho - tau2 * e / (4 * rho)
            if c <= 0:
                continue
            C = Delta / alpha + tau2 / (4 * rho * root) * (grad2 + 2 * (1 / e - 1) * (L * alpha) ** 2)
            first = largest_root(lambda s, c=c, C=C: c * s - C - alpha * L * math.log1p(tau2 * s / (2 * root)))
            best = min(best, first, best_split(C, alpha * L, 0.5, alpha * L * tau2 / (2 * c), root) / c)
    assert ab.bound_any_tau(Delta, L, alpha, v0, tau2, grad2).S == pytest.approx(best, rel=5e-3)


def test_theorem_b_sees_the_worst_coordinate():
    """max_i L_i/sqrt(v0_i), not their mean: the root of its equation where the split is no better."""
    Delta, L, alpha, v0, eta = 1.0, np.array([2.0, 0.1, 0.5]), 0.3, np.array([0.01, 1.0, 0.3]), 0.3
    tau, mu, Lam = math.sqrt(1 + eta**2), (1 - eta**2) / (1 + eta**2), 2.6
    worst = tau * max(L / np.sqrt(v0)) / Lam
    S = largest_root(lambda s: mu * s - Delta / alpha - alpha * Lam * math.log1p(worst * s))
    split = []
    for lam in np.linspace(0.001, 0.999, 999):
        b = L * alpha * tau**2 / (2 * mu * (1 - lam))
        extra = np.where(b > np.sqrt(v0), alpha * L * (0.5 + np.log(b / np.sqrt(v0))), 0).sum()
        split.append((Delta / alpha + extra) / (lam * mu))
    assert ab.bound_adagrad_coord(Delta, L, alpha, v0, eta).S == pytest.approx(min(S, *split), rel=1e-4)


@pytest.mark.parametrize("d", [1, 3])
def test_theorem_c_written_out(d):
    """Both numbers from the words of the docstrings, every constant typed anew."""
    Delta, L, alpha, v0, eta, b1, b2, K = 1.0, 2.0, 0.1, 0.25, 0.2, 0.3, 0.9, 40
    r, tau = math.sqrt(b2), math.sqrt(1 + eta**2)
    theta = b1 / r
    q = theta**2 / (1 - theta**2)
    mixed = q / 2 if d == 1 else min(math.sqrt(d) * q / 2, math.sqrt(0.204 * q) * theta / (1 - theta))
    B = 0.5 + theta / (1 - theta) + 0.102 * q + math.sqrt(0.204 * q) + mixed
    A = 2 * d * alpha * L * B * (1 - b1) ** 2 / ((1 - theta) ** 2 * (1 - b2))
    slope = (1 - b1) / (1 - theta) * ((1 - eta**2) / (1 + eta**2) - math.sqrt(q))
    bound, S = ab.bound_adam(Delta, L, alpha, v0, eta, b1, b2, K, d)
    inside = 1 + b2 ** (-K / 2) * tau * (1 - b2) * S / (d * math.sqrt(v0))
    assert slope * S == pytest.approx(Delta / alpha + A * math.log(inside), rel=1e-9)
    kappa = r * tau * (1 + r) + 1 - b2
    assert bound == pytest.approx(math.sqrt(S * (r * d * math.sqrt(v0) / (1 - r) + kappa * S)), rel=1e-12)
