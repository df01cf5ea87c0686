"""Do adaptive batches train a language model better than constant ones at the same number of samples?

Prediction. Losses order by the number of steps, so an adaptive arm that ends with large batches lies between the small
and the large constant batch, and a constant batch with as many steps does as well. The printed DDP-Norm rule cannot ask
for more than about (J - 1)/eps^2 samples whatever the noise; the corrected rules follow the noise scale.

Found (0.13 million parameters, 5 seeds, 4000 and 12 000 sequences). Of nine schedules all end below the loss of constant
512, by 0.2 to 2.3 nats a byte, and their order is nearly that of their steps. Against a constant batch with as many steps the
adaptive ones are never better: at 4000 sequences 6 of 8 are worse by 0.06 to 0.12, at 12 000 sequences 5 of 8 by 0.08 to
0.16, the rest are not told apart (95 % paired t, each by itself); the stage-wise schedule, of few steps, is better (by
0.10 and 0.07). Constant 32 ends below every arm of fewer steps and, at 4000, below three of more. A larger eps gives smaller
batches within every rule. The second prediction holds on average only: single noisy tests pushed the printed rule to
4.7 times (J - 1)/eps^2, and it never shrinks.

    python -m experiments.language_model.sweep --sequences 4000 --out DIR     # the table, resumable
    torchrun --nproc-per-node 4 -m experiments.language_model --help          # one arm on real ranks, CPU or GPU
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from experiments.language_model.arms import ARMS, CONSTANT, MATCHED, PRINTED, STAGES, name_of
from samplingtheory.experiment import PALETTE, main

PAPER = """Table of Lau et al. (2024), MicroLlama 300M, 4 workers, 2 million sequences of C4, start 256, b_max 8192, one
run an arm. eta .15, .2, .25, .275: average batch 3770, 7878, 2373, 7965, val loss 3.811, 4.720, 3.361, 4.677; constant
2048, 4096, 8192: 5.005, 5.741, 6.192; stage-wise 2048-4096-8192: 4.604. Here: 0.13 million parameters, bytes, context
64, b_max 512."""
SEEDS = 5


def tasks(quick: bool, sequences: int = 4000) -> list[dict[str, Any]]:
    """One task an arm and a seed; adaptive and stage-wise tasks also run the constant batch with as many steps."""
    seeds, sequences, arms = (2, 400, ARMS[::3]) if quick else (SEEDS, sequences, ARMS)
    return [{"arm": arm, "seed": seed, "sequences": sequences} for seed in range(seeds) for arm in arms]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """The run of one arm on 4 ranks simulated in one process (tests: the losses of 4-rank DDP), and of its match."""
    import torch

    from experiments.language_model.train import Setting, train

    torch.set_num_threads(1)
    setting = Setting(sequences=task["sequences"])
    found = train(setting, task["arm"], task["seed"])
    out = {"own": {k: v for k, v in found.items() if k != "losses"}}
    if task["arm"]["rule"] != CONSTANT:
        same = train(setting, {"rule": MATCHED, "samples": found["samples"], "steps": found["steps"]}, task["seed"])
        out["matched"] = {k: v for k, v in same.items() if k != "losses"}
    return out


def shape(results: list[tuple[dict, dict]]) -> dict[str, Any]:
    """Rows of the table, paired differences with 95 % t intervals, and the statements."""
    by_arm: dict[str, list[dict]] = {}
    for task, result in sorted(results, key=lambda pair: pair[0]["seed"]):
        by_arm.setdefault(name_of(task["arm"]), []).append({"arm": task["arm"], **result})
    rows = [row(name, runs) for name, runs in by_arm.items()]
    most = max((r for r in by_arm if r.startswith(CONSTANT)), key=lambda n: int(n.split()[1]), default="")
    return {"rows": rows, "pairs": pairs(by_arm, most), "largest": most, "sequences": results[0][0]["sequences"],
            "statements": statements(by_arm, results[0][0]["sequences"])}


def row(name: str, runs: list[dict]) -> dict[str, Any]:
    """Means over seeds of the paper's columns."""
    own = [r["own"] for r in runs]
    mean = lambda key: float(np.mean([r[key] for r in own]))  # noqa: E731
    return {"arm": name, "steps": mean("steps"), "batch": float(np.mean([r["samples"] / r["steps"] for r in own])),
            "last": float(np.mean([r["sizes"][-1][0] for r in own])), "train": mean("train"),
            "validation": mean("validation"), "spread": float(np.std([r["validation"] for r in own], ddof=1))
            if len(own) > 1 else math.nan, "sizes": own[0]["sizes"], "seeds": len(own)}


def interval(differences: list[float]) -> list[float]:
    """[mean, half width] of the 95 % t interval of paired differences."""
    from scipy.stats import t

    d = np.array(differences)
    half = float(t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))) if len(d) > 1 else math.inf
    return [float(d.mean()), half]


