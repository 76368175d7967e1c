"""A network as a value: the shape of its input and its layers, in order."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from varprop._arguments import checked, items_of
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.model.cards import card, count
from varprop.model.initializers import Initializer, InitializerLike
from varprop.model.layers import Dense, Layer, UnsupportedError, check_width, refuse_layer
from varprop.model.names import in_turn
from varprop.model.sites import Site, Step, holders_of, leaves_of, sites_of, steps_of

MAX_LAYERS = 2**16
"""Weight layers of one network; more are a slip of the keyboard."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Network:
    """A feed-forward network whose weights are drawn anew for every replicate.

    Parameters
    ----------
    input_shape : int or tuple of int
        Shape of one input; an int means a flat one. ``input_size`` is another name for an int.
    layers : sequence of Layer
        First to last: `Dense`, `Activation`, or what may hold other layers. A name or a plain function stands for the activation.

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
        layers: Sequence[Layer | ActivationLike] = (),
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
        found = tuple(layer if isinstance(layer, Layer) else as_activation(layer) for layer in wanted)
        object.__setattr__(self, "layers", found)
        object.__setattr__(self, "sites", sites_of(self.input_shape, found))
        if not self.depth:
            msg = f"a network needs at least one layer with weights, got {len(found)} layers without"
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"Network({self.label})"

    def _repr_html_(self) -> str:
        return _card(self)

    @property
    def steps(self) -> tuple[Step, ...]:
        """One entry per layer with weights: what feeds it, and the activations after it."""
        return steps_of(self.sites)

    @property
    def depth(self) -> int:
        """Number of layers with weights."""
        return self.sites[-1].number if self.sites else 0

    @property
    def is_chain(self) -> bool:
        """Whether no layer holds others."""
        return not any(site.parts for site in self.sites)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of the input and of every layer with weights."""
        return (self.input_shape[0], *(site.fans[1] for site in leaves_of(self.sites) if site.layer.has_weights))

    @property
    def label(self) -> str:
        """Activations, laws and widths in one short text, for tables; then the layers that hold others."""
        activations = in_turn(site.layer.label for site in leaves_of(self.sites) if not site.layer.has_weights)
        weights = in_turn(step.weights.label for step in self.steps)
        biases = in_turn(step.biases.label for step in self.steps)
        held = Counter(site.layer.label for site in holders_of(self.sites))
        parts = [activations, weights, "" if biases == "zeros" else f"biases {biases}", widths_label(self.widths)]
        return ", ".join([*filter(None, parts), *(f"{number} x {label}" for label, number in held.items())])

    def describe(self) -> dict[str, Any]:
        """Return the content as plain data: what a stored sample is keyed by, and what a manifest shows.

        Two networks with the same description have the same law; a user's own function or law is known here by
        its name and parameters alone.
        """
        return {"input_shape": list(self.input_shape), "layers": [layer.describe() for layer in self.layers]}


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
        If ``widths`` is no list, or an activation or a law is none.

    Examples
    --------
    >>> mlp([256] * 21, activation="relu", weights="he_normal").label
    'relu, he_normal, 256x20'
    """
    widths = items_of("widths", widths, most=MAX_LAYERS + 1, example="[256] * 21", ordered=True)
    if len(widths) < 2:
        msg = f"widths needs the input's size and at least one layer, got {widths}; write for example [256, 256]"
        raise ValueError(msg)
    phi = as_activation(activation)
    sizes = [check_width(units, "widths") for units in widths[1:]]
    dense = {units: Dense(units, weights=weights, biases=biases) for units in dict.fromkeys(sizes)}
    layers: list[Layer] = [layer for units in sizes for layer in (dense[units], phi)]
    return Network(check_width(widths[0], "widths"), layers)


# ---- how the parts of varprop read layers --------------------------------------------------------------------------
# A part that looks for the layers it knows and passes over the others answers about another network than it was asked about.
# So no part walks `Network.layers` on its own, and each refuses a type of layer that it has no rule for. Layers that hold
# others are looked into by those for whom it does not matter how layers are put together; the others know none of them.

KNOWN: tuple[type, ...] = (Dense, Activation)


def read_sites(network: Network, reader: str, known: tuple[type, ...] = KNOWN) -> tuple[Site, ...]:
    """Sites of a network, for a part of varprop that follows the signal through layers of these types."""
    check_network(network, reader)
    _check_types(network.sites, reader, known)
    return network.sites


def _check_types(sites: Iterable[Site], reader: str, known: tuple[type, ...]) -> None:
    for site in sites:
        if not isinstance(site.layer, known):
            refuse_layer(reader, site.layer, known, module=site.module)
        for _, part in site.parts:
            _check_types(part, reader, known)


def read_leaves(network: Network, reader: str, known: tuple[type, ...] = KNOWN) -> tuple[Site, ...]:
    """Sites of the layers that hold no others, depth first, however they are put together."""
    check_network(network, reader)
    leaves = tuple(leaves_of(network.sites))
    _check_types(leaves, reader, known)
    return leaves


def check_network(network: object, reader: str) -> None:
    """Refuse what is no network; parameters as of `read_sites`."""
    if not isinstance(network, Network):
        msg = f"{reader} takes a Network, got {type(network).__name__}; write for example vp.mlp([256] * 21, ...)"
        raise TypeError(msg)


def read_steps(network: Network, reader: str, known: tuple[type, ...] = KNOWN) -> tuple[Step, ...]:
    """Layers with weights; parameters and errors as of `read_leaves`."""
    read_leaves(network, reader, known)
    return network.steps


def read_activations(network: Network, reader: str, known: tuple[type, ...] = KNOWN) -> tuple[Activation, ...]:
    """Activations in order; parameters and errors as of `read_leaves`."""
    return tuple(site.layer for site in read_leaves(network, reader, known) if isinstance(site.layer, Activation))


def read_chain(network: Network, reader: str = "a chain of layers", *, lead: bool = False) -> tuple[Step, ...]:
    """Layers with weights and at most one activation after each, none before the first unless there may be a lead."""
    sites, steps = read_sites(network, reader), network.steps
    wrong = [(site, "another activation") for step in steps for site in step.after[1:]]
    if not lead:
        wrong += [(site, "no layer with weights") for site in sites[:1] if not site.number]
    for site, follows in wrong:
        msg = (
            f"module {site.module} ({site.layer.label}) follows {follows}; {reader} takes at most one between two layers with "
            "weights: put a Dense between them or write them as one Activation"
        )
        raise UnsupportedError(msg)
    return steps


# ---- what a notebook shows ---------------------------------------------------------------------------------------


def _card(network: Network) -> str:
    """What a notebook shows of a network: for its layers with weights the fans, the law and its variance; layers alike share a row."""
    before = [site.layer.label for site in read_leaves(network, "a card") if site.number == 0]
    rows = []
    for said, alike in itertools.groupby(network.steps, key=_told):
        numbers = [step.number for step in alike]
        rows.append((f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}", *said))
    facts = {"label": network.label, "input": " x ".join(map(str, network.input_shape))}
    if before:
        facts["before layer 1"] = ", ".join(before)
    columns = ("layer", "fan_in", "fan_out", "weights", "Var(W)", "biases", "then")
    return card(f"Network of {count(network.depth, 'layer')} with weights", facts, columns, rows)


def _told(step: Step) -> tuple[object, ...]:
    """Fans, law, variance and law of the biases of a layer, and what follows it."""
    weights, biases = step.weights, step.biases
    variance = f"{step.weight_variance:.4g}" if weights.has_variance else "not stated"
    return *step.site.fans, _law(weights), variance, _law(biases), ", ".join(site.layer.label for site in step.after)


def _law(law: Initializer) -> str:
    """Its label, and whatever is known of it by its author's word alone."""
    return f"{law.label}, declared symmetric" if law.symmetry_declared else law.label
