"""Exact worst cases over function classes by semidefinite programming (performance estimation), with certificates."""

from .certificate import Certificate, certify, check_multipliers
from .gram import Form, Function, Model, Vector
from .solve import WorstCase, solve, sweep

__all__ = ["Certificate", "Form", "Function", "Model", "Vector", "WorstCase", "certify", "check_multipliers", "solve",
           "sweep"]
