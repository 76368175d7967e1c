"""Draws of an initialiser against the law that it states."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop.stats.means import mean_outcome
from varprop.stats.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsLaw:
    """The first two moments of draws against the law that they should follow.

    Parameters
    ----------
    mean : Outcome
        theta estimates (E[w] - mean) / sigma, sigma the law's standard deviation.
    variance : Outcome
        theta estimates log(E[(w - mean)^2] / sigma^2).
    """

    mean: Outcome
    variance: Outcome


def weights_law(draws: ArrayLike, *, mean: float = 0.0, variance: float, kurtosis: float) -> WeightsLaw:
    """Test the mean and the variance of independent draws against their law.

    Parameters
    ----------
    draws : array_like
        Any shape: the unit of replication is the entry, not the network.
    mean : float
        The law's mean.
    variance : float
        The law's variance, > 0.
    kurtosis : float
        The law's E[(w - mean)^4] / variance^2, > 1 (normal 3, uniform 1.8).

    Returns
    -------
    WeightsLaw
        The mean by a t-test with the draws' own standard deviation, so that a wrong variance does not fail it; the variance
        by a normal test with the law's own standard error.

    Raises
    ------
    ValueError
        If there are fewer than two draws, one is not finite, all equal the mean, or a parameter is out of range.

    Notes
    -----
    Entries must be independent: the draws of orthogonal matrices are not, and their squares sum to a constant.

    (w - mean)^2 has variance (kurtosis - 1) sigma^4, so the logarithm of its average over n entries has standard error
    sqrt((kurtosis - 1) / n). The law's kurtosis, not the sample's: the null fixes it, and the sample's is least reliable for
    the heavy tails where it matters.

    Examples
    --------
    >>> law = weights_law([0.5, -0.5, 1.0, -1.0], variance=1.0, kurtosis=3.0)
    >>> law.mean.theta, law.variance.theta, law.variance.se
    (0.0, -0.47, 0.707)
    """
    entries = np.asarray(draws, dtype=np.float64).ravel()
    if len(entries) < 2 or not np.isfinite(entries).all():
        msg = f"draws must be two or more finite numbers, got {len(entries)}, {int((~np.isfinite(entries)).sum())} not finite"
        raise ValueError(msg)
    if not math.isfinite(mean) or not 0.0 < variance < math.inf or not 1.0 < kurtosis < math.inf:
        msg = (
            f"a law needs a finite mean, a variance > 0 and a kurtosis > 1, got {mean}, {variance} and {kurtosis}; "
            "a constant or two-valued law is compared draw by draw, not by a test"
        )
        raise ValueError(msg)
    squares = (entries - mean) ** 2
    if not squares.any():
        msg = f"all {len(entries)} draws equal the law's mean {mean}: they are constant, which no law of variance {variance} is"
        raise ValueError(msg)
    spread = Outcome.from_estimate(
        "weights_law_variance",
        theta=math.log(squares.mean() / variance),
        se=math.sqrt((kurtosis - 1.0) / len(entries)),
        df=math.inf,
        n=len(entries),
    )
    return WeightsLaw(
        mean=mean_outcome("weights_law_mean", (entries - mean) / math.sqrt(variance)),
        variance=spread,
    )
