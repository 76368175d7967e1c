"""Figures of tests: steps with a band for all layers at once, the power of a plan, and the levels that tests were found to have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.simulation import Simulation
from varprop.plot.axes import MARGIN, MARGIN_ALPHA, THEORIES, VERDICTS, house_style, named_above, new_axes
from varprop.plot.wording import axis_label
from varprop.stats.power import planned_power
from varprop.verification.claims import Claim
from varprop.verification.compare import gather

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FAMILIES = (("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "D"), ("#cc79a7", "^"), ("#767676", "v"))


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
    named_above(ax, columns=3)
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
    named_above(ax, columns=2)
    return ax


def draw_band(
    axes: Axes,
    layers: Sequence[int],
    ratios: Float64Array,
    intervals: Sequence[tuple[float, float]],
    *,
    margin: float | None = None,
) -> None:
    """Draw every layer's mean step over its prediction, with its interval."""
    from matplotlib import rcParams

    low, high = np.transpose(intervals)
    colour = VERDICTS["supported"].color
    if margin is not None:
        axes.axhspan(
            1 / (1 + margin), 1 + margin, color=MARGIN, alpha=MARGIN_ALPHA, linewidth=0, zorder=1, label="margin"
        )
    axes.axhline(1.0, color=rcParams["text.color"], linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5, label="theory")
    axes.errorbar(
        layers,
        ratios,
        yerr=np.maximum([ratios - low, high - ratios], 0.0),
        fmt="o",
        markersize=3.2,
        color=colour,
        linewidth=1.1,
        capsize=2,
        zorder=2,
        label="all layers at once",
    )


def draw_power(axes: Axes, networks: Float64Array, curves: Mapping[float, Float64Array], *, margin: float) -> None:
    """Draw the probability of the right verdict over the number of networks, a curve for each truth."""
    delta = math.log1p(margin)
    for style, (theta, power) in zip(cycle(THEORIES.values()), curves.items(), strict=False):
        what = "supported" if abs(theta) < delta else "refuted"
        axes.plot(
            networks,
            power,
            color=style.color,
            linestyle=(0, style.dashes) if style.dashes else "-",
            linewidth=1.5,
            label=f"truth {math.exp(theta):.4g}: {what}",
        )
    axes.set(xscale="log", ylim=(0, 1.02))


def level_figure(frame: pd.DataFrame) -> Figure:
    """Draw how often each test rejects a true null at the nominal 5 %, a panel for each size of network."""
    import seaborn as sns
    from matplotlib.figure import Figure

    rows = frame[(frame["part"] == "tests") & (frame["rate"] == "level") & (frame["alpha"] == frame["alpha"].max())]
    parts = rows["configuration"].str.rsplit(", ", n=1)
    rows = rows.assign(family=parts.str[0], size=parts.str[1])
    tests, sizes, families = (list(dict.fromkeys(rows[name])) for name in ("test", "size", "family"))
    with house_style():
        figure = Figure(figsize=(2.0 + 1.6 * len(sizes), 1.2 + 0.32 * len(tests)), layout="constrained")
        panels = figure.subplots(1, len(sizes), sharex=True, sharey=True, squeeze=False)[0]
        for axes, size in zip(panels, sizes, strict=True):
            _draw_levels(axes, rows[rows["size"] == size], tests, families)
            axes.set_title(size, loc="left")
            sns.despine(ax=axes, left=True)
        panels[0].set_yticks(range(len(tests)), tests)
        panels[0].set_ylim(len(tests) - 0.5, -0.5)
        figure.supxlabel("share of studies that reject", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(families), frameon=False)
    return figure


def _draw_levels(axes: Axes, rows: pd.DataFrame, tests: Sequence[str], families: Sequence[str]) -> None:
    """One panel: the accepted region, and a mark for each test and family of networks."""
    exact = rows[rows["accept_low"] > 0]
    if len(exact):
        low, high = (exact[name].iloc[0] / exact["repeats"].iloc[0] for name in ("accept_low", "accept_high"))
        axes.axvspan(float(low), float(high), color=MARGIN, alpha=MARGIN_ALPHA, linewidth=0)
    axes.axvline(float(rows["alpha"].iloc[0]), color=MARGIN, linewidth=0.8)
    for i, family in enumerate(families):
        mine = rows[rows["family"] == family]
        color, marker = _FAMILIES[i % len(_FAMILIES)]
        at = [tests.index(test) + 0.16 * (i - (len(families) - 1) / 2) for test in mine["test"]]
        errors = [(mine["value"] - mine["ci_low"]).to_list(), (mine["ci_high"] - mine["value"]).to_list()]
        axes.errorbar(
            mine["value"], at, xerr=errors, fmt=marker, color=color, markersize=3.5, elinewidth=0.9, label=family
        )
