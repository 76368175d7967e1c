"""Models of which the modules alone are known: does each keep the signal and the gradient, and what would make it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.layers import UnsupportedError
from varprop.model.simulation import Simulation
from varprop.model.sites import Module, ModuleNetwork, Place
from varprop.numerics.moments import Moments
from varprop.stats.floors import Skewed
from varprop.stats.means import step_mean
from varprop.stats.outcome import Outcome
from varprop.theory import Theory
from varprop.verification.questions import Finding, UndecidableError, judging

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "module",
    "kind",
    "layer",
    "n_networks",
    "gain",
    "gain_low",
    "gain_high",
    "gradient_gain",
    "gradient_gain_low",
    "gradient_gain_high",
    "step",
    "step_low",
    "step_high",
    "std_factor",
    "note",
)
"""Of a table of gains, in this order."""

STEPS = {
    "activation_second_moment": ("activation_second_moment", "input_second_moment"),
    "gradient_second_moment": ("input_gradient_second_moment", "gradient_second_moment"),
}
"""What leaves a module over what enters it, by what travels."""


def module_steps(simulation: Simulation, theory: Theory, quantity: str) -> tuple[Float64Array, tuple[Place, ...]]:
    """What leaves every module over what enters it, network by network."""
    if not theory.constant:
        _ = simulation.architecture  # which says what is missing
    if quantity not in STEPS:
        msg = f"of a module's {quantity} no step is known; test {' or '.join(STEPS)}"
        raise UnsupportedError(msg)
    leaving, entering = STEPS[quantity]
    there = set(simulation.places(entering))
    places = tuple(place for place in simulation.places(leaving) if place in there)
    if not places:
        msg = f"no module of {simulation.network.label} has both {leaving} and {entering}"
        raise ValueError(msg)
    if quantity == "gradient_second_moment":
        places = places[::-1]
    columns = [_over(simulation.column(leaving, place), simulation.column(entering, place)) for place in places]
    return np.stack(columns, axis=1), places


def preserved_findings(
    simulation: Simulation, theory: Theory, quantity: str
) -> list[tuple[Place, Finding | UndecidableError]]:
    """Ask of every module whether its mean step is 1; an error stands for one that admits no test, such as only zeros."""
    ratios, places = module_steps(simulation, theory, quantity)
    found: list[tuple[Place, Finding | UndecidableError]] = []
    for column, place in zip(ratios.T, places, strict=True):
        try:
            with judging():
                found.append((place, Finding(place, _step_mean(column), 1.0)))
        except UndecidableError as error:
            found.append((place, error))
    return found if quantity != "gradient_second_moment" else found[::-1]


def _step_mean(column: Float64Array) -> Outcome:
    """A module's mean step: its widths and laws are not known, so the sample's skewness says how far a t test is believed."""
    (skewness,) = Moments.of(column[:, None]).skewness.tolist()
    return step_mean(column, floor=Skewed(skewness))


@checked
def module_gains(simulation: Simulation, *, level: float = 0.95) -> pd.DataFrame:
    r"""Say what every module does to the signal and to the gradient, those that change it most first.

    Parameters
    ----------
    simulation : Simulation
        Of a model's modules, as `varprop.bridges.torch.simulate` returns it.
    level : float, default 0.95
        Of the intervals, each on its own; in (0, 1).

    Returns
    -------
    DataFrame
        A row for each module. ``gain`` is the mean over networks of output over input second moment, ``gradient_gain``
        that of the gradient's, input over output, both with intervals. ``step`` is told of modules with weights, from what
        they are fed to what the next one with weights is fed, where nothing else feeds it, or else to the last output that
        follows from theirs alone; of modules that belong to no such step it is their gain. ``std_factor`` is the multiple of
        the weights' present standard deviation that would make the step 1. By :math:`|\log` ``step`` :math:`|`, largest
        first; ``note`` says why a number is missing.

    Raises
    ------
    UnsupportedError
        If the simulation is of a `Network`, for which theories say more.
    ValueError
        If second moments of inputs and outputs were not recorded, or the level is not in (0, 1).
    TypeError
        If an argument is of another kind.

    Notes
    -----
    With :math:`s` for ``step``, ``std_factor`` is :math:`s^{-1/2}`: exact where biases are 0 and what follows the weights is
    positively homogeneous, as ReLU and pooling are; a first guess for others. It is missing where a normalisation undoes the
    scale of the weights.

    Examples
    --------
    >>> import pandas as pd, varprop as vp
    >>> from varprop.model.sites import Module, ModuleNetwork
    >>> modules = Module(name="fc", kind="Linear", layer=1, weights=True), Module(name="act", kind="ReLU", layer=1, source="fc")
    >>> rows = [(n, m, q, v) for n in range(3) for m, q, v in [
    ...     ("fc", "input_second_moment", 1), ("fc", "activation_second_moment", 0.5),
    ...     ("act", "input_second_moment", 0.5), ("act", "activation_second_moment", 0.25)]]
    >>> frame = pd.DataFrame(rows, columns=["network", "module", "quantity", "value"])
    >>> sim = vp.Simulation.from_frame(frame, ModuleNetwork(label="mine", modules=modules))
    >>> vp.module_gains(sim)[["module", "gain", "step", "std_factor"]].to_string(index=False).splitlines()[1:]
    ['    fc   0.5  0.25         2.0', '   act   0.5   NaN         NaN']
    """
    import pandas as pd

    network = simulation.network
    if not isinstance(network, ModuleNetwork):
        msg = f"module_gains is about models of other frameworks; for {network.label} write verify(simulation, theory=...)"
        raise UnsupportedError(msg)
    if not 0 < level < 1:
        msg = f"level must lie in (0, 1), got {quoted(level)}"
        raise ValueError(msg)
    rows = [_row(simulation, network, module, level) for module in network.modules]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    with np.errstate(divide="ignore"):
        change = np.abs(np.log(frame["step"].to_numpy(np.float64)))
    order = np.argsort(-np.nan_to_num(change, nan=-1.0), kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def _row(simulation: Simulation, network: ModuleNetwork, module: Module, level: float) -> dict[str, object]:
    place = (module.layer, module.name)
    forward = _ratio(simulation, ("activation_second_moment", place), ("input_second_moment", place))
    backward = _ratio(simulation, ("input_gradient_second_moment", place), ("gradient_second_moment", place))
    notes: list[str] = []
    between: list[Module] = []
    step = forward if _weights_before(network, module) is None else None
    if module.weights:
        end, between = _step(network, module)
        step = _ratio(simulation, end, ("input_second_moment", place))
    summaries = {
        "gain": _summary(forward, level, notes, "it is fed no signal"),
        "gradient_gain": _summary(backward, level, notes, "what gradient comes back through it is not known"),
        "step": _summary(step, level, [], ""),
    }
    norm = next((one for one in between if one.normalises), None)
    size = summaries["step"][0]
    if module.weights and norm is not None:
        notes.append(f"{norm.name} ({norm.kind}) undoes the scale of these weights")
    fixable = module.weights and norm is None and size > 0
    if fixable and module.biases:
        notes.append("std_factor leaves the biases out of account")
    return {
        "module": module.name,
        "kind": module.kind,
        "layer": module.layer,
        "n_networks": simulation.n_networks,
        **{
            f"{name}{end}": x
            for name, one in summaries.items()
            for end, x in zip(("", "_low", "_high"), one, strict=True)
        },
        "std_factor": size**-0.5 if fixable else math.nan,
        "note": "; ".join(dict.fromkeys(notes)),
    }


def _weights_before(network: ModuleNetwork, module: Module) -> Module | None:
    """The module with weights from which alone a module's input follows."""
    while module.source is not None:
        module = network[module.source]
        if module.weights:
            return module
    return None


