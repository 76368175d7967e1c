"""Runs and audits -> what the page over all of them says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from varprop.plot.wording import SYMBOLS, count, listing, number
from varprop.report.blocks import (
    LEDGER_FOLDER,
    Block,
    Cell,
    Column,
    Definitions,
    LedgerRow,
    Listing,
    Page,
    Paragraph,
    Section,
    Table,
    TableFile,
    VerdictTally,
)
from varprop.report.content import contradictions, tally
from varprop.report.ledger import Contribution, Joint, apart_table, contributions, families, plain_ledger, promises
from varprop.report.tables import LedgerEntry, ledger_entries
from varprop.study.files import csv_text
from varprop.study.judgement import digest

if TYPE_CHECKING:
    from varprop.study.run import Run

_TOLD = "One row for each claim; rows that begin with ↳ are further statements on it."
INTRODUCTION = (
    (
        "Before a neural network is trained, its weights are drawn at random. If they are drawn too small, the signal fades "
        "from layer to layer; if too large, it explodes; and the gradient, by which the network is to learn, does so on its way "
        "back. The initialisations of Xavier and He choose the variance of the weights so that neither happens. This page takes "
        "what is said of them, statement by statement, and holds it against measurements."
    ),
    (
        "Each statement is tested on many random networks, which are not trained unless a study says so. What is measured in "
        "them is compared with what the statement predicts, and the verdict follows from a margin that was declared beforehand. "
        "Where a statement turns out wrong, the row also says what holds instead."
    ),
)

TERMS = (
    (
        "Measured/predicted",
        (
            "What was measured, divided by what the statement predicts: 1 where it is exactly right, 2 where the truth is twice "
            "as large. Of all tests with the row’s verdict the one farthest from 1 is shown, its confidence interval in brackets."
        ),
    ),
    (
        "Margin",
        "How far from the prediction still counts as agreement. ±5 % means from 1/1.05 to 1.05 times what is predicted.",
    ),
    ("Supported ✓", "The truth lies within the margin, as far as the interval tells."),
    (
        "Refuted ✗",
        "The truth lies outside the margin. A statement about several networks is refuted if it is wrong of one of them.",
    ),
    ("Inconclusive ?", "So many networks cannot tell. That says nothing about the statement."),
    (
        "Error rate",
        (
            "In each study the chance that even one “supported” or “refuted” is wrong is at most alpha, which is 5 % unless the "
            "study says another."
        ),
    ),
    (
        "Jointly",
        (
            "The verdict also holds at the level at which all verdicts of this page share one alpha. Without the word it holds in "
            "its own study alone."
        ),
    ),
    (
        "Figure",
        (
            "A line for each test: the mark is measured/predicted, the bar its interval, the shaded band the margin, the vertical "
            "line a prediction that is exactly right. Circle: supported; cross: refuted; diamond: inconclusive. An arrow points "
            "to what lies beyond the axis."
        ),
    ),
)

NOTATION = (
    ("l = 1 … L", "layers that have weights, counted from the input"),
    ("z = W a + b", "pre-activations of a layer: weights W times the activations a of the layer below, plus biases b"),
    ("a = φ(z)", "activations of a layer; φ is the activation function, such as ReLU or tanh"),
    ("δ = dLoss/dz", "gradient of the loss with respect to the pre-activations; it travels from the last layer back"),
    ("n_in, n_out", "fan-in and fan-out: how many inputs and outputs a layer has"),
    ("Var(W)", "variance of one weight. Xavier: 2/(n_in + n_out); He: 2/n_in"),
    ("z², a², δ²", "mean squares (second moments) over the units of a layer"),
    ("var z, var a, mean a", "variance and mean over the units of a layer"),
    ("z²/v", "mean square of z over the variance that z has, given the layer below"),
    ("256x20", "a network with 20 layers of 256 units; 512-128x20 alternates between 512 and 128"),
)


def index_page(runs: Sequence[Run], audited: Sequence[Contribution] = ()) -> Page:
    """Gather the claims of several runs and audits into one ledger."""
    joint = Joint.of(runs)
    marked = [joint.mark(run) for run in runs]
    entries = [ledger_entries(mine, run.study.claims) for run, mine in zip(runs, marked, strict=True)]
    found = [
        one
        for run, mine in zip(runs, marked, strict=True)
        for one in contributions(run.study.name, mine, run.study.claims)
    ]
    ledger = families([*found, *audited])
    rows = [row for _, family in ledger for row in family.rows]
    tested = [Paragraph(text) for text in INTRODUCTION]
    named: list[Block] = [TableFile(plain_ledger(rows, file=f"{LEDGER_FOLDER}/claims.csv"), _TOLD)]
    named += map(Paragraph, promises(joint, runs, marked, audits=bool(audited)))
    apart = apart_table(joint, runs, marked)
    named += [Listing(apart, "Verdicts that do not hold jointly")] if apart.rows else []
    named += [Section(f"family-{name}", one.title, (one,)) for name, one in ledger]
    sections = [
        Section("introduction", "What is tested", (*tested, *([VerdictTally(_tally_table(rows))] if rows else []))),
        Section("terms", "How to read a row", (Definitions(TERMS),)),
        Section("ledger", "Claim ledger", tuple(named) if rows else ()),
        Section("notation", "Notation", (Definitions(NOTATION),)),
        Section("studies", "Studies", (Listing(_studies(runs, entries, joint), "Table of all studies"),)),
    ]
    return Page(
        title="Claims under test",
        lead=_lead(rows, len(runs), len({one.page.text.partition(": ")[0] for one in audited})),
        blocks=tuple(sections),
        contradictions=tuple(
            f"{run.study.title}: {text}"
            for run, mine in zip(runs, entries, strict=True)
            for text in contradictions(mine)
        ),
        run=digest([[run.study.name, run.fingerprint] for run in runs] + [_plain(one) for one in audited]),
    )


def _plain(one: Contribution) -> list[object]:
    """What an audit says of a claim, for a hash that no change of classes changes."""
    told = [(row.configuration, row.verdict, row.measured.ratio, row.measured.interval, row.note) for row in one.rows]
    return [one.claim.id, one.claim.statement, one.claim.corrected, one.page.page, told]


def _lead(rows: Sequence[LedgerRow], n_studies: int, n_audits: int) -> str:
    """How many claims there are, and how they came out."""
    where = "1 study" if n_studies == 1 else f"{n_studies:,} studies"
    if n_audits:
        where += f" and {count(n_audits, 'audit')} of frameworks"
    if not rows:
        return f"{where}. Nothing is claimed, so there are no verdicts."
    counts = {verdict: sum(row.leading.verdict == verdict for row in rows) for verdict in SYMBOLS}
    told = listing([f"{n:,} {verdict}" for verdict, n in counts.items() if n])
    return f"{count(len(rows), 'claim')}: {told}. They are tested in {where}."


def _tally_table(rows: Sequence[LedgerRow]) -> Table:
    """Count claims, and claims with their further statements, by verdict."""
    import pandas as pd

    leading = [row.leading.verdict for row in rows]
    statements = [*leading, *(one.verdict for row in rows for one in row.further)]
    texts = [[verdict, str(leading.count(verdict)), str(statements.count(verdict))] for verdict in SYMBOLS]
    texts.append(["in all", str(len(leading)), str(len(statements))])
    columns = (Column("Verdict"), Column("Claims", "number"), Column("With further statements", "number"))
    numbers = csv_text(pd.DataFrame(texts, columns=["verdict", "claims", "statements"]))
    caption = "How many claims have which verdict."
    return Table.of(caption, columns, texts).with_file(f"{LEDGER_FOLDER}/tally.csv", numbers)


def _studies(runs: Sequence[Run], entries: Sequence[Sequence[LedgerEntry]], joint: Joint) -> Table:
    """List the studies, with what was sampled, how often it was looked at, and their parts of what all verdicts share."""
    import pandas as pd

    names = ["study", "title", "configurations", "networks", "m", "looks", "alpha", "part_of_joint_alpha", "verdicts"]
    rows = []
    for run, mine in zip(runs, entries, strict=True):
        standing, claims = run.standing, bool(run.study.claims)
        shares = (standing.m, standing.number, standing.promised, joint.part(run)) if claims else (0, 0, math.nan, 0.0)
        name, size = run.study.name, len(run.study.configurations)
        rows.append((name, run.study.title, size, run.networks, *shares, tally(mine)))
    texts: list[list[Cell | str]] = [
        [Cell(title, study=name), count(size), count(networks), count(m), count(looks), number(part), told]
        for name, title, size, networks, m, looks, _, part, told in rows
    ]
    columns = (
        Column("Study"),
        Column("Configurations", "number"),
        Column("Networks", "number"),
        Column("m", "number"),
        Column("Looks", "number"),
        Column("Part of joint alpha", "number"),
        Column("Verdicts"),
    )
    caption = (
        "The studies: how many networks of each configuration were sampled, how many verdicts share alpha (m), how often the "
        "study was looked at, and its part of the error that all verdicts share."
    )
    file = f"{LEDGER_FOLDER}/studies.csv"
    return Table.of(caption, columns, texts).with_file(file, csv_text(pd.DataFrame(rows, columns=names)))
