"""From which number of networks on, and down to which level, a reference law has been measured to hold.

A t statistic of few networks, or of narrow layers, has tails that the t law does not have, and the farther out the worse: what
holds at 5 % may be wrong by a factor of ten at .05/150. So each mean comes with a floor, which maps a level to the level
at which the t law is used there: the same, a smaller one, or none at all, which is a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from scipy import optimize, special

SMALL = 0.0025
"""Levels below this one, .05/20, ask for more networks."""
_STRICTER = 1.5
"""By how much a level is divided where the t law's own is up to so many times too high."""
_LARGEST = 0.5
"""No verdict is given at a higher level."""

FEWEST = 20
"""Networks below which no t test of a mean square gives a verdict."""
_ALLOWANCE = 1.5
"""Times the first-order excess of a t test's error, for what it leaves out."""
_LOG_SKEWNESS = 4.4
"""Times 1 / sqrt(units and steps): what the skewness of a mean square's logarithm is at most."""
# Networks, and networks times units; and units from which on no level is divided.
_SOME, _SOME_UNITS, _PLENTY_OF_UNITS = 200, 3_200, 8_000
_NARROW = 4.0 * float(np.finfo(np.float64).eps)
"""How close, relative to a level, what is searched for is found."""


class Floor(Protocol):
    """Where a test holds its level: what level its reference law is used at, given the number of networks."""

    def raw(self, level: float, networks: float) -> float:
        """Return the level at which the reference law is used for a one-sided level; 0 where the test refuses."""

    def p(self, raw: float, networks: float) -> float:
        """Return the p-value for a raw one: the smallest level at which the test rejects, 1 if at none."""

    def reason(self, level: float, networks: float) -> str:
        """Say why the test refuses at a level; empty if it does not."""


@dataclass(frozen=True, slots=True)
class Everywhere:
    """The reference law holds at every level for any number of networks."""

    def raw(self, level: float, _networks: float) -> float:
        """Return the level as it is."""
        return level

    def p(self, raw: float, _networks: float) -> float:
        """Return the p-value as it is."""
        return raw

    def reason(self, _level: float, _networks: float) -> str:
        """Return nothing: the test never refuses."""
        return ""


@dataclass(frozen=True, slots=True)
class Refused:
    """No test of this mean is known to hold its level, for a reason that no number of networks mends."""

    why: str

    def raw(self, _level: float, _networks: float) -> float:
        """Return 0: refused at every level."""
        return 0.0

    def p(self, _raw: float, _networks: float) -> float:
        """Return 1: nothing is evidence."""
        return 1.0

    def reason(self, _level: float, _networks: float) -> str:
        """Return the reason."""
        return self.why


@dataclass(frozen=True, slots=True)
class AtRisk:
    """Another floor's, for the share of the networks that its test is about."""

    floor: Floor
    share: float

    def raw(self, level: float, networks: float) -> float:
        """Return what the other floor does for the networks at risk."""
        return self.floor.raw(level, round(self.share * networks))

    def p(self, raw: float, networks: float) -> float:
        """Return what the other floor does for the networks at risk."""
        return self.floor.p(raw, round(self.share * networks))

    def reason(self, level: float, networks: float) -> str:
        """Return what the other floor says of the networks at risk."""
        return self.floor.reason(level, round(self.share * networks))


@dataclass(frozen=True, slots=True)
class FromNetworks:
    """Another floor's from so many networks on; below, nothing is known of a law's tails."""

    floor: Floor
    least: int
    law: str

    def raw(self, level: float, networks: float) -> float:
        """Return what the other floor does, or 0 for fewer networks."""
        return self.floor.raw(level, networks) if networks >= self.least else 0.0

    def p(self, raw: float, networks: float) -> float:
        """Return what the other floor does, or 1 for fewer networks."""
        return self.floor.p(raw, networks) if networks >= self.least else 1.0

    def reason(self, level: float, networks: float) -> str:
        """Say how many networks the law's tails take."""
        if networks >= self.least:
            return self.floor.reason(level, networks)
        return f"with the tails of {self.law} a t test takes {self.least:,} networks, there are {networks:,}"


