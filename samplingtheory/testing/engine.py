"""Checks as values: run on drawn examples, shrunk when they fail, reported by name.

A check is a function (subject, example) -> None that raises `Failure`; examples come from a hypothesis strategy, so
that a counter-example is shrunk. Runs are derandomised unless a seed is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import FlakyFailure, Unsatisfiable
from hypothesis.strategies import SearchStrategy

from .words import show

EXAMPLES = 50
PASSED, FAILED, EXPECTED, STALE, SKIPPED = "passed", "FAILED", "expected failure", "STALE", "not applicable"
NAMED = "what fails here fails in every check that reads an answer; this one gives it its name"


class Failure(AssertionError):
    """What a check found, in one sentence."""


class ConformanceError(AssertionError):
    """Raised by `Report.require` and by the callables of the generators: the table of a failed report."""


def need(ok: Any, sentence: str | Callable[[], str]) -> None:
    if not ok:
        raise Failure(sentence if isinstance(sentence, str) else sentence())


@dataclass(frozen=True)
class Check:
    """One property. `body(subject, example)` raises `Failure`; `examples(subject)` draws what it is tried on.

    free     whether it needs no reference implementation
    applies  subject -> reason why the check has no meaning for it, or ""
    share    fraction of the asked-for number of examples that it gets (costly checks take less)
    implied  why no mistake can be found by it alone, if none can: it gives a failure its name
    """

    name: str
    words: str
    body: Callable[[Any, Any], None] = field(repr=False)
    examples: Callable[[Any], SearchStrategy[Any]] = field(repr=False)
    free: bool = True
    applies: Callable[[Any], str] = field(default=lambda subject: "", repr=False)
    share: float = 1.0
    implied: str = ""


@dataclass(frozen=True)
class Result:
    """One check judged. `judged` counts the examples that were decided, not those skipped near a ceil boundary."""

    check: str
    words: str
    verdict: str
    found: str = ""
    counterexample: str = ""
    judged: int = 0
    free: bool = True

    @property
    def bad(self) -> bool:
        return self.verdict in (FAILED, STALE)


@dataclass(frozen=True)
class Report:
    """All checks of one implementation; `diagnosis` names the known mistake that it equals."""

    subject: str
    kind: str
    results: tuple[Result, ...]
    diagnosis: str = ""

    @property
    def ok(self) -> bool:
        return not any(r.bad for r in self.results)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed, expected or not."""
        return tuple(r.check for r in self.results if r.verdict in (FAILED, EXPECTED))

    def __getitem__(self, name: str) -> Result:
        return next(r for r in self.results if r.check == name)

    def require(self) -> Report:
        """The report itself, or `ConformanceError` with the table."""
        if not self.ok:
            raise ConformanceError("\n" + str(self))
        return self

    def __str__(self) -> str:
        width = max(len(r.check) for r in self.results)
        lines, first = [f"{self.subject}, kind {self.kind}"], dict[str, str]()
        for r in self.results:
            again = bool(r.found) and r.verdict == FAILED and first.setdefault(r.found, r.check) != r.check
            said = f"as in {first[r.found]}" if again else r.found or r.words
            lines.append(f"  {r.check:<{width}}  {r.verdict:<16}  {said}")
            if r.counterexample and r.verdict in (FAILED, EXPECTED) and not again:
                lines += [f"  {'':<{width}}      {line}" for line in r.counterexample.splitlines()]
        counts = ", ".join(f"{n} {v}" for v in (PASSED, FAILED, EXPECTED, STALE, SKIPPED)
                           if (n := sum(r.verdict == v for r in self.results)))
        return "\n".join([*lines, f"  {counts}", *([f"  diagnosis: {self.diagnosis}"] if self.diagnosis else [])])


def run_check(check: Check, subject: Any, examples: int = EXAMPLES, seed: int | None = None,
              shrink: bool = True) -> Result:
    """The verdict of one check; whatever the implementation does, a result, never a crash."""
    reason = check.applies(subject)
    if reason:
        return Result(check.name, check.words, SKIPPED, reason, free=check.free)
    last: list[tuple[Exception, Any]] = []
    judged = [0]

    def attempt(example: Any) -> None:
        try:
            check.body(subject, example)
        except Failure as failure:
            last[:] = [(failure, example)]
            raise
        judged[0] += 1

    run = settings(max_examples=max(10, math.ceil(check.share * examples)), derandomize=seed is None, database=None,
                   deadline=None, phases=(Phase.generate, *((Phase.shrink,) if shrink else ())),
                   suppress_health_check=list(HealthCheck),
                   report_multiple_bugs=False, print_blob=False)(given(check.examples(subject))(attempt))
    if seed is not None:
        run = seeded(seed)(run)
    found = ""
    try:
        run()
    except Failure as failure:
        found = str(failure)
    except FlakyFailure:
        found = "gives another answer when called again: " + str(last[0][0] if last else "")
    except Unsatisfiable:
        pass
    if found:
        return Result(check.name, check.words, FAILED, found, show(last[0][1]), judged[0], check.free)
    if not judged[0]:
        return Result(check.name, check.words, FAILED, "no example could be judged: no answer leaves anything to check",
                      free=check.free)
    return Result(check.name, check.words, PASSED, judged=judged[0], free=check.free)


def marked(result: Result, expected: Mapping[str, str]) -> Result:
    """The result in the light of the expected failures: a failure is then fine, a pass is an error."""
    if result.check not in expected:
        return result
    if result.verdict == FAILED:
        return replace(result, verdict=EXPECTED, found=f"{expected[result.check]} ({result.found})")
    return replace(result, verdict=STALE, found=f"{result.verdict}, though expected to fail: remove it from "
                                                "expected_failures")


def check_names(checks: Iterable[Check], expected: Mapping[str, str]) -> None:
    """One line when an expected failure names no check."""
    names = [c.name for c in checks]
    for name in expected:
        if name not in names:
            raise ValueError(f"expected_failures names {name!r}; checks are {', '.join(names)}")


def run_checks(subject: Any, checks: Sequence[Check], *, expected: Mapping[str, str] | None = None,
               examples: int = EXAMPLES, seed: int | None = None, shrink: bool = True,
               diagnose: Callable[[Any], str] = lambda subject: "") -> Report:
    """Every check on the subject; the diagnosis is asked for only if something failed."""
    expected = expected or {}
    check_names(checks, expected)
    results = tuple(marked(run_check(c, subject, examples, seed, shrink), expected) for c in checks)
    failed = any(r.verdict in (FAILED, EXPECTED) for r in results)
    return Report(subject.name, subject.kind, results, diagnose(subject) if failed else "")


@dataclass(frozen=True)
class Deferred:
    """One check of one implementation as a callable without arguments, for `pytest.mark.parametrize`."""

    check: Check
    subject: Any
    expected: Mapping[str, str]
    examples: int = EXAMPLES
    seed: int | None = None

    def __call__(self) -> None:
        result = marked(run_check(self.check, self.subject, self.examples, self.seed), self.expected)
        Report(self.subject.name, self.subject.kind, (result,)).require()

    def __repr__(self) -> str:
        return self.check.name

    __str__ = __repr__


def deferred(subject: Any, checks: Sequence[Check], expected: Mapping[str, str] | None, examples: int,
             seed: int | None) -> list[Deferred]:
    check_names(checks, expected or {})
    return [Deferred(check, subject, expected or {}, examples, seed) for check in checks]
