"""How a study stands: the rung that its networks reach, what each verdict may spend there, and what is promised in all.

A verdict on rung k of the ladder is given at the level s_k alpha / m, and the shares s_k sum to 1, so that the chance of any
false verdict is at most alpha however often one looks. Three things would break that, and are met by rules: a margin that is
chosen after a look, another seed on the same rung, and statements that come and go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from varprop._limits import MAX_NETWORKS
from varprop.stats import multiple
from varprop.stats.mixture import NormalMixture
from varprop.study.looks import Design, Look, Sighting, ladder_told, look_at, sightings
from varprop.study.study import Study
from varprop.verification.prospects import first_rung, known_before, watched_need
from varprop.verification.verdict import Allowance
from varprop.verification.watching import look_schedule, mixture_for


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a study stands at one look."""

    study: Study
    networks: int
    looks: tuple[Look, ...]
    stated: tuple[Sighting, ...]

    @property
    def design(self) -> Design:
        """What the study said of its looks before the first one; later is too late."""
        if self.looks:
            return self.looks[0].design
        return "ladder" if self.study.looks is None else "one"

    @property
    def first(self) -> int:
        """Number of networks of the first look."""
        return self.looks[0].networks if self.looks else self.networks

    @property
    def rung(self) -> int:
        """The highest rung that the networks reach; 0 where they are fewer than at the first look."""
        return multiple.rung_of(self.first, self.networks)

    @property
    def judged(self) -> int:
        """Number of networks with which claims are judged that no confidence sequence watches."""
        if self.design == "one" or not self.rung:
            return self.networks
        return multiple.size(self.first, self.rung)

    @property
    def next(self) -> int:
        """Number of networks of the next rung."""
        return multiple.size(self.first, self.rung + 1)

    @property
    def share(self) -> float:
        """Share of alpha of this look."""
        return 1.0 if self.design == "one" or not self.rung else multiple.share(self.rung)

    @cached_property
    def number(self) -> int:
        """How many looks there have been, this one counted."""
        look = self._look(self.stated)
        return len(self.looks) + (not any(look.same_as(one) for one in self.looks))

    @cached_property
    def alpha(self) -> float:
        """What verdicts share at this look: the study's alpha, unless it was lower when the same networks were looked at."""
        return self._alpha(self.rung)

    def _alpha(self, rung: int) -> float:
        whatever = self.design == "one" or self.study.stopping == "sequential"
        before = [look.alpha for look in self.looks if whatever or look.rung == rung]
        return min([self.study.alpha, *before[:1]])

    @property
    def promised(self) -> float:
        """Bound on the chance that a verdict of any look is false."""
        return max([self.alpha, *(look.alpha for look in self.looks)])

    @cached_property
    def m(self) -> int:
        """Number of statements that share alpha: all that were ever looked at, those deleted since among them.

        To a confidence sequence other draws are another sample, and so is a margin that was chosen after a look.
        """
        everything = [*self.stated, *(one for look in self.looks for one in look.sightings)]
        return max(1, len({key for one in everything if one.counts for key in self._keys(one)}))

    @property
    def deleted(self) -> int:
        """How many of them the study states no more."""
        now = {key for one in self.stated if one.counts for key in self._keys(one)}
        return max(0, self.m - max(1, len(now)))

    @cached_property
    def guaranteed(self) -> bool:
        """Whether the promise holds: not of a study that declared one look and had several."""
        if self.design == "ladder":
            return True
        every = [*self.looks, self._look(self.stated)]
        return not any(_differ(one, other) for i, one in enumerate(every) for other in every[:i])

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of the looks before the verdicts."""
        said = []
        if not self.guaranteed:
            said.append(f"{self.promise}; the study declared looks = 1, and has had further ones")
        if self.study.looks is not None and self.design == "ladder":
            said.append("looks = 1 was declared after the first look, which is too late: looks are on the ladder")
        if self.study.looks is None and self.design == "one":
            said.append("the study declared looks = 1 before its first look, and that stays")
        if self.alpha < self.study.alpha:
            said.append(
                f"alpha was {self.alpha:g} when these networks were looked at, and {self.study.alpha:g} waits for the next rung"
            )
        return tuple(said)

    @property
    def promise(self) -> str:
        """What is promised of the verdicts, in a sentence."""
        if not self.guaranteed:
            return f"looked at {self.number} times: no guarantee"
        scope = "of this look" if self.design == "one" else "of this look or any other"
        return f"the chance that even one verdict {scope} is false is at most {100 * self.promised:.4g} %"

    @property
    def told(self) -> tuple[str, ...]:
        """What a reader of the verdicts must know of the looks; nothing where there has been one."""
        if self.design == "one":
            return self.remarks
        parts, sequences = [], all(one.watched for one in self.stated)
        if self.number > 1 and sequences:
            parts.append(f"look {self.number}; confidence sequences hold at all of them")
        elif self.number > 1:
            parts.append(f"look {self.number}, on a ladder of {ladder_told(self.first)} networks")
        if self.judged != self.networks and not sequences:
            parts.append(f"judged with {self.judged:,} of {self.networks:,} networks, the next rung is {self.next:,}")
        return (*self.remarks, *([": ".join(parts)] if parts else []))

    def counting(self, counts: Iterable[bool]) -> Standing:
        """Say which of the statements share alpha, in their order; before they are tested all are taken to."""
        stated = (replace(one, counts=here) for one, here in zip(self.stated, counts, strict=True))
        return replace(self, stated=tuple(stated))

    def allowances(self) -> tuple[Allowance, ...]:
        """What each verdict may spend, in the order of the statements."""
        return tuple(self._allowance(one) for one in self.stated)

    def prospects(self) -> tuple[Allowance, ...]:
        """What each verdict may spend at the looks to come, this one among them where it has not been taken."""
        return tuple(
            replace(here, later=self._to_come(one, here))
            for one, here in zip(self.stated, self.allowances(), strict=True)
        )

    def look(self) -> Look:
        """Describe this look for the record."""
        judged = zip(self.stated, self.allowances(), strict=True)
        return self._look([replace(one, level=a.level, edited=self._edited(one)) for one, a in judged])

    def _look(self, stated: Sequence[Sighting]) -> Look:
        networks = self.networks if self.study.stopping == "sequential" else self.judged
        return look_at(self.study, networks, stated, rung=self.rung, m=self.m, alpha=self.alpha)

    def _keys(self, one: Sighting) -> list[tuple[str, ...]]:
        """What a statement counts as."""
        if not one.watched:
            return [(one.statement,)]
        return [(one.statement, one.draws), *([(one.about, "edited")] if one.edited or self._edited(one) else [])]

    # ---- one statement -------------------------------------------------------------------------------------------

    @cached_property
    def _record(self) -> dict[str, list[tuple[int, Sighting]]]:
        """Everything that was looked at, by what it is about, with the number of its look."""
        found: dict[str, list[tuple[int, Sighting]]] = {}
        for number, look in enumerate(self.looks):
            for seen in look.sightings:
                found.setdefault(seen.about, []).append((number, seen))
        return found

    def _before(self, one: Sighting) -> list[tuple[int, Sighting]]:
        """The looks at a statement, with their rungs.

        Before the first of them those at one that differs in its id alone, best with the same margin: giving a claim another
        id makes nothing undone.
        """
        every = self._record.get(one.about, [])
        same = [pair for pair in every if pair[1].statement == one.statement]
        since = same[0][0] if same else len(self.looks)
        kin = [pair for pair in every if pair[0] < since]
        kin = [pair for pair in kin if pair[1].tolerance == one.tolerance] or kin
        return [(self.looks[number].rung, seen) for number, seen in (*kin, *same)]

    def _rung(self, one: Sighting) -> int:
        """The rung on which a statement is judged: draws of its own are the same on all, and belong to their first one."""
        if one.own_draws:
            for rung in sorted({rung for rung, _ in self._before(one) if rung}):
                owner = self._owner(one, rung)
                if owner is not None and owner.draws == one.draws:
                    return rung
        return self.rung

    def _owner(self, one: Sighting, rung: int) -> Sighting | None:
        """The first look at a statement on a rung: it fixes the margin and the draws there."""
        return next((seen for there, seen in self._before(one) if there == rung), None)

    def _edited(self, one: Sighting) -> bool:
        """Whether its margin was chosen after a look with another one."""
        before = self._before(one)
        if one.watched:
            return bool(before) and (before[0][1].edited or before[0][1].tolerance != one.tolerance)
        owner = self._owner(one, self._rung(one))
        if owner is not None and owner.tolerance == one.tolerance:
            return owner.edited
        return any(seen.edited or seen.tolerance != one.tolerance for _, seen in before)

    def _allowance(self, one: Sighting) -> Allowance:
        whole = self.alpha / self.m * (0.5 if self.design == "ladder" and self._edited(one) else 1.0)
        if one.watched:
            later = tuple((networks, whole) for _, networks in multiple.above(self.networks, 1))
            return Allowance(level=whole, networks=self.networks, later=later)
        if self.design == "one":
            later = tuple((networks, whole) for _, networks in multiple.above(self.networks, 1))
            aside = "in a study of its own, since a further look at this one has no guarantee"
            note = "" if self.guaranteed else self.promise
            return Allowance(level=whole, networks=self.networks, later=later, note=note, aside=aside)
        rung = self._rung(one)
        here = whole * self._alpha(rung) / self.alpha
        later = tuple(
            (networks, multiple.share(higher) * whole)
            for higher, networks in multiple.above(self.first, rung)
            if self._free(one, higher)
        )
        return Allowance(
            level=multiple.share(max(1, rung)) * here,
            networks=self.judged,
            later=later,
            waits=self._waits(one, rung),
            note=self._said(one),
        )

    def _to_come(self, one: Sighting, here: Allowance) -> tuple[tuple[int, float], ...]:
        if one.watched or self.design == "one":
            return ((self.networks, here.level), *here.later)
        rung = self._rung(one)
        now = ((self.judged, here.level),) if rung and self._free(one, rung) else ()
        return (*now, *here.later)

    def _free(self, one: Sighting, rung: int) -> bool:
        """Whether a statement may be judged on a rung."""
        owner = self._owner(one, rung)
        return owner is None or (owner.draws, owner.tolerance) == (one.draws, one.tolerance)

    def _waits(self, one: Sighting, rung: int) -> str:
        """Why these networks give no verdict; empty if they may."""
        if not rung:
            return (
                f"{self.networks:,} networks are fewer than the {self.first:,} of the first look, and only what was fixed then "
                "is judged"
            )
        owner = self._owner(one, rung)
        if owner is None or self._free(one, rung):
            return ""
        networks = f"{multiple.size(self.first, rung):,} networks"
        if owner.draws != one.draws:
            return f"{networks} were looked at with other draws: a new seed is a look, and needs a rung of its own"
        further = "draws of its own" if one.own_draws else f"the next rung, {self.next:,} networks"
        return (
            f"{networks} were looked at with {owner.told}, which was edited to {one.told}: that is judged with {further}, "
            "at half the level"
        )

    def _said(self, one: Sighting) -> str:
        """What the row says of the ladder."""
        if one.own_draws or not self.rung or self.judged == self.networks:
            return ""
        return f"judged with {self.judged:,} of {self.networks:,} networks, the next rung is {self.next:,}"


def _differ(one: Look, other: Look) -> bool:
    """Whether of two looks one is a further one: at other data, or with other margins."""
    ours, theirs = ([seen for seen in look.sightings if not seen.watched and seen.counts] for look in (one, other))
    if not ours or not theirs:
        return False
    if one.networks != other.networks:
        return True
    return any(_changed(seen, theirs) for seen in ours) or any(_changed(seen, ours) for seen in theirs)


def _changed(seen: Sighting, others: Sequence[Sighting]) -> bool:
    """Whether a statement is among others with other draws or another margin only."""
    alike = [one for one in others if one.statement == seen.statement]
    alike = alike or [one for one in others if one.about == seen.about]
    return bool(alike) and not any((one.draws, one.tolerance) == (seen.draws, seen.tolerance) for one in alike)


def stand(study: Study, looks: Sequence[Look], networks: int) -> Standing:
    """Find how a study stands."""
    return Standing(study=study, networks=networks, looks=tuple(looks), stated=sightings(study))


def mixture_of(standing: Standing) -> NormalMixture:
    """What a sequential study's bounds are made of, to plan with."""
    return mixture_for(look_schedule(standing.networks), alpha=standing.alpha, m=standing.m)


