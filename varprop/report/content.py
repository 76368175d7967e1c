"""A run -> what its report says. The words are here; how they are set is html.py's and markdown.py's."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from varprop.report.document import ClaimSection, Picture, Reproduction, StudyDocument
from varprop.report.exact_laws import exact_law_pictures
from varprop.report.figures import forest_figure, profile_figure
from varprop.report.histogram_figures import histogram_pictures
from varprop.report.phases import phase_pictures
from varprop.report.rows import rows_pictures
from varprop.report.sample_summary import CONFIDENCE, SPREAD, layer_summary
from varprop.report.spreads import spread_pictures
from varprop.report.svg import render_svg
from varprop.report.sweep_figure import sweep_pictures, without_sweep
from varprop.report.tables import (
    LedgerEntry,
    layer_table,
    ledger_entries,
    ledger_table,
    summary_table,
    verdict_table,
)
from varprop.report.wording import SYMBOL_KEY, SYMBOLS, axis_label, count, listing, meaning, number, percent, sentence
from varprop.study.earlier import unrecorded
from varprop.study.looks import ladder_told
from varprop.verification.validity import declared_symmetric
from varprop.verification.verdict import Verdict, to_frame

if TYPE_CHECKING:
    import pandas as pd

    from varprop.model.simulation import Simulation
    from varprop.model.training import Training
    from varprop.study.run import Run
    from varprop.study.standing import Standing
    from varprop.study.study import Study
    from varprop.verification.claims import Claim

FIGURES = ("profile", "forest", "exact-law", "sweep", "rows", "histograms", "distributions", "phase")
"""What ``[report] figures`` may ask for."""
_USUAL_FIGURES = ("profile", "forest")
_USUAL_OF_TRAINING = ("rows",)
_UNCLAIMED = ("preactivation_second_moment", "gradient_second_moment")
"""Profiles of a study that claims nothing."""
_VERSIONS = ("varprop", "numpy", "scipy")
"""Packages whose versions are told: those that make the numbers."""


def study_document(run: Run) -> StudyDocument:
    """Say everything that a report says of one run."""
    study, verdicts = run.study, run.judged
    simulations = run.simulations()
    entries = ledger_entries(verdicts, study.claims)
    usual = _USUAL_FIGURES if study.training is None else _USUAL_OF_TRAINING
    wanted = usual if study.figures is None else study.figures
    pictures: list[Picture] = []
    if "profile" in wanted:
        pictures += _profiles(study, simulations, run.predictions())
    if "forest" in wanted and entries:
        pictures += _forests(study, verdicts)
    if "exact-law" in wanted:
        pictures += exact_law_pictures(simulations)
    if "sweep" in wanted:
        pictures += sweep_pictures(study, simulations)
    if "rows" in wanted:
        pictures += rows_pictures(simulations)
    if "distributions" in wanted:
        pictures += spread_pictures(simulations)
    if "histograms" in wanted:
        pictures += histogram_pictures(simulations, seed=study.seed, dtype=study.dtype)
    if "phase" in wanted:
        pictures += phase_pictures({c.label: c.network for c in study.configurations})
    return StudyDocument(
        name=study.name,
        title=study.title,
        lead=f"{_networks(run)} for each of {count(len(simulations), 'configuration')}. {tally(entries)}{_alarm(run)}",
        contradictions=contradictions(entries),
        remarks=(
            *_unknown_figures(wanted),
            *without_sweep(study, wanted),
            *_unrecorded(study, simulations),
            *_declared(simulations),
        ),
        ledger=ledger_table(entries, caption="One row for each claim and verdict."),
        guarantee=_guarantee(run.standing),
        claims=tuple(
            _claim_section(study, identifier, verdicts) for identifier in dict.fromkeys(c.id for c in study.claims)
        ),
        pictures=tuple(pictures),
        reproduction=_reproduction(run),
        run=run.fingerprint,
    )


def _unknown_figures(wanted: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"The study asks for the figure “{name}”, which is not drawn; there are {listing(FIGURES)}."
        for name in wanted
        if name not in FIGURES
    )


def _declared(simulations: Mapping[str, Simulation]) -> tuple[str, ...]:
    """Say of which configurations an assumption of the tests rests on somebody's word."""
    told: dict[str, list[str]] = {}
    for label, simulation in simulations.items():
        if said := declared_symmetric(simulation.network):
            told.setdefault(said, []).append(label)
    return tuple(f"{sentence(said)[:-1]}: {listing(labels)}." for said, labels in told.items())


