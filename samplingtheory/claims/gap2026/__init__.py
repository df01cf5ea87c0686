"""The test that is run: what can be proved about it, and what cannot. Ours (proofs: docs/proofs/gap2026.md).

The lagged rule, in which one batch sizes the next, can be repaired; a rule that tests the batch with which it steps
needs high dimension.
"""

from . import (
          extensions,
          extensions_adaptive,
          extensions_composite,
          lagged,
          lagged_practice,
          same_batch,
          same_batch_rates,
)

CLAIMS = (*same_batch.CLAIMS, *same_batch_rates.CLAIMS, *lagged.CLAIMS, *lagged_practice.CLAIMS, *extensions.CLAIMS,
          *extensions_adaptive.CLAIMS, *extensions_composite.CLAIMS)
