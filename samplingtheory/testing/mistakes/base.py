"""Planted mistakes: implementations that are wrong in one known way, or known to be harmless."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FIRST = random.Random(0).random()  # what code sees of the global random state in every check but one
SUBJECTS = ("rule", "statistic", "optimizer", "prox", "theorem")


@dataclass(frozen=True)
class Mutant:
    """One mistake, in the words in which a diagnosis names it.

    build         the implementation: a rule, a statistic, an optimizer factory, a prox, or a claim
    flags         how it must be checked: kind, role, replacement, ...
    equivalent    why it cannot be told from the right one: it must survive every check
    conservative  why it is only wasteful: no theorem breaks, but it asks for too much, and minimality finds it
    only          the one check that finds it: planted to show what that check is there for, not a known mistake
    """

    name: str
    subject: str
    build: Any = field(repr=False)
    flags: Mapping[str, Any] = field(default_factory=dict)
    equivalent: str = ""
    conservative: str = ""
    only: str = ""

    @property
    def kind(self) -> str:
        return self.flags.get("kind", "")

    @property
    def label(self) -> str:
        """Subject, kind and mistake; unique."""
        how = {"with": ", with replacement", "batch": ", on a batch"}.get(sampling_of(self.flags), "")
        return f"{self.kind or self.subject}{how if self.subject == 'rule' else ''}: {self.name}"


def sampling_of(flags: Mapping[str, Any]) -> str:
    """How a rule's flags say that its size is read."""
    if flags.get("role", "exact") != "exact":
        return "batch"
    return "with" if flags.get("replacement") else "without"
