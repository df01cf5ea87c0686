"""Pages written at build time: one a claim with its verdict of this build, and the list of experiments."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from arguments import anchor, arguments, from_claims
from sphinx.errors import ExtensionError

import samplingtheory.claims
from samplingtheory import verify
from samplingtheory.claims.base import Claim, Verdict
from samplingtheory.claims.catalogue import catalogue
from samplingtheory.experiment import modules
from samplingtheory.problems.data import PAPER_SETS
from samplingtheory.report import kills, words
from samplingtheory.report.page import render_claim

ELSEWHERE = ("theory.md", "findings.md")
ROOT = Path(inspect.getfile(samplingtheory)).parents[1]


def page(claim: Claim) -> str:
    """Name of a claim's page."""
    return claim.id.replace("/", "-")


def write(path: Path, text: str) -> None:
    """Only if it changed, so that Sphinx rebuilds only what did."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- where a claim is written and argued


def home(claim: Claim) -> ModuleType:
    """The module in which a claim stands."""
    names = [info.name for info in pkgutil.walk_packages(samplingtheory.claims.__path__, "samplingtheory.claims.")]
    homes = [m for m in map(import_module, names) if any(v is claim for v in vars(m).values())
             or any(c is claim for c in getattr(m, "CLAIMS", ()))]
    with_source = [m for m in homes if claim.id.rpartition("/")[2] in inspect.getsource(m)]
    return (with_source or homes)[0]


def lines(module: ModuleType, claim: Claim) -> str:
    """First and last line of the statement that makes the claim, as `a-b`; '' if it is made in a loop."""
    short = claim.id.rpartition("/")[2]
    for node in ast.parse(inspect.getsource(module)).body:
        if any(isinstance(n, ast.Constant) and n.value in (claim.id, f"/{short}", short) for n in ast.walk(node)):
            return f"{node.lineno}-{node.end_lineno}"
    return ""


def elsewhere(claim: Claim, docs: Path) -> list[str]:
    """Links to sections of other pages that name the claim."""
    short, found = claim.id.rpartition("/")[2], []
    names = {f"`{claim.id}`"} | ({f"`{short}`"} if sum(c.id.endswith(f"/{short}") for c in catalogue) == 1 else set())
    for name in ELSEWHERE:
        heading = ""
        for line in (docs / name).read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                heading = line.lstrip("# ")
            elif any(n in line for n in names):
                found.append(f"[{heading}](../{name}#{anchor(heading)})")
    return list(dict.fromkeys(found))


def proof(claim: Claim, docs: Path) -> str:
    """The section of docs/proofs that argues the claim, with its notation, and where else the claim is named."""
    sections = [a for a in arguments(docs / "proofs") if page(claim) in a.claims]
    if len(sections) != 1:
        raise ExtensionError(f"{claim.id} is named by {len(sections)} sections of docs/proofs; it needs one, whose first line "
                             f"is `Claims: [{page(claim).partition('-')[2]}](../claims/{page(claim)}.md)`")
    argued, = sections
    more = [f"[{name.partition('-')[2]}]({name}.md)" for name in argued.claims if name != page(claim)]
    links = [f"This is [{argued.heading}](../proofs/{argued.stem}.md#{anchor(argued.heading)}) in {argued.page}"
             + (f", which also serves {', '.join(more)}" if more else "") + ".",
             *(["See also " + ", ".join(found) + "."] if (found := elsewhere(claim, docs)) else [])]
    notation = f"```{{admonition}} Notation\n:class: notation\n{from_claims(argued, argued.notation)}\n```"
    return "\n\n".join([notation, from_claims(argued, argued.text), " ".join(links)])


# ---------------------------------------------------------------- pages


def claim_page(claim: Claim, verdict: Verdict, docs: Path) -> str:
    module = home(claim)
    path = Path(inspect.getfile(module)).relative_to(ROOT)
    told = lines(module, claim)
    about = (inspect.getdoc(module) or "").split("\n\n")[0]
    code = f"```{{literalinclude}} ../../{path.as_posix()}\n:language: python\n" + (
        f":lines: {told}\n" if told else "") + "```"
    return "\n\n".join([
        f"# {words.pretty(claim.title)}", f"`{claim.id}`",
        "```{raw} html\n<div class=\"claim\">\n" + render_claim(claim, verdict) + "</div>\n```",
        f"## Proof\n\n{proof(claim, docs)}", "## Code",
        f"`{path.as_posix()}`: {words.pretty(' '.join(about.split()))}", code,
        f"Run it: `samplingtheory verify {claim.id}`",
    ]) + "\n"


def claim_index(verdicts: list[Verdict]) -> str:
    """One table a paper, in the order of the catalogue."""
    tables: dict[str, list[str]] = {}
    for c, v in zip(catalogue, verdicts, strict=True):
        tables.setdefault(c.id.partition("/")[0], []).append(
            f"| [{words.pretty(c.title)}]({page(c)}.md) | {words.status(v).symbol} {words.pretty(v.verdict)} | {v.grade} | "
            f"{words.ratio(v.sharpness)} | {v.controls['killed']}/{v.controls['total']} | {c.source.provenance} |")
    head = "| claim | verdict | grade | sharpness | controls | provenance |\n|---|---|---|---|---|---|\n"
    parts = [f"## {paper}\n\n{head}" + "\n".join(rows) for paper, rows in tables.items()]
    return "\n\n".join([
        "# Claims", words.summary(verdicts) + " Every page below was written from the run that built these pages (level quick, "
        "seed 0). A claim's id begins with the key of its paper in the [bibliography](../bibliography.md).", *parts,
        "```{toctree}\n:hidden:\n\n" + "\n".join(page(c) for c in catalogue) + "\n```"]) + "\n"


def experiments_page() -> str:
    rows = []
    for one in modules.found().values():
        command = f"python -m {one.module}" if one.missing else f"samplingtheory experiment {one.name[:3]}"
        rows.append(f"| `{one.name}` | {one.question} | `{command}` |")
    return EXPERIMENTS + "\n| name | question | command |\n|---|---|---|\n" + "\n".join(rows) + "\n" + SETS + "\n".join(
        f"| `{name}` | {N} | {d} | {words} |" for name, (N, d, words) in PAPER_SETS.items()) + "\n" + OWN


def kill_matrix_page() -> str:
    data = kills.shipped()
    return (f"# Which check catches which mistake\n\n{kills.summary(data)}. A cross: the check fails on the planted "
            "mistake, as it should; green: it needs no reference. `samplingtheory conform --matrix FILE` computes it "
            f"anew.\n\n```{{raw}} html\n<div class=\"claim\">\n{kills.tables(data)}</div>\n```\n")


EXPERIMENTS = """# Experiments

