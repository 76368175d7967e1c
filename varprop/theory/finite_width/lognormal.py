"""Log-normal laws with the mean and standard deviation that finite-width theory predicts: where no exact law is known."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array
from varprop.model.network import Network
from varprop.theory.finite_width.moments import SMALL, layer_moments
from varprop.theory.finite_width.predictions import finite_width_predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormalLaw:
    r"""Log-normal law of a mean square q over random networks, by the mean and standard deviation of q itself.

    Notes
    -----
    ln q is normal with

    .. math:: \mathrm{Var}(\ln q) = \ln(1 + r), \qquad E[\ln q] = \ln E[q] - \tfrac12 \ln(1 + r), \qquad
       r = \frac{\mathrm{Var}(q)}{E[q]^2},

    the only one whose exponential has this mean and variance. The moments of q are matched and not those of ln q, since
    these are what the theory predicts. Those of ln q follow from them for some law only: by Taylor's formula Var(ln q) is
    r and E[ln q] is ln E[q] - r / 2, whatever the law, up to terms of order 1/width^2, in which the two ways of matching
    differ.

    Examples
    --------
    >>> law = LogNormalLaw(mean=2.0, sd=2.0, rough=False)
    >>> law.cdf(np.log([2**0.5])).round(12).tolist()
    [0.5]
    """

    mean: float
    sd: float
    rough: bool

    def cdf(self, x: Float64Array) -> Float64Array:
        """P(ln q <= x)."""
        variance = math.log1p((self.sd / self.mean) ** 2)
        middle = math.log(self.mean) - variance / 2
        return np.asarray(special.ndtr((x - middle) / math.sqrt(variance)), dtype=np.float64)


def log_normal_laws(network: Network, quantity: str, *, inputs: ArrayLike | None = None) -> dict[int, LogNormalLaw]:
    """Approximate how a mean square is distributed over networks, by layer.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 4, activation="tanh", weights="xavier_normal")
    >>> laws = log_normal_laws(net, "preactivation_second_moment")
    >>> [round(law.sd / law.mean, 3) for law in laws.values()]
    [0.177, 0.203, 0.226]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is rough says so itself
        rows = [row for row in finite_width_predictions(network, inputs=inputs) if row.quantity == quantity]
        far = [one.layer for one in layer_moments(network, inputs=inputs) if not one.exact and one.correction > SMALL]
    # A signal is made by the layers below it, a gradient by all.
    first_far = min(far, default=math.inf) if "gradient" not in quantity or not far else 1
    return {
        row.layer: LogNormalLaw(
            mean=row.predicted,
            sd=row.predicted_sd,
            rough=row.layer >= first_far and not (row.exact and row.sd_exact),
        )
        for row in rows
        if row.predicted > 0 and row.predicted_sd > 0
    }
