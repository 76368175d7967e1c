"""A user's own measurements, which may not tell the scale of what was fed in and of the loss: what can be said whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from varprop._typing import Float64Array
from varprop.model.network import Network
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.stats import means
from varprop.stats.influence import MOST_JOINT, column_problem, step_ratios
from varprop.stats.outcome import Outcome
from varprop.verification import validity
from varprop.verification.as_they_stand import plain_rate, surely
from varprop.verification.columns import filled
from varprop.verification.findings import Finding, Placed, UndecidableError, join_notes, judging
from varprop.verification.forms import Form, form_of, is_product
from varprop.verification.questions import Measured, Question, SampleTable, Summed

_TEST = "cumulative_mean"
ALONE = "of a user's own measurements 'preserved' compares later layers with the first (of gradients with the last)"


def is_own(simulation: Simulation) -> bool:
    """Tell whether a sample is a user's own measurements of a network with layers."""
    return simulation.own and isinstance(simulation.network, Network)


def kept_findings(simulation: Simulation, quantity: str, places: tuple[Place, ...]) -> Question[list[Placed]]:
    """Ask how the mean over networks in each layer compares with that in the first one that was measured.

    Of gradients the last layer is the first: places are in the order in which the signal travels. The first place has no finding,
    since nothing is claimed of it. What the others are compared with is measured, and its error counted: in the product form the
    ratios of neighbouring layers leave it out, in others both means are taken from the same networks.
    """
    if len(places) < 2:
        return Question(lambda _piece: (), lambda _summed: [])
    if is_product(simulation.architecture, quantity):
        asked = _by_steps(simulation, quantity, places)
    else:
        form = form_of(simulation, quantity)
        with_form = form is not None and set(form.places) <= set(places)
        asked = _by_form(form, places) if form is not None and with_form else _by_means(simulation, quantity, places)
    certain = validity.without_spread(simulation.architecture, quantity)

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
        return SampleTable(_first(piece, quantity, places[0])[:, None], places[:1]), *asked.tables(piece)

    def conclude(summed: tuple[Summed, ...]) -> list[Placed]:
        reference = float(summed[0].moments.mean[0])
        found: list[Placed] = []
        for place, one in zip(places[1:], asked.conclude(summed[1:]), strict=True):
            if isinstance(one, UndecidableError):
                found.append((place, one))
                continue
            outcome = surely(one) if {place, places[0]} <= certain and one.se == 0.0 else one
            said = f"held against what was measured in layer {places[0][0]}"
            found.append((place, Finding(place, replace(outcome, note=join_notes(said, outcome.note)), reference)))
        return found

    return Question(tables, conclude)


Answer = Outcome | UndecidableError


def _first(piece: Simulation, quantity: str, place: Place) -> Float64Array:
    values = Measured(piece).at(quantity, place)
    return np.asarray(values.mean(axis=1))


def _by_steps(simulation: Simulation, quantity: str, places: Sequence[Place]) -> Question[list[Answer]]:
    """By the ratios of neighbouring layers, whose means multiply."""
    network = simulation.architecture
    width = validity.narrowest(network)
    tails = validity.heaviest_tail(network)
    floors = [validity.law_floor(tails, width, abs(place[0] - places[0][0])) for place in places[1:]]

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
        table, there = Measured(piece).table(quantity)
        table = table[:, [there.index(place) for place in places]]
        with judging():
            ratios = step_ratios(filled(table))
        steps = SampleTable(ratios, tuple(places[1:]), joint=ratios.shape[1] <= MOST_JOINT)
        return steps, SampleTable(np.isnan(table).astype(np.float64), tuple(places))

    def conclude(summed: tuple[Summed, ...]) -> list[Answer]:
        ratios, missing = summed
        absent = int(np.argmax(np.append(missing.moments.high > 0.0, True)))
        outcomes = means.cumulative_outcomes(ratios.moments, floors=floors)

        def at(i: int) -> Outcome:
            if i + 1 >= absent:
                why = f"values are missing at layer {places[absent][0]}: leave out networks that were not measured"
                raise ValueError(why)
            if i >= len(outcomes):
                raise ValueError(column_problem(ratios.moments, len(outcomes)))
            return outcomes[i]

        return [_answer(at, i) for i in range(len(places) - 1)]

    return Question(tables, conclude)


def _by_form(form: Form, places: Sequence[Place]) -> Question[list[Answer]]:
    """By the steps that a quantity's means are put together from."""

    def conclude(summed: tuple[Summed, ...]) -> list[Answer]:
        (steps,) = summed
        profile = form.profile(steps)
        first, *others = (form.places.index(place) for place in places)
        return [_answer(lambda i: profile.rate(_TEST, first, i, steps=1, expected=0.0), i) for i in others]

    return Question(form.tables, conclude)


def _by_means(simulation: Simulation, quantity: str, places: Sequence[Place]) -> Question[list[Answer]]:
    """By both means as they stand."""
    asked = [plain_rate(_TEST, simulation, quantity, (places[0], place), steps=1, expected=0.0) for place in places[1:]]

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
        return tuple(table for one in asked for table in one.tables(piece))

    def conclude(summed: tuple[Summed, ...]) -> list[Answer]:
        each = len(summed) // len(asked)
        return [_answer(lambda i: asked[i].conclude(summed[i * each : (i + 1) * each]), i) for i in range(len(asked))]

    return Question(tables, conclude)


def _answer(at: Callable[[int], Outcome], i: int) -> Answer:
    try:
        with judging():
            return at(i)
    except UndecidableError as error:
        return error


def with_level(found: list[Placed], quantity: str, delta: float) -> list[Placed]:
    """Say beside the layers where measured over predicted is the same in all of them, and not 1."""
    thetas = [one.outcome.theta for _, one in found if isinstance(one, Finding)]
    if len(thetas) < max(2, len(found)) or max(thetas) - min(thetas) > delta or min(map(abs, thetas)) <= delta:
        return found
    ratios = [one.ratio for _, one in found if isinstance(one, Finding)]
    low, high = f"{min(ratios):.4g}", f"{max(ratios):.4g}"
    scale = low if low == high else f"{low} to {high}"
    write = "Simulation.from_frame(frame, network, inputs=...)"
    asked = f"tell what was fed in, {write}"
    if ALL_QUANTITIES[quantity].place == "gradient":
        asked = f"divide by the mean squared gradient of the loss at the output, which is taken for 1, and {asked}"
    said = f"measured is {scale} times predicted in all layers: the gains agree and the level is off; {asked}"
    return [
        (place, replace(one, outcome=replace(one.outcome, note=join_notes(one.outcome.note, said))))
        if isinstance(one, Finding)
        else (place, one)
        for place, one in found
    ]
