"""A run -> its page. The words are here; how they are set is the formats'."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from varprop.model.inputs import Training
from varprop.model.simulation import Simulation
from varprop.plot.wording import SYMBOLS, count, listing, meaning, number, percent, sentence
from varprop.report.blocks import Claimed, Folded, Listing, Page, Paragraph, Picture, Reproduction, Section, anchor
from varprop.report.law_pictures import exact_law_pictures, histogram_pictures, phase_pictures, spread_pictures
from varprop.report.pictures import forest_pictures, profile_pictures, rows_pictures, sweep_pictures, without_sweep
from varprop.report.tables import LedgerEntry, layer_table, ledger_entries, ledger_table, verdict_table
from varprop.study.earlier import unrecorded
from varprop.study.looks import ladder_told
from varprop.verification.validity import declared_symmetric
from varprop.verification.verdict import Verdict

if TYPE_CHECKING:
    from varprop.study.run import Run
    from varprop.study.standing import Standing
    from varprop.study.study import Study
    from varprop.verification.claims import Claim

FIGURES = ("profile", "forest", "exact-law", "sweep", "rows", "histograms", "distributions", "phase")
"""What ``[report] figures`` may ask for."""
_USUAL_FIGURES = ("profile", "forest")
_USUAL_OF_TRAINING = ("rows",)

_VERSIONS = ("varprop", "numpy", "scipy")
"""Packages whose versions are told: those that make the numbers."""


def study_page(run: Run) -> Page:
    """Say everything that a report says of one run."""
    study, verdicts = run.study, run.judged
    simulations = run.simulations()
    entries = ledger_entries(verdicts, study.claims)
    usual = _USUAL_FIGURES if study.training is None else _USUAL_OF_TRAINING
    wanted = usual if study.figures is None else study.figures
    draw: dict[str, Callable[[], list[Picture]]] = {
        "profile": lambda: profile_pictures(study, simulations, run.predictions()),
        "forest": lambda: forest_pictures(study, verdicts) if entries else [],
        "exact-law": lambda: exact_law_pictures(simulations),
        "sweep": lambda: sweep_pictures(study, simulations),
        "rows": lambda: rows_pictures(simulations),
        "distributions": lambda: spread_pictures(simulations),
        "histograms": lambda: histogram_pictures(simulations, seed=study.seed, dtype=study.dtype),
        "phase": lambda: phase_pictures({c.label: c.network for c in study.configurations}),
    }
    pictures = [picture for name, pictures_of in draw.items() if name in wanted for picture in pictures_of()]
    remarks = (
        *_unknown_figures(wanted),
        *without_sweep(study, wanted),
        *_unrecorded(study, simulations),
        *_declared(simulations),
    )
    ledger = ledger_table(entries, caption="One row for each claim and verdict.")
    verdicts_told = [Listing(ledger, "Table of all claims"), *map(Paragraph, _guarantee(run.standing))]
    identifiers = dict.fromkeys(claim.id for claim in study.claims)
    claims = [_claim_section(study, identifier, verdicts) for identifier in identifiers]
    layers = [one for identifier in identifiers if (one := _claim_layers(study, identifier, verdicts))]
    sections = [
        Section("ledger", "Claim ledger", (*(verdicts_told if entries else ()), *map(Paragraph, remarks))),
        Section("claims", "Claim by claim", tuple(claims), "claims"),
        Section("figures", "Figures", tuple(pictures)),
        Section("layers", "Layer by layer", tuple(layers), "layers"),
        Section("reproduce", "How to reproduce it", (_reproduction(run),), "reproduce"),
    ]
    return Page(
        title=study.title,
        lead=f"{_networks(run)} for each of {count(len(simulations), 'configuration')}. {tally(entries)}{_alarm(run)}",
        blocks=tuple(section for section in sections if section.blocks or section.name == "ledger"),
        contradictions=contradictions(entries),
        name=study.name,
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


def _claim_section(study: Study, identifier: str, verdicts: Sequence[Verdict]) -> Section:
    """What is said about one claim, over all its quantities."""
    claims = [claim for claim in study.claims if claim.id == identifier]
    mine = [one for one in verdicts if one.claim.id == identifier]
    held = {one.verdict for one in mine} == {"supported"}
    table = verdict_table(
        mine,
        caption=f"{identifier}: every configuration and quantity, with its verdict.",
        file=f"tables/verdicts/{identifier}.csv",
    )
    told = Claimed(claims[0].statement, "" if held else claims[0].corrected, _claim_facts(claims))
    return Section(anchor(identifier), identifier, (told, Listing(table, f"Verdicts on {identifier}")), "claim")


def _claim_layers(study: Study, identifier: str, verdicts: Sequence[Verdict]) -> Folded | None:
    """The rows of one claim that bear no verdict; None if it has none."""
    table = layer_table(
        [one for one in verdicts if one.claim.id == identifier],
        caption=f"{identifier}, layer by layer, for exploration. These rows bear no verdict; their intervals have level "
        f"{percent(1 - study.alpha)}, each on its own.",
        file=f"tables/layers/{identifier}.csv",
    )
    return None if table is None else Folded(identifier, table)


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
    return Reproduction(facts, file, commands, study.text)
