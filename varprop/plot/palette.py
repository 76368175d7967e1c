"""Colours, shapes and dashes: the same for the same thing in every figure, told apart without colour vision too.

The hues are those of Okabe and Ito's colour-blind-safe set, some of them darker: a line has a contrast of 3 or more with
all that it lies on, a text of 4.5. Every meaning also has a shape or a dash pattern of its own. A figure is drawn for white
paper; `DARK` is what each colour becomes on a dark page.
"""

from __future__ import annotations

from dataclasses import dataclass

INK = "#262626"
PAPER = "#ffffff"
GRID = "#dcdcdc"
MARGIN = "#0072b2"  # faint, behind the rows
MARGIN_ALPHA = 0.14
SPREAD_ALPHA = 0.13
GROWTH_ALPHA = 0.28  # where second moments grow for ever


@dataclass(frozen=True, slots=True)
class MarkStyle:
    """Colour and marker of a verdict, or of one of several curves."""

    color: str
    marker: str


@dataclass(frozen=True, slots=True)
class LineStyle:
    """Colour and dashes of a theory; no dashes mean a solid line."""

    color: str
    dashes: tuple[float, ...]


VERDICTS = {
    "supported": MarkStyle("#0072b2", "o"),
    "refuted": MarkStyle("#d55e00", "X"),
    "inconclusive": MarkStyle("#767676", "D"),
}

THEORIES = {
    "mean-field": LineStyle("#00845f", ()),
    "finite-width": LineStyle("#a8437f", (6, 1.5)),
    "he": LineStyle("#d55e00", (4, 2)),
    "xavier": LineStyle("#0072b2", (4, 2, 1, 2)),
    "preserved": LineStyle("#767676", (1, 1.5)),
    "he-variance": LineStyle("#a63603", (2, 1)),
    "xavier-variance": LineStyle("#3182bd", (2, 1, 1, 1)),
}
_OTHER_THEORIES = (LineStyle("#8c6d31", (3, 1, 1, 1, 1, 1)), LineStyle("#7b4173", (5, 3)), LineStyle("#5254a3", (1, 3)))

SERIES = (
    MarkStyle("#0072b2", "o"),
    MarkStyle("#d55e00", "s"),
    MarkStyle("#009e73", "^"),
    MarkStyle("#cc79a7", "D"),
    MarkStyle("#8c6d31", "v"),
    MarkStyle("#5254a3", "P"),
    MarkStyle("#767676", "X"),
)
"""Curves of one figure, a hue and a marker each; from the eighth on they are taken again."""

DEPTH = ("#440154", "#40276f", "#314275", "#225971", "#176d6c", "#198060", "#3d924a", "#76a026")
"""Layers from the first to the last: lightness runs one way in even steps, so that the order shows without hues.

The hues are viridis's, darkened so that the last layer too has a contrast of 3 with the paper."""
_DEPTH_DARK = ("#2f7fa6", "#2a90a8", "#23a49b", "#2fb98a", "#58cb74", "#8fdb54", "#c9e43f", "#fdef4a")

DARK = {
    INK: "#e6e6e6",
    PAPER: "#14171c",
    GRID: "#3a3f47",
    "#0072b2": "#56b4e9",
    "#d55e00": "#f0803c",
    "#767676": "#a8a8a8",
    "#009e73": "#2fc79b",
    "#00845f": "#2fc79b",
    "#a8437f": "#e59ac3",
    "#cc79a7": "#cc79a7",  # light enough for both
    "#a63603": "#e6a26c",
    "#3182bd": "#9ecae1",
    "#8c6d31": "#e7cb94",
    "#7b4173": "#de9ed6",
    "#5254a3": "#9c9ede",
    **dict(zip(DEPTH, _DEPTH_DARK, strict=True)),
}


def series_styles(names: list[str]) -> dict[str, MarkStyle]:
    """Style of each curve of a figure, in order."""
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}


def theory_styles(theories: list[str]) -> dict[str, LineStyle]:
    """Style of each theory; those this module does not know take the spare ones in turn."""
    spare = iter(_OTHER_THEORIES * len(theories))
    return {theory: THEORIES.get(theory) or next(spare) for theory in theories}


def depth_colors(layers: int) -> list[str]:
    """Colours of so many layers, at most eight, spread over the whole range."""
    return [DEPTH[round(i * (len(DEPTH) - 1) / max(layers - 1, 1))] for i in range(layers)]


def spread_evenly(layers: int, most: int = len(DEPTH)) -> list[int]:
    """Indices of at most so many of the layers, evenly spread, the first and the last among them."""
    shown = min(layers, most)
    return [round(i * (layers - 1) / max(shown - 1, 1)) for i in range(shown)]
