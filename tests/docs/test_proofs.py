"""Every claim has its argument: one section of docs/proofs that ends its proof with a mark, or says that none is known."""

import sys
from pathlib import Path

import pytest

from samplingtheory.claims.catalogue import catalogue

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))
from arguments import DONE, OPEN, anchor, arguments  # noqa: E402

NAMES = {claim.id.replace("/", "-") for claim in catalogue}


def faults(folder):
    """What is wrong with the proofs in a folder, one line each."""
    found = arguments(folder)
    named = [name for a in found for name in a.claims]
    yield from (f"{name} is argued {named.count(name)} times" for name in sorted(NAMES) if named.count(name) != 1)
    yield from (f"{name} is no claim" for name in sorted(set(named) - NAMES))
    for a in found:
        if not a.claims:
            yield f"{a.stem}, {a.heading}: no claim is named in the first line"
        if (DONE not in a.text and OPEN not in a.text) or len(a.text) < 80:
            yield f"{a.stem}, {a.heading}: neither a proof nor a word that there is none"


def test_every_claim_is_argued_once():
    assert list(faults(DOCS / "proofs")) == []


def test_headings_differ_so_that_links_are_unambiguous():
    places = [(a.stem, anchor(a.heading)) for a in arguments(DOCS / "proofs")]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("old, new, words", [
    ("Claims: [unshrunk-step](../claims/byrd2012-unshrunk-step.md)\n", "", "byrd2012-unshrunk-step is argued 0 times"),
    ("byrd2012-geometric.md", "byrd2012-arithmetic.md", "byrd2012-arithmetic is no claim"),
    ("and still true. ∎", "and still true.", "The step 1/L: neither a proof")])
def test_a_missing_argument_is_noticed(tmp_path, old, new, words):
    for path in (DOCS / "proofs").glob("*.md"):
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace(old, new) if path.stem == "byrd2012" else text)
    assert any(words in line for line in faults(tmp_path))


def test_where_no_proof_is_known_the_claim_does_not_say_proved():
    open_ones = {name for a in arguments(DOCS / "proofs") if OPEN in a.text and DONE not in a.text for name in a.claims}
    assert 5 <= len(open_ones) <= 15
    for claim in catalogue:
        if claim.id.replace("/", "-") in open_ones:
            assert "proved" not in (claim.explain + claim.source.label).replace("re-proved", "")
