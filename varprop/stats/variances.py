"""What one network contributes to an estimate's variance, where that is known before anything is sampled."""

from __future__ import annotations

from collections.abc import Callable

# Variance of theta that one network contributes under ReLU and He, by width n and number of steps L, to order 1/n. A layer
# of n units has K ~ Bin(n, 1/2) positive ones, the squares of the two kinds being chi2_K and chi2_{n-K}. What a layer's
# activations keep is (2 / n) chi2_K, of variance 5 / n; what its weights add is the pivot chi2_n / n, of variance 2 / n.
# A step of pre-activations is what the layer before keeps times this layer's pivot. Of one and the same layer the two
# have covariance 2 / n, so that neighbouring steps are correlated and L of them add up to (11 L - 4) / n.
_OVER_DEPTH = ("preactivation_second_moment", "activation_second_moment", "gradient_second_moment")
_VARIANCES: dict[tuple[str, str], Callable[[int, int], float]] = {
    **{("cumulative_mean", quantity): lambda n, steps: 5.0 * steps / n for quantity in _OVER_DEPTH},
    **{("growth_rate", quantity): lambda n, steps: 5.0 / (n * steps) for quantity in _OVER_DEPTH},
    ("step_mean", "pivot"): lambda n, _: 2.0 / n,
    ("step_mean", "preactivation_second_moment"): lambda n, _: 7.0 / n,
    ("step_mean", "activation_second_moment"): lambda n, _: 5.0 / n,
    ("step_mean", "gradient_second_moment"): lambda n, _: 5.0 / n,
    ("pooled_step_mean", "pivot"): lambda n, steps: 2.0 / (n * steps),
    ("pooled_step_mean", "preactivation_second_moment"): lambda n, steps: (11.0 - 4.0 / steps) / (n * steps),
    ("pooled_step_mean", "activation_second_moment"): lambda n, steps: 5.0 / (n * steps),
    ("pooled_step_mean", "gradient_second_moment"): lambda n, steps: 5.0 / (n * steps),
}


def known_variance(test: str | None, quantity: str, width: int | None, steps: int | None) -> float:
    """Return the variance of log(truth / prediction) that one network contributes under ReLU and He.

    Parameters
    ----------
    test, quantity : str
        "cumulative_mean" or "growth_rate" of a second moment, "step_mean" or "pooled_step_mean" of one or of the pivot.
    width, steps : int
        Units of a layer, and the number of steps that the test is about.

    Returns
    -------
    float
        To order 1 / width.

    Raises
    ------
    ValueError
        If it is not known, or a number is missing or not positive.

    Examples
    --------
    >>> known_variance("cumulative_mean", "gradient_second_moment", 50, 10)
    1.0
    """
    known = _VARIANCES.get((test or "", quantity))
    if known is None or width is None or steps is None or width < 1 or steps < 1:
        tests = ", ".join(dict.fromkeys(name for name, _ in _VARIANCES))
        msg = (
            f"need variance, or a test of {tests} with a quantity that it knows, width >= 1 and depth >= 1, "
            f"got test={test!r}, quantity={quantity!r}, width={width} and depth={steps}; "
            "a pilot's variance is its n times se^2"
        )
        raise ValueError(msg)
    return known(width, steps)
