"""Shares of networks, exact; and how likely a larger sample decides what the one so far leaves open."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from varprop.stats.law_fits import LawFit
from varprop.stats.outcome import Guarantee, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion(Outcome):
    """A share of networks less the share that was expected, with the binomial law's own tails.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    theta : float
        Observed share less `expected`, to which a margin applies as it is.
    se : float
        Of the share, from (count + 1/2) / (n + 1) lest it be 0 where nothing was counted; for planning alone.
    df : float
        inf; no t law is involved.
    n : int
        Number of networks.
    statistic : float
        theta / se.
    pvalue : float
        Of the point null that the expected share is the true one: the exact binomial test.
    note : str
        What a reader should know.
    count : int
        Networks counted.
    expected : float
        Share under the null.

    See Also
    --------
    dead_rate : What makes one.

    Examples
    --------
    >>> rate = dead_rate(3, 100, expected=0.02)
    >>> rate.interval(0.95)
    (-0.0138, 0.0652)
    """

    count: int
    expected: float

    def bounds(self, level: float) -> tuple[float, float]:
        """Clopper and Pearson's bounds on the true share, less the expected one; each fails with at most this probability."""
        k, n = self.count, self.n
        low = float(special.betaincinv(k, n - k + 1, level)) if k else 0.0
        high = float(special.betainccinv(k + 1, n - k, level)) if k < n else 1.0
        return low - self.expected, high - self.expected

    def guarantee(self, _level: float) -> Guarantee:
        """Return "proved"."""
        return "proved"

    def p_above(self, threshold: float) -> float:
        """Evidence that the true share lies above `expected` + `threshold`.

        Parameters
        ----------
        threshold : float
            On the scale of theta, finite.

        Returns
        -------
        float
            P(X >= count) at that share; 0 if no share is so small, 1 if none is greater.
        """
        share = self._share(threshold)
        if share < 0.0 or share >= 1.0:
            return 0.0 if share < 0.0 else 1.0
        return float(special.bdtrc(self.count - 1, self.n, share)) if self.count else 1.0

    def p_below(self, threshold: float) -> float:
        """Evidence that the true share lies below `expected` + `threshold`.

        Parameters
        ----------
        threshold : float
            On the scale of theta, finite.

        Returns
        -------
        float
            P(X <= count) at that share; 0 if no share is so great, 1 if none is less.
        """
        share = self._share(threshold)
        if share > 1.0 or share <= 0.0:
            return 0.0 if share > 1.0 else 1.0
        return float(special.bdtr(self.count, self.n, share))

    def _share(self, threshold: float) -> float:
        if not math.isfinite(threshold):
            msg = f"a threshold must be finite, got {threshold}"
            raise ValueError(msg)
        return self.expected + threshold


def dead_rate(dead: int, networks: int, *, expected: float) -> Proportion:
    r"""Test the share of networks whose signal has died.

    Parameters
    ----------
    dead : int
        Networks with a mean square of exactly 0.
    networks : int
        All networks, two or more.
    expected : float
        Probability under the null, in [0, 1].

    Returns
    -------
    Proportion
        By the exact binomial test.

    Raises
    ------
    ValueError
        If the numbers are out of range.

    Notes
    -----
    The null comes from the signs of a layer's pre-activations, fair and independent coins given the layer below: a ReLU
    layer of n units is dead with probability 2^-n, a network of L layers with :math:`1 - \prod_l (1 - 2^{-n_l})`. It takes
    symmetric weights without atoms, zero biases, an activation that is zero on one side and on no other set, and one
    input. The replicate is the network.

    Examples
    --------
    >>> dead_rate(3, 100, expected=0.02).pvalue
    0.456
    """
    if networks < 2 or not 0 <= dead <= networks or not 0.0 <= expected <= 1.0:
        msg = (
            f"need two networks or more, as many dead as there are at most, and an expected share in [0, 1], "
            f"got {dead} of {networks} and {expected}"
        )
        raise ValueError(msg)

    from scipy import stats

    share = (dead + 0.5) / (networks + 1)
    se = math.sqrt(share * (1.0 - share) / networks)
    theta = dead / networks - expected
    return Proportion(
        test="dead_rate",
        theta=theta,
        se=se,
        df=math.inf,
        n=networks,
        statistic=theta / se,
        pvalue=min(1.0, float(stats.binomtest(dead, networks, expected).pvalue)),
        count=dead,
        expected=expected,
    )


_BY_CHANCE = math.sqrt(math.pi / 2.0) * math.log(2.0)
"""Mean of Kolmogorov's law: sqrt(n) times the distance that n values of the law itself have by chance."""
_PARTS = 1000


