"""All claims, in the order in which they are read."""

from __future__ import annotations

from . import (
    adadagrad2024,
    bollapragada2018,
    byrd2012,
    espath2021,
    gap2026,
    lau2024,
    worst_cases,
    xie2020,
)
from .base import Claim

catalogue: tuple[Claim, ...] = (
    *byrd2012.CLAIMS,
    *bollapragada2018.CLAIMS,
    *espath2021.CLAIMS,
    *xie2020.CLAIMS,
    *adadagrad2024.CLAIMS,
    *lau2024.CLAIMS,
    *worst_cases.CLAIMS,
    *gap2026.CLAIMS,
)
