"""Methods: frozen hyper-parameters, `init(x)` and `step(state, batch)`; the loop is elsewhere."""

from .proximal import ProximalGradient
from .sgd import SGD, Backtracking

__all__ = ["SGD", "Backtracking", "ProximalGradient"]