def _step(network: ModuleNetwork, module: Module) -> tuple[tuple[str, Place], list[Module]]:
    """Where the step of a module with weights ends, and the modules without weights in between."""
    end = ("activation_second_moment", (module.layer, module.name))
    last = module
    for one in network.modules[network.modules.index(module) + 1 :]:
        if _weights_before(network, one) != module:
            continue
        end = ("input_second_moment" if one.weights else "activation_second_moment", (one.layer, one.name))
        last = one
        if one.weights:
            break
    between = [] if last.weights else [last]
    while last.source is not None and last != module:
        last = network[last.source]
        between += [] if last.weights else [last]
    return end, between


def _ratio(simulation: Simulation, above: tuple[str, Place], below: tuple[str, Place]) -> Float64Array | None:
    """One recorded quantity over another, network by network; None where either was not recorded there."""
    for quantity, place in (above, below):
        if quantity not in simulation.quantities or place not in simulation.places(quantity):
            return None
    return _over(simulation.column(*above), simulation.column(*below))


def _over(above: Float64Array, below: Float64Array) -> Float64Array:
    """The ratio, a network's inputs averaged; NaN where there is nothing below."""
    top, bottom = (x if x.ndim == 1 else x.mean(axis=1) for x in (above, below))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def _summary(ratios: Float64Array | None, level: float, notes: list[str], absent: str) -> tuple[float, float, float]:
    """Mean and its interval; NaN where there are none, and the note why."""
    if ratios is None:
        notes.extend([absent] if absent else [])
        return math.nan, math.nan, math.nan
    present = ratios[~np.isnan(ratios)]
    if present.size and not present.any():
        notes.append("0 in every network")
        return 0.0, 0.0, 0.0
    if present.size < 2:
        notes.append("fewer than two networks have a signal here")
        return (float(present[0]) if present.size else math.nan), math.nan, math.nan
    outcome: Outcome = step_mean(present)
    low, high = outcome.interval(level)
    return math.exp(outcome.theta), math.exp(low), math.exp(high)
