"""Fans of an audit: those given, those read from the shape, and how else the shape could be read."""

from __future__ import annotations

import math

from varprop.model.laws import Fans, check_fans
from varprop.model.layout import Reading, channels_first, channels_last


def fans_of(shape: tuple[int, ...], fan_in: int | None, fan_out: int | None, *, groups: int, needed: bool) -> Fans:
    """The fans given, and in place of those not given what the shape says with channels first."""
    if len(shape) >= 2:
        read = channels_first(shape, groups).fans
    elif needed and (fan_in is None or fan_out is None):
        msg = f"shape {shape} has no fans to read, and the law depends on them; give fan_in and fan_out"
        raise ValueError(msg)
    else:
        read = Fans(1, max(1, math.prod(shape)))
    return check_fans(read.fan_in if fan_in is None else fan_in, read.fan_out if fan_out is None else fan_out)


def other_readings(shape: tuple[int, ...], fans: Fans, groups: int) -> list[Reading]:
    """What the shape says in a layout that is not the one of the fans."""
    if len(shape) < 2:
        return []
    readings = [channels_first(shape, groups), channels_last(shape, groups)]
    return [reading for reading in readings if reading.fans != fans]


def receptive_fields(shape: tuple[int, ...], fans: Fans, groups: int) -> list[int]:
    """Positions of the kernel, > 1, in the layouts that agree with the fans; in both if neither does."""
    if len(shape) < 3:
        return []
    readings = [channels_first(shape, groups), channels_last(shape, groups)]
    agreeing = [reading for reading in readings if reading.fans == fans] or readings
    sizes = {reading.receptive for reading in agreeing}
    return sorted(size for size in sizes if size > 1)
