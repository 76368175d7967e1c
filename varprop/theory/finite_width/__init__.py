"""Networks of finite width: exact laws where they exist, moments to order 1/width elsewhere."""

from varprop.theory.finite_width.exact import finite_width_law
from varprop.theory.finite_width.law import FiniteWidthLaw
from varprop.theory.finite_width.moments import LayerMoments, layer_moments
from varprop.theory.finite_width.predictions import FiniteWidthPrediction, finite_width_predictions

__all__ = [
    "FiniteWidthLaw",
    "FiniteWidthPrediction",
    "LayerMoments",
    "finite_width_law",
    "finite_width_predictions",
    "layer_moments",
]
