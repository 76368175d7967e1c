"""All layers jointly: how far the largest of many correlated estimates may be from 0 by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array
from varprop.numerics.moments import Moments
from varprop.stats.floors import Floor
from varprop.stats.influence import as_moments, log_means
from varprop.stats.means import step_mean_layers
from varprop.stats.outcome import Outcome

FEWEST_NETWORKS = 100
"""Below this the estimated correlations, and the normal law of the estimates, are too rough for a joint statement."""
FEWEST_UNITS = 8
"""In narrower layers the band fails far out: at width 2 to 4 at a thirtieth of 5 %."""
N_MULTIPLIERS = 20_000
_FEWEST_EXCEEDANCES = 20
"""A share of draws that fewer than these make up is replaced by Bonferroni's bound, sharp so far out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandLayer(Outcome):
    """One layer's estimate with the interval that holds for all layers at once.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    theta : float
        Estimate of log(truth / prediction).
    se : float
        Its standard error.
    df : float
        Degrees of freedom.
    n : int
        Networks at risk.
    statistic : float
        theta / se.
    pvalue : float
        Of theta = 0 in this layer alone.
    note : str
        What a reader should know.
    maxima : ndarray, shape (draws,)
        Largest absolute values of normal vectors with the layers' correlations, ascending.
    layers : int
        Number of layers in the band.

    See Also
    --------
    band : What makes them. `p_above` and `p_below` are this layer's own.
    """

    maxima: Float64Array = field(repr=False, compare=False)
    layers: int

    def radius(self, networks: float, level: float) -> float:
        """Half-width of the band that holds in all layers at once with probability 1 - 2 level, had the sample so many networks.

        Parameters
        ----------
        networks : int
            >= 2.
        level : float
            One-sided, in (0, 0.5].

        Returns
        -------
        float
        """
        beyond = 2.0 * level * len(self.maxima)
        if beyond < _FEWEST_EXCEEDANCES:
            tail = level / self.layers
        else:
            tail = float(special.ndtr(-self.maxima[len(self.maxima) - math.floor(beyond)]))
        return Outcome.radius(self, networks, tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Estimates of all layers with the law of the largest of their errors.

    Parameters
    ----------
    layers : tuple of BandLayer
        One per layer.
    pvalue : float
        Of the point null that theta is 0 in every layer.

    See Also
    --------
    band : What makes one.
    """

    layers: tuple[BandLayer, ...]
    pvalue: float

    def p_refute(self, delta: float) -> float:
        """Evidence that some layer's truth lies outside a margin.

        Parameters
        ----------
        delta : float
            Half-width of the margin on the scale of theta, > 0.

        Returns
        -------
        float
            p-value of the null "|theta| <= delta in every layer".

        Raises
        ------
        ValueError
            If delta is not finite and > 0.
        """
        if not 0.0 < delta < math.inf:
            msg = f"delta must be finite and > 0, got {delta}; for a margin of 5 % write log(1.05)"
            raise ValueError(msg)
        return max_p([_beyond(layer, delta) for layer in self.layers], self.layers[0].maxima)


def band(ratios: ArrayLike | Moments, *, rng: np.random.Generator, floors: Sequence[Floor] | None = None) -> Band:
    r"""Test the step ratios of all layers jointly.

    Parameters
    ----------
    ratios : array_like, shape (networks, layers), or Moments
        Measured over predicted, >= 0, one column per layer. NaN: this network is not at risk (its signal died in an earlier
        layer). A network that dies in this very layer has ratio 0 and counts. Or the joint moments of such a table.
    rng : Generator
        Of the multipliers; the same generator gives the same band.
    floors : sequence of Floor, optional
        As in `varprop.stats.means.step_mean_layers`.

    Returns
    -------
    Band
        Per layer the estimate of `step_mean`, with simultaneous intervals, and the p-value of "all means are 1".

    Raises
    ------
    ValueError
        If a ratio is negative or infinite, a layer is 0 throughout, or fewer than 100 networks are at risk in a layer.

    Notes
    -----
    The null is E[r_l] = 1 in every layer; the replicate is the network, and layers may be correlated in any way. With
    :math:`\psi_{il}` network i's standardised influence on layer l's estimate and :math:`g_i` independent standard normal
    multipliers, :math:`\max_l |n^{-1/2} \sum_i g_i \psi_{il}|` has, given the sample, the law that the largest of the
    layers' statistics approaches [1]_. The sum is a normal vector whose covariance is the influences' correlation matrix,
    so that 20,000 draws of the vector take the place of the multipliers. Statistics are compared after each is mapped from
    its t law to the normal one, which makes the band of one layer the t interval.

    References
    ----------
    .. [1] Chernozhukov, Chetverikov & Kato (2013), Annals of Statistics 41, 2786-2819.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = band(rng.gamma(8.0, 1 / 8, size=(200, 5)), rng=rng)
    >>> len(found.layers), found.pvalue > 0.01
    (5, True)
    """
    moments = as_moments(ratios, joint=True)
    outcomes = step_mean_layers(moments, floors=floors)
    fewest = min(outcome.n for outcome in outcomes)
    if fewest < FEWEST_NETWORKS:
        msg = (
            f"a band over layers needs {FEWEST_NETWORKS} networks at risk in every layer, got {fewest}; "
            "sample more networks, or test fewer layers"
        )
        raise ValueError(msg)
    maxima = _maxima(_correlation(log_means(moments).covariance), rng)
    return Band(
        layers=tuple(
            BandLayer(
                test="band",
                theta=o.theta,
                se=o.se,
                df=o.df,
                n=o.n,
                statistic=o.statistic,
                pvalue=o.pvalue,
                floor=o.floor,
                maxima=maxima,
                layers=len(outcomes),
            )
            for o in outcomes
        ),
        pvalue=max_p([outcome.pvalue for outcome in outcomes], maxima),
    )


def max_p(pvalues: list[float], maxima: Float64Array) -> float:
    """Return the p-value of the smallest of several two-sided p-values.

    Parameters
    ----------
    pvalues : list of float
        One per layer.
    maxima : ndarray, shape (draws,)
        Largest absolute values of normal vectors with the statistics' correlations, ascending.

    Returns
    -------
    float
        Share of the draws that are as far out, or Bonferroni's bound where that is fewer than 20 of them.
    """
    smallest = min(pvalues)
    exceeding = len(maxima) - int(np.searchsorted(maxima, -float(special.ndtri(smallest / 2.0))))
    if exceeding < _FEWEST_EXCEEDANCES:
        return min(1.0, len(pvalues) * smallest)
    return (exceeding + 1) / (len(maxima) + 1)


def _beyond(layer: Outcome, delta: float) -> float:
    """Two-sided p-value of an excess over the margin; 1 where there is none."""
    excess = abs(layer.theta) - delta
    return min(1.0, 2.0 * layer.p_above(layer.theta - excess)) if excess > 0.0 else 1.0


def _correlation(covariance: Float64Array) -> Float64Array:
    """Correlations; of a column without spread they are 0, and no draw is beyond anything in it."""
    sd = np.sqrt(np.diagonal(covariance))
    scale = np.where(sd > 0.0, sd, 1.0)
    return np.asarray(covariance / np.outer(scale, scale))


def _maxima(correlation: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Largest absolute entries of normal vectors, ascending."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))  # rounding can leave an eigenvalue below 0
    draws = np.einsum("ij,kj->ik", rng.standard_normal((N_MULTIPLIERS, len(correlation))), root)
    return np.sort(np.abs(draws).max(axis=1))
