"""The value Activation, and how one is found by name."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from varprop._arguments import checked, items_of, quoted
from varprop._typing import ArrayFn, FloatArray
from varprop.model import names
from varprop.model.catalogue import CATALOGUE
from varprop.model.formulas import NO_FORMULAS, GaussianFormulas, bind
from varprop.model.layers import Layer
from varprop.model.moments import GaussianMoments
from varprop.model.names import finite_number
from varprop.model.slopes import by_differences, sampled_by_differences
from varprop.numerics.breaks import find_breaks, find_features, is_jump

_PROBE = (-3.0, -1.0, -0.25, 0.5, 1.0, 2.0)
_SAME = 1e-9  # breaks no farther apart are one
_MOST_BREAKS = 10_000  # of an activation: each is integrated up to; a quantiser of 12 bits has 4,096


class _ToBeFound(tuple[float, ...]):
    """Stands for kinks that were not stated, so that an empty tuple can state that there are none."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<found>"


_TO_BE_FOUND: tuple[float, ...] = _ToBeFound()


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation(GaussianMoments, Layer):
    r"""A pointwise nonlinearity phi and what is known of it in closed form.

    Parameters
    ----------
    name : str
        Key in tables and file names.
    value : callable
        phi, elementwise on float32 and float64 arrays of any shape.
    derivative : callable, optional
        phi', likewise. Without it, differences in float64 with a step that fits phi, or a refusal (see Notes).
    kinks : tuple of float, optional
        Increasing; the points where a derivative of phi jumps. Moments are integrated, and differences taken, from one
        to the next. Left out, they are looked for on \|z\| <= 64 (see Notes); ``()`` says that there are none.
    jumps : tuple of float, optional
        Increasing; the points where phi itself jumps. Kinks, stated or found, that prove to be jumps are added.
    parameters : tuple of (str, float), optional
        What ``value`` and the rest were built from; part of the label.
    homogeneous : bool, default False
        Whether phi(c z) = c phi(z) for all c > 0.
    max_slope : float, optional
        The supremum of \|phi'\| (off the jumps), where it is known; may be infinite; see `slope_bound`.
    value_range : tuple of float, default (-inf, inf)
        Two ends that phi never goes beyond, as far as they are known: bounded values have tests that hold for any number
        of networks.
    formulas : GaussianFormulas, optional
        Closed forms of the moments.
    slope_from_value : callable of (z, a), optional
        phi'(z) computed from a = phi(z) too, where that is cheaper.

    Raises
    ------
    TypeError
        If a function is none.
    ValueError
        If the name is empty, the kinks or jumps are not finite and increasing, or a function, tried on a few numbers,
        is not elementwise or not finite. Later: if a derivative that was not given is asked for and cannot be had.

    See Also
    --------
    get_activation : the built-in ones.

    Notes
    -----
    Moments are computed by formula where one is known and else by quadrature, whose error is near 1e-15 of
    E[\|integrand\|] where phi's features between kinks are no narrower than 1, and below 1e-9 of it where they are or a
    kink was missed. A phi of too many narrow features is refused, and one that grows so fast that z beyond 37 standard
    deviations would matter. Where phi(z) itself is computed as a difference of nearly equal numbers, or positive and
    negative parts cancel (E[elu] at small q), the error relative to the moment is larger: for elu and gelu some
    1e-16 / sqrt(q). The formulas for the covariance of hard_tanh, hard_sigmoid and relu6 lose 1e-15 sqrt(q1 q2).

    A derivative that is not given is taken by differences of phi in float64, for float32 z too, whose numbers it is
    rounded to in the end. It is good to about 1e-13 (1e-11 within 0.012 of a kink, where it is one-sided) of the size of
    phi, if phi's features are about 1 wide. Where they are narrower (sin(3000 z), tanh(1000 z)) the step is reduced, each
    z for itself, until the difference also predicts phi at points that it does not use; then the error is some 1e-10 of
    the slope thereabouts. At a kink it is the right-hand one. Before moments of phi' are integrated, and when phi' is
    sampled, the slopes are integrated over each panel of z ~ N(0, q) and held against phi's own differences, and
    `ValueError` is raised where they differ by more than 2e-7 of E[\|phi'\|], or where at more than one z in a thousand
    the error is above 1e-6. So steps of unknown places (a fine quantiser), noise, and a phi that computes in single
    precision whatever it is given, are refused: state their derivative. A derivative that is given is not checked.

    Features of phi narrower than \|z\| / 4096 may be overlooked by moments, whether phi' is given or not; a bump as narrow
    as a normal density of standard deviation 10^-4 \|z\| is seen.

    Kinks are found in 1 to 3 ms, where phi is not small beside its largest \|value\| closer to 0, and no two lie closer
    than 0.01: `varprop.numerics.breaks.find_breaks` says how small a kink may be. Smooth functions have none, however
    steep. State the kinks of a phi that oscillates fast, or is computed with errors above 1e-13.

    At q = 0 moments are their limits from q > 0: phi(0), and the mean of the two one-sided slopes. At a jump the slope
    is 0 or what it is on the right; that phi' is a delta function there is known to the moments, not to the slope.

    Examples
    --------
    >>> swish2 = Activation(name="swish2", value=lambda z: z / (1 + np.exp(-2 * z)))
    >>> swish2(np.array([0.0, 1.0]))
    array([0.        , 0.88079708])
    >>> round(swish2.second_moment(1.0), 6)
    0.439472
    """

    name: str
    value: ArrayFn
    derivative: ArrayFn | None = None
    kinks: tuple[float, ...] = _TO_BE_FOUND
    jumps: tuple[float, ...] = ()
    parameters: tuple[tuple[str, float], ...] = ()
    homogeneous: bool = False
    max_slope: float | None = None
    value_range: tuple[float, float] = (-math.inf, math.inf)
    formulas: GaussianFormulas = NO_FORMULAS
    slope_from_value: Callable[[FloatArray, FloatArray], FloatArray] | None = None

    records = frozenset({"activation"})

    def __post_init__(self) -> None:
        names.check_name("activation", self.name)
        for role in ("value", "derivative", "slope_from_value"):
            function = getattr(self, role)
            if not callable(function) and (role == "value" or function is not None):
                msg = f"{role} of activation {quoted(self.name)} must be a function of an array, got {quoted(function)}"
                raise TypeError(msg)
        _check_elementwise(self.name, "value", self.value)
        if self.derivative is not None:
            _check_elementwise(self.name, "derivative", self.derivative)
        kinks, jumps = _breaks_of(self)
        object.__setattr__(self, "kinks", kinks)
        object.__setattr__(self, "jumps", jumps)
        if self.max_slope is not None and not (_is_number(self.max_slope) and self.max_slope >= 0):
            msg = (
                f"max_slope of activation {quoted(self.name)} must be a number >= 0, got {quoted(self.max_slope)}; "
                "leave it out to have it found numerically"
            )
            raise ValueError(msg)
        _check_range(self)

    @property
    def label(self) -> str:
        """Name and parameters, as in tables: ``relu``, ``leaky_relu(slope=0.1)``."""
        return names.label(self.name, self.parameters)

    @property
    def breaks(self) -> tuple[float, ...]:
        """Kinks and jumps, increasing."""
        return tuple(sorted((*self.kinks, *self.jumps)))

    @property
    def edges(self) -> tuple[float, ...]:
        """Between which moments are integrated: the breaks, and features that are too narrow to be met by chance."""
        return _edges(self)

    def __call__(self, z: FloatArray) -> FloatArray:
        """phi(z), in the shape and dtype of z."""
        return np.asarray(self.value(z), dtype=z.dtype)

    def slope(self, z: FloatArray) -> FloatArray:
        """phi'(z), in the shape and dtype of z; by finite differences where no derivative was given."""
        if self.derivative is None:
            return by_differences(self, z)
        return np.asarray(self.derivative(z), dtype=z.dtype)

    def slope_given_value(self, z: FloatArray, a: FloatArray) -> FloatArray:
        """phi'(z) of sampled z, where a = phi(z) is known, which is cheaper for some: tanh' = 1 - a^2.

        Raises
        ------
        ValueError
            If the derivative was not given, and cannot be had by differences.
        """
        if self.slope_from_value is None:
            return self.slope(z) if self.derivative is not None else sampled_by_differences(self, z)
        return np.asarray(self.slope_from_value(z, a), dtype=z.dtype)

    def slope_bound(self) -> float:
        r"""Supremum of \|phi'\|: ``max_slope``, or else the largest found on \|z\| <= 64, to about six digits."""
        return _largest_slope(self) if self.max_slope is None else self.max_slope

    def lacks(self, quantity: str) -> bool:
        """The slope's second moment takes a phi that does not jump, saturation a steepest slope: step has none but 0, exp none at all."""
        if quantity == "saturated_fraction":
            return not 0 < self.slope_bound() < math.inf
        return quantity == "derivative_second_moment" and bool(self.jumps)

    def describe(self) -> dict[str, Any]:
        """Name and parameters."""
        return {"activation": {"name": self.name, "parameters": dict(self.parameters)}}


