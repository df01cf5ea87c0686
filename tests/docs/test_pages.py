"""Examples in the pages run, the templates do what the pages say, and links inside the documentation resolve."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from samplingtheory.claims.catalogue import catalogue

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN_AT_BUILD = ("claims/index.md", "experiments.md", "kill-matrix.md",
                    *(f"claims/{c.id.replace('/', '-')}.md" for c in catalogue))


@pytest.mark.parametrize("name", ["concepts.md", "statistics.md"])
def test_examples_run(name):
    found = doctest.testfile(str(DOCS / name), module_relative=False)
    assert found.attempted > 5 and found.failed == 0


def run(path):
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=path.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name, words", [
    ("theorem.py", "confirmed on this instance; sharpness 1.000; controls 2 of 2"),
    ("problem.py", "mean gap after 20 steps"), ("criterion.py", "weight 1.0: 4.17 samples")])
def test_templates(tmp_path, name, words):
    """As a new user would: the file alone, in an empty folder."""
    (tmp_path / name).write_text((DOCS / "templates" / name).read_text())
    out = run(tmp_path / name)
    assert words in out and "NOT" not in out


def test_template_of_an_experiment(tmp_path):
    (tmp_path / "my_experiment.py").write_text((DOCS / "templates" / "experiment.py").read_text())
    command = [sys.executable, "-m", "samplingtheory", "experiment", "my_experiment", "--quick", "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "samplingtheory-out" / "experiments.html").read_text()
    assert "How many sampled gradients does the tolerance of the norm test cost?" in page and "Median gap" in page


@pytest.mark.parametrize("old, new, words", [
    ("(1 - s.mu / (s.L * s.growth)) * now.gap)", "(1 - s.mu / (s.L * s.growth)) * now.gap / 1.01)", "refuted;"),
    ("tight=(case(\"noise at the limit of the test\", EPS * L),)", "tight=(case(\"too much\", 2 * EPS * L),)",
     "inconclusive (hypothesis: test)"),
    ("case(\"twice the noise\", 2 * EPS * L)", "case(\"no violation\", EPS * L)", "controls 1 of 2")])
def test_what_the_page_says_of_mistakes(tmp_path, old, new, words):
    text = (DOCS / "templates" / "theorem.py").read_text()
    assert old in text
    (tmp_path / "mine.py").write_text(text.replace(old, new))
    assert words in run(tmp_path / "mine.py")


def test_links_between_pages():
    for page in DOCS.rglob("*.md"):
        if "_build" in page.parts or page.relative_to(DOCS).parts[0] == "claims":
            continue
        text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.S | re.M)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if not target.startswith(("http", "mailto")) and not target.endswith(WRITTEN_AT_BUILD):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
