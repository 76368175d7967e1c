"""One tile of networks through all layers and back, in segments where all of it is too much to keep."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from varprop._typing import FloatArray
from varprop.engine.rules import Passage, Probe, Recorder, UnitWatch, Where, engine_sites, is_undrawn, supported
from varprop.engine.signal import Signal, Streams
from varprop.model.layers import Dense
from varprop.model.network import Network, read_leaves
from varprop.model.quantities import QUANTITIES
from varprop.model.sites import Place, Site, around_weights

# What a tile may keep for its way back: 170 layers of a full tile. Beyond that the way there is gone twice, which takes
# about a third of the time more.
_KEPT = 2**28
_PER_INPUT = 64  # bytes beside a site's vectors: sums of squares and the like, in float64


def segments(
    sites: Sequence[Site], *, networks: int, inputs: int, dense: bool, itemsize: int
) -> tuple[Sequence[Site], ...]:
    """Cut sites into runs that are kept at once on the way back."""
    costs = [networks * _bytes(site, inputs, itemsize, dense=dense) for site in sites]
    if sum(costs) <= _KEPT:
        return (sites,)
    limit = math.sqrt(float(sum(costs)) * networks * _beginning(sites, inputs, itemsize))
    runs: list[list[Site]] = [[]]
    size = 0
    for site, cost in zip(sites, costs, strict=True):
        if runs[-1] and size + cost > limit:
            runs.append([])
            size = 0
        runs[-1].append(site)
        size += cost
    return tuple(runs)


def least_bytes(sites: Sequence[Site], *, inputs: int, dense: bool, itemsize: int) -> int:
    """Bytes that one network takes at least, there and back."""
    costs = [_bytes(site, inputs, itemsize, dense=dense) for site in sites]
    in_segments = 2 * math.sqrt(float(sum(costs)) * _beginning(sites, inputs, itemsize))
    # A site cannot be cut, and while it is worked on there is as much again beside it.
    return 2 * max(*costs, min(sum(costs), int(in_segments)))


def _beginning(sites: Sequence[Site], inputs: int, itemsize: int) -> int:
    """What is kept of one network where a segment begins."""
    return inputs * (max(math.prod(site.output_shape) for site in sites) * itemsize + _PER_INPUT)


def _bytes(site: Site, inputs: int, itemsize: int, *, dense: bool) -> int:
    """What stays of a site, in one network, until the way back has passed it: output, slope, a matrix that was drawn."""
    size = inputs * (2 * itemsize * math.prod(site.output_shape) + _PER_INPUT)
    size += sum(_bytes(inner, inputs, itemsize, dense=dense) for _, part in site.parts for inner in part)
    if isinstance(site.layer, Dense) and (dense or not is_undrawn(site.layer.weights, inputs)):
        size += itemsize * site.fans[0] * site.fans[1]
    return size


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
