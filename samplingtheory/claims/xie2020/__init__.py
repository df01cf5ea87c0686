"""Xie, Bollapragada, Byrd, Nocedal, Constrained and composite optimization via adaptive sampling methods, IMA J.
Numer. Anal. 2024 (arXiv 2012.15411).

Only the abstract was at hand: the setting (proximal gradient, a test on the complete step) is the paper's, every
constant and proof here is ours ('reconstructed' where the form is in the spirit of the paper, 'ours' where it is new).
"""

from .failures import CLAIMS as FAILURES
from .lemmas import CLAIMS as LEMMAS
from .rates import CLAIMS as RATES

CLAIMS = (*LEMMAS, *RATES, *FAILURES)
