"""The language-model experiment: ranks simulated in one process are the ranks of DDP and FSDP2; schedules; tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'samplingtheory[distributed]'")

from experiments import e10_language_model as e10  # noqa: E402
from experiments.language_model.arms import ARMS, Even, Stages, name_of  # noqa: E402
from experiments.language_model.model import SIZES, Llama, next_byte_loss, rotary, rotate  # noqa: E402
from experiments.language_model.text import library_text, windows  # noqa: E402
from experiments.language_model.train import Setting, train  # noqa: E402
from samplingtheory.distributed import check_per_sample_gradients  # noqa: E402

ROOT = Path(__file__).parents[2]
RUN = ["--rule", "lagged", "--eps", "0.3", "--steps", "6", "--dtype", "float64"]


def on_ranks(parallel, nproc):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(nproc), "--rdzv-backend", "c10d",
               "--rdzv-endpoint", "localhost:0", "-m", "experiments.language_model", *RUN, "--parallel", parallel]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240,
                          env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr[:3000]
    return json.loads(done.stdout.strip().splitlines()[-1])


def assert_same_run(here, there):
    assert here["sizes"] == there["sizes"] and len(here["sizes"]) > 1, "the batch must have changed"
    for name in ("train", "validation"):
        assert here[name] == pytest.approx(there[name], rel=1e-10)
    assert here["noise_scale"] == pytest.approx(there["noise_scale"], rel=1e-7)


def simulated(ranks):
    from experiments.language_model.train import Place

    arm = {"rule": "lagged", "eps": 0.3}
    return train(Setting(ranks=ranks), arm, 0, Place(dtype="float64"), most_steps=6)


def test_simulated_ranks_are_four_ddp_ranks():
    """Losses after six steps of which some change the batch, in float64."""
    assert_same_run(simulated(4), on_ranks("ddp", 4))


@pytest.mark.slow
def test_simulated_ranks_are_two_fsdp_ranks():
    assert_same_run(simulated(2), on_ranks("fsdp", 2))


def test_the_model_is_causal_and_rotates():
    model = Llama(SIZES["nano"], 16)
    assert sum(p.numel() for p in model.parameters()) == 133_440
    x = torch.randint(256, (2, 16), generator=torch.Generator().manual_seed(0))
    y = x.clone()
    y[:, 9:] = (y[:, 9:] + 1) % 256
    torch.testing.assert_close(model(x)[:, :9], model(y)[:, :9])
    angles = rotary(16, 8)
    q, k = torch.randn(2, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    products = [(rotate(q, angles[i:i + 1].double()) * rotate(k, angles[i + 3:i + 4].double())).sum() for i in (0, 5, 12)]
    torch.testing.assert_close(products[0], products[1])  # only the distance of positions counts
    torch.testing.assert_close(products[0], products[2])


def test_per_sample_gradients_of_the_model():
    text = library_text(16)
    model = Llama(SIZES["nano"], 16).double()
    batch = text.train[:5].long()
    check = check_per_sample_gradients(model, (batch[:, :-1], batch[:, 1:]), next_byte_loss, show=False)
    assert all(row.good and row.path == "hooks" for row in check) and len(check) == 15


def test_text_is_the_standard_library_and_repeats():
    first, second = library_text(64), library_text(64)
    assert first.checksum == second.checksum and torch.equal(first.train, second.train)
    assert first.files > 100 and len(first.train) > 20 * len(first.validation) / 3
    assert windows(b"abcdefg", 3).tolist() == [[97, 98, 99], [100, 101, 102]]


def test_schedules():
    stages, even = Stages(512, 4000, 4), Even(4184, 51, 4)
    sizes = []
    while stages.done < 4000:
        sizes.append(stages.plan.size)
        stages.update()
    assert sizes == [128, 256] + [512] * 8
    got = []
    for _ in range(51):
        got.append(even.plan.size)
        even.update()
    assert sum(got) == 4184 and max(got) - min(got) <= 4 and all(n % 4 == 0 for n in got)


def test_learning_rate_is_by_samples():
    s = Setting()
    rates = [s.learning_rate(n) for n in (0, 39, 40, 2020, 4000, 5000)]
    assert rates == pytest.approx([s.rate / 40, s.rate, s.rate, 0.55 * s.rate, 0.1 * s.rate, 0.1 * s.rate], rel=1e-2)


def test_a_small_table_beside_the_kept_ones():
    arms = [ARMS[0], next(a for a in ARMS if a["rule"] == "unbiased")]
    todo = [{"arm": arm, "seed": seed, "sequences": 64} for seed in range(2) for arm in arms]
    results = [(task, e10.compute(task)) for task in todo]
    assert e10.compute(todo[1]) == results[1][1]
    table = e10.table(results)
    assert [r["arm"] for r in table["rows"]] == [name_of(a) for a in arms]
    assert all(holds for words, holds, _ in table["statements"] if not words.startswith("predicted"))
    shaped = e10.shape(results)
    assert [(t["sequences"], t["kept"]) for t in shaped["tables"]] == [(64, False), (4000, True), (12000, True)]
    assert len(e10.draw(shaped)) == 3
    assert "64 sequences, 2 seeds:" in e10.caption(shaped) and "0 of 8 adaptive schedules" in e10.compare(shaped)
