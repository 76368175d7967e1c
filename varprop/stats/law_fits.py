"""Measurements against a law that is known exactly: how far their distribution is from it, and whether that is chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._limits import MAX_NETWORKS
from varprop._typing import Float64Array
from varprop.stats.equivalence import check_budget
from varprop.stats.floors import Floor
from varprop.stats.means import dropped_note, mean_outcome
from varprop.stats.outcome import Guarantee, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LawFit(Outcome):
    """The Kolmogorov distance between a sample and a law, and the tests that the sample follows the law.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    theta : float
        D = sup |F_n - F|, the estimate of the distance between the truth and the law, in [0, 1].
    se : float
        1 / (2 sqrt(n)), the most that the standard deviation of F_n is anywhere.
    df : float
        inf; no t law is involved.
    n : int
        Number of independent networks (in `weights_law`, of entries).
    statistic : float
        sqrt(n) D.
    pvalue : float
        Of the point null that the truth is the law, by the exact law of D (Kolmogorov, Smirnov).
    note : str
        What a reader should know.
    second_test : str
        A second test of the same null that is sensitive to other departures; empty if there is none.
    second_pvalue : float
        Its p-value.

    See Also
    --------
    pivot_law, exact_law : What makes one of networks.

    Notes
    -----
    By the Dvoretzky-Kiefer-Wolfowitz inequality [1]_ D is farther than eps from the distance between truth and law with
    probability at most 2 exp(-2 n eps^2), whatever both are: `p_above`, `p_below` and `bounds` invert this bound, so that
    a margin can be put on the distance. No such statement follows from `pvalue`, which is about the distance 0.

    References
    ----------
    .. [1] Massart (1990), Annals of Probability 18, 1269-1283, for the constant 2.

    Examples
    --------
    >>> fit = pivot_law([0.9, 1.2, 0.7, 1.1, 1.3], units=8)
    >>> fit.theta, fit.p_below(0.9)
    (0.308, 0.0602)
    """

    second_test: str = ""
    second_pvalue: float = 1.0

    def bounds(self, level: float) -> tuple[float, float]:
        """Bounds on the distance between truth and law, within [0, 1], that fail with at most this probability each."""
        half = self.radius(self.n, level)
        return max(0.0, self.theta - half), min(1.0, self.theta + half)

    def radius(self, networks: float, level: float) -> float:
        """Distance of a bound from the sample's, had that so many networks."""
        return math.sqrt(math.log(2.0 / level) / (2.0 * networks))

    def guarantee(self, _level: float) -> Guarantee:
        """Return "proved"."""
        return "proved"

    def _tail(self, excess: float) -> float:
        """Probability of a distance that is wrong by `excess`, which is no evidence if it is not positive."""
        if not math.isfinite(excess):
            msg = f"a threshold must be finite, got {excess} beyond theta = {self.theta}"
            raise ValueError(msg)
        return min(1.0, 2.0 * math.exp(-2.0 * self.n * excess**2)) if excess > 0.0 else 1.0

    def p_above(self, threshold: float) -> float:
        """Evidence that the distance is above a threshold.

        Parameters
        ----------
        threshold : float
            Finite; a distance is certain to be above a negative one.

        Returns
        -------
        float
            p-value of the null "distance <= threshold".
        """
        return 0.0 if threshold < 0.0 else self._tail(self.theta - threshold)

    def networks_to_decide(
        self, margin: float, *, alpha: float = 0.05, beta: float = 0.1, m: int = 1, layers: int = 1
    ) -> int | None:
        """Return the number of networks that would decide a claim about the distance.

        Parameters
        ----------
        margin : float
            The largest distance that counts as agreement.
        alpha : float
            Bound on the probability of any false verdict in the report, in (0, 0.5].
        beta : float
            Accepted probability of an inconclusive verdict.
        m : int
            Number of verdicts in the report.
        layers : int
            Number of layers that the claim is about.

        Returns
        -------
        int or None
            None if the distance sits on the margin, so that no feasible number (more than 10^9) decides.

        Raises
        ------
        ValueError
            If alpha or m is out of range.
        """
        check_budget(alpha, m)
        # What a sample of this size shows of a law that is exactly right, in most cases, is no distance of the truth's.
        chance = math.sqrt(math.log(2.0 * layers / beta) / 2.0)
        distance = max(0.0, self.theta - chance / math.sqrt(self.n))
        if distance < margin:
            needed = (chance + math.sqrt(math.log(2.0 * m / alpha) / 2.0)) / (margin - distance)
        elif distance > margin:
            needed = (chance + math.sqrt(math.log(2.0 * m * layers / alpha) / 2.0)) / (distance - margin)
        else:
            return None
        return max(2, math.ceil(needed**2)) if needed**2 <= MAX_NETWORKS else None


