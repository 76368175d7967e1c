"""What a theory says of each forward quantity, read off its state at one place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.sites import Site
from varprop.theory.rules import Theory
from varprop.theory.state import State, pairs_of

Say = Callable[[Site, State, Theory], "Float64Array | None"]
"""From a place, the state after it and the theory to an expectation, in the state's shape; None where nothing is said."""

PREACTIVATION: dict[str, Say] = {
    "preactivation_mean": lambda _site, s, _t: np.zeros_like(s.q),
    "preactivation_variance": lambda _site, s, _t: s.q,
    "preactivation_second_moment": lambda _site, s, _t: s.q,
    "conditional_variance": lambda _site, s, _t: s.q,
    "pivot": lambda _site, s, _t: np.ones_like(s.q) if (s.q > 0).all() else None,
}
"""Read after a layer with weights."""


def _activation_mean(site: Site, state: State, theory: Theory) -> Float64Array | None:
    return None if theory.mean is None else theory.mean(site.layer, state.q)  # type: ignore[arg-type]


def _activation_variance(site: Site, state: State, theory: Theory) -> Float64Array | None:
    if theory.carries == "variance":
        return state.carried
    return None if theory.variance is None else theory.variance(site.layer, state.q)  # type: ignore[arg-type]


def _derivative_second_moment(site: Site, state: State, theory: Theory) -> Float64Array | None:
    if theory.backward is None or theory.constant or not isinstance(site.layer, Activation) or site.layer.jumps:
        return None
    return theory.backward(site.layer, state.q)


def _cosine(_site: Site, state: State, _theory: Theory) -> Float64Array | None:
    if state.shared is None or not (state.carried > 0).all():
        return None
    first, second = pairs_of(len(state.carried))
    norm = np.sqrt(state.carried[first]) * np.sqrt(state.carried[second])
    return np.asarray(state.shared / norm, dtype=np.float64)


ACTIVATION: dict[str, Say] = {
    "activation_mean": _activation_mean,
    "activation_variance": _activation_variance,
    "activation_second_moment": lambda _site, s, t: s.carried if t.carries == "second_moment" else None,
    "derivative_second_moment": _derivative_second_moment,
    "cosine": _cosine,
}
"""Read after an activation."""

NEVER_EXACT = {"activation_mean", "activation_variance", "derivative_second_moment", "cosine"}
"""The first three are known at this width only where the law of z is, which is the first layer; a cosine's mean is not
the cosine of means. Said to be exact nowhere."""
