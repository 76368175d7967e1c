"""Texts of users' own in figures: matplotlib would read dollars as formulas, and half a formula stops the drawing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from varprop.study.plain import plain

if TYPE_CHECKING:
    from matplotlib.text import Text


def legend_name(text: str) -> str:
    """A name for a legend, which leaves out what begins with an underscore.

    Examples
    --------
    >>> legend_name("_mine"), legend_name("relu")
    (' _mine', 'relu')
    """
    shown = plain(text)
    return f" {shown}" if shown.startswith("_") else shown


def as_written(texts: Iterable[Text]) -> None:
    """Have texts drawn as they are, dollars and all.

    Every text that may hold a name of a user's own (an activation, an initialiser, a configuration, a module, a claim) is made with
    ``parse_math=False`` where matplotlib takes it, and passed here where it does not, as in legends.
    """
    for text in texts:
        text.set_parse_math(False)
