"""Random numbers: generators of seeds and blocks, and standard normal draws by Box-Muller or NumPy's ziggurat."""

from __future__ import annotations

import hashlib
import math
import numbers
import reprlib
from collections.abc import Callable, Sequence
from typing import Literal, NoReturn

import numpy as np

from varprop._arguments import quoted
from varprop._typing import FloatArray, RNGLike

NormalsName = Literal["box-muller", "ziggurat"]
NormalSource = Callable[[np.random.Generator, tuple[int, ...], np.dtype], FloatArray]
"""From a generator, a shape and a dtype (float32 or float64) to independent N(0, 1) numbers."""

_PAIRS = 2**14
"""Pairs that are made at once: their uniforms, normals and angles take 320 kB, which an L2 cache holds."""

# The largest factor with which a rounded 32-bit integer stays below 1, so that a radius is never 0; likewise for 53 bits.
_UNIT32 = np.float32(2.0**-32 * (1 - 2.0**-24))
_ANGLE32 = np.float32(math.pi * 2.0**-31)
_WORDS_OF_64_BITS = (np.random.SFC64, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox)
_UNIT64, _ANGLE64 = 2.0**-53, math.pi * 2.0**-63


def box_muller(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> FloatArray:
    r"""Draw standard normal numbers by the Box-Muller transform, in blocks that stay in cache.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of 64-bit words: one for two normals in float32, two in float64. NumPy's SFC64, PCG64, PCG64DXSM or
        Philox; MT19937 makes words of 32 bits.
    shape : tuple of int
        Shape of the result.
    dtype : numpy.dtype
        float32 or float64.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError
        If the dtype or the bit generator is another one.

    Notes
    -----
    With u and t independent and uniform, :math:`\sqrt{-2\log u}\,(\cos 2\pi t, \sin 2\pi t)` is a pair of independent
    standard normals (Box & Muller 1958). NumPy evaluates log, sqrt, sin and cos of float32 arrays with vector
    instructions, so a normal costs about a quarter of the ziggurat's, whose loop has a branch for each.

    In float32, u is an odd multiple of 2^-32 rounded to 24 bits and kept below 1. The radius therefore lies between
    3.5e-4 and 6.660, the true law's share outside being 6e-8 and 2.3e-10, and no normal exceeds 6.660 in absolute value
    (the law gives that 2.7e-11). Tail probabilities are those of the normal law to 1e-5 of themselves up to 5, and to 3e-3
    up to 6. In float64, u has 53 bits and the bound is 8.57; there NumPy's sin and cos use no vector instructions
    on most processors, and the ziggurat is the faster one.

    Examples
    --------
    >>> rng = np.random.Generator(np.random.SFC64(1))
    >>> draws = box_muller(rng, (1000, 100), np.dtype(np.float32))
    >>> abs(float(draws.mean())) < 0.02, abs(float(draws.var()) - 1) < 0.03
    (True, True)
    """
    if dtype not in (np.float32, np.float64):
        msg = f"normals are drawn in float32 or float64, got {dtype}"
        raise TypeError(msg)
    if not isinstance(rng.bit_generator, _WORDS_OF_64_BITS):
        msg = f"box_muller takes generators of 64-bit words such as SFC64, got {type(rng.bit_generator).__name__}"
        raise TypeError(msg)
    size = math.prod(shape)
    out: FloatArray = np.empty(size + size % 2, dtype)
    fill = _fill32 if dtype == np.float32 else _fill64
    pairs = min(_PAIRS, len(out) // 2)
    scratch = np.empty(pairs, dtype)
    for start in range(0, len(out), 2 * _PAIRS):
        part = out[start : start + 2 * _PAIRS]
        half = len(part) // 2
        fill(rng, part[:half], part[half:], scratch[:half])
    return out[:size].reshape(shape)


def _fill32(rng: np.random.Generator, first: FloatArray, second: FloatArray, angle: FloatArray) -> None:
    """Fill two halves with the coordinates of points whose radius and angle come from 32 bits each."""
    bits = rng.bit_generator.random_raw(len(first)).view(np.uint32)
    radius_bits, angle_bits = bits[: len(first)], bits[len(first) :]
    radius_bits |= np.uint32(1)  # never 0
    first[:] = radius_bits
    first *= _UNIT32
    angle[:] = angle_bits.view(np.int32)  # signed, which every processor converts by vector instructions
    angle *= _ANGLE32
    _to_plane(first, second, angle)


def _fill64(rng: np.random.Generator, first: FloatArray, second: FloatArray, angle: FloatArray) -> None:
    """Do likewise with 53 bits for the radius and 64 for the angle."""
    first[:] = (rng.bit_generator.random_raw(len(first)) >> np.uint64(11)) | np.uint64(1)
    first *= _UNIT64
    angle[:] = rng.bit_generator.random_raw(len(first)).view(np.int64)
    angle *= _ANGLE64
    _to_plane(first, second, angle)


def _to_plane(first: FloatArray, second: FloatArray, angle: FloatArray) -> None:
    """Turn uniforms (in ``first``) and angles into coordinates, in place."""
    np.log(first, out=first)
    first *= -2
    np.sqrt(first, out=first)
    np.sin(angle, out=second)
    second *= first
    np.cos(angle, out=angle)
    first *= angle


def ziggurat(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> FloatArray:
    """Draw standard normal numbers by NumPy's own method.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source.
    shape : tuple of int
        Shape of the result.
    dtype : numpy.dtype
        float32 or float64.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError
        If the dtype is another one.

    Examples
    --------
    >>> ziggurat(np.random.default_rng(1), (2, 3), np.dtype(np.float64)).shape
    (2, 3)
    """
    drawn: FloatArray = rng.standard_normal(shape, dtype=dtype.type)
    return drawn


SOURCES: dict[NormalsName, NormalSource] = {"box-muller": box_muller, "ziggurat": ziggurat}


def choose_normals(name: str, dtype: str) -> NormalsName:
    """Resolve the name of a source; "auto" is the faster one for the dtype, whatever the machine.

    Parameters
    ----------
    name : str
        "auto", "box-muller" or "ziggurat".
    dtype : str
        "float32" or "float64".

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the name is another one.

    Examples
    --------
    >>> choose_normals("auto", "float32"), choose_normals("auto", "float64")
    ('box-muller', 'ziggurat')
    """
    if name == "auto":
        return "box-muller" if dtype == "float32" else "ziggurat"
    for known in SOURCES:
        if name == known:
            return known
    msg = f"normals must be 'auto', 'box-muller' or 'ziggurat', got {quoted(name)}"
    raise ValueError(msg)


# ---- streams ---------------------------------------------------------------------------------------------------------


DRAWS_VERSION = 2
"""Raised whenever an old seed gives new numbers, last digits aside; every such change stands in the changelog under *Changed draws*."""

_BLOCKS, _INPUTS, _MODELS, _TEACHERS = 0, 1, 2, 3  # first word of a stream's spawn key: what it is for
_MOST_WORDS, _MOST_BITS = 1024, 4096  # of a seed; a longer one is a slip, such as a range


def root_sequence(rng: RNGLike) -> np.random.SeedSequence:
    """Return the seed sequence from which every stream of one simulation is spawned.

    Parameters
    ----------
    rng : None, int, sequence of int, SeedSequence, BitGenerator or Generator
        None takes fresh entropy from the system. From a generator 128 bits are drawn, so that two calls with the
        same generator are independent.

    Returns
    -------
    numpy.random.SeedSequence

    Raises
    ------
    TypeError
        If ``rng`` is something else.
    ValueError
        If a number is negative, or has more than 4,096 bits.

    Examples
    --------
    >>> root_sequence(7).entropy
    7
    """
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator | np.random.BitGenerator):
        words = np.random.default_rng(rng).integers(2**32, size=4, dtype=np.uint32)
        return np.random.SeedSequence([int(word) for word in words])
    if rng is None:
        return np.random.SeedSequence()
    if isinstance(rng, Sequence) and not isinstance(rng, str | bytes):
        return np.random.SeedSequence(
            [_word(word, rng) for word in rng] if 1 <= len(rng) <= _MOST_WORDS else _refuse(rng)
        )
    return np.random.SeedSequence(_word(rng, rng))


def generator_of(rng: RNGLike) -> np.random.Generator:
    """Return ``numpy.random.default_rng(rng)`` for what `root_sequence` takes; a generator is itself, and goes on.

    Parameters and errors are those of `root_sequence`. What NumPy would read as a seed beside these is refused: no word at all,
    and nested lists, of which one that contains itself ends the process.
    """
    if isinstance(rng, np.random.Generator | np.random.BitGenerator):
        return np.random.default_rng(rng)
    return np.random.default_rng(root_sequence(rng))


def _word(word: object, rng: object) -> int:
    """One number of a seed."""
    if isinstance(word, numbers.Integral) and not isinstance(word, bool):
        number = int(word)
        if not 0 <= number < 2**_MOST_BITS:
            came = number if abs(number) < 2**63 else f"one of {number.bit_length()} bits"
            msg = f"rng must be a number from 0 to 2^{_MOST_BITS} - 1, got {came}"
            raise ValueError(msg)
        return number
    return _refuse(rng)


def _refuse(rng: object) -> NoReturn:
    # No word at all would be a seed too, and a text would be read as a number.
    came = (
        f"{type(rng).__name__} of length {len(rng)}"
        if isinstance(rng, Sequence) and len(rng) > _MOST_WORDS
        else reprlib.repr(rng)
    )
    msg = f"rng must be an integer seed, or several, a SeedSequence, a Generator or None, got {came}; write for example rng=1"
    raise TypeError(msg)


def block_generator(root: np.random.SeedSequence, content: Sequence[int], block: int) -> np.random.Generator:
    """Return the stream of one block of networks; ``content`` is what the samples are keyed by, as 32-bit words."""
    return _generator(root, (_BLOCKS, *content, block))


def input_generator(root: np.random.SeedSequence) -> np.random.Generator:
    """Return the stream of random inputs, the same for every network and configuration."""
    return _generator(root, (_INPUTS,))


def teacher_generator(root: np.random.SeedSequence) -> np.random.Generator:
    """Return the stream of what networks are trained to compute, the same for every network and configuration."""
    return _generator(root, (_TEACHERS,))


def model_seeds(root: np.random.SeedSequence, network: int) -> tuple[int, int]:
    """Return two 64-bit seeds for one network that another framework builds: for the framework, and for what we draw."""
    child = np.random.SeedSequence(
        root.entropy, spawn_key=(*root.spawn_key, _MODELS, network), pool_size=root.pool_size
    )
    first, second = child.generate_state(2, np.uint64).tolist()
    return first, second


def named_generator(*names: str) -> np.random.Generator:
    """Return a stream that depends on a list of texts alone, such as a seed and a purpose."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(list(digest))))


def _generator(root: np.random.SeedSequence, key: tuple[int, ...]) -> np.random.Generator:
    # The same child that root.spawn() would give at this path, without having to spawn its elder siblings.
    child = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *key), pool_size=root.pool_size)
    return np.random.Generator(np.random.SFC64(child))
