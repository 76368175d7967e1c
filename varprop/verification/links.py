"""A simulation read as a chain of steps: each layer with weights, and the activation between it and the next."""

from __future__ import annotations

from dataclasses import dataclass

from varprop._typing import Float64Array
from varprop.model.activations import Activation, get_activation
from varprop.model.layers import Dense, UnsupportedError
from varprop.model.network import Network, Place, Site, read_sites
from varprop.model.quantities import QUANTITIES
from varprop.model.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Link:
    """One layer with weights and the activation after it: the identity, with no site, where z goes on as it is."""

    site: Site
    noun: Dense
    activation_site: Site | None
    activation: Activation

    @property
    def weight_variance(self) -> float:
        """Variance of one weight."""
        return self.noun.weights.variance(*self.site.fans)

    @property
    def bias_variance(self) -> float:
        """Variance of one bias."""
        return self.noun.biases.variance(*self.site.fans)


def links(network: Network) -> tuple[Link, ...]:
    """Return the chain of a network's layers."""
    found: list[Link] = []
    identity = get_activation("linear")
    for site in read_sites(network, "a chain of layers"):
        if isinstance(site.noun, Dense):
            found.append(Link(site, site.noun, None, identity))
        elif found and found[-1].activation_site is None:
            found[-1] = Link(found[-1].site, found[-1].noun, site, site.noun)
        else:
            msg = f"module {site.module} ({site.noun.label}) follows no layer with weights; steps cannot be told apart"
            raise UnsupportedError(msg)
    return tuple(found)


class Measured:
    """A simulation's values by quantity and place, always of shape (networks, inputs)."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def has(self, quantity: str) -> bool:
        """Tell whether the quantity was recorded."""
        return quantity in self._simulation.quantities

    def at(self, quantity: str, place: Place) -> Float64Array:
        """Values of one quantity at one place."""
        values = self._simulation.column(quantity, place)
        return values if values.ndim == 2 else values[:, None]

    def table(self, quantity: str) -> tuple[Float64Array, tuple[Place, ...]]:
        """All values of one quantity averaged over the inputs, (networks, places), in the order the signal travels.

        Gradients travel from the last layer to the first.
        """
        values = self._simulation.values(quantity)
        if values.ndim == 3:
            values = values.mean(axis=2)
        return values[:, ::-1] if _backward(quantity) else values, self.places(quantity)

    def places(self, quantity: str) -> tuple[Place, ...]:
        """Places of one quantity, in the order the signal travels."""
        places = self._simulation.places(quantity)
        return places[::-1] if _backward(quantity) else places

    def require_separate_inputs(self) -> None:
        """Refuse averages over several inputs: a step starts from each input's own value."""
        if len(self._simulation.inputs) > 1 and not self._simulation.per_input:
            msg = (
                f"a step test needs the {len(self._simulation.inputs)} inputs apart, but they were averaged; "
                "sample again with simulate(..., per_input=True)"
            )
            raise ValueError(msg)


def _backward(quantity: str) -> bool:
    """Tell whether a quantity travels from the last layer to the first."""
    return QUANTITIES[quantity].place == "gradient"
