"""Whether orthogonal matrices look uniformly random: the list of departures that is looked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from varprop._typing import Float64Array
from varprop.stats.inspections import Inspection, as_gaussian, coins, finite_arrays

ROUNDING = 1e-6
"""Times d: by how much a squared coordinate may be too large because matrices were computed in single precision."""
FOURTH_FROM = 64
"""Shorter side from which on sums of fourth powers are referred to their approximate law."""
DETERMINANTS_FROM = 21
"""Draws from which on signs of determinants are looked at: 20 more that are all alike have probability 2^-20."""
_SURE = 1e-9  # of an approximate law no larger p-value counts
_SKEWNESS = 20.0  # times 1 / shorter side, more than that of the sum of fourth powers: 9 to 14 from 64 on
_LONG = 256  # rows of a rectangular frame that are turned against each other
_PIECE = 2**22  # entries of rotations held at once


@dataclass(frozen=True, slots=True)
class _Pile:
    """Matrices (n, r, c) whose entries, column sums / sqrt(r) and row sums / across are coordinates in R^d of unit vectors."""

    x: Float64Array
    across: Float64Array | float


def draws_needed(rows: int, columns: int) -> int:
    """Number of matrices from which on `haar` is a list in full.

    Parameters
    ----------
    rows, columns : int
        Shape of a matrix, >= 1.

    Returns
    -------
    int
        2 if the shorter side is 64 or more; else 30, and as many as have 2,000 vectors of the shorter side.

    Examples
    --------
    >>> draws_needed(64, 64), draws_needed(8, 8), draws_needed(200, 60)
    (2, 250, 34)
    """
    side = min(rows, columns)
    return 2 if side >= FOURTH_FROM else max(30, math.ceil(2000 / side))


def haar(matrices: ArrayLike) -> dict[str, dict[str, Inspection]]:
    r"""Look for departures from the uniform law on matrices with orthonormal rows or columns (Haar's).

    Parameters
    ----------
    matrices : array_like, shape (draws, rows, columns)
        In order; of each the shorter side is orthonormal, up to rounding.

    Returns
    -------
    dict of str to dict of str to Inspection
        The looks at the "draws", and, if there are two, at the "left rotations" :math:`Q_{k+1} Q_k'` and the "right
        rotations" :math:`Q_k' Q_{k+1}` that take each draw to the next; at the "determinants" of 21 square matrices and
        more. The p-value of each look allows for all its draws, rows and places. A list in which nothing is found shows
        no departure *of this list*; it does not show that the law is Haar's.

    Raises
    ------
    ValueError
        If the shape is another, or an entry is not finite.

    See Also
    --------
    draws_needed : from how many draws on the list is complete.

    Notes
    -----
    Directions are fixed ones, the axes and (1, ..., 1), because :math:`u'Qv` of random u and v has the same law for every
    orthogonal Q. Under Haar's law, for unit vectors u and v, :math:`u'Qv` is a coordinate of a uniform unit vector in R^d,
    d the longer side: its square is Beta(1/2, (d - 1)/2). So are entries, sums of columns and rows over the root of their
    length, and the total. Signs in one column, in one row and on the diagonal are independent fair coins, since changing the
    sign of a row or of a column leaves the law. All this is exact for every d; the largest of many is taken times their number
    (Bonferroni).

    The rotations of successive draws are independent, and Haar again; of rectangular matrices the right ones are corners of such
    matrices, and the left ones :math:`Q_{k+1} Q_k'`, columns divided by their lengths, have columns that are uniform unit
    vectors given the draw before. Of the latter at most 256 rows and columns are looked at.

    Traces are bounded by moments. :math:`\mathbb{E}[Q^{\otimes n}]` is the projection on invariant tensors, which are spanned
    by pairings of the n places, and independent as long as n <= 2d. So :math:`\mathbb{E}[(\mathrm{Tr}\, Q)^{2m}]`, the
    dimension of that space, is at most the number (2m - 1)!! of pairings, the moment of N(0, 1), for every d and m; and
    :math:`\mathbb{E}[(\mathrm{Tr}\, Q^2)^m]`, m <= d, is the number of pairings that m transpositions leave alone, the moment
    of N(1, 2) [1]_. Markov's inequality for the best moment makes p-values that are valid for every d, if conservative; and for
    the sum over many draws of Tr Q^2 Bernstein's inequality.

    The sum of the fourth powers alone has an approximate law, of the exact mean and variance, referred to a Gamma law to the
    right, of a skewness larger than its own, and to the normal one to the left; it is looked at where both sides are 64 or
    more, and p-values above 1e-9 count as 1.

    What the list does not see: :math:`\det Q = 1` always, with fewer than some 25 draws; the left singular vectors that LAPACK
    gives for Gaussian matrices, which are not uniform (at d = 8 a few hundred draws show it).

    References
    ----------
    .. [1] Diaconis and Shahshahani (1994), Journal of Applied Probability 31A, 49-62.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> raw = np.linalg.qr(rng.random((2, 64, 64))).Q
    >>> haar(raw)["draws"]["column sums"].pvalue < 1e-12
    True
    """
    given = finite_arrays("haar", matrices, least=3)
    if given.ndim != 3:
        msg = f"haar takes matrices of shape (draws, rows, columns), got shape {given.shape}; reshape them before"
        raise ValueError(msg)
    wide = given.shape[1] < given.shape[2]
    q = np.swapaxes(given, 1, 2) if wide else given
    n, d, k = q.shape
    square = d == k
    sets = {"draws": _looks(_in_pieces(q), d, n, whole=square)}
    if n > 1:
        # A wide matrix is the transpose of a frame: what is left for it is right for the frame.
        left, right = ("right rotations", "left rotations") if wide else ("left rotations", "right rotations")
        sets[left] = _looks(_left(q), d, n - 1, whole=square, fourth=square)
        sets[right] = _looks(_right(q), d, n - 1, whole=square)
    if square and n >= DETERMINANTS_FROM:
        sets["determinants"] = _determinants(q)
    return {name: _named(looks, wide) for name, looks in sets.items()}


def _in_pieces(q: Float64Array) -> Iterator[_Pile]:
    for piece in _pieces(len(q), q[0].size):
        yield _Pile(q[piece], math.sqrt(q.shape[2]))


def _right(q: Float64Array) -> Iterator[_Pile]:
    """Q_k' Q_{k+1}: of rectangular frames a corner of a rotation."""
    for piece in _pieces(len(q) - 1, q[0].size):
        turned = np.swapaxes(q[:-1][piece], 1, 2) @ q[1:][piece]
        yield _Pile(turned, math.sqrt(turned.shape[2]))


def _left(q: Float64Array) -> Iterator[_Pile]:
    """Q_{k+1} Q_k', its columns divided by their lengths, which the draw before fixes."""
    rows = q.shape[1] if q.shape[1] == q.shape[2] else min(q.shape[1], _LONG)
    for piece in _pieces(len(q) - 1, rows**2):
        before, after = q[:-1][piece][:, :rows], q[1:][piece][:, :rows]
        unit = before / _positive(np.linalg.norm(before, axis=2))[:, :, None]
        across = _positive(np.linalg.norm(unit.sum(axis=1), axis=1))
        yield _Pile(after @ np.swapaxes(unit, 1, 2), across[:, None])


def _pieces(n: int, size: int) -> Iterator[slice]:
    step = max(1, _PIECE // size)
    return (slice(first, min(n, first + step)) for first in range(0, n, step))


def _positive(lengths: Float64Array) -> Float64Array:
    """Lengths to divide by; a vector of length 0 stays one."""
    return np.where(lengths > 0.0, lengths, 1.0)


def _looks(piles: Iterator[_Pile], d: int, n: int, *, whole: bool, fourth: bool = True) -> dict[str, Inspection]:
    """The list for one kind of matrices: n of them in all; `whole` if they are rotations of R^d and not parts of them."""
    seen = [_seen(pile, whole=whole) for pile in piles]
    most = {name: max(float(one[name].max()) for one in seen) for name in seen[0] if name != "places"}
    places = np.sum([one["places"].sum(axis=0) for one in seen], axis=0)
    rows, columns = places.shape
    diagonal = min(rows, columns)
    upper = int(sum(one["diagonal"].sum() for one in seen))
    found = {
        "column sums": _coordinate(most["column"], d, n * columns, "a column's sum over sqrt(rows)"),
        "row sums": _coordinate(most["row"], d, n * rows, "a row's sum over sqrt(columns)"),
        "total": _coordinate(most["total"], d, n, "the sum of all entries over sqrt(rows columns)"),
        "largest entry": _coordinate(most["entry"], d, n * rows * columns, "an entry"),
        "column signs": _signs(most["column signs"], rows, n * columns, "a column's signs"),
        "row signs": _signs(most["row signs"], columns, n * rows, "a row's signs"),
        "diagonal signs": _signs(most["diagonal signs"], diagonal, n, "a diagonal's signs"),
        "diagonal signs, pooled": Inspection(
            pvalue=coins(upper, n * diagonal),
            estimate=upper / (n * diagonal),
            what="share of the entries on diagonals that are positive",
        ),
        "signs of a place": _signs(
            float(np.maximum(places, n - places).max()), n, rows * columns, "the signs of one place"
        ),
    }
    if whole:
        traces, squares = (np.concatenate([one[name] for one in seen]) for name in ("trace", "square"))
        found |= {
            "trace": _each(traces, math.inf, "Tr Q"),
            "trace, pooled": _pooled(traces, math.inf, "mean of Tr Q"),
            "Tr Q^2": _each(squares, d, "(Tr Q^2 - 1) / sqrt(2)"),
            "Tr Q^2, pooled": _pooled(squares, d, "mean of (Tr Q^2 - 1) / sqrt(2)", bound=(d + 1) / math.sqrt(2)),
        }
    if fourth and diagonal >= FOURTH_FROM:
        z = _standardised(np.concatenate([one["fourth"] for one in seen]), rows, columns, d)
        together = np.array([z.sum() / math.sqrt(n)])
        found |= {
            "fourth powers": _fourth(z, _SKEWNESS / diagonal, "sum of fourth powers"),
            "fourth powers, pooled": _fourth(
                together, _SKEWNESS / diagonal / math.sqrt(n), "mean of the sums of fourth powers"
            ),
        }
    return found


def _seen(pile: _Pile, *, whole: bool) -> dict[str, Float64Array]:
    """What is kept of some matrices: squared coordinates, counts of signs, and traces."""
    x, (rows, columns) = pile.x, pile.x.shape[1:]
    sums = x.sum(axis=2) / pile.across
    positive = x > 0.0
    down, along = positive.sum(axis=1), positive.sum(axis=2)
    diagonal = np.einsum("nii->ni", positive[:, : min(rows, columns), : min(rows, columns)]).sum(axis=1)
    kept = {
        "column": x.sum(axis=1) ** 2 / rows,
        "row": sums**2,
        "total": sums.sum(axis=1) ** 2 / rows,
        "entry": np.array([max(x.max(), -x.min()) ** 2]),
        "column signs": np.maximum(down, rows - down),
        "row signs": np.maximum(along, columns - along),
        "diagonal signs": np.maximum(diagonal, min(rows, columns) - diagonal),
        "diagonal": diagonal,
        "places": positive.sum(axis=0)[None],
        "fourth": np.einsum("nij,nij->n", x**2, x**2),
    }
    if whole:
        kept["trace"] = np.einsum("nii->n", x)
        kept["square"] = (np.einsum("nij,nji->n", x, x) - 1.0) / math.sqrt(2.0)
    return kept


def _coordinate(square: float, d: int, tests: int, what: str) -> Inspection:
    """The largest of many squared coordinates of uniform unit vectors in R^d."""
    # Less what rounding may have added: near 1 the tail is as steep as a root, and single precision gives 1 itself.
    least = max(0.0, square - ROUNDING * d)
    tail = 1.0 if d == 1 or least == 0.0 else float(special.betainc((d - 1) / 2, 0.5, max(0.0, 1.0 - least)))
    return Inspection(pvalue=min(1.0, tests * tail), estimate=math.sqrt(square), what=f"largest size of {what}")


def _signs(alike: float, coin_tosses: int, tests: int, what: str) -> Inspection:
    """The most one-sided of many rows of fair coins."""
    p = coins(round(alike), coin_tosses)
    return Inspection(
        pvalue=min(1.0, tests * p), estimate=alike / coin_tosses, what=f"largest share of {what} that are alike"
    )


def _each(values: Float64Array, order: float, what: str) -> Inspection:
    extreme = float(values[np.argmax(np.abs(values))])
    return Inspection(pvalue=min(1.0, len(values) * as_gaussian(extreme, order)), estimate=extreme, what=what)


def _pooled(values: Float64Array, order: float, what: str, bound: float = math.inf) -> Inspection:
    """The sum over independent draws of variance 1; below `bound` in size each, unless that is infinite."""
    total = float(values.sum())
    p = as_gaussian(total / math.sqrt(len(values)), order)
    if math.isfinite(bound):
        p = min(p, 2.0 * math.exp(-(total**2) / (2.0 * (len(values) + bound * abs(total) / 3.0))))
    return Inspection(pvalue=p, estimate=float(values.mean()), what=what)


def fourth_powers(rows: int, columns: int, d: int) -> tuple[float, float]:
    r"""Mean and variance of the sum of fourth powers over a corner of a Haar matrix.

    Parameters
    ----------
    rows, columns : int
        Of the corner, at most d.
    d : int
        Size of the whole matrix, >= 2.

    Returns
    -------
    mean, variance : float

    Notes
    -----
    From the moments of a uniform unit vector c, :math:`\mathbb{E}[c_1^8] = 105 / D`, :math:`\mathbb{E}[c_1^4 c_2^4] = 9 / D`
    with D = d (d + 2) (d + 4) (d + 6); and, given the first column c, :math:`Q_{22}^2 = (1 - c_2^2) B` with B the squared
    coordinate of a uniform unit vector in R^(d - 1).

    Examples
    --------
    >>> fourth_powers(64, 64, 64)
    (2.91, 0.00488)
    """
    four = 3.0 / (d * (d + 2))
    eight = 105.0 / (d * (d + 2) * (d + 4) * (d + 6))
    in_line = eight * 9.0 / 105.0
    apart = (four - 2.0 * four / (d + 4) + in_line) * 3.0 / ((d - 1) * (d + 1))
    cells = rows * columns
    mean = cells * four
    second = cells * (eight + (rows + columns - 2) * in_line + (rows - 1) * (columns - 1) * apart)
    return mean, second - mean**2


def _standardised(sums: Float64Array, rows: int, columns: int, d: int) -> Float64Array:
    mean, variance = fourth_powers(rows, columns, d)
    return (sums - mean) / math.sqrt(variance)


def _fourth(z: Float64Array, skewness: float, what: str) -> Inspection:
    """The worst of some sums that are nearly normal: a Gamma law of that skewness to the right, a normal one to the left."""
    shape = 4.0 / skewness**2
    low, high = float(z.min()), float(z.max())
    # A Gamma law of that shape has its mean sqrt(shape) standard deviations from 0.
    above = float(special.gammaincc(shape, shape + high * math.sqrt(shape))) if high > 0.0 else 1.0
    below = float(special.ndtr(low))
    p = 2.0 * min(above, below)
    return Inspection(
        pvalue=min(1.0, len(z) * p) if p < _SURE else 1.0,
        estimate=high if above < below else low,
        what=f"{what}, in its standard deviations",
    )


def _determinants(q: Float64Array) -> dict[str, Inspection]:
    """Of square matrices a determinant is 1 or -1, each as likely, whatever the draw before."""
    signs = np.linalg.det(q) > 0.0
    n, positive, changes = len(signs), int(signs.sum()), int((signs[1:] != signs[:-1]).sum())
    return {
        "signs": Inspection(
            pvalue=coins(positive, n), estimate=positive / n, what="share of the determinants that are positive"
        ),
        "changes": Inspection(
            pvalue=coins(changes, n - 1),
            estimate=changes / (n - 1),
            what="share of the determinants that differ from the one before",
        ),
    }


def _named(looks: dict[str, Inspection], wide: bool) -> dict[str, Inspection]:
    """Of a wide matrix, whose transpose was looked at, rows are columns."""
    if not wide:
        return looks
    exchanged = {"column sums": "row sums", "row sums": "column sums"}
    exchanged |= {"column signs": "row signs", "row signs": "column signs"}
    return {exchanged.get(name, name): look for name, look in looks.items()}
