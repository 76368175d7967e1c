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
from varprop.model.layers import Dense
from varprop.model.network import Network, Site, check_network, read_sites
from varprop.model.quantities import QUANTITIES
from varprop.theory.finite_width.predictions import finite_width_predictions
from varprop.theory.moments_read import ACTIVATION, NEVER_EXACT, PREACTIVATION
from varprop.theory.rules import Theory, get_theory
from varprop.theory.state import State, needs_slope, pairs_of, walk

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
    sites = read_sites(network, "theory")
    between = (site.noun for site in sites if 0 < site.layer < network.depth)
    jumping = {noun.label: None for noun in between if isinstance(noun, Activation) and noun.jumps}
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
    walked = list(walk(network, theory, mean_square, mean_product))
    first = next(i for i, (site, _) in enumerate(walked) if isinstance(site.noun, Dense))
    found: list[Prediction] = []
    for i, (site, state) in enumerate(walked):
        # "Preserved" says of every place what is true of the first of its kind.
        kind = Dense if isinstance(site.noun, Dense) else Activation
        reference = next((s for s in walked[first:] if isinstance(s[0].noun, kind)), (site, state))
        said_at, said = reference if theory.constant and i > first else (site, state)
        family = PREACTIVATION if kind is Dense else ACTIVATION
        for quantity, say in family.items():
            value = say(said_at, said, theory)
            if value is None or _too_narrow(quantity, site):
                continue
            exact = state.exact and quantity not in NEVER_EXACT and (not theory.constant or i == first)
            found.append(Prediction(site.layer, site.module, quantity, float(np.mean(value)), exact))
    if theory.backward is not None:
        found += _gradients(walked, theory, mean_square)
    order = {name: i for i, name in enumerate(QUANTITIES)}
    return sorted(found, key=lambda p: order[p.quantity])


def _too_narrow(quantity: str, site: Site) -> bool:
    """Tell whether a variance over units has no row, for want of a second unit."""
    return quantity.endswith("_variance") and quantity != "conditional_variance" and site.output_shape == (1,)


def _gradients(walked: list[tuple[Site, State]], theory: Theory, mean_square: Float64Array) -> list[Prediction]:
    """Walk back from the readout, a standard normal vector on the last pre-activation."""
    dense = [i for i, (site, _) in enumerate(walked) if isinstance(site.noun, Dense)]
    below = [mean_square, *(state.carried for _, state in walked)]
    found: list[Prediction] = []
    delta, exact = np.ones_like(mean_square), True
    for i in range(dense[-1], dense[0] - 1, -1):
        site, state = walked[i]
        if i in dense:
            said = {
                "gradient_mean": np.zeros_like(delta),
                "gradient_variance": delta,
                "gradient_second_moment": delta,
                "weight_gradient_second_moment": None if theory.constant else delta * below[i],
            }
            exact_below = i == 0 or walked[i - 1][1].exact
            for quantity, value in said.items():
                if value is None or _too_narrow(quantity, site):
                    continue
                right = exact and (exact_below or quantity != "weight_gradient_second_moment")
                found.append(Prediction(site.layer, site.module, quantity, float(np.mean(value)), right))
        if state.backward is None:
            break
        if not theory.constant:
            delta = delta * state.backward()
        # What is kept by decree is exact at the last layer alone.
        exact = exact and state.backward_exact and not theory.constant
    return found[::-1]