def _unrecorded(study: Study, simulations: Mapping[str, Simulation]) -> tuple[str, ...]:
    """Say that an earlier version made the samples, if it did not record all that this one would."""
    if not (lacking := unrecorded(study, simulations)):
        return ()
    remark = (
        f"An earlier version of varprop made these samples, or some of them, and did not record {listing(lacking)}, which no "
        "claim needs; varprop run --fresh samples with it."
    )
    return (remark,)


def contradictions(entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """One sentence for every verdict that is the opposite of what was expected."""
    return tuple(
        f"{entry.claim.id} was expected to be {entry.claim.expect} and is {entry.verdict} "
        f"in {len(entry.rows)} of its {count(entry.n_tests, 'test')}."
        for entry in entries
        if entry.contradicts
    )


def tally(entries: Sequence[LedgerEntry]) -> str:
    """How many verdicts of each kind."""
    counts = {verdict: sum(len(e.rows) for e in entries if e.verdict == verdict) for verdict in SYMBOLS}
    total = sum(counts.values())
    if not total:
        return "Nothing is claimed, so there are no verdicts."
    told = ", ".join(f"{n:,} {verdict}" for verdict, n in counts.items() if n)
    return f"{count(total, 'verdict')}: {told}."


# ---- claims ------------------------------------------------------------------------------------------------------


def _claim_section(study: Study, identifier: str, verdicts: Sequence[Verdict]) -> ClaimSection:
    """What is said about one claim, over all its quantities."""
    claims = [claim for claim in study.claims if claim.id == identifier]
    mine = [one for one in verdicts if one.claim.id == identifier]
    return ClaimSection(
        claim=identifier,
        statement=claims[0].statement,
        corrected="" if {one.verdict for one in mine} == {"supported"} else claims[0].corrected,
        facts=_claim_facts(claims),
        verdicts=verdict_table(
            mine,
            caption=f"{identifier}: every configuration and quantity, with its verdict.",
            file=f"tables/verdicts/{identifier}.csv",
        ),
        layers=layer_table(
            mine,
            caption=f"{identifier}, layer by layer, for exploration. These rows bear no verdict; their intervals have level "
            f"{percent(1 - study.alpha)}, each on its own.",
            file=f"tables/layers/{identifier}.csv",
        ),
    )


def _claim_facts(claims: Sequence[Claim]) -> tuple[str, ...]:
    """How the claim is tested, in short sentences."""
    from varprop.verification.reasons import REASONS

    claim = claims[0]
    against = f" (theory: {claim.theory})" if claim.theory else ""
    facts = [f"Test {claim.test}: {claim.rule.meaning}{against}."]
    facts += [f"{one.quantity} is the {meaning(one.quantity)}." for one in claims]
    if claim.layers is not None:
        facts.append(f"Layers {claim.layers[0]} to {claim.layers[1]}.")
    for side in ("below", "above"):
        threshold = getattr(claim, side)
        if threshold is not None:
            facts.append(f"Claimed: {side} {number(threshold)}{claim.rule.bound.told if claim.rule.bound else ''}.")
    if claim.equals is not None:
        facts.append(f"Claimed: exactly {claim.equals:.10g}{'' if claim.counts else ' in every network'}.")
    if claim.reason is not None:
        facts.append(f"Reason {claim.reason}: {REASONS[claim.reason].meaning}.")
    elif claim.rule.equality and claim.counts:
        facts.append(f"Claimed of at least {percent(claim.least_share)} of all networks.")
    elif claim.rule.equality:
        facts.append(
            "Claimed of all networks without a reason: one exception refutes it, and no number of networks supports it."
        )
    if claim.expect is not None:
        facts.append(f"Expected: {claim.expect}.")
    return tuple(facts)


_EXACT = (
    "Claims of test identity that name a reason, or are about all networks, have neither margin nor level. What holds for a reason, "
    "which every configuration was found to fulfil, holds in all networks; those sampled are compared with it, numbers of float64 to "
    "the last bit and those of float32 up to rounding. A single departure refutes either kind, and without a reason nothing supports "
    "it. These verdicts take no part of alpha."
)


_RESTS_ON = (
    "The column “Level” says what a test’s level rests on. “Proved”: an inequality that holds for any number of networks. "
    "“Measured”: the test was simulated from a known truth over a range of widths and numbers of networks, and refuses outside of "
    "it. “Exact”: chance has no part in it. “None”: no test is known to hold its level here, so there is no verdict."
)


def _guarantee(standing: Standing) -> tuple[str, ...]:
    """What the verdicts promise."""
    study = standing.study
    exact = [not claim.counts for claim in study.claims]
    if exact and all(exact):
        return (_EXACT,)
    meaning_of_verdicts = (
        "A verdict is about a margin. “Supported” means that the truth lies within the margin of the prediction, "
        "“refuted” that it lies outside, “inconclusive” that this many networks cannot tell; the last says nothing "
        "about the claim. It is supported where “p, equivalence” is at most the row’s level a, refuted where “p, refutation” is."
    )
    said = [meaning_of_verdicts, _level(standing), _RESTS_ON, *map(sentence, standing.told)]
    if study.stopping == "sequential":
        said.append(
            "A configuration was sampled only until its claims were decided, at looks fixed beforehand. P-values and intervals "
            "are those of confidence sequences, which hold at whatever look one stops; the network numbers beside a verdict are "
            "those by then."
        )
    return (*said, *([_EXACT] if any(exact) else []))


def _level(standing: Standing) -> str:
    """At which level the tests run, and what that makes of all of them."""
    m, alpha = standing.m, f"{standing.alpha:g}"
    counted = f"m = {count(m)} {'test bears a verdict' if m == 1 else 'tests bear verdicts'} here"
    if standing.deleted:
        counted = f"m = {count(m)}: {count(m - standing.deleted, 'verdict')} here, and {count(standing.deleted)} of earlier looks"
    share = f"{standing.share:g} alpha/m = {standing.share:g} × {alpha}/{m}"
    if standing.design == "one":
        each = f"each runs at level a = alpha/m = {alpha}/{m}, since the study declared beforehand that it is looked at once"
    elif standing.study.stopping == "sequential":
        each = f"each runs at level a = alpha/m = {alpha}/{m} (those without a sequential form at {share})"
    else:
        each = (
            f"each runs at level a = {share}. The factor is the share of alpha that this look has: the study may be looked at "
            f"with {ladder_told(standing.first)} networks, and all these looks together have alpha"
        )
    if standing.guaranteed:
        promise = f"However the tests depend on each other, {standing.promise}"
    else:
        promise = sentence(standing.promise).rstrip(".")
    usual = 1.0 if standing.study.stopping == "sequential" else standing.share
    level_of_intervals = 1 - 2 * usual * standing.alpha / m
    return (
        f"{counted}, and {each}. {promise}. Intervals beside a verdict have level 1 - 2a, {percent(level_of_intervals)} where no "
        "row says otherwise: they lie inside the margin exactly where the verdict is “supported”. The network is the unit: "
        "nothing is pooled over the units of one network."
    )


def _alarm(run: Run) -> str:
    """What has to be said beside the verdicts, and not only below them."""
    return "" if not run.study.claims or run.standing.guaranteed else f" {sentence(run.standing.promise)}"


def _networks(run: Run) -> str:
    """How many networks there are of each configuration."""
    networks = count(run.networks, "random network")
    return f"At most {networks}" if run.study.stopping == "sequential" else networks


# ---- figures -----------------------------------------------------------------------------------------------------


def _profiles(study: Study, simulations: Mapping[str, Simulation], predictions: pd.DataFrame) -> list[Picture]:
    """Draw every quantity that is claimed something of, in the configurations it is claimed of."""
    import pandas as pd

    predictions = predictions.reindex(columns=["configuration", "layer", "quantity", "theory", "predicted"])
    drawn: dict[str, list[str]] = {}
    for quantity in dict.fromkeys(claim.quantity for claim in study.claims) or _UNCLAIMED:
        scopes = [scope for scope in study.scopes if scope.claim.quantity == quantity]
        labels = [c.label for c in study.configurations if not scopes or any(c.label in s.labels for s in scopes)]
        # Weights are tested too, and are no quantity of a simulation.
        drawn[quantity] = [label for label in labels if quantity in simulations[label].quantities]
    # All quantities of a configuration at once: its samples are read from disk for each time they are asked for.
    wanted_of = {label: [quantity for quantity, labels in drawn.items() if label in labels] for label in simulations}
    rows = {
        label: layer_summary(simulations[label], quantities, configuration=label)
        for label, quantities in wanted_of.items()
        if quantities
    }
    pictures = []
    for quantity, recorded in drawn.items():
        scopes = [scope for scope in study.scopes if scope.claim.quantity == quantity]
        summaries = [rows[label][rows[label]["quantity"] == quantity] for label in recorded]
        if all(summary.empty for summary in summaries):
            continue
        theories = {"mean-field"} | {scope.claim.theory for scope in scopes if scope.claim.theory}
        wanted = (predictions["quantity"] == quantity) & predictions["theory"].isin(theories)
        lines = predictions[wanted & predictions["configuration"].isin(recorded)]
        pictures.append(_profile_picture(quantity, pd.concat(summaries), lines))
    return pictures


def _profile_picture(quantity: str, summary: pd.DataFrame, predictions: pd.DataFrame) -> Picture:
    n_networks, panels = summary["n_networks"], summary["configuration"].nunique()
    networks = count(n_networks.max(), "network")
    if n_networks.min() < n_networks.max():
        networks = f"{count(n_networks.min())} to {networks}"
    theories = list(dict.fromkeys(predictions["theory"]))
    lines = f" Lines: the predictions of {listing(theories)}." if theories else ""
    name = f"profile-{quantity}"
    alternative = (
        f"{sentence(meaning(quantity))[:-1]}, layer by layer, in {count(panels, 'configuration')}: measured means, the spread over "
        f"networks{', and the predictions of ' + listing(theories) if theories else ''}. The table below has the numbers."
    )
    draw = partial(profile_figure, summary, predictions)
    return Picture(
        name=name,
        heading=f"{axis_label(quantity)} over depth ({quantity})",
        caption=(
            f"{sentence(meaning(quantity))} Dots: mean over {networks}, with its {percent(CONFIDENCE)} interval (often smaller "
            f"than the dot). Band: from the {percent(SPREAD[0])} to the {percent(SPREAD[1])} quantile over networks."
            f"{lines} Each panel has its own scale: logarithmic where nothing is negative, and an arrow at its edge then stands for exactly 0."
        ),
        alternative=alternative,
        svg=render_svg(draw(), title=alternative, name=name),
        draw=draw,
        numbers=summary_table(
            summary, predictions, caption=f"The numbers of the figure {name}.", file=f"tables/figures/{name}.csv"
        ),
    )


def _forests(study: Study, verdicts: Sequence[Verdict]) -> list[Picture]:
    """Draw the verdicts: those on ratios, and those on standardised means, which have an axis of their own."""
    order = {claim: i for i, claim in enumerate(dict.fromkeys(claim.id for claim in study.claims))}
    decided = sorted(verdicts, key=lambda one: order[one.claim.id])
    parts = {
        "forest": ([one for one in decided if not one.standardised], "measured over predicted"),
        "forest-zero-mean": ([one for one in decided if one.standardised], "the standardised mean"),
    }
    pictures = []
    for name, (part, what) in parts.items():
        if not part:
            continue
        counts = Counter[str](one.verdict for one in part)
        told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in SYMBOLS if verdict in counts)
        alternative = f"{sentence(what)[:-1]}, with interval and margin, for {count(len(part), 'verdict')}: {told}. The claims' tables have the numbers."
        draw = partial(forest_figure, to_frame(part, rows="verdicts"))
        pictures.append(
            Picture(
                name=name,
                heading=f"All verdicts: {what}",
                caption=(
                    f"Each row is one verdict: {what}, with its interval. The shaded band is the claim's margin; a "
                    "claim about a bound has none, and its gain per layer, or value, stands over the bound. Marks: circle "
                    "supported, cross refuted, diamond inconclusive. Rows beyond the axis stand at its edge with "
                    f"an arrow and their value. {SYMBOL_KEY}."
                ),
                alternative=alternative,
                svg=render_svg(draw(), title=alternative, name=name),
                draw=draw,
                numbers=None,
            )
        )
    return pictures


