"""Where the layers of a network stand, and what feeds each with weights; networks of which the modules alone are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from varprop._arguments import quoted
from varprop.model.activations import Activation, get_activation
from varprop.model.initializers import Initializer
from varprop.model.layers import Dense, Layer

Place = tuple[int, str]
"""(layer, module): where a column of an array of values was measured."""


@dataclass(frozen=True, slots=True)
class Site:
    """One layer of a network, where it stands, and the shapes on both sides of it.

    ``module`` is its path, ``number`` that of weight layers up to and including it and all it holds (0 before the first),
    ``parts`` where the layers stand that it holds.
    """

    module: str
    number: int
    layer: Layer
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parts: tuple[tuple[str, tuple[Site, ...]], ...] = ()

    @property
    def fans(self) -> tuple[int, int]:
        """(fan_in, fan_out) of a layer with weights."""
        return self.layer.fans(self.input_shape)

    @property
    def place(self) -> Place:
        """(layer, module), as columns of values have it."""
        return self.number, self.module

    @property
    def has_weights(self) -> bool:
        """Whether it, or a layer that it holds, has weights."""
        return self.layer.has_weights or any(site.has_weights for _, part in self.parts for site in part)

    def __getitem__(self, part: str) -> tuple[Site, ...]:
        """Where the layers of one of its parts stand."""
        return dict(self.parts)[part]

    def measures(self, quantity: str, place: str) -> bool:
        """Tell whether a quantity of a kind of place exists here; a variance over units takes two of them."""
        narrow = self.output_shape == (1,) and quantity.endswith("_variance") and quantity != "conditional_variance"
        return place in self.layer.records and not narrow and not self.layer.lacks(quantity)


def sites_of(input_shape: tuple[int, ...], layers: Iterable[Layer]) -> tuple[Site, ...]:
    """Find out where every layer stands; a shape that does not fit its neighbour is refused."""
    return _stand(input_shape, layers, "", 0)[0]


def _stand(shape: tuple[int, ...], layers: Iterable[Layer], path: str, number: int) -> tuple[tuple[Site, ...], int]:
    """Where layers stand one after another, and how many with weights there are by then."""
    found: list[Site] = []
    for index, layer in enumerate(layers):
        module, parts = f"{path}{index}", []
        for name, held in layer.parts.items():
            inside, number = _stand(shape, held, f"{module}.{name}.", number)
            parts.append((name, inside))
        number += layer.has_weights
        after = layer.output_shape(shape)
        found.append(Site(module, number, layer, shape, after, tuple(parts)))
        shape = after
    return tuple(found), number


def around_weights(sites: tuple[Site, ...]) -> tuple[tuple[Site, ...], tuple[Site, ...], tuple[Site, ...]]:
    """What stands before the first layer with weights, from there to the last, and after it."""
    weighted = [index for index, site in enumerate(sites) if site.has_weights]
    return sites[: weighted[0]], sites[weighted[0] : weighted[-1] + 1], sites[weighted[-1] + 1 :]


def leaves_of(sites: Iterable[Site]) -> Iterator[Site]:
    """Go through the layers that hold no others, depth first."""
    for site in sites:
        if site.parts:
            for _, part in site.parts:
                yield from leaves_of(part)
        else:
            yield site


def holders_of(sites: Iterable[Site]) -> Iterator[Site]:
    """Go through the layers that hold others, outermost first."""
    for site in sites:
        if site.parts:
            yield site
            for _, part in site.parts:
                yield from holders_of(part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A layer with weights, the layers with weights that feed it (none: the input does), and the activations after it."""

    site: Site
    layer: Dense
    sources: tuple[Site, ...]
    after: tuple[Site, ...]

    @property
    def number(self) -> int:
        """1 is the first layer with weights."""
        return self.site.number

    @property
    def place(self) -> Place:
        """Where z is measured."""
        return self.site.place

    @property
    def fan_in(self) -> int:
        """Numbers that enter each unit."""
        return self.site.fans[0]

    @property
    def units(self) -> int:
        """Fan-out."""
        return self.site.fans[1]

    @property
    def weights(self) -> Initializer:
        """Law of the weights."""
        return self.layer.weights

    @property
    def biases(self) -> Initializer:
        """Law of the biases."""
        return self.layer.biases

    @property
    def weight_variance(self) -> float:
        """Variance of one weight."""
        return self.weights.variance(*self.site.fans)

    @property
    def bias_variance(self) -> float:
        """Variance of one bias."""
        return self.biases.variance(*self.site.fans)

    @property
    def gain(self) -> float:
        """fan_in Var(W): the factor on the mean square of the signal."""
        return self.fan_in * self.weight_variance

    @property
    def activation_site(self) -> Site | None:
        """Of the activation after it, if there is one."""
        return self.after[0] if self.after else None

    @property
    def activation(self) -> Activation:
        """The activation after it: the identity where z goes on as it is."""
        layer = self.after[0].layer if self.after else None
        return layer if isinstance(layer, Activation) else get_activation("linear")


def steps_of(sites: Sequence[Site]) -> tuple[Step, ...]:
    """Return the steps of a network, depth first."""
    found: list[Step] = []
    _follow(sites, (), found)
    return tuple(found)


def _follow(sites: Sequence[Site], sources: tuple[Site, ...], found: list[Step]) -> tuple[Site, ...]:
    """Go along one path that some layers with weights feed; what they are at its end."""
    index = 0
    while index < len(sites):
        site, first = sites[index], index + 1
        index = first
        if site.parts:
            ends = [end for _, part in site.parts for end in _follow(part, sources, found)]
            sources = tuple({end.module: end for end in ends}.values())
        elif isinstance(site.layer, Dense):
            while index < len(sites) and isinstance(sites[index].layer, Activation):
                index += 1
            found.append(Step(site=site, layer=site.layer, sources=sources, after=tuple(sites[first:index])))
            sources = (site,)
    return sources


# ---- networks known by their modules ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One call of a module that calls no other."""

    name: str
    kind: str
    layer: int
    weights: bool = False
    biases: bool = False
    source: str | None = None

    @property
    def normalises(self) -> bool:
        """Whether it undoes the scale of what it is fed, by the name of its class."""
        return "norm" in self.kind.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleNetwork:
    """A network of another framework, whose architecture and laws varprop does not know.

    Examples
    --------
    >>> from varprop.model.sites import Module, ModuleNetwork
    >>> net = ModuleNetwork(label="mine", modules=(Module(name="fc", kind="Linear", layer=1, weights=True),))
    >>> net.places, net["fc"].kind
    (((1, 'fc'),), 'Linear')
    """

    label: str
    modules: tuple[Module, ...]
    uncalled: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = Counter(module.name for module in self.modules)
        if not names:
            msg = f"{self.label} has no modules; a network needs at least one"
            raise ValueError(msg)
        name, count = names.most_common(1)[0]
        if count > 1:
            msg = f"{self.label} has {count} modules called {quoted(name)}; number the calls, as in '{name}#2'"
            raise ValueError(msg)

    def __getitem__(self, name: str) -> Module:
        for module in self.modules:
            if module.name == name:
                return module
        raise KeyError(name)

    @property
    def places(self) -> tuple[tuple[int, str], ...]:
        """(layer, module) of every module, in the order of their calls."""
        return tuple((module.layer, module.name) for module in self.modules)
