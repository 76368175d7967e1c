"""An initialiser of a framework, with the law that its documentation states and where it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from varprop.bridges.defaults import DefaultClaim
from varprop.model.initializers import InitializerLike


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedInitializer:
    """One initialiser, or the default of one weight of a layer.

    Parameters
    ----------
    name : str
        What the framework calls it, the weight last: ``nn.Linear.weight``.
    initializer : callable
        Takes a shape, and ``rng`` where the framework's random numbers are arguments; returns an array.
    shape : tuple of int
        What to ask for.
    law : Initializer, str or mapping
        The law that is stated.
    statement : str
        That law in words.
    source : str
        Where it is stated.
    fan_in, fan_out : int, optional
        As `varprop.audit` takes them.
    groups : int
        As `varprop.audit` takes them.
    documented : bool
        Whether it is the documentation that states the law; else it is what a reader would take for granted.
    claims : tuple of DefaultClaim
        What others say of it, which is tested too.
    """

    name: str
    initializer: Callable[..., Any]
    shape: tuple[int, ...]
    law: InitializerLike
    statement: str
    source: str
    fan_in: int | None = None
    fan_out: int | None = None
    groups: int = 1
    documented: bool = True
    claims: tuple[DefaultClaim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A framework's catalogue.

    Parameters
    ----------
    name : str
        Of the framework.
    version : str
        What was loaded.
    cases : tuple of StatedInitializer
        Its initialisers.
    seeded : callable
        From a seed to a context in which the framework's own random numbers come from that seed; they go on from where
        they were afterwards.
    """

    name: str
    version: str
    cases: tuple[StatedInitializer, ...]
    seeded: Callable[[int], AbstractContextManager[object]] = nullcontext
