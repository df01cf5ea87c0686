"""Each rule that looks back against a loop that follows its words."""

from types import SimpleNamespace

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.problems.quadratic import GaussianQuadratic
from samplingtheory.sizing import CAP
from samplingtheory.sizing.average import Averaged, Past

PROBLEM = GaussianQuadratic(np.array([1.0, 0.5]), 2.0)


def test_behind_uses_this_batch_for_the_next():
    columns = {"n": "n", "asked": lambda s: st.whole(st.NormTest(0.7)(s.batch.moments), 2, CAP)}
    for monotone in (True, False):
        trace = st.run(PROBLEM, st.SGD(0.2), st.Behind(st.NormTest(0.7), start=3, monotone=monotone), [4.0, 1.0], 12,
                       replicates=20, rng=0, record=columns)
        assert (trace["n"][0] == 3).all()
        asked = trace["asked"][:-1]
        assert (trace["n"][1:] == (np.maximum(trace["n"][:-1], asked) if monotone else asked)).all()


def test_safeguard_against_a_loop():
    """The averaged gradient takes over after r still iterations if it is shorter than gamma times the last."""
    criterion, r, gamma = st.AugmentedInnerProductTest(2.0, 20.0), 3, 0.6
    kept = []
    record = {"n": "n", "batch": lambda s: (kept.append(s.batch.moments), s.batch.moments.n)[1]}
    st.run(PROBLEM, st.SGD(0.02), st.Safeguard(criterion, r=r, gamma=gamma), [0.3, 0.1], 25, replicates=1, rng=3,
           record=record)
    n, still, past, used, fired = 2.0, 0, [], [], 0
    for m in kept:
        used.append(n)
        g, still = m.mean[0], still + 1
        past = [*past, g][-r:]
        average = sum(past) / r if len(past) == r else g
        noisy = still >= r and average @ average < gamma**2 * (g @ g)
        fired += noisy
        asked = max(n, float(st.whole(criterion(m.toward(average[None]) if noisy else m), 1, CAP)[0]))
        n, still = asked, 0 if asked > n else still
    assert [float(m.n[0]) for m in kept] == used and fired > 0


def test_growth_cap_minimum_and_pilot_growth():
    big = st.NormTest(1e-3)
    n = st.run(PROBLEM, st.SGD(0.1), st.Behind(big, start=2, grow=1.5), [1.0, 1.0], 5, rng=0, record=("n",))["n"][:, 0]
    assert n.tolist() == [2, 3, 5, 8, 12]
    n = st.run(PROBLEM, st.SGD(0.1), st.Behind(st.NormTest(1e3), start=9, least=4, monotone=False), [1.0, 1.0], 3, rng=0,
               record=("n",))["n"][:, 0]
    assert n.tolist() == [9, 4, 4]
    rule = st.Pilot(st.NormTest(1e3), m=4, growth=1.5, least=3)
    trace = st.run(PROBLEM, st.SGD(0.1), rule, [1.0, 1.0], 4, rng=0, record=("n", "drawn"))
    assert trace["n"][:, 0].tolist() == [3] * 4 and (trace["drawn"] - trace["n"])[:, 0].tolist() == [4, 6, 9, 14]


@pytest.mark.parametrize("still, length, over", [(2, 0.1, False), (3, 0.1, True), (3, 0.59, True), (3, 0.61, False),
                                                 (4, 0.5, True)])
def test_when_the_averaged_gradient_takes_over(still, length, over):
    """At r still iterations, this one counted, and for |g_avg| < gamma |g|; r = 3, gamma = 0.6."""
    rule, g = Averaged(3, 0.6), np.array([[1.0, 0.0]])
    past = Past(np.full(1, float(still)), np.array([[[0.0, 0.0], [3 * length - 1, 0.0], [1.0, 0.0]]]))
    moments = SimpleNamespace(mean=g, toward=lambda direction: direction)
    view = SimpleNamespace(seen=lambda batch: "plain")
    seen = rule.seen(past, SimpleNamespace(moments=moments), view, st.NormTest(0.5))
    if over:
        np.testing.assert_allclose(seen, [[length, 0.0]])
    else:
        assert seen == "plain"
