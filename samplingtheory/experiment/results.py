"""One checked JSON file a task: whole or absent, whatever kills the process that writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import store
from ..errors import UserError

KEPT, MISSING, STALE, DAMAGED = "kept", "missing", "stale", "damaged"


def task_key(task: Mapping[str, Any]) -> str:
    """The name of a task's file: a hash of its parameters."""
    return store.checksum(task)[:20]


@dataclass(frozen=True)
class Found:
    """What the folder holds for a task. state: kept, missing, stale (other source, versions or data), damaged."""

    state: str
    result: Any = None
    why: str = ""


@dataclass(frozen=True)
class Results:
    """The results of one experiment. `provenance` is what their bytes depend on besides the task."""

    folder: Path
    provenance: Mapping[str, Any]

    def path(self, task: Mapping[str, Any]) -> Path:
        return self.folder / f"{task_key(task)}.json"

    def get(self, task: Mapping[str, Any]) -> Found:
        """A file that was cut short or edited is told by its checksum."""
        path = self.path(task)
        try:
            record = json.loads(path.read_bytes())
            claimed = record.pop("checksum")
            if claimed != store.checksum(record):
                raise ValueError("its checksum does not match")
            if record["task"] != json.loads(store.dumps(task)):
                raise ValueError("it belongs to another task")
        except FileNotFoundError:
            return Found(MISSING)
        except store.DAMAGE as error:
            return Found(DAMAGED, why=f"{path} is damaged ({store.reason(error)})")
        return Found(KEPT if record["provenance"] == self.provenance else STALE, record["result"])

    def put(self, task: Mapping[str, Any], result: Any) -> None:
        """Keep a result; the same task, source and versions give the same bytes. UserError: it cannot be written."""
        record = {"task": dict(task), "result": result, "provenance": dict(self.provenance)}
        text = store.dumps(record | {"checksum": store.checksum(record)}, sort_keys=True) + "\n"
        try:
            store.write(self.path(task), text, durable=True)
        except OSError as error:
            raise UserError(f"cannot keep a result in {self.folder} ({store.reason(error)}); what was finished before "
                            "is kept: make room and repeat the command with --resume") from None


