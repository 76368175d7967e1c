"""What is audited of a framework: initialisers with their documented law, layers' defaults; and which bridges there are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from varprop._arguments import checked, quoted
from varprop.model.initializers import InitializerLike
from varprop.model.names import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultClaim:
    """A claim that the entry of a catalogue which lists it follows one of some laws."""

    claim: str
    statement: str
    laws: tuple[InitializerLike, ...]
    corrected: str = ""


XAVIER_AND_HE = ("xavier_uniform", "xavier_normal", "he_uniform", "he_normal")

DENSE = DefaultClaim(
    claim="framework.defaults",
    statement="PyTorch and TensorFlow use Xavier and He as default options.",
    laws=XAVIER_AND_HE,
    corrected=(
        "The dense layer of Keras begins with Xavier's uniform law. PyTorch's nn.Linear begins uniform within 1/sqrt(n_in), "
        "of variance 1/(3 n_in), which is neither Xavier's nor He's. Both frameworks offer both laws as functions."
    ),
)
"""Of the dense layer of a framework that the article names."""

CONVOLUTION = DefaultClaim(
    claim="framework.defaults.convolution",
    statement="Convolutions begin with Xavier's or He's law.",
    laws=XAVIER_AND_HE,
)

ATTENTION = DefaultClaim(
    claim="framework.defaults.attention",
    statement="Each projection of multi-head attention begins with Xavier's or He's law.",
    laws=XAVIER_AND_HE,
)


def offered(law: str) -> DefaultClaim:
    """Claim of a function that it is one of the laws of Xavier and He."""
    return DefaultClaim(
        claim="framework.defaults.offered", statement="The laws of Xavier and He are offered as functions.", laws=(law,)
    )


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


# ---- which there are -------------------------------------------------------------------------------------------------


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
