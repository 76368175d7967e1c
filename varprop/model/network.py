"""A network as a value: the shape of its input and its layers, in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from varprop._arguments import checked, items_of
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.model.cards import card, count
from varprop.model.initializers import Initializer, InitializerLike
from varprop.model.layers import Dense, check_width, refuse_layer
from varprop.model.names import in_turn

Layer = Dense | Activation
Place = tuple[int, str]
"""(layer, module): where a column of an array of values was measured."""
MAX_LAYERS = 2**16
"""Weight layers of one network; more are a slip of the keyboard."""


@dataclass(frozen=True, slots=True)
class Site:
    """One entry of a network's layers, where it stands, and the shapes on both sides of it.

    ``module`` is its path, ``layer`` the number of weight layers up to and including it (0 before the first).
    """

    module: str
    layer: int
    noun: Layer
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    @property
    def fans(self) -> tuple[int, int]:
        """(fan_in, fan_out) of a dense layer."""
        return self.input_shape[0], self.output_shape[0]


def site_place(site: Site) -> Place:
    """(layer, module) of a network's site."""
    return site.layer, site.module


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Network:
    """A feed-forward network whose weights are drawn anew for every replicate.

    Parameters
    ----------
    input_shape : int or tuple of int
        Shape of one input; an int means a flat one. ``input_size`` is another name for an int.
    layers : sequence of Dense and Activation
        First to last. A name or a plain function stands for the activation.

    Raises
    ------
    ValueError
        If a width is not positive, a shape does not fit, or no layer has weights.
    TypeError
        If a layer is none.

    Examples
    --------
    >>> net = Network(64, [Dense(32, weights="he_normal"), "relu", Dense(8, weights="he_normal")])
    >>> net.depth, net.label
    (2, 'relu, he_normal, 64-32-8')
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    sites: tuple[Site, ...] = field(init=False, compare=False)
    """One entry per layer, in order: everything that reads a network goes through them, so they are worked out once."""

    def __init__(
        self,
        input_shape: int | Sequence[int] | None = None,
        layers: Sequence[Dense | ActivationLike] = (),
        *,
        input_size: int | None = None,
    ) -> None:
        if (input_shape is None) == (input_size is None):
            msg = "give input_shape or input_size (one of them); write for example Network(256, layers)"
            raise ValueError(msg)
        given = input_size if input_shape is None else input_shape
        several = isinstance(given, Sequence) and not isinstance(given, str | bytes)
        shape = items_of("input_shape", given, most=32, example="256") if several else (given,)
        object.__setattr__(self, "input_shape", tuple(check_width(size, "input_shape") for size in shape))
        wanted = items_of("layers", layers, most=2 * MAX_LAYERS, example="[Dense(64, ...), 'relu']", ordered=True)
        nouns = tuple(layer if isinstance(layer, Dense) else as_activation(layer) for layer in wanted)
        object.__setattr__(self, "layers", nouns)
        if not self.depth:
            msg = f"a network needs at least one layer with weights, got {len(nouns)} layers without"
            raise ValueError(msg)
        object.__setattr__(self, "sites", sites_of(self.input_shape, nouns))

    def __repr__(self) -> str:
        return f"Network({self.label})"

    def _repr_html_(self) -> str:
        return _card(self)

    @property
    def depth(self) -> int:
        """Number of layers with weights."""
        return sum(isinstance(layer, Dense) for layer in self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of the input and of every layer with weights."""
        return (self.input_shape[0], *(layer.units for layer in self.layers if isinstance(layer, Dense)))

    @property
    def label(self) -> str:
        """Activations, laws and widths in one short text, for tables."""
        activations = in_turn(layer.label for layer in self.layers if not isinstance(layer, Dense))
        weights = in_turn(layer.weights.label for layer in self.layers if isinstance(layer, Dense))
        biases = in_turn(layer.biases.label for layer in self.layers if isinstance(layer, Dense))
        parts = [activations, weights, "" if biases == "zeros" else f"biases {biases}", widths_label(self.widths)]
        return ", ".join(part for part in parts if part)

    def describe(self) -> dict[str, Any]:
        """Return the content as plain data: what a stored sample is keyed by, and what a manifest shows.

        Two networks with the same description have the same law; a user's own function or law is known here by
        its name and parameters alone.
        """
        return {"input_shape": list(self.input_shape), "layers": [_describe(layer) for layer in self.layers]}


def sites_of(input_shape: tuple[int, ...], layers: Iterable[Layer]) -> tuple[Site, ...]:
    """Find out where every layer stands; a shape that does not fit its neighbour is refused."""
    found: list[Site] = []
    shape, depth = input_shape, 0
    for index, layer in enumerate(layers):
        depth += isinstance(layer, Dense)
        after = layer.output_shape(shape)
        found.append(Site(str(index), depth, layer, shape, after))
        shape = after
    return tuple(found)


def _describe(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, Dense):
        return {"dense": layer.units, "weights": _named(layer.weights), "biases": _named(layer.biases)}
    if not isinstance(layer, Activation):
        refuse_layer("the description of a network", layer, (Dense, Activation))
    return {"activation": _named(layer)}


def _named(noun: Activation | Initializer) -> dict[str, Any]:
    return {"name": noun.name, "parameters": dict(noun.parameters)}


