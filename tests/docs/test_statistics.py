"""Every row of docs/statistics.md. Identities hold for all tables; expectations are means of chi-squares.

Random assertions: the mean of R independent values lies within 5 standard errors (error level 6e-7 each), the relative
variance of R values within 5 of its own (kurtosis of a chi-square included).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs
from scipy.stats import binom

import samplingtheory as st

TABLES = hs.builds(lambda J, m, d, seed, scale: scale * (np.random.default_rng(seed).standard_normal((J, m, d)) + 1),
                   hs.integers(2, 6), hs.integers(2, 6), hs.integers(1, 8), hs.integers(0, 10**6),
                   hs.sampled_from([1e-3, 1.0, 1e4]))


def statistics(samples):
    J, m, _d = samples.shape
    g = samples.mean(1)
    mean = g.mean(0)
    return J, m, J * m, g, mean, ((g - mean) ** 2).sum() / J, (g**2).sum(-1).mean(), (mean**2).sum()


@given(TABLES)
def test_identities(samples):
    J, m, b, g, _, D, squares, signal = statistics(samples)
    tiny = 1e-9 * squares
    assert D == pytest.approx(squares - signal, rel=1e-9, abs=tiny)
    by_workers = st.moments(g, counts=np.full(J, m))
    assert by_workers.total == pytest.approx(b / (J - 1) * D, rel=1e-9)
    assert by_workers.total == pytest.approx((squares - signal) / (1 / m - 1 / b), rel=1e-9, abs=tiny * b)
    estimate = (b * signal - m * squares) / (b - m)
    assert signal - by_workers.total / b == pytest.approx(estimate, rel=1e-9, abs=tiny)
    assert st.debiased(by_workers).signal == pytest.approx(max(0.0, estimate), rel=1e-9, abs=tiny)
    assert squares / signal == pytest.approx(1 + D / signal, rel=1e-9)
    eps = np.sqrt(by_workers.total / b / signal)
    assert squares / signal == pytest.approx(1 + (J - 1) * eps**2, rel=1e-9)
    assert st.NormTest(eps)(by_workers) == pytest.approx(b, rel=1e-9)


NOISE_SCALES, RANKS, SHARES = hs.floats(0.01, 1e4), hs.integers(2, 9), hs.integers(1, 64)


def squared_mean(B, n):
    """E |mean of n samples|^2 by listing all batches: |G| = 1, one coordinate of noise +-sqrt(B)."""
    k = np.arange(n + 1)
    return 1 + B * float((binom.pmf(k, n, 0.5) * ((2 * k - n) / n) ** 2).sum())


@given(NOISE_SCALES, hs.floats(0.05, 2))
def test_norm_test_and_noise_scale(B, eta):
    law = st.moments(np.array([[1.0, 1.0], [1.0, -1.0]]) * [1, np.sqrt(B / 2)])  # |G| = 1, V = B
    assert law.total == pytest.approx(B) and law.signal == 1
    assert st.NormTest(1.0)(law) == pytest.approx(B) and st.NormTest(eta)(law) == pytest.approx(B / eta**2)


@given(NOISE_SCALES, RANKS, SHARES, hs.floats(0.05, 2))
def test_printed_statistic_as_a_test(B, J, m, eta):
    b = J * m
    printed = (J - 1) * B / b / b <= eta**2  # E D / b against eta^2 |G|^2
    assert printed == (b >= np.sqrt((J - 1) * B) / eta) or np.isclose(b, np.sqrt((J - 1) * B) / eta)
    assert printed == (B / b <= (eta * np.sqrt(b / (J - 1))) ** 2) or np.isclose(b, np.sqrt((J - 1) * B) / eta)


@given(NOISE_SCALES, RANKS, SHARES)
def test_gain_and_growth(B, J, m):
    b = J * m
    gain = squared_mean(B, m) / squared_mean(B, b)
    assert gain == pytest.approx((1 + B / m) / (1 + B / b), rel=1e-9) and 1 - 1e-9 <= gain <= J + 1e-9
    assert squared_mean(B, b) == pytest.approx(1 + B / b, rel=1e-9)
    assert st.growth_of(st.NormTest(np.sqrt(B / b))) == pytest.approx(squared_mean(B, b), rel=1e-9)


@given(hs.floats(0.05, 0.95), hs.floats(0.01, 10))
def test_the_practical_test_in_the_mean(eps, r):
    """r = V/(b |G|^2): the batch sees r against eps^2 (1 + r)."""
    limit = eps**2 / (1 - eps**2)
    assert (r <= eps**2 * (1 + r)) == (r <= limit) or np.isclose(r, limit)


R, J, m = 4000, 4, 6
SPREADS = {"isotropic": np.ones(10), "uneven": np.array([3.0, 1, 1, 0.3, 0.1])}


@pytest.mark.parametrize("name", SPREADS)
def test_bias_and_variance(name):
    sd = SPREADS[name]
    V, d_eff, b = (sd**2).sum(), (sd**2).sum() ** 2 / (sd**4).sum(), J * m
    x = 1 + sd * np.random.default_rng(7).standard_normal((R, J, m, len(sd)))
    g = x.mean(2)
    D = ((g - g.mean(1, keepdims=True)) ** 2).sum((1, 2)) / J
    flat = x.reshape(R, b, -1)
    squares = ((flat - flat.mean(1, keepdims=True)) ** 2).sum((1, 2))
    pooled = ((x - g[:, :, None]) ** 2).sum((1, 2, 3)) / (b - J)
    rows = [(st.moments(flat).total, 1, b - 1), (squares / b, (b - 1) / b, b - 1), (b / (J - 1) * D, 1, J - 1),
            (D, (J - 1) / b, J - 1), (pooled, 1, b - J)]
    for values, bias, dof in rows:
        ratio = values / V
        assert abs(ratio.mean() - bias) < 5 * ratio.std() / np.sqrt(R)
        relative = (ratio / bias).var(ddof=1)
        error = np.sqrt(((ratio / bias - 1) ** 2).var() / R)
        assert abs(relative - 2 / (d_eff * dof)) < 5 * error
    signal = (flat.mean(1) ** 2).sum(-1)
    assert abs(signal.mean() - len(sd) - V / b) < 5 * signal.std() / np.sqrt(R)
    assert abs((D / V).mean() - 1) > 50 * (D / V).std() / np.sqrt(R)  # the printed statistic is far from V: can fail
