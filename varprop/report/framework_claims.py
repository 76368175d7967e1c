"""Audits of what frameworks draw by default: the files beside their pages -> tests of the ledger."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from varprop._arguments import quoted
from varprop.report.blocks import Cell
from varprop.report.ledger import Contribution
from varprop.study.csv_files import unguarded
from varprop.study.files import read_text
from varprop.verification.audit.stated import COLUMNS
from varprop.verification.claims import VERDICTS

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
    name = " ".join(part for part in (row["framework"], row["version"]) if part)
    record: dict[str, Any] = {
        "claim": row["claim"],
        "configuration": ", ".join(part for part in (name, row["entry"]) if part),
        "layer": math.nan,
        "module": "",
        "quantity": "weights",
        "theory": math.nan,
        "test": "weights_law",
        "n_networks": int(row["n_draws"]),
        # The variance in units of the law's; what either is by itself stands on the audit's page.
        "estimate": numbers["ratio"],
        "predicted": 1.0,
        **numbers,
        "n_required": math.nan,
        "verdict": row["verdict"],
        "note": row["note"],
    }
    return Contribution(
        claim=row["claim"],
        statement=row["statement"],
        corrected=row["corrected"],
        expect=None,
        rows=(record,),
        page=Cell(f"{name}: {row['entry']}" if row["entry"] else name, page=_page(file, beside)),
    )


def _problems(row: Mapping[str, str]) -> dict[str, str]:
    """What a row's cells should be, for those that are not."""
    said = {column: "a number, or empty" for column in _NUMBERS if not _is_number(row[column] or "nan")}
    if not _CLAIM.fullmatch(row["claim"]):
        said["claim"] = "an id such as framework.defaults"
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
