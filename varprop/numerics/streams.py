"""Random streams: one per block of networks, fixed by the seed and by what is sampled, and by nothing else."""

from __future__ import annotations

import hashlib
import numbers
import reprlib
from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from varprop._typing import RNGLike

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
