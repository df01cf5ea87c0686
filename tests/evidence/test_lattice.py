"""The lattice programme against every ordering, in rationals, and against simulation."""

import math
from fractions import Fraction
from functools import cache
from itertools import combinations, permutations

import numpy as np
import pytest

import samplingtheory as st
from samplingtheory.evidence.lattice import stopped_law
from samplingtheory.problems.quadratic import QuadraticSum

fraction = np.vectorize(Fraction, otypes=[object])


def instance(N, exact=True, d=1, seed=3):
    """Distinct Hessians and integer minimisers; x away from the minimiser of the sum."""
    rng = np.random.default_rng(seed)
    h, c = rng.integers(1, 5, N), rng.integers(-6, 7, (N, d))
    if not exact:
        return QuadraticSum(np.asarray(h, float), (h[:, None] * c).astype(float)), np.full(d, 1.5)
    return QuadraticSum(fraction(h), fraction(h[:, None] * c)), fraction(np.full(d, 3)) / 2


def wants(table, kind):
    """What a test asks for, as a function of a set of indices: the definitions, with loops."""
    N = len(table)

    @cache
    def asked(S):
        n, rows = len(S), [table[i] for i in S]
        mean = sum(rows) / n
        total = sum(((g - mean) ** 2).sum() for g in rows) / (n - 1)
        signal = (mean * mean).sum()
        if kind == "debiased":
            signal = max(Fraction(0), signal - total * (Fraction(1, n) - Fraction(1, N)))
        if kind == "repaired":
            signal = signal / (1 + Fraction(1, 4))
        if total == 0:
            return 1
        rest = Fraction(1, 4) * signal / total + Fraction(1, N)
        return min(max(math.ceil(1 / rest), 1), N)
    return asked


def larger(n, asked, grow, N):
    return min(max(asked if grow is None else math.ceil(grow * n), n + 1), N)


def by_orderings(N, start, asked, grow, corrections):
    """Each of the N! orders on its own: the set at which it stops."""
    law = {}
    for order in permutations(range(N)):
        n, failures = min(start, N), 0
        while n < N and failures < corrections and asked(frozenset(order[:n])) > n:
            n, failures = larger(n, asked(frozenset(order[:n])), grow, N), failures + 1
        S = frozenset(order[:n])
        law[S] = law.get(S, 0) + Fraction(1, math.factorial(N))
    return law


def by_redraws(N, n, asked, grow, corrections, weight=Fraction(1), law=None):
    """Every sequence of fresh batches."""
    law = {} if law is None else law
    sets = [frozenset(S) for S in combinations(range(N), n)]
    for S in sets:
        w = weight / len(sets)
        if n < N and corrections > 0 and asked(S) > n:
            by_redraws(N, larger(n, asked(S), grow, N), asked, grow, corrections - 1, w, law)
        else:
            law[S] = law.get(S, 0) + w
    return law


CRITERIA = {"plain": st.NormTest(Fraction(1, 2)), "debiased": st.Debiased(st.NormTest(Fraction(1, 2))),
            "repaired": st.Repaired(st.NormTest(Fraction(1, 2)))}


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("N, start, on_fail, grow, corrections", [
    (7, 2, "extend", 1, math.inf), (7, 3, "extend", 1, math.inf), (6, 2, "extend", 2, math.inf),
    (7, 2, "extend", None, math.inf), (6, 4, "extend", 1, math.inf), (6, 2, "extend", 1.5, 1),
    (7, 2, "extend", 1, 2), (6, 2, "redraw", 2, math.inf), (6, 2, "redraw", None, math.inf), (5, 3, "redraw", 1, 1)])
def test_lattice_equals_all_orderings(N, start, on_fail, grow, corrections, kind):
    """Fractions: equality, no tolerance."""
    problem, x = instance(N)
    table = problem.atoms(x[None, :])[0][0]
    asked = wants([row for row in table], kind)
    if on_fail == "extend":
        law = by_orderings(N, start, asked, grow, corrections)
    else:
        law = by_redraws(N, start, asked, grow, corrections)
    rule = st.SameBatch(CRITERIA[kind], start, on_fail, corrections, grow)
    found = stopped_law(problem, rule, x)
    G = table.sum(0) / N
    means = {S: sum(table[i] for i in S) / len(S) for S in law}
    assert sum(law.values()) == 1 == found.sizes.sum()
    assert (found.mean == sum(w * means[S] for S, w in law.items())).all()
    assert found.second == sum(w * ((means[S] - G) ** 2).sum() for S, w in law.items())
    assert found.n == sum(w * len(S) for S, w in law.items())
    assert all(found.sizes[n] == sum(w for S, w in law.items() if len(S) == n) for n in range(N + 1))
    assert on_fail == "redraw" or found.drawn == found.n
    tree = st.run(problem, st.SGD(1), rule, x[None, :], 1, rng=st.EVERY, record=("n", "drawn", "error2"))
    assert tree.means("error2")[0, 0] == found.second
    assert tree.means("drawn")[0, 0] == pytest.approx(float(found.drawn), rel=1e-14)  # a column of floats


