"""The score by which a sample's mean is held against a prediction."""

import math

import numpy as np
import pytest


@pytest.fixture
def normal_score():
    """Standard errors between a mean and its prediction, in size, as if the values were normal.

    A t statistic of skewed values has skewed tails, which tests at 1e-8 would feel: at a skewness of sqrt(n) / 10 as
    many as a hundred times the nominal false alarms. The cubic polynomial of Hall (1992) takes the skewness out, to
    order 1/n. ``allowed`` is a distance that counts as none; what varies less than float32 rounds has to agree to that.
    """

    def score(values, predicted, *, allowed=0.0):
        values = np.asarray(values, dtype=np.float64)
        n, mean, sd = len(values), values.mean(), values.std(ddof=1)
        error, rounding = sd / math.sqrt(n), max(1e-6 * abs(predicted), 1e-12)
        off = math.copysign(max(abs(mean - predicted) - allowed, 0.0), mean - predicted)
        if error < rounding:
            return abs(off) / rounding
        t, skewness = off / error, np.mean(((values - mean) / sd) ** 3) / math.sqrt(n)
        return abs(t + skewness * t**2 / 3 + skewness**2 * t**3 / 27 + skewness / 6)

    return score
