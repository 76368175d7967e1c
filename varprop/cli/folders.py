"""Folders named on the command line."""

from __future__ import annotations

from pathlib import Path

import typer


def folder(given: str | Path) -> Path:
    """Read the name of a folder; none at all, as an unset variable leaves it, would be the working folder."""
    if not str(given) or "\0" in str(given):
        msg = "it is empty (an unset variable?); write . for the working folder"
        raise typer.BadParameter(msg)
    return Path(given)
