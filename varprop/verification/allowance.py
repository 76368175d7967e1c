"""What a verdict may spend: the level of its row now, and at the looks to come."""

from __future__ import annotations

from dataclasses import dataclass

from varprop.stats import ladder
from varprop.stats.equivalence import check_budget
from varprop.verification.findings import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one row of verdicts may spend."""

    level: float
    networks: int
    later: tuple[tuple[int, float], ...] = ()
    waits: str = ""
    note: str = ""
    aside: str = ""


def of_one_look(networks: int, *, alpha: float, m: int) -> Allowance:
    """Give a verdict all of its part of alpha: the sample is looked at once, and nobody keeps a record."""
    check_budget(alpha, m)
    level = alpha / m
    later = tuple((larger, level) for _, larger in ladder.above(max(networks, 1), 1))
    return Allowance(level=level, networks=networks, later=later)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many networks would decide a claim: the first number with a chance of one half or more, and the next one."""

    networks: int | None = None
    chance: float | None = None
    next_networks: int | None = None
    next_chance: float | None = None
    said: str = ""


def forecast(evidence: Evidence, allowance: Allowance) -> Forecast:
    """Foresee how many networks decide a claim that is open."""
    if evidence.chance is None:
        return Forecast(said="more networks do not decide it")
    if not allowance.later:
        return Forecast(said="no larger number of networks is foreseen")
    counted = evidence.headline.outcome.n
    # A network that is dead where the claim is decided counts as one of the sample all the same.
    chances = (
        (networks, evidence.chance(counted * networks / allowance.networks, level))
        for networks, level in allowance.later
    )
    possible = False
    for networks, chance in chances:  # each found when it is asked for: of a thousand layers they take a while
        possible = possible or chance > 0.0
        if chance < 0.5:
            continue
        said = f"{networks:,} networks decide with a chance of {_percent(chance)}"
        aside = f" ({allowance.aside})" if allowance.aside else ""
        more, surer = next(chances, (None, None))
        if more is None or surer is None:
            return Forecast(networks, chance, said=said + aside)
        return Forecast(networks, chance, more, surer, f"{said}, {more:,} with {_percent(surer)}{aside}")
    if not possible:
        return Forecast(said="how many networks would decide cannot be told from these")
    return Forecast(said="more than 10^9 networks would be needed")


def _percent(chance: float) -> str:
    """A chance in words, which is never said to be a certainty."""
    return "over 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"
