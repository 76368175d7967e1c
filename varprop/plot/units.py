"""How single units, and whole networks, are distributed at several depths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import checked, quoted
from varprop.model.histograms import Histograms
from varprop.model.simulation import Simulation
from varprop.plot.axes import legend_above, new_axes
from varprop.report.histogram_figures import axis_names, draw_histograms
from varprop.report.spreads import draw_ridges, ridge_legend, ridges
from varprop.report.wording import axis_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
def histograms(found: Histograms, *, quantity: str = "activation", layers: int = 8, ax: Axes | None = None) -> Axes:
    """Draw histograms of single units, a curve for each of a few layers.

    Parameters
    ----------
    found : Histograms
        What `varprop.histograms` returns.
    quantity : {"activation", "gradient"}
        Which units.
    layers : int, default 8
        Curves at most, from 1 to 8; the layers are evenly spread, the first and the last among them.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        Curves from dark to light over depth. Units that are exactly 0 are in none.

    Raises
    ------
    TypeError
        If it is something else that is to be drawn.
    ValueError
        If the quantity is neither, the network has no activations, or ``layers`` is out of its range.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 6, activation="tanh", weights="xavier_normal")
    >>> found = vp.histograms(net, n_networks=50, rng=2010)
    >>> vp.plot.histograms(found, quantity="gradient").get_xscale()
    'log'
    """
    if not isinstance(found, Histograms):
        msg = (
            f"found must be what vp.histograms returns, got {type(found).__name__}; write for example "
            "vp.plot.histograms(vp.histograms(network, n_networks=50, rng=1))"
        )
        raise TypeError(msg)
    counts = found.of(quantity)
    if not (isinstance(layers, int | np.integer) and 1 <= layers <= 8):
        msg = f"layers must be an integer from 1 to 8, got {quoted(layers)}: more curves cannot be told apart"
        raise ValueError(msg)
    ax = new_axes() if ax is None else ax
    draw_histograms(ax, counts, layers=layers)
    x, y = axis_names(counts)
    ax.set(xlabel=x, ylabel=y)
    handles, labels = ax.get_legend_handles_labels()
    legend_above(ax, {"handles": list(handles), "labels": list(labels)}, columns=4)
    return ax


@checked
def distributions(
    simulation: Simulation,
    *,
    quantity: str = "preactivation_second_moment",
    layers: int = 6,
    ax: Axes | None = None,
) -> Axes:
    """Draw how a second moment is distributed over networks, a ridge for each of a few layers.

    Parameters
    ----------
    simulation : Simulation
        In memory or on disk, of any size; one layer at a time is read.
    quantity : str
        A recorded quantity without negative values.
    layers : int, default 6
        Ridges at most, >= 1.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        Shaded: histograms of the living networks' logarithms. Dashed: the exact law, where one is known. Dotted: where none
        is, an approximation, the log-normal law with the mean and sd that theory "finite-width" predicts. Diamond: the mean
        over all networks. Circle: the typical network, exp of the mean logarithm.

    Raises
    ------
    TypeError
        If it is no simulation that is to be drawn.
    ValueError
        If the quantity was not recorded or has negative values, ``layers`` is no integer or less than 1, or no layer has two
        living networks that differ.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([16] * 9, activation="relu", weights="he_normal")
    >>> ax = vp.plot.distributions(vp.simulate(net, n_networks=500, rng=1), layers=3)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['1', '5', '8']
    """
    if not isinstance(simulation, Simulation):
        msg = (
            f"simulation must be a Simulation, got {type(simulation).__name__}; pass what vp.simulate returns, of a run "
            "run.simulations()[label], of a frame vp.Simulation.from_frame(frame, network)"
        )
        raise TypeError(msg)
    if not (isinstance(layers, int | np.integer) and layers >= 1):
        msg = f"layers must be an integer of at least 1, got {quoted(layers)}; 6 is the default"
        raise ValueError(msg)
    drawn = ridges(simulation, quantity, layers=layers)
    if not drawn:
        msg = f"at no layer are there two living networks whose {quantity} differs; sample more networks"
        raise ValueError(msg)
    ax = new_axes() if ax is None else ax
    draw_ridges(ax, drawn)
    ax.set(xlabel=axis_label(quantity), ylabel="layer")
    legend_above(ax, ridge_legend([ax]), columns=2)  # the name of an approximation is long
    return ax