Each experiment opens with a question and a prediction. `samplingtheory experiment` lists them; `samplingtheory experiment
all --quick` runs them all in minutes and writes `samplingtheory-out/experiments.html`, which sets every figure beside what
the paper reports.

Each task's result is a file of its own, written whole or not at all, with its parameters, versions and checksums:
whatever kills the command costs the tasks in flight, and `--resume` goes on to the same bytes. `--draw` computes nothing.
`--backend dask --scheduler tcp://host:8786` runs the tasks on a Dask cluster, with the same results.

"""

SETS = """
## Data of the papers

The environment variable `SAMPLINGTHEORY_DATA` names further data for e01 and e30: files in LIBSVM format with two classes,
or folders that hold sets of the papers under these names (plain, .bz2 or .gz), separated as in PATH. Columns are
standardised; a file's checksum is part of its tasks.

| file | N | d | expected |
|---|---|---|---|
"""

OWN = """
## An experiment of your own

It is a Python file with a few functions: [a template that runs](adding.md#an-experiment). `samplingtheory experiment
path/to/experiment.py --quick` runs it from any folder, with figures, page, `--resume` and `--backend` like the others; a
dotted module name works as well.
"""


def generate(app: Any, config: Any) -> None:
    """Verify the catalogue (cached by source) and write the pages."""
    from joblib import cpu_count

    docs = Path(app.srcdir)
    verdicts = verify(None, "quick", 0, jobs=cpu_count(), out=docs / "_build" / "verify")
    for claim, verdict in zip(catalogue, verdicts, strict=True):
        write(docs / "claims" / f"{page(claim)}.md", claim_page(claim, verdict, docs))
    write(docs / "claims" / "index.md", claim_index(verdicts))
    write(docs / "experiments.md", experiments_page())
    write(docs / "kill-matrix.md", kill_matrix_page())
    wanted = {"index", *map(page, catalogue)}
    for old in (docs / "claims").glob("*.md"):
        if old.stem not in wanted:
            old.unlink()
    css = (ROOT / "samplingtheory" / "report" / "report.css").read_text(encoding="utf-8")
    css = re.sub(r"@media \(prefers-color-scheme: dark\) \{.*?\n\}\n", "", css, flags=re.S)
    head, _, rest = css.partition("}\n")
    write(docs / "_static" / "claims.css", f"{head}}}\n.claim {{\n{rest}}}\n".replace("light dark", "light"))


def plain_docstrings(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are text with ASCII formulas, laid out by hand: shown line for line, not read as markup."""
    if lines:
        lines[:] = ["| " + re.sub(r"([*`|\\_])", r"\\\1", line) if line.strip() else "|" for line in lines]
        while lines and lines[-1] == "|":
            lines.pop()
        lines.append("")


def linked(app: Any, name: str, source: list[str]) -> None:
    """A claim's id in code style becomes a link to its page."""
    if not name.startswith(("claims/", "notebooks/")):
        known = {claim.id: page(claim) for claim in catalogue}
        source[0] = re.sub(r"(?<!\[)`([\w-]+/[\w-]+)`", lambda m: f"[{m[0]}](/claims/{known[m[1]]}.md)" if m[1] in known else m[0],
                           source[0])


def machinery(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """What a user of a method does not call: its states, their fields, and checks of its numbers."""
    field = str(getattr(obj, "__doc__", "")).startswith("Alias for field")
    return True if field or name.endswith("State") or name in ("check_decay", "check_number") else None


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", linked)
    app.connect("autodoc-skip-member", machinery)
    app.connect("config-inited", generate)
    app.connect("autodoc-process-docstring", plain_docstrings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