def law_fit(
    test: str, probabilities: ArrayLike, *, atom: float = 0.0, second_test: str = "", second_pvalue: float = 1.0
) -> LawFit:
    """Compare values with a law, given the law's distribution function at each of them.

    Parameters
    ----------
    test : str
        The name that the test has in tables.
    probabilities : array_like, shape (replicates,)
        F(x) for every value x, in [0, 1]: uniform if F is the law of x. At the atom's own value, `atom`.
    atom : float
        Probability of the smallest value, which F gives to a single point; 0 for a continuous law.
    second_test, second_pvalue : str and float
        As in `LawFit`.

    Returns
    -------
    LawFit
        With an atom the p-value is an upper bound, sharp as the atom goes to 0.

    Raises
    ------
    ValueError
        If there are fewer than two values, or one is outside [atom, 1].

    Examples
    --------
    >>> law_fit("pivot_law", [0.1, 0.35, 0.6, 0.85]).theta
    0.15
    """
    u = np.sort(np.asarray(probabilities, dtype=np.float64).ravel())
    if len(u) < 2 or not (u[0] >= atom and u[-1] <= 1.0):
        msg = (
            f"{test} needs two or more values of a distribution function, in [{atom}, 1], got {len(u)}"
            + (f" from {u[0]} to {u[-1]}" if len(u) else "")
            + "; leave out what was not measured"
        )
        raise ValueError(msg)
    n = len(u)
    steps = np.arange(n + 1) / n
    # Below the atom both functions are 0; at it the empirical one jumps to the share of the values that sit there.
    free = u > atom if atom > 0.0 else np.ones(n, dtype=bool)
    first = n - int(free.sum())
    below = u[first:] - steps[first:-1]
    above = steps[first + 1 :] - u[first:]
    at_atom = abs(first / n - atom)
    distance = float(max(below.max(initial=0.0), above.max(initial=0.0), at_atom))

    from scipy import stats

    return LawFit(
        test=test,
        theta=distance,
        se=0.5 / math.sqrt(n),
        df=math.inf,
        n=n,
        statistic=math.sqrt(n) * distance,
        pvalue=float(np.clip(stats.kstwo.sf(distance, n), 0.0, 1.0)),
        second_test=second_test,
        second_pvalue=second_pvalue,
    )


def pivot_law(pivots: ArrayLike, *, units: int) -> LawFit:
    r"""Test that a layer's pivots follow their chi-square law.

    Parameters
    ----------
    pivots : array_like, shape (networks,)
        :math:`\overline{z^2} / v`, mean of z^2 over its conditional variance, >= 0, of one input; NaN for a network whose
        signal died before this layer, which is dropped.
    units : int
        Width of the layer, >= 1.

    Returns
    -------
    LawFit
        Of units times pivot against chi2(units) by Kolmogorov and Smirnov's test. The second test takes the sum over
        networks, which is chi2(units times networks): it finds a wrong variance sooner.

    Raises
    ------
    ValueError
        If a pivot is negative or infinite, fewer than two networks are at risk, or the width is not positive.

    Notes
    -----
    The null is the sampler's: given the layer below, z is normal with independent units of variance v, whatever the
    activation, width and depth. It holds for Gaussian weights, with biases that are zero or Gaussian; with others the
    pivot has mean 1 but another law. The replicate is the network. Pivots are independent over layers too.

    Examples
    --------
    >>> fit = pivot_law([0.9, 1.2, 0.7, 1.1, 1.3], units=8)
    >>> fit.pvalue, fit.second_test, fit.second_pvalue
    (0.632, 'sum', 0.802)
    """
    values = _at_risk("pivot_law", pivots)
    if units < 1:
        msg = f"units must be the width of the layer, >= 1, got {units}"
        raise ValueError(msg)
    total = units * float(values.sum())
    df = units * len(values)
    second = min(1.0, 2.0 * min(float(special.chdtr(df, total)), float(special.chdtrc(df, total))))
    return law_fit("pivot_law", special.chdtr(units, units * values), second_test="sum", second_pvalue=second)


