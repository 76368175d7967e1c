"""A deep network in segments: what the way back needs of a tile is made again, segment by segment, where all of it is too much."""

from __future__ import annotations

import math
from collections.abc import Sequence

from varprop.engine.rules import is_undrawn
from varprop.model.layers import Dense
from varprop.model.sites import Site

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
