"""Random generators by name, so that neither workers nor order change a result."""

from __future__ import annotations

import hashlib

import numpy as np

Seedable = int | np.random.SeedSequence | np.random.Generator


def child(root: int, *key: object) -> np.random.Generator:
    """The generator that belongs to `key` (claim, case, block) under the root seed.

    The key is hashed, so adding or reordering claims leaves every other stream as it was.
    """
    digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
    words = np.frombuffer(digest, dtype=np.uint32)
    return np.random.default_rng(np.random.SeedSequence(root, spawn_key=tuple(int(w) for w in words)))


def root_seed(rng: Seedable) -> int:
    """One integer from anything that SPEC 7 accepts as `rng`."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    if isinstance(rng, np.random.SeedSequence):
        return int(rng.generate_state(1, np.uint64)[0])
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return int(rng)
    raise TypeError(f"rng is {rng!r}; give a non-negative integer, a SeedSequence or a Generator")


def generator(rng: Seedable) -> np.random.Generator:
    """`rng` as a Generator; a Generator is passed through, not copied."""
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(root_seed(rng))
