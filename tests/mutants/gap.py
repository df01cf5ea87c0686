"""Planted bugs of the gap part: name: (file, right, wrong, what must fail)."""

MUTANTS: dict[str, tuple[str, str, str, list[str]]] = {
    "p without theta^2": ("claims/gap2026/lagged_rates.py", "s.alpha / 2 / (1 - r - s.keep)", "s.alpha / 2 / (1 - r)",
                          ["verify", "gap2026/lagged-linear"]),
    "M = 1 + theta^2 for 1/(1 - theta^2)": (
        "claims/gap2026/lagged_rates.py", "return 1 + gain / (1 - keep) if keep < 1", "return 1 + gain if keep < 1",
        ["verify", "gap2026/lagged-nonconvex"]),
    "c = 1": ("claims/gap2026/lagged_rates.py", "return nu / (nu - 2) if nu > 2", "return 1.0 if nu > 2",
              ["verify", "gap2026/estimated-variance-step"]),
    "nu = n for n - 1": ("claims/gap2026/lagged_rates.py", "nu = (least - 1) * total", "nu = least * total",
                         ["tests/claims/test_gap2026_lagged.py", "-k", "bias_factor"]),
    "theta for theta', almost": ("claims/gap2026/lagged_rates.py", "tuple(t / (1 + sum(squares))",
                                 "tuple(t / (1 + 0.99 * sum(squares))", ["verify", "gap2026/repaired-nonconvex"]),
    "theta' without nu": ("claims/gap2026/lagged_rates.py", "tuple(t / (1 + sum(squares))",
                          "tuple(t / (1 + max(squares))", ["tests/claims/test_gap2026_lagged.py", "-k", "repair"]),
    "growth cap with floor": ("sizing.py", "np.ceil(self.grow * n) if self.integer",
                              "np.floor(self.grow * n) if self.integer",
                              ["tests/claims/test_gap2026_lagged.py", "-k", "growth_cap"]),
    "growth cap forgotten in M": ("claims/gap2026/lagged_practice.py", "keep=0.25 + 1 / GROW", "keep=0.25",
                                  ["verify", "gap2026/growth-cap-step"]),
    "known variance per sample, not in all": (
        "criteria.py", "known = [exact(self.total if v is None else v",
        "known = [exact((self.total if v is None else v) / 2",
        ["verify", "gap2026/lagged-linear"]),
    "next variance of this point": ("claims/gap2026/lagged_cases.py", "total = np.asarray(step.next_law.total)",
                                    "total = 0.9 * np.asarray(step.next_law.total)",
                                    ["verify", "gap2026/lagged-linear-step"]),
    "mean recursion forgets the noise in |g|^2": (
        "evidence/lagged.py", "gg = h * h * xx + noise\n", "gg = h * h * xx + 0 * noise\n",
        ["verify", "gap2026/lagged-nonconvex"]),
    "AdaGrad-Norm bound halved": (
        "claims/gap2026/extensions_bounds.py", "return Bound(S, W, (S * (S + W)) ** 0.5)",
        "return Bound(0.5 * S, W, (S * (S + W)) ** 0.5)", ["verify", "gap2026/adagrad-norm"]),
    "step test without alpha^2": (
        "claims/gap2026/extensions_composite.py", "p = s.alpha * (1 - s.alpha * s.mu) / (2 * s.xi)",
        "p = (1 - s.alpha * s.mu) / (2 * s.xi)", ["verify", "gap2026/lagged-prox"]),
    "momentum gain of plain steps": (
        "claims/gap2026/extensions.py", "return t * (1 + s.beta) / (2 + 2 * s.beta - t * (1 - s.beta))",
        "return t / (2 - t)", ["verify", "gap2026/momentum-quadratic"]),
}
