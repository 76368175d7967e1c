"""How the parts of varprop read a network's layers: each refuses a type of layer that it has no rule for.

A part that looks for the layers it knows and passes over the others answers about another network than it was asked about.
So no part walks `Network.layers` on its own.
"""

from __future__ import annotations

from varprop.model.activations import Activation
from varprop.model.layers import Dense, refuse_layer
from varprop.model.network import Network, Site

_KNOWN = (Dense, Activation)


def read_sites(network: Network, reader: str) -> tuple[Site, ...]:
    """Sites of a network, for a part of varprop that knows dense layers and activations.

    Parameters
    ----------
    network : Network
        To be read.
    reader : str
        Which part, as an error names it.

    Returns
    -------
    tuple of Site
        In order.

    Raises
    ------
    UnsupportedError
        If there is a layer of another type.
    TypeError
        If it is no network.
    """
    check_network(network, reader)
    sites = network.sites
    for site in sites:
        if not isinstance(site.noun, _KNOWN):
            refuse_layer(reader, site.noun, _KNOWN, module=site.module)
    return sites


def check_network(network: object, reader: str) -> None:
    """Refuse what is no network; parameters as of `read_sites`.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(network, Network):
        msg = f"{reader} takes a Network, got {type(network).__name__}; write for example vp.mlp([256] * 21, ...)"
        raise TypeError(msg)


def read_dense(network: Network, reader: str) -> tuple[tuple[Site, Dense], ...]:
    """Dense layers and where they stand; parameters and errors as of `read_sites`."""
    return tuple((site, site.noun) for site in read_sites(network, reader) if isinstance(site.noun, Dense))


def read_activations(network: Network, reader: str) -> tuple[Activation, ...]:
    """Activations in order; parameters and errors as of `read_sites`."""
    return tuple(site.noun for site in read_sites(network, reader) if isinstance(site.noun, Activation))
