"""Order, chaos and the line between them, over a grid of variances, with the kernels tabulated once for all of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from varprop._arguments import checked, quoted
from varprop._typing import Float64Array
from varprop.model.activations import Activation, ActivationLike, as_activation
from varprop.model.inputs import real_array
from varprop.theory import roots
from varprop.theory.equilibrium import CRITICAL, MARGINAL
from varprop.theory.meanfield import LARGEST, check_non_negative, second_moment_slope

if TYPE_CHECKING:
    import pandas as pd

_IN_Q = 10  # per octave; off by 6.2^-10 = 1e-8 (see `normal_expectation`)
_IN_T = 24
_HALVINGS = 48
_AT_THE_END = 1e-7  # nearer to t = 1 than this, c is 0


def attracting_correlations(
    phi: Activation, weight_variance: Float64Array, q: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Correlations c < 1 that attract at fixed points q with chi_1 > 1, and the slope of the correlation map there."""
    octave = np.floor(np.log2(q)).astype(int)
    series = np.empty((_IN_T, q.size))
    for exponent in np.unique(octave):
        here = octave == exponent
        table = _octave(phi, int(exponent))
        x = 2 * (np.log2(q[here]) - exponent) - 1
        series[:, here] = table.T @ chebyshev.chebvander(x, _IN_Q - 1).T
    wanted = q / weight_variance
    low, high = np.zeros_like(q), np.ones_like(q)
    for _ in range(_HALVINGS):
        t = (low + high) / 2
        # D falls with t.
        above = _values(series, t) > wanted
        low, high = np.where(above, t, low), np.where(above, high, t)
    t = (low + high) / 2
    # So it is for odd phi without biases, and for no others.
    odd = t > 1 - _AT_THE_END
    c = np.where(odd, 0.0, 1 - t * t)
    # f(c) - c without f(1) - 1, which rounding leaves.
    deficit = phi.second_moment(q) - phi.covariance(q, q, c)
    excess = (1 - c) - weight_variance / q * deficit
    slope = weight_variance * phi.derivative_covariance(q, q, c)
    # f is convex, so its slope at c* is below 1; rounding may say otherwise where chi_1 is all but 1.
    step = np.divide(excess, 1 - slope, out=np.zeros_like(c), where=slope < 1)
    c = np.where(odd, 0.0, np.clip(c + step, 0.0, 1.0))
    return c, weight_variance * phi.derivative_covariance(q, q, c)


def _values(series: Float64Array, t: Float64Array) -> Float64Array:
    """Every column's series at its own t in [0, 1]."""
    return np.asarray(chebyshev.chebval(2 * t - 1, series, tensor=False), dtype=np.float64)


def _octave(phi: Activation, exponent: int) -> Float64Array:
    """Chebyshev coefficients, shape (_IN_Q, _IN_T), of D over q in [2^exponent, 2^(exponent + 1)] and t in [0, 1]."""
    in_q, in_t = chebyshev.chebpts1(_IN_Q), chebyshev.chebpts1(_IN_T)
    q, t = np.exp2(exponent + (in_q + 1) / 2), (in_t + 1) / 2
    both = np.array([phi.covariance(float(value), float(value), 1 - t * t) for value in q])
    deficit = (phi.second_moment(q)[:, None] - both) / (t * t)
    return np.asarray(_coefficients(in_q) @ deficit @ _coefficients(in_t).T, dtype=np.float64)


def _coefficients(points: Float64Array) -> Float64Array:
    """From values at the Chebyshev points to coefficients, as a matrix."""
    size = points.size
    matrix = 2 / size * chebyshev.chebvander(points, size - 1).T
    matrix[0] /= 2
    return np.asarray(matrix)


_STEPS = 100  # of Newton's method with bisection as its guard; some six are taken
_SETTLED = 1e-13
_MOST_VALUES, _MOST_CELLS = 10_000, 10**6  # of an axis, and of a diagram


