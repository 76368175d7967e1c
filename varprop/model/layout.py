"""Fans that a weight array's shape stands for, in either of the usual layouts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from varprop.model.laws import Fans


@dataclass(frozen=True, slots=True)
class Reading:
    """Fans, and the number of positions of the kernel that both are multiples of."""

    fans: Fans
    receptive: int


def channels_first(shape: tuple[int, ...], groups: int = 1) -> Reading:
    """(fan_out, fan_in), or (channels out, channels in of one group, *kernel)."""
    receptive = math.prod(shape[2:])
    return Reading(Fans(shape[1] * receptive, shape[0] * receptive // groups), receptive)


def channels_last(shape: tuple[int, ...], groups: int = 1) -> Reading:
    """(*kernel, channels in of one group, channels out), or (fan_in, fan_out)."""
    receptive = math.prod(shape[:-2])
    return Reading(Fans(shape[-2] * receptive, shape[-1] * receptive // groups), receptive)
