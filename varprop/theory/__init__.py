"""Closed forms and maps: what a network's layers should measure, with no randomness."""

from varprop.theory.correlation import CorrelationFixedPoint, correlation_decay, correlation_map, gradient_correlation
from varprop.theory.criticality import EdgeOfChaos, HalfStablePoint, NoEdgeError, edge_of_chaos, half_stable_points
from varprop.theory.equilibrium import DepthScales, FixedPoint, depth_scales, fixed_points
from varprop.theory.finite_width import (
    FiniteWidthLaw,
    FiniteWidthPrediction,
    LayerMoments,
    finite_width_law,
    finite_width_predictions,
    layer_moments,
)
from varprop.theory.gain import gain, torch_gain
from varprop.theory.jacobian import (
    JacobianMoments,
    jacobian_moments,
    largest_squared_singular_value,
    mean_singular_value,
)
from varprop.theory.meanfield import chi_parallel, gradient_factor, length_map
from varprop.theory.phase import phase_diagram
from varprop.theory.predictions import predict
from varprop.theory.recommend import Recommendation, recommend
from varprop.theory.rules import THEORIES, Theory, get_theory, theory_names

__all__ = [
    "THEORIES",
    "CorrelationFixedPoint",
    "DepthScales",
    "EdgeOfChaos",
    "FiniteWidthLaw",
    "FiniteWidthPrediction",
    "FixedPoint",
    "HalfStablePoint",
    "JacobianMoments",
    "LayerMoments",
    "NoEdgeError",
    "Recommendation",
    "Theory",
    "chi_parallel",
    "correlation_decay",
    "correlation_map",
    "depth_scales",
    "edge_of_chaos",
    "finite_width_law",
    "finite_width_predictions",
    "fixed_points",
    "gain",
    "get_theory",
    "gradient_correlation",
    "gradient_factor",
    "half_stable_points",
    "jacobian_moments",
    "largest_squared_singular_value",
    "layer_moments",
    "length_map",
    "mean_singular_value",
    "phase_diagram",
    "predict",
    "recommend",
    "theory_names",
    "torch_gain",
]
