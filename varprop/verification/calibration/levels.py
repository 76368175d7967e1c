"""How often verdicts are false, either way, at the levels that verdicts are really given at: over many simulated studies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from varprop._typing import Float64Array
from varprop.model.simulation import Simulation
from varprop.stats.law_fits import LawFit
from varprop.stats.multiple import acceptance_region, share_interval
from varprop.stats.outcome import Outcome
from varprop.verification.calibration.studies import Setting, measured_truth, taken_for
from varprop.verification.calibration.truths import claim_of, draw, judged, null_is_exact, null_of
from varprop.verification.claims import Claim
from varprop.verification.compare import needed_quantities

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (0.05, 0.01, 0.05 / 20, 0.05 / 150)
"""One-sided levels of a verdict: of a report of one claim, of one that is looked at closely, and of 20 and of 150 claims."""
Side = Literal["too low", "too high", "point null"]
"""What is falsely said: that the truth is less than it is, that it is more, or that a law is not the one it is."""
_FARTHEST = 0.1
"""p-values beyond this decide nothing, and how they are distributed does not matter."""

COLUMNS = (
    "part",
    "test",
    "configuration",
    "n_networks",
    "side",
    "level",
    "studies",
    "events",
    "value",
    "ci_low",
    "ci_high",
    "accept_high",
    "excess_p",
    "accepted",
    "guarantee",
)
"""Of the frame of levels, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCase:
    """Studies of one claim about one kind of network, in which either verdict is false."""

    name: str
    claim: Claim
    setting: Setting
    truth: float | None = 0.0

    def reads(self, two: Simulation) -> tuple[str, ...]:
        """Quantities to sample: the claim's, and all that its test makes use of; by two of the setting's networks."""
        network, inputs = self.setting.network, np.ones((1, self.setting.network.widths[0]))
        where = {name: samples.places for name, samples in two.samples.items()}
        needed = needed_quantities(self.claim, network, inputs, where)
        return tuple(sorted({*needed, *_HELPFUL.get(self.claim.quantity, ())}))


_V = "conditional_variance"
_HELPFUL: dict[str, tuple[str, ...]] = {
    "preactivation_second_moment": (_V, "activation_second_moment"),
    "activation_second_moment": (_V, "preactivation_second_moment"),
    "preactivation_variance": (_V, "preactivation_second_moment", "activation_second_moment"),
    "activation_variance": (_V, "preactivation_second_moment", "activation_second_moment"),
    "activation_mean": (_V, "activation_second_moment"),
    "gradient_variance": ("gradient_second_moment",),
    "weight_gradient_second_moment": (
        _V,
        "gradient_second_moment",
        "preactivation_second_moment",
        "activation_second_moment",
    ),
}
"""What tests of a quantity use where it was recorded."""


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """One-sided p-values of many studies at their truth, shape (sides, studies), and whether each level has verdicts.

    A study that admits no test has p-values of 1.
    """

    names: tuple[Side, ...]
    pvalues: Float64Array
    guarantees: tuple[str, ...]

    def __add__(self, other: Sides) -> Sides:
        best = tuple(min(pair, key=_RANK.index) for pair in zip(self.guarantees, other.guarantees, strict=True))
        return Sides(self.names, np.hstack([self.pvalues, other.pvalues]), best)


_RANK = ("exact", "measured", "proved", "none")


def judge_levels(
    cases: Sequence[LevelCase], truths: Sequence[float], studies: int, name: tuple[int, int]
) -> list[Sides]:
    """Simulate some studies, of one setting, and judge every case on them; in a worker. The name ends with the chunk's number."""
    setting = cases[0].setting
    two = _two(setting)
    reads = tuple(dict.fromkeys(name for case in cases for name in case.reads(two)))
    drawn = draw(
        setting.drawn,
        n_networks=studies * setting.n_networks,
        seed=setting.child(0, name[1]),
        source=setting.source,
        quantities=reads,
    )
    sample = taken_for(setting.network, drawn)
    return [_sides(case, truth, sample, studies) for case, truth in zip(cases, truths, strict=True)]


def truth_of(case: LevelCase, _name: int) -> float:
    """Theta under the networks that are sampled, measured if it is not known; in a worker."""
    if case.truth is not None:
        return case.truth
    return measured_truth(case.claim, case.setting, quantities=case.reads(_two(case.setting)))


