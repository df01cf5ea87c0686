"""Checkpoints without pickle: one .npz file of plain arrays and one JSON text, written whole or not at all."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed.checkpoint.state_dict as states
from torch import Tensor, nn

from ..errors import UserError
from ..store import replace_file
from .reduce import active, size_and_rank

FORMAT = 1
FULL = states.StateDictOptions(full_state_dict=True, cpu_offload=True)
VIEWS = {torch.bfloat16: torch.int16}  # NumPy has no such type: its bits


def save_checkpoint(path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer, **parts: Any) -> None:
    """Model, optimiser and `parts` (objects with state_dict, or plain JSON values); collective, rank 0 writes.

    DDP, FSDP2 and plain modules give the same file: whole tensors by the names of the plain model.
    """
    tree = {"model": states.get_model_state_dict(model, options=FULL),
            "optimizer": states.get_optimizer_state_dict(model, optimizer, options=FULL),
            "parts": {name: part.state_dict() if hasattr(part, "state_dict") else part for name, part in parts.items()}}
    if size_and_rank()[1] == 0:
        arrays: dict[str, np.ndarray] = {}
        layout = _flatten(tree, arrays)
        text = json.dumps({"format": FORMAT, "tree": layout})
        arrays["layout"] = np.frombuffer(text.encode(), dtype=np.uint8)
        replace_file(Path(path), lambda file: np.savez(file, allow_pickle=False, **arrays), durable=True)
    if active():
        torch.distributed.barrier()


def load_checkpoint(path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer,
                    **parts: Any) -> dict[str, Any]:
    """The inverse: fills model, optimiser and the given parts; returns what else was kept, plain JSON values.

    Call it on every rank. UserError: the file is absent, damaged or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(arrays["layout"].tobytes().decode())
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}, this version reads {FORMAT}")
        tree = _restore(head["tree"], arrays)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read the checkpoint {path}: {error}; start afresh or name another") from error
    broadcast = states.StateDictOptions(full_state_dict=True)
    states.set_model_state_dict(model, tree["model"], options=broadcast)
    states.set_optimizer_state_dict(model, optimizer, tree["optimizer"], options=broadcast)
    plain = tree["parts"]
    for name, part in parts.items():
        part.load_state_dict(plain[name])
    return {name: value for name, value in plain.items() if name not in parts}


def _flatten(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON for `value`; tensors go into `arrays`, and a reference stands in their place."""
    if isinstance(value, Tensor):
        name = f"t{len(arrays)}"
        held = value.detach().cpu().contiguous()
        arrays[name] = (held.view(VIEWS[held.dtype]) if held.dtype in VIEWS else held).numpy()
        return {"tensor": name, "dtype": str(held.dtype).removeprefix("torch.")}
    if isinstance(value, dict):
        return {"items": [[key, _flatten(v, arrays)] for key, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [_flatten(v, arrays) for v in value], "tuple": isinstance(value, tuple)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"plain": value}
    raise TypeError(f"a checkpoint holds {type(value).__name__} {value!r}; need tensors, numbers, text, lists or dicts")


def _restore(node: Any, arrays: dict[str, np.ndarray]) -> Any:
    if "tensor" in node:
        held = torch.from_numpy(np.array(arrays[node["tensor"]]))
        dtype = getattr(torch, node["dtype"])
        return held.view(dtype) if dtype in VIEWS else held
    if "items" in node:
        return {key: _restore(v, arrays) for key, v in node["items"]}
    if "list" in node:
        made = [_restore(v, arrays) for v in node["list"]]
        return tuple(made) if node["tuple"] else made
    return node["plain"]
