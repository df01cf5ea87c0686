"""Planted bugs of the adaptive part: name: (file, right, wrong, what must fail)."""

METHODS = ["tests/methods/test_adaptive.py", "-k", "closed_form or one_step or decoupled"]
SEPARABLE = ["tests/problems/test_separable.py", "-k", "attained or pairs"]
NOISE = ["tests/problems/test_noise.py", "-k", "consistent or law or gaussian or length"]
BOUNDED = ["tests/problems/test_robust.py", "-k", "attained or closed"]
BALL = ["tests/problems/test_ball.py", "-k", "attained or longer"]
ADAMW = """        g, k = batch.moments.mean, state.k + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g * g
        first, second = 1 - self.beta1 ** k[:, None], 1 - self.beta2 ** k[:, None]
        move = self.alpha / first * scaled(m, np.sqrt(v) / np.sqrt(second), self.eps)
        return AdamWState(state.x * (1 - self.alpha * self.decay) - move"""
COUPLED = ADAMW.replace("batch.moments.mean,", "batch.moments.mean + self.decay * state.x,").replace(
    "state.x * (1 - self.alpha * self.decay)", "state.x")
NORM_STEP = "return AccumulatorState(state.x - self.alpha * scaled(g, np.sqrt(v)[:, None]), v)"

METHODS_AND_PROBLEMS = {
    "AdaGrad-Norm without the newest gradient": (
        "methods/adagrad.py", NORM_STEP, NORM_STEP.replace("np.sqrt(v)", "np.sqrt(state.v)"), METHODS),
    "epsilon inside the root": ("methods/adagrad.py", "size = root + eps", "size = np.sqrt(root * root + eps)",
                                METHODS),
    "bias correction dropped": ("methods/adam.py", ADAMW, ADAMW.replace("1 - self.beta2 ** k", "1 + 0 * k"), METHODS),
    "bias correction of the first moment dropped": (
        "methods/adam.py", ADAMW, ADAMW.replace("1 - self.beta1 ** k", "1 + 0 * k"), METHODS),
    "decay coupled": ("methods/adam.py", ADAMW, COUPLED, METHODS),
    "coordinate-wise test by the smallest size": (
        "criteria/pointwise.py", "return np.max(smallest(m.variances", "return np.min(smallest(m.variances",
        ["tests/criteria", "-k", "coordinate"]),
    "relative noise times sqrt d": ("problems/noise.py", "return size / math.sqrt(d)", "return size", NOISE),
    "coordinate noise eps for eps^2": ("problems/noise.py", "return self.eps * np.abs(G)",
                                       "return math.sqrt(self.eps) * np.abs(G)", NOISE),
    "batch mean not averaged": ("problems/noise.py", "e *= deviation / np.sqrt(n)[:, None]", "e *= deviation", NOISE),
    "sphere of the wrong radius": ("problems/noise.py", "radius, d = self.eps * _length(G),",
                                   "radius, d = self.eps**2 * _length(G),", NOISE),
    "spike over its chance": ("problems/oracles.py", "spike = self.eps / math.sqrt(self.chance)",
                              "spike = self.eps / self.chance", ["tests/problems/test_oracles.py", "-k", "rare"]),
    "L of logquad halved": ("problems/separable.py", "Constants(2.0, -0.25, ", "Constants(1.0, -0.25, ", SEPARABLE),
    "L of cosquad without the square": ("problems/separable.py", "bend = height * frequency * frequency",
                                        "bend = height * frequency", SEPARABLE),
    "L of slow1d": ("problems/separable.py", "Constants(p, 0.0)", "Constants(p / (1 + p), 0.0)", SEPARABLE),
    "L1 of cosh halved": ("problems/separable.py", "L0=1.0, L1=1.0", "L0=1.0, L1=0.5", SEPARABLE),
    "curvature of Geman-McClure": ("problems/robust.py", "low = -0.25", "low = -0.2", BOUNDED),
    "curvature of Tukey": ("problems/robust.py", "low = -0.8", "low = -1.0", BOUNDED),
    "slope of Geman-McClure": ("problems/robust.py", "z /= (1 + (z / self.scale) ** 2) ** 2",
                               "z /= 1 + (z / self.scale) ** 2", BOUNDED),
    "L of a factorisation": ("problems/ball.py", "Constants(3 * half + norm", "Constants(2 * half + norm", BALL),
    "L of phase retrieval": ("problems/ball.py", "weights = 3 * self.radius**2", "weights = self.radius**2", BALL),
    "reach of the first point only": ("run/view.py", "np.sqrt(np.maximum(before, dot(self.after.x, self.after.x)))",
                                      "np.sqrt(before)", BALL),
}

