"""Planted bugs: each is written into a copy of the package, and the named tests or claims must then fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .mutants import adaptive, distributed, gap, kit

ROOT = Path(__file__).parents[1]
SQUARED = """a = np.square(tol) * signal / spread; b = 2.0 / population + a
        size = (b - np.sqrt(b * b - 4.0 / population**2)) * population**2 / 2 if population < math.inf else 1 / a"""
SIGNAL = """        return dot(self.direction, self.direction)

    @cached_property
    def _centred"""
STEPS = ["tests/test_steps.py"]
COLUMN = """        column = "m" if self.step == "expected" else "E2"
        return _first(m, lambda s: s.alpha"""
CRITERIA = ["tests/criteria", "-k", "size_passes or moments_equal or whole or augmented"]

MUTANTS = {  # name: (file, right, wrong, what must fail)
    "divisor n in a batch": ("problems/finite.py", "divide(size, size - 1, 0)", "divide(size, size, 0)",
                             ["tests/test_moments.py", "-k", "counted"]),
    "divisor n in a table": ("moments.py", "dof = allsum((counts > 0).sum(-1)) - 1",
                             "dof = allsum((counts > 0).sum(-1))", ["tests/test_moments.py"]),
    "divisor N without replacement": ("problems/finite.py", "one * A / (A - 1)", "one", CRITERIA),
    "theta for theta^2": ("criteria/sizes.py", "np.square(tol) * signal", "tol * signal", CRITERIA),
    "floor for ceil": ("criteria/sizes.py", "np.ceil(low - SLACK * np.maximum(low, 1.0))", "np.floor(low)", CRITERIA),
    "round for ceil": ("criteria/sizes.py", "np.ceil(low - SLACK * np.maximum(low, 1.0))", "np.round(low)", CRITERIA),
    "finite-population factor dropped": ("criteria/sizes.py", " + 1.0 / population)", ")", CRITERIA),
    "finite-population factor squared": (
        "criteria/sizes.py", "size = 1.0 / (np.square(tol) * signal / spread + 1.0 / population)", SQUARED, CRITERIA),
    "finite-population factor with replacement": (
        "problems/quadratic.py", "self.population = math.inf if replace else N", "self.population = N",
        ["verify", "bollapragada2018/decomposition"]),
    "min for max in the augmented test": (
        "criteria/pointwise.py", "return np.maximum(InnerProductTest(", "return np.minimum(InnerProductTest(",
        CRITERIA),
    "step 1/L": ("claims/common.py", '"alpha": 1 / (L * growth) if alpha', '"alpha": 1 / L if alpha',
                 ["verify", "bollapragada2018/one-step"]),
    "along and across exchanged": ("criteria/pointwise.py", "return smallest(m.along, m.signal, self.theta",
                                   "return smallest(across(m), m.signal, self.theta",
                                   ["verify", "bollapragada2018/inner-product-size"]),
    "signal |g|^4": ("moments.py", SIGNAL, SIGNAL.replace("direction)\n\n", "direction) ** 2\n\n"), CRITERIA),
    "debiasing adds": ("criteria/corrected.py", "m.signal - np.where(known", "m.signal + np.where(known",
                       ["tests/criteria", "-k", "debias"]),
    "weights of paths lost": ("run/branch.py", "[batch.parent] * batch.weight", "[batch.parent] * 1.0",
                              ["tests/test_run.py"]),
    "monotone sizes shrink": ("sizing/behind.py", "np.maximum(n, asked) if self.monotone",
                              "np.minimum(n, asked) if self.monotone", ["tests/sizing", "-k", "behind"]),
    "safeguard never fires": ("sizing/average.py", "(past.unchanged >= self.r) &", "(past.unchanged < 0) &",
                              ["tests/sizing", "-k", "safeguard"]),
    "prox with lambda for alpha lambda": ("methods/proximal.py", "return self.h.prox(x - alpha * g, alpha)",
                                          "return self.h.prox(x - alpha * g, 1.0)", STEPS),
    "realised for expected step": ("criteria/complete.py", COLUMN, COLUMN.replace('"m" if', '"E2" if'), STEPS),
    "plain norm test for the step test": ("criteria/complete.py", "(m.total, m.mapping *", "(m.total, m.signal *", STEPS),
    "missing 1/alpha^2": ("criteria/complete.py", "lambda s: s.alpha**2 * s.V <=", "lambda s: s.V <=", STEPS),
    "missing 1/alpha^2 in the mapping": ("methods/proximal.py", "/ exact(self.alpha, x)", "/ 1", STEPS),
    "extension forgets what it holds": ("problems/finite.py", "counts = held[row] + added", "counts = added",
                                        ["tests/claims/test_xie2020.py", "-k", "nc6"]),
} | adaptive.MUTANTS | distributed.MUTANTS | gap.MUTANTS | kit.MUTANTS


def fails(folder: Path, what: list[str]) -> bool:
    if what[0] == "verify":
        command = ["-m", "samplingtheory", *what, "--out", str(folder / "out"), "--jobs", "1"]
    else:
        command = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *what]
    code = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, timeout=300).returncode
    assert code in (0, 1, 3), f"exit status {code}: neither passed nor found the bug"
    return code != 0


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutant")
    for name in ("samplingtheory", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


LONG = adaptive.MUTANTS | distributed.MUTANTS | gap.MUTANTS | kit.MUTANTS  # minutes of them


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in MUTANTS])
def test_mutant_is_killed(name, copy):
    file, right, wrong, what = MUTANTS[name]
    target = copy / "samplingtheory" / file
    source = target.read_text()
    assert source.count(right) == 1, "the line that this mutant changes has moved: update the mutant"
    target.write_text(source.replace(right, wrong))
    try:
        assert fails(copy, what)
    finally:
        target.write_text(source)


@pytest.mark.parametrize("what", [CRITERIA, ["tests/test_moments.py", "-k", "counted"], ["tests/test_run.py"],
                                  ["verify", "bollapragada2018/one-step", "bollapragada2018/decomposition",
                                   "espath2021/optimal-split", "bollapragada2018/inner-product-size"]], ids=str)
def test_the_sound_copy_passes(what, copy):
    assert not fails(copy, what)
