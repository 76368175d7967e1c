"""Predictions for every recorded quantity of a network, as a frame that joins with what was measured."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.inputs import check_inputs, real_array
from varprop.model.network import Network, check_network, read_leaves
from varprop.model.quantities import QUANTITIES
from varprop.model.sites import Site
from varprop.theory.finite_width.predictions import finite_width_predictions
from varprop.theory.rules import Theory, get_theory
from varprop.theory.state import GradientState, State, Walk, needs_slope, pairs_of, supported
from varprop.theory.steps import ACTIVATION, NEVER_EXACT, PREACTIVATION

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a theory expects one recorded quantity to be at one place, averaged over the inputs."""

    layer: int
    module: str
    quantity: str
    predicted: float
    exact: bool
    predicted_sd: float = math.nan


@checked
def predict(
    network: Network, *, theory: str | Iterable[str] = "mean-field", inputs: ArrayLike | int | None = None
) -> pd.DataFrame:
    """Predict what `simulate` measures, layer by layer.

    Parameters
    ----------
    network : Network
        Weights and biases of mean 0; the theories take widths, variances and activations from it.
    theory : str or iterable of str, default "mean-field"
        One or more of "xavier", "he", "xavier-variance", "he-variance", "preserved", "mean-field", "finite-width".
    inputs : None, int or array_like, shape (inputs, input_size)
        As for `simulate`: of an array, the mean square of each input enters, and for the cosine the mean product of
        each pair. Of the inputs that an int stands for only the mean square, 1, is known without a seed: they have no
        cosine here; pass ``simulation.inputs``. Where an input is all zero and z therefore 0, phi' is what `simulate`
        takes it to be there: 0 under ReLU.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``module``, ``quantity``, ``theory``, ``predicted`` (expectation over networks of exactly
        the recorded quantity), ``predicted_sd`` (between networks; NaN where the theory has none) and ``exact``
        (known to be right at this width, not only for wide layers). Mean-field theory alone speaks of ``cosine``: the
        cosine of expectations, averaged over the pairs. No row has what does not exist.

    Raises
    ------
    ValueError
        If a theory is unknown or the inputs do not fit.
    TypeError
        If the network is none, or the inputs are no real numbers.
    UnsupportedError
        If a law has a mean, or a theory does not cover a layer.

    Warns
    -----
    UserWarning
        If an activation jumps, as sign does: mean-field and finite-width theory then have no gradients below it, and
        their rows are left out. If an expansion in 1/width has terms that are not small.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 4, activation="relu", weights="he_normal")
    >>> table = vp.predict(net, theory="he")
    >>> table[table.quantity == "preactivation_second_moment"].predicted.tolist()
    [2.0, 2.0, 2.0]
    """
    import pandas as pd

    names = [theory] if isinstance(theory, str) else list(theory)
    rows = [
        (p.layer, p.module, p.quantity, name, p.predicted, p.predicted_sd, p.exact)
        for name in names
        for p in said_of(network, get_theory(name), inputs)
    ]
    _warn_of_jumps(network, [name for name in names if not get_theory(name).finite])
    columns = ["layer", "module", "quantity", "theory", "predicted", "predicted_sd", "exact"]
    return pd.DataFrame(rows, columns=columns)


def said_of(network: Network, theory: Theory, inputs: ArrayLike | int | None) -> list[Prediction]:
    """Predict every quantity that a theory speaks of; ``inputs`` as for `simulate`."""
    if theory.finite:
        rows = finite_width_predictions(network, inputs=inputs)
        return [Prediction(p.layer, p.module, p.quantity, p.predicted, p.exact, p.predicted_sd) for p in rows]
    return predictions(network, theory, input_mean_square(network, inputs), input_mean_product(inputs))


def input_mean_square(network: Network, inputs: ArrayLike | int | None) -> Float64Array:
    """Mean square of every input, shape (inputs,): 1, once, for the inputs that `simulate` makes itself, which are alike."""
    check_network(network, "theory")
    x = check_inputs(inputs, math.prod(network.input_shape))
    if x is None or isinstance(x, int):
        return np.ones(1)
    return np.asarray(np.mean(x**2, axis=1), dtype=np.float64)


