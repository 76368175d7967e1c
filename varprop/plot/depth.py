"""A quantity over depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from varprop._arguments import checked
from varprop.model.modules import ModuleNetwork
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Simulation
from varprop.report.module_tables import by_module, label_modules, module_figure_size
from varprop.report.profile import ProfileScale, draw_profile, profile_legend
from varprop.report.sample_summary import frame_summary, layer_summary
from varprop.report.wording import axis_label
from varprop.study.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

from varprop.plot.axes import choose, legend_above, new_axes


@checked
def profile(
    data: Simulation | Run | pd.DataFrame,
    *,
    theories: Sequence[str] = (),
    quantity: str | None = None,
    configuration: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a quantity over depth: measured mean with its interval, spread over networks, and theories' predictions.

    Parameters
    ----------
    data : Simulation, Run or DataFrame
        What was measured; a frame has the columns of `Simulation.to_frame`.
    theories : sequence of str
        Theories whose predictions are drawn as lines.
    quantity : str, optional
        A recorded quantity. None takes the second moment of the pre-activations, or of the modules' outputs where only
        modules are known; these are drawn in the order of their calls.
    configuration : str, optional
        Which one, where there are several.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        With a legend above it. Dots: mean over networks; bars: its 95 % interval; band: 5 % to 95 % of the networks.
        On a log scale if more than a decade is spanned; arrows at the edge then stand for means of exactly 0.

    Raises
    ------
    ValueError
        If the quantity was not recorded, a theory is unknown, there are several configurations and none is chosen, or
        theories are asked for with a frame, which does not say what network it is of.
    TypeError
        If ``data`` is nothing of the three.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([16] * 4, activation="tanh", weights="xavier_normal")
    >>> frame = vp.simulate(net, n_networks=20, rng=1).to_frame()
    >>> vp.plot.profile(frame, quantity="gradient_second_moment").get_ylabel()
    'δ²'
    """
    import pandas as pd

    theories = [theories] if isinstance(theories, str) else list(theories)
    if isinstance(data, Run):
        simulations = data.simulations()
        data = simulations[choose(simulations, configuration)]
    network = data.network if isinstance(data, Simulation) else None
    modules = network if isinstance(network, ModuleNetwork) else None
    if quantity is None:
        quantity = "activation_second_moment" if modules else "preactivation_second_moment"
    if isinstance(data, Simulation):
        summary = layer_summary(data, quantity)
        predictions = _predictions(data, theories, quantity, summary)
    elif isinstance(data, pd.DataFrame):
        summary = _frame_summary(data, quantity, configuration)
        if theories:
            msg = (
                f"a frame does not say which network it is of, so {', '.join(theories)} cannot be drawn; "
                "pass vp.Simulation.from_frame(frame, network)"
            )
            raise ValueError(msg)
        predictions = pd.DataFrame({"layer": [], "theory": [], "predicted": []})
    else:
        msg = f"data must be a Simulation, a Run or a DataFrame, got {type(data).__name__}"
        raise TypeError(msg)
    if ax is None:
        ax = new_axes(figsize=module_figure_size(modules) if modules else None)
    if modules:
        summary = by_module(summary, modules)
    scale = ProfileScale.fit(summary, predictions)
    draw_profile(ax, summary, predictions, scale=scale, theories=theories)
    ax.set(xlabel="layer", ylabel=axis_label(quantity))
    if modules:
        label_modules(ax, summary, modules)
    legend_above(ax, profile_legend(theories, [scale]), columns=2)
    return ax


def _frame_summary(frame: pd.DataFrame, quantity: str, configuration: str | None) -> pd.DataFrame:
    """Summarise the rows of one configuration."""
    if "configuration" in frame.columns:
        chosen = choose(map(str, frame["configuration"].unique()), configuration)
        frame = frame[frame["configuration"] == chosen]
    return frame_summary(frame, quantity)


def _predictions(simulation: Simulation, theories: Sequence[str], quantity: str, summary: pd.DataFrame) -> pd.DataFrame:
    """Every theory's rows of one quantity; of a user's own measurements "preserved" is what was measured first."""
    import pandas as pd

    from varprop.theory import get_theory, predict
    from varprop.verification.own import is_own

    empty = pd.DataFrame({"layer": [], "theory": [], "predicted": []})
    frames = [predict(simulation.architecture, theory=theory, inputs=simulation.inputs) for theory in theories]
    rows = pd.concat(frames) if frames else empty
    rows = rows[rows["quantity"] == quantity] if frames else empty
    kept = rows["theory"].isin([theory for theory in theories if get_theory(theory).constant])
    if is_own(simulation) and kept.any():
        first = -1 if ALL_QUANTITIES[quantity].place == "gradient" else 0
        rows = rows.assign(predicted=rows["predicted"].mask(kept, float(summary["mean"].iloc[first])))
    return rows
