"""One loop, for simulation and for enumeration, over all replicates at once."""

from ..problems.base import EVERY
from .columns import POINTS, STEPS, Column
from .loop import run
from .trace import Trace, gather
from .view import Step, View

__all__ = ["EVERY", "POINTS", "STEPS", "Column", "Step", "Trace", "View", "gather", "run"]
