"""Means tested as they stand: by the ends that values have; also of measurements of one's own, whose scale is not known."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from varprop._typing import Float64Array
from varprop.model.activations import Activation
from varprop.model.layers import UnsupportedError
from varprop.model.network import Network, read_chain, read_leaves
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.simulation import Simulation
from varprop.model.sites import Place
from varprop.stats import means
from varprop.stats.capital import MeanScale, capital_means
from varprop.stats.influence import MOST_JOINT, column_problem, step_ratios
from varprop.stats.means import absent_note
from varprop.stats.outcome import Outcome
from varprop.stats.positive import ASSUMES, either, growth_bets, means_as_they_stand
from varprop.stats.skewed import skewed_ratio
from varprop.theory import get_theory
from varprop.theory.predictions import said_of
from varprop.theory.state import State, Walk
from varprop.verification import validity
from varprop.verification.columns import filled
from varprop.verification.forms import CARRIER, Form, form_of, is_product, mean_over_inputs
from varprop.verification.questions import (
    Ends,
    Finding,
    Measured,
    Placed,
    Question,
    SampleTable,
    Summed,
    UndecidableError,
    join_notes,
    judging,
)


@dataclass(frozen=True, slots=True)
class StandingColumn:
    """What stands for a quantity at one place where its mean is tested as it is: its values or others of the same mean."""

    quantity: str
    place: Place
    low: float = -math.inf
    high: float = math.inf

    @property
    def ends(self) -> int:
        """How many ends there are."""
        return 2 if math.isfinite(self.high) else int(math.isfinite(self.low))


def columns_of(
    network: object, quantity: str, places: Sequence[Place], recorded: Sequence[str]
) -> list[StandingColumn]:
    """Find for each place the values whose mean is tested, and their ends.

    A layer's mean square has the mean of its conditional variance, given independent weights of mean 0; that varies less, and
    is bounded where the activation before it is.
    """
    if not isinstance(network, Network):
        return [StandingColumn(quantity, place, *ALL_QUANTITIES[quantity].ends) for place in places]
    sites = read_leaves(network, "a mean as it stands")
    bounded = _bounded_variances(network) if CARRIER in recorded else {}
    activations = {site.place: site.layer for site in sites if isinstance(site.layer, Activation)}
    units = {site.place: site.output_shape[0] for site in sites}
    found = []
    for place in places:
        if quantity in {"preactivation_second_moment", "preactivation_variance"} and place in bounded:
            found.append(StandingColumn(CARRIER, place, *bounded[place]))
        elif place in activations:
            found.append(StandingColumn(quantity, place, *_ends_of(quantity, activations[place], units[place])))
        else:
            found.append(StandingColumn(quantity, place, *ALL_QUANTITIES[quantity].ends))
    return found


def _ends_of(quantity: str, activation: Activation, units: int) -> tuple[float, float]:
    """Ends of a quantity measured at an activation, by what phi and phi' are known to be."""
    low, high = activation.value_range
    if quantity == "activation_mean":
        return low, high
    if quantity == "activation_second_moment":
        return _squares(low, high)
    if quantity == "activation_variance":
        widest = (high - low) ** 2 / 4.0
        return 0.0, widest * units / (units - 1) if units > 1 else widest
    if quantity == "derivative_second_moment" and activation.max_slope is not None:
        return 0.0, activation.max_slope**2 if activation.max_slope > 0.0 else math.inf
    return ALL_QUANTITIES[quantity].ends


def _squares(low: float, high: float) -> tuple[float, float]:
    """Ends of the squares of numbers between two ends."""
    least = 0.0 if low <= 0.0 <= high else min(low**2, high**2)
    return least, max(low**2, high**2)


def _bounded_variances(network: Network) -> dict[Place, tuple[float, float]]:
    """Ends of the conditional variance of each layer that follows a bounded activation and has independent weights."""
    try:
        chain = read_chain(network)
    except UnsupportedError:
        return {}
    if not all(step.weights.iid and step.biases.iid for step in chain):
        return {}
    if any(law.mean(*step.site.fans) != 0.0 for step in chain for law in (step.weights, step.biases)):
        return {}
    found, rules = {}, Walk(get_theory("mean-field"))
    for before, step in itertools.pairwise(chain):
        ends = np.array(_squares(*before.activation.value_range))
        if before.activation_site is not None and np.isfinite(ends).all() and step.weight_variance > 0.0:
            low, high = rules.after(step.site, State(ends, ends)).carried.tolist()
            found[step.place] = low, high
    return found