ActivationLike = Activation | str | Mapping[str, Any] | ArrayFn
"""What stands for an activation: itself, its name, a mapping with its name and parameters, or a plain function."""


def activation_names() -> tuple[str, ...]:
    """Names of the built-in activations, in alphabetical order.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> "relu" in activation_names()
    True
    """
    return tuple(sorted(CATALOGUE))


@checked
def get_activation(name: str, **parameters: float) -> Activation:
    """Look up a built-in activation.

    Parameters
    ----------
    name : str
        One of `activation_names`.
    **parameters : float
        ``leaky_relu(slope=0.01)``, ``prelu(slope=0.25)``, ``elu(alpha=1)``, ``celu(alpha=1)``; the others take none.

    Returns
    -------
    Activation
        Equal to any other of the same name and parameters.

    Raises
    ------
    ValueError
        If the name or a parameter is unknown, or a parameter is not finite, or celu's not positive.
    TypeError
        If a parameter is not a number.

    Examples
    --------
    >>> get_activation("leaky_relu", slope=0.1).label
    'leaky_relu(slope=0.1)'
    """
    if not isinstance(name, str) or name not in CATALOGUE:
        msg = names.unknown_name("activation", name, activation_names())
        raise ValueError(msg)
    entry = CATALOGUE[name]
    names.check_parameters("activation", name, parameters, tuple(entry.defaults))
    values = {
        key: finite_number(f"{key} of activation {quoted(name)}", parameters.get(key, default))
        for key, default in entry.defaults.items()
    }
    for key in entry.positive:
        if values[key] <= 0:
            msg = f"{key} of activation {quoted(name)} must be > 0, got {values[key]:g}"
            raise ValueError(msg)
    bound = tuple(values.items())
    return Activation(
        name=name,
        value=bind(entry.value, bound),
        derivative=bind(entry.derivative, bound),
        slope_from_value=entry.slope_from_value and bind(entry.slope_from_value, bound),
        kinks=entry.kinks,
        jumps=entry.jumps,
        parameters=bound,
        homogeneous=entry.homogeneous,
        max_slope=entry.max_slope(**values),
        value_range=entry.value_range(**values),
        formulas=entry.formulas.bind(bound),
    )


