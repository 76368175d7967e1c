"""The value Initializer, and how one is found by name."""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from varprop._arguments import checked, items_of, quoted
from varprop._typing import Float64Array, FloatArray, RNGLike
from varprop.model import names
from varprop.model.inputs import MAX_NUMBERS, real_array
from varprop.model.laws import (
    ALIASES,
    BUILDERS,
    Constant,
    Custom,
    FanFunction,
    Law,
    Orthogonal,
    Sampler,
    Scaled,
    check_fans,
)
from varprop.model.names import finite_number, not_negative
from varprop.model.shapes import NORMAL, Dtype
from varprop.numerics.randomness import generator_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Initializer:
    """A law for the entries of a weight matrix or a bias vector, which may depend on the fans.

    Parameters
    ----------
    name : str
        Name in tables.
    law : Scaled, Constant, Orthogonal or Custom
        Its distribution, from `varprop.model.laws`.
    parameters : tuple of (str, float or str), optional
        What the law was built from; part of the label.

    Raises
    ------
    ValueError
        If the name is empty.
    TypeError
        If the law is none.

    See Also
    --------
    get_initializer : the built-in laws.
    as_initializer : also takes a sampler of one's own.

    Examples
    --------
    >>> he = get_initializer("he_normal")
    >>> he.variance(fan_in=128, fan_out=64)
    0.015625
    >>> he.sample((64, 128), fan_in=128, fan_out=64, rng=2015).shape
    (64, 128)
    """

    name: str
    law: Law
    parameters: tuple[tuple[str, float | str], ...] = ()

    def __post_init__(self) -> None:
        names.check_name("initializer", self.name)
        if not isinstance(self.law, Law):
            msg = f"law of initializer {quoted(self.name)} must be a law, got {quoted(self.law)}; for a sampler use as_initializer"
            raise TypeError(msg)

    @property
    def label(self) -> str:
        """Name and parameters, as in tables: ``normal(std=0.05)``."""
        return names.label(self.name, self.parameters)

    def describe(self) -> dict[str, Any]:
        """Name and parameters as plain data."""
        return {"name": self.name, "parameters": dict(self.parameters)}

    @property
    def gaussian(self) -> bool:
        """Whether the entries are independent normal with mean 0."""
        return isinstance(self.law, Scaled) and self.law.shape == NORMAL  # not "is": what a worker gets is a copy

    @property
    def symmetric(self) -> bool:
        """Whether flipping the signs of rows and columns is known to leave the law.

        It is of all built-in laws but constants other than 0; of a sampler of one's own it is if its author stated it.
        """
        match self.law:
            case Scaled() | Orthogonal():
                return True
            case Constant(value):
                return value == 0
            case Custom(symmetric=stated):
                return stated

    @property
    def symmetry_declared(self) -> bool:
        """Whether `symmetric` rests on what the author of a sampler states, which `varprop.audit` can hold against its draws."""
        return isinstance(self.law, Custom) and self.law.symmetric

    @property
    def continuous(self) -> bool:
        """Whether a sum of weights times inputs that are not all 0 is known to be 0 with probability 0."""
        match self.law:
            case Scaled(shape, size):
                return shape.continuous and size > 0
            case Orthogonal(gain):
                return gain > 0
            case _:
                return False

    @property
    def iid(self) -> bool:
        """Whether the entries are known to be independent draws of one law."""
        return isinstance(self.law, Scaled | Constant)

    @property
    def batched(self) -> bool:
        """Whether `sample` draws the matrices of many networks in one call; a sampler of one's own makes one."""
        return not isinstance(self.law, Custom)

    @property
    def for_biases(self) -> bool:
        """Whether a vector can be drawn, and not a matrix alone."""
        return not isinstance(self.law, Orthogonal)

    @property
    def has_variance(self) -> bool:
        """Whether the variance is known; of a sampler of one's own it is if it was stated."""
        return not isinstance(self.law, Custom) or self.law.variance is not None

    @checked
    def mean(self, fan_in: int, fan_out: int) -> float:
        """E[w].

        Raises
        ------
        ValueError
            If a fan is not a positive integer, or the law is a sampler of one's own without a stated variance.
        TypeError
            If an argument is of another kind.
        """
        fans = check_fans(fan_in, fan_out)
        match self.law:
            case Scaled() | Orthogonal():
                return 0.0
            case Constant(value):
                return value
            case Custom(mean=mean):
                self.variance(*fans)  # a mean of 0 is taken for granted only where the variance is stated
                return mean

    @checked
    def variance(self, fan_in: int, fan_out: int) -> float:
        """Var(w).

        Raises
        ------
        ValueError
            If a fan is not a positive integer, or the law is a sampler of one's own without a stated variance.
        TypeError
            If an argument is of another kind.
        """
        fans = check_fans(fan_in, fan_out)
        match self.law:
            case Scaled(shape):
                return shape.variance * self.law.scale(fans) ** 2
            case Orthogonal():
                return self.law.variance(fans)
            case Constant():
                return 0.0
            case Custom(variance=None):
                msg = (
                    f"the variance of {quoted(self.name)}, a sampler of one's own, is not known; state it: as_initializer("
                    "sampler, variance=0.01), or variance=lambda fan_in, fan_out: 2 / fan_in"
                )
                raise ValueError(msg)
            case Custom(variance=stated):
                return not_negative("variance", stated(*fans) if callable(stated) else stated)

    @checked
    def kurtosis(self, fan_in: int, fan_out: int) -> float:
        """E[(w - E w)^4] / Var(w)^2, 3 for a normal law; infinite for Student's t of at most 4 degrees of freedom.

        Raises
        ------
        ValueError
            If a fan is not a positive integer, the variance is 0, or the law is a sampler of one's own without a
            stated kurtosis.
        TypeError
            If an argument is of another kind.
        """
        fans = check_fans(fan_in, fan_out)
        match self.law:
            case Custom(kurtosis=None):
                msg = (
                    f"the kurtosis of {quoted(self.name)}, a sampler of one's own, is not known; state it: "
                    "as_initializer(sampler, variance=0.01, kurtosis=3.0)"
                )
                raise ValueError(msg)
            case Custom(kurtosis=float(stated)):
                return stated
            case Scaled(shape) if self.law.scale(fans) > 0:
                return shape.kurtosis
            case Orthogonal(gain) if gain > 0:
                return self.law.kurtosis(fans)
        msg = f"{self.label} has variance 0, and so no kurtosis"
        raise ValueError(msg)

    @checked
    def cdf(self, x: ArrayLike, *, fan_in: int, fan_out: int) -> Float64Array:
        """P(w <= x) of one entry, in the shape of x; a step wherever a single number has a positive probability.

        Raises
        ------
        ValueError
            If a fan is not a positive integer, or the law is a sampler of one's own.
        TypeError
            If an argument is of another kind.
        """
        fans = check_fans(fan_in, fan_out)
        points = real_array(x, "x")
        match self.law:
            case Scaled(shape) if (scale := self.law.scale(fans)) > 0:
                with np.errstate(over="ignore"):  # beyond all numbers the law has nothing
                    return np.asarray(shape.cdf(points / scale))
            case Orthogonal(gain) if gain > 0:
                return self.law.cdf(points, fans)
            case Scaled() | Orthogonal():
                return np.asarray(points >= 0, dtype=np.float64)
            case Constant(value):
                return np.asarray(points >= value, dtype=np.float64)
        msg = f"the distribution function of {quoted(self.name)}, a sampler of one's own, is not known"
        raise ValueError(msg)

    @checked
    def sample(
        self, shape: tuple[int, ...], *, fan_in: int, fan_out: int, rng: RNGLike, dtype: DTypeLike = np.float64
    ) -> FloatArray:
        """Draw an array of weights or biases.

        Parameters
        ----------
        shape : tuple of int
            For weights (..., fan_out, fan_in), for biases (..., fan_out). Without leading axes where `batched` is
            false; orthogonal matrices have one of them at most, and independent entries any shape.
        fan_in, fan_out : int
            Fans of the layer, >= 1; those of the weights for its biases too.
        rng : int, SeedSequence, Generator or None
            Source of randomness; 1 gives what ``numpy.random.default_rng(1)`` does, a generator goes on.
        dtype : float32 or float64, default float64
            Of the result; the built-in laws are drawn in this precision.

        Returns
        -------
        ndarray of that shape and dtype

        Raises
        ------
        ValueError
            If a fan is not a positive integer, the dtype is another, the shape is not one that an orthogonal law or
            a sampler of one's own can draw, or of more than 2^28 numbers, or the sampler returns the wrong shape or
            numbers that are not finite.
        TypeError
            If ``shape`` is no list of integers, or ``rng`` no seed.
        """
        fans = check_fans(fan_in, fan_out)
        kind = _precision(dtype)
        sizes = _sizes(shape)
        generator = generator_of(rng)
        match self.law:
            case Scaled():
                return self.law.shape.sample(sizes, self.law.scale(fans), generator, kind)
            case Orthogonal():
                return self.law.sample(sizes, fans, generator, kind)
            case Constant(value):
                return np.full(sizes, value, kind)
            case Custom():
                return self.law.sample(self.name, sizes, fans, generator).astype(kind, copy=False)


