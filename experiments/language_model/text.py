"""Text that every Python ships with: the sources and docstrings of its standard library, as bytes."""

from __future__ import annotations

import hashlib
import platform
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

HELD_OUT = 10  # every tenth file is for validation


@dataclass(frozen=True)
class Text:
    """Windows of context + 1 bytes, none overlapping; `checksum` of the files tells two Pythons apart."""

    train: Tensor
    validation: Tensor
    files: int
    checksum: str
    python: str


def library_text(context: int) -> Text:
    """The top-level modules Lib/*.py in order of their names, so that two runs of one Python read the same bytes."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"), key=lambda path: path.name)
    contents = [path.read_bytes() for path in files]
    checksum = hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]
    parts = [[c for i, c in enumerate(contents) if (i % HELD_OUT == HELD_OUT - 1) == held] for held in (False, True)]
    train, validation = (windows(b"\n".join(part), context + 1) for part in parts)
    return Text(train, validation, len(files), checksum, platform.python_version())


def windows(data: bytes, length: int) -> Tensor:
    """The bytes as rows (count, length); what is left over at the end is dropped."""
    whole = len(data) // length * length
    return torch.from_numpy(np.frombuffer(data[:whole], dtype=np.uint8).reshape(-1, length).copy())
