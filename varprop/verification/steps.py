"""Step ratios: each layer's measured value over what a theory expects of it, given this network's layer before."""

from __future__ import annotations

import numpy as np

from varprop._typing import Float64Array
from varprop.model.modules import ModuleNetwork
from varprop.model.network import Place, site_place
from varprop.model.simulation import Simulation
from varprop.numerics.averages import mean_of_present
from varprop.theory import Theory
from varprop.theory.steps import expected_steps
from varprop.verification.chain import Measured
from varprop.verification.modules import module_steps


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
        Averaged over the inputs; NaN where a network is not at risk, since 0 is expected: its signal has died before.
    places : tuple of (int, str)
        Layer and module of every column, in the order in which the signal travels.

    Raises
    ------
    ValueError
        If something that the step starts from was not recorded, or inputs were averaged.
    UnsupportedError
        If the theory says nothing of this quantity or does not cover the network, or the laws have a mean.

    Notes
    -----
    A step starts from what this network has in the layer before, never from an average over networks
    (`varprop.theory.steps.expected_steps`). With
    :math:`v_l = \sigma_w^2 |a_{l-1}|^2 + \sigma_b^2`, the theory's :math:`F(q)` in place of :math:`E\phi^2` and
    :math:`D(q)` in place of :math:`E\phi'^2`, expected are: :math:`n_{l-1} \sigma_w^2 F(v_{l-1}) + \sigma_b^2` for a
    pre-activation's mean square, :math:`F(v_l)` for an activation's, and
    :math:`n_{l+1} \sigma_w^2 D(v_l)\, \overline{\delta_{l+1}^2}` for a gradient's. Where no activation follows z,
    :math:`F(v) = v` and :math:`D = 1`.
    """
    if isinstance(simulation.network, ModuleNetwork):
        return module_steps(simulation, theory, quantity)
    measured = Measured(simulation)
    measured.require_separate_inputs()
    ratios, places = [], []
    network, inputs = simulation.architecture, simulation.inputs
    for site, expected in expected_steps(network, theory, quantity, measured.at, inputs=inputs):
        value = measured.at(quantity, site_place(site))
        ratio = np.divide(value, expected, out=np.full(value.shape, np.nan), where=expected > 0)
        ratios.append(mean_of_present(ratio))
        places.append(site_place(site))
    if not ratios:
        msg = f"{simulation.network.label} has no step of {quantity}; it needs more layers"
        raise ValueError(msg)
    return np.stack(ratios, axis=1), tuple(places)
