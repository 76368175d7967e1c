"""Growth rates per layer, for the mean network and for the typical one.

The two differ at finite width and both are right: under ReLU and He at width 64 the mean over networks of a step is 1, so the
mean network keeps its signal, while the typical network's log signal falls by 0.04 a layer. A test of one rate against the
other's prediction refutes a true theory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.stats.influence import as_table, check_measured, log_means, standard_error, step_ratios
from varprop.stats.means import dropped_note, mean_outcome, pooled_step_mean, skewness_note
from varprop.stats.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthRate:
    """Both growth rates of one quantity, as differences from an expected rate.

    Parameters
    ----------
    mean_network : Outcome
        theta estimates log(E[q_K] / E[q_1]) / (K - 1) - expected: the rate at which the mean over networks grows.
    typical_network : Outcome
        theta estimates E[log(q_K / q_1)] / (K - 1) - expected, over the networks that are alive throughout.
    expected : float
        The log-rate per layer that both were tested against.
    """

    mean_network: Outcome
    typical_network: Outcome
    expected: float


def growth_rate(values: ArrayLike, *, expected: float = 0.0, product: bool = False) -> GrowthRate:
    r"""Estimate growth per layer, and test it against an expected rate.

    Parameters
    ----------
    values : array_like, shape (networks, layers)
        Measured values q, finite and >= 0, two layers or more, in the order in which the signal travels. A dead network
        has 0.
    expected : float
        Log-rate per layer under the null; 0 for "neither grows nor shrinks".
    product : bool
        True if the steps of one network are independent (a positively homogeneous activation and zero biases). The mean
        network's rate is then the mean of the layers' log mean steps, which stays reliable over many layers.

    Returns
    -------
    GrowthRate
        With n - 1 degrees of freedom. Notes tell how many dead networks the typical rate leaves out, and warn if the
        mean network's t interval is doubtful because few networks carry the mean.

    Raises
    ------
    ValueError
        If a value is NaN, negative or infinite, fewer than two networks stay alive, a layer is 0 in all networks,
        `expected` is not finite, or (product form) a network comes back to life.

    Examples
    --------
    >>> rate = growth_rate([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]])
    >>> rate.mean_network.theta, rate.typical_network.theta
    (0.548, 0.347)
    """
    table = _depth_table(values, expected)
    mean_network = _product_rate(table, expected) if product else _plain_rate(table, expected)
    logs, dropped = _living_logs(table)
    typical = mean_outcome(
        "growth_rate_typical",
        (logs[:, -1] - logs[:, 0]) / (table.shape[1] - 1),
        null=expected,
        note=dropped_note(dropped, len(table)),
    )
    return GrowthRate(mean_network=mean_network, typical_network=typical, expected=expected)


def ols_rate(values: ArrayLike, *, expected: float = 0.0) -> Outcome:
    """Regress log q on depth, with standard errors clustered by network: a cross-check of the typical network's rate.

    Parameters
    ----------
    values : array_like, shape (networks, layers)
        As in `growth_rate`.
    expected : float
        Log-rate per layer under the null.

    Returns
    -------
    Outcome
        theta is the slope minus `expected`, with one degree of freedom less than there are living networks.

    Raises
    ------
    ValueError
        If a value is NaN, negative or infinite, fewer than two networks stay alive, or `expected` is not finite.

    Notes
    -----
    Ordinary standard errors take the layers of a network for independent; they cover 45 % where they promise 95 %. The
    slope weights the layers differently from `growth_rate`, so the two agree in expectation only where growth is steady.

    Examples
    --------
    >>> ols_rate([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]]).theta
    0.347
    """
    table = _depth_table(values, expected)
    logs, dropped = _living_logs(table)
    n_networks, n_layers = logs.shape
    note = dropped_note(dropped, len(table))
    if (logs == logs[0]).all():
        slope = float(np.polynomial.Polynomial.fit(np.arange(n_layers), logs[0], 1).convert().coef[1])
        return Outcome.from_estimate(
            "growth_rate_ols", theta=slope - expected, se=0.0, df=n_networks - 1, n=n_networks, note=note
        )

    from statsmodels.regression.linear_model import OLS

    depth = np.tile(np.arange(n_layers, dtype=np.float64), n_networks)
    design = np.column_stack([np.ones_like(depth), depth])
    groups = np.repeat(np.arange(n_networks), n_layers)
    fit = OLS(logs.ravel(), design).fit(cov_type="cluster", cov_kwds={"groups": groups})
    variance = max(float(fit.cov_params()[1, 1]), 0.0)  # of equal slopes, rounding can leave it below 0
    return Outcome.from_estimate(
        "growth_rate_ols",
        theta=float(fit.params[1]) - expected,
        se=np.sqrt(variance),
        df=n_networks - 1,
        n=n_networks,
        note=note,
    )


def _depth_table(values: ArrayLike, expected: float) -> Float64Array:
    """Check values of two layers or more, and the rate they are tested against."""
    table = as_table(values)
    check_measured(table)
    if table.shape[1] < 2:
        msg = f"a growth rate needs two or more layers, got values of shape {table.shape}"
        raise ValueError(msg)
    if not np.isfinite(expected):
        msg = f"expected must be a finite log-rate per layer, got {expected}; write log(gain), not the gain itself"
        raise ValueError(msg)
    return table


def _living_logs(table: Float64Array) -> tuple[Float64Array, int]:
    """Logarithms of the networks that are alive in every layer, and the number of the others."""
    alive = (table > 0.0).all(axis=1)
    if alive.sum() < 2:
        msg = f"{int(alive.sum())} of {len(table)} networks stay alive, a typical rate needs two or more; test fewer layers"
        raise ValueError(msg)
    return np.log(table[alive]), int((~alive).sum())


def _plain_rate(table: Float64Array, expected: float) -> Outcome:
    """Mean network's rate from the means of the first and the last layer."""
    n_networks, n_layers = table.shape
    ends = table[:, [0, -1]]
    means = log_means(ends)
    note = "; ".join(dict.fromkeys(filter(None, (skewness_note(ends[:, 0]), skewness_note(ends[:, 1])))))
    return Outcome.from_estimate(
        "growth_rate_mean",
        theta=(means.estimate[1] - means.estimate[0]) / (n_layers - 1) - expected,
        se=float(standard_error(means.influence[:, 1] - means.influence[:, 0])) / (n_layers - 1),
        df=n_networks - 1,
        n=n_networks,
        note=note,
    )


def _product_rate(table: Float64Array, expected: float) -> Outcome:
    """Mean network's rate from the means of the steps."""
    pooled = pooled_step_mean(step_ratios(table))
    return Outcome.from_estimate(
        "growth_rate_mean", theta=pooled.theta - expected, se=pooled.se, df=pooled.df, n=pooled.n
    )
