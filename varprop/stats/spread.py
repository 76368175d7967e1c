"""How much a layer's mean square varies between networks, given the layer below."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from varprop.stats.means import step_mean
from varprop.stats.outcome import Outcome


def spread(pivots: ArrayLike, *, expected: float) -> Outcome:
    r"""Test the variance of a layer's pivots.

    Parameters
    ----------
    pivots : array_like, shape (networks,)
        :math:`\overline{z^2} / v`, mean of z^2 over its conditional variance, >= 0, of one input; NaN for a network whose
        signal died before this layer, which is dropped.
    expected : float
        Variance under the null, > 0: with n units, weights of excess kurtosis k and signals a below,
        :math:`(2 + k\, E[\sum a^4 / (\sum a^2)^2]) / n`.

    Returns
    -------
    Outcome
        theta estimates log(Var(pivot) / expected).

    Raises
    ------
    ValueError
        If a pivot is negative or infinite, fewer than three networks are at risk, they all agree, or the expected
        variance is not positive.

    Notes
    -----
    Given a, the units are independent with E[z^2] = v and E[z^4] = (3 + k sum a^4 / (sum a^2)^2) v^2. The null takes
    independent symmetric weights and zero biases. The replicate is the network.

    Squared deviations from the sample's mean, times N / (N - 1), are averaged as `step_mean` averages ratios; that they
    share that mean changes the standard error by O(1/N) of it. The level holds from some 200 networks on, fewer where the
    layer is wide.

    Examples
    --------
    >>> spread([0.9, 1.2, 0.7, 1.1, 1.3], expected=0.05).theta
    0.244
    """
    column = np.asarray(pivots, dtype=np.float64)
    present = column[~np.isnan(column)]
    if column.ndim != 1 or len(present) < 3 or not (present.min() >= 0.0 and present.max() < np.inf):
        msg = (
            "spread takes finite pivots >= 0 of shape (networks,), three networks or more at risk; "
            f"got shape {column.shape} with {len(present)} at risk"
        )
        raise ValueError(msg)
    if not 0.0 < expected < math.inf:
        msg = f"the expected variance must be finite and > 0, got {expected}"
        raise ValueError(msg)
    if (present == present[0]).all():
        msg = f"all {len(present)} pivots are {present[0]}: their variance is 0, which has no logarithm; test identity"
        raise ValueError(msg)
    squares = (present - present.mean()) ** 2 * (len(present) / (len(present) - 1))
    return replace(step_mean(squares / expected), test="spread")
