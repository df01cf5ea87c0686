"""Objectives with certified constants, exact laws and samplers."""
