"""A truth that is known exactly, and the design by which a test's level is judged."""

import numpy as np
import pytest

REPLICATIONS = 2000


@pytest.fixture
def he_steps():
    """Draws of the ratio q_l / q_{l-1} of a ReLU network with He's weights: (2 / n) chi2_K, K ~ Bin(n, 1/2).

    Given its norm, the layer below has K positive units; squared and summed they make chi2_K. The ratio has mean 1 and
    variance 5 / n, is independent of the other layers' and is 0 with probability 2^-n. Width at most 63.
    """

    def draw(rng, shape, width):
        units = np.bitwise_count(rng.integers(0, 2**width, size=shape, dtype=np.uint64))
        return 4 / width * rng.standard_gamma(units / 2)

    return draw


@pytest.fixture
def rejections():
    """Count how often a simulated study's p-value is at most .05, among 2,000 studies."""

    def count(pvalue):
        return sum(pvalue() <= 0.05 for _ in range(REPLICATIONS))

    return count


@pytest.fixture
def at_level():
    """Counts of rejections, of 2,000, that agree with a level of .05: outside with probability 1e-7 if that is the level.

    A level of .1 or more, or of .016 or less, lies outside with probability .999.
    """
    return range(52, 157)