def as_activation(obj: ActivationLike) -> Activation:
    """Activation from a name, a mapping, a plain function, or itself.

    Examples
    --------
    >>> as_activation(np.tanh).name
    'tanh'
    >>> as_activation({"name": "leaky_relu", "slope": 0.2}).label
    'leaky_relu(slope=0.2)'
    """
    if isinstance(obj, Activation):
        return obj
    if isinstance(obj, str):
        return get_activation(obj)
    if isinstance(obj, Mapping):
        return get_activation(**names.with_name("activation", obj))
    if callable(obj):
        return Activation(name=getattr(obj, "__name__", type(obj).__name__), value=obj)
    msg = f'an activation is a name such as "relu", an Activation or a function of an array; got {quoted(obj)}'
    raise TypeError(msg)


@lru_cache(maxsize=256)
def _edges(phi: Activation) -> tuple[float, ...]:
    """Breaks, and features that are none of them."""
    features = [(low, high) for low, high in find_features(phi.value) if not any(low <= b <= high for b in phi.breaks)]
    return tuple(sorted({*phi.breaks, *(z for low, high in features for z in (low, (low + high) / 2, high))}))


@lru_cache(maxsize=256)
def _largest_slope(phi: Activation) -> float:
    """The largest |phi'| on a grid of step 1/128 and then, where it was found, of step 1/16384."""
    beside = [np.nextafter(kink, side) for kink in phi.breaks for side in (-np.inf, np.inf)]
    coarse = np.concatenate([np.linspace(-64.0, 64.0, 128 * 128 + 1), beside])
    steepest = coarse[np.argmax(np.abs(phi.slope(coarse)))]
    fine = np.concatenate([steepest + np.linspace(-1 / 128, 1 / 128, 257), [steepest]])
    bound = float(np.abs(phi.slope(fine)).max())
    if not math.isfinite(bound):
        msg = f"the slope of activation {quoted(phi.name)} is not finite everywhere on |z| <= 64; state its max_slope"
        raise ValueError(msg)
    return bound


