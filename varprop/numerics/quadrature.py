r"""Expectations under normal laws by composite Gauss-Legendre quadrature.

Gauss-Hermite converges only like 1/n across a kink and hardly at all across a jump, and needs thousands of nodes for
a bounded function of a wide normal law. So panels here have 20 Gauss-Legendre nodes each, are split wherever the
function is not analytic, and are as narrow as the function's own features or the normal density demand.

"Kinks" are the points where the function or one of its derivatives jumps. Between kinks its features are expected to be
about 1 wide, for functions of one input out to \|z\| = 1024, of two out to \|z\| = 8; beyond, panels widen in proportion
to \|z\|. Where the last Legendre coefficients on a panel say that the function is not resolved there, because its
features are narrower or a kink was not told, the panel is halved until it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from varprop._typing import ArrayFn, Float64Array, FloatArray

BoolArray = NDArray[np.bool_]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
# Standard deviations to integrate over. At 13 the density is 2e-37 of its peak, which will do for all but what grows
# fast or starts far out; at 38 it is about to underflow, but exp(20 x) would overflow.
_WINDOWS = (13.0, 30.0, 38.0)
# Around a kink that the inner integral has smoothed over a width t, in units of t: past 13 the kink is out of sight.
_LAYERS = np.array([-13.0, -8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0, 13.0])
# To the Legendre coefficients of degree 18 and 19. With both below 1e-10 what the rule misses, of degree 40 on, is far
# below 1e-15 for an analytic function; for a kink on the panel some 1e-12.
_LAST = np.stack([(k + 0.5) * _WEIGHTS * np.polynomial.legendre.Legendre.basis(k)(_NODES) for k in (18, 19)], axis=1)
_UNRESOLVED = 1e-10  # of E|g|, a panel's coefficients times its mass
_HALVINGS = 40
_MOST_PANELS = 2**14
_MOST_PANELS_OF_TWO = 1000
_CHUNK = 2**15  # nodes of the inner integral at a time: arrays of 1 MB would go back to the system every time


def normal_expectation(function: ArrayFn, q: Float64Array, kinks: Sequence[float] = ()) -> Float64Array:
    r"""E[g(z)] for z ~ N(0, q).

    Parameters
    ----------
    function : callable
        g, elementwise on float64, analytic between kinks.
    q : ndarray, shape (...)
        Variances, finite and >= 0.
    kinks : sequence of float, optional
        Where g is not analytic.

    Returns
    -------
    ndarray, shape (...)
        With an error near 1e-15 E[\|g(z)\|].

    Raises
    ------
    ValueError
        If g is not finite where it is needed, grows so fast that values past 37 standard deviations matter (exp(k z)
        with k sqrt(q) > 28 or so), or has more narrow features than can be resolved.

    Notes
    -----
    As a function of q the expectation is the heat flow of g, analytic where Re(1/q) > 0; so in log q it is analytic
    in the strip \|Im log q\| < pi/2, whatever g is. The Bernstein ellipse over one octave of q that reaches pi/3 into
    the strip has a sum of semi-axes, in units of half an octave, of 6.2: a Chebyshev interpolant through 20 points
    leaves an error of some 6.2^-20 = 1.4e-16 of the supremum on it. Many values of q are therefore interpolated,
    octave by octave, from 20 integrals each. An octave over which the expectation grows so fast that the last
    coefficients are not negligible is integrated value by value.

    Examples
    --------
    >>> normal_expectation(np.abs, np.array([0.5, 2.0]), kinks=[0.0]) * np.sqrt(np.pi)
    array([1., 2.])
    """
    flat = np.ravel(q).astype(np.float64, copy=False)
    if flat.size == 1:
        return np.full(np.shape(q), _at_a_point(function, float(flat[0]), kinks)[0])
    mantissa, octave = np.frexp(flat)
    octave[flat == 0] = np.iinfo(octave.dtype).min  # 0 belongs to no octave
    octaves, which = np.unique(octave, return_inverse=True)
    values = np.empty_like(flat)
    for index, exponent in enumerate(octaves):
        members = np.flatnonzero(which == index)
        distinct, copies = np.unique(mantissa[members], return_inverse=True)
        if distinct.size > 2 * _NODES.size:
            found = _interpolated(function, distinct, int(exponent), kinks)
        else:
            found = _one_by_one(function, distinct, int(exponent), kinks)
        values[members] = found[copies]
    return values.reshape(np.shape(q))


def normal_product_expectation(
    function: ArrayFn, q1: float, q2: float, rho: float, *, kinks: Sequence[float] = ()
) -> float:
    r"""E[g(z1) g(z2)] for z1 ~ N(0, q1) and z2 ~ N(0, q2) with correlation rho.

    Parameters
    ----------
    function : callable
        g, elementwise on float64, analytic between kinks.
    q1, q2 : float
        Variances, finite and >= 0.
    rho : float
        Correlation in [-1, 1].
    kinks : sequence of float, optional
        Where g is not analytic.

    Returns
    -------
    float
        With an error near 1e-14 sqrt(E[g(z1)^2] E[g(z2)^2]).

    Raises
    ------
    ValueError
        If g is not finite where it is needed, grows too fast or has too many narrow features (see
        `normal_expectation`); here g may have some hundred of them, as sin(z) has within 1000.

    Notes
    -----
    z1 = s1 u and z2 = s2 (r u + t v) with t^2 = 1 - r^2. The inner integral over v is split where z2 crosses a kink,
    the outer over u where z1 does, and refined around u = k / (s2 r), where a kink k of z2, smoothed over a width
    t / \|r\|, is a boundary layer of the inner integral. At rho = +-1 one dimension is left.

    Examples
    --------
    >>> normal_product_expectation(lambda z: z, 4.0, 9.0, 0.5)
    3.0
    """
    s1, s2 = math.sqrt(max(q1, q2)), math.sqrt(min(q1, q2))
    if abs(rho) == 1:
        return _settled(lambda window: _on_a_line(function, s1, rho * s2, kinks, window))[0]
    return _settled(lambda window: _over_the_plane(function, (s1, s2), rho, kinks, window))[0]


def integration_gap(function: ArrayFn, derivative: ArrayFn, q: float, kinks: Sequence[float] = ()) -> float:
    r"""How far the integrals of a derivative are from the differences of its function, as a share of E[\|g'(z)\|].

    Parameters
    ----------
    function, derivative : callable
        g and what is taken for g', elementwise on float64.
    q : float
        Variance of z, > 0: what counts is where z ~ N(0, q) is.
    kinks : sequence of float, optional
        Where g is not analytic; it may jump there.

    Returns
    -------
    float
        The sum over panels on which g'^2 is resolved, each by its normal density, up to 13 standard deviations.
        Infinite where g changes and g' is 0; NaN where one of them is not finite.

    Raises
    ------
    ValueError
        If g'^2 has too many narrow features (see `normal_expectation`).

    Examples
    --------
    >>> integration_gap(np.sin, np.cos, 1.0) < 1e-14
    True
    >>> round(integration_gap(lambda z: 2 * z, lambda z: np.full_like(z, 1.98), 1.0), 4)
    0.0101
    >>> integration_gap(np.round, np.zeros_like, 1.0)
    inf
    """
    s, window = math.sqrt(q), _WINDOWS[0]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        edges = _merge(_panels(s, window), _breaks(kinks, s, window))
        edges = _refined(lambda x: np.square(derivative(s * x)), edges)
        x, mass = _nodes(edges)
        slopes, masses = (part.reshape(-1, _NODES.size) for part in (derivative(s * x), mass))
        # A jump on an edge belongs to no panel.
        inside = 4 * np.spacing(np.abs(s * edges))
        rises = function(s * edges[1:] - inside[1:]) - function(s * edges[:-1] + inside[:-1])
        widths = s * np.diff(edges)
        gaps = np.abs(slopes @ _WEIGHTS * widths / 2 - rises) * masses.sum(axis=1) / widths
        total, size = float(gaps.sum()), float(np.sum(np.abs(slopes) * masses))
    return total / size if size else math.inf if total else 0.0


Attempt = tuple[float, float, float]
"""An integral, that of the absolute value, and the part of the latter in the outermost standard deviation."""


def _settled(attempt: Callable[[float], Attempt]) -> tuple[float, float]:
    """Integral, and integral of the absolute value, over the first window that holds them."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # what they would warn of is refused
        for window in _WINDOWS:
            total, bound, outermost = attempt(window)
            if bound > 0 and outermost <= 1e-14 * bound:
                break
    # What is bounded and only starts past 36 standard deviations comes to less than 1e-283 and may be cut.
    if bound > 1e-280 and outermost > 1e-14 * bound:
        msg = "the function grows so fast that values past 37 standard deviations matter: no moment is computed"
        raise ValueError(msg)
    return total, bound


def _attempt(values: FloatArray, x: Float64Array, mass: Float64Array, window: float) -> Attempt:
    terms = values * mass
    sizes = np.abs(terms)
    bound = float(sizes.sum())
    inner = np.searchsorted(x, (1 - window, window - 1))
    if not math.isfinite(bound):
        msg = f"the function is not finite at some z within {window:g} standard deviations of 0: no moment is computed"
        raise ValueError(msg)
    return float(terms.sum()), bound, float(sizes[: inner[0]].sum() + sizes[inner[1] :].sum())


def _at_a_point(function: ArrayFn, q: float, kinks: Sequence[float]) -> tuple[float, float]:
    """E[g(z)] and E[|g(z)|], z ~ N(0, q)."""
    s = math.sqrt(q)

    def attempt(window: float) -> Attempt:
        if s <= 1 and not any(0 < abs(kink) < window * s for kink in kinks):
            return _on_panels(lambda x: function(s * x), *_unit_panels(window))
        return _on_panels(lambda x: function(s * x), *_scaled_panels(s, window, tuple(kinks)))

    return _settled(attempt)


@lru_cache(maxsize=16)
def _scaled_panels(
    s: float, window: float, kinks: tuple[float, ...]
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Edges, nodes and masses for a function of s x: the moments of one activation at one variance share them."""
    return _frozen(_merge(_panels(s, window), _breaks(kinks, s, window)))


def _frozen(edges: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Edges, nodes and masses as arrays that nobody can change in a cache."""
    x, mass = _nodes(edges)
    edges.flags.writeable = x.flags.writeable = mass.flags.writeable = False
    return edges, x, mass


def _on_panels(function: ArrayFn, edges: Float64Array, x: Float64Array, mass: Float64Array) -> Attempt:
    """Integral over panels, halved where it takes that."""
    values = function(x)
    if unresolved(values, mass).any():
        x, mass = _nodes(_refined(function, edges))
        values = function(x)
    return _attempt(values, x, mass, float(edges[-1]))


def unresolved(values: FloatArray, mass: Float64Array) -> BoolArray:
    """Panels of 20 Gauss-Legendre nodes on which a function is not resolved.

    Parameters
    ----------
    values, mass : ndarray, shape (..., 20 panels)
        The function at the nodes, and the probability of each.

    Returns
    -------
    ndarray of bool, shape (..., panels)

    Examples
    --------
    >>> nodes, weights = np.polynomial.legendre.leggauss(20)
    >>> unresolved(np.exp(nodes), weights / 2), unresolved(np.abs(nodes), weights / 2)
    (array([False]), array([ True]))
    """
    panels = (*values.shape[:-1], -1, _NODES.size)
    last = np.abs(values.reshape(panels) @ _LAST).max(axis=-1)
    share = last * mass.reshape(panels).sum(axis=-1)
    bad: BoolArray = share > _UNRESOLVED * np.abs(values * mass).sum(axis=-1, keepdims=True)
    return bad


def _refined(function: ArrayFn, edges: Float64Array, most: int = _MOST_PANELS) -> Float64Array:
    """Edges between which a function of x is resolved under the standard normal law."""
    for _ in range(_HALVINGS):
        x, mass = _nodes(edges)
        bad = unresolved(function(x), mass)
        if not bad.any() or edges.size > most:
            break
        edges = _merge(edges, (edges[1:] + edges[:-1])[bad] / 2)
    if bad.any():
        msg = "the function has more narrow features, or more noise, than can be resolved: no moment is computed"
        raise ValueError(msg)
    return edges


@lru_cache(maxsize=len(_WINDOWS))
def _unit_panels(window: float) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Edges, nodes and masses for panels of width 1 that are split at 0 alone."""
    return _frozen(np.arange(-window, window + 1))


def _on_a_line(function: ArrayFn, s1: float, s2: float, kinks: Sequence[float], window: float) -> Attempt:
    """E[g(s1 x) g(s2 x)] with s1 >= |s2|."""
    edges = _merge(_panels(s1, window), _breaks(kinks, s1, window), _breaks(kinks, s2, window))
    return _on_panels(lambda x: function(s1 * x) * function(s2 * x), edges, *_nodes(edges))


def _over_the_plane(
    function: ArrayFn, scales: tuple[float, float], rho: float, kinks: Sequence[float], window: float
) -> Attempt:
    """E[g(s1 u) g(s2 (rho u + t v))] with s1 >= s2."""
    (s1, s2), t = scales, math.sqrt((1 - rho) * (1 + rho))
    unit = np.arange(-window, window + 1)
    graded = _graded(window * (s1 + s2), start=8.0, growth=1.5)
    whole = _merge(unit, _breaks(_merge(graded, kinks), s1, window))
    refined = _refined(lambda x: function(s1 * x), whole, _MOST_PANELS_OF_TWO)
    # The unit panels of x are not panels of z: only what had to be added is, beside the graded ones and the kinks.
    slow = _merge(kinks, s1 * np.setdiff1d(refined, whole))
    fast = _merge(graded, slow)

    # Outer edges, in u: of z1, of z2 at v = 0, and around the latter's kinks, which v smooths over a width t / |rho|.
    slope = s2 * rho
    z1_edges = _breaks(fast if s1 > 1 else slow, s1, window)
    z2_edges = _breaks(fast if abs(slope) > 1 else slow, slope, window)
    width = min(t / abs(rho), 2 * window) if rho else 0.0
    layers = np.clip(_breaks(kinks, slope, window)[:, None] + width * _LAYERS, -window, window)
    u, mass = _nodes(_merge(unit, z1_edges, z2_edges, np.ravel(layers)))

    # Inner edges, in v, follow those of z2 as u moves.
    reach = abs(rho) + t
    crossings = reach * _breaks(fast if s2 * t > 1 else slow, s2 * reach, window)
    inner = np.empty_like(u)
    rows = max(1, _CHUNK // (_NODES.size * (unit.size + crossings.size)))
    for start in range(0, u.size, rows):
        block = slice(start, start + rows)
        centre = rho * u[block, None]
        crossed = np.clip((crossings - centre) / t, -window, window)
        fixed = np.broadcast_to(unit, (len(centre), unit.size))
        v, inner_mass = _nodes(np.sort(np.concatenate([fixed, crossed], axis=1), axis=1))
        inner[block] = np.sum(function(s2 * (centre + t * v)) * inner_mass, axis=1)
    return _attempt(function(s1 * u) * inner, u, mass, window)


def _one_by_one(function: ArrayFn, mantissa: Float64Array, exponent: int, kinks: Sequence[float]) -> Float64Array:
    """Expectations for q = mantissa 2^exponent."""
    return np.array([_at_a_point(function, math.ldexp(m, exponent), kinks)[0] for m in mantissa.tolist()])


def _interpolated(function: ArrayFn, mantissa: Float64Array, exponent: int, kinks: Sequence[float]) -> Float64Array:
    """Expectations for many q = mantissa 2^exponent of one octave, mantissa in [1/2, 1)."""
    size = _NODES.size
    angles = np.pi * (np.arange(size) + 0.5) / size
    points = np.exp2((np.cos(angles) - 1) / 2)
    integrals = np.array([_at_a_point(function, math.ldexp(p, exponent), kinks) for p in points.tolist()])
    coefficients = 2 / size * np.cos(np.outer(np.arange(size), angles)) @ integrals[:, 0]
    coefficients[0] /= 2
    if np.abs(coefficients[-2:]).max() > 1e-14 * integrals[:, 1].min():
        return _one_by_one(function, mantissa, exponent, kinks)
    values: Float64Array = np.polynomial.chebyshev.chebval(2 * np.log2(mantissa) + 1, coefficients)
    return values


def _panels(s: float, window: float) -> Float64Array:
    """Edges in x for a function of s x: panels of width 1 in x or in z = s x, whichever is narrower."""
    if s <= 1:
        return np.arange(-window, window + 1)
    return np.clip(_graded(window * s, start=1024.0, growth=1.0625) / s, -window, window)


def _graded(end: float, *, start: float, growth: float) -> Float64Array:
    """Edges symmetric about 0: unit steps up to `start`, then growing by a factor, past `end`."""
    steps = max(0, math.ceil(math.log(max(end, start) / start) / math.log(growth)))
    positive = np.concatenate([np.arange(min(start, math.ceil(end)) + 1), start * growth ** np.arange(1, steps + 1)])
    return np.concatenate([-positive[:0:-1], positive])


def _breaks(points: Sequence[float] | Float64Array, s: float, window: float) -> Float64Array:
    """Those x inside the window with s x in points."""
    z = np.asarray(points, dtype=np.float64)
    return z[np.abs(z) < window * abs(s)] / s if s else np.array([])


def _merge(*edges: Sequence[float] | Float64Array) -> Float64Array:
    """All edges, sorted, each once."""
    return np.unique(np.concatenate([np.asarray(part, dtype=np.float64) for part in edges]))


def _nodes(edges: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Nodes in panels (..., p) between edges (..., p + 1), as (..., 20 p), and their normal probability masses."""
    half = np.diff(edges)[..., None] / 2
    x = edges[..., :-1, None] + half * (1 + _NODES)
    mass = half * (_WEIGHTS / math.sqrt(2 * math.pi)) * np.exp(-0.5 * x * x)
    shape = (*edges.shape[:-1], -1)
    return x.reshape(shape), mass.reshape(shape)