def plain_means(
    test: str,
    simulation: Simulation,
    quantity: str,
    nulls: Mapping[Place, float],
    *,
    scale: MeanScale = "logarithm",
    bets_alone: bool = False,
) -> Question[list[tuple[Place, Outcome | UndecidableError]]]:
    """Ask for the means of a quantity as they stand, each against its null."""
    network = simulation.network
    places = tuple(nulls)
    columns = columns_of(network, quantity, places, simulation.quantities)
    certain = validity.without_spread(network, quantity) if isinstance(network, Network) else frozenset[Place]()
    refused = validity.heaviest_tail(network).reason if isinstance(network, Network) else ""
    # Bets need as many ends of all columns of a table: two, one, or none.
    kinds = dict.fromkeys(column.ends for column in columns)
    groups = [[i for i, column in enumerate(columns) if column.ends == ends] for ends in kinds]

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
        measured = Measured(piece)
        made = []
        for group in groups:
            values = np.stack(
                [mean_over_inputs(measured.at(columns[i].quantity, columns[i].place)) for i in group], axis=1
            )
            low, high = np.array([(columns[i].low, columns[i].high) for i in group]).T
            ends = Ends(low, high, np.array([nulls[places[i]] for i in group])) if columns[group[0]].ends else None
            made.append(SampleTable(values, tuple(places[i] for i in group), ends=ends))
        return tuple(made)

    def conclude(summed: tuple[Summed, ...]) -> list[tuple[Place, Outcome | UndecidableError]]:
        found: dict[Place, Outcome | UndecidableError] = {}
        for one in summed:
            for i, place in enumerate(one.places):
                try:
                    with judging():
                        outcome = _plain_mean(test, one, i, nulls[place], scale, bets_alone=bets_alone, refused=refused)
                except UndecidableError as error:
                    found[place] = error
                else:
                    outcome = surely(outcome) if place in certain and outcome.se == 0.0 else outcome
                    absent = absent_note(one.moments.rows - outcome.n, one.moments.rows)
                    found[place] = replace(outcome, note=join_notes(absent, outcome.note))
        return [(place, found[place]) for place in places]

    return Question(tables, conclude)


def plain_rate(
    test: str, simulation: Simulation, quantity: str, ends: tuple[Place, Place], *, steps: int, expected: float
) -> Question[Outcome]:
    """Ask for the growth per step of a quantity's mean, from the means at two places as they stand."""
    network = simulation.network
    columns = columns_of(network, quantity, ends, simulation.quantities)
    refused = validity.heaviest_tail(network).reason if isinstance(network, Network) else ""
    start = _expected_there(simulation, quantity, ends[0])
    units = start, start * math.exp(min(max(steps * expected, -_FAR), _FAR))

    def tables(piece: Simulation) -> tuple[SampleTable, ...]:
        measured = Measured(piece)
        first, last = (mean_over_inputs(measured.at(column.quantity, column.place)) for column in columns)
        pair = SampleTable(np.stack([last, first], axis=1), (ends[1], ends[0]), thirds=True)
        alone = [
            SampleTable(values[:, None], (place,), ends=Ends(column.low, column.high, unit) if column.ends else None)
            for values, place, column, unit in zip((first, last), ends, columns, units, strict=True)
        ]
        return pair, *alone

    def conclude(summed: tuple[Summed, ...]) -> Outcome:
        pair, *alone = summed
        growth = skewed_ratio(test, pair.moments, steps=steps, expected=expected, note=ASSUMES, refused=refused)
        first, last = (
            means_as_they_stand(test, one.moments, one.capital, null=unit, scale="logarithm", refused=refused)[0]
            for one, unit in zip(alone, units, strict=True)
        )
        return either(growth, growth_bets(growth, last, first, steps=steps))

    return Question(tables, conclude)


_FAR = 600.0
"""Logarithm of the largest scale that bets are made at."""


def _expected_there(simulation: Simulation, quantity: str, place: Place) -> float:
    """Roughly a mean, as a scale for bets: what mean field says, or 1."""
    with contextlib.suppress(UnsupportedError, ValueError):
        for p in said_of(simulation.architecture, get_theory("mean-field"), simulation.inputs):
            if p.quantity == quantity and (p.layer, p.module) == place and 0.0 < p.predicted < math.inf:
                return p.predicted
    return 1.0


def _plain_mean(
    test: str, summed: Summed, i: int, null: float, scale: MeanScale, *, bets_alone: bool, refused: str
) -> Outcome:
    """One column's mean: by bets alone, or by bets and a t test."""
    moments = summed.moments.take(i)
    bets = None if summed.capital is None else summed.capital.take(i)
    if bets_alone and bets is not None and bets.bounded:
        return capital_means(test, moments, bets, null=null, scale=scale)[0]
    return means_as_they_stand(test, moments, bets, null=null, scale=scale, refused=refused)[0]


def surely(outcome: Outcome) -> Outcome:
    """An outcome of a law that is known to have no spread, of which none was seen."""
    n = outcome.n
    return Outcome.from_estimate(outcome.test, theta=outcome.theta, se=0.0, df=n - 1, n=n, certain=True)


# ---- means of one's own ----------------------------------------------------------------------------------------------


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
