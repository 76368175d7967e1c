"""What a reader can see: contrasts by the formula of WCAG 2, on white paper and on a dark page."""

import itertools
import re

import pytest

from varprop.plot import axes, sweeps
from varprop.plot.axes import (
    DARK,
    DEPTH,
    GRID,
    INK,
    MARGIN,
    MARGIN_ALPHA,
    PAPER,
    SERIES,
    SPREAD_ALPHA,
    THEORIES,
    VERDICTS,
)
from varprop.plot.figure_files import dark_rules

TEXT, LINE = 4.5, 3.0  # WCAG 1.4.3 and 1.4.11

_SUPPORTED = VERDICTS["supported"].color
BANDS = {
    "paper": (PAPER, 1.0),
    "margin": (MARGIN, MARGIN_ALPHA),
    "networks": (INK, SPREAD_ALPHA),
    "ridge": (_SUPPORTED, 2 * SPREAD_ALPHA),
    "ordered": (_SUPPORTED, MARGIN_ALPHA),
    "chaotic": (VERDICTS["refuted"].color, MARGIN_ALPHA),
    "diverging": (VERDICTS["inconclusive"].color, axes.GROWTH_ALPHA),
}
"""What texts and lines lie on, with its opacity."""
LINES = {
    "paper": {
        *(style.color for styles in (VERDICTS, THEORIES) for style in styles.values()),
        *(style.color for style in (*SERIES, *axes._OTHER_THEORIES)),
        *DEPTH,
        INK,
    },
    "margin": {*(style.color for style in VERDICTS.values()), INK},
    "networks": {*(style.color for style in (*THEORIES.values(), *axes._OTHER_THEORIES)), INK},
    "ridge": {_SUPPORTED, THEORIES["finite-width"].color, INK},
    **{area: {INK} for area in ("ordered", "chaotic", "diverging")},
}


def channels(colour):
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(rgb):
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in rgb]
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def seen(colour, *, dark):
    return channels(DARK[colour] if dark else colour)


def behind(band, *, dark):
    """A band over the page, as a browser blends them."""
    colour, share = band
    front, back = seen(colour, dark=dark), seen(PAPER, dark=dark)
    return [share * f + (1 - share) * b for f, b in zip(front, back, strict=True)]


def faint(lines, *, dark):
    """Whatever has too little contrast with what it lies on."""
    found = []
    for name, band in BANDS.items():
        back = behind(band, dark=dark)
        found += [f"a text on {name}"] * (contrast(seen(INK, dark=dark), back) < TEXT)
        found += [f"{line} on {name}" for line in sorted(lines[name]) if contrast(seen(line, dark=dark), back) < LINE]
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_and_line_stands_out(dark):
    assert faint(LINES, dark=dark) == []


def test_a_faint_line_is_found():
    """Control: the grid's grey is no line to be read, and the pink of the series does not go with a ridge."""
    assert faint(LINES | {"paper": {GRID}}, dark=False) == [f"{GRID} on paper"]
    assert faint(LINES | {"paper": {GRID}}, dark=True) == [f"{GRID} on paper"]
    assert faint(LINES | {"ridge": {"#cc79a7"}}, dark=False) == ["#cc79a7 on ridge"]
    assert contrast([1, 1, 1], [0, 0, 0]) == pytest.approx(21)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_texts_in_cells_stand_out(dark):
    kinds = [sweeps.ALIKE, sweeps.PARTED, sweeps.DIFFERENT]
    assert all(
        contrast(seen(kind.ink, dark=dark), behind((kind.fill, kind.alpha), dark=dark)) >= TEXT for kind in kinds
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_layers_run_from_dark_to_light(dark):
    lightness = [luminance(seen(colour, dark=dark)) for colour in DEPTH]
    assert lightness == sorted(lightness)
    assert all(contrast(seen(a, dark=dark), seen(b, dark=dark)) > 1.15 for a, b in itertools.pairwise(DEPTH))


def test_every_colour_of_the_palette_is_repainted():
    """No colour of a figure is left as it is on a dark page, so that nothing is black on black or a white box."""
    used = {colour for lines in LINES.values() for colour in lines} | {GRID, INK, PAPER, MARGIN}
    assert used <= set(DARK)
    rules = dark_rules()
    assert all(f"{kind}: {colour}" in rules for colour in used for kind in ("fill", "stroke"))
    assert not re.search(r"\bwhite\b|\bblack\b|#000000", rules)