FloorLaw = Literal["square", "step", "logarithm"]
"""What a mean over networks is one of: a mean square of normal numbers, a step from pre-activations to pre-activations, or a
logarithm."""


@dataclass(frozen=True, slots=True)
class Units:
    r"""The t test of what is averaged over so many units, as the steps of a network are.

    Parameters
    ----------
    width : int
        Units of the narrowest layer that is averaged over.
    steps : int
        Independent steps that are added up: their skewnesses average out.
    law : {"square", "step", "logarithm"}
        Of a "square" and a "step" the logarithm of the mean is tested, of a "logarithm" the mean itself.
    skewness : float
        Of a logarithm, as the sample has it, where that is more than the width says.

    Notes
    -----
    Let values have the relative standard deviation c and the skewness g. To first order in 1 / sqrt(N) the t statistic of their
    mean's logarithm is below its quantile at level a with probability

    .. math:: a + \frac{g (2 z_a^2 + 1) - 3 c (z_a^2 + 1)}{6 \sqrt N} \varphi(z_a),

    the skewness and the curvature of the logarithm taken together, and above it less often than a. A mean square of n normal numbers
    has c = sqrt(2 / n) and g = 2 c, which leaves c (z^2 - 1). A step of pre-activations is the product of two: what an
    activation makes of the layer below, and what the weights make of that. For ReLU, where it is widest, the former's first three
    moments are 1, 1 + 5 / n and 1 + 15 / n + 44 / n^2, and the latter's 1, 1 + 2 / n and 1 + 6 / n + 8 / n^2. Within a network
    neighbouring steps go together, so that several lean no less than one. A logarithm's skewness is negative, at most 4.4 over the
    root of the units and steps in size by simulation, and its error -g (2 z^2 + 1) / 6, on the other side.

    Levels are lowered so that one and a half times this excess is allowed for; where it is as large as the level itself the test
    refuses, and below 20 networks. By simulation of each kind, 2 to 64 units and 20 to 1,000 networks, what is left is within 1.2 times
    the level at .05, .01, .05/20 and .05/150, both sides apart. With the allowance of a mean square a step of four units
    errs 3.6 times too often at .05/150.
    """

    width: int
    steps: int = 1
    law: FloorLaw = "square"
    skewness: float = 0.0

    def raw(self, level: float, networks: float) -> float:
        """Return the level at which the t law is used, or 0 where there are too few networks."""
        if not self._holds(level, networks):
            return 0.0
        # As a share of the level, which may be as small as numbers are.
        share = optimize.brentq(
            lambda part: self._dilated(part * level, networks) / level - 1.0, 0.0, 1.0, xtol=_NARROW
        )
        return float(share) * level

    def p(self, raw: float, networks: float) -> float:
        """Return the raw p-value with its excess, 1 where that is as large as itself."""
        if networks < FEWEST:
            return 1.0
        dilated = self._dilated(raw, networks)
        if dilated > 0.0 and self._excess(dilated, networks) <= 1.0:
            return min(1.0, dilated)
        return self._least(networks)  # also of what is too small for a number

    def reason(self, level: float, networks: float) -> str:
        """Say how many networks a verdict at the level takes."""
        if self._holds(level, networks):
            return ""
        return (
            f"a verdict at level {level:.2g} takes {self.least(level):,} networks of this width, there are {networks:,}"
        )

    def least(self, level: float) -> int:
        """Return the fewest networks with which there are verdicts at a level."""
        return max(FEWEST, math.ceil(self._excess(level, 1) ** 2))

    def _holds(self, level: float, networks: float) -> bool:
        """Whether there are verdicts at a level."""
        return networks >= FEWEST and self._excess(level, networks) <= 1.0

    def _excess(self, level: float, networks: float) -> float:
        """By how much of itself a level is allowed to be exceeded."""
        if not 0.0 < level < _LARGEST:
            return 0.0
        z = float(special.ndtri(level))
        return _ALLOWANCE * max(0.0, self._lean(z * z)) / 6.0 * _density_over(level, z) / math.sqrt(networks)

    def _lean(self, z2: float) -> float:
        """Six times the factor of phi(z) / sqrt(N), given z^2."""
        if self.law == "square":
            return math.sqrt(2.0 / (self.width * self.steps)) * (z2 - 1.0)
        if self.law == "step":
            c, g = _step_moments(self.width)
            return g * (2.0 * z2 + 1.0) - 3.0 * c * (z2 + 1.0)
        skewness = max(_LOG_SKEWNESS / math.sqrt(self.width * self.steps), abs(self.skewness))
        return skewness * min(2.0 * z2 + 1.0, 3.0 * z2)  # 0 at a level of one half, where no verdict is given any more

    def _dilated(self, raw: float, networks: float) -> float:
        return raw * (1.0 + self._excess(raw, networks))

    def _least(self, networks: float) -> float:
        """The smallest level that is not refused, by bisection on the logarithm."""
        low, high = math.log(np.finfo(np.float64).tiny), math.log(_LARGEST)
        for _ in range(60):
            middle = (low + high) / 2.0
            low, high = (low, middle) if self._excess(math.exp(middle), networks) <= 1.0 else (middle, high)
        return math.exp(high)


