"""Audits of what frameworks draw by default: the files beside their pages -> tests of the ledger."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from pathlib import Path

from varprop._arguments import quoted
from varprop.report.blocks import Cell
from varprop.report.ledger import Contribution
from varprop.stats.equivalence import MARGINS
from varprop.study.files import read_text
from varprop.study.plain import unguarded
from varprop.verification.audit.result import MARGIN
from varprop.verification.audit.stated import COLUMNS, claim_of, over_the_laws
from varprop.verification.claims import VERDICTS
from varprop.verification.verdict import Verdict

FILE = "defaults.csv"
_NUMBERS = ("ratio", "ci_low", "ci_high", "margin", "alpha")
_CLAIM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAX_BYTES = 2**26


def read_defaults(audits: str | Path, *, beside: str | Path) -> list[Contribution]:
    """Read what audits of frameworks say of claims."""
    folder = Path(audits)
    if not folder.is_dir():
        msg = f"{folder}: there is no such folder; name the one that holds a folder for each audited framework"
        raise ValueError(msg)
    files = sorted(folder.glob(f"*/{FILE}"))
    if not files:
        msg = f"{folder}: no folder in it holds a {FILE}; `varprop audit FRAMEWORK --report {folder}` writes one"
        raise ValueError(msg)
    return [_contribution(row, file, line, Path(beside)) for file in files for line, row in _rows(file)]


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Every row as texts, with the number it has in the file's order."""
    import pandas as pd

    try:
        text = read_text(file, limit=_MAX_BYTES)
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (OSError, ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        msg = f"{file}: is no CSV file of an audit: {error}; write the audit again"
        raise ValueError(msg) from error
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        msg = f"{file}: has no column {', '.join(missing)}; an audit writes {', '.join(COLUMNS)}"
        raise ValueError(msg)
    if frame.empty:
        msg = f"{file}: has no rows; write the audit again"
        raise ValueError(msg)
    rows = ({str(name): unguarded(str(text)) for name, text in row.items()} for row in frame.to_dict("records"))
    return list(enumerate(rows, start=1))


def _contribution(row: Mapping[str, str], file: Path, line: int, beside: Path) -> Contribution:
    """One row as a test of the claim it names."""
    for column, expected in _problems(row).items():
        msg = f"{file}, row {line}: {column} must be {expected}, got {quoted(row[column])}; write the audit again"
        raise ValueError(msg)
    numbers = {column: float(row[column] or math.nan) for column in _NUMBERS}
    margin = MARGIN if math.isnan(numbers["margin"]) else numbers["margin"]
    verdict = Verdict(
        claim=claim_of(row["claim"], row["statement"], row["corrected"], margin=margin),
        configuration=", ".join(part for part in (_name(row), row["entry"]) if part),
        verdict=next(verdict for verdict in VERDICTS if verdict == row["verdict"]),
        measured=over_the_laws(numbers["ratio"], numbers["ci_low"], numbers["ci_high"], n_draws=int(row["n_draws"])),
        alpha=numbers["alpha"],
        notes=(row["note"],),
    )
    said = f"{_name(row)}: {row['entry']}" if row["entry"] else _name(row)
    return Contribution(claim=verdict.claim, rows=(verdict,), page=Cell(said, page=_page(file, beside)))


def _name(row: Mapping[str, str]) -> str:
    return " ".join(part for part in (row["framework"], row["version"]) if part)


def _problems(row: Mapping[str, str]) -> dict[str, str]:
    """What a row's cells should be, for those that are not."""
    said = {column: "a number, or empty" for column in _NUMBERS if not _is_number(row[column] or "nan")}
    if not _CLAIM.fullmatch(row["claim"]):
        said["claim"] = "an id such as framework.defaults"
    if "margin" not in said and row["margin"] and not MARGINS[0] <= float(row["margin"]) <= MARGINS[1]:
        said["margin"] = "a margin > 0, or empty"
    if row["verdict"] not in VERDICTS:
        said["verdict"] = f"one of {', '.join(VERDICTS)}"
    if not row["n_draws"].isdecimal():
        said["n_draws"] = "the number of weights drawn"
    return said


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _page(file: Path, beside: Path) -> str:
    """The audit's page as seen from the ledger's folder; empty if it lies elsewhere or is not there."""
    page = file.resolve().with_name("README.md")
    root = beside.resolve()
    if not page.is_relative_to(root):
        return ""
    return page.relative_to(root).as_posix()
