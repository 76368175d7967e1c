"""Signals, with a scale of their own so that none is lost, and the streams of random numbers that a tile is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from varprop._typing import Float64Array, FloatArray
from varprop.numerics.randomness import SOURCES, NormalsName

_CHUNK = 1024  # float32 products are summed in float32 over this many units at most, beyond that in float64
_SAFE = 60  # a mean square between 2^-60 and 2^60 leaves room for squares and sums in float32
_LOW, _HIGH = 2.0**-_SAFE, 2.0**_SAFE


class SignalRangeError(ValueError):
    """A layer's signal left the range that the number type can hold."""


class Signal:
    """Vectors of shape (networks, inputs, units), known up to a power of two for each network.

    The true vectors are ``values * 2**exponent``; ``exponent`` is None where it is 0 for every network, which is
    the usual case. Chaotic and dying networks leave the range of float32 within tens of layers; what is linear or
    positively homogeneous does not mind the scale, so it is carried beside the values.
    ``squares`` holds the sums of squares over units of ``values``, shape (networks, inputs), in float64.
    """

    __slots__ = ("_sums", "exponent", "squares", "values")

    def __init__(self, values: FloatArray, exponent: NDArray[np.int64] | None = None) -> None:
        self.values = values
        self.exponent = exponent
        # An overflow shows in the mean; `propagate` keeps NumPy from warning of it.
        self.squares = row_dot(values, values)
        self._sums: Float64Array | None = None
        # Two numbers for the whole tile, since this runs for every signal. NaN fails the comparison, as it should, and
        # a dead network or input is looked at more closely.
        if not (self.squares.min() / self.units > _LOW and self.squares.max() / self.units < _HIGH):
            self._renormalise()

    @property
    def units(self) -> int:
        """Number of units."""
        return int(self.values.shape[-1])

    def _renormalise(self) -> None:
        """Bring every network's largest entry near 1 by a power of two (exact); leave dead networks as they are."""
        largest = np.abs(self.values).max(axis=(1, 2)).astype(np.float64)
        if not np.isfinite(largest).all():
            msg = (
                f"a signal overflowed {self.values.dtype} within one layer; "
                "use dtype='float64', fewer layers or smaller weights"
            )
            raise SignalRangeError(msg)
        power = np.frexp(largest)[1].astype(np.int64)
        power[(largest == 0) | (np.abs(power) < _SAFE // 2)] = 0
        if power.any():
            # Two steps: 2**-power itself may be out of the type's range where the values are denormal.
            half = -power // 2
            self.values = np.ldexp(np.ldexp(self.values, half[:, None, None]), (-power - half)[:, None, None])
            self.exponent = power if self.exponent is None else self.exponent + power
            self.squares = row_dot(self.values, self.values)

    def true_values(self, what: str) -> FloatArray:
        """Return the vectors at their true scale; refuse where the number type cannot hold them."""
        if self.exponent is None:
            return self.values
        # 24 binary digits below the largest entry must still be normal numbers.
        if self._scales().min(initial=0) < np.finfo(self.values.dtype).minexp + 24:
            raise SignalRangeError(self._beyond(what, "vanished below"))
        return self._at_scale(what)

    def plus(self, addend: FloatArray, what: str) -> Signal:
        """Return the signal with numbers of the usual scale added to it."""
        if self.exponent is None:
            return Signal(self.values + addend)
        # A signal too small for the type lies below the last digit of what it is added to, unless that is nothing.
        total = self._at_scale(what) + addend
        if ((np.abs(total).max(axis=(1, 2)) == 0) & (self.squares.max(axis=1) > 0)).any():
            raise SignalRangeError(self._beyond(what, "vanished below"))
        return Signal(total)

    def _scales(self) -> NDArray[np.int64]:
        """Return the exponents of the networks that are alive."""
        exponent = np.zeros(len(self.values), dtype=np.int64) if self.exponent is None else self.exponent
        alive: NDArray[np.int64] = exponent[self.squares.max(axis=1) > 0]
        return alive

    def _at_scale(self, what: str) -> FloatArray:
        """Return the vectors at their true scale, where what is too small becomes 0."""
        if self._scales().max(initial=0) > np.finfo(self.values.dtype).maxexp - 2:
            raise SignalRangeError(self._beyond(what, "grew beyond"))
        true: FloatArray = self.values if self.exponent is None else np.ldexp(self.values, self.exponent[:, None, None])
        return true

    def _beyond(self, what: str, did: str) -> str:
        return (
            f"{what}: the signal {did} what {self.values.dtype} can hold, and its scale cannot be set aside here; "
            "use dtype='float64' or fewer layers"
        )

    def mean(self) -> Float64Array:
        """Mean over units, shape (networks, inputs), at the true scale."""
        return scaled(self._sum() / self.units, self.exponent, 1)

    def second_moment(self) -> Float64Array:
        """Mean square over units, shape (networks, inputs), at the true scale."""
        return scaled(self.squares / self.units, self.exponent, 2)

    def variance(self) -> Float64Array:
        """Variance over units with ddof 1, shape (networks, inputs), at the true scale; needs two units."""
        spread = self.squares - self._sum() ** 2 / self.units
        # Where the mean dominates, the difference of sums loses digits: those rows are centred first.
        lossy = 10 * spread < self.squares
        if lossy.any():
            rows = self.values[lossy].astype(np.float64)
            spread[lossy] = np.square(rows - rows.mean(axis=-1, keepdims=True)).sum(axis=-1)
            # The mean of equal numbers may be rounded, and their variance is 0 all the same.
            spread[lossy] *= (rows != rows[..., :1]).any(axis=-1)
        return scaled(spread / (self.units - 1), self.exponent, 2)

    def _sum(self) -> Float64Array:
        """Sums over units of ``values``, made once for mean and variance."""
        if self._sums is None:
            self._sums = row_sum(self.values)
        return self._sums


def scaled(value: Float64Array, exponent: NDArray[np.int64] | None, power: int) -> Float64Array:
    """Return ``value * 2**(power * exponent)``, shape (networks, inputs); refuse what float64 cannot hold."""
    if exponent is None:
        return value
    with np.errstate(over="ignore"):  # looked for in the next line
        true = np.ldexp(value, (power * exponent)[:, None])
    if not np.isfinite(true).all() or ((true == 0) & (value != 0)).any():
        msg = "a recorded quantity left the range of float64 (1e-308 to 1e308); use fewer layers or other weights"
        raise SignalRangeError(msg)
    return true


def row_dot(a: FloatArray, b: FloatArray) -> Float64Array:
    """Inner products over the last axis, in float64; float32 sums never run over more than 1,024 units.

    By einsum and not by BLAS: its order of summation is NumPy's own, so that a sample does not depend on which kernel
    a BLAS library picks for this processor. It costs a few hundredths of the time of a run.
    """
    return _in_chunks("nki,nki->nk", a, b)


def row_sum(a: FloatArray) -> Float64Array:
    """Sums over the last axis in float64, likewise."""
    return _in_chunks("nki->nk", a)


def _in_chunks(subscripts: str, *operands: FloatArray) -> Float64Array:
    units = operands[0].shape[-1]
    if units <= _CHUNK:
        whole: Float64Array = np.einsum(subscripts, *operands).astype(np.float64)
        return whole
    parts = range(0, units, _CHUNK)
    total = [np.einsum(subscripts, *(operand[..., start : start + _CHUNK] for operand in operands)) for start in parts]
    sums: Float64Array = np.sum(total, axis=0, dtype=np.float64)
    return sums


def row_count(mask: NDArray[np.bool_]) -> Float64Array:
    """Number of True over the last axis (the cast and sum beat count_nonzero along an axis by two)."""
    return row_sum(mask.astype(np.float32))


def column(per_row: Float64Array, like: FloatArray) -> FloatArray:
    """(networks, inputs) as (networks, inputs, 1), in the dtype of the signal it multiplies."""
    rows: FloatArray = per_row[..., None].astype(like.dtype)
    return rows


def gram(values: FloatArray) -> Float64Array:
    """Inner products of all pairs of inputs, shape (networks, inputs, inputs), in float64."""
    wide: Any = values.astype(np.float64, copy=False)
    return np.asarray(np.matmul(wide, np.swapaxes(wide, -1, -2)), dtype=np.float64)


# ---- streams ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Streams:
    """The block's random stream, how normals are made of it, and whether every weight matrix is drawn in full."""

    rng: np.random.Generator
    dense: bool
    normals: NormalsName = "box-muller"

    def standard_normal(self, shape: tuple[int, ...], dtype: DTypeLike) -> FloatArray:
        """Draw independent N(0, 1) numbers."""
        return SOURCES[self.normals](self.rng, shape, np.dtype(dtype))
