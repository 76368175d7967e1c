"""The theories, each as what it says an activation does to a second moment, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.names import hint

MomentRule = Callable[[Activation, Float64Array], Float64Array]
"""From an activation and second moments q of z ~ N(0, q) to a moment of phi(z) or phi'(z), elementwise in q."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theory:
    """What a theory of initialisation says about one activation; the rest of it, weights and fans, is common.

    Parameters
    ----------
    name : str
        As in ``theory=``.
    statement : str
        One sentence for lists.
    forward : callable
        q to what the next layer's weights multiply: E[phi^2], or Var(phi) in the article's wording.
    backward : callable or None
        q to the factor E[phi'^2] on squared gradients; None where the theory is about the forward pass alone. At q = 0 it
        is phi'(0)^2, as the engine takes phi'(0), unless the theory puts another function in the place of phi.
    carries : {"second_moment", "variance"}
        Which of the activation's two moments ``forward`` means.
    mean : callable or None
        q to E[phi].
    variance : callable or None
        q to Var(phi).
    constant : bool
        True for the statement that every layer keeps the value of the first, whatever the weights do.
    finite : bool
        True if what the rules say of one step is put together over depth by the laws of finite networks, and not as
        if the value before the step were the same in all of them.
    """

    name: str
    statement: str
    forward: MomentRule
    backward: MomentRule | None
    carries: Literal["second_moment", "variance"] = "second_moment"
    mean: MomentRule | None = None
    variance: MomentRule | None = None
    constant: bool = False
    finite: bool = False

    @checked
    def speaks_of(self, quantity: str) -> bool:
        """Tell whether the theory predicts a quantity anywhere.

        Raises
        ------
        TypeError
            If an argument is of another kind.
        """
        if self.finite:
            said_of = {"conditional_variance", "pivot"}
            return quantity in said_of or (
                quantity.endswith("second_moment") and quantity != "derivative_second_moment"
            )
        backward = self.backward is not None
        said = {
            "activation_mean": self.mean is not None,
            "activation_variance": self.carries == "variance" or self.variance is not None,
            "activation_second_moment": self.carries == "second_moment",
            "derivative_second_moment": backward and not self.constant,
            "saturated_fraction": False,
            "dead_fraction": False,
            "cosine": self.name == "mean-field",
            "weight_gradient_second_moment": backward and not self.constant,
        }
        return said.get(quantity, backward or not quantity.startswith("gradient"))


def _same(_: Activation, q: Float64Array) -> Float64Array:
    return q


def _half(_: Activation, q: Float64Array) -> Float64Array:
    return q / 2


def _one(_: Activation, q: Float64Array) -> Float64Array:
    return np.ones_like(q)


def _one_half(phi: Activation, q: Float64Array) -> Float64Array:
    return _at_zero(phi, q, np.full_like(q, 0.5))


def own_slope(phi: Activation, q: Float64Array) -> Float64Array:
    """E[phi'^2] of the activation itself."""
    return _at_zero(phi, q, phi.derivative_second_moment(q))


def _at_zero(phi: Activation, q: Float64Array, factor: Float64Array) -> Float64Array:
    """The factor, but phi'(0)^2 where z is 0 whatever the weights: there no coin is thrown for the side of the kink."""
    dead = q == 0
    return np.where(dead, phi.slope(np.zeros(1))[0] ** 2, factor) if dead.any() else factor


def _zero(_: Activation, q: Float64Array) -> Float64Array:
    return np.zeros_like(q)


_ALL = (
    Theory(
        name="xavier",
        statement="the linear regime of Glorot & Bengio 2010: phi(z) = z, so each layer multiplies by fan_in Var(W)",
        forward=_same,
        backward=_one,
        mean=_zero,
        variance=_same,
    ),
    Theory(
        name="he",
        statement="rectifiers after He et al. 2015: E[phi(z)^2] = E[z^2]/2 and E[phi'(z)^2] = 1/2",
        forward=_half,
        backward=_one_half,
    ),
    Theory(
        name="xavier-variance",
        statement="the textbook wording of Xavier, with Var(a) = Var(z) where E[a^2] belongs",
        forward=_same,
        backward=None,
        carries="variance",
    ),
    Theory(
        name="he-variance",
        statement="the textbook wording of He, with Var(a) = Var(z)/2 where E[a^2] = E[z^2]/2 belongs",
        forward=_half,
        backward=None,
        carries="variance",
    ),
    Theory(
        name="preserved",
        statement="every layer keeps the value of layer 1, every gradient that of the last layer",
        forward=Activation.second_moment,
        backward=_one,
        variance=Activation.variance,
        constant=True,
    ),
    Theory(
        name="mean-field",
        statement="infinitely wide layers: z ~ N(0, q), the length map and the gradient map of the activation itself",
        forward=Activation.second_moment,
        backward=own_slope,
        mean=Activation.mean,
        variance=Activation.variance,
    ),
    Theory(
        name="finite-width",
        statement="layers of the width they have: exact laws for rectifiers, terms of order 1/width for the others",
        forward=Activation.second_moment,
        backward=own_slope,
        finite=True,
    ),
)
THEORIES: dict[str, Theory] = {theory.name: theory for theory in _ALL}


def theory_names() -> tuple[str, ...]:
    """Names that ``theory=`` takes."""
    return tuple(THEORIES)


@checked
def get_theory(name: str) -> Theory:
    """Look a theory up by name.

    Raises
    ------
    ValueError
        If there is none; the message has the nearest right name.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> get_theory("he").statement
    "rectifiers after He et al. 2015: E[phi(z)^2] = E[z^2]/2 and E[phi'(z)^2] = 1/2"
    """
    if name not in THEORIES:
        msg = f"unknown theory {quoted(name)}{hint(name, THEORIES)}"
        raise ValueError(msg)
    return THEORIES[name]


def weight_variance(name: str, fan_in: int, fan_out: int) -> float:
    """Variance of one weight that a textbook initialisation prescribes.

    References
    ----------
    .. [1] Glorot & Bengio (2010), AISTATS (PMLR 9): the normalised initialisation.
    .. [2] He, Zhang, Ren & Sun (2015), ICCV: section 2.2.

    Examples
    --------
    >>> weight_variance("xavier", 100, 300), weight_variance("he", 100, 300)
    (0.005, 0.02)
    """
    if name == "xavier":
        return 2 / (fan_in + fan_out)
    if name == "he":
        return 2 / fan_in
    msg = f"theory {quoted(name)} prescribes no variance of the weights; use 'xavier' or 'he'"
    raise ValueError(msg)
