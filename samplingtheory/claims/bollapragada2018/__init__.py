"""Bollapragada, Byrd, Nocedal, Adaptive sampling strategies for stochastic optimization, SIAM J. Optim. 2018.

The paper's own labels are recalled, so constants that we proved ourselves carry the provenance 'reconstructed';
sharper ones are 'ours'.
"""

from . import lemmas, practice, sizes, strongly_convex, sublinear

CLAIMS = (*sizes.CLAIMS, *lemmas.CLAIMS, *strongly_convex.CLAIMS, *sublinear.CLAIMS, *practice.CLAIMS)