def widths_label(widths: Sequence[int]) -> str:
    """Write widths briefly: ``256x20`` (20 layers of 256 on 256 inputs), ``512-128x20`` (alternating), else all.

    Examples
    --------
    >>> widths_label([256] * 21), widths_label([512, 128] * 3), widths_label([784, 64, 10])
    ('256x20', '512-128x5', '784-64-10')
    """
    depth = len(widths) - 1
    for period in (1, 2):
        if depth >= 2 * period and all(w == widths[i % period] for i, w in enumerate(widths)):
            return f"{'-'.join(map(str, widths[:period]))}x{depth}"
    return "-".join(map(str, widths))


@checked
def mlp(
    widths: Sequence[int],
    *,
    activation: ActivationLike,
    weights: InitializerLike,
    biases: InitializerLike = "zeros",
) -> Network:
    """Build a multilayer perceptron: every weight layer, the last one too, is followed by the activation.

    Parameters
    ----------
    widths : sequence of int
        Units per layer, input first: ``len(widths) - 1`` weight layers.
    activation : str, Activation or callable
        The same after every layer.
    weights, biases : str, Initializer or callable
        The same law (of the layer's own fans) in every layer.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If there are fewer than two widths or more than 65,537, a width is not a positive integer, or a name is unknown.
    TypeError
        If ``widths`` is no list, or a noun is none.

    Examples
    --------
    >>> mlp([256] * 21, activation="relu", weights="he_normal").label
    'relu, he_normal, 256x20'
    """
    widths = items_of("widths", widths, most=MAX_LAYERS + 1, example="[256] * 21", ordered=True)
    if len(widths) < 2:
        msg = f"widths needs the input's size and at least one layer, got {widths}; write for example [256, 256]"
        raise ValueError(msg)
    noun = as_activation(activation)
    sizes = [check_width(units, "widths") for units in widths[1:]]
    dense = {units: Dense(units, weights=weights, biases=biases) for units in dict.fromkeys(sizes)}
    layers: list[Layer] = [layer for units in sizes for layer in (dense[units], noun)]
    return Network(check_width(widths[0], "widths"), layers)


# ---- how the parts of varprop read layers --------------------------------------------------------------------------
# A part that looks for the layers it knows and passes over the others answers about another network than it was asked about.
# So no part walks `Network.layers` on its own, and each refuses a type of layer that it has no rule for.

_KNOWN = (Dense, Activation)


def read_sites(network: Network, reader: str) -> tuple[Site, ...]:
    """Sites of a network, for a part of varprop that knows dense layers and activations."""
    check_network(network, reader)
    sites = network.sites
    for site in sites:
        if not isinstance(site.noun, _KNOWN):
            refuse_layer(reader, site.noun, _KNOWN, module=site.module)
    return sites


def check_network(network: object, reader: str) -> None:
    """Refuse what is no network; parameters as of `read_sites`."""
    if not isinstance(network, Network):
        msg = f"{reader} takes a Network, got {type(network).__name__}; write for example vp.mlp([256] * 21, ...)"
        raise TypeError(msg)


def read_dense(network: Network, reader: str) -> tuple[tuple[Site, Dense], ...]:
    """Dense layers and where they stand; parameters and errors as of `read_sites`."""
    return tuple((site, site.noun) for site in read_sites(network, reader) if isinstance(site.noun, Dense))


def read_activations(network: Network, reader: str) -> tuple[Activation, ...]:
    """Activations in order; parameters and errors as of `read_sites`."""
    return tuple(site.noun for site in read_sites(network, reader) if isinstance(site.noun, Activation))


# ---- what a notebook shows ---------------------------------------------------------------------------------------


def _card(network: Network) -> str:
    """What a notebook shows of a network: for its layers with weights the fans, the law and its variance; layers alike share a row."""
    rows = []
    for (_, fans, *said), alike in itertools.groupby(_blocks(network), key=lambda block: (None, *block[1:])):
        layers = [block[0] for block in alike]
        span = f"{layers[0]}" if len(layers) == 1 else f"{layers[0]} to {layers[-1]}"
        rows.append((span, *fans, *said))
    before = [site.noun.label for site in read_sites(network, "a card") if site.layer == 0]
    facts = {"label": network.label, "input": " x ".join(map(str, network.input_shape))}
    if before:
        facts["before layer 1"] = ", ".join(before)
    columns = ("layer", "fan_in", "fan_out", "weights", "Var(W)", "biases", "then")
    return card(f"Network of {count(network.depth, 'layer')} with weights", facts, columns, rows)


_Block = tuple[int, tuple[int, int], str, str, str, str]
"""Of a layer with weights: its number, fans, law, variance, law of the biases, and what follows it."""


def _blocks(network: Network) -> Iterator[_Block]:
    for layer, group in itertools.groupby(read_sites(network, "a card"), key=lambda site: site.layer):
        if layer:
            yield _block(layer, *group)


def _block(layer: int, dense: Site, *after: Site) -> _Block:
    noun = dense.noun
    assert isinstance(noun, Dense)  # noqa: S101 - a layer's number counts them
    variance = f"{noun.weights.variance(*dense.fans):.4g}" if noun.weights.has_variance else "not stated"
    then = ", ".join(site.noun.label for site in after if isinstance(site.noun, Activation))
    return layer, dense.fans, _law(noun.weights), variance, _law(noun.biases), then


def _law(law: Initializer) -> str:
    """Its label, and whatever is known of it by its author's word alone."""
    return f"{law.label}, declared symmetric" if law.symmetry_declared else law.label
