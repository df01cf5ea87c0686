"""Planted bugs of the kit part: name: (file, right, wrong, what must fail)."""

BATCH = "tests/testing/test_batch.py"
EACH = [BATCH, "-k", "catches_what_it_is_there_for"]
CONTRACT = [BATCH, "-k", "contracts or random_state"]

MUTANTS: dict[str, tuple[str, str, str, list[str]]] = {
    "soundness never fails": ("testing/rule_checks.py", 'need(kept, lambda: f"a batch of', 'need(True, lambda: f"a batch of', EACH),
    "minimality never fails": ("testing/rule_checks.py", "    need(not kept, lambda:", "    need(True, lambda:", EACH),
    "listing with the wrong weight": ("testing/listing.py", "return N * (counts @ table) - n * table.sum(0), weights",
                                      "return N * (counts @ table) - n * table.sum(0), weights * 2",
                                      ["tests/testing/test_kit.py", "-k", "listing"]),
    "boundary everywhere": ("testing/listing.py", "abs(float(value) - 1) < BOUNDARY", "True", EACH),
    "stale failures accepted": ("testing/engine.py", "return self.verdict in (FAILED, STALE)",
                                "return self.verdict == FAILED", [BATCH, "-k", "strict"]),
    "nothing judged passes": ("testing/engine.py", "    if not judged[0]:", "    if False:",
                              ["tests/testing/test_kit.py", "-k", "judge_nothing"]),
    "NaN is a number": ("testing/guard.py", 'need(answer == answer, "returns NaN")', "pass", CONTRACT),
    "global state is not varied": ("testing/guard.py", "for seed in (0, 1, 2, 3)]", "for seed in (0, 0, 0, 0)]",
                                   CONTRACT),
    "global state is not put back": ("testing/guard.py", "        np.random.set_state(before[1])", "        pass",
                                     [BATCH, "-k", "random_state"]),
    "mutated input is not seen": ("testing/rules.py", "before = as_array(given).copy()", "before = as_array(given)",
                                  EACH),
    "scale is not exact": ("testing/rule_checks.py", 'need(n == m, f"gradients times', 'need(True, f"gradients times',
                           EACH),
    "orders are not listed": ("testing/rule_checks.py", "list(permutations(e.gradients))", "[tuple(e.gradients)] * 2",
                              [BATCH, "-k", "bias or fixed or unbiased"]),
    "a diagnosis that always matches": ("testing/diagnosis.py", "all(a == b for a, b in pairs) and theirs != right",
                                        "True", ["tests/testing/test_kit.py", "-k", "named"]),
    "vectors with divisor N": ("testing/vectors.py", 'divisor = N if sampling == "with" else N - 1', "divisor = N",
                               ["tests/testing/test_kit.py", "-k", "give_the_vectors"]),
    "recursion of Adam without correction": ("testing/recursions.py",
                                             '(1 - b1**k, 1 - b2**k) if kind in ("adam", "adamw")',
                                             '(1.0, 1.0) if kind in ("adam", "adamw")',
                                             ["tests/testing/test_kit.py", "-k", "own_checks or torch"]),
    "a claim that cannot fail passes": ("testing/theorems.py", "        return measured * factor, bound",
                                        "        return measured * factor * 1e9, bound * 0 + 1e-9",
                                        ["tests/testing/test_kit.py", "-k", "theorem and infinite or own_claims"]),
}
