"""Draws of an initialiser against the law that it states: mean, variance, distribution, atoms, and independence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array
from varprop.stats.law_fits import LawFit, law_fit
from varprop.stats.means import mean_outcome
from varprop.stats.outcome import Outcome

_ROUNDING = 1e-6
"""An entry beyond a law's bounds by less than this share of itself was rounded there: single precision has seven digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsLaw:
    """Single draws against the law that they should follow.

    Parameters
    ----------
    mean : Outcome
        theta estimates (E[w] - mean) / sigma, sigma the law's standard deviation.
    variance : Outcome
        theta estimates log(E[(w - mean)^2] / sigma^2).
    distribution : LawFit, optional
        Kolmogorov distance from the law; None if no distribution function was given. Its second test is of the smallest
        and the largest draw, which finds what lies outside the law's bounds, and a cut where there is none.
    within_bounds : bool
        False if a draw lies where the law never does.

    See Also
    --------
    varprop.stats.weights.independence : Dependence between the entries of a matrix.
    """

    mean: Outcome
    variance: Outcome
    distribution: LawFit | None = None
    within_bounds: bool = True


def weights_law(
    draws: ArrayLike,
    *,
    mean: float = 0.0,
    variance: float,
    kurtosis: float,
    cdf: Callable[[Float64Array], Float64Array] | None = None,
) -> WeightsLaw:
    """Test independent draws against their law: mean, variance, distribution and bounds.

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
    cdf : callable, optional
        The law's distribution function, continuous, from an array to an array.

    Returns
    -------
    WeightsLaw
        The mean by a t-test with the draws' own standard deviation, so that a wrong variance does not fail it; the variance
        by a normal test with the law's own standard error; the distribution by Kolmogorov and Smirnov's test.

    Raises
    ------
    ValueError
        If there are fewer than two draws, one is not finite, all equal the mean, a parameter is out of range, or the
        distribution function leaves [0, 1].

    Notes
    -----
    Entries must be independent: the draws of orthogonal matrices are not, and their squares sum to a constant.

    (w - mean)^2 has variance (kurtosis - 1) sigma^4, so the logarithm of its average over n entries has standard error
    sqrt((kurtosis - 1) / n). The law's kurtosis, not the sample's: the null fixes it, and the sample's is least reliable for
    the heavy tails where it matters.

    The largest of n draws has F(w)^n uniform, and the smallest likewise.

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
    extremes = np.array([entries.min(), entries.max()])
    # Seen from inside by a rounding error, so that a draw on the bound is not outside.
    inside = None if cdf is None else cdf(mean + (extremes - mean) * (1.0 - _ROUNDING))
    return WeightsLaw(
        mean=mean_outcome("weights_law_mean", (entries - mean) / math.sqrt(variance)),
        variance=spread,
        distribution=None if cdf is None else _distribution(entries, cdf),
        within_bounds=inside is None or bool(inside[0] > 0.0 and inside[1] < 1.0),
    )


def matching_variances(draws: ArrayLike, candidates: Mapping[str, float], *, kurtosis: float) -> tuple[str, ...]:
    """Name the variances that draws of mean 0 are compatible with: which fan a law was scaled by, for example.

    Parameters
    ----------
    draws : array_like
        Any shape, independent entries.
    candidates : mapping of str to float
        Variances > 0 by what they would mean.
    kurtosis : float
        The law's E[w^4] / E[w^2]^2, > 1.

    Returns
    -------
    tuple of str
        Those within five standard errors of the draws' mean square, in the order given.

    Raises
    ------
    ValueError
        As `weights_law`.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(0.0, 0.1, size=10_000)
    >>> matching_variances(draws, {"fan_in": 0.02, "fan_out": 0.01}, kurtosis=3.0)
    ('fan_out',)
    """
    found = {name: weights_law(draws, variance=v, kurtosis=kurtosis).variance for name, v in candidates.items()}
    return tuple(name for name, outcome in found.items() if abs(outcome.theta) <= 5.0 * outcome.se)


def _distribution(entries: Float64Array, cdf: Callable[[Float64Array], Float64Array]) -> LawFit:
    """All draws against a distribution function, and the two at the ends."""
    u = np.asarray(cdf(entries), dtype=np.float64)
    if not ((u >= 0.0) & (u <= 1.0)).all():
        msg = "the law's distribution function must lie in [0, 1] at every draw"
        raise ValueError(msg)
    n = len(u)
    # P(all n below the largest) and P(all n above the smallest), uniform each; both sides of both.
    ends = [math.exp(n * math.log(end)) if end > 0.0 else 0.0 for end in (float(u.max()), 1.0 - float(u.min()))]
    tail = min(min(end, 1.0 - end) for end in ends)
    return law_fit("weights_law_distribution", u, second_test="extremes", second_pvalue=min(1.0, 4.0 * tail))


# ---- atoms -----------------------------------------------------------------------------------------------------------


def stepped_law(draws: ArrayLike, cdf: Callable[[Float64Array], Float64Array], *, test: str) -> LawFit:
    """Compare independent draws with a law that may have atoms anywhere.

    Parameters
    ----------
    draws : array_like
        Finite, two or more. A draw that rounding moved off an atom is off it.
    cdf : callable
        P(w <= x), from an array to an array.
    test : str
        The name that the test has in tables.

    Returns
    -------
    LawFit
        Its p-value is that of a continuous law, which is an upper bound; the bound of Dvoretzky, Kiefer and Wolfowitz
        on the distance holds for every law.

    Raises
    ------
    ValueError
        If there are fewer than two draws, or one is not finite.

    Examples
    --------
    >>> signs = stepped_law([-1.0, 1.0, 1.0, -1.0], lambda x: ((x >= -1) + 1.0 * (x >= 1)) / 2, test="weights_law")
    >>> signs.theta
    0.0
    """
    x = np.asarray(draws, dtype=np.float64).ravel()
    if len(x) < 2 or not np.isfinite(x).all():
        msg = f"{test} needs two or more finite draws, got {len(x)}"
        raise ValueError(msg)
    values, counts = np.unique(x, return_counts=True)
    reached = np.cumsum(counts) / len(x)
    # At an atom both functions jump: they are compared on either side of it.
    at = np.abs(cdf(values) - reached)
    before = np.abs(cdf(np.nextafter(values, -np.inf)) - (reached - counts / len(x)))
    distance = float(max(at.max(), before.max()))

    from scipy import stats

    return LawFit(
        test=test,
        theta=distance,
        se=0.5 / math.sqrt(len(x)),
        df=math.inf,
        n=len(x),
        statistic=math.sqrt(len(x)) * distance,
        pvalue=float(np.clip(stats.kstwo.sf(distance, len(x)), 0.0, 1.0)),
    )


# ---- independence ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Independence:
    """Six looks for dependence between the entries of matrices.

    Parameters
    ----------
    rows, columns : Outcome
        theta estimates by what share the variance of a row's (column's) sum exceeds that of independent entries.
    row_squares, column_squares : Outcome
        The same of the squared entries: below 0 where a row's norm varies too little, as in orthogonal matrices.
    serial, serial_squares : Outcome
        theta estimates the correlation of an entry (its square) with the one drawn before it.

    See Also
    --------
    independence : What makes one.
    """

    rows: Outcome
    columns: Outcome
    row_squares: Outcome
    column_squares: Outcome
    serial: Outcome
    serial_squares: Outcome

    @property
    def looks(self) -> dict[str, Outcome]:
        """The six outcomes by what they look at.

        Returns
        -------
        dict of str to Outcome
        """
        return {
            "rows": self.rows,
            "columns": self.columns,
            "squares in rows": self.row_squares,
            "squares in columns": self.column_squares,
            "neighbours": self.serial,
            "neighbours' squares": self.serial_squares,
        }

    @property
    def pvalue(self) -> float:
        """Of the point null that all entries are independent: six times the smallest p-value, at most 1.

        Returns
        -------
        float
        """
        return min(1.0, 6.0 * min(outcome.pvalue for outcome in self.looks.values()))


def independence(matrices: ArrayLike, *, mean: float = 0.0, variance: float, kurtosis: float) -> Independence:
    r"""Test that the entries of weight matrices are independent, given the law of each.

    Parameters
    ----------
    matrices : array_like, shape (draws, fan_out, fan_in) or (fan_out, fan_in)
        Independent draws of a matrix with two rows and two columns or more.
    mean, variance, kurtosis : float
        Of one entry under its law: E[w], Var(w) > 0 and E[(w - E w)^4] / Var(w)^2 > 1.

    Returns
    -------
    Independence

    Raises
    ------
    ValueError
        If the shape is another, an entry is not finite, or the moments are out of range.

    Notes
    -----
    Let x be the standardised entries, or their standardised squares. Under independence the products of different entries
    are uncorrelated with mean 0 and variance 1, whatever the law. A row of c entries has (sum x)^2 - sum x^2 = the sum of
    its c (c - 1) products, of variance 2 c (c - 1); over c it is the excess of the sum's variance, c - 1 times the mean
    correlation within rows. Sums over R rows are referred to the normal law, good from some hundred rows on. Squared entries
    with heavy tails take more.

    The null is joint with that of the law: entries of another variance shift the squares. A wrong law is for `weights_law`.
    Dependence that shows in no product of two entries or two squares goes unseen.

    Examples
    --------
    >>> draws = np.random.default_rng(1).standard_normal((4, 50, 40))
    >>> independence(draws, variance=1.0, kurtosis=3.0).pvalue > 0.001
    True
    >>> copied = np.repeat(draws, 2, axis=1)
    >>> independence(copied, variance=1.0, kurtosis=3.0).columns.theta
    0.926
    """
    w = np.asarray(matrices, dtype=np.float64)
    w = w[None] if w.ndim == 2 else w
    if w.ndim != 3 or min(w.shape[1:]) < 2 or not len(w) or not np.isfinite(w).all():
        msg = (
            f"independence takes finite matrices of shape (draws, fan_out, fan_in), 2 by 2 or more, got shape {w.shape}; "
            "entries of one row or one column alone are tested by their law"
        )
        raise ValueError(msg)
    if not math.isfinite(mean) or not 0.0 < variance < math.inf or not 1.0 < kurtosis < math.inf:
        msg = f"a law needs a finite mean, a variance > 0 and a kurtosis > 1, got {mean}, {variance} and {kurtosis}"
        raise ValueError(msg)
    x = (w - mean) / math.sqrt(variance)
    y = (x**2 - 1.0) / math.sqrt(kurtosis - 1.0)
    return Independence(
        rows=_within(x, axis=2, test="rows"),
        columns=_within(x, axis=1, test="columns"),
        row_squares=_within(y, axis=2, test="row_squares"),
        column_squares=_within(y, axis=1, test="column_squares"),
        serial=_serial(x, "serial"),
        serial_squares=_serial(y, "serial_squares"),
    )


def _within(x: Float64Array, *, axis: int, test: str) -> Outcome:
    """Excess variance of the sums along an axis."""
    size = x.shape[axis]
    sums = x.sum(axis=axis)
    lines = sums.size
    excess = (float(np.sum(sums**2)) - float(np.sum(x**2))) / (size * lines)
    se = math.sqrt(2.0 * (size - 1) / (size * lines))
    return Outcome.from_estimate(f"weights_law_{test}", theta=excess, se=se, df=math.inf, n=max(2, lines))


def _serial(x: Float64Array, test: str) -> Outcome:
    """Correlation of neighbours in the order in which entries are drawn: along the last axis first."""
    flat = x.ravel()
    pairs = len(flat) - 1
    theta = float(np.sum(flat[1:] * flat[:-1])) / pairs
    return Outcome.from_estimate(f"weights_law_{test}", theta=theta, se=1.0 / math.sqrt(pairs), df=math.inf, n=pairs)
