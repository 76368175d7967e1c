"""Runs and audits -> what the page over all of them says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from varprop.plot.wording import SYMBOLS, count, listing, number
from varprop.report.content import contradictions, tally
from varprop.report.document import LEDGER_FOLDER, Cell, Column, IndexDocument, LedgerRow, Table
from varprop.report.introduction import INTRODUCTION, NOTATION, TERMS
from varprop.report.jointly import Joint, apart_table, promises
from varprop.report.ledger import Contribution, contributions, families, plain_ledger
from varprop.report.tables import LedgerEntry, ledger_entries
from varprop.study.csv_files import csv_text
from varprop.study.fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varprop.study.run import Run


def index_document(runs: Sequence[Run], audited: Sequence[Contribution] = ()) -> IndexDocument:
    """Gather the claims of several runs and audits into one ledger."""
    joint = Joint.of(runs)
    marked = [joint.mark(run) for run in runs]
    entries = [ledger_entries(run.study.claims, frame) for run, frame in zip(runs, marked, strict=True)]
    found = [one for run, mine in zip(runs, entries, strict=True) for one in contributions(run.study.name, mine)]
    ledger = families([*found, *audited])
    rows = [row for family in ledger for row in family.rows]
    return IndexDocument(
        title="Claims under test",
        lead=_lead(rows, len(runs), len({one.page.text.partition(": ")[0] for one in audited})),
        contradictions=tuple(
            f"{run.study.title}: {text}"
            for run, mine in zip(runs, entries, strict=True)
            for text in contradictions(mine)
        ),
        introduction=INTRODUCTION,
        terms=TERMS,
        notation=NOTATION,
        tally=_tally_table(rows),
        guarantee=promises(joint, runs, marked, audits=bool(audited)),
        apart=apart_table(joint, runs, marked),
        families=ledger,
        ledger=plain_ledger(rows, file=f"{LEDGER_FOLDER}/claims.csv"),
        studies=_studies(runs, entries, joint),
        runs=digest([[run.study.name, run.fingerprint] for run in runs] + [repr(one) for one in audited]),
    )


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
