"""Calling other people's code: every way in which it can break the contract gets a name.

Each call is made with a copy of its input and with the global random state fixed, and both are restored afterwards;
what depends on that state shows in one check, and cannot make the others flaky.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .engine import Failure, need


@contextmanager
def fixed_chance(seed: int = 0) -> Iterator[None]:
    """The global random states of `random`, NumPy and, if loaded, torch, set to `seed` and put back."""
    torch = sys.modules.get("torch")
    before = random.getstate(), np.random.get_state(), torch.get_rng_state() if torch else None  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        if torch:
            torch.set_rng_state(before[2])


def guarded(call: Callable[..., Any], *args: Any, seed: int = 0, **params: Any) -> Any:
    """call(*args, **params); an exception becomes a `Failure` that names it."""
    with fixed_chance(seed), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return call(*args, **params)
        except Exception as error:
            words = " ".join(str(error).split())
            raise Failure(f"raises {type(error).__name__}" + (f": {words[:160]}" if words else "")) from None


def as_array(value: Any) -> np.ndarray:
    """NumPy array from NumPy, torch (detached, on the host), JAX or nested lists."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value)


def as_number(value: Any, what: str = "a size") -> float:
    """One real number, not NaN, from whatever was returned."""
    try:
        need(value is not None, f"returns None where {what}, one number, is needed")
        array = as_array(value)
        wide = array.astype(float)
    except (TypeError, ValueError):
        raise Failure(f"returns {type(value).__name__} where {what}, one number, is needed") from None
    need(array.dtype.kind not in "cSUO" or isinstance(value, (int, float)) or hasattr(value, "__float__"),
         f"returns {array.dtype}; {what} is a real number")
    need(wide.size == 1 and wide.ndim <= 1, f"returns an array of shape {wide.shape}; {what} is one number")
    answer = float(wide.ravel()[0])
    need(answer == answer, "returns NaN")
    return answer


def as_points(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A finite float array of the given shape."""
    try:
        array = as_array(value).astype(float)
    except (TypeError, ValueError):
        raise Failure(f"returns {type(value).__name__} where {what}, an array of shape {shape}, is needed") from None
    need(array.shape == shape, f"returns an array of shape {array.shape}; {what} has shape {shape}")
    need(not np.isnan(array).any(), "returns NaN")
    need(np.isfinite(array).all(), "returns an infinite value")
    return array


def seedless(call: Callable[[int], Any]) -> None:
    """call(seed) with several global seeds must give one answer."""
    answers = [np.asarray(call(seed)) for seed in (0, 1, 2, 3)]
    need(all(np.array_equal(answers[0], a) for a in answers),
         lambda: f"depends on the global random state: {', '.join(map(str, answers[:2]))}, ... for the same input")