BOUND = "claims/adaptive_bounds/adagrad.py"
LEMMAS = "claims/adadagrad2024/lemmas.py"
SUM = ["verify", "adadagrad2024/expected-sum"]
CURVATURE = "return 1 + u / 3 + u * u / 12 if u < 1e-4 else 2 * (math.expm1(u) - u) / (u * u)"
ROOT = "mu * s - Delta / alpha - alpha * L * math.log1p(tau * s / root))"

BOUNDS_AND_CLAIMS = {  # each by the setting that sees it: no single setting kills all
    "bound halved": (BOUND, "S = min(first, second)\n", "S = min(first, second) / 2\n", SUM),
    "1 + eta for 1 - eta": (BOUND, "return (1 - eta * eta) / (1 + eta * eta)",
                            "return (1 + eta * eta) / (1 - eta * eta)",
                            ["verify", "adadagrad2024/descent-share"]),
    "logarithm dropped": (BOUND, ROOT, ROOT.replace("alpha * L * math", "0 * L * math"), SUM),
    "L halved": (LEMMAS, "now.gap + s.L * s.alpha**2 / 2", "now.gap + s.L * s.alpha**2 / 4",
                 ["verify", "adadagrad2024/one-step"]),
    "L halved in the bound": (BOUND, ROOT, ROOT.replace("alpha * L * math", "alpha * L / 2 * math"),
                              ["tests/claims/test_adaptive_bounds.py", "-k", "numbers"]),
    "tau = 1": (LEMMAS, "then.risen, math.sqrt(1 + s.eta**2) * then.share", "then.risen, then.share",
                ["verify", "adadagrad2024/scale-growth"]),
    "v_k without g_k": ("methods/adagrad.py", NORM_STEP, NORM_STEP.replace("np.sqrt(v)", "np.sqrt(state.v)"),
                        ["verify", "adadagrad2024/one-step"]),
    "alpha above 1/L1 accepted": (BOUND, CURVATURE, "u = min(u, 1.0)\n    " + CURVATURE,
                                  ["tests/claims/test_adaptive_bounds.py", "-k", "generalised"]),
    "steady momentum without noise": ("claims/adaptive_bounds/adam.py", "held = (1 - eta) ** 2 * np", "held = np",
                                      ["tests/claims/test_adaptive_bounds.py", "-k", "steady"]),
    "second-order terms halved": ("claims/adaptive_bounds/adam.py", "return 0.5 + tail", "return 0.25 + theta / (2 - theta)",
                                  ["tests/claims/test_adaptive_bounds.py", "-k", "second_order"]),
    "margin of xi not asked for": ("claims/xie2020/rates.py", "(1 - alpha * s.mu) / s.xi - 1", "(1 - alpha * s.mu) / s.mu - 1",
                                   ["verify", "xie2020/sharp-norm"]),
    "printed test fails less often than it does": (
        "claims/lau2024/dynamics.py", "tail = -d * (s.ranks - 1) / 2", "tail = -d * (s.ranks - 1) / 3",
        ["tests/claims/test_lau2024_statistics.py", "-k", "chernoff"]),
    "initial gap dropped from the corrected bound": (
        "claims/adaptive_bounds/lau2024.py", "return _total(Delta, 12.0,", "return _total(1.0, 12.0,",
        ["verify", "lau2024/adam-corrected"]),
    "slopes upside down": ("evidence/slopes.py", "np.log2(means[:-1] / means[1:])", "np.log2(means[1:] / means[:-1])",
                           ["tests/evidence/test_slopes.py"]),
    "one window of slopes": ("evidence/slopes.py", "max(r[2] for r in ratios)", "ratios[0][2]",
                             ["tests/evidence/test_slopes.py", "-k", "windows"]),
    "points in place of runs resampled": (
        "evidence/slopes.py", "rows @ weights.T]",
        "np.stack([row @ np.roll(weights, i, axis=0).T for i, row in enumerate(rows)])]",
        ["tests/evidence/test_slopes.py", "-k", "exactly"]),
}

MUTANTS: dict[str, tuple[str, str, str, list[str]]] = METHODS_AND_PROBLEMS | BOUNDS_AND_CLAIMS
