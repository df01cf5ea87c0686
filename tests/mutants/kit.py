"""Planted bugs of the kit part: name: (file, right, wrong, what must fail)."""

MUTANTS: dict[str, tuple[str, str, str, list[str]]] = {
}
