"""The Gaussian moments of activations, as methods: by closed form where there is one, numerically always."""

from __future__ import annotations

from typing import TypeVar, overload

import numpy as np

from varprop._typing import Float64Array
from varprop.model.integrals import IntegralMethod, Pointwise, pair, single, variance

MomentT = TypeVar("MomentT", float, Float64Array)


class GaussianMoments:
    """The moments of an activation, as its methods."""

    __slots__ = ()

    def mean(self: Pointwise, q: MomentT, *, method: IntegralMethod = "auto") -> MomentT:
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
        return _like(q, single(self, "mean", q, method))

    def second_moment(self: Pointwise, q: MomentT, *, method: IntegralMethod = "auto") -> MomentT:
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
        return _like(q, single(self, "second_moment", q, method))

    def variance(self: Pointwise, q: MomentT, *, method: IntegralMethod = "auto") -> MomentT:
        """Var(phi(z)) for z ~ N(0, q); errors as for `mean`.

        Taken from the formulas for `mean` and `second_moment`, it has lost digits where phi(0) is not 0 and q is small.

        Parameters
        ----------
        q : float or ndarray
            Variance of z, finite and >= 0.
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes its own formula, or those for `mean` and `second_moment`, where they are known.

        Returns
        -------
        float or ndarray, as q

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("relu").variance(2 * np.pi) + 1
        3.141592653589793
        """
        return _like(q, variance(self, q, method))

    def derivative_second_moment(self: Pointwise, q: MomentT, *, method: IntegralMethod = "auto") -> MomentT:
        """E[phi'(z)^2] for z ~ N(0, q); errors as for `mean`, and where phi jumps, since it is infinite then.

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
        return _like(q, single(self, "derivative_second_moment", q, method))

    def value_derivative_moment(self: Pointwise, q: MomentT, *, method: IntegralMethod = "auto") -> MomentT:
        """E[phi(z) phi'(z)] for z ~ N(0, q); errors as for `mean`.

        A jump of phi contributes half the jump of phi^2, times the density there, as E[z phi^2] / (2q) says.

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
        return _like(q, single(self, "value_derivative_moment", q, method))

    @overload
    def covariance(self, q1: float, q2: float, rho: float, *, method: IntegralMethod = "auto") -> float: ...
    @overload
    def covariance(
        self: Pointwise,
        q1: float | Float64Array,
        q2: float | Float64Array,
        rho: Float64Array,
        *,
        method: IntegralMethod = "auto",
    ) -> Float64Array: ...
    @overload
    def covariance(
        self: Pointwise, q1: Float64Array, q2: float | Float64Array, rho: float, *, method: IntegralMethod = "auto"
    ) -> Float64Array: ...
    def covariance(
        self: Pointwise,
        q1: float | Float64Array,
        q2: float | Float64Array,
        rho: float | Float64Array,
        *,
        method: IntegralMethod = "auto",
    ) -> float | Float64Array:
        r"""E[phi(z1) phi(z2)], not centred, for z1 ~ N(0, q1) and z2 ~ N(0, q2) with correlation rho.

        Parameters
        ----------
        q1, q2 : float or ndarray
            Variances, finite and >= 0.
        rho : float or ndarray
            Correlation in [-1, 1].
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formula where there is one, else a Hermite series (some 10 us a point among many) where
            its truncation error is below 1e-14, else a double integral, as ``"quadrature"`` does (5 to 50 ms a point).
            Without a formula, that is left for phi with kinks and \|rho\| near 1, and for variances beyond 50 or so.

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
        return _scalar_or_array(pair(self, "covariance", (q1, q2, rho), method))

    @overload
    def derivative_covariance(self, q1: float, q2: float, rho: float, *, method: IntegralMethod = "auto") -> float: ...
    @overload
    def derivative_covariance(
        self: Pointwise,
        q1: float | Float64Array,
        q2: float | Float64Array,
        rho: Float64Array,
        *,
        method: IntegralMethod = "auto",
    ) -> Float64Array: ...
    @overload
    def derivative_covariance(
        self: Pointwise, q1: Float64Array, q2: float | Float64Array, rho: float, *, method: IntegralMethod = "auto"
    ) -> Float64Array: ...
    def derivative_covariance(
        self: Pointwise,
        q1: float | Float64Array,
        q2: float | Float64Array,
        rho: float | Float64Array,
        *,
        method: IntegralMethod = "auto",
    ) -> float | Float64Array:
        r"""E[phi'(z1) phi'(z2)] for z1 ~ N(0, q1) and z2 ~ N(0, q2) with correlation rho; errors as for `covariance`.

        Where phi jumps it is refused at rho = +-1 and at q1 q2 = 0, where it is infinite.

        Parameters
        ----------
        q1, q2 : float or ndarray
            Variances, finite and >= 0.
        rho : float or ndarray
            Correlation in [-1, 1].
        method : {"auto", "formula", "quadrature"}, default "auto"
            ``"auto"`` takes the formula where there is one, else a Hermite series (some 10 us a point among many) where
            its truncation error is below 1e-14, else a double integral, as ``"quadrature"`` does (5 to 50 ms a point).
            Without a formula, that is left for phi with kinks and \|rho\| near 1, and for variances beyond 50 or so.

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
        return _scalar_or_array(pair(self, "derivative_covariance", (q1, q2, rho), method))


def _like(q: MomentT, values: Float64Array) -> MomentT:
    """A float where q was one."""
    return values if np.ndim(q) else float(values)  # type: ignore[return-value]  # the shape says which it is


def _scalar_or_array(values: Float64Array) -> float | Float64Array:
    return values if values.ndim else float(values)
