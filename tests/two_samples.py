"""Whether two samples have one law, for the many comparisons of engine and model with a definition."""

import math

import numpy as np


def ks_pvalue(one, other):
    """Bound the p-value of the two-sample Kolmogorov-Smirnov test by 2 exp(-2 d^2 n m / (n + m)).

    That is its limit's tail and never below it; of two samples of one size, 458 and more, it holds as it stands (Wei and Dudley,
    2012). What scipy computes in its place takes twenty times as long as all the rest.
    """
    x, y = np.sort(one, axis=None), np.sort(other, axis=None)
    distance = max(
        np.abs(np.searchsorted(x, at, side="right") / len(x) - np.searchsorted(y, at, side="right") / len(y)).max()
        for at in (x, y)
    )
    return min(1.0, 2.0 * math.exp(-2.0 * distance**2 * len(x) * len(y) / (len(x) + len(y))))