def input_mean_product(inputs: ArrayLike | int | None) -> Float64Array | None:
    """Mean product of every pair of inputs, shape (pairs,); None if there is no pair, or it is not known."""
    if inputs is None or isinstance(inputs, int | np.integer) or len(real_array(inputs)) < 2:
        return None
    x = real_array(inputs)
    return np.asarray((x @ x.T / x.shape[1])[pairs_of(len(x))], dtype=np.float64)


def _warn_of_jumps(network: Network, names: list[str]) -> None:
    """Say why gradients are missing, where they are."""
    sites = read_leaves(network, "theory", supported())
    between = (site.layer for site in sites if 0 < site.number < network.depth)
    jumping = {layer.label: None for layer in between if isinstance(layer, Activation) and layer.jumps}
    for name in names:
        if jumping and needs_slope(get_theory(name)):
            msg = (
                f"theory {quoted(name)} has no gradients below {', '.join(jumping)}, which jumps: phi' has no second moment; "
                "these rows are left out"
            )
            warnings.warn(msg, UserWarning, stacklevel=3)


def predictions(
    network: Network, theory: Theory, mean_square: Float64Array, mean_product: Float64Array | None = None
) -> list[Prediction]:
    """Predict every quantity that the theory speaks of.

    ``mean_square`` is that of each input, shape (inputs,); ``mean_product``, shape (pairs,), that of each pair of them,
    if cosines are wanted.
    """
    walk = _Predicting(theory)
    way = walk.over(network, State(mean_square, mean_square, shared=mean_product))
    if theory.backward is not None:
        way(GradientState(np.ones_like(mean_square)))
    order = {name: i for i, name in enumerate(QUANTITIES)}
    return sorted(walk.found, key=lambda p: (order[p.quantity], p.layer))


class _Predicting(Walk):
    """Writes down what the theory says of every quantity wherever it is measured."""

    def __init__(self, theory: Theory) -> None:
        super().__init__(theory)
        self.found: list[Prediction] = []
        self._kept: dict[str, tuple[Site, State]] = {}
        self._kept_gradient: GradientState | None = None

    def seen(self, site: Site, _before: State, state: State) -> State:
        """Read all forward quantities off the state."""
        for place, family in (("preactivation", PREACTIVATION), ("activation", ACTIVATION)):
            if place not in site.layer.records:
                continue
            at, said, exact = site, state, state.exact
            if self.theory.constant:
                # "Preserved" says of every place what is true of the first of its kind, and is right there in the first of all.
                exact = exact and state.passed == 1 and not self._kept
                if state.passed:
                    at, said = self._kept.setdefault(place, (site, state))
            for quantity, say in family.items():
                value = say(at, said, self.theory)
                if value is not None and site.measures(quantity, place):
                    self._add(site, quantity, value, exact=exact and quantity not in NEVER_EXACT)
        return state

    def seen_back(self, site: Site, below: State, gradient: GradientState) -> GradientState:
        """Read all quantities of the gradient; the readout is a standard normal vector on what the last layer puts out."""
        constant = self.theory.constant
        if constant:  # every gradient is that of the last layer
            self._kept_gradient = self._kept_gradient or gradient
            gradient = GradientState(self._kept_gradient.square, gradient.exact)
        square = gradient.square
        if np.isnan(square).all():
            return gradient
        said = {
            "gradient_mean": np.zeros_like(square),
            "gradient_variance": square,
            "gradient_second_moment": square,
            "weight_gradient_second_moment": None if constant else square * below.carried,
        }
        for quantity, value in said.items():
            if value is not None and site.measures(quantity, "gradient"):
                right = below.exact or quantity != "weight_gradient_second_moment"
                self._add(site, quantity, value, exact=gradient.exact and right)
        return gradient

    def _add(self, site: Site, quantity: str, value: Float64Array, *, exact: bool) -> None:
        self.found.append(Prediction(site.number, site.module, quantity, float(np.mean(value)), exact))
