r"""Means over depth, put together from steps whose conditional means are constants.

Over depth a mean square is close to log-normal, its mean over networks is carried by a few of them, and a t-test of it fails.
Where the mean of every step, given all that came before, is a constant, the logarithm of the whole mean follows from the
steps' means, each of which is easy; correlated steps are no harm, since each network's influences are added up.

A part gives, for each place, an estimate and how the columns of one table weigh in its error. Parts add up where the
quantities multiply.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from varprop._typing import Float64Array
from varprop.stats.floors import Floor, Refused, Strict, Units
from varprop.stats.influence import LogMeans, column_problem
from varprop.stats.outcome import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """Logarithms of means at several places.

    Parameters
    ----------
    estimate : ndarray, shape (places,)
        Corrected for the bias of order 1/n.
    weights : ndarray, shape (places, columns)
        Weight of each column's influence in each estimate.
    """

    estimate: Float64Array
    weights: Float64Array

    def __add__(self, other: Composite) -> Composite:
        return Composite(self.estimate + other.estimate, self.weights + other.weights)

    def take(self, places: Sequence[int]) -> Composite:
        """The same of some places."""
        index = list(places)
        return Composite(self.estimate[index], self.weights[index])

    def less(self, logs: Float64Array) -> Composite:
        """The same relative to predictions, given their logarithms."""
        return Composite(self.estimate - logs, self.weights)


def known(values: Sequence[float], columns: int) -> Composite:
    """Means that are known without any network.

    Parameters
    ----------
    values : sequence of float
        One per place, > 0.
    columns : int
        Of the table that other parts are about.

    Returns
    -------
    Composite
    """
    return Composite(np.log(np.asarray(values, dtype=np.float64)), np.zeros((len(values), columns)))


def running(means: LogMeans, columns: Sequence[int]) -> Composite:
    """Means of products of independent steps: sums of the logarithms so far.

    Parameters
    ----------
    means : LogMeans
        Of a joint table.
    columns : sequence of int
        Columns of the steps, in the order in which they multiply.

    Returns
    -------
    Composite
        One place per step.
    """
    index = np.array(columns, dtype=np.int64)
    weights = np.zeros((len(index), len(means.estimate)))
    for place in range(len(index)):
        weights[place, index[: place + 1]] = 1.0
    return Composite(np.cumsum(means.estimate[index]), weights)


def single(means: LogMeans, columns: Sequence[int]) -> Composite:
    """Means of single columns, one per place."""
    index = np.array(columns, dtype=np.int64)
    weights = np.zeros((len(index), len(means.estimate)))
    weights[np.arange(len(index)), index] = 1.0
    return Composite(means.estimate[index], weights)


def with_biases(
    means: LogMeans, columns: Sequence[int], *, start: float, gains: Sequence[float], biases: Sequence[float]
) -> Composite:
    r"""Means of conditional variances that weights multiply and biases add to.

    Parameters
    ----------
    means : LogMeans
        Of a joint table.
    columns : sequence of int
        Columns of :math:`r_l = M_l / v_l`, what layer l keeps of its conditional variance, for all layers but the last.
    start : float
        :math:`v_1`, the same in all networks.
    gains, biases : sequence of float
        fan_in Var(w) and Var(b) of the layers from the second on, as many as columns.

    Returns
    -------
    Composite
        Of :math:`v_1, v_2, \ldots`, one place more than there are columns; NaN from the first column on whose mean has no logarithm.

    Notes
    -----
    With :math:`E[r_l]` given the past a constant :math:`m_l`, the means follow :math:`E v_{l+1} = g_l m_l E v_l + s_l` exactly. The
    influence on log E v of what came before shrinks by :math:`w_l = g_l m_l E v_l / E v_{l+1}` in each layer, and so does its bias,
    but for the curvature of the logarithm, which takes away :math:`w_l (1 - w_l) / 2` times the variance so far.
    """
    covariance = means.covariance
    size = len(means.estimate)
    log_mean, weights = math.log(start), np.zeros(size)
    bias, variance, shared = 0.0, 0.0, np.zeros(size)  # the covariances of the sum so far with every column
    estimates, rows = [log_mean], [weights]
    for column, gain, added in zip(columns, gains, biases, strict=True):
        reaching = weights.copy()
        reaching[column] += 1.0
        if not np.isfinite(means.estimate[np.flatnonzero(reaching)]).all():
            estimates.append(math.nan)  # `Profile` says why
            rows.append(reaching)
            weights = reaching
            continue
        raw = math.log(means.moments.mean[column])
        log_kept = math.log(gain) + raw + log_mean
        log_next = float(np.logaddexp(log_kept, math.log(added))) if added > 0.0 else log_kept
        share = math.exp(log_kept - log_next)
        variance = max(0.0, variance + 2.0 * float(shared[column]) + float(covariance[column, column]))
        bias = share * (bias + float(means.estimate[column]) - raw) - share * (1.0 - share) * variance / 2.0
        log_mean, weights = log_next, share * reaching
        variance, shared = share * share * variance, share * (shared + covariance[column])
        estimates.append(log_mean + bias)
        rows.append(weights)
    return Composite(np.array(estimates), np.array(rows))


def error(covariance: Float64Array, weights: Float64Array) -> float:
    """Standard error of a weighted sum of estimates, of which those without a weight may lack a covariance."""
    used = np.flatnonzero(weights)
    variance = weights[used] @ covariance[np.ix_(used, used)] @ weights[used]
    return math.sqrt(max(float(variance), 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Estimates of log(mean / prediction) at several places, with all that a test of one or two of them takes.

    Parameters
    ----------
    means : LogMeans
        Of the joint table.
    part : Composite
        Relative to the predictions.
    width : int
        Units of the narrowest layer: what the tests' floors go by.
    strict : bool
        Whether the stricter floor holds, as for biases and for last steps of other quantities.
    refused : str
        Why no test is known to hold its level; empty if one is.
    """

    means: LogMeans
    part: Composite
    width: int
    strict: bool = False
    refused: str = ""
    covariance: Float64Array = field(init=False, repr=False)
    errors: Float64Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        covariance = self.means.covariance
        missing = ~np.isfinite(self.means.estimate)  # which no place that has a weight of them gets a test of
        covariance[missing] = covariance[:, missing] = 0.0
        weights = self.part.weights
        variances = np.einsum("ij,ij->i", weights @ covariance, weights)
        object.__setattr__(self, "covariance", covariance)
        object.__setattr__(self, "errors", np.sqrt(np.maximum(variances, 0.0)))  # of every place in one go

    def outcome(self, test: str, place: int) -> Outcome:
        """Test one place's mean."""
        estimate, se = float(self.part.estimate[place]), float(self.errors[place])
        return self._outcome(test, estimate, self.part.weights[place], se)

    def rate(self, test: str, first: int, last: int, *, steps: int, expected: float) -> Outcome:
        """Test the mean's growth per step between two places, less an expected log-rate."""
        estimate = float(self.part.estimate[last] - self.part.estimate[first]) / steps
        weights = (self.part.weights[last] - self.part.weights[first]) / steps
        return self._outcome(test, estimate - expected, weights, error(self.covariance, weights))

    def _outcome(self, test: str, theta: float, weights: Float64Array, se: float) -> Outcome:
        used = np.flatnonzero(weights)
        for column in used[~np.isfinite(self.means.estimate[used])]:
            raise ValueError(column_problem(self.means.moments, int(column)))
        at_risk = self.means.at_risk[used]
        fewest = int(at_risk.min()) if len(used) else self.means.moments.rows
        return Outcome.from_estimate(
            test,
            theta=theta,
            se=se,
            df=fewest - 1,
            n=self.means.moments.rows,
            floor=self._floor(len(used)),
            certain=not len(used),
        )

    def _floor(self, steps: int) -> Floor:
        if self.refused:
            return Refused(self.refused)
        return Strict(self.width) if self.strict else Units(self.width, max(1, steps))
