"""Step ratios: each layer's measured value over what a theory expects of it, given this network's layer before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from varprop._typing import Float64Array
from varprop.model.layers import UnsupportedError
from varprop.model.modules import ModuleNetwork
from varprop.model.network import Network
from varprop.model.simulation import Place, Simulation, site_place
from varprop.numerics.averages import mean_of_present
from varprop.theory import Theory
from varprop.verification.chain import Link, Measured, links
from varprop.verification.modules import module_steps

Expected = Callable[[Theory, Measured, tuple[Link, ...], int], "Float64Array | None"]
"""Conditional expectation of a quantity at link number i, shape (networks, inputs); None where no step ends there."""


def step_ratios(simulation: Simulation, theory: Theory, quantity: str) -> tuple[Float64Array, tuple[Place, ...]]:
    r"""Ratios that have mean 1 in every layer if the theory describes a single step rightly.

    Parameters
    ----------
    simulation : Simulation
        One input, or several kept apart.
    theory : Theory
        What is tested.
    quantity : str
        A name that the test ``step_mean`` takes.

    Returns
    -------
    ratios : ndarray, shape (networks, layers)
        Averaged over the inputs; NaN where a network is not at risk, its signal having died before.
    places : tuple of (int, str)
        Layer and module of every column, in the order in which the signal travels.

    Raises
    ------
    ValueError
        If something that the step starts from was not recorded, or inputs were averaged.
    UnsupportedError
        If the theory says nothing of this quantity, or the laws have a mean.

    Notes
    -----
    A step starts from what this network has in the layer before, never from an average over networks. With
    :math:`v_l = \sigma_w^2 |a_{l-1}|^2 + \sigma_b^2`, the theory's :math:`F(q)` in place of :math:`E\phi^2` and
    :math:`D(q)` in place of :math:`E\phi'^2`, expected are: :math:`n_{l-1} \sigma_w^2 F(v_{l-1}) + \sigma_b^2` for a
    pre-activation's mean square, :math:`F(v_l)` for an activation's, and
    :math:`n_{l+1} \sigma_w^2 D(v_l)\, \overline{\delta_{l+1}^2}` for a gradient's.
    """
    if isinstance(simulation.network, ModuleNetwork):
        return module_steps(simulation, theory, quantity)
    measured = Measured(simulation)
    measured.require_separate_inputs()
    chain = links(simulation.architecture)
    _require_centred(simulation.architecture, chain)
    expected = EXPECTED[quantity]
    ratios, places = [], []
    order = range(len(chain)) if quantity != "gradient_second_moment" else range(len(chain) - 1, -1, -1)
    for i in order:
        site = chain[i].activation_site if quantity.startswith("activation") else chain[i].site
        if site is None:
            continue
        prediction = expected(theory, measured, chain, i)
        if prediction is None:
            continue
        value = measured.at(quantity, site_place(site))
        ratio = np.divide(value, prediction, out=np.full(value.shape, np.nan), where=prediction > 0)
        ratios.append(mean_of_present(ratio))
        places.append(site_place(site))
    if not ratios:
        msg = f"{simulation.network.label} has no step of {quantity}; it needs more layers"
        raise ValueError(msg)
    return np.stack(ratios, axis=1), tuple(places)


def _require_centred(network: Network, chain: tuple[Link, ...]) -> None:
    for link in chain:
        for law in (link.noun.weights, link.noun.biases):
            if law.mean(*link.site.fans) != 0:
                msg = f"step tests take laws of mean 0, {law.label} in {network.label} has another"
                raise UnsupportedError(msg)


def _conditional(measured: Measured, link: Link) -> Float64Array:
    return measured.at("conditional_variance", site_place(link.site))


def _activation_moment(quantity: str, measured: Measured, link: Link) -> Float64Array:
    """Measured moment of what the next weights see: of the activation, or of z where there is none."""
    if link.activation_site is None:
        return measured.at(quantity.replace("activation", "preactivation"), site_place(link.site))
    return measured.at(quantity, site_place(link.activation_site))


def _preactivation(theory: Theory, measured: Measured, chain: tuple[Link, ...], i: int) -> Float64Array | None:
    if i == 0:
        return None
    link, before = chain[i], chain[i - 1]
    if theory.constant:
        return _conditional(measured, before)
    if theory.carries == "variance":
        # The article's sum over inputs, with the variance it names as this network has it.
        carried = _activation_moment("activation_variance", measured, before)
    else:
        carried = theory.forward(before.activation, _conditional(measured, before))
    return link.site.fans[0] * link.weight_variance * carried + link.bias_variance


def _activation_second_moment(
    theory: Theory, measured: Measured, chain: tuple[Link, ...], i: int
) -> Float64Array | None:
    if theory.constant:
        return None if i == 0 else _activation_moment("activation_second_moment", measured, chain[i - 1])
    if theory.carries == "variance":
        msg = f"theory {theory.name!r} speaks of variances; test activation_variance, or another theory"
        raise UnsupportedError(msg)
    return theory.forward(chain[i].activation, _conditional(measured, chain[i]))


def _activation_variance(theory: Theory, measured: Measured, chain: tuple[Link, ...], i: int) -> Float64Array | None:
    if theory.constant:
        return None if i == 0 else _activation_moment("activation_variance", measured, chain[i - 1])
    link = chain[i]
    if theory.carries == "variance":
        return theory.forward(link.activation, measured.at("preactivation_variance", site_place(link.site)))
    if theory.variance is None:
        msg = (
            f"theory {theory.name!r} says nothing of activation_variance; use '{theory.name}-variance' or 'mean-field'"
        )
        raise UnsupportedError(msg)
    return theory.variance(link.activation, _conditional(measured, link))


def _gradient(theory: Theory, measured: Measured, chain: tuple[Link, ...], i: int) -> Float64Array | None:
    if i == len(chain) - 1:
        return None
    above = chain[i + 1]
    from_above = measured.at("gradient_second_moment", site_place(above.site))
    if theory.constant:
        return from_above
    if theory.backward is None:
        msg = f"theory {theory.name!r} says nothing of gradients; use 'xavier', 'he', 'preserved' or 'mean-field'"
        raise UnsupportedError(msg)
    slope = theory.backward(chain[i].activation, _conditional(measured, chain[i]))
    return above.site.fans[1] * above.weight_variance * slope * from_above


def _pivot(_theory: Theory, measured: Measured, chain: tuple[Link, ...], i: int) -> Float64Array | None:
    # The pivot is a ratio already: measured over conditional variance.
    return np.ones_like(measured.at("pivot", site_place(chain[i].site)))


EXPECTED: dict[str, Expected] = {
    "preactivation_variance": _preactivation,
    "preactivation_second_moment": _preactivation,
    "activation_variance": _activation_variance,
    "activation_second_moment": _activation_second_moment,
    "gradient_second_moment": _gradient,
    "pivot": _pivot,
}
