"""The audit itself: calls, parts, verdict, cause."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from varprop._arguments import checked, quoted
from varprop._typing import RNGLike
from varprop.model.initializers import Initializer, InitializerLike, as_initializer
from varprop.model.laws import Custom, Fans, Orthogonal, Scaled
from varprop.numerics.randomness import generator_of
from varprop.verification.audit.causes import Explanation, Unexplained, explain, fans_of, hypotheses, verdict_on
from varprop.verification.audit.drawing import Draws, Fault, all_alike, bound, draw, name_of, new_numbers, symmetry
from varprop.verification.audit.parts import (
    calls_needed,
    constancy,
    constant_value,
    flattened,
    independence,
    known_kurtosis,
    kurtosis_of,
    moments_and_law,
    orthogonal_parts,
    repeats,
)
from varprop.verification.audit.result import ALPHA, DISTANCE, MARGIN, Audit, Limits, Part

N_DRAWS = 10**6
"""Single weights that are drawn unless told otherwise: the standard error of a normal law's variance is then 0.14 %."""

MOST_BY_DEFAULT = 4 * 10**6
"""Of orthogonal matrices, if a verdict takes more than 10^6."""

ENOUGH_OF_A_CONSTANT = 10**4
"""Single weights of a law that leaves nothing to chance."""


@checked
def audit(
    initializer: Callable[..., Any] | Initializer,
    shape: int | tuple[int, ...],
    *,
    law: InitializerLike,
    fan_in: int | None = None,
    fan_out: int | None = None,
    groups: int = 1,
    n_draws: int | None = None,
    margin: float = MARGIN,
    distance: float = DISTANCE,
    alpha: float = ALPHA,
    rng: RNGLike,
) -> Audit:
    """Hold what an initialiser returns against the law that it claims, and name the likeliest cause if they differ.

    Parameters
    ----------
    initializer : callable
        Takes a shape and returns an array of that shape: of NumPy, or whatever makes one (tensors of PyTorch, arrays of
        JAX). If it has a parameter ``rng`` it is given a generator; else its randomness is its own. An `Initializer` too.
    shape : int or tuple of int
        Shape of the weights that are asked for.
    law : Initializer, str or mapping
        The law that it claims, such as ``"he_normal"``; of a sampler of one's own the variance has to be stated.
    fan_in, fan_out : int, optional
        Fans of the layer. Unless given, those of a matrix (fan_out, fan_in), or of an array (channels out, channels in of
        a group, kernel sizes) with as many positions as the kernel has.
    groups : int, default 1
        Of a grouped convolution; a unit sees the channels of one.
    n_draws : int, optional
        Number of single weights, 10^6 unless given, of a constant law at most 10^4, of an orthogonal law up to 4 10^6 where
        a verdict takes them. Two arrays are drawn at least; if they have more, random rows of them are looked at.
    margin : float, default 0.02
        Largest departure of the variance, relative, and of the mean, in standard deviations, that counts as agreement.
        1 % in the standard deviation is 2 % here.
    distance : float, default 0.05
        Largest Kolmogorov distance from the law that counts as agreement.
    alpha : float, default 1e-6
        Bound on the probability that the verdict is false, and that a cause is named that is not there.
    rng : int, SeedSequence, Generator or None
        Randomness of the audit, and of an initialiser that takes it.

    Returns
    -------
    Audit
        ``verdict``, ``cause`` and ``note``; ``to_frame()`` has all parts, and ``str()`` tells all of it.

    Raises
    ------
    ValueError
        If the shape, a fan or a number is out of range, the law has no variance that is known, or no fourth moment, or
        the law of single weights cannot be tested. If numbers in half precision come back.
    TypeError
        If the initialiser cannot be called, or returns something other than an array of real numbers.

    Notes
    -----
    Single weights are the replicates where they are independent, and that is tested too; the array is the replicate for
    what repeats between calls. The verdict is *supported* if mean, variance and distribution are each shown to lie within
    their margins, at level alpha, and nothing speaks against the law that has no margin: bounds, a symmetry that the author of
    the law declares, arrays that come again, as they were or in another order, a stream with a period, matrices that are
    their own transpose, lines that are alike, and dependence. It is *refuted* if one part is shown to lie outside, at level
    alpha over their number.

    A cause is named for a refuted law only: where a part shows it by itself, as numbers that come again do; else if its own
    prediction (another variance, and a shape of distribution, for this law, shape and fans) passes the tests of mean,
    variance and distribution that the law failed, at level alpha over the number of predictions. Where two predict the same, as
    fan_in and fan_out do for square matrices, the note has both.

    Of orthogonal laws, whose entries depend on each other, orthogonality is tested, and a list of departures from the uniform
    (Haar) law is gone through. *Supported* means that no departure of the list was found; with fewer matrices than the list takes
    the verdict is inconclusive, with the number that would do.

    Examples
    --------
    >>> def he_with_the_wrong_fan(shape, rng):
    ...     return rng.normal(0.0, (2 / shape[0]) ** 0.5, shape)
    >>> result = audit(he_with_the_wrong_fan, (64, 100), law="he_normal", n_draws=400_000, rng=1)
    >>> result.verdict, result.cause
    ('refuted', 'fan_out_used')
    """
    stated = as_initializer(law)
    asked = _checked_shape(shape)
    limits = Limits(margin=margin, distance=distance, alpha=alpha)
    n = _whole("n_draws", _default(stated, asked) if n_draws is None else n_draws, least=2)
    of_groups = _whole("groups", groups, least=1)
    fans = fans_of(asked, fan_in, fan_out, groups=of_groups, needed=_depends_on_fans(stated))
    _check_law(stated, fans, asked)
    generator = generator_of(rng)
    constant = constant_value(stated, fans) is not None
    if constant:
        n = min(n, ENOUGH_OF_A_CONSTANT)
    drawn = draw(bound(initializer, fans, generator), asked, n_draws=n, law=stated, rng=generator)
    if isinstance(drawn, Fault):
        calls, looked_at = drawn.calls, drawn.calls * math.prod(asked)
        kurtosis = math.nan
        parts: tuple[Part, ...] = (Part.certain(drawn.part, holds=False, note=drawn.note),)
        explanation = Explanation(drawn.cause, drawn.note)
    else:
        calls, looked_at = len(drawn.arrays), drawn.arrays.size
        kurtosis = math.nan if constant else kurtosis_of(drawn.arrays, stated.mean(*fans))
        parts = _parts(drawn, stated, fans, limits, generator)
        question = Unexplained(arrays=drawn.arrays, law=stated, fans=fans, limits=limits)
        explanation = explain(question, parts, hypotheses(stated, asked, fans, of_groups))
    return Audit(
        initializer=name_of(initializer),
        law=stated.label,
        shape=asked,
        fans=fans,
        n_draws=looked_at,
        n_calls=calls,
        margin=margin,
        alpha=alpha,
        parts=parts,
        candidates=explanation.candidates,
        verdict=verdict_on(parts, alpha),
        cause=explanation.cause,
        note=explanation.note,
        kurtosis=kurtosis,
        law_kurtosis=known_kurtosis(stated, fans),
    )


