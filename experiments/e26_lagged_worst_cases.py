"""How sharp is the linear rate of the lagged test over several steps?

Question. (c*) contracts gap + p_r z by 1 - r in one step, exactly (claim gap2026/lagged-sharp-step). What is the worst
case of T steps over all functions with curvature in [mu, L] and noise that branches into two equally likely vectors?

Prediction. As for the exact test (docs/findings.md, section 4) one-step rates do not multiply: two steps are already
strictly better. Beyond the step condition of (c*) the worst case exceeds its value.

Found. Wrong for two steps: their worst case is (1 - r)^2, attained by diag(mu, L) from the flat axis with z_0 = 0.
Three and more are strictly better: .875214 and .872633 a step against .878017 at mu/L = .1, theta = .5, step 1/(LM),
and .586299, .580693 against .594641 at mu/L = .5. The slowest quadratic has .8579 and .5428. Where the step condition
fails (mu/L = .5, theta = .7) one step has .779120 > .777035, three steps .774090.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

PAIRS = ((0.1, 0.5), (0.1, 0.7), (0.1, 0.9), (0.5, 0.5), (0.5, 0.7))  # mu/L, theta
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7")  # Okabe and Ito
PAPER = ""


def tasks(quick: bool) -> list[dict[str, Any]]:
    return [{"q": q, "theta": theta, "steps": T} for q, theta in PAIRS for T in range(1, 4 if quick else 5)]


def model(q: float, theta2: float, alpha: float, steps: int, p: float) -> Any:
    """sup E[gap_T + p z_T] for gap_0 + p z_0 <= 1, L = 1: a tree of two noise vectors a node, the last by reduction."""
    from samplingtheory.evidence.worstcase.gram import Form, Model

    m = Model()
    f = m.function(1.0, q)
    x, z = m.vector("x"), m.value("z0")
    f.minimum()
    G, F = f.at(x, "0")
    m.require("z0 is not negative", z * -1.0)
    m.require("start", F + p * z - 1)
    nodes = [(x, G, z, "0")]
    for _ in range(steps - 1):
        nodes = [child for node in nodes for child in _children(m, f, node, theta2, alpha)]
    total = Form()
    for y, G, z, label in nodes:
        total = total + f.at(y - alpha * G, label + "+")[1] + alpha**2 / 2 * z + p * theta2 * (G.squared + z)
    return m.maximise(total * (1 / len(nodes)))


def _children(m: Any, f: Any, node: Any, theta2: float, alpha: float) -> list[Any]:
    """Both batches of a node: |e|^2 <= z, and z' <= theta^2 |G + e|^2."""
    y, G, z, label = node
    e, out = m.vector(f"noise {label}"), []
    m.require(f"variance {label}", e.squared - z)
    for s, v in enumerate((e, -e)):
        point, name = y - alpha * (G + v), f"{label}{s}"
        after = m.value(f"z{name}")
        m.require(f"rule {name}", after - theta2 * (G + v).squared)
        m.require(f"z{name} is not negative", after * -1.0)
        out.append((point, f.at(point, name)[0], after, name))
    return out


def told(q: float, theta: float) -> Any:
    theta2 = theta * theta
    return SimpleNamespace(L=1.0, mu=q, alpha=1 - theta2, gain=theta2, keep=theta2)


def slowest(q: float, theta: float) -> float:
    """Largest rate of the means on diag(q, 1) over all shares of the noise."""
    s, h, rates = told(q, theta), np.array([q, 1.0]), []
    for share in np.linspace(0, 1, 101):
        A = np.diag([*(1 - s.alpha * h) ** 2, s.gain])
        A[:2, 2] = s.alpha**2 * np.array([share, 1 - share])
        A[2, :2] = s.gain * h * h
        rates.append(abs(np.linalg.eigvals(A)).max())
    return float(max(rates))


def compute(task: dict[str, Any]) -> dict[str, Any]:
    from samplingtheory.claims.gap2026 import lagged_rates as rates
    from samplingtheory.evidence.worstcase.solve import solve

    s = told(task["q"], task["theta"])
    r = rates.sharp(s)
    found = solve(model(s.mu, s.gain, s.alpha, task["steps"], rates.weight(s, r)))
    return {"rate": float(found.primal ** (1 / task["steps"])), "gap": float(found.gap), "one": 1 - r,
            "plain": 1 - rates.rate(s), "applies": bool(s.alpha <= rates.sharp_limit(s) * (1 + 1e-12)),
            "slowest": slowest(task["q"], task["theta"])}


def shape(results: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    return {"rows": [{**t, **r} for t, r in results]}


def draw(shaped: dict[str, Any]) -> dict[str, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for colour, (q, theta) in zip(COLOURS, PAIRS, strict=True):
        rows = [row for row in shaped["rows"] if (row["q"], row["theta"]) == (q, theta)]
        gained = [(1 - row["rate"]) / (1 - row["one"]) for row in rows]
        T = [row["steps"] for row in rows]
        axes.plot(T, gained, "o-", color=colour, label=f"mu/L = {q}, theta = {theta}")
    axes.axhline(1, color="k", linestyle="--", linewidth=1)
    axes.set(xlabel="steps T", ylabel="(1 - worst rate of T steps)/r of (c*)", xticks=T)
    axes.legend(fontsize=8)
    return {"worst": figure}


def caption(shaped: dict[str, Any]) -> str:
    two, three = (next(r for r in shaped["rows"] if (r["q"], r["theta"], r["steps"]) == (0.1, 0.5, T)) for T in (2, 3))
    return (f"mu/L = 0.1, theta = 0.5, alpha = 1/(L M): the rate of (c*) is {two['one']:.6f}; the worst case of two "
            f"steps has {two['rate']:.6f} a step, of three {three['rate']:.6f}; the slowest quadratic has "
            f"{two['slowest']:.4f}.")


if __name__ == "__main__":
    from samplingtheory.experiment import main

    raise SystemExit(main(__file__))
