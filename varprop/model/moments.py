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

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("relu").mean(np.pi / 2)
        0.5
        """
        return _like(q, single(self, "mean", q, method))

    def second_moment(self: Pointwise, q: MomentT, *, method: IntegralMethod = "auto") -> MomentT:
        """E[phi(z)^2] for z ~ N(0, q); parameters and errors as for `mean`.

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

        Examples
        --------
        >>> from varprop.model.activations import get_activation
        >>> get_activation("relu").variance(2 * np.pi) + 1
        3.141592653589793
        """
        return _like(q, variance(self, q, method))

    def derivative_second_moment(self: Pointwise, q: MomentT, *, method: IntegralMethod = "auto") -> MomentT:
        """E[phi'(z)^2] for z ~ N(0, q); errors as for `mean`, and where phi jumps, since it is infinite then.

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
