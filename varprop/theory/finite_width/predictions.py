"""Finite-width theory as predictions with their standard deviation between networks; and the log-normal law of deep ones."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._arguments import checked
from varprop._typing import Float64Array
from varprop.model.network import Network
from varprop.model.quantities import QUANTITIES
from varprop.theory.finite_width.backward import gradient_moments
from varprop.theory.finite_width.chain import Chain, read_inputs, read_stages, through_lead
from varprop.theory.finite_width.moments import (
    SMALL,
    LayerMoments,
    layer_moments,
    moments_of_signals,
    warn_where_wide_of_the_mark,
)


@dataclass(frozen=True, slots=True)
class FiniteWidthPrediction:
    """What finite-width theory expects one recorded quantity to be at one place.

    Parameters
    ----------
    layer : int
        Weight layers up to and including the place.
    module : str
        Path of the module.
    quantity : str
        As recorded by `simulate`.
    predicted : float
        Expectation over networks; averaged over the inputs where there are several.
    predicted_sd : float
        Standard deviation between networks; NaN where the theory has none.
    exact : bool
        Whether ``predicted`` is known to be right at this width, and not only for wide layers.
    sd_exact : bool
        Whether ``predicted_sd`` is.
    """

    layer: int
    module: str
    quantity: str
    predicted: float
    predicted_sd: float
    exact: bool
    sd_exact: bool


@checked
def finite_width_predictions(network: Network, *, inputs: ArrayLike | int | None = None) -> list[FiniteWidthPrediction]:
    r"""Predict mean squares, forward and backward, and how much they differ between networks.

    Parameters
    ----------
    network : Network
        Independent symmetric weights and biases of any built-in law, and at most one activation after each weight
        layer.
    inputs : None, int or array_like, shape (input_size,) or (inputs, input_size)
        As for `simulate`. Of several, the expectation is that of the average over inputs, and there is no standard
        deviation, for which correlations between the inputs would be needed.

    Returns
    -------
    list of FiniteWidthPrediction
        ``preactivation_second_moment``, ``conditional_variance``, ``pivot``, ``activation_second_moment``,
        ``gradient_second_moment`` and ``weight_gradient_second_moment`` of every layer that has them.

    Raises
    ------
    ValueError
        If the inputs do not fit, are counted only where more is needed, or the signal is exactly 0.
    UnsupportedError
        If entries are not known to be independent and symmetric or have no fourth moment, an activation follows another, or biases that are
        not Gaussian meet an activation that is not positively homogeneous.
    TypeError
        If an argument is of another kind.

    Warns
    -----
    UserWarning
        If an expansion to order 1/width has terms above a tenth of mean-field theory, or an activation jumps: the
        gradients below it do not exist, and their rows are left out.

    Notes
    -----
    With positively homogeneous activations all forward moments are exact, and the backward ones for Gaussian weights;
    the backward means for any symmetric ones with a density (signs and sparse weights can cancel), the slope at 0 being
    what `simulate` takes. With other activations, forward moments are exact in the first layers and hold to order 1/width
    above; backward, means are those of mean-field theory, and standard deviations hold to leading order.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([64] * 3, activation="relu", weights="he_normal")
    >>> rows = finite_width_predictions(net)
    >>> [(r.layer, round(r.predicted, 4), round(r.predicted_sd, 4), r.exact) for r in rows[:2]]
    [(1, 2.0, 0.3536, True), (2, 2.0, 0.6688, True)]
    """
    chain = read_stages(network)
    _warn_of_jumps(chain)
    x = read_inputs(network, chain, inputs)
    signals = [through_lead(chain, one) for one in x]
    which, distinct = moments_of_signals(chain, [passed[-1] for passed in signals])
    for layers in distinct:
        warn_where_wide_of_the_mark(layers, stacklevel=3)
    random = [list(_random(layers)) for layers in distinct]
    each = [[*_given(chain, passed), *random[i]] for passed, i in zip(signals, which, strict=True)]
    several = inputs > 1 if isinstance(inputs, int | np.integer) else len(x) > 1
    rows = [_average(same) for same in zip(*each, strict=True)] if several else each[0]
    order = {name: i for i, name in enumerate(QUANTITIES)}
    return sorted(rows, key=lambda row: order[row.quantity])


def _warn_of_jumps(chain: Chain) -> None:
    """Say why gradients are missing, where they are."""
    jumping = dict.fromkeys(s.activation.label for s in chain.stages[:-1] if s.activation.jumps)
    if jumping:
        msg = (
            f"finite-width theory has no gradients below {', '.join(jumping)}, which jumps: phi' has no second moment; "
            "these rows are left out"
        )
        warnings.warn(msg, UserWarning, stacklevel=3)


def _given(chain: Chain, signals: list[Float64Array]) -> Iterator[FiniteWidthPrediction]:
    """Activations before the first weights, in which nothing is random."""
    for site, signal in zip(chain.lead, signals[1:], strict=True):
        square = float(np.mean(signal**2))
        yield FiniteWidthPrediction(site.number, site.module, "activation_second_moment", square, 0.0, True, True)


def _random(layers: tuple[LayerMoments, ...]) -> Iterator[FiniteWidthPrediction]:
    for layer in layers:
        stage, z = layer.stage, layer.preactivation
        here = partial(_row, *stage.place)
        exact, sd_exact = z.mean_exact, z.variance_exact
        yield here("preactivation_second_moment", z.mean, layer.variance, exact=exact, sd_exact=exact and sd_exact)
        yield here("conditional_variance", z.mean, z.variance, exact=exact, sd_exact=exact and sd_exact)
        # Given Q the mean is 1; the variance has Q in it only where z is not Gaussian.
        fixed = stage.gaussian or (exact and sd_exact and z.variance == 0)
        yield here("pivot", 1.0, (2 + z.fourth_cumulant / z.square) / stage.units, exact=True, sd_exact=fixed)
        if stage.activation_site is not None:
            a = layer.activation
            above = partial(_row, *stage.activation_site.place)
            yield above(
                "activation_second_moment",
                a.mean,
                a.variance,
                exact=a.mean_exact,
                sd_exact=a.mean_exact and a.variance_exact,
            )
    gradients = gradient_moments(layers)
    for layer, g in zip(layers[len(layers) - len(gradients) :], gradients, strict=True):
        here = partial(_row, *layer.stage.place)
        yield here("gradient_second_moment", g.mean, g.variance, exact=g.mean_exact, sd_exact=g.variance_exact)
        yield here(
            "weight_gradient_second_moment",
            g.weight_mean,
            g.weight_variance,
            exact=g.weight_mean_exact,
            sd_exact=g.weight_variance_exact,
        )


def _row(
    layer: int, module: str, quantity: str, mean: float, variance: float, *, exact: bool, sd_exact: bool
) -> FiniteWidthPrediction:
    # A variance of 0 may come out as -1e-17.
    return FiniteWidthPrediction(layer, module, quantity, mean, math.sqrt(max(variance, 0.0)), exact, sd_exact)


def _average(same: tuple[FiniteWidthPrediction, ...]) -> FiniteWidthPrediction:
    """One place and quantity over several inputs."""
    return replace(
        same[0],
        predicted=math.fsum(row.predicted for row in same) / len(same),
        predicted_sd=math.nan,
        exact=all(row.exact for row in same),
        sd_exact=False,
    )


# ---- log-normal networks ---------------------------------------------------------------------------------------------


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
