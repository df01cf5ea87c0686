"""Sizing rules: where theory and practice part, as types.

`Ahead` decides with the exact law before the draw (what theorems assume); `Behind` lets this batch size the
next one (what is run). A rule returns the batch that steps, and its own state, aligned with that batch.
"""

from .ahead import Ahead
from .average import Averaged
from .base import CAP, View
from .behind import Behind, Lagged, Safeguard
from .pilot import Pilot
from .planned import Fixed, Geometric
from .same_batch import SameBatch

__all__ = ["CAP", "Ahead", "Averaged", "Behind", "Fixed", "Geometric", "Lagged", "Pilot", "Safeguard", "SameBatch", "View"]
