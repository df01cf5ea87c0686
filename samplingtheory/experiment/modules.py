"""Experiments as modules: found, listed without importing them, loaded, and hashed."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import store
from ..errors import UserError

PACKAGE = Path(__file__).parents[1]
PROTOCOL = ("tasks", "compute", "shape", "draw", "caption")
SHOWN = ("shape", "draw", "caption", "compare", "PAPER")  # change what is drawn, never a result
UNSEEN = ("report", "experiment", "cli", "__main__.py", "check.py", "workers.py", "verify.py")  # touch no result
MISSING = ("the experiments are not part of the installed package: take the source archive or a checkout, and run this "
           "command in its folder (there must be a folder `experiments` in it)")


@dataclass(frozen=True)
class Experiment:
    """One experiment. `path` is its file, `module` the dotted name under which a worker imports it."""

    name: str
    module: str
    path: Path

    @property
    def root(self) -> str:
        """The folder that must be on the path for `module` to be imported."""
        return str(self.path.parents[self.module.count(".")])

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.tree) or ""

    @property
    def question(self) -> str:
        """The question that the docstring opens with, or that its paragraph `Question.` asks; else its first line."""
        texts = [" ".join(block.split()) for block in self.doc.split("\n\n")]
        asked = [t for t in texts[:1] + [t for t in texts if t.startswith("Question")] if "?" in t]
        return re.sub(r"^Question[.:]\s*", "", asked[0]).split("?")[0] + "?" if asked else texts[0]

    @property
    def missing(self) -> list[str]:
        """Functions of the protocol that the module lacks; all of them: a script of its own."""
        has = {node.name for node in self.tree.body if isinstance(node, ast.FunctionDef)}
        return [name for name in PROTOCOL if name not in has]

    def load(self) -> ModuleType:
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        return import_module(self.module)



def source_hash(path: Path) -> str:
    """Hash of what a result depends on: the package's mathematics, the module and those beside it that it imports;
    not what is only shown (`shape`, `draw`, `caption`, `compare`, `PAPER`, docstrings)."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        inside = file.relative_to(PACKAGE)
        if inside.parts[0] not in UNSEEN:
            digest.update(f"\x1f{inside.as_posix()}\x1f".encode() + file.read_bytes())
    for file in _with_siblings(path, {}):
        digest.update(f"\x1f{file.name}\x1f{_computing(file)}".encode())
    return digest.hexdigest()


def _computing(path: Path) -> str:
    """A module's source without its docstring and without what only draws."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    return "\n".join(ast.unparse(node) for node in body if not _names(node) & set(SHOWN))


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _with_siblings(path: Path, seen: dict[Path, None]) -> list[Path]:
    """The module and, through its imports, the modules and packages of its own folder."""
    if path not in seen:
        seen[path] = None
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for part in {part for name in names for part in name.split(".") if part.isidentifier()}:
                beside = path.with_name(f"{part}.py")
                inside = path.parent.joinpath(part).rglob("*.py")
                for other in ([beside] if beside.exists() else []) + sorted(inside):
                    _with_siblings(other, seen)
    return list(seen)


# ---------------------------------------------------------------- finding them


def folder() -> Path | None:
    """The folder of experiments: in the current directory, or of the checkout that holds this package."""
    for root in (Path.cwd(), PACKAGE.parent):
        if any((root / "experiments").glob("e[0-9][0-9]_*.py")):
            return root / "experiments"
    return None


def found() -> dict[str, Experiment]:
    """Experiments of the checkout by name, in order. UserError: there is no checkout."""
    place = folder()
    if place is None:
        raise UserError(MISSING)
    return {path.stem: Experiment(path.stem, f"experiments.{path.stem}", path)
            for path in sorted(place.glob("e[0-9][0-9]_*.py"))}


def select(names: list[str]) -> list[Experiment]:
    """The experiments meant: names, beginnings of names (e04), 'all', files or importable modules. UserError: unknown."""
    chosen: dict[str, Experiment] = {}
    for name in names:
        for experiment in _matching(name):
            chosen.setdefault(experiment.name, experiment)
    return list(chosen.values())


def _matching(name: str) -> list[Experiment]:
    if name == "all":
        return [e for e in found().values() if not e.missing]
    table = found() if folder() else {}
    begins = [e for key, e in table.items() if key == name] or [e for key, e in table.items() if key.startswith(name)]
    chosen = begins or _by_path(name) or _imported(name)
    if not chosen:
        if not table:
            raise UserError(f"no module is called {name!r}; {MISSING}")
        near = [key for key in table if name.lower() in key] or get_close_matches(name, ["all", *table], 1, 0.4)
        raise UserError(f"no experiment is called {name!r}; " + (f"the nearest is {near[0]!r}; " if near else "")
                        + "`samplingtheory experiment` lists all")
    for experiment in chosen:
        if experiment.missing:
            own = "" if len(experiment.missing) < len(PROTOCOL) or experiment.module.count(".") == 0 else \
                f"; it is a script of its own: python -m {experiment.module}"
            raise UserError(f"{experiment.name} has no function {experiment.missing[0]}(){own}")
    return chosen


def _by_path(name: str) -> list[Experiment]:
    """A file, under the dotted name by which the packages around it (folders with __init__.py) are imported."""
    path = Path(name).resolve()
    if path.suffix != ".py" or not path.is_file():
        return []
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").exists():
        parts, folder = [folder.name, *parts], folder.parent
    return [Experiment(path.stem, ".".join(parts), path)]


def _imported(name: str) -> list[Experiment]:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return []
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return []
    return [Experiment(name, name, Path(spec.origin).resolve())]


# ---------------------------------------------------------------- what a result came from


def provenance(experiment: Experiment, module: ModuleType) -> dict[str, Any]:
    """What the bytes of a result depend on besides its task. UserError: data of no such name."""
    from ..problems import data

    sums = {}
    wanted = getattr(module, "DATA", ())
    if not (isinstance(wanted, tuple) and all(isinstance(name, str) for name in wanted)):
        raise UserError(f"{experiment.name}: DATA is {wanted!r}; give a tuple of names of functions in problems.data")
    for name in wanted:
        if not hasattr(data, name):
            raise UserError(f"{experiment.name}: DATA names {name!r}; problems.data has no such function")
        digest = hashlib.sha256()
        for array in getattr(data, name)():
            digest.update(repr((array.shape, array.dtype.str)).encode() + array.tobytes())
        sums[name] = digest.hexdigest()
    versions = store.versions() | {"torch": store.installed("torch")}
    source = source_hash(Path(str(module.__file__)))
    return {"experiment": experiment.name, "source": source, "versions": versions, "data": sums}
