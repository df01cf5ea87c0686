"""What do stopped batches cost?  python -m experiments.benchmarks.gap [--d 1 10]

Prediction. The lattice of 2^20 subsets takes some seconds and well below 1 GB: membership bits times gradients, layer by
layer. 1000 runs of 30 steps at N = 256 take seconds for every rule: extension is scored at all prefixes of one random
order by cumulative sums (no draw a test); only inner product tests pay for all pairs of samples and prefixes.
Process CPU time, one thread; asserted: 10 s and 1 GB for the lattice, 20 s for each simulation with a norm test.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy loads its BLAS

import argparse  # noqa: E402
import resource  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import samplingtheory as st  # noqa: E402
from samplingtheory.claims.gap2026.same_batch import skewed  # noqa: E402
from samplingtheory.evidence.lattice import stopped_law  # noqa: E402

RULES = {"extend by one": lambda c: st.SameBatch(c, grow=1, monotone=False),
         "extend by doubling": lambda c: st.SameBatch(c, grow=2, monotone=False),
         "extend to what is asked": lambda c: st.SameBatch(c, monotone=False),
         "redraw": lambda c: st.SameBatch(c, on_fail="redraw", grow=2, monotone=False),
         "lagged": lambda c: st.Behind(c, monotone=False), "pilot": st.Pilot, "exact": st.Ahead}
TESTS = {"norm": st.NormTest(0.5), "augmented": st.AugmentedInnerProductTest(0.5, 0.5)}


def seconds(task: object) -> float:
    start = time.process_time()
    task()  # type: ignore[operator]
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", type=int, nargs="+", default=[1, 10])
    dims = parser.parse_args().d
    table = Table("law on the lattice, N = 20", *(f"d = {d}, s" for d in dims), "peak, MB")
    for name in ("extend by one", "extend by doubling", "extend to what is asked", "redraw", "pilot"):
        spent = [seconds(lambda d=d, name=name: stopped_law(skewed(20, d), RULES[name](TESTS["norm"]), np.full(d, 0.3)))
                 for d in dims]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        table.add_row(name, *(f"{t:.2f}" for t in spent), f"{peak:.0f}")
        assert max(spent) < 10 and peak < 1024, name
    Console(width=100).print(table)
    table = Table("1000 runs, N = 256, 30 steps", *(f"{test}, d = {d}, s" for test in TESTS for d in dims))
    for name, rule in RULES.items():
        spent = [seconds(lambda d=d, test=test, rule=rule: st.run(
            skewed(256, d), st.SGD(0.8), rule(TESTS[test]), np.full(d, 3.0), 30, replicates=1000, rng=0))
            for test in TESTS for d in dims]
        table.add_row(name, *(f"{t:.1f}" for t in spent))
        assert max(spent[: len(dims)]) < 20, name
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