def _precision(dtype: DTypeLike) -> Dtype:
    """The type of numbers to draw."""
    try:
        kind = np.dtype(dtype).type
    except (TypeError, ValueError, RecursionError):  # it is no type at all
        kind = None
    if kind is not np.float32 and kind is not np.float64:
        came = quoted(dtype) if kind is None else np.dtype(dtype)
        msg = f"weights are drawn as float32 or float64, got dtype {came!s:.100}"
        raise ValueError(msg)
    return np.float32 if kind is np.float32 else np.float64


def _sizes(shape: object) -> tuple[int, ...]:
    """A shape as plain numbers, of no more numbers than can be drawn."""
    sizes = items_of("shape", shape, most=32, example="(64, 128)", ordered=True)
    if not all(isinstance(size, numbers.Integral) and not isinstance(size, bool) for size in sizes):
        msg = f"shape must be a list of integers, got {quoted(shape)}; write for example shape=(64, 128)"
        raise TypeError(msg)
    if min(sizes, default=0) < 0 or math.prod(map(int, sizes)) > MAX_NUMBERS:
        msg = f"shape must have sizes >= 0 of {MAX_NUMBERS} numbers at most, got {quoted(shape)}"
        raise ValueError(msg)
    return tuple(map(int, sizes))


InitializerLike = Initializer | str | Mapping[str, Any] | Sampler
"""What stands for an initializer: itself, its name, a mapping with its name and parameters, or a sampler."""