def _breaks_of(phi: Activation) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Kinks and jumps, stated or found."""
    jumps = _increasing(phi.name, "jumps", phi.jumps)
    if isinstance(phi.kinks, _ToBeFound):
        kinks, found = find_breaks(phi)
    else:
        kinks = _increasing(phi.name, "kinks", phi.kinks)
        found = tuple(kink for kink in kinks if is_jump(phi, kink))
    known = [*jumps, *(place for place in found if not _among(place, jumps))]
    return tuple(kink for kink in kinks if not _among(kink, known)), tuple(sorted(known))


def _check_range(phi: Activation) -> None:
    """Refuse ends that are none, or that phi goes beyond on |z| <= 64."""
    ends = items_of("value_range", phi.value_range, most=2, example="(0.0, 1.0)", ordered=True)
    if len(ends) != 2 or not all(map(_is_number, ends)) or not ends[0] < ends[1]:
        msg = f"value_range of activation {quoted(phi.name)} must be two increasing numbers, got {quoted(phi.value_range)}"
        raise ValueError(msg)
    low, high = ends
    if (low, high) == (-math.inf, math.inf):
        return
    z: FloatArray = np.linspace(-64.0, 64.0, 1025)
    with np.errstate(over="ignore"):
        values = np.asarray(phi.value(z), dtype=np.float64)
    slack = 1e-6 * (1.0 + min(abs(low), abs(high)))
    wrong = (values < low - slack) | (values > high + slack)
    if wrong.any():
        at = z[wrong][0]
        msg = f"activation {quoted(phi.name)} has value {values[wrong][0]:g} at z = {at:g}, beyond its value_range {phi.value_range}"
        raise ValueError(msg)


def _among(place: float, places: Sequence[float]) -> bool:
    return any(abs(place - other) <= _SAME for other in places)


def _increasing(name: str, role: str, places: Sequence[float]) -> tuple[float, ...]:
    given = items_of(role, places, most=_MOST_BREAKS, example="(0.0,)", ordered=True)
    found = tuple(finite_number(f"each of the {role} of activation {quoted(name)}", place) for place in given)
    if any(a >= b for a, b in itertools.pairwise(found)):
        msg = f"{role} of activation {quoted(name)} must be finite and increasing, got {quoted(places)}"
        raise ValueError(msg)
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _check_elementwise(name: str, role: str, function: ArrayFn) -> None:
    """Try a function once in each precision."""
    for dtype in (np.float32, np.float64):
        probe: FloatArray = np.array(_PROBE, dtype)
        with np.errstate(over="ignore"):  # what is infinite is told below
            result = np.asarray(function(probe))
        if result.shape != probe.shape or result.dtype.kind != "f":
            msg = (
                f"{role} of activation {quoted(name)} must act elementwise: on {probe.dtype} of shape {probe.shape} it "
                f"returned {result.dtype} of shape {result.shape}"
            )
            raise ValueError(msg)
        if not np.isfinite(result).all():
            msg = f"{role} of activation {quoted(name)} is not finite at z = {probe[~np.isfinite(result)].tolist()}"
            raise ValueError(msg)
