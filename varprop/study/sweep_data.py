"""Samples along a sweep -> a tidy frame: gains per layer and levels against the swept variable, and the theory's curves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._arguments import checked, items_of, quoted
from varprop._typing import Float64Array
from varprop.model.initializers import get_initializer
from varprop.model.layers import Dense, UnsupportedError
from varprop.model.network import Network, read_activations, read_sites, read_steps
from varprop.model.simulation import Simulation
from varprop.stats.means import mean_outcome
from varprop.study.run import Run
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.verification.claims import Claim
from varprop.verification.compare import gather
from varprop.verification.questions import Evidence, Measured, Question, SampleTable, Summed, ask

if TYPE_CHECKING:
    import pandas as pd

    from varprop.study.sweep import Variable

_READER = "a sweep"
TRANSIENT = 5
"""First layer of what is measured: until there, second moments settle from what the input has."""
CONFIDENCE = 0.95
GAINS = ("preactivation_second_moment", "gradient_second_moment")
LEVELS = ("saturated_fraction", "derivative_second_moment")
"""Quantities of which a gain per layer, and of which a mean over layers is drawn."""
_CURVE = 40  # points of a curve, about
COLUMNS = (
    "series",
    "variable",
    "value",
    "quantity",
    "source",
    "n_networks",
    "first_layer",
    "last_layer",
    "estimate",
    "ci_low",
    "ci_high",
)
"""Of a sweep's frame. ``source`` is "measured" or the name of a theory."""


@checked
def sweep_data(
    data: Run | Iterable[Simulation],
    *,
    variable: Variable | None = None,
    quantities: Sequence[str] = (*GAINS, *LEVELS),
    theory: str | None = "mean-field",
    first_layer: int = TRANSIENT,
) -> pd.DataFrame:
    """Measure a sweep, as a tidy frame: gains per layer and levels at each value, and a theory's curve beside them.

    Parameters
    ----------
    data : Run or iterable of Simulation
        A run whose study has a ``[sweep]``; or samples of networks that differ in one variable, read off the networks
        themselves, a series for each activation.
    variable : {"weight_variance", "bias_variance", "depth", "width"}, optional
        What was swept; required with simulations, known of a run.
    quantities : sequence of str
        "preactivation_second_moment" and "gradient_second_moment", of which there is the gain per layer, and
        "saturated_fraction" and "derivative_second_moment", of which there is the mean over layers.
    theory : str, optional
        Whose curve; None for none.
    first_layer : int, default 5
        First of the layers that are measured: past the transient.

    Returns
    -------
    DataFrame
        Columns ``series``, ``variable``, ``value``, ``quantity``, ``source`` ("measured", or the theory's name),
        ``n_networks``, ``first_layer``, ``last_layer``, ``estimate``, ``ci_low``, ``ci_high`` (of level .95).

    Raises
    ------
    ValueError
        If the study has no sweep, or the networks do not differ in the variable alone.
    TypeError
        If ``data`` is neither, or ``variable`` is missing.

    See Also
    --------
    varprop.plot.sweep : Draws it.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([16] * 9, activation="relu", weights="he_normal")
    >>> table = vp.sweep_data([vp.simulate(net, n_networks=20, rng=1)], variable="weight_variance")
    >>> table[table.source == "mean-field"][["value", "quantity", "estimate"]].round(3).values.tolist()[0]
    [2.0, 'preactivation_second_moment', 1.0]
    """
    if isinstance(data, Run):
        swept = data.study.sweep
        if swept is None:
            msg = f"the study {quoted(data.study.name)} has no [sweep]; name a variable and its values in one"
            raise ValueError(msg)
        simulations = data.simulations()
        points = [
            Point(c.series, c.swept, simulations[c.label]) for c in data.study.configurations if c.swept is not None
        ]
        return sweep_frame(points, swept.variable, quantities=quantities, theory=theory, first_layer=first_layer)
    several = isinstance(data, Iterable) and not isinstance(data, str | Mapping)
    listed: list[Any] = items_of("data", data, most=100_000, example="[simulation, other]") if several else [data]
    if not listed or not all(isinstance(one, Simulation) for one in listed):
        msg = "data must be a Run, simulations of networks that differ in one variable, or a frame of vp.sweep_data"
        raise TypeError(msg)
    if variable is None:
        msg = "simulations do not say what was swept; pass for example variable='weight_variance'"
        raise TypeError(msg)
    points = points_of(listed, variable)
    return sweep_frame(points, variable, quantities=quantities, theory=theory, first_layer=first_layer)


