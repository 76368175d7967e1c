"""One tile of networks through all layers and back, with every asked quantity read on the way."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
from varprop.engine.segments import segments
from varprop.engine.signal import Signal, SignalRangeError
from varprop.engine.streams import Streams
from varprop.model.activations import Activation
from varprop.model.histograms import UnitQuantity
from varprop.model.layers import Dense
from varprop.model.network import Network, Place, Site, read_sites, site_place
from varprop.model.quantities import QUANTITIES

At = TypeVar("At", AtPreactivation, AtActivation, AtGradient)
UnitWatch = Callable[[UnitQuantity, Place, Signal], None]
"""Is shown every activation's output and every gradient, with the place."""
Where = Mapping[str, tuple[Place, ...]]
"""The places at which each asked quantity exists."""
Recorder = Callable[[str, Place, Float64Array], object]
"""Takes a quantity, a place, and the values there, as they are in `Recorded`."""
_Tape = list[tuple[Site, Signal, Backward]]
"""Sites on the way there, with what came to each and its way back."""


def propagate(
    network: Network,
    inputs: FloatArray,
    streams: Streams,
    *,
    networks: int,
    where: Where,
    record: Recorder,
    watch: UnitWatch | None = None,
) -> None:
    """Sample a tile of networks and read their quantities.

    Notes
    -----
    The loss is the inner product of the last pre-activation with a standard normal vector, one for each input.

    What the way back needs of all layers is kept if it is not too much (`segments`). Else only the signals at the
    beginnings of segments are kept, each with a copy of the stream as it was there, and a segment is gone through again when
    the way back comes to it. The numbers are the same: it draws the same, and computes the same from it.
    """
    backwards_wanted = watch is not None or any(QUANTITIES[name].place == "gradient" for name in where)
    seen = _Seen(where, record, watch)
    sites = read_sites(network, "the engine")
    weights = [index for index, site in enumerate(sites) if isinstance(site.noun, Dense)]
    # The loss acts on the last pre-activation: nothing after it has a gradient, and what is before the first has no use for one.
    lead, body, rest = sites[: weights[0]], sites[weights[0] : weights[-1] + 1], sites[weights[-1] + 1 :]
    *early, late = (
        segments(body, networks=networks, inputs=len(inputs), dense=streams.dense, itemsize=inputs.dtype.itemsize)
        if backwards_wanted
        else (body,)
    )
    beginnings: list[tuple[Sequence[Site], Signal, np.random.Generator]] = []
    tape: _Tape = []
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # Signal looks at what comes of it
        x = _there(lead, Signal(np.broadcast_to(inputs, (networks, *inputs.shape))), streams, seen)
        for run in early:
            beginnings.append((run, x, copy.deepcopy(streams.rng)))
            x = _there(run, x, streams, seen)
        z = _there(late, x, streams, seen, tape if backwards_wanted else None)
        _there(rest, z, streams, seen)
        if backwards_wanted:
            delta = Signal(streams.standard_normal(z.values.shape, z.values.dtype))
            del x, z
            delta = _back(tape, delta, body[0], seen)
            while beginnings:
                run, start, as_it_was = beginnings.pop()
                again = replace(streams, rng=as_it_was)
                _there(run, start, again, None, tape)
                again.rng = streams.rng  # what the way back draws is drawn from where the stream is now
                delta = _back(tape, delta, body[0], seen)


class _Seen:
    """What is read off the signals, where it is asked for and exists."""

    def __init__(self, where: Where, record: Recorder, watch: UnitWatch | None) -> None:
        self._where = {name: frozenset(found) for name, found in where.items()}
        self._record, self._watch = record, watch

    def read(self, readings: Mapping[str, Callable[[At], Float64Array]], at: At, place: Place) -> None:
        """Evaluate those readings of a family that are asked for at this place."""
        for name, reading in readings.items():
            if place in self._where.get(name, ()):
                try:
                    self._record(name, place, reading(at))
                except SignalRangeError as error:
                    msg = f"{name} at layer {place[0]}: {error}"
                    raise SignalRangeError(msg) from error

    def watch(self, quantity: UnitQuantity, place: Place, signal: Signal) -> None:
        """Show a signal to whoever watches."""
        if self._watch is not None:
            self._watch(quantity, place, signal)


def _there(run: Sequence[Site], x: Signal, streams: Streams, seen: _Seen | None, tape: _Tape | None = None) -> Signal:
    """Send a signal through some sites; read it on the way if anybody looks, and write down the way back if it is wanted."""
    for site in run:
        place = site_place(site)
        try:
            y, backward = forward(site.noun, x, streams)
        except SignalRangeError as error:
            msg = f"layer {place[0]}: {error}"
            raise SignalRangeError(msg) from error
        if seen is not None and isinstance(site.noun, Dense):
            seen.read(PREACTIVATION, AtPreactivation(site.noun, x, y), place)
        elif seen is not None and isinstance(site.noun, Activation) and isinstance(backward, Slope):
            seen.read(ACTIVATION, AtActivation(site.noun, y, backward), place)
            seen.watch("activation", place, y)
        if tape is not None:
            tape.append((site, x, backward))
        x = y
    return x


def _back(tape: _Tape, delta: Signal, first: Site, seen: _Seen) -> Signal:
    """Walk back to where the tape begins, or to the first layer with weights; read the gradients of the pre-activations."""
    while tape:
        site, x, backward = tape.pop()  # popped, so that its arrays are free for the next layer's
        if isinstance(site.noun, Dense):
            seen.read(GRADIENT, AtGradient(x, delta), site_place(site))
            seen.watch("gradient", site_place(site), delta)
        if site is not first:
            delta = backward(delta)
    return delta


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
