"""What is claimed of the defaults of frameworks: that layers begin with Xavier's or He's law, and that both are offered."""

from __future__ import annotations

from dataclasses import dataclass

from varprop.model.initializers import InitializerLike


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