@dataclass(frozen=True, slots=True)
class Point:
    """One sample of a sweep: the series it belongs to, its value, and what was measured."""

    series: str
    value: float
    simulation: Simulation


def points_of(simulations: Sequence[Simulation], variable: Variable) -> list[Point]:
    """Read the swept values off the networks themselves; networks with one activation are one series."""
    points: dict[tuple[str, float], Point] = {}
    for simulation in simulations:
        network = simulation.architecture
        series = "/".join(dict.fromkeys(phi.label for phi in read_activations(network, _READER)))
        point = Point(series or "linear", value_in(network, variable), simulation)
        if (point.series, point.value) in points:
            msg = (
                f"two simulations of {point.series} have {variable} {point.value:g}; "
                "draw those that differ in something else in a figure of their own"
            )
            raise ValueError(msg)
        points[point.series, point.value] = point
    return list(points.values())


def value_in(network: Network, variable: Variable) -> float:
    """Value of a swept variable in a network, the same in all its layers."""
    steps = read_steps(network, _READER)
    if variable == "depth":
        return float(network.depth)
    if variable == "width":
        values = [float(units) for units in network.widths]
    elif variable == "weight_variance":
        values = [step.gain for step in steps]
    elif variable == "bias_variance":
        values = [step.bias_variance for step in steps]
    else:
        msg = f"variable must be 'weight_variance', 'bias_variance', 'depth' or 'width', got {quoted(variable)}"
        raise ValueError(msg)
    if not all(math.isclose(value, values[0], rel_tol=1e-9) for value in values):
        msg = f"{network.label} has no one {variable}: its layers have {min(values):.4g} to {max(values):.4g}"
        raise ValueError(msg)
    return float(f"{values[0]:.12g}")  # 64 x (4 / 64) may round


