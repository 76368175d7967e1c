"""Bridges by name, through the entry points of what is installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from varprop._arguments import checked, quoted
from varprop.bridges.catalogue import Bridge
from varprop.model.names import unknown_name

GROUP = "varprop.bridges"
"""An entry point of this group is a function without arguments that returns a `Bridge`."""


class BridgeError(ValueError):
    """A bridge that does not exist, or whose framework is not installed."""


def bridge_names() -> tuple[str, ...]:
    """Names of all bridges, in alphabetical order, whether their frameworks are installed or not.

    Returns
    -------
    tuple of str
    """
    return tuple(sorted(_found()))


@checked
def load_bridge(name: str) -> Bridge:
    """Import a framework and make its catalogue.

    Parameters
    ----------
    name : str
        One of `bridge_names`.

    Returns
    -------
    Bridge

    Raises
    ------
    BridgeError
        If there is no such bridge, or what it needs is not installed.
    TypeError
        If an argument is of another kind.
    """
    found = _found()
    if not found:
        msg = "no bridges are registered: they are found through varprop's entry points; install varprop with pip"
        raise BridgeError(msg)
    if name not in found:
        raise BridgeError(unknown_name("bridge", name, tuple(found)))
    try:
        bridge = found[name].load()()
    except ModuleNotFoundError as error:
        msg = f"{error.name} is not installed; install it with: pip install 'varprop[{name}]'"
        raise BridgeError(msg) from error
    if not isinstance(bridge, Bridge):
        msg = f"the bridge {quoted(name)} must make a varprop.bridges.Bridge, it made {type(bridge).__name__}"
        raise BridgeError(msg)
    return bridge


def _found() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
