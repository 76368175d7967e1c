"""How many networks are dead."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

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
