"""Planted bugs of the distributed part: name: (file, right, wrong, what must fail)."""

MUTANTS: dict[str, tuple[str, str, str, list[str]]] = {
}
