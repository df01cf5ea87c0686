"""Lau, Liu, Kolar, AdAdaGrad: Adaptive batch size schemes for adaptive gradient methods (2024, arXiv 2402.11215).

Only the abstract and the opening were at hand: AdaGrad-Norm and AdaGrad with batches from the norm test or its
coordinate-wise form reach a stationary point at O(1/K) with high probability. The setting is the paper's; every
constant and proof here is ours, and no claim below is a theorem of the paper by number.
"""

from .growth import CLAIMS as GROWTH
from .lemmas import CLAIMS as LEMMAS
from .rates import CLAIMS as RATES
from .variants import CLAIMS as VARIANTS

CLAIMS = (*GROWTH, *LEMMAS, *RATES, *VARIANTS)
