"""Checkpoints: plain arrays and text, whole or not at all."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'samplingtheory[distributed]'")

from samplingtheory.distributed import AdaptiveBatch, load_checkpoint, save_checkpoint  # noqa: E402
from samplingtheory.distributed import reference as ref  # noqa: E402
from samplingtheory.errors import UserError  # noqa: E402


def trained(steps, dtype=torch.float32, kind="mlp"):
    model = ref.build(kind, dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        ref.loss(model, ref.samples(kind, 8, dtype))[0].backward()
        optimizer.step()
    return model, optimizer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_what_is_loaded_is_what_was_saved(tmp_path, dtype, kind):
    path = tmp_path / "run.npz"
    model, optimizer = trained(3, dtype, kind)
    save_checkpoint(path, model, optimizer, batch=AdaptiveBatch(8, eps=0.5, most=64), note=[1, 2.5, "x", None])
    fresh, other = trained(0, dtype, kind)
    batch = AdaptiveBatch(16, eps=0.5, most=64)
    assert load_checkpoint(path, fresh, other, batch=batch) == {"note": [1, 2.5, "x", None]}
    assert batch.plan.size == 8
    for a, b in zip(model.state_dict().values(), fresh.state_dict().values(), strict=True):
        assert torch.equal(a, b) and a.dtype == b.dtype
    for m, o in ((model, optimizer), (fresh, other)):
        o.zero_grad()
        ref.loss(m, ref.samples(kind, 8, dtype))[0].backward()
        o.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), fresh.parameters(), strict=True))


def test_no_pickle_inside(tmp_path):
    save_checkpoint(tmp_path / "run.npz", *trained(1))
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)
        assert json.loads(file["layout"].tobytes())["format"] == 1


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    save_checkpoint(path, *trained(1))
    before = path.read_bytes()

    def fail(file, **arrays):
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, *trained(2))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"text"])
def test_a_damaged_file_gets_one_line(tmp_path, spoil):
    path = tmp_path / "run.npz"
    save_checkpoint(path, *trained(1))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        load_checkpoint(path, *trained(0))
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        load_checkpoint(tmp_path / "absent.npz", *trained(0))


def test_what_is_no_plain_value_is_refused(tmp_path):
    with pytest.raises(TypeError, match="need tensors, numbers"):
        save_checkpoint(tmp_path / "run.npz", *trained(0), batch={1, 2})
