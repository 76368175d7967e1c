r"""Gaussian moments of activations: by closed form where there is one, by quadrature always.

At q = 0, z is 0: phi stands for phi(0), and phi' for its limit from q > 0, which where phi has a kink at 0 is the mean
of the two one-sided slopes in the single moments, and weighs them by quadrant in the derivatives' covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

from varprop._typing import Float64Array, FloatArray
from varprop.model.formulas import GaussianFormulas
from varprop.numerics.quadrature import normal_expectation, normal_product_expectation

MomentT = TypeVar("MomentT", float, Float64Array)
Method = Literal["auto", "formula", "quadrature"]
SingleMoment = Literal["mean", "second_moment", "derivative_second_moment", "value_derivative_moment"]
PairMoment = Literal["covariance", "derivative_covariance"]

# Stands for q = 0 in the moments of phi': z is so small that phi' is at its one-sided limits.
_LIMIT = 1e-200
# A correlation computed as a quotient may leave [-1, 1] by rounding; no more than this is forgiven.
_ROUNDING = 1e-12


class Pointwise(Protocol):
    """What moments need to know of an activation."""

    @property
    def label(self) -> str:
        """Name in messages."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where phi is not analytic."""

    @property
    def formulas(self) -> GaussianFormulas:
        """Closed forms."""

    def __call__(self, z: FloatArray) -> FloatArray:
        """phi(z)."""

    def slope(self, z: FloatArray) -> FloatArray:
        """phi'(z)."""


