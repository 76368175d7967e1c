"""Looks on a ladder that is fixed before the first one: how many networks each has, and what share of alpha.

Whoever looks, samples more and looks again at the same level is wrong the more often the more he looks. Here the k-th look
takes four times as many networks as the one before, and its share of alpha is fixed with its place: .8, .1, .05, and so on,
1 in all. By the union bound the chance that any look is wrong is then at most alpha, whatever makes one go on, whatever
rungs are left out, and whatever the tests are. That holds only for sizes fixed beforehand: a size that the data suggest is
one of many, and its share would have to be divided among all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from varprop._limits import MAX_NETWORKS

STEP = 4
"""Times as many networks on each rung as on the one before: a look that follows soon on another tells little that is new."""
FIRST_SHARE = 0.8
"""Of alpha, for the look that most studies leave it at: it costs 4 to 13 % more networks than all of alpha would."""
_FURTHER = 0.2
"""Of alpha, for all others."""


def share(rung: int) -> float:
    """Return the share of alpha that verdicts on a rung have.

    Parameters
    ----------
    rung : int
        Counted from 1.

    Returns
    -------
    float
        .8 of the first, and of what is left half for each further one: .1, .05, .025.

    Raises
    ------
    ValueError
        If the rung is less than 1.

    Examples
    --------
    >>> [share(rung) for rung in (1, 2, 3)]
    [0.8, 0.1, 0.05]
    """
    if rung < 1:
        msg = f"rungs are counted from 1, got {rung}"
        raise ValueError(msg)
    return FIRST_SHARE if rung == 1 else _FURTHER / 2.0 ** (rung - 1)


def size(first: int, rung: int) -> int:
    """Return the number of networks on a rung.

    Parameters
    ----------
    first : int
        Networks of the first look, >= 1.
    rung : int
        Counted from 1.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If either is less than 1.

    Examples
    --------
    >>> [size(200, rung) for rung in (1, 2, 3)]
    [200, 800, 3200]
    """
    if first < 1 or rung < 1:
        msg = f"a ladder has a first look of one network or more and rungs from 1 on, got {first} and rung {rung}"
        raise ValueError(msg)
    return int(first * STEP ** (rung - 1))


def rung_of(first: int, networks: int) -> int:
    """Return the highest rung that so many networks reach.

    Parameters
    ----------
    first : int
        Networks of the first look, >= 1.
    networks : int
        Of the sample.

    Returns
    -------
    int
        0 if there are fewer than at the first look.

    Examples
    --------
    >>> [rung_of(200, networks) for networks in (100, 200, 799, 1000)]
    [0, 1, 1, 2]
    """
    rung = 0
    while size(first, rung + 1) <= networks:
        rung += 1
    return rung


def above(first: int, rung: int) -> Iterator[tuple[int, int]]:
    """Yield the rungs above one, and how many networks each has, as far as anybody samples.

    Parameters
    ----------
    first : int
        Networks of the first look, >= 1.
    rung : int
        From 0 on; of 0 the first rung follows.

    Yields
    ------
    rung, networks : int

    Examples
    --------
    >>> list(above(10**8, 1))
    [(2, 400000000)]
    """
    while (networks := size(first, rung + 1)) <= MAX_NETWORKS:
        rung += 1
        yield rung, networks
