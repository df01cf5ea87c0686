"""Gradient tables on a scale where the tests' laws are exact or nearly so."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

values = st.floats(-8, 8, allow_nan=False, allow_subnormal=False).map(lambda v: round(v, 3))


@st.composite
def tables(draw, least=2, most=8):
    """(B, d) gradients whose mean is not zero."""
    B, d = draw(st.integers(least, most)), draw(st.integers(1, 4))
    table = draw(npst.arrays(float, (B, d), elements=values))
    table[:, 0] += np.sign(table[:, 0].sum() or 1) * 0.5
    return table


tolerances = st.floats(0.05, 6.0, allow_subnormal=False)
