"""GradientMonitor in one process: real steps of plain modules, and simulated ranks with uneven shards."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'samplingtheory[distributed]'")

from samplingtheory.distributed import (  # noqa: E402
    AdaptiveBatch,
    AdaptiveBatchSampler,
    GradientMonitor,
    NonFiniteGradients,
    all_sum,
    check_same_model,
    monitor,
    squared_norm,
    train_step,
)
from samplingtheory.distributed import reference as ref  # noqa: E402
from samplingtheory.distributed.checks import compare  # noqa: E402
from samplingtheory.distributed.norms import _rows, share  # noqa: E402
from samplingtheory.distributed.taps import Tap  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


# ---------------------------------------------------------------- norms


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("norm", [squared_norm, _rows])  # the second is what runs on an accelerator
def test_norms_keep_the_digits_that_a_difference_needs(dtype, norm):
    x = (1 + torch.rand(3_000_001, generator=torch.Generator().manual_seed(0))).to(dtype)
    exact = float((x.double() ** 2).sum())
    limit = 1e-13 if dtype == torch.float64 else 1e-7 if norm is squared_norm else 2e-6
    assert float(norm(x)) == pytest.approx(exact, rel=limit)
    assert norm(x).dtype == torch.float64


def test_one_norm_in_float32_would_not():
    x = 1 + torch.rand(3_000_001, generator=torch.Generator().manual_seed(0))
    assert abs(float(torch.linalg.vector_norm(x)) ** 2 / float((x.double() ** 2).sum()) - 1) > 1e-6


@pytest.mark.parametrize("shape", [(0,), (1,), (65536,), (65537,), (3, 5, 7)])
def test_norms_of_any_shape(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).transpose(0, -1)
    for norm in (squared_norm, lambda y: _rows(y.reshape(-1))):
        assert float(norm(x)) == pytest.approx(float((x.double() ** 2).sum()), rel=1e-6)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.integers(1, 6))
def test_each_tensor_is_measured_by_one_rank_and_the_load_is_even(sizes, ranks):
    shares = [share(sizes, ranks, r) for r in range(ranks)]
    assert sorted(i for mine in shares for i in mine) == list(range(len(sizes)))
    loads = [sum(sizes[i] for i in mine) for mine in shares]
    assert max(loads) - min(loads) <= max(sizes)


# ---------------------------------------------------------------- plain modules


def step(sizes, kind="mlp", weighting="equal", scale=1.0):
    model = ref.build(kind, torch.float64)
    look = GradientMonitor(model, weighting=weighting)
    data, at, n = ref.samples(kind, sum(sizes), torch.float64), 0, sum(sizes)
    for c in sizes:
        value, _ = ref.loss(model, data[at:at + c])
        (value * scale * (1 / len(sizes) if weighting == "equal" else c / n)).backward()
        at += c
    got = look.measure(sizes, scale)
    return got, ref.expected(ref.table(model, data, sizes), [sizes], "micro-batches", weighting)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.sampled_from(["equal", "samples"]),
       st.sampled_from([1.0, 1024.0]))
def test_micro_batches_of_any_sizes(sizes, weighting, scale):
    assert compare(*step(sizes, weighting=weighting, scale=scale)) < 1e-12


def test_a_tied_weight_is_one_parameter():
    model = ref.build("transformer", torch.float64)
    model[-1].weight = model[0].weight
    data = ref.samples("transformer", 6, torch.float64)
    look = GradientMonitor(model)
    for half in data.split(3):
        (ref.loss(model, half)[0] / 2).backward()
    got = look.measure([3, 3])
    rows = ref.table(model, data, [3, 3])
    assert compare(got, ref.expected(rows, [[3, 3]], "micro-batches", "equal")) < 1e-12


def test_the_comparison_can_fail():
    got, want = step([4, 4])
    wrong = [type(got)(got.mean_square * (1 + 1e-9), got.signal, 2, 8, 8.0, got.spread, got.scope),
             type(got)(got.mean_square, got.signal, 2, 8, 8.0, got.spread * 2, got.scope),
             type(got)(got.mean_square, got.signal, 2, 8, 8.0, got.spread, "ranks")]
    assert compare(got, want) < 1e-12 and all(compare(w, want) > 1e-11 for w in wrong)


def test_the_hooks_leave_no_copy_and_go_when_closed():
    model = ref.build("mlp", torch.float64)
    look = GradientMonitor(model)
    value, _ = ref.loss(model, ref.samples("mlp", 4, torch.float64))
    value.backward()
    held = [x for x in vars(look.tap).values() if torch.is_tensor(x)]
    assert sum(x.numel() for x in held) <= 256
    look.reset()
    look.close()
    ref.loss(model, ref.samples("mlp", 4, torch.float64))[0].backward()
    with pytest.raises(ValueError, match="no gradient was seen"):
        look.measure([4])


@pytest.mark.parametrize("counts, words", [
    ([4], "use at least two micro-batches"), ([], "counts must be"), ([2, -2], "counts must be"),
    ([1, 1, 1], "differ|divide"), ([2.0, 2.0], "counts must be"),
])
def test_bad_counts_get_one_line(counts, words):
    model = ref.build("mlp", torch.float64)
    look = GradientMonitor(model)
    for _ in range(1 if counts == [4] else 2):
        ref.loss(model, ref.samples("mlp", 4, torch.float64))[0].backward()
    with pytest.raises(ValueError, match=words):
        look.measure(counts)


def test_other_errors_get_one_line():
    with pytest.raises(ValueError, match="nothing to measure"):
        GradientMonitor(ref.build("mlp", torch.float64).requires_grad_(False))
    with pytest.raises(ValueError, match="units is 'worker'"):
        GradientMonitor(ref.build("mlp", torch.float64), units="worker")
    model = ref.build("mlp", torch.float64)
    look = GradientMonitor(model)
    look.enabled = False
    with pytest.raises(ValueError, match="monitor was off"):
        look.measure([2, 2])
    look.enabled = True
    for _ in range(2):
        (ref.loss(model, ref.samples("mlp", 4, torch.float64))[0] * float("nan")).backward()
    with pytest.raises(NonFiniteGradients, match="skip the step"):
        look.measure([4, 4])
    for _ in range(2):  # a parameter without gradient in one of two micro-batches of different sizes
        model.zero_grad()
    ref.loss(model, ref.samples("mlp", 2, torch.float64))[0].backward()
    model[4].bias.requires_grad_(False)
    ref.loss(model, ref.samples("mlp", 4, torch.float64))[0].backward()
    with pytest.raises(ValueError, match="cannot be told apart"):
        look.measure([2, 4])


def test_more_rounds_than_slots():
    model = ref.build("mlp", torch.float32)
    look = GradientMonitor(model)
    for _ in range(257):
        ref.loss(model, ref.samples("mlp", 1, torch.float32))[0].backward()
    with pytest.raises(ValueError, match="once a step"):
        look.measure([1] * 257)
    assert look.tap.rounds == 0  # and the next step starts afresh


def test_one_process_is_its_own_sum():
    assert float(all_sum()(np.float64(3.0))) == 3.0
    check_same_model(ref.build("mlp", torch.float32))


# ---------------------------------------------------------------- simulated ranks


class Loaded(Tap):
    """A tap that has seen what it is told."""

    def __init__(self, kind, squares):
        super().__init__(torch.device("cpu"))
        self.kind, self.counts = kind, {"reduction": len(squares)}
        self.slots[:len(squares)] = torch.tensor(squares, dtype=torch.float64)


def simulate(g, sizes, kind, rounds, weighting, cuts):
    """`measure` on J threads whose sum over ranks is a barrier; the parameters have uneven lengths (`cuts`)."""
    J, M, d = g.shape
    c = np.array(sizes, dtype=float)
    w = c / c.sum() if weighting == "samples" else np.full((J, M), 1 / (J * M))
    mean = np.einsum("jm,jmd->d", w, g)
    put = J * w[..., None] * g  # what a rank puts into the average
    if kind == "ddp" and rounds > 1:  # reduced after each: the average so far, plus one's own
        so_far = np.cumsum(put.mean(0), axis=0)
        units = np.stack([put[:, m] + (so_far[m - 1] if m else 0) for m in range(M)], axis=1)
    else:
        units = put.reshape(J, rounds, M // rounds, d).sum(2)
    barrier, board, out = threading.Barrier(J), [None] * J, [None] * J

    def add_rows(row, group=None):
        board[threading.current_thread().rank] = row
        barrier.wait(10)
        rows = list(board)
        barrier.wait(10)
        return rows

    def rank(j):
        threading.current_thread().rank = j
        parameters = torch.nn.ParameterList([torch.zeros(len(x)) for x in np.split(mean, cuts)])
        look = GradientMonitor(parameters.double(), weighting=weighting)
        for p, part in zip(look.parameters, np.split(mean, cuts), strict=True):
            p.grad = torch.from_numpy(part.copy())
        look.alone, look.ranks, look.rank = False, J, j
        look.tap = Loaded(kind, (units[j] ** 2).sum(-1))
        try:
            out[j] = look.measure(list(sizes[j]))
        except ValueError as error:
            out[j] = str(error)

    before, monitor.add_rows = monitor.add_rows, add_rows
    try:
        threads = [threading.Thread(target=rank, args=(j,)) for j in range(J)]
        [t.start() for t in threads]
        [t.join() for t in threads]
    finally:
        monitor.add_rows = before
    return out


@st.composite
def worlds(draw):
    J, M, d = draw(st.integers(2, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = [[draw(st.integers(1, 6)) for _ in range(M)] for _ in range(J)]
    cuts = sorted(draw(st.lists(st.integers(1, d), max_size=3, unique=True)))
    g = rng.standard_normal((J, M, d)) * draw(st.sampled_from([0.01, 1.0])) + rng.standard_normal(d)
    return g, sizes, [cut for cut in cuts if cut < d]


@settings(max_examples=60)
@given(worlds(), st.sampled_from(["equal", "samples"]), st.sampled_from(["ddp", "fsdp"]), st.booleans())
def test_the_reduction_over_simulated_ranks(world, weighting, kind, each):
    g, sizes, cuts = world
    M = g.shape[1]
    rounds = M if each else 1
    scope = ("last micro-batch" if kind == "ddp" else "micro-batches") if rounds > 1 else "ranks"
    out = simulate(g, sizes, kind, rounds, weighting, cuts)
    if scope == "last micro-batch" and weighting == "samples":
        assert all("cannot be told from its last" in said for said in out)
        return
    want = ref.expected(g.reshape(-1, g.shape[2]), sizes, scope, weighting)
    assert all(compare(got, want) < 1e-12 for got in out)
    assert len({(got.mean_square, got.signal) for got in out}) == 1  # the same to the bit on every rank


def test_groups_of_micro_batches():
    g = np.random.default_rng(0).standard_normal((2, 4, 3)) + 1
    grouped = g.reshape(2, 2, 2, 3).mean(2)
    out = simulate(g, [[3] * 4] * 2, "fsdp", 2, "equal", [])
    want = ref.expected(grouped.reshape(-1, 3), [[6] * 2] * 2, "micro-batches", "equal")
    assert compare(out[0], type(want)(**{**vars(want), "scope": "ranks"})) < 1e-12
    assert all("does not divide" in said for said in simulate(g[:, :3], [[3] * 3] * 2, "fsdp", 1, "equal", [])
               if isinstance(said, str))


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("make", [
    lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), lambda p: torch.optim.AdamW(p, lr=1e-2),
    lambda p: torch.optim.Adagrad(p, lr=0.1)], ids=["SGD", "AdamW", "Adagrad"])
def test_any_optimiser_is_driven(make):
    model = ref.build("mlp", torch.float64)
    batch = AdaptiveBatch(8, eps=0.3, most=64, accumulate=2, micro_most=16)
    sampler = AdaptiveBatchSampler(200, batch, total=2000)
    look, optimizer = GradientMonitor(model), make(model.parameters())
    data = torch.utils.data.TensorDataset(ref.samples("mlp", 200, torch.float64))
    losses, sizes = [], []
    for plan, micro_batches in sampler.steps(torch.utils.data.DataLoader(data, batch_sampler=sampler)):
        look.enabled = batch.due
        value, statistics = train_step(model, optimizer, micro_batches, lambda m, b: ref.loss(m, b[0]), plan, look,
                                       clip=1.0)
        assert (statistics is None) == (not look.enabled)
        batch.update(statistics)
        losses.append(value)
        sizes.append(plan.size)
    assert sizes == sorted(sizes) and sizes[0] == 8 and sizes[-1] == 64 and sum(sizes) == sampler.done >= 2000
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_statistics_are_taken_before_clipping_and_of_the_unscaled_loss():
    def once(**more):
        model = ref.build("mlp", torch.float32)
        batch = AdaptiveBatch(8, eps=0.3, most=64, accumulate=2)
        halves = ref.samples("mlp", 8, torch.float32).split(4)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        value, s = train_step(model, optimizer, halves, ref.loss, batch.plan, GradientMonitor(model), **more)
        return value, s, [p.detach().clone() for p in model.parameters()]

    plain, clipped = once(), once(clip=1e-3)
    scaled = once(scaler=torch.amp.GradScaler("cpu", init_scale=1024.0))
    assert plain[1] == clipped[1] and plain[1].total == pytest.approx(scaled[1].total, rel=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(plain[2], scaled[2], strict=True))
    assert not torch.equal(plain[2][0], clipped[2][0])


def test_a_step_without_all_its_micro_batches_is_refused():
    model = ref.build("mlp", torch.float32)
    plan = AdaptiveBatch(8, eps=0.3, most=64, accumulate=2).plan
    with pytest.raises(ValueError, match="got 1 micro-batches; the plan has 2"):
        train_step(model, torch.optim.SGD(model.parameters(), lr=0.1), [ref.samples("mlp", 4, torch.float32)], ref.loss,
                   plan)


def test_counts_may_be_numpy_integers_and_bad_ones_are_reported_by_all_ranks():
    """What is no list is judged with the rest, after the exchange: a rank that raised before it would leave the others."""
    def look(counts, scale=1.0):
        model = ref.build("mlp", torch.float64)
        monitor_ = GradientMonitor(model)
        for _ in range(2):
            ref.loss(model, ref.samples("mlp", 4, torch.float64))[0].backward()
        return monitor_.measure(counts, scale)

    assert look(np.array([4, 4])).samples == 8
    for counts in (4.0, None, [4, "4"]):
        with pytest.raises(ValueError, match="counts must be the sizes"):
            look(counts)
    for scale in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="give the finite factor above 0"):
            look([4, 4], scale)