@checked
def phase_diagram(
    activation: ActivationLike,
    weight_variances: ArrayLike,
    bias_variances: ArrayLike,
    *,
    q: float = 1.0,
    correlations: bool = True,
) -> pd.DataFrame:
    r"""Compute where a wide network settles, for every pair of variances of weights and biases.

    Parameters
    ----------
    activation : str, Activation or callable
        phi, without jumps.
    weight_variances : array_like, shape (m,)
        Values of :math:`C_W` = fan_in Var(W), >= 0.
    bias_variances : array_like, shape (n,)
        Values of :math:`C_b` = Var(b), >= 0.
    q : float, default 1
        Where the signal starts, > 0: decides where there are several fixed points.
    correlations : bool, default True
        Whether to find ``c_star`` and ``xi_c`` too, which takes most of the time of chaotic cells; else both are NaN.

    Returns
    -------
    DataFrame
        m n rows with ``weight_variance``, ``bias_variance``; ``q``, the fixed point reached, infinite if the signal
        grows for ever; ``chi_1`` and ``chi_parallel`` there; ``c_star``, the correlation that two inputs come to;
        ``xi_q`` and ``xi_c``, the depth scales; ``phase``: "ordered" (chi_1 < 1), "chaotic" (chi_1 > 1), "critical",
        "diverging" (no fixed point), or "oscillating" (chi_parallel < -1). What does not exist is NaN: everything at
        an infinite q except the two slopes of a positively homogeneous phi, which are the same at all q; ``c_star``
        at q = 0 and of a linear phi without biases, which keep every correlation (``xi_c`` is then infinite).

    Raises
    ------
    ValueError
        If a variance is negative or not finite, an axis is empty or not one-dimensional, or phi jumps, which makes
        chi_1 infinite and every network chaotic.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Second moments are followed by Newton's method in all cells at once. Correlations start from a table of
    E[phi phi] in q and c, and take one step of Newton's method from there.

    Examples
    --------
    >>> table = phase_diagram("tanh", [1.0, 2.5], [0.05])
    >>> table[["weight_variance", "q", "chi_1", "c_star", "phase"]].round(4)
       weight_variance       q   chi_1  c_star    phase
    0              1.0  0.1936  0.7590  1.0000  ordered
    1              2.5  1.0640  1.1335  0.4468  chaotic
    """
    import pandas as pd

    phi = as_activation(activation)
    weights, biases = _axis("weight_variances", weight_variances), _axis("bias_variances", bias_variances)
    if not 0 < q <= LARGEST:
        msg = f"q must be a finite number > 0, got {quoted(q)}"
        raise ValueError(msg)
    if phi.jumps:
        msg = f"{phi.label} jumps, so chi_1 is infinite whatever the variances: every network is chaotic"
        raise ValueError(msg)
    if weights.size * biases.size > _MOST_CELLS:
        msg = f"a phase diagram has {_MOST_CELLS} cells at most, got {weights.size} x {biases.size}; take fewer values"
        raise ValueError(msg)
    gain, bias = (grid.ravel() for grid in np.meshgrid(weights, biases, indexing="ij"))
    settled = _settled_homogeneous(phi, gain, bias, q) if phi.homogeneous else _settled(phi, gain, bias, q)
    chi_1, chi_parallel = np.full_like(settled, np.nan), np.full_like(settled, np.nan)
    # Of a homogeneous phi the slopes are the same at every q, infinite or not.
    known = np.isfinite(settled) | phi.homogeneous
    at = np.where(np.isfinite(settled), settled, q)[known]
    chi_1[known] = gain[known] * phi.derivative_second_moment(at)
    chi_parallel[known] = gain[known] * second_moment_slope(phi, at)
    unknown = np.full_like(settled, np.nan)
    c_star, slope = _correlations(phi, gain, bias, settled, chi_1) if correlations else (unknown, unknown)
    frame = {
        "weight_variance": gain,
        "bias_variance": bias,
        "q": settled,
        "chi_1": chi_1,
        "chi_parallel": chi_parallel,
        "c_star": c_star,
        "xi_q": np.where(np.isfinite(settled), _decay_lengths(chi_parallel), np.nan),
        "xi_c": _decay_lengths(slope),
        "phase": _phases(settled, chi_1, chi_parallel),
    }
    return pd.DataFrame(frame)


def _axis(name: str, values: ArrayLike) -> Float64Array:
    axis = real_array(values, name, most=_MOST_VALUES)
    if axis.ndim != 1 or not axis.size:
        msg = f"{name} must be one-dimensional and not empty, got shape {axis.shape}"
        raise ValueError(msg)
    for value in axis.tolist():
        check_non_negative(**{name: value})
    return axis


