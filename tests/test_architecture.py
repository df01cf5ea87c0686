"""Data flows one way: a module imports only what stands to its left."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "samplingtheory"
ORDER = ("seeds", "errors", "moments", "problems", "criteria", "units", "methods", "steps", "sizing", "run", "evidence",
         "claims", "store", "check", "workers", "verify", "report", "distributed", "testing", "experiment", "cli",
         "__main__")
LAZY = ("sklearn", "matplotlib", "cvxpy", "torch", "joblib", "jinja2", "latex2mathml")
FILES = sorted(p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts != ("__init__.py",))


def layer(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def targets(path: Path, node: ast.AST) -> list[str]:
    """Layers of this package that an import statement reaches."""
    package = ["samplingtheory", *path.relative_to(ROOT).parts[:-1]]
    if isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else []
        names = [".".join([*base, *(node.module or "").split("."), a.name]) for a in node.names]
    elif isinstance(node, ast.Import):
        names = [a.name for a in node.names]
    else:
        return []
    parts = [[p for p in name.split(".") if p] for name in names]
    return [p[1] for p in parts if len(p) > 1 and p[0] == "samplingtheory" and p[1] in ORDER]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_left(path):
    own = layer(path)
    assert own in ORDER, f"{own} has no place in the order"
    for node in ast.walk(ast.parse(path.read_text())):
        for target in targets(path, node):
            assert ORDER.index(target) <= ORDER.index(own), f"{path.name}:{node.lineno} imports {target}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_costly_libraries_are_imported_where_used(path):
    if layer(path) in ("report", "distributed"):
        return  # themselves imported only where they are used
    for node in ast.parse(path.read_text()).body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
            [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in names:
            assert name.split(".")[0] not in LAZY, f"{path.name} imports {name} at its top"


def test_mathematics_touches_no_clock_file_or_global_randomness():
    forbidden = {"time", "datetime", "random", "os", "pathlib"}
    for path in FILES:
        if layer(path) in (*ORDER[ORDER.index("store"):],) or path.name == "data.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {n.split(".")[0] for n in names} & forbidden, path
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.random":
                assert node.attr in {"default_rng", "Generator", "SeedSequence"}, f"{path.name}: {ast.unparse(node)}"


def test_the_package_completes_to_its_public_names():
    import samplingtheory

    assert dir(samplingtheory) == sorted([*samplingtheory.__all__, "__version__"])
    assert all(hasattr(samplingtheory, name) for name in samplingtheory.__all__)


def test_the_order_test_can_fail():
    node = ast.parse("from ..claims.base import Claim").body[0]
    assert targets(ROOT / "problems" / "base.py", node) == ["claims"]
    assert ORDER.index("claims") > ORDER.index("problems")
