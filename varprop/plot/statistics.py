"""Figures of tests: a sample against its exact law, p-values, steps with a simultaneous band, the power of a plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from varprop._arguments import checked, quoted
from varprop.model.inputs import real_array
from varprop.model.simulation import Simulation
from varprop.plot.axes import legend_above, new_axes
from varprop.report.distributions import draw_pvalues, draw_quantiles, half_width
from varprop.report.step_figures import draw_band, draw_power
from varprop.report.wording import axis_label
from varprop.stats.power import planned_power
from varprop.theory import finite_width_law
from varprop.verification.claims import Claim
from varprop.verification.compare import gather

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
def exact_law(
    simulation: Simulation,
    *,
    layer: int | None = None,
    quantity: str = "preactivation_second_moment",
    level: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw how far a sample's quantiles are from those of its exact finite-width law.

    Parameters
    ----------
    simulation : Simulation
        Of a network that has an exact law: two half lines as activation, Gaussian weights, no biases, one input.
    layer : int, optional
        The last one if None.
    quantity : str
        A second moment.
    level : float, default 0.95
        Of the band, which holds for all quantiles at once.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        Of logarithms, over the living networks. Dashed: where the sample lies if the law is right.

    Raises
    ------
    ValueError
        If the quantity or the layer was not recorded, or fewer than two networks are alive.
    UnsupportedError
        If there is no exact law for the network.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([16] * 6, activation="relu", weights="he_normal")
    >>> vp.plot.exact_law(vp.simulate(net, n_networks=500, rng=1)).get_xlabel()
    'log z² of the exact law'
    """
    layers = simulation.layers(quantity)
    chosen = layers[-1] if layer is None else layer
    if chosen not in layers:
        msg = f"{quantity} was not recorded at layer {layer}; it has layers {layers[0]} to {layers[-1]}"
        raise ValueError(msg)
    values = simulation.values(quantity)[:, layers.index(chosen)]
    if values.ndim == 2:
        msg = "the exact law is that of one input; sample with one, or without per_input"
        raise ValueError(msg)
    law = finite_width_law(simulation.architecture, chosen, quantity=quantity, inputs=simulation.inputs)  # type: ignore[arg-type]  # it says what it takes
    alive = values[values > 0]
    if len(alive) < 2:
        msg = f"{len(alive)} of {len(values)} networks are alive at layer {chosen}, which makes no distribution"
        raise ValueError(msg)
    half_width(len(alive), level)
    ax = new_axes() if ax is None else ax
    draw_quantiles(ax, np.log(alive), law.ppf, level=level)
    ax.set(xlabel=f"log {axis_label(quantity)} of the exact law", ylabel=f"measured minus exact, layer {chosen}")
    _named_above(ax, columns=3)
    return ax


@checked
def pvalues(values: ArrayLike, *, level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Draw the distribution of p-values, which is the diagonal if all nulls are true and the tests exact.

    Parameters
    ----------
    values : array_like, shape (n,)
        p-values, such as ``verify(...)["pvalue"]``; NaN is left out.
    level : float, default 0.95
        Of the band, which holds at all levels at once, for independent p-values.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there are none, or one lies outside [0, 1].
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> import varprop as vp
    >>> vp.plot.pvalues(np.random.default_rng(1).random(200)).get_ylabel()
    'share of p-values below'
    """
    numbers = real_array(values, "values").ravel()
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers) or numbers.min() < 0 or numbers.max() > 1:
        msg = f"p-values must be numbers in [0, 1], got {len(numbers)} of them"
        raise ValueError(msg)
    half_width(len(numbers), level)
    ax = new_axes() if ax is None else ax
    draw_pvalues(ax, numbers, level=level)
    ax.set(xlabel="p", ylabel="share of p-values below")
    _named_above(ax, columns=3)
    return ax


@checked
def band(
    simulation: Simulation,
    *,
    theory: str,
    quantity: str = "preactivation_second_moment",
    margin: float | None = 0.05,
    level: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw every layer's mean step over what a theory says of it, with a band that holds for all layers at once.

    Parameters
    ----------
    simulation : Simulation
        At least 100 networks, with ``conditional_variance`` recorded.
    theory : str
        Which says how a step goes on from what a network has.
    quantity : str
        A quantity of which the theory speaks.
    margin : float or None, default 0.05
        Shaded, unless None.
    level : float, default 0.95
        Probability that no layer's truth is outside its interval.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the sample lacks what the test needs, or an argument is out of its range.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([32] * 8, activation="tanh", weights="xavier_normal")
    >>> ax = vp.plot.band(vp.simulate(net, n_networks=400, rng=1), theory="mean-field")
    >>> ax.get_ylabel()
    'step of z² / mean-field'
    """
    claim = Claim(id="band", quantity=quantity, test="band", theory=theory, margin=margin or 0.05)
    (evidence,) = gather([claim], simulation, called=simulation.architecture.label)
    if isinstance(evidence, ValueError):  # about these data
        raise evidence
    layers = [finding for finding in evidence.layers if finding.place is not None]
    intervals = [finding.outcome.interval(level) for finding in layers]
    ax = new_axes() if ax is None else ax
    draw_band(
        ax,
        [finding.place[0] for finding in layers if finding.place is not None],
        np.exp([finding.outcome.theta for finding in layers]),
        [(math.exp(low), math.exp(high)) for low, high in intervals],
        margin=margin,
    )
    ax.set(xlabel="layer", ylabel=f"step of {axis_label(quantity)} / {theory}")
    _named_above(ax, columns=3)
    return ax


@checked
def power(
    *,
    variance: float,
    margin: float,
    thetas: Sequence[float] | None = None,
    alpha: float = 0.05,
    claims: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probability of the right verdict over the number of networks.

    Parameters
    ----------
    variance : float
        What one network contributes, as in `required_networks`; of a pilot's outcome ``unit_variance``.
    margin : float
        Of the claim.
    thetas : sequence of float, optional
        Logs of truth over prediction; 0, half, twice and four times the margin if None.
    alpha : float, default 0.05
        Of the report.
    claims : int, default 1
        Verdicts in it.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        From 10 networks to where every curve is near 1, or 10^7.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import varprop as vp
    >>> vp.plot.power(variance=5 * 10 / 64, margin=0.05).get_xlabel()
    'networks'
    """
    if not (math.isfinite(margin) and margin > 0):
        msg = f"margin must be finite and > 0, got {quoted(margin)}; 5 % is margin=0.05"
        raise ValueError(msg)
    truths = [share * math.log1p(margin) for share in (0.0, 0.5, 2.0, 4.0)] if thetas is None else list(thetas)

    def probability(n: int, theta: float) -> float:
        return planned_power(n_networks=n, variance=variance, margin=margin, theta=theta, alpha=alpha, claims=claims)

    most = next((10.0**k for k in range(2, 7) if all(probability(10**k, t) > 0.99 for t in truths)), 1e7)
    networks = np.unique(np.geomspace(10, most, 120).round())
    curves = {theta: np.array([probability(int(n), theta) for n in networks]) for theta in truths}
    ax = new_axes() if ax is None else ax
    draw_power(ax, networks, curves, margin=margin)
    ax.set(xlabel="networks", ylabel="probability of the verdict")
    _named_above(ax, columns=2)
    return ax


def _named_above(ax: Axes, *, columns: int) -> None:
    """Name what is drawn above the axes, where the legend covers none of it."""
    handles, labels = ax.get_legend_handles_labels()
    legend_above(ax, {"handles": list(handles), "labels": list(labels)}, columns=columns)