@lru_cache(maxsize=256)
def _step_moments(width: int) -> tuple[float, float]:
    """Relative standard deviation and skewness of a step of pre-activations, as `Units` says."""
    second = (1.0 + 5.0 / width) * (1.0 + 2.0 / width)
    third = (1.0 + 15.0 / width + 44.0 / width**2) * (1.0 + 6.0 / width + 8.0 / width**2)
    c = math.sqrt(second - 1.0)
    return c, (third - 3.0 * second + 2.0) / c**3


@dataclass(frozen=True, slots=True)
class Strict:
    """The log t test of means put together from steps with estimated weights, as those with biases are.

    Parameters
    ----------
    width : int
        Units of the narrowest layer.

    Notes
    -----
    Measured by simulation with biases of variance 1e-6 to 1 in layers of 4 to 16 units, 30 to 50 of them: from n N = 3,200
    on within one and a half times the level, by which levels are divided up to n N = 8,000; below it, and below 100 networks, or
    200 for levels below .05/20, the test refuses.
    """

    width: int

    def raw(self, level: float, networks: float) -> float:
        """Return the level, two thirds of it, or 0 where there are too few networks for it."""
        units = self.width * networks
        if networks < self._networks(level) or units < _SOME_UNITS:
            return 0.0
        return level / _STRICTER if units < _PLENTY_OF_UNITS else level

    def p(self, raw: float, networks: float) -> float:
        """Return the smallest level whose raw level is at least this one."""
        used = self.raw(_LARGEST, networks)
        if used == 0.0:
            return 1.0
        dilated = min(1.0, raw * _LARGEST / used)
        return max(dilated, SMALL) if networks < _SOME else dilated

    def reason(self, level: float, networks: float) -> str:
        """Say how many networks a verdict at the level takes."""
        if self.raw(level, networks) > 0.0:
            return ""
        least = max(self._networks(level), math.ceil(_SOME_UNITS / self.width))
        return f"a verdict at level {level:.2g} takes {least:,} networks of this width, there are {networks:,}"

    def _networks(self, level: float) -> int:
        return _SOME if level < SMALL else _SOME // 2


def pooled_floor(floors: Sequence[Floor]) -> Floor:
    """Return the floor of an average over columns: the first that is no `Units`, else that of the narrowest for all steps.

    Parameters
    ----------
    floors : sequence of Floor
        One per column.

    Returns
    -------
    Floor
    """
    units = [floor for floor in floors if isinstance(floor, Units)]
    if len(units) < len(floors):
        return next(floor for floor in floors if not isinstance(floor, Units))
    width = min(floor.width for floor in units)
    return Units(width, law="step") if any(floor.law == "step" for floor in units) else Units(width, len(units))


