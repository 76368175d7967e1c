"""Linear maps: a weight matrix as the engine sees it, through W a (once) and W^T delta (once): Gaussian, Haar, in full."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from varprop._typing import Float64Array, FloatArray
from varprop.engine.signal import Streams, column, gram, row_dot
from varprop.model.activations import Activation
from varprop.model.initializers import Initializer


class LinearMap(Protocol):
    """Weights of one layer in a tile of networks; fresh for every layer and used once."""

    def apply(self, a: FloatArray, squares: Float64Array) -> FloatArray:
        """W a: (networks, inputs, fan_in) and its sums of squares to (networks, inputs, fan_out)."""
        ...

    def adjoint(self, delta: FloatArray, squares: Float64Array) -> FloatArray:
        """W^T delta: (networks, inputs, fan_out) and its sums of squares to (networks, inputs, fan_in)."""
        ...


class DenseMap:
    """The definition: every entry of W is drawn, for any law.

    Notes
    -----
    Costs fan_in * fan_out draws a network, and as many numbers of memory until the backward pass is done.
    """

    def __init__(self, law: Initializer, fans: tuple[int, int], streams: Streams) -> None:
        self._law, self._fans, self._streams = law, fans, streams

    def apply(self, a: FloatArray, squares: Float64Array) -> FloatArray:  # noqa: ARG002  the protocol has it
        """W a."""
        fan_in, fan_out = self._fans
        law, rng = self._law, self._streams.rng
        weights: FloatArray
        if law.gaussian:
            weights = self._streams.standard_normal((len(a), fan_out, fan_in), a.dtype)
            weights *= a.dtype.type(math.sqrt(law.variance(fan_in, fan_out)))
        elif law.batched:
            weights = law.sample((len(a), fan_out, fan_in), fan_in=fan_in, fan_out=fan_out, rng=rng, dtype=a.dtype)
        else:  # a user's own initialiser makes one matrix at a time
            one = [law.sample((fan_out, fan_in), fan_in=fan_in, fan_out=fan_out, rng=rng, dtype=a.dtype) for _ in a]
            weights = np.stack(one)
        self._weights = weights
        # One input at a time NumPy's own sums do, whose rounding no BLAS kernel changes; drawing W costs far more.
        u: FloatArray
        u = np.einsum("noi,nki->nko", weights, a) if a.shape[1] == 1 else np.matmul(a, np.swapaxes(weights, -1, -2))
        return u

    def adjoint(self, delta: FloatArray, squares: Float64Array) -> FloatArray:  # noqa: ARG002  the protocol has it
        """W^T delta."""
        back: FloatArray
        back = np.einsum("nko,noi->nki", delta, self._weights) if delta.shape[1] == 1 else delta @ self._weights
        return back


class GaussianMap:
    r"""I.i.d. N(0, s^2) weights without the matrix: exact in law, jointly over inputs and over both directions.

    Notes
    -----
    Let the rows of a be the layer's k inputs, with Gram matrix :math:`K = a a^T = C C^T`. Rows of W are i.i.d.
    N(0, s^2 I), so W a has the law of :math:`u = s\, C g` with g a k x fan_out standard normal matrix. Given u, W is
    known on the span of a, where it is :math:`u^T K^+ a`, and is a fresh Gaussian on its orthogonal complement, with
    projector :math:`P = I - a^T K^+ a`. For gradients delta, which depend on W through u alone, with
    :math:`\delta\delta^T = D D^T` and f a k x fan_in standard normal matrix,

    .. math:: W^T\delta = \delta u^T K^+ a + s\, D f P = s\, D f + (\delta u^T - s\, D f a^T) K^+ a .

    So what is left is 2 k normals for each unit, and products of k x k matrices with the signals. :math:`K^+` is the
    pseudo-inverse: a dead layer (a = 0), collinear inputs and k > fan_in have singular K, and need no other rule.
    """

    def __init__(self, std: float, fans: tuple[int, int], streams: Streams) -> None:
        self._std, self._fans, self._streams = std, fans, streams

    def apply(self, a: FloatArray, squares: Float64Array) -> FloatArray:
        """W a."""
        networks, inputs, _ = a.shape
        normals = self._streams.standard_normal((networks, inputs, self._fans[1]), a.dtype)
        self._a, self._squares = a, squares
        if inputs == 1:
            normals *= column(self._std * np.sqrt(squares), a)
            self._u = normals
        else:
            self._inverse, root = _inverse_and_root(gram(a), a.dtype)
            self._u = np.matmul((self._std * root).astype(a.dtype), normals)
        return self._u

    def adjoint(self, delta: FloatArray, squares: Float64Array) -> FloatArray:
        """W^T delta."""
        a, u = self._a, self._u
        fresh: FloatArray = self._streams.standard_normal(a.shape, a.dtype)
        if a.shape[1] == 1:
            # The k = 1 case of the formula, with numbers in place of matrices.
            size = self._std * np.sqrt(squares)
            along = row_dot(delta, u) - size * row_dot(fresh, a)
            along = np.divide(along, self._squares, out=np.zeros_like(along), where=self._squares > 0)
            fresh *= column(size, a)
            fresh += column(along, a) * a
            return fresh
        _, root = _inverse_and_root(gram(delta), a.dtype)
        fresh = np.matmul((self._std * root).astype(a.dtype), fresh)
        known = np.matmul(delta, np.swapaxes(u, -1, -2), dtype=np.float64)
        already = np.matmul(fresh, np.swapaxes(a, -1, -2), dtype=np.float64)
        fresh += np.matmul(((known - already) @ self._inverse).astype(a.dtype), a)
        return fresh


def _inverse_and_root(k: Float64Array, dtype: np.dtype) -> tuple[Float64Array, Float64Array]:
    r"""Generalised inverse K^+ and root C with C C^T = K, for semidefinite K of shape (networks, k, k).

    Cholesky's recursion with pivoting, over the whole tile at once: each step takes the row farthest from the span of
    the rows before it, so that rounding is not magnified. Where every row left lies in that span, what remains is
    rounding noise: those columns of C, and those rows and columns of K^+, are exactly 0. Then a^T K^+ a is the
    orthogonal projector on the span, which is all that K^+ is used for.
    """
    networks, size, _ = k.shape
    # Signals carry a relative error of some eps, so a squared distance of less than (8 eps)^2 of the row's own square
    # is no information.
    floor = max((8 * float(np.finfo(dtype).eps)) ** 2, 64 * size * float(np.finfo(np.float64).eps))
    each = np.arange(networks)
    square = np.einsum("nii->ni", k).copy()
    left = k.copy()
    root = np.zeros_like(k)
    combination = np.zeros_like(k)  # row j: the coefficients on the rows of a that make the j-th orthonormal vector
    for j in range(size):
        distance = np.einsum("nii->ni", left)
        relative = np.divide(distance, square, out=np.zeros_like(square), where=square > 0)
        row = relative.argmax(axis=1)
        fresh = relative[each, row] > floor
        scale = np.where(fresh, 1.0, 0.0) / np.sqrt(np.where(fresh, distance[each, row], 1.0))
        column = left[each, :, row] * scale[:, None]
        own = -np.matmul(root[each, row][:, None, :j], combination[:, :j])[:, 0]
        own[each, row] += 1.0
        combination[:, j] = own * scale[:, None]
        root[:, :, j] = column
        left -= column[:, :, None] * column[:, None, :]
        # What was taken is in the span by definition, whatever rounding says.
        left[each, row, :] = left[each, :, row] = 0.0
    return np.matmul(np.swapaxes(combination, -1, -2), combination), root


# ---- Haar matrices ---------------------------------------------------------------------------------------------------


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


# ---- extremes --------------------------------------------------------------------------------------------------------


_FAR = 64
_NEARER = 40  # an activation that is a line from 2^-64 to 2^-40 is taken to be one below, and likewise above
_AGREEMENT = 1e-9  # below float32's rounding; the next term of phi is smaller by a factor 2^-40 already


@dataclass(frozen=True, slots=True)
class Extremes:
    """What becomes of a scale 2^e beyond 2^-64 or 2^64.

    ``small``: phi is a line through 0 on either side (tanh, GELU), so the scale below 2^-64 passes through it. ``large``:
    it becomes a line (GELU, ELU) and the scale beyond 2^64 passes. ``flat``: it becomes constant (tanh), and any scale
    beyond 2^64 gives the same.
    """

    small: bool
    large: bool
    flat: bool

    def split(self, exponent: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Part of the exponent at which phi is evaluated, and the part that passes through."""
        low = -_FAR if self.small else None
        high = _FAR if self.large or self.flat else None
        within = exponent if low is None and high is None else np.clip(exponent, low, high)
        past = exponent - within
        return within, np.minimum(past, 0) if self.flat else past


@lru_cache(maxsize=256)
def extremes(phi: Activation) -> Extremes:
    """Probe an activation on both sides of 0, near and far from it, in float64."""
    z = np.array([side * 2.0**power for power in (-_NEARER, -_FAR, _NEARER, _FAR) for side in (1, -1)])
    with np.errstate(all="ignore"):
        a = phi(z)
        ratio = a / z
        nearer, tiny, far, farther = ratio.reshape(4, 2)
        small = bool(phi(np.zeros(1))[0] == 0 and _same(nearer, tiny).all())
        line = _same(far, farther) & (far != 0)
        flat = _same(a[4:6], a[6:8])
    if not np.isfinite(a).all():
        line = flat = np.zeros(2, dtype=bool)
    return Extremes(small=small, large=bool((line | flat).all() and line.any()), flat=bool(flat.all()))


def _same(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    # Relative: z^2 has slopes that are all near 0, and is no line.
    return np.asarray(np.abs(first - second) <= _AGREEMENT * np.abs(first))