def too_few(study: Study, networks: int | None = None, *, looks: Sequence[Look] = ()) -> str:
    """Warn, before anything is sampled, that a study cannot decide some of its claims."""
    given = study.networks if networks is None else networks
    if looks:
        return ""
    standing, networks_of = stand(study, (), given), {c.label: c.network for c in study.configurations}
    claims = [(c.label, claim) for c in study.configurations for claim in study.claims_about(c.label)]
    needed: dict[str, int | None] = {}
    for (label, claim), stated, allowance in zip(claims, standing.stated, standing.prospects(), strict=True):
        prospect = known_before(claim, networks_of[label], inputs=study.n_inputs)
        if prospect is not None:
            need = watched_need(prospect.need, mixture_of(standing)) if stated.watched else prospect.need
            needed[f"{claim.id} ({label}, {claim.quantity})"] = first_rung(
                need, allowance.later, ladder=standing.design == "ladder"
            )
    short = {name: MAX_NETWORKS + 1 if count is None else count for name, count in needed.items() if count != given}
    if not short:
        return ""
    worst = max(short, key=lambda name: short[name])
    others = f" and {len(short) - 1} more" if len(short) > 1 else ""
    enough = f"{short[worst]:,} do" if short[worst] <= MAX_NETWORKS else "more than 10^9 would"
    of_ladder = f"of its ladder, {ladder_told(given)}, " if standing.design == "ladder" else ""
    return (
        f"{given:,} networks are too few to decide {worst}{others} with probability .9: {of_ladder}{enough}; "
        "`varprop plan` says what each claim takes"
    )
