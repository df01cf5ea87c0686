"""The proofs of docs/proofs, by claim: one page a paper, one `##` section an argument, its claims named in its first line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

DONE, OPEN = "∎", "**No proof"  # how a section says that it proves, or that it does not
CLAIM = re.compile(r"\(\.\./claims/([\w.-]+)\.md\)")


class Argument(NamedTuple):
    """A section: its page's stem and title, the notation at the head of that page, and its text without the first line."""

    stem: str
    page: str
    notation: str
    heading: str
    claims: tuple[str, ...]
    text: str


def arguments(folder: Path) -> list[Argument]:
    """Every section of every page but the index."""
    found = []
    for path in sorted(folder.glob("*.md")):
        if path.stem == "index":
            continue
        head, *sections = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.M)
        title, _, notation = head.strip().partition("\n")
        for section in sections:
            heading, _, text = section.partition("\n")
            first, _, rest = text.strip().partition("\n")
            claims = tuple(CLAIM.findall(first)) if first.startswith("Claims: ") else ()
            found.append(Argument(path.stem, title.lstrip("# "), notation.strip(), heading.strip(), claims, rest.strip()))
    return found


def anchor(heading: str) -> str:
    """The fragment that MyST gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def from_claims(argument: Argument, text: str) -> str:
    """The text with its links as seen from docs/claims."""
    text = re.sub(r"\]\(#", f"](../proofs/{argument.stem}.md#", text)
    return re.sub(r"\]\((?=[\w-]+\.md)", "](../proofs/", text)
