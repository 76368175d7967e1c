"""Orthogonal weights without their matrix, for one input."""

from __future__ import annotations

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.engine.signal import column, row_dot
from varprop.engine.streams import Streams


class HaarMap:
    r"""Gain times a Haar semi-orthogonal matrix, for one input: exact in law, jointly over both directions.

    Notes
    -----
    W = s Q, where Q is the m x n corner of a Haar matrix of O(max(n, m)), so Q and U Q V have one law for any
    orthogonal U and V. Let e = a / \|a\|.

    **Forward.** Q e is the first m coordinates of a uniform unit vector of R^n, or a uniform unit vector of R^m if
    m >= n: :math:`\sqrt{t}\, v` with v uniform on the sphere and t ~ Beta(m/2, (n - m)/2), or t = 1. Both come of one
    standard normal vector x of R^m and y ~ chi2 with n - m degrees of freedom (y = 0 if m >= n), as
    :math:`Q e = x / \sqrt{|x|^2 + y}`.

    **Backward, given u = W a.** Split delta = d v + q with q orthogonal to v; delta depends on Q through u alone.

    - m >= n: Q e = v. On the complement of e, Q is a Haar isometry into the complement of v, so
      :math:`Q^T\delta = d e + Q'^T q`, where :math:`Q'^T q` is a corner again: n - 1 of m - 1 coordinates of a uniform
      vector of length \|q\|. It is :math:`|q|\, p / \sqrt{|p|^2 + y'}`, with p a standard normal vector on the
      complement of e and y' ~ chi2 with m - n degrees of freedom. For n = 1 there is no complement, and p = 0.
    - m < n: the rows are orthonormal, so f = Q^T v is a unit vector with f . e = sqrt(t): :math:`f = \sqrt{t}\, e +
      \sqrt{1 - t}\, h`, and Q^T q, of length \|q\|, is orthogonal to f and to e (its product with e is
      q . Q e = 0), hence to h. Nothing singles out a direction across e, so h and g = Q^T q / \|q\| are a uniformly
      random orthonormal pair there, independent of t, d and q. Of such a pair :math:`d \sqrt{1 - t}\, h + |q| g` is
      one uniform direction times its length:

    .. math:: Q^T\delta = d \sqrt{t}\, e + r\, \frac{p}{|p|}, \qquad r^2 = d^2 (1 - t) + |q|^2 .

    With y' = 0 for m <= n and t = 1 for m >= n, both cases read :math:`d \sqrt{t}\, e + r\, p / \sqrt{|p|^2 + y'}`.

    **A dead input,** a = 0, has u = 0 and tells nothing of Q, so Q^T delta is the forward law of the n x m matrix Q^T:
    the same formula with d = 0, q = delta and p a standard normal vector of all of R^n.

    Edge cases that the formulas hold: a delta parallel to u has q = 0; m = 1 has q = 0 always, and v = -1 or 1; n = m =
    1 is W = -s or s, each with probability 1/2. For two inputs and more the joint law needs Haar matrices on spans, and
    the definition is used instead.
    """

    def __init__(self, gain: float, fans: tuple[int, int], streams: Streams) -> None:
        self._gain, self._fans, self._streams = gain, fans, streams

    def apply(self, a: FloatArray, squares: Float64Array) -> FloatArray:
        """W a, for a of shape (networks, 1, fan_in)."""
        fan_in, fan_out = self._fans
        x, own = self._directions((*a.shape[:2], fan_out), a.dtype)
        whole = own + self._chi_square(fan_in - fan_out, own.shape)
        size = self._gain * np.sqrt(squares)
        self._a, self._squares = a, squares
        self._share = own / whole  # t
        self._length = size * np.sqrt(self._share)  # |u|
        x *= column(size / np.sqrt(whole), a)
        self._u = x
        return x

    def adjoint(self, delta: FloatArray, squares: Float64Array) -> FloatArray:
        """W^T delta, for delta of shape (networks, 1, fan_out)."""
        fan_in, fan_out = self._fans
        a, alive = self._a, self._squares > 0
        inverse = np.divide(1.0, self._squares, out=np.zeros_like(self._squares), where=alive)
        p, before = self._directions(a.shape, a.dtype)
        p -= column(row_dot(p, a) * inverse, a) * a
        own = row_dot(p, p)
        # Where p was nearly parallel to a, what rounding left of a in it is not small beside the rest.
        slanted = own < 1e-2 * before
        if slanted.any():
            rest, base = p[slanted][:, None], a[slanted][:, None]
            rest -= column(row_dot(rest, base) * inverse[slanted][:, None], a) * base
            p[slanted], own[slanted] = rest[:, 0], row_dot(rest, rest)[:, 0]
        if fan_in == 1:
            own[alive] = 0.0  # nothing is across a live input, whatever rounding left
        whole = own + self._chi_square(fan_out - fan_in, own.shape)
        along = _over(row_dot(delta, self._u), self._length)  # d
        r = np.sqrt(along**2 * (1 - self._share) + self._across(delta, squares, along))
        p *= column(np.where(own > 0, self._gain * _over(r, np.sqrt(whole)), 0.0), a)
        p += column(self._gain * along * np.sqrt(self._share * inverse), a) * a
        return p

    def _across(self, delta: FloatArray, squares: Float64Array, along: Float64Array) -> Float64Array:
        """|q|^2, the square of what is left of delta across u."""
        across = squares - along**2
        # Where delta is nearly parallel to u the difference is rounding noise: those rows are taken apart.
        noisy = (across < 1e-3 * squares) & (self._length > 0)
        if noisy.any():
            rows, directions = delta[noisy].astype(np.float64), self._u[noisy].astype(np.float64)
            directions /= np.abs(directions).max(axis=-1, keepdims=True)  # so that no square leaves the range
            parts = (rows * directions).sum(axis=-1) / (directions**2).sum(axis=-1)
            across[noisy] = np.square(rows - parts[:, None] * directions).sum(axis=-1)
        return across

    def _directions(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[FloatArray, Float64Array]:
        """Standard normal vectors, none of them 0, and their squares."""
        x = self._streams.standard_normal(shape, dtype)
        squares = row_dot(x, x)
        # One float32 normal may be exactly 0, which as a vector of one unit has no direction.
        while not squares.all():
            lost = squares == 0
            x[lost] = self._streams.standard_normal((int(lost.sum()), shape[-1]), dtype)
            squares = row_dot(x, x)
        return x, squares

    def _chi_square(self, degrees: int, shape: tuple[int, ...]) -> Float64Array:
        """Chi-squared numbers; 0 where there are no degrees of freedom."""
        if degrees <= 0:
            return np.zeros(shape)
        return self._streams.rng.chisquare(degrees, shape)


def _over(numerator: Float64Array, denominator: Float64Array) -> Float64Array:
    """Quotient, 0 where the denominator is."""
    quotient: Float64Array = np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
    return quotient
