"""One tile of networks through all layers and back, with every asked quantity read on the way."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from varprop._typing import FloatArray
from varprop.engine.readings import Probe, Recorder, UnitWatch, Where
from varprop.engine.rules import Passage, engine_sites, supported
from varprop.engine.segments import segments
from varprop.engine.signal import Signal
from varprop.engine.streams import Streams
from varprop.model.network import Network, read_leaves
from varprop.model.quantities import QUANTITIES
from varprop.model.sites import Place, Site, around_weights


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
    The loss is the inner product of the last pre-activation with a standard normal vector, one for each input; of the output of
    the last layer with weights, if that is one that holds others.

    What the way back needs of all layers is kept if it is not too much (`segments`). Else only the signals at the
    beginnings of segments are kept, each with a copy of the stream as it was there, and a segment is gone through again when
    the way back comes to it. The numbers are the same: it draws the same, and computes the same from it.
    """
    backwards_wanted = watch is not None or any(QUANTITIES[name].place == "gradient" for name in where)
    # The loss acts on the last layer with weights: nothing after it has a gradient, and what is before the first has no use for one.
    lead, body, rest = around_weights(engine_sites(network))
    *early, late = (
        segments(body, networks=networks, inputs=len(inputs), dense=streams.dense, itemsize=inputs.dtype.itemsize)
        if backwards_wanted
        else (body,)
    )
    probe = Probe(where, record, watch)
    ahead = Passage(streams, probe, keeps=False)
    beginnings: list[tuple[Sequence[Site], Signal, np.random.Generator]] = []
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # Signal looks at what comes of it
        x, _ = ahead.through(lead, Signal(np.broadcast_to(inputs, (networks, *inputs.shape))))
        for run in early:
            beginnings.append((run, x, copy.deepcopy(streams.rng)))
            x, _ = ahead.through(run, x)
        z, backward = Passage(streams, probe, keeps=backwards_wanted).through(late, x)
        ahead.through(rest, z)
        if backwards_wanted:
            delta = Signal(streams.standard_normal(z.values.shape, z.values.dtype))
            del x, z
            delta = backward(delta, onward=bool(beginnings))
            while beginnings:
                run, start, as_it_was = beginnings.pop()
                again = replace(streams, rng=as_it_was)
                backward = Passage(again, probe, looks=False).through(run, start)[1]
                again.rng = streams.rng  # what the way back draws is drawn from where the stream is now
                delta = backward(delta, onward=bool(beginnings))


def places(network: Network, quantity: str, *, inputs: int) -> tuple[Place, ...]:
    """(layer, module) of every place of a network at which a quantity exists; a cosine takes two inputs."""
    place = QUANTITIES[quantity].place
    found = [site.place for site in read_leaves(network, "the engine", supported()) if site.measures(quantity, place)]
    return () if quantity == "cosine" and inputs < 2 else tuple(found)