class GaussianMoments:
    """The moments of an activation, as its methods."""

    __slots__ = ()

    def mean(self: Pointwise, q: MomentT, *, method: Method = "auto") -> MomentT:
        """E[phi(z)] for z ~ N(0, q).

        Parameters
        ----------
        q : float or ndarray
            Variance, finite and >= 0.
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formula where there is one.

        Returns
        -------
        float or ndarray, as q

        Raises
        ------
        ValueError
            If q is out of range, a formula was asked for where none is known, or phi grows too fast to be integrated.

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("relu").mean(np.pi / 2)
        0.5
        """
        return _like(q, _single(self, "mean", q, method))

    def second_moment(self: Pointwise, q: MomentT, *, method: Method = "auto") -> MomentT:
        """E[phi(z)^2] for z ~ N(0, q); parameters and errors as for `mean`.

        Parameters
        ----------
        q : float or ndarray
            Variance, finite and >= 0.
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formula where there is one.

        Returns
        -------
        float or ndarray, as q

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("relu").second_moment(np.array([0.0, 3.0]))
        array([0. , 1.5])
        """
        return _like(q, _single(self, "second_moment", q, method))

    def variance(self: Pointwise, q: MomentT, *, method: Method = "auto") -> MomentT:
        """Var(phi(z)) for z ~ N(0, q); errors as for `mean`.

        Parameters
        ----------
        q : float or ndarray
            Variance of z, finite and >= 0.
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formulas where there are both for `mean` and `second_moment`.

        Returns
        -------
        float or ndarray, as q

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("relu").variance(2 * np.pi) + 1
        3.141592653589793
        """
        return _like(q, _variance(self, q, method))

    def derivative_second_moment(self: Pointwise, q: MomentT, *, method: Method = "auto") -> MomentT:
        """E[phi'(z)^2] for z ~ N(0, q); errors as for `mean`.

        Parameters
        ----------
        q : float or ndarray
            Variance, finite and >= 0.
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formula where there is one.

        Returns
        -------
        float or ndarray, as q

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("leaky_relu", slope=0.5).derivative_second_moment(3.0)
        0.625
        """
        return _like(q, _single(self, "derivative_second_moment", q, method))

    def value_derivative_moment(self: Pointwise, q: MomentT, *, method: Method = "auto") -> MomentT:
        """E[phi(z) phi'(z)] for z ~ N(0, q); errors as for `mean`.

        Parameters
        ----------
        q : float or ndarray
            Variance, finite and >= 0.
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formula where there is one.

        Returns
        -------
        float or ndarray, as q

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("relu").value_derivative_moment(np.pi / 2)
        0.5
        """
        return _like(q, _single(self, "value_derivative_moment", q, method))

    @overload
    def covariance(self, q1: float, q2: float, rho: float, *, method: Method = "auto") -> float: ...
    @overload
    def covariance(
        self: Pointwise,
        q1: float | Float64Array,
        q2: float | Float64Array,
        rho: Float64Array,
        *,
        method: Method = "auto",
    ) -> Float64Array: ...
    @overload
    def covariance(
        self: Pointwise, q1: Float64Array, q2: float | Float64Array, rho: float, *, method: Method = "auto"
    ) -> Float64Array: ...
    def covariance(
        self: Pointwise,
        q1: float | Float64Array,
        q2: float | Float64Array,
        rho: float | Float64Array,
        *,
        method: Method = "auto",
    ) -> float | Float64Array:
        """E[phi(z1) phi(z2)], not centred, for z1 ~ N(0, q1) and z2 ~ N(0, q2) with correlation rho.

        Parameters
        ----------
        q1, q2 : float or ndarray
            Variances, finite and >= 0.
        rho : float or ndarray
            Correlation in [-1, 1]; by quadrature each takes 5 to 50 ms.
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formula where there is one.

        Returns
        -------
        float or ndarray
            In the broadcast shape, with an error near 1e-15 sqrt(E[phi(z1)^2] E[phi(z2)^2]).

        Raises
        ------
        ValueError
            If an argument is out of range, a formula was asked for where none is known, or phi grows too fast.

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("linear").covariance(4.0, 9.0, 0.5)
        3.0
        """
        return _scalar_or_array(_pair(self, "covariance", (q1, q2, rho), method))

    @overload
    def derivative_covariance(self, q1: float, q2: float, rho: float, *, method: Method = "auto") -> float: ...
    @overload
    def derivative_covariance(
        self: Pointwise,
        q1: float | Float64Array,
        q2: float | Float64Array,
        rho: Float64Array,
        *,
        method: Method = "auto",
    ) -> Float64Array: ...
    @overload
    def derivative_covariance(
        self: Pointwise, q1: Float64Array, q2: float | Float64Array, rho: float, *, method: Method = "auto"
    ) -> Float64Array: ...
    def derivative_covariance(
        self: Pointwise,
        q1: float | Float64Array,
        q2: float | Float64Array,
        rho: float | Float64Array,
        *,
        method: Method = "auto",
    ) -> float | Float64Array:
        """E[phi'(z1) phi'(z2)] for z1 ~ N(0, q1) and z2 ~ N(0, q2) with correlation rho; errors as for `covariance`.

        Parameters
        ----------
        q1, q2 : float or ndarray
            Variances, finite and >= 0.
        rho : float or ndarray
            Correlation in [-1, 1]; by quadrature each takes 5 to 50 ms.
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formula where there is one.

        Returns
        -------
        float or ndarray
            In the broadcast shape.

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("relu").derivative_covariance(1.0, 2.0, np.array([-1.0, 0.0, 1.0]))
        array([0.  , 0.25, 0.5 ])
        """
        return _scalar_or_array(_pair(self, "derivative_covariance", (q1, q2, rho), method))


_INTEGRANDS: dict[SingleMoment, Callable[[Pointwise, FloatArray], FloatArray]] = {
    "mean": lambda phi, z: phi(z),
    "second_moment": lambda phi, z: np.square(phi(z)),
    "derivative_second_moment": lambda phi, z: np.square(phi.slope(z)),
    "value_derivative_moment": lambda phi, z: phi(z) * phi.slope(z),
}


def _single(phi: Pointwise, moment: SingleMoment, q: ArrayLike, method: Method) -> Float64Array:
    """One of the moments under z ~ N(0, q), in the shape of q."""
    variances = _variances("q", q)
    formula = _formula(phi, moment, method)
    if formula is not None:
        return formula(variances)
    if "derivative" in moment:
        variances = np.maximum(variances, _LIMIT)
    integrand = _INTEGRANDS[moment]
    with _naming(phi, moment):
        return normal_expectation(lambda z: integrand(phi, z), variances, phi.kinks)