def _sides(case: LevelCase, truth: float, sample: Simulation, studies: int) -> Sides:
    outcomes = list(judged(case.claim, sample, studies))
    there = [one for one in outcomes if one is not None]
    names: tuple[Side, ...] = ("too low", "too high")
    if not null_of(case.claim.test).sides:
        names = ("point null",)
        pvalues = [[1.0 if one is None else _point(one) for one in outcomes]]
    else:
        pvalues = [
            [1.0 if one is None else one.p_below(truth) for one in outcomes],
            [1.0 if one is None else one.p_above(truth) for one in outcomes],
        ]
    guarantees = tuple(
        min((one.guarantee(level) for one in there[:_LOOKED_AT]), key=_RANK.index, default="none") for level in LEVELS
    )
    return Sides(names, np.array(pvalues), guarantees)


_LOOKED_AT = 50
"""Outcomes that are asked what they guarantee: it hardly differs between studies of one size."""


def _point(outcome: Outcome) -> float:
    """p-value of the point null, by both of its tests if there are two."""
    if isinstance(outcome, LawFit) and outcome.second_test:
        return min(1.0, 2.0 * min(outcome.pvalue, outcome.second_pvalue))
    return outcome.pvalue


def level_rows(name: str, configuration: str, n_networks: int, sides: Sides) -> Iterator[dict[str, object]]:
    """Count one configuration's false verdicts, side by side and level by level."""
    for i, side in enumerate(sides.names):
        for j, level in enumerate(LEVELS):
            yield {
                "part": "levels",
                "test": name,
                "configuration": configuration,
                "n_networks": n_networks,
                "side": side,
                "guarantee": sides.guarantees[j],
                **counted(sides.pvalues[i], level),
            }


def pooled_rows(name: str, every: Sequence[Sides]) -> Iterator[dict[str, object]]:
    """Count a test's false verdicts over all configurations in which it gives any at a level."""
    for i, side in enumerate(every[0].names):
        for j, level in enumerate(LEVELS):
            speaking = [sides.pvalues[i] for sides in every if sides.guarantees[j] != "none"]
            grades = {sides.guarantees[j] for sides in every} - {"none"}
            if speaking:
                yield {
                    "part": "pooled",
                    "test": name,
                    "configuration": f"{len(speaking)} of {len(every)} configurations",
                    "side": side,
                    "guarantee": ", ".join(sorted(grades)),
                    **counted(np.concatenate(speaking), level),
                }


def counted(pvalues: Float64Array, level: float) -> dict[str, object]:
    """Count p-values of a level or less, with what a right promise allows."""
    events, studies = int((pvalues <= level).sum()), len(pvalues)
    low, high = share_interval(events, studies)
    _, most = acceptance_region(studies, level)
    return {
        "level": level,
        "studies": studies,
        "events": events,
        "value": events / studies,
        "ci_low": low,
        "ci_high": high,
        "accept_high": most,
        "excess_p": kolmogorov_excess(pvalues),
        "accepted": events <= most,
    }


def kolmogorov_excess(pvalues: Float64Array) -> float:
    """Bound the probability that p-values no smaller than uniform ones show so many small ones, at any point up to 0.1."""
    small = np.sort(pvalues[pvalues <= _FARTHEST])
    if not len(small):
        return 1.0
    excess = float((np.arange(1, len(small) + 1) / len(pvalues) - small).max())
    return math.exp(-2.0 * len(pvalues) * excess**2) if excess > 0.0 else 1.0


def levels_frame(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Put rows of levels into a frame."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    text = ("part", "test", "configuration", "side", "guarantee")
    return frame.astype({"n_networks": "Int64", "accepted": "bool"} | dict.fromkeys(text, "str"))


def claim_for(test: str, setting: Setting, *, margin: float) -> tuple[Claim, float | None]:
    """Return a test's own claim about a setting's networks, and its truth: 0, or None where it has to be measured."""
    claim = claim_of(test, setting.network, margin=margin)
    return claim, 0.0 if null_is_exact(test, setting.network) else None


def _two(setting: Setting) -> Simulation:
    """Two networks, to see which quantities there are."""
    from varprop.engine.simulate import simulate

    return simulate(setting.network, n_networks=2, rng=0, executor="serial")