# ---- reproduction ------------------------------------------------------------------------------------------------


def _training(training: Training) -> str:
    """How networks are trained, in words."""
    which = "weights and biases" if training.train_biases else "weights alone"
    return (
        f"{count(training.steps, 'step')} of full-batch gradient descent on the mean squared error, rate {training.learning_rate:g}, "
        f"{which}; targets y = M x without noise, entries of M being N(0, 1/inputs)"
    )


def _reproduction(run: Run) -> Reproduction:
    """Seed, sizes, versions and the commands."""
    study = run.study
    versions = run.manifest["environment"]["versions"]
    told = ", ".join(f"{name} {versions[name]}" for name in _VERSIONS if name in versions)
    inputs = study.inputs
    if inputs is None:
        given = "one, all ones"
    elif isinstance(inputs, int):
        given = f"{inputs}, Gaussian, each scaled to mean square 1"
    else:
        given = f"{len(inputs)}, given in the study file"
    file = f"{study.name}.toml"
    more = "" if run.networks == study.networks else f" --networks {run.networks}"
    trained = study.training
    training = () if trained is None else (("Training", _training(trained)),)
    facts = (
        ("Seed", str(study.seed)),
        ("Networks per configuration", f"{'at most ' if study.stopping == 'sequential' else ''}{count(run.networks)}"),
        ("Inputs", given),
        *training,
        ("Arithmetic", study.dtype),
        ("Level alpha", f"{study.alpha:g}"),
        *((("Looks", count(run.standing.number)),) if study.claims else ()),
        ("Sampled with", told),
    )
    commands = (f"varprop run {shlex.quote(file)}{more}", f"varprop report {shlex.quote('runs/' + study.name)}")
    return Reproduction(facts, commands, study.text)
