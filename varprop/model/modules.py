"""A network of which only the modules are known: what was called, in which order, and what it was fed by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from varprop._arguments import quoted


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
    >>> from varprop.model.modules import Module, ModuleNetwork
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