def exact_law(
    values: ArrayLike, cdf: Callable[[Float64Array], Float64Array], *, dead_probability: float = 0.0
) -> LawFit:
    r"""Test that a layer's mean square follows its law over random networks, dead ones included.

    Parameters
    ----------
    values : array_like, shape (networks,)
        Mean squares q of one input, finite and >= 0; a dead network has 0.
    cdf : callable
        Distribution function of log q given that q > 0, from an array to an array.
    dead_probability : float
        P(q = 0), in [0, 1).

    Returns
    -------
    LawFit
        Of q, whose law is an atom at 0 and a continuous part, by Kolmogorov and Smirnov's test on all networks; the
        second test is Cramér and von Mises's on the networks that are alive, of which log q is distributed as `cdf` says
        however many they are.

    Raises
    ------
    ValueError
        If a value is NaN, negative or infinite, fewer than two networks are alive, dead networks are there though their
        probability is 0, or the probability is out of range.

    Notes
    -----
    The null is the exact finite-width law; it exists for positively homogeneous activations, Gaussian (or Haar) weights
    and zero biases, and one input. The replicate is the network. For the test of an atom the tables of the continuous law
    are an upper bound: at P(dead) = .44 the level is .043 at a nominal .05.

    Examples
    --------
    >>> from scipy.special import chdtr
    >>> fit = exact_law([0.9, 1.2, 0.7, 1.1, 1.3], lambda x: chdtr(8, 8 * np.exp(x)))
    >>> fit.pvalue, fit.second_pvalue
    (0.632, 0.459)
    """
    measured = _mean_squares("exact_law", values)
    if not 0.0 <= dead_probability < 1.0:
        msg = f"dead_probability must lie in [0, 1), got {dead_probability}"
        raise ValueError(msg)
    alive = measured > 0.0
    dead = len(measured) - int(alive.sum())
    if dead and dead_probability == 0.0:
        msg = f"{dead} networks are dead, which the law says cannot be; was 0 recorded for what was not measured?"
        raise ValueError(msg)
    if len(measured) - dead < 2:
        msg = f"{len(measured) - dead} of {len(measured)} networks are alive, exact_law needs two or more"
        raise ValueError(msg)
    # Inverted numerically, the function may leave [0, 1] by its rounding.
    conditional = np.clip(np.asarray(cdf(np.log(measured[alive])), dtype=np.float64), 0.0, 1.0)
    if not np.isfinite(conditional).all():
        msg = "the law's distribution function is not finite at some measured value; it does not cover them"
        raise ValueError(msg)

    from scipy import stats

    mises = float(np.clip(stats.cramervonmises(conditional, stats.uniform.cdf).pvalue, 0.0, 1.0))
    u = np.full(len(measured), dead_probability)
    # The continuous part lies above the atom, be it by the last bit.
    floor = np.nextafter(dead_probability, 1.0) if dead_probability else 0.0
    u[alive] = np.maximum(dead_probability + (1.0 - dead_probability) * conditional, floor)
    return law_fit("exact_law", u, atom=dead_probability, second_test="Cramér-von Mises", second_pvalue=mises)


def log_mean(values: ArrayLike, *, expected: float, floor: Floor | None = None) -> Outcome:
    """Test the mean of the logarithm of a mean square: the typical network.

    Parameters
    ----------
    values : array_like, shape (networks,)
        Mean squares q of one input, finite and >= 0. Dead networks (0) are left out, since `expected` is about the
        others, and counted in the note.
    expected : float
        E[log q] of a living network under the null.
    floor : Floor, optional
        From how many networks on the t law is believed; always if None.

    Returns
    -------
    Outcome
        theta estimates E[log q] - expected by a t-test over living networks: the logarithm of the ratio of geometric
        means, to which a margin applies as to a ratio.

    Raises
    ------
    ValueError
        If a value is NaN, negative or infinite, fewer than two networks are alive, or `expected` is not finite.

    Notes
    -----
    The null holds for the law that `expected` comes from. Over depth log q is a sum of independent terms, so that its t
    interval is good where that of the mean of q fails.

    Examples
    --------
    >>> log_mean([1.0, 2.0, 4.0, 0.0], expected=0.0).theta
    0.693
    """
    if not math.isfinite(expected):
        msg = f"expected must be a finite E[log q], got {expected}"
        raise ValueError(msg)
    measured = _mean_squares("log_mean", values)
    alive = measured[measured > 0.0]
    if len(alive) < 2:
        msg = f"{len(alive)} of {len(measured)} networks are alive, log_mean needs two or more; sample more networks"
        raise ValueError(msg)
    note = dropped_note(len(measured) - len(alive), len(measured))
    return mean_outcome("log_mean", np.log(alive), null=expected, note=note, floor=floor)


def _at_risk(test: str, values: ArrayLike) -> Float64Array:
    """Ratios of the networks at risk."""
    column = np.asarray(values, dtype=np.float64)
    present = column[~np.isnan(column)]
    if column.ndim != 1 or len(present) < 2 or not (present.min() >= 0.0 and present.max() < np.inf):
        msg = (
            f"{test} takes finite values >= 0 of shape (networks,), two networks or more at risk; "
            f"got shape {column.shape} with {len(present)} at risk"
        )
        raise ValueError(msg)
    return present


def _mean_squares(test: str, values: ArrayLike) -> Float64Array:
    """Mean squares of all networks, dead ones as 0."""
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or not len(column) or not ((column >= 0.0) & (column < np.inf)).all():
        msg = (
            f"{test} takes finite values >= 0 of shape (networks,), dead networks as 0, got shape {column.shape} with "
            f"{int((~((column >= 0.0) & (column < np.inf))).sum())} out of range; leave out what was not measured"
        )
        raise ValueError(msg)
    return column
