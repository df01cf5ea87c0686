"""Lau, Li, Xu, Liu, Kolar, Adaptive batch size schedules for distributed training of language models with data and
model parallelism (CPAL 2025, arXiv 2412.21124). The text was at hand: what is printed is tested as printed ('stated').
"""

from . import adam, dynamics, statistics, theorem_b1

CLAIMS = (*adam.CLAIMS, *theorem_b1.CLAIMS, *statistics.CLAIMS, *dynamics.CLAIMS)
