"""A small catalogue of claims whose evidence is made up, for the tests of verify, report and cli."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from samplingtheory.claims.base import Case, Claim, Hypothesis, Source, Symbols
from samplingtheory.evidence.base import EXACT, MC, Evidence, Quantity

PATH = {"kind": "path", "k": [1, 2, 3], "measured": [1.0, 0.1, 0.01], "bound": [1.0, 0.1, 0.01]}
POINTS = {"kind": "points", "measured": [0.2, 0.4, 0.5], "bound": 1.0}
WEALTH = {"kind": "wealth", "runs": [1, 10, 100], "wealth": [0.0, -0.5, 0.3], "threshold": math.log(100),
          "k": [1, 2], "measured": [0.97, 1.01], "bound": [1.0, 1.0]}
COUNT = {"kind": "count", "failures": 3, "runs": 1000, "delta": 0.05, "lower": 0.0004, "upper": 0.01}


@dataclass(frozen=True)
class Killed:
    """Evidence whose process is killed, as when memory runs out."""

    def collect(self, *_: Any) -> Evidence:
        until = time.monotonic() + 30  # the other claims are to finish first, whatever the load
        while len(list(Path(os.environ["TOY_KILLED"]).glob("*.json"))) < 5 and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@dataclass(frozen=True)
class Plan:
    """Evidence as told: `raises` instead of it, `random` adds a number drawn from rng, `seconds` of sleep."""

    value: float
    lower: float | None = None
    grade: str = EXACT
    log_e: float = -math.inf
    raises: BaseException | None = None
    random: bool = False
    seconds: float = 0.0
    series: Any = field(default=None, repr=False)

    def collect(self, kind: str, quantity: Any, watch: Any, case: Any, rng: Any, effort: int) -> Evidence:
        time.sleep(self.seconds)
        if self.raises is not None:
            raise self.raises
        value = self.value + (0.1 * float(rng.random()) / effort if self.random else 0.0)
        lower = value if self.lower is None else self.lower
        return Evidence(self.grade, value, lower, math.inf if self.grade == MC else value, runs=100 * effort,
                        risk=0.01, log_e=self.log_e, seen={"noise": 1.5 * case.symbols.excess},
                        series=self.series or {})


def case(name: str, plan: Plan | Killed, excess: float = 0.5, note: str = "") -> Case:
    return Case(name, None, None, None, None, plan, Symbols(excess=excess), note)


def claim(id: str, *tight: Any, **fields: Any) -> Claim:
    hypotheses = {"noise": Hypothesis("the noise eps^2 is at most 1", lambda c, seen: 1 - seen["noise"], ("noise",))}
    standard = {"kind": "step", "title": f"Toy {id}", "statement": r"\mathbb{E}[F]\le\frac{1}{2}G,\qquad G\ge 0",
                "source": Source("toy2024", "Theorem 1", "ours"), "hypotheses": hypotheses,
                "quantity": Quantity(("gap",), lambda *sides: sides)}
    return Claim(**{**standard, "id": id, "tight": tight, "no_tight": "" if tight else "a toy", **fields})


def control(name: str = "too noisy", value: float = 2.0) -> dict[str, tuple[Case, ...]]:
    return {"noise": (case(name, Plan(value, series=PATH), excess=1.0),)}


def _lazy() -> Case:
    return case("lazily built", Plan(0.9, 0.8, MC, series=WEALTH))


HOLDS = claim("toy/holds", case("at the bound", Plan(1.0, series=PATH)), broken=control(),
              generic=(case("points", Plan(0.5, series=POINTS), note="a note"),))
FALSE = claim("toy/false", case("counter-example", Plan(1.5)), expected="fails")
catalogue = (
    HOLDS,
    claim("toy/random", case("drawn", Plan(0.8, random=True)), case("drawn too", Plan(0.7, random=True))),
    claim("toy/lazy", _lazy, generic=(case("counted", Plan(0.06, 0.05, MC, series=COUNT)),)),
    FALSE,
    claim("other/plain", case("plain", Plan(3.0, 0.0, MC, log_e=50.0)), expected="fails"),
)
WEAK = claim("toy/weak", case("few runs", Plan(0.9, 0.1, MC)))
SURVIVOR = replace(HOLDS, id="toy/survivor", broken=control(value=0.5))
if os.environ.get("TOY_KILLED"):
    catalogue += (claim("toy/killed", case("too large", Killed())),)
if os.environ.get("TOY_SLOW"):
    catalogue += (claim("toy/slow", case("asleep", Plan(1.0, seconds=60.0))),)