def _variance(phi: Pointwise, q: ArrayLike, method: Method) -> Float64Array:
    """Var phi(z) under z ~ N(0, q), in the shape of q."""
    variances = _variances("q", q)
    mean, second = (_formula(phi, moment, method) for moment in ("mean", "second_moment"))
    if mean is not None and second is not None:
        return np.maximum(second(variances) - np.square(mean(variances)), 0.0)
    # Of phi - phi(0), whose mean is small where its variance is: little cancels in the difference.
    offset = phi(np.zeros(1))
    with _naming(phi, "variance"):
        first = normal_expectation(lambda z: phi(z) - offset, variances, phi.kinks)
        second_about = normal_expectation(lambda z: np.square(phi(z) - offset), variances, phi.kinks)
    return np.maximum(second_about - np.square(first), 0.0)


def _pair(
    phi: Pointwise, moment: PairMoment, point: tuple[ArrayLike, ArrayLike, ArrayLike], method: Method
) -> Float64Array:
    """One of the covariances under z1 ~ N(0, q1), z2 ~ N(0, q2) with correlation rho, in their broadcast shape."""
    q1, q2, rho = point
    first, second, correlation = np.broadcast_arrays(_variances("q1", q1), _variances("q2", q2), _correlations(rho))
    formula = _formula(phi, moment, method)
    if formula is not None:
        return formula(first, second, correlation)
    function: Callable[[FloatArray], FloatArray] = phi
    if moment == "derivative_covariance":
        function, first, second = phi.slope, np.maximum(first, _LIMIT), np.maximum(second, _LIMIT)
    points = zip(first.ravel().tolist(), second.ravel().tolist(), correlation.ravel().tolist(), strict=True)
    with _naming(phi, moment):
        values = [normal_product_expectation(function, *point, kinks=phi.kinks) for point in points]
    return np.array(values, dtype=np.float64).reshape(correlation.shape)


def _formula(phi: Pointwise, moment: str, method: Method) -> Callable[..., Float64Array] | None:
    """The formula to be used, if one is: refused where it was asked for and is not known."""
    if method not in ("auto", "formula", "quadrature"):
        msg = f"method must be 'auto', 'formula' or 'quadrature', got {method!r}"
        raise ValueError(msg)
    formula: Callable[..., Float64Array] | None = getattr(phi.formulas, moment)
    if method == "formula" and formula is None:
        msg = f"no closed form is known for the {moment} of {phi.label}; use method='auto' or 'quadrature'"
        raise ValueError(msg)
    return None if method == "quadrature" else formula


@contextmanager
def _naming(phi: Pointwise, moment: str) -> Iterator[None]:
    """Say whose moment it was that could not be integrated."""
    try:
        yield
    except ValueError as error:
        msg = f"{moment} of {phi.label}: {error}"
        raise ValueError(msg) from error


def _variances(name: str, q: ArrayLike) -> Float64Array:
    values = np.asarray(q, dtype=np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        msg = f"{name} is a variance, finite and >= 0, got {values[~(np.isfinite(values) & (values >= 0))].flat[0]}"
        raise ValueError(msg)
    return values


def _correlations(rho: ArrayLike) -> Float64Array:
    values = np.asarray(rho, dtype=np.float64)
    allowed = np.abs(values) <= 1 + _ROUNDING
    if not allowed.all():
        msg = f"rho is a correlation, between -1 and 1, got {values[~allowed].flat[0]}"
        raise ValueError(msg)
    return np.clip(values, -1.0, 1.0)


def _like(q: MomentT, values: Float64Array) -> MomentT:
    """A float where q was one."""
    return values if np.ndim(q) else float(values)  # type: ignore[return-value]  # the shape says which it is


def _scalar_or_array(values: Float64Array) -> float | Float64Array:
    return values if values.ndim else float(values)