def chance_to_decide(
    outcome: Outcome, networks: float, *, level: float, low: float, high: float, layers: int = 1
) -> float:
    r"""Return the chance that a verdict falls once the sample has so many networks.

    Parameters
    ----------
    outcome : Outcome
        Estimate of theta as it stands; of a claim about all layers that of the layer that decides.
    networks : float
        Networks in all, those of the outcome among them; more than these, and counted as it counts them.
    level : float
        One-sided level of the verdict then, in (0, 0.5].
    low, high : float
        Between which theta lies if the claim is right: a margin's ends, or infinity and a bound.
    layers : int
        Number of layers that the claim is about: to refute it, one has to be shown outside at an equal part of the level.

    Returns
    -------
    float
        In [0, 1]. 0 where the values so far are all alike.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    What the data leave open of the truth is :math:`\theta \sim N(\hat\theta, \mathrm{sd}^2 / N)`, of which an estimate with N'
    networks has the law :math:`N(\hat\theta, \tau^2)`, :math:`\tau^2 = \mathrm{sd}^2 (1/N - 1/N')`. With r and r' the half-widths
    of the bounds at the level, and at its part for one layer, the chance is that of an estimate between low + r and high - r,
    below low - r' or above high + r'. The estimate is not taken for the truth: one that sits on the margin would then need
    infinitely many networks, and one beside it too few.

    Examples
    --------
    >>> pilot = Outcome.from_estimate("step_mean", theta=0.01, se=0.03, df=99, n=100)
    >>> [chance_to_decide(pilot, n, level=0.05, low=-0.05, high=0.05) for n in (400, 1600)]
    [0.641, 0.821]
    """
    if not (networks > outcome.n and 0.0 < level <= 0.5 and low < high and layers >= 1):
        msg = (
            f"need more networks than the outcome has ({outcome.n}), a level in (0, 0.5], low < high and a layer, "
            f"got {networks}, level={level}, low={low}, high={high} and layers={layers}"
        )
        raise ValueError(msg)
    inside = outcome.radius(networks, level)
    outside = inside if layers == 1 else outcome.radius(networks, level / layers)
    if not math.isfinite(outside):
        return 0.0
    spread = math.sqrt(outcome.unit_variance * (1.0 / outcome.n - 1.0 / networks))

    def below(end: float) -> float:
        """Chance of an estimate below a value."""
        if spread == 0.0:
            return float(outcome.theta < end)
        return float(special.ndtr((end - outcome.theta) / spread))

    supported = max(0.0, below(high - inside) - below(low + inside))
    return min(1.0, supported + below(low - outside) + 1.0 - below(high + outside))


def chance_of_distance(fit: LawFit, networks: float, *, level: float, margin: float, layers: int = 1) -> float:
    """Return the chance that a claim about the distance of laws is decided once the sample has so many networks.

    Parameters
    ----------
    fit : LawFit
        Of the layer that decides.
    networks : float
        Networks in all, more than the fit has.
    level : float
        One-sided level of the verdict then, in (0, 0.5].
    margin : float
        The largest distance that counts as agreement.
    layers : int
        Number of layers that the claim is about.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    A sample of the law itself has a distance of .87 / sqrt(n) from it on average, which is taken off the one measured and put
    on the one to come. The rest is as in `chance_to_decide`, with the most that the standard deviation can be.

    Examples
    --------
    >>> from varprop.stats.law_fits import law_fit
    >>> fit = law_fit("pivot_law", [0.05 + 0.1 * i for i in range(10)])
    >>> [chance_of_distance(fit, n, level=0.05, margin=0.1) for n in (100, 1000, 10_000)]
    [0.367, 0.806, 0.942]
    """
    truth = max(0.0, fit.theta - _BY_CHANCE / math.sqrt(fit.n))
    to_come = replace(fit, theta=truth + _BY_CHANCE / math.sqrt(networks))
    return chance_to_decide(to_come, networks, level=level, low=-math.inf, high=margin, layers=layers)


def chance_of_share(found: Proportion, networks: float, *, level: float) -> float:
    """Return the chance that a claim about a share of all networks is decided once the sample has so many.

    Parameters
    ----------
    found : Proportion
        Networks in which it holds, held against the claimed share.
    networks : float
        Networks in all, more than were found.
    level : float
        One-sided level of the verdict then, in (0, 0.5].

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    With f exceptions among N networks the probability of one is taken to be a Beta variable of f + 1/2 and N - f + 1/2, which
    makes the number of further exceptions beta-binomial. A verdict falls where all of them together are few enough, or many
    enough, for a binomial test of the claimed share.

    Examples
    --------
    >>> from varprop.stats.identity import holding_share
    >>> [chance_of_share(holding_share(200, 200, share=0.99), n, level=0.05) for n in (299, 400, 1600)]
    [0.818, 0.708, 0.906]
    """
    total = round(networks)
    if not (total > found.n and 0.0 < level <= 0.5):
        msg = f"need more networks than there are ({found.n}) and a level in (0, 0.5], got {networks} and {level}"
        raise ValueError(msg)
    exceptions, allowed = found.n - found.count, 1.0 - found.expected
    # So many exceptions at most support the claim, and so many at least are too many for it.
    most = bisect_left(range(total), True, key=lambda k: bool(special.bdtr(k, total, allowed) > level)) - 1
    least = (
        bisect_left(range(1, total + 1), True, key=lambda k: bool(special.bdtrc(k - 1, total, allowed) <= level)) + 1
    )
    # Of what is left open the middles of so many equally likely parts, where SciPy's beta-binomial law adds up all counts.
    middles = (np.arange(_PARTS) + 0.5) / _PARTS
    rates = special.betaincinv(exceptions + 0.5, found.count + 0.5, middles)
    more = total - found.n
    few, many = most - exceptions, least - 1 - exceptions
    supported = special.bdtr(min(few, more), more, rates) if few >= 0 else np.zeros(_PARTS)
    refuted = special.bdtrc(many, more, rates) if many >= 0 else np.ones(_PARTS)
    return float(min(1.0, (supported + np.where(many < more, refuted, 0.0)).mean()))
