"""Rules on JAX arrays and optimizers of optax, where they are installed (docs/conformance.md has the command)."""

import pytest

from samplingtheory.testing import check_batch_rule, check_optimizer
from samplingtheory.testing.others import third_party

jax = pytest.importorskip("jax")


@jax.jit
def size(gradients, eps):
    """The norm test on a batch; it needs double precision, which the kit switches on for the call."""
    assert gradients.dtype == jax.numpy.float64
    mean = gradients.mean(0)
    spread, signal = gradients.var(0, ddof=1).sum(), eps**2 * (mean @ mean)
    return jax.numpy.where(spread > 0, spread / signal, 0.0)


def test_rules_on_jax_arrays():
    before = jax.config.jax_enable_x64
    check_batch_rule(size, kind="norm", role="lagged", arrays="jax", examples=15).require()
    assert jax.config.jax_enable_x64 == before


def test_mistakes_on_jax_arrays_are_named():
    report = check_batch_rule(lambda g, eps: size(g, eps) * (len(g) - 1) / len(g), kind="norm", role="lagged",
                              arrays="jax", examples=15)
    assert '"divisor n for n - 1"' in report.diagnosis


def test_optax():
    pytest.importorskip("optax")
    entries = [e for e in third_party() if e[0].startswith("optax")]
    assert len(entries) == 6
    for name, factory, kind, expected in entries:
        check_optimizer(factory, kind=kind, name=name, expected_failures=expected, examples=10).require()