def pairs(by_arm: dict[str, list[dict]], most: str) -> list[dict[str, Any]]:
    """Validation loss minus that of the constant batch with as many steps, and minus that of the largest one."""
    out = []
    for name, runs in by_arm.items():
        if runs[0]["arm"]["rule"] == CONSTANT:
            continue
        equal = interval([r["own"]["validation"] - r["matched"]["validation"] for r in runs])
        large = interval([r["own"]["validation"] - c["own"]["validation"]
                          for r, c in zip(runs, by_arm.get(most, runs), strict=True)])
        out.append({"arm": name, "equal steps": equal, "largest": large})
    return out


def statements(by_arm: dict[str, list[dict]], sequences: int, start: int = 8, most: int = 512,
               ranks: int = 4) -> list[tuple[str, bool, str]]:
    """What is said of every run, and whether it holds: (statement, verdict, number). All but the last are invariants."""
    adaptive = [r for runs in by_arm.values() for r in runs if r["arm"]["rule"] not in (CONSTANT, STAGES)]
    every = [r["own"] for runs in by_arm.values() for r in runs]
    same = [r["own"]["steps"] == r["matched"]["steps"] for runs in by_arm.values() for r in runs if "matched" in r]
    excess = [(r["samples"] - sequences, r["sizes"][-1][0]) for r in every]
    monotone = all(r["own"]["sizes"] == sorted(r["own"]["sizes"], key=lambda part: part[0]) for r in adaptive)
    sizes = [size for r in every for size, _ in r["sizes"]]
    factors = [f for r in adaptive for f in r["own"].get("factor", [])]
    printed = [r for r in adaptive if r["arm"]["rule"] == PRINTED]
    reach = max((r["own"]["sizes"][-1][0] * r["arm"]["eps"] ** 2 / (ranks - 1) for r in printed), default=math.nan)
    return [
        ("steps x average batch = N, up to the last batch", all(0 <= e < b for e, b in excess), f"{len(every)} runs"),
        ("the constant batches compared with take as many steps", all(same), f"{len(same)} pairs"),
        ("batches never decrease, and stay below b_max", monotone and max(sizes) <= most, f"largest {max(sizes)}"),
        ("every batch is a multiple of J", all(s % ranks == 0 for s in sizes), f"J = {ranks}"),
        ("corrected size / printed size = b/(J - 1)", bool(factors) and max(abs(f - 1) for f in factors) < 1e-9,
         f"off by {max((abs(f - 1) for f in factors), default=math.nan):.0e}"),
        ("predicted: the printed rule's last batch is below 1.5 (J - 1)/eps^2", reach < 1.5, f"largest ratio {reach:.2f}"),
    ]


def draw(shaped: dict[str, Any]) -> dict[str, Any]:
    from matplotlib.figure import Figure

    colours = dict(zip((PRINTED, "unbiased", "lagged", STAGES, CONSTANT), [*PALETTE[1::-1], *PALETTE[2:4], PALETTE[-1]],
                       strict=True))
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    equal = {p["arm"]: p["equal steps"][0] for p in shaped["pairs"]}
    for r in shaped["rows"]:
        rule, _, value = r["arm"].partition(" ")
        left.plot(r["steps"], r["validation"], "o", color=colours[rule], markersize=5)
        if r["arm"] in equal:
            left.plot(r["steps"], r["validation"] - equal[r["arm"]], "o", color=PALETTE[-1], fillstyle="none", markersize=7)
        below = rule in (PRINTED, "unbiased")
        left.annotate(value.replace("eps = ", ""), (r["steps"], r["validation"]), fontsize=7, color=colours[rule],
                      xytext=(-3, -12) if below else (4, 4), textcoords="offset points", ha="right" if below else "left")
        drawn, size = np.cumsum([0, *(s * n for s, n in r["sizes"])]), [s for s, _ in r["sizes"]]
        right.stairs(size, drawn, baseline=None, color=colours[rule], linewidth=1)
    left.plot([], [], "o", color=PALETTE[-1], fillstyle="none", markersize=7, label="constant, as many steps")
    left.tick_params(which="minor", labelbottom=False)
    left.set(xscale="log", xlabel="steps (same samples)", ylabel="validation loss (nats a byte)")
    right.set(yscale="log", xlabel="sampled sequences", ylabel="batch (seed 0)")
    for rule, colour in colours.items():
        left.plot([], [], "o", color=colour, label=f"{rule}, eps" if rule in (PRINTED, "unbiased", "lagged") else rule)
    left.legend(frameon=False, fontsize=7)
    return {"language_model": figure}


def caption(shaped: dict[str, Any]) -> str:
    worse = [p for p in shaped["pairs"] if p["equal steps"][0] - p["equal steps"][1] > 0]
    better = [p for p in shaped["pairs"] if p["equal steps"][0] + p["equal steps"][1] < 0]
    below = [p for p in shaped["pairs"] if p["largest"][0] + p["largest"][1] < 0]
    n = len(shaped["pairs"])
    return (f"{shaped['sequences']} sequences, {shaped['rows'][0]['seeds']} seeds. Against the constant batch with as "
            f"many steps: {len(better)} of {n} schedules better, {len(worse)} worse, the rest not told apart (95 % "
            f"paired t). Against {shaped['largest']}: {len(below)} of {n} better.")


if __name__ == "__main__":
    raise SystemExit(main(__file__))