def sweep_frame(
    points: Sequence[Point],
    variable: Variable,
    *,
    quantities: Sequence[str] = (*GAINS, *LEVELS),
    theory: str | None = "mean-field",
    first_layer: int = TRANSIENT,
) -> pd.DataFrame:
    """Measure every point of a sweep, and put a theory's curve beside each series."""
    import pandas as pd

    rows: list[dict[str, object]] = []
    for point in sorted(points, key=lambda point: point.value):
        rows += _measured(point, quantities, first_layer)
    if theory is not None:
        for series in dict.fromkeys(point.series for point in points):
            mine = sorted((point for point in points if point.series == series), key=lambda point: point.value)
            for value, network in _curve(mine, variable):
                said = _predicted(network, theory, quantities, inputs=mine[0].simulation.inputs, first=first_layer)
                rows += [{"series": series, "value": value} | row for row in said]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).assign(variable=variable)
    order = {series: i for i, series in enumerate(dict.fromkeys(point.series for point in points))}
    return frame.sort_values("series", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _layers(network: Network, first: int) -> tuple[int, int] | None:
    """First and last layer that are measured; None of a network of one layer."""
    return None if network.depth < 2 else (min(first, network.depth - 1), network.depth)


def _measured(point: Point, quantities: Sequence[str], first: int) -> Iterator[dict[str, object]]:
    simulation = point.simulation
    layers = _layers(simulation.architecture, first)
    if layers is None:
        return
    recorded = [quantity for quantity in quantities if quantity in simulation.quantities]
    gains = [Claim(id=q, quantity=q, test="directional", above=1.0, layers=layers) for q in recorded if q in GAINS]
    found = dict(zip(gains, gather(gains, simulation, called=point.series), strict=True))
    reached = {quantity: max(simulation.layers(quantity)) >= layers[0] for quantity in recorded}
    levels = [quantity for quantity in recorded if quantity not in GAINS and reached[quantity]]
    questions = [_mean_level(quantity, layers) for quantity in levels]
    answers = ask(questions, simulation)
    means = dict(zip(levels, answers, strict=True))
    about = {"series": point.series, "value": point.value, "source": "measured"}
    about |= {"first_layer": layers[0], "last_layer": layers[1]}
    for claim, evidence in found.items():
        if isinstance(evidence, Evidence):  # else every network is dead
            outcome = evidence.headline.outcome
            low, high = outcome.interval(CONFIDENCE)
            ends = {"estimate": math.exp(outcome.theta), "ci_low": math.exp(low), "ci_high": math.exp(high)}
            yield {**about, "quantity": claim.quantity, "n_networks": outcome.n, **ends}
    for quantity, mean in means.items():
        if isinstance(mean, Exception):
            raise mean
        yield {**about, "quantity": quantity, **mean}


def _mean_level(quantity: str, layers: tuple[int, int]) -> Question[dict[str, float]]:
    """Ask for the mean over networks of what each has on average over its layers."""

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
        values, places = Measured(piece).table(quantity)
        keep = [i for i, place in enumerate(places) if layers[0] <= place[0] <= layers[1]]
        return (SampleTable(values[:, keep].mean(axis=1, keepdims=True), ()),)

    def conclude(summed: tuple[Summed, ...]) -> dict[str, float]:
        outcome = mean_outcome("level", summed[0].moments)
        low, high = outcome.interval(CONFIDENCE)
        return {"n_networks": outcome.n, "estimate": outcome.theta, "ci_low": low, "ci_high": high}

    return Question(tables, conclude)


def _curve(points: Sequence[Point], variable: Variable) -> Iterator[tuple[float, Network]]:
    """Networks of a theory's curve: those that were sampled, and where a variance is swept others between them."""
    for point in points:
        yield point.value, point.simulation.architecture
    if variable in {"depth", "width"} or (variable == "weight_variance" and _homogeneous(points[0])):
        return
    between = max(1, _CURVE // (len(points) - 1)) + 1
    for one, other in itertools.pairwise(points):
        space = np.geomspace if one.value > 0 else np.linspace
        for value in space(one.value, other.value, between)[1:-1].tolist():
            yield value, with_variance(one.simulation.architecture, variable, value)


def _homogeneous(point: Point) -> bool:
    """Tell whether gains are a straight line on a log scale, and everything else is constant."""
    network = point.simulation.architecture
    return (
        network.is_chain
        and all(step.biases.name == "zeros" for step in read_steps(network, _READER))
        and all(phi.homogeneous for phi in read_activations(network, _READER))
    )


def with_variance(network: Network, variable: Variable, value: float) -> Network:
    """Give every layer Gaussian weights, or biases, of another variance: what a theory of wide networks sees of a law."""
    if variable == "weight_variance":
        laws = {"weights": get_initializer("variance_scaling", scale=value)}
    else:
        laws = {"biases": get_initializer("normal", std=math.sqrt(value))}
    layers = [
        Dense(layer.units, **({"weights": layer.weights, "biases": layer.biases} | laws))
        if isinstance(layer, Dense)
        else layer
        for layer in (site.layer for site in read_sites(network, _READER))
    ]
    return Network(network.input_shape, layers)


def _predicted(
    network: Network, theory: str, quantities: Sequence[str], *, inputs: Float64Array, first: int
) -> Iterator[dict[str, object]]:
    layers = _layers(network, first)
    if layers is None:
        return
    try:
        said = said_of(network, get_theory(theory), inputs)
    except (UnsupportedError, OverflowError):
        return
    for quantity in quantities:
        inside = sorted(
            (p.layer, p.predicted) for p in said if p.quantity == quantity and layers[0] <= p.layer <= layers[1]
        )
        if len(inside) < 2:
            continue
        values = np.array([predicted for _, predicted in inside])
        if quantity in GAINS:
            ends = values[[-1, 0]] if quantity == "gradient_second_moment" else values[[0, -1]]
            if not (ends > 0).all() or not np.isfinite(ends).all():
                continue
            estimate = math.exp(math.log(ends[1] / ends[0]) / (len(values) - 1))
        else:
            estimate = float(values.mean())
        yield {
            "quantity": quantity,
            "source": theory,
            "first_layer": layers[0],
            "last_layer": layers[1],
            "estimate": estimate,
        }