@dataclass(frozen=True, slots=True)
class Skewed:
    r"""Hall's t test of a mean of any values, as far as the sample's skewness lets one believe it.

    Parameters
    ----------
    skewness : float
        Of the sample; NaN if it has no spread.

    Notes
    -----
    The first Edgeworth term moves a one-sided error a of a t statistic by (2 z_a^2 + 1) phi(z_a) / 6 times the skewness over
    the root of the number of networks. Hall's statistic is without that term, and is used where it would at most double a: up
    to 6 a / ((2 z_a^2 + 1) phi(z_a)), and never more than .148. That is .148 at .05, .115 at .05/20, .068 at .05/150 and .053 at
    1e-4. On log-normal values of variance .05 to 2 of the logarithm, from 100 to 5,000 networks, at most 1.45 a of all
    samples are then kept and wrong. It rests on the sample: networks that are larger, and so rare that none was seen, it
    cannot know of; with one network in a hundred six times as large, 200 networks err 5 a of the time, and 5,000 .8 a.
    """

    skewness: float

    def raw(self, level: float, networks: float) -> float:
        """Return the level where the skewness is small enough for it, else 0."""
        enough = networks >= (SKEWED_NETWORKS if level >= SMALL else _SOME)
        return level if enough and self._relative(networks) <= skewness_limit(level) else 0.0

    def p(self, raw: float, networks: float) -> float:
        """Return the larger of the p-value and the smallest level that the skewness allows."""
        relative, least = self._relative(networks), SMALL if networks < _SOME else 0.0
        if networks < SKEWED_NETWORKS or not relative <= SKEWNESS_LIMIT:
            return 1.0
        if 0.0 < raw < _LARGEST and relative <= skewness_limit(raw):  # whose smallest level is below this
            return max(raw, least)
        return max(raw, least, _smallest_level(relative))

    def reason(self, level: float, networks: float) -> str:
        """Say that a few networks carry the mean, or that there are too few."""
        if self.raw(level, networks) > 0.0:
            return ""
        needed = SKEWED_NETWORKS if level >= SMALL else _SOME
        if networks < needed:
            return f"a t test of these values takes {needed} networks at level {level:.2g}, there are {networks:,}"
        if math.isnan(self.skewness):
            return "all networks show one value, which says nothing of how they vary"
        least = math.ceil((self.skewness / skewness_limit(level)) ** 2)
        return (
            f"a few networks carry the mean (sample skewness {self.skewness:.1f} with {networks:,} networks): at level "
            f"{level:.2g} no test is known to hold, some {least:,} networks may do"
        )

    def _relative(self, networks: float) -> float:
        return abs(self.skewness) / math.sqrt(networks)


SKEWED_NETWORKS = 100
"""Below this the sample's own skewness says too little."""
SKEWNESS_LIMIT = 0.148
"""Of skewness over the root of the number of networks, at any level: there the first Edgeworth term of a plain t test leaves
.0375 and .0125 in the tails of a nominal 95 % interval instead of .025 each."""


def skewness_limit(level: float) -> float:
    """Return the largest skewness over the root of the number of networks at which Hall's t test is believed at a level.

    Parameters
    ----------
    level : float
        One-sided, in (0, 0.5].

    Returns
    -------
    float
        At most 0.148.

    Examples
    --------
    >>> [round(skewness_limit(level), 3) for level in (0.05, 0.05 / 20, 0.05 / 150)]
    [0.148, 0.115, 0.068]
    """
    return min(SKEWNESS_LIMIT, _doubling(level))


def _doubling(level: float) -> float:
    """6 a / ((2 z^2 + 1) phi(z))."""
    z = float(special.ndtri(level))
    return 6.0 / ((1.0 + 2.0 * z * z) * _density_over(level, z))


def _density_over(level: float, z: float) -> float:
    """phi(z) / a where a is the probability below z; in logarithms, so that it stands at any level."""
    return math.exp(-z * z / 2.0 - math.log(2.0 * math.pi) / 2.0 - math.log(level))


def _smallest_level(relative: float) -> float:
    """Smallest level of which the skewness limit is at least `relative`, by bisection on the logarithm."""
    if relative == 0.0:
        return 0.0
    low, high = math.log(np.finfo(np.float64).tiny), math.log(_LARGEST)
    if skewness_limit(math.exp(low)) >= relative:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (low, middle) if skewness_limit(math.exp(middle)) >= relative else (middle, high)
    return math.exp(high)