def initializer_names() -> tuple[str, ...]:
    """Names of the built-in initializers, in alphabetical order.

    ``glorot_*`` and ``kaiming_*`` are not among them: they are taken everywhere, and mean ``xavier_*`` and ``he_*``.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> "he_normal" in initializer_names()
    True
    """
    return tuple(sorted(BUILDERS))


@checked
def get_initializer(name: str, **parameters: float | str) -> Initializer:
    """Look up a built-in initializer.

    Parameters
    ----------
    name : str
        One of `initializer_names`, or ``glorot_*`` for ``xavier_*`` and ``kaiming_*`` for ``he_*``.
    **parameters : float or str
        ``constant(value)``, ``normal(std)``, ``uniform(limit)``; ``truncated_normal(std)``, a normal law of that
        standard deviation cut at two of them, which leaves 0.774 of its variance; ``rademacher(std)``, signs times
        std; ``student_t(std, df=5)``, df > 2, of standard deviation std; ``sparse(std, density=0.1)``, each weight 0
        with probability 1 - density, else normal, of standard deviation std in all; ``orthogonal(gain=1)``, gain times
        a uniformly random matrix with orthonormal rows or columns, whichever fit, for weights only;
        ``variance_scaling(scale=1, mode="fan_in" | "fan_out" | "fan_avg", distribution="normal" | "rademacher" |
        "truncated_normal" | "uniform")`` of variance scale / n, after the cut too. The others take none.

    Returns
    -------
    Initializer

    Raises
    ------
    ValueError
        If the name or a parameter is unknown, a parameter is missing, or its value is out of range.
    TypeError
        If a number is expected and something else came.

    Notes
    -----
    Variances: ``xavier_*`` 2 / (fan_in + fan_out), ``he_*`` 2 / fan_in, ``lecun_*`` 1 / fan_in, ``torch_linear``
    1 / (3 fan_in), ``orthogonal`` gain^2 / max(fan_in, fan_out). The ``*_normal`` laws are not truncated; in Keras and JAX they are.

    Examples
    --------
    >>> get_initializer("normal", std=0.05).label
    'normal(std=0.05)'
    >>> get_initializer("glorot_uniform") == get_initializer("xavier_uniform")
    True
    """
    name = ALIASES.get(name, name) if isinstance(name, str) else name
    if not isinstance(name, str) or name not in BUILDERS:
        msg = names.unknown_name("initializer", name, (*initializer_names(), *ALIASES))
        raise ValueError(msg)
    builder = BUILDERS[name]
    signature = inspect.signature(builder)
    names.check_parameters("initializer", name, parameters, tuple(signature.parameters))
    missing = [p.name for p in signature.parameters.values() if p.default is p.empty and p.name not in parameters]
    if missing:
        msg = (
            f"initializer {quoted(name)} needs {quoted(missing[0])}: get_initializer({quoted(name)}, {missing[0]}=0.05)"
        )
        raise ValueError(msg)
    bound = signature.bind(**parameters)
    bound.apply_defaults()
    law = builder(**bound.arguments)
    values = tuple((key, value if isinstance(value, str) else float(value)) for key, value in bound.arguments.items())
    return Initializer(name=name, law=law, parameters=values)


