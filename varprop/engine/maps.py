"""Linear maps: a weight matrix as the engine sees it, through W a (once) and then W^T delta (once)."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from varprop._typing import Float64Array, FloatArray
from varprop.engine.signal import column, gram, row_dot
from varprop.engine.streams import Streams
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
