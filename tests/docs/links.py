"""Links of built pages: python -m tests.docs.links docs/_build/html lists what leads nowhere (files, anchors, images)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse


class Page(HTMLParser):
    """The ids of a page and the targets of its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif name in ("href", "src") and value is not None:
                self.targets.append(value)


def broken(folder: Path) -> Iterator[str]:
    """`page: target` for every local link without a file, or without its anchor in the file."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    for path, page in pages.items():
        for target in page.targets:
            parts = urlparse(target)
            if parts.scheme or parts.netloc:
                continue
            name, fragment = parts.path, parts.fragment
            file = (path.parent / unquote(name)).resolve() if name else path
            file = file / "index.html" if file.is_dir() else file
            if not file.exists() or (fragment and file in pages and unquote(fragment) not in pages[file].ids):
                yield f"{path.relative_to(folder.resolve())}: {target}"


def outside(folder: Path) -> set[str]:
    """Addresses outside that pages link to."""
    return {t for path in folder.rglob("*.html") for t in Page(path.read_text(encoding="utf-8")).targets
            if urlparse(t).scheme in ("http", "https")}


if __name__ == "__main__":
    lost = sorted(broken(Path(sys.argv[1])))
    print("\n".join(lost) or "every link leads somewhere")
    raise SystemExit(bool(lost))
