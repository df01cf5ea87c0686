"""The documentation builds without a warning (broken links, formulas and failing notebooks are warnings or errors)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from samplingtheory.claims.catalogue import catalogue

from .links import broken, outside

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.slow
def test_it_builds_without_warnings_network_or_scripts_for_mathematics(tmp_path):
    pytest.importorskip("myst_nb")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=DOCS.parent)
    assert done.returncode == 0, done.stderr
    pages = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*.html")}
    for claim in catalogue:
        page = pages[f"claims/{claim.id.replace('/', '-')}.html"]
        words = re.sub(r"<[^>]+>", "", page)
        assert "<math" in page and f"samplingtheory verify {claim.id}" in words
        assert "∎" in words or "No proof" in words
    for name, text in pages.items():
        assert "$$" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.S), name
        assert not re.search(r'<(script|link|img)[^>]+(src|href)="https?://', text), f"{name} asks the network"
        assert not re.search(r'<script[^>]+mathjax', text, flags=re.I), name
    assert sorted(broken(tmp_path)) == []
    assert {address.split("/")[2] for address in outside(tmp_path)} <= {"arxiv.org", "doi.org"}
    assert sum("cell_output" in text for text in pages.values()) >= 9
