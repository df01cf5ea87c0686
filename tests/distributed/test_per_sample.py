"""Per-sample statistics: hooks against torch.func and a loop, as `Moments`, and how they can be misused."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'samplingtheory[distributed]'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import samplingtheory as st  # noqa: E402
from samplingtheory.distributed import layers  # noqa: E402
from samplingtheory.distributed.passes import functional  # noqa: E402
from samplingtheory.distributed.per_sample import PerSample  # noqa: E402
from samplingtheory.distributed.per_sample_check import (  # noqa: E402
    check_per_sample_gradients,
    cross_entropy,
    looped,
)

WORDS, SHOWN = 17, 6


class Transformer(nn.Module):
    """Every layer that has a rule, and what has none: a bare parameter, a position table, an unused parameter."""

    def __init__(self, tied=False, padding=None):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, 12, padding_idx=padding), nn.Embedding(SHOWN, 12)
        self.wide, self.layer_norm, self.rms_norm = nn.Linear(12, 20), nn.LayerNorm(20), nn.RMSNorm(20)
        self.narrow, self.head = nn.Linear(20, 12, bias=False), nn.Linear(12, WORDS, bias=False)
        self.scale, self.unused = nn.Parameter(torch.rand(12) + 0.5), nn.Parameter(torch.ones(3))
        if tied:
            self.head.weight = self.words.weight

    def forward(self, x):
        h = self.words(x) + self.places(torch.arange(x.shape[1]))
        h = self.narrow(self.rms_norm(self.layer_norm(F.silu(self.wide(h)))))
        return self.head(h * self.scale)


def tokens(B=6, T=SHOWN, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(WORDS, (B, T), generator=rng), torch.randint(WORDS, (B, T), generator=rng)


def perceptron(*extra):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 16), nn.ReLU(inplace=True), *extra, nn.Linear(16, 4))


def features(B=9):
    rng = torch.Generator().manual_seed(1)
    return torch.randn(B, 10, generator=rng), torch.randint(4, (B,), generator=rng)


def table(model, loss, x, y):
    """The B x d table of sample gradients, by a loop."""
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    return torch.cat([t.flatten(1) for t in looped(model, loss, x, y, names).values()], dim=1).detach()


def assert_moments(m, rows, rtol):
    slow = st.moments(rows.double().numpy())
    for name in ("total", "along", "signal"):
        assert getattr(m, name) == pytest.approx(float(getattr(slow, name)), rel=rtol)
    for test in (st.NormTest(0.5), st.InnerProductTest(0.9), st.OrthogonalityTest(2.0),
                 st.AugmentedInnerProductTest(0.9, 5.84)):
        assert test(m) == pytest.approx(float(test(slow)), rel=10 * rtol)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype, rtol", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_moments_of_a_transformer(tied, dtype, rtol):
    torch.manual_seed(0)
    model, (x, y) = Transformer(tied).to(dtype), tokens()
    m = PerSample(model, cross_entropy)(x, y)
    assert_moments(m, table(model, cross_entropy, x, y), rtol)
    paths = m.paths
    assert paths["wide.weight"] == paths["rms_norm.weight"] == "hooks"
    assert "no rule for Transformer" in paths["scale"] and "without a batch axis" in paths["places.weight"]
    assert paths["words.weight"] == ("torch.func (shared: words.weight = head.weight)" if tied else "hooks")
    check = check_per_sample_gradients(model, (x, y), show=False)
    assert [row.name for row in check] == list(paths) and all(row.good for row in check)


def test_a_perceptron_and_the_plain_backward_pass():
    model, (x, y) = perceptron().double(), features()
    x = x.double()
    m = PerSample(model, F.cross_entropy)(x, y)
    assert set(m.paths.values()) == {"hooks"}
    assert_moments(m, table(model, F.cross_entropy, x, y), 1e-12)
    F.cross_entropy(model(x), y).backward()
    plain = [p.grad.clone() for p in model.parameters()]
    m.assign(model)
    for p, g in zip(model.parameters(), plain, strict=True):
        torch.testing.assert_close(p.grad, g, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(m.mean, torch.cat([g.flatten() for g in plain]).numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("rule", ["_by_tokens", "_by_table"])
@pytest.mark.parametrize("size", [2**24, 300])
def test_both_ways_of_a_linear_layer(rule, size, monkeypatch):
    monkeypatch.setattr(layers, "TABLE", size)
    rng = torch.Generator().manual_seed(0)
    a, delta = (torch.randn(7, 5, k, generator=rng, dtype=torch.float64) for k in (11, 9))
    part, slow = getattr(layers, rule)(a, delta, True), delta.mT @ a
    torch.testing.assert_close(part.gradient, slow.sum(0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(part.norms, slow.square().sum((1, 2)), rtol=1e-12, atol=0)
    torch.testing.assert_close(part.inner, (slow * slow.sum(0)).sum((1, 2)), rtol=1e-11, atol=1e-10)


def test_padding_repeated_tokens_and_frozen_parameters():
    torch.manual_seed(0)
    model, (x, y) = Transformer(padding=3).double(), tokens()
    x[:, :3] = 3
    x[:, 4] = x[:, 5]
    model.wide.weight.requires_grad_(False)
    m = PerSample(model, cross_entropy)(x, y)
    assert m.paths["words.weight"] == "hooks" and "wide.weight" not in m.paths and m.paths["wide.bias"] == "hooks"
    assert not m.gradient["words.weight"][3].any()
    assert_moments(m, table(model, cross_entropy, x, y), 1e-11)
    assert not model.wide.weight.requires_grad and model.wide.bias.requires_grad
    model.wide.weight.requires_grad_(True)  # the plan follows
    statistics = PerSample(model, cross_entropy)
    assert "wide.weight" in statistics(x, y).paths


def test_sum_and_mean_give_the_same_statistics():
    model, (x, y) = perceptron().double(), features()
    x = x.double()
    mean = PerSample(model, F.cross_entropy)(x, y)
    total = PerSample(model, lambda out, t: F.cross_entropy(out, t, reduction="sum"))(x, y)
    assert total.total == pytest.approx(mean.total, rel=1e-12) and total.along == pytest.approx(mean.along, rel=1e-12)
    assert total.signal == pytest.approx(mean.signal, rel=1e-12)


def test_norms_alone_cost_no_inner_products_and_say_so():
    model, (x, y) = perceptron(), features()
    m = PerSample(model, F.cross_entropy)(x, y, inner=False)
    assert st.NormTest(0.5)(m) > 0
    with pytest.raises(ValueError, match="inner products were not computed"):
        st.InnerProductTest(0.5)(m)


def test_a_layer_used_twice_or_by_a_functional_call_falls_back():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.again, self.head = nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 4)

        def forward(self, x):
            h = torch.tanh(self.first(x)) + F.linear(x, self.first.weight)
            return self.head(self.again(self.again(h)))

    torch.manual_seed(0)
    model, (x, y) = Twice().double(), features()
    x = x.double()
    m = PerSample(model, F.cross_entropy)(x, y)
    assert {n.split(".")[0] for n, path in m.paths.items() if path != "hooks"} == {"first", "again"}
    assert m.paths["first.bias"] == "hooks"  # used once
    assert_moments(m, table(model, F.cross_entropy, x, y), 1e-11)


def test_a_position_table_as_long_as_the_batch_is_not_mistaken_for_samples():
    torch.manual_seed(0)
    model, (x, y) = Transformer().double(), tokens(B=SHOWN)
    assert_moments(PerSample(model, cross_entropy)(x, y), table(model, cross_entropy, x, y), 1e-11)


def test_a_layer_that_later_runs_otherwise_is_an_error():
    class Choosing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head, self.twice = nn.Linear(10, 10), nn.Linear(10, 4), False

        def forward(self, x):
            h = torch.tanh(self.layer(x))
            return self.head(self.layer(h) if self.twice else h)

    model, (x, y) = Choosing(), features()
    statistics = PerSample(model, F.cross_entropy)
    statistics(x, y)
    model.twice = True
    with pytest.raises(ValueError, match="now runs twice"):
        statistics(x, y)
    assert statistics.model.layer.weight.requires_grad, "the model is left as it was"


def test_one_sample_has_no_spread():
    model, (x, y) = perceptron(), features(1)
    m = PerSample(model, F.cross_entropy)(x, y)
    assert m.total == math.inf and st.NormTest(0.5)(m) == math.inf


def test_errors_say_what_to_do():
    (x, y), model = features(), perceptron()
    with pytest.raises(ValueError, match="BatchNorm in training mode"):
        PerSample(perceptron(nn.BatchNorm1d(16)), F.cross_entropy)
    with pytest.raises(ValueError, match="neither the mean"):
        PerSample(model, lambda out, t: F.cross_entropy(out, t, weight=torch.arange(1.0, 5.0)))(x, y)
    with pytest.raises(ValueError, match="one target a sample"):
        PerSample(model, F.cross_entropy)(x, y[:-1])
    with pytest.raises(ValueError, match="NaN or infinite"):
        PerSample(model, F.cross_entropy)(x * math.nan, y)
    with pytest.raises(ValueError, match="no parameter"):
        PerSample(perceptron().requires_grad_(False), F.cross_entropy)(x, y)
    dropping = nn.Sequential(nn.Linear(10, 16), nn.Dropout(0.5), nn.Linear(16, 4))
    with pytest.raises(ValueError, match="drops at random"):
        functional(dropping, F.cross_entropy, x, y, ["0.weight"])


def test_dropout_is_repeated_where_all_parameters_take_the_hooks():
    torch.manual_seed(0)
    model, (x, y) = nn.Sequential(nn.Linear(10, 16), nn.Dropout(0.5), nn.Linear(16, 4)), features()
    statistics = PerSample(model, F.cross_entropy)
    assert set(statistics.paths(x, y).values()) == {"hooks"}
    torch.manual_seed(1)
    m = statistics(x, y)
    torch.manual_seed(1)
    F.cross_entropy(model(x), y).backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(m.gradient[name], p.grad, rtol=1e-4, atol=1e-6)


def test_the_checker_finds_a_wrong_rule(monkeypatch, capsys):
    right = layers.RULES[nn.LayerNorm]
    monkeypatch.setitem(layers.RULES, nn.LayerNorm, lambda module, a, delta, inner: {
        n: p._replace(norms=1.01 * p.norms) for n, p in right(module, a, delta, inner).items()})
    torch.manual_seed(0)
    check = check_per_sample_gradients(Transformer(), tokens())
    assert [row.name for row in check if not row.good] == ["layer_norm.weight", "layer_norm.bias"]
    assert "DIFFERS" in capsys.readouterr().out
