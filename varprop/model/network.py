"""A network as a value: the shape of its input and its layers, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from varprop._arguments import checked, items_of
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.model.initializers import Initializer, InitializerLike
from varprop.model.layers import Dense, check_width, refuse_layer

Layer = Dense | Activation
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
        _ = self.sites  # every shape fits its neighbour, or this raises

    def __repr__(self) -> str:
        return f"Network({self.label})"

    def _repr_html_(self) -> str:
        from varprop.model.cards import network_card

        return network_card(self)

    @property
    def sites(self) -> tuple[Site, ...]:
        """One entry per layer, in order."""
        found: list[Site] = []
        shape, depth = self.input_shape, 0
        for index, noun in enumerate(self.layers):
            depth += isinstance(noun, Dense)
            after = noun.output_shape(shape)
            found.append(Site(str(index), depth, noun, shape, after))
            shape = after
        return tuple(found)

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
        activations = _distinct(layer.label for layer in self.layers if not isinstance(layer, Dense))
        weights = _distinct(layer.weights.label for layer in self.layers if isinstance(layer, Dense))
        biases = _distinct(layer.biases.label for layer in self.layers if isinstance(layer, Dense))
        parts = [activations, weights, "" if biases == "zeros" else f"biases {biases}", widths_label(self.widths)]
        return ", ".join(part for part in parts if part)

    def describe(self) -> dict[str, Any]:
        """Return the content as plain data: what a stored sample is keyed by, and what a manifest shows.

        Two networks with the same description have the same law; a user's own function or law is known here by
        its name and parameters alone.
        """
        return {"input_shape": list(self.input_shape), "layers": [_describe(layer) for layer in self.layers]}


def _describe(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, Dense):
        return {"dense": layer.units, "weights": _named(layer.weights), "biases": _named(layer.biases)}
    if not isinstance(layer, Activation):
        refuse_layer("the description of a network", layer, (Dense, Activation))
    return {"activation": _named(layer)}


def _named(noun: Activation | Initializer) -> dict[str, Any]:
    return {"name": noun.name, "parameters": dict(noun.parameters)}


def _distinct(labels: Iterable[str]) -> str:
    return "/".join(dict.fromkeys(labels))


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