def _parts(drawn: Draws, law: Initializer, fans: Fans, limits: Limits, rng: np.random.Generator) -> tuple[Part, ...]:
    """Everything that there is to be said for or against the law; one part alone where the others would mean nothing."""
    arrays = drawn.arrays
    value = constant_value(law, fans)
    if value is not None:
        return (constancy(arrays, value),)
    if arrays.min() == arrays.max():
        return (all_alike(arrays, law, limits.alpha),)
    repeated = repeats(arrays, law, limits.alpha)
    if repeated is not None and repeated.p_refute == 0.0:
        return (repeated,)
    calls = [] if repeated is None else [repeated]
    if isinstance(law.law, Orthogonal):
        return (*calls, *orthogonal_parts(flattened(arrays, law.law.gain), law.law, limits.alpha))
    depends = independence(arrays, margin=limits.margin, rng=rng)
    anew = new_numbers(drawn, law, limits.alpha, rng)
    return (*moments_and_law(arrays, law, fans, limits), *symmetry(arrays, law), *calls, *anew, depends)


def _default(law: Initializer, shape: tuple[int, ...]) -> int:
    """Number of single weights where none is given: of matrices as many more as support the law, within reason."""
    if not isinstance(law.law, Orthogonal) or len(shape) < 2:
        return N_DRAWS
    needed = calls_needed(shape) * math.prod(shape)
    return max(N_DRAWS, needed) if needed <= MOST_BY_DEFAULT else N_DRAWS


def _depends_on_fans(law: Initializer) -> bool:
    match law.law:
        case Scaled(mode=None):
            return False
        case Scaled() | Orthogonal():
            return True
        case Custom(variance=variance):
            return callable(variance)
    return False


def _check_law(law: Initializer, fans: Fans, shape: tuple[int, ...]) -> None:
    """Refuse a law that cannot be tested."""
    variance = law.variance(*fans)  # raises where a sampler of one's own has none stated
    if isinstance(law.law, Scaled) and variance > 0 and law.kurtosis(*fans) == math.inf:
        msg = f"{law.label} has no fourth moment, so that its variance cannot be tested; take more than 4 degrees of freedom"
        raise ValueError(msg)
    if isinstance(law.law, Custom) and variance == 0:
        msg = f"{law.label} is stated to have variance 0; write the law as constant(value=...)"
        raise ValueError(msg)
    if isinstance(law.law, Orthogonal) and len(shape) < 2:
        msg = f"an orthogonal law is one of matrices, got shape {shape}"
        raise ValueError(msg)


def _checked_shape(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if not sizes or any(isinstance(size, bool) or not isinstance(size, numbers.Integral) or size < 1 for size in sizes):
        msg = f"shape must be one or more positive integers, got {quoted(shape)}; write for example (64, 128)"
        raise ValueError(msg)
    return tuple(int(size) for size in sizes)


def _whole(name: str, value: int, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        msg = f"{name} must be an integer >= {least}, got {quoted(value)}"
        raise ValueError(msg)
    return int(value)