RULES = [st.SameBatch(st.NormTest(0.5), grow=1), st.SameBatch(st.NormTest(0.9), grow=2), st.SameBatch(st.NormTest(0.5)),
         st.SameBatch(st.Debiased(st.NormTest(0.9)), grow=1), st.SameBatch(st.NormTest(0.9), on_fail="redraw", grow=2),
         st.SameBatch(st.InnerProductTest(0.5), start=3, grow=1), st.SameBatch(st.NormTest(0.5), grow=2, corrections=1),
         st.SameBatch(st.CoordinatewiseNormTest(0.9), grow=1), st.Pilot(st.NormTest(0.9)),
         st.Behind(st.NormTest(0.5), start=4), st.Ahead(st.NormTest(0.9))]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_lattice_against_simulation(rule):
    """N = 16, d = 2; error level 1e-6: five standard errors. The exact values moved by 5 % would be refused."""
    problem, x = instance(16, exact=False, d=2)
    found, runs, refused = stopped_law(problem, rule, x), 20_000, 0
    trace = st.run(problem, st.SGD(1), rule, x, 1, replicates=runs, rng=5, record={
        "n": "n", "drawn": "drawn", "error2": "error2", "inner": "inner"})
    exact = {"n": found.n, "drawn": found.drawn, "error2": found.second, "inner": found.ip * found.signal}
    for name, value in exact.items():
        sample = trace[name][0]
        error = 5 * sample.std() / math.sqrt(runs) + 1e-12
        assert abs(sample.mean() - value) <= error, name
        refused += abs(sample.mean() - 1.05 * value) > error
    assert refused >= 2


def test_the_tree_of_several_steps_is_the_law_again_and_again():
    """Three steps in rationals: the tree through the lattice, and a tree over all orderings."""
    h, c = np.arange(1, 6), np.array([0, 1, -1, 2, -2])
    problem = QuadraticSum(fraction(h), fraction(h * c)[:, None])
    rule = st.SameBatch(st.NormTest(Fraction(1, 2)), grow=1, monotone=False)
    tree = st.run(problem, st.SGD(Fraction(1, 4)), rule, fraction([[3]]), 3, rng=st.EVERY)
    points = {Fraction(3): Fraction(1)}
    for k in range(3):
        after = {}
        for x, weight in points.items():
            table = [np.array([Fraction(int(a)) * (x - int(b))], dtype=object) for a, b in zip(h, c, strict=True)]
            for S, w in by_orderings(5, 2, wants(table, "plain"), 1, math.inf).items():
                y = x - Fraction(1, 4) * sum(table[i][0] for i in S) / len(S)
                after[y] = after.get(y, 0) + weight * w
        points = after
        gap = sum(w * problem.gap(np.array([[x]], dtype=object))[0] for x, w in points.items())
        assert tree.means("gap")[k + 1, 0] == gap and len(tree.weight[k + 1]) == len(points)


def test_memory_and_time_stay_small_at_20():
    """2^20 subsets; the issue asks for 10 s and 1 GB. Measured by experiments/benchmarks/gap.py; here the mass."""
    problem, x = instance(20, exact=False)
    law = stopped_law(problem, st.SameBatch(st.NormTest(0.5), grow=1), x)
    assert law.sizes.sum() == pytest.approx(1, abs=1e-12) and 2 < law.n < 20


def test_too_large_or_with_replacement():
    problem, x = instance(21, exact=False)
    with pytest.raises(ValueError, match="at most 2\\^20"):
        stopped_law(problem, st.SameBatch(st.NormTest(0.5)), x)
    with pytest.raises(ValueError, match="without replacement"):
        stopped_law(QuadraticSum(np.ones(3), np.ones((3, 1)), replace=True), st.SameBatch(st.NormTest(0.5)), x)


def test_q_is_a_length_and_ip_a_share():
    """Q = |E g - G|/|G| and ip = <E g, G>/|G|^2 from the mean over all orderings, d = 2."""
    problem, x = instance(4, exact=False, d=2)
    law = stopped_law(problem, st.SameBatch(st.NormTest(0.5), start=2, grow=1), x)
    assert 0 < law.Q != pytest.approx(law.bias2 / law.signal)
    assert law.Q == pytest.approx(np.linalg.norm(law.mean - law.gradient) / np.linalg.norm(law.gradient))
    assert law.ip == pytest.approx(law.mean @ law.gradient / np.linalg.norm(law.gradient) ** 2)
