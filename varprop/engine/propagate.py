"""One tile of networks through all layers and back, with every asked quantity read on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.engine.readings import (
    ACTIVATION,
    GRADIENT,
    PREACTIVATION,
    AtActivation,
    AtGradient,
    AtPreactivation,
)
from varprop.engine.rules import Backward, Slope, forward
from varprop.engine.signal import Signal, SignalRangeError
from varprop.engine.streams import Streams
from varprop.model.activations import Activation
from varprop.model.histograms import UnitQuantity
from varprop.model.layers import Dense
from varprop.model.network import Network, Site
from varprop.model.quantities import QUANTITIES
from varprop.model.reading import read_sites
from varprop.model.simulation import Place, site_place

At = TypeVar("At", AtPreactivation, AtActivation, AtGradient)
Watch = Callable[[UnitQuantity, Place, Signal], None]
"""Is shown every activation's output and every gradient, with the place."""
Where = Mapping[str, tuple[Place, ...]]
"""The places at which each asked quantity exists."""
Recorded = Mapping[str, dict[Place, Float64Array]]
"""By quantity and place: (networks, inputs), or (networks,) for what all inputs have together."""


def propagate(
    network: Network,
    inputs: FloatArray,
    streams: Streams,
    *,
    networks: int,
    where: Where,
    watch: Watch | None = None,
) -> Recorded:
    """Sample a tile of networks and read their quantities.

    Parameters
    ----------
    network : Network
        Layers to pass.
    inputs : ndarray, shape (inputs, input_size)
        Seen by every network; its dtype is that of all signals.
    streams : Streams
        Random numbers: forward draws first, then the readout, then the backward draws, so that what is recorded
        never changes what is drawn before it.
    networks : int
        Size of the tile.
    where : mapping
        Places at which each asked quantity exists, from `places`.
    watch : callable, optional
        Sees the signals themselves, which are not kept.

    Returns
    -------
    dict
        Values by quantity and place.

    Notes
    -----
    The loss is the inner product of the last pre-activation with a standard normal vector, one for each input.
    """
    recorded: dict[str, dict[Place, Float64Array]] = {name: {} for name in where}
    backwards_wanted = watch is not None or any(QUANTITIES[name].place == "gradient" for name in where)
    tape: list[tuple[Site, Signal, Backward]] = []

    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # Signal looks at what comes of it
        x = Signal(np.broadcast_to(inputs, (networks, *inputs.shape)))
        z = x
        for site in read_sites(network, "the engine"):
            place = site_place(site)
            try:
                y, backward = forward(site.noun, x, streams)
            except SignalRangeError as error:
                msg = f"layer {place[0]}: {error}"
                raise SignalRangeError(msg) from error
            if isinstance(site.noun, Dense):
                z = y
                _read(PREACTIVATION, AtPreactivation(site.noun, x, y), place, where, recorded)
            elif isinstance(backward, Slope):
                _read(ACTIVATION, AtActivation(site.noun, y, backward), place, where, recorded)
                if watch is not None:
                    watch("activation", place, y)
            if backwards_wanted:
                tape.append((site, x, backward))
            x = y

        if backwards_wanted:
            readout = streams.standard_normal(z.values.shape, z.values.dtype)
            _backward(tape, Signal(readout), where, recorded, watch)
    return recorded


def _backward(
    tape: list[tuple[Site, Signal, Backward]],
    delta: Signal,
    where: Where,
    recorded: dict[str, dict[Place, Float64Array]],
    watch: Watch | None,
) -> None:
    """Walk back from the last layer with weights to the first, reading the gradients of the pre-activations."""
    last = max(i for i, (site, _, _) in enumerate(tape) if isinstance(site.noun, Dense))
    first = min(i for i, (site, _, _) in enumerate(tape) if isinstance(site.noun, Dense))
    del tape[last + 1 :]  # the loss acts on the last pre-activation: nothing after it has a gradient
    while len(tape) > first:
        site, x, backward = tape.pop()  # popped, so that its arrays are free for the next layer's
        if isinstance(site.noun, Dense):
            _read(GRADIENT, AtGradient(x, delta), site_place(site), where, recorded)
            if watch is not None:
                watch("gradient", site_place(site), delta)
        if len(tape) > first:
            delta = backward(delta)


def _read(
    readings: Mapping[str, Callable[[At], Float64Array]],
    at: At,
    place: Place,
    where: Where,
    recorded: dict[str, dict[Place, Float64Array]],
) -> None:
    """Evaluate those readings of a family that are asked for and exist at this place."""
    for name, read in readings.items():
        if place in where.get(name, ()):
            try:
                recorded[name][place] = read(at)
            except SignalRangeError as error:
                msg = f"{name} at layer {place[0]}: {error}"
                raise SignalRangeError(msg) from error


def places(network: Network, quantity: str, *, inputs: int) -> tuple[Place, ...]:
    """(layer, module) of every place of a network at which a quantity exists.

    A variance needs two units, a cosine two inputs, a conditional variance a law whose variance is known, the slope's
    second moment an activation that does not jump, and saturation a steepest slope: step has none but 0, exp none at all.
    """
    found = []
    for site in read_sites(network, "the engine"):
        if isinstance(site.noun, Activation) != (QUANTITIES[quantity].place == "activation"):
            continue
        if quantity.endswith("_variance") and quantity != "conditional_variance" and site.output_shape == (1,):
            continue
        if quantity in {"conditional_variance", "pivot"} and not _has_variance(site):
            continue
        if quantity == "derivative_second_moment" and isinstance(site.noun, Activation) and site.noun.jumps:
            continue
        if quantity == "saturated_fraction" and not _can_saturate(site):
            continue
        found.append(site_place(site))
    return () if quantity == "cosine" and inputs < 2 else tuple(found)


def _can_saturate(site: Site) -> bool:
    return isinstance(site.noun, Activation) and 0 < site.noun.slope_bound() < math.inf


def _has_variance(site: Site) -> bool:
    noun = site.noun
    return isinstance(noun, Dense) and noun.weights.has_variance and noun.biases.has_variance
