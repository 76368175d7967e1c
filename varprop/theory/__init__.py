"""Closed forms and maps: what a network's layers should measure, with no randomness."""

from varprop.theory.meanfield import gradient_factor, length_map
from varprop.theory.predictions import predict
from varprop.theory.rules import THEORIES, Theory, get_theory, theory_names

__all__ = ["THEORIES", "Theory", "get_theory", "gradient_factor", "length_map", "predict", "theory_names"]