def _settled_homogeneous(phi: Activation, gain: Float64Array, bias: Float64Array, q: float) -> Float64Array:
    """Where q -> slope q + bias goes from q."""
    slope = gain * phi.second_moment(1.0)
    kept = np.where(bias > 0, np.inf, q)
    below = np.where(slope < 1, bias / np.where(slope < 1, 1 - slope, 1.0), np.inf)
    return np.where(np.abs(slope - 1) <= MARGINAL, kept, below)


def _settled(phi: Activation, gain: Float64Array, bias: Float64Array, start: float) -> Float64Array:
    """Where the length map goes from `start`, cell by cell: the first fixed point in the direction that it takes."""
    scan = roots.scan(phi, roots.highest_octave(float(gain.max() + bias.max())))
    rises = gain * phi.second_moment(start) + bias > start
    low, high = np.full_like(gain, start), np.full_like(gain, start)
    # Outwards from the start, the first point of the scan past the fixed point.
    up, down = np.flatnonzero(scan.q > start), np.flatnonzero(scan.q < start)[::-1]
    for cells, points, before, past, sign in ((rises, up, low, high, 1), (~rises, down, high, low, -1)):
        open_cells = np.flatnonzero(cells)
        past[open_cells] = math.inf if sign > 0 else 0.0
        for i in points:
            growth = (gain[open_cells] * scan.second_moment[i] + bias[open_cells]) / scan.q[i] - 1
            passed = sign * growth < -scan.tolerance[i]
            past[open_cells[passed]] = scan.q[i]
            before[open_cells[~passed]] = scan.q[i]
            open_cells = open_cells[~passed]
    found = np.where(np.isinf(high), np.inf, 0.0)
    inside = np.isfinite(high) & ((low > 0) | (bias > 0) | (phi.second_moment(0.0) > 0))
    found[inside] = _newton(phi, gain[inside], bias[inside], low[inside], high[inside])
    return found


def _newton(
    phi: Activation, gain: Float64Array, bias: Float64Array, low: Float64Array, high: Float64Array
) -> Float64Array:
    """Fixed points of the length map between low, where it rises, and high, where it falls."""
    q = np.where(low > 0, np.sqrt(low * high), high / 2)
    low, high = low.copy(), high.copy()
    active = np.arange(q.size)
    for _ in range(_STEPS):
        at = q[active]
        excess = gain[active] * phi.second_moment(at) + bias[active] - at
        low[active] = np.where(excess > 0, at, low[active])
        high[active] = np.where(excess > 0, high[active], at)
        descent = 1 - gain[active] * second_moment_slope(phi, at)
        with np.errstate(divide="ignore", invalid="ignore"):
            proposed = at + excess / descent
        inside = (proposed >= low[active]) & (proposed <= high[active])
        after = np.where(inside, proposed, (low[active] + high[active]) / 2)
        q[active] = after
        active = active[np.abs(after - at) > _SETTLED * after]
        if not active.size:
            break
    return q


def _correlations(
    phi: Activation, gain: Float64Array, bias: Float64Array, q: Float64Array, chi_1: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """The attracting correlation, and the correlation map's slope there."""
    exists = np.isfinite(q) & (q > 0)
    c_star, slope = np.where(exists, 1.0, np.nan), np.where(exists, chi_1, np.nan)
    # Correlations are all kept at q = 0, and where a linear phi has no biases.
    linear = phi.homogeneous and math.isclose(phi.covariance(1.0, 1.0, -1.0), -phi.second_moment(1.0))
    kept = (q == 0) | (linear & exists & (bias == 0))
    c_star[kept], slope[kept] = np.nan, 1.0
    chaotic = exists & (chi_1 > 1 + CRITICAL) & ~kept
    if chaotic.any():
        c_star[chaotic], slope[chaotic] = attracting_correlations(phi, gain[chaotic], q[chaotic])
    return c_star, slope


def _decay_lengths(slope: Float64Array) -> Float64Array:
    """-1 / ln |slope|, infinite at a slope of 1."""
    size = np.abs(slope)
    with np.errstate(divide="ignore"):
        lengths = -1 / np.log(size)
    return np.where(np.abs(size - 1) <= MARGINAL, np.inf, lengths)


def _phases(q: Float64Array, chi_1: Float64Array, chi_parallel: Float64Array) -> NDArray[np.str_]:
    with np.errstate(invalid="ignore"):
        conditions = [np.isinf(q), chi_parallel < -1, np.abs(chi_1 - 1) <= CRITICAL, chi_1 < 1]
    return np.select(conditions, ["diverging", "oscillating", "critical", "ordered"], "chaotic")