@checked
def as_initializer(
    obj: InitializerLike,
    *,
    name: str | None = None,
    variance: float | FanFunction | None = None,
    kurtosis: float | None = None,
    mean: float = 0.0,
    symmetric: bool = False,
) -> Initializer:
    """Initializer from a name, a mapping, a sampler of one's own, or itself.

    Parameters
    ----------
    obj : str, mapping, callable or Initializer
        ``"he_normal"``; ``{"name": "normal", "std": 0.05}``; or ``f(shape, rng)``, which draws one array: for weights
        shape is (fan_out, fan_in), for biases (fan_out,).
    name : str, optional
        Name of a sampler of one's own; its ``__name__`` unless given.
    variance : float or callable of (fan_in, fan_out), optional
        Var(w) of a sampler of one's own. Without it the sampler can be simulated, but nothing predicted for it.
    kurtosis : float, optional
        E[(w - E w)^4] / Var(w)^2 of a sampler of one's own.
    mean : float, default 0
        E[w] of a sampler of one's own whose variance is given.
    symmetric : bool, default False
        States that the entries of a sampler of one's own are independent, and that flipping the sign of any row or column
        leaves their law, as of entries that are symmetric about 0. Tests that rest on signs are then open to it; whether it is
        so is for `varprop.audit` to see. No draw depends on it.

    Returns
    -------
    Initializer

    Raises
    ------
    ValueError
        If the name or a parameter is unknown, a mapping has no name, a stated moment is out of range, or a mean other than 0
        is stated of a symmetric law.
    TypeError
        If obj is none of these, or moments are stated for something that is not a sampler.

    Examples
    --------
    >>> signs = as_initializer(lambda shape, rng: rng.choice([-0.1, 0.1], shape), name="signs", variance=0.01)
    >>> signs.variance(fan_in=3, fan_out=2), signs.symmetric
    (0.01, False)
    >>> as_initializer(lambda shape, rng: rng.laplace(size=shape), variance=2.0, symmetric=True).symmetric
    True
    """
    if callable(obj) and not isinstance(obj, Initializer):
        stated = variance if variance is None or callable(variance) else not_negative("variance", variance)
        if kurtosis is not None and finite_number("kurtosis", kurtosis) < 1:
            msg = f"kurtosis is E[(w - E w)^4] / Var(w)^2, never below 1 (and not the excess), got {quoted(kurtosis)}"
            raise ValueError(msg)
        if not isinstance(symmetric, bool):
            msg = f"symmetric must be True or False, got {quoted(symmetric)}"
            raise TypeError(msg)
        average = finite_number("mean", mean)
        if symmetric and average != 0:
            msg = f"a law that is symmetric about 0 has mean 0, got mean={quoted(mean)}; leave out mean, or symmetric=True"
            raise ValueError(msg)
        law = Custom(obj, stated, None if kurtosis is None else float(kurtosis), average, symmetric)
        return Initializer(name=name or str(getattr(obj, "__name__", type(obj).__name__)), law=law)
    if not (name is None and variance is None and kurtosis is None and mean == 0 and not symmetric):
        msg = f"a name, moments and symmetry are stated for a sampler of one's own only, a function of (shape, rng); got {quoted(obj)}"
        raise TypeError(msg)
    if isinstance(obj, Initializer):
        return obj
    if isinstance(obj, str):
        return get_initializer(obj)
    if isinstance(obj, Mapping):
        return get_initializer(**names.with_name("initializer", obj))
    msg = (
        f'an initializer is a name such as "he_normal", an Initializer or a function of (shape, rng); got {quoted(obj)}'
    )
    raise TypeError(msg)
