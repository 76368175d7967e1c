"""A run, or simulations, of a sweep -> its tidy frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from varprop._arguments import checked, items_of, quoted
from varprop.model.simulation import Simulation
from varprop.report.sweeping import GAINS, LEVELS, TRANSIENT, Point, points_of, sweep_frame
from varprop.study.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from varprop.study.sweep import Variable


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
