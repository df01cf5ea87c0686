"""What is kept on disk: one checked JSON file a verdict in the cache, and the files of a finished run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import partial
from importlib import metadata
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

import numpy as np

from .claims.base import CaseResult, Verdict, as_plain
from .errors import UserError
from .evidence.base import Evidence

DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def verdict_from_plain(plain: Mapping[str, Any]) -> Verdict:
    """The inverse of `as_plain`; further keys are ignored. KeyError, TypeError, ValueError: not a verdict."""
    evidence = partial(_build, Evidence, seen=_numbers, series=_revive)
    case = partial(_build, CaseResult, evidence=evidence, margins=_numbers)
    cases = lambda rows: tuple(map(case, rows))  # noqa: E731
    return _build(Verdict, plain, hypotheses=_numbers, controls=_counts, cases=cases)


def _build(kind: Any, plain: Mapping[str, Any], **special: Any) -> Any:
    """A dataclass from JSON values: annotations are strings here, and float('inf') reads what JSON cannot."""
    plainly: dict[str, Any] = {"float": float, "int": int, "str": str, "bool": bool}
    readers = [(f.name, special.get(f.name) or plainly.get(str(f.type), _revive)) for f in fields(kind)]
    return kind(**{name: read(plain[name]) for name, read in readers})


def _numbers(table: Mapping[str, Any]) -> dict[str, float]:
    return {str(k): float(v) for k, v in table.items()}


def _counts(table: Mapping[str, Any]) -> dict[str, int]:
    return {str(k): int(v) for k, v in table.items()}


def _revive(value: Any) -> Any:
    """A series with its infinities back."""
    if isinstance(value, Mapping):
        return {k: _revive(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_revive(v) for v in value]
    return float(value) if value in ("inf", "-inf", "nan") else value


def dumps(value: Any, **how: Any) -> str:
    """JSON, in which NumPy scalars are numbers."""
    return json.dumps(value, default=_scalar, allow_nan=False, ensure_ascii=False, **how)


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a verdict holds {type(value).__name__} {value!r}; JSON has no such value")


def settled(verdict: Verdict) -> Verdict:
    """The verdict as it will be read back, so that a cached and a fresh one are equal."""
    return verdict_from_plain(json.loads(dumps(as_plain(verdict))))


# ---------------------------------------------------------------- files


def open_output(folder: str | Path, inside: str = "cache") -> Path:
    """The output folder and one inside it, made if need be and known to take files. UserError: it does not."""
    if not isinstance(folder, (str, os.PathLike)):
        raise UserError(f"the output folder is {folder!r}; give a path")
    folder = Path(folder)
    try:
        (folder / inside).mkdir(parents=True, exist_ok=True)
        for place in (folder, folder / inside):
            with NamedTemporaryFile(dir=place, prefix=".writable."):  # a name of its own: two runs may open one folder
                pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"cannot write to the folder {folder} ({reason}); name another with --out") from None
    return folder


def write(path: Path, text: str, durable: bool = False) -> None:
    """The whole file or, if anything goes wrong, the old one; durable: on the disk before this returns."""
    replace_file(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")), durable)


def replace_file(path: Path, put: Callable[[BinaryIO], Any], durable: bool) -> None:
    """`write` for what `put` writes to an open binary file."""
    fresh = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.tmp")
    try:
        with fresh.open("wb") as file:
            put(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    if durable:
        _settle(path.parent)


def _settle(folder: Path) -> None:
    """Make a rename durable, where the system lets one open a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sweep_up(folder: Path) -> None:
    """Remove what `write` left behind in processes of this machine that were killed."""
    if os.name != "posix":  # elsewhere kill(pid, 0) is no question
        return
    for fresh in folder.glob(f".*.{platform.node()}.*.tmp"):
        with suppress(ValueError, PermissionError, FileNotFoundError):
            try:
                os.kill(int(fresh.name.split(".")[-2]), 0)
            except ProcessLookupError:
                fresh.unlink()


def write_verdicts(path: Path, verdicts: Sequence[Verdict], level: str) -> None:
    """verdicts.json: a list, one object a claim."""
    write(path, dumps([as_plain(v) | {"level": level} for v in verdicts], indent=1) + "\n")


# ---------------------------------------------------------------- cache


def versions() -> dict[str, str]:
    """What was run: this package and those whose numbers a verdict depends on."""
    names = ("samplingtheory", "numpy", "scipy", "scikit-learn", "cvxpy")
    return {"python": platform.python_version(), **{name: installed(name) for name in names}}


def installed(name: str) -> str:
    """The version of a distribution, or what can be said without one (run from a checkout, say)."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def source_stamp(package: Path | None = None) -> str:
    """Hash of the package's source files and of the versions below: no planted bug is answered from cache."""
    package = package or Path(__file__).parent
    digest = hashlib.sha256(repr(versions()).encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(f"\x1f{path.relative_to(package).as_posix()}\x1f".encode() + path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Cache:
    """Verdicts by (source, claim, level, seed). A damaged entry is reported and counts as absent."""

    folder: Path
    level: str
    seed: int
    stamp: str = field(default_factory=source_stamp)

    def path(self, claim_id: str) -> Path:
        key = "\x1f".join((self.stamp, claim_id, self.level, str(self.seed)))
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def get(self, claim_id: str) -> tuple[Verdict | None, str]:
        """(verdict, ''), (None, '') if there is none, or (None, what is wrong with the entry)."""
        path = self.path(claim_id)
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            if entry["checksum"] != checksum(entry["verdict"]):
                raise ValueError("its checksum does not match")
            verdict = verdict_from_plain(entry["verdict"])
            if (verdict.id, verdict.seed) != (claim_id, self.seed):
                raise ValueError(f"it belongs to {verdict.id}, seed {verdict.seed}")
        except FileNotFoundError:
            return None, ""
        except DAMAGE as error:
            return None, f"cache entry {path} is damaged ({reason(error)}); recomputed"
        return verdict, ""

    def put(self, verdict: Verdict) -> str:
        """Keep a verdict; returns '' or why it could not be kept (a full disk must not cost a result)."""
        plain = as_plain(verdict)
        path = self.path(verdict.id)
        try:
            write(path, dumps({"checksum": checksum(plain), "verdict": plain}))
        except OSError as error:
            return f"verdict not cached: {reason(error)}"
        return ""


def checksum(plain: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(dumps(plain, sort_keys=True).encode()).hexdigest()


def reason(error: BaseException) -> str:
    """What is wrong with a file, in a few words."""
    if isinstance(error, KeyError):
        return f"no field {error.args[0]!r}"
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
