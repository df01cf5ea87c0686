"""Methods: frozen hyper-parameters, `init(x)` and `step(state, batch)`; the loop is elsewhere."""

from .adagrad import AdaGrad, AdaGradNorm
from .adam import Adam, AdamW, RMSProp
from .proximal import ProximalGradient
from .sgd import SGD, Backtracking, Momentum

__all__ = ["SGD", "AdaGrad", "AdaGradNorm", "Adam", "AdamW", "Backtracking", "Momentum", "ProximalGradient", "RMSProp"]
