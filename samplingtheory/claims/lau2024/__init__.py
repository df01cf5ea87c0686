"""Lau, Li, Xu, Liu, Kolar, Adaptive Batch Size Schedules for Distributed Training of Language Models, CPAL 2025."""

from . import dynamics, statistics

CLAIMS = (*statistics.CLAIMS, *dynamics.CLAIMS)
