"""Planted bugs of the distributed part: name: (file, right, wrong, what must fail)."""

from importlib.util import find_spec

UNITS = ["tests/test_units.py"]
BATCH = ["tests/distributed/test_batch.py"]
SAMPLER = ["tests/distributed/test_sampler.py", "-k", "not loader"]
SIMULATED = ["tests/distributed/test_monitor.py", "-k", "simulated or groups"]
PER_SAMPLE = ["tests/distributed/test_per_sample.py"]
RANKS = ["tests/distributed/test_ranks.py", "-k", "two_ranks"]

MUTANTS: dict[str, tuple[str, str, str, list[str]]] = {
    "divisor J for J - 1": ("units.py", "(w * (1 - w) / c).sum()", "(w / c).sum()", UNITS),
    "factor b/(J - 1) missing": ("units.py", 'self.between if mode == "paper" else self.total', "self.between", UNITS),
    "lagged test with eps": ("units.py", 'if mode == "lagged" else size', 'if mode == "none" else size', UNITS),
    "equal weights for uneven sizes": ("units.py", 'c / c.sum() if weighting == "samples"',
                                       'c / c.sum() if weighting == "none"', UNITS),
    "samples for the effective size": ("units.py", "1 / (w * w / c).sum(),", "sizes.sum(),", UNITS),
    "micro-batch rounded down": ("distributed/batch.py", "micro = math.ceil(size / (ranks * accumulate))",
                                 "micro = max(1, int(size // (ranks * accumulate)))", BATCH),
    "maximum passed by rounding": ("distributed/batch.py", "if micro * steps * ranks > most:",
                                   "if size > 2 * most:", BATCH),
    "growth cap ignored": ("distributed/batch.py", "cap = self.most if math.isinf(self.grow)",
                           "cap = self.most if self.grow", BATCH),
    "growth cap rounded down": ("distributed/batch.py", "math.ceil(self.grow * now)",
                                "math.floor(self.grow * now)", BATCH),
    "averages lost at a stop": ("distributed/batch.py", 'float(state["weight"])', "0.0", BATCH),
    "average without bias correction": ("distributed/batch.py", "(x / self.weight for x", "(x for x", BATCH),
    "every rank draws the same samples": ("distributed/sampler.py", "start + self.rank * plan.local", "start", SAMPLER),
    "samples start again after a stop": ("distributed/sampler.py", 'int(state["done"])', "0", SAMPLER),
    "printed statistic with divisor J - 1": ("problems/ranks.py", ".sum(-1) / self.atoms.shape[-2]\n\n    @cached_property\n"
                                             "    def scalars", ".sum(-1) / (self.atoms.shape[-2] - 1)\n\n    "
                                             "@cached_property\n    def scalars",
                                             ["verify", "lau2024/printed-statistic"]),
    "corrected statistic with divisor J": ("problems/ranks.py", "J - 1.0", "J * 1.0",
                                           ["verify", "lau2024/corrected-statistics"]),
}
TORCH: dict[str, tuple[str, str, str, list[str]]] = {
    "sum for mean under accumulation": ("distributed/monitor.py", "squares * (1 if last else rounds) / J, whole",
                                        "squares / J, whole", SIMULATED),
    "ranks as units of every micro-batch": ("distributed/monitor.py", "units = J if last else J * rounds", "units = J",
                                            SIMULATED),
    "divisor of units": ("distributed/monitor.py", "samples, (units - 1) / samples",
                         "samples, units / samples", SIMULATED),
    "norm of one rank's shards": ("distributed/monitor.py", "float(_sum(parts)) * self.tap.correction",
                                  "float(_sum(parts)) * (self.rank == 0)", SIMULATED),
    "all rounds of DDP": ("distributed/monitor.py", 'self.tap.kind == "ddp" and rounds > 1', "False", SIMULATED),
    "scale of the loss left in": ("distributed/monitor.py", "mean_square / scale**2", "mean_square / scale",
                                  ["tests/distributed/test_monitor.py", "-k", "micro_batches_of_any"]),
    "one dot product in float32": ("distributed/norms.py", "x.split(SPLIT)", "x.split(max(1, x.numel()))",
                                   ["tests/distributed/test_monitor.py", "-k", "norms"]),
    "clipped before measured": ("distributed/training.py", "statistics = monitor.measure(sizes, scale)",
                                "nn.utils.clip_grad_norm_(model.parameters(), clip or 1e9)\n"
                                "    statistics = monitor.measure(sizes, scale)",
                                ["tests/distributed/test_monitor.py", "-k", "clipping"]),
    "bias of a linear layer without its norm": ("distributed/layers.py", 'out["bias"] = rows(delta.sum(1), inner)',
                                                'out["bias"] = rows(delta.sum(1), inner)._replace(norms=0 * '
                                                "squares(delta.sum(1)))", PER_SAMPLE),
    "different tokens added together": ("distributed/layers.py", "sample * V + index, return_inverse",
                                        "(torch.arange(index.numel()).view_as(index) // index.shape[1]) * V + index % 2, return_inverse",
                                        PER_SAMPLE),
    "inner products with the sum": ("distributed/passes.py", "p.inner / (r * r * B) if", "p.inner / (r * r) if",
                                    PER_SAMPLE),
    "shared parameters take the hooks": ("distributed/passes.py", "if len(names[id(p)]) > 1 else refusal(module)",
                                         "if len(names[id(p)]) > 9 else refusal(module)", PER_SAMPLE),
    "no probe of the layers": ("distributed/passes.py", "<= AGREE * g.norm() + 1e-30", "<= float('inf')", PER_SAMPLE),
    "division in advance forgotten": ("distributed/fsdp.py", "float(factors[0] or 1)", "1.0", RANKS),
}
if find_spec("torch"):
    MUTANTS |= TORCH
