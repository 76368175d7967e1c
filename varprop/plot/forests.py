"""A forest: every verdict's estimate over its prediction, with interval and margin, a row each; or a strip of marks for a claim."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from varprop._arguments import checked
from varprop.plot.axes import MARGIN, MARGIN_ALPHA, VERDICTS, house_style, legend_above, new_axes, set_round_ticks
from varprop.plot.wording import SYMBOLS, axis_label, number
from varprop.study.files import plain
from varprop.verification.claims import TESTS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = ["claim", "configuration", "quantity", "layer", "verdict", "estimate", "ci_low", "ci_high"]
_ROW = 0.21  # inches a row
_EDGE = 0.03  # share of the axis that the markers of clipped rows keep from its end
_WINDOW = (2.5, 8.0)  # the axis shows at least and at most so many margins to either side
_DEFAULT_MARGIN = 0.05  # the window's unit where no row has a margin (exact tests)
_WIDEST = math.log(1e3)  # to either side, where no row has a margin
_MARKER = 5.5  # points
_TOLD = 5  # lines of a strip that have room for a number beside a mark beyond the axis
_LONGEST_LABEL = 60  # characters
_STRIP = 2.6  # inches
_STRIP_AXIS = 0.3  # inches: the axis with its numbers
_STRIP_ROW = 0.2
_STRIP_MOST = 1.2
_MARKS = 12  # to a line, where a strip has no axis


@checked
def forest(verdicts: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw every verdict: measured over predicted with its interval, and the margin it is held against.

    Parameters
    ----------
    verdicts : DataFrame
        What `verify` returns, or `Run.verdicts()`; rows without a verdict are left out.
    ax : Axes, optional
        Where to draw; a new figure, tall enough for all rows, if None.

    Returns
    -------
    Axes
        A row for each verdict, told by colour and by marker. Rows outside the axis stand at its edge with an arrow and
        their value. If all are tests of a zero mean, the axis is their standardised mean.

    Raises
    ------
    ValueError
        If a column is missing, or no row bears a verdict.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> import varprop as vp
    >>> net = vp.mlp([32] * 4, activation="relu", weights="he_normal")
    >>> out = vp.verify(vp.simulate(net, n_networks=200, rng=1), theory="he")
    >>> vp.plot.forest(out).get_xlabel()
    'measured / predicted'
    """
    import pandas as pd

    if not isinstance(verdicts, pd.DataFrame):
        msg = f"forest takes a pandas DataFrame, got {type(verdicts).__name__}; pass what vp.verify returns"
        raise TypeError(msg)
    columns = verdicts.columns
    lacking = (
        [name for name in _COLUMNS if name not in columns] if columns.nlevels == 1 and columns.is_unique else _COLUMNS
    )
    if lacking:
        msg = f"the frame has no column {', '.join(lacking)} of its own; pass what vp.verify returns"
        raise ValueError(msg)
    ax = new_axes(figsize=forest_size(verdicts)) if ax is None else ax
    draw_forest(ax, verdicts)
    legend_above(ax, forest_legend(verdicts), columns=4)
    return ax


@dataclass(frozen=True, slots=True)
class ForestScale:
    """What a forest's axis shows: ratios around 1 on a log axis, or standardised means around 0."""

    standardised: bool
    low: float
    high: float

    @property
    def centre(self) -> float:
        """Where a prediction that is exactly right lies."""
        return 0.0 if self.standardised else 1.0

    def margin(self, margin: float) -> tuple[float, float]:
        """Ends of the region that a claim calls equal."""
        return (-margin, margin) if self.standardised else (1 / (1 + margin), 1 + margin)

    def at(self, share: float) -> float:
        """The value at a share of the axis, from its left end."""
        if self.standardised:
            return self.low + share * (self.high - self.low)
        return self.low * math.exp(share * math.log(self.high / self.low))


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One row: what it is called, and what is drawn; NaN for what it does not have."""

    group: str
    label: str
    verdict: str
    standardised: bool
    estimate: float
    value: float
    low: float
    high: float
    margin: float


def forest_rows(verdicts: pd.DataFrame) -> list[ForestRow]:
    """Rows that bear a verdict, those of one claim together, in the order in which claims first appear."""
    decided = verdicts[verdicts["verdict"].notna()]
    if decided.empty:
        msg = f"no row of the frame bears a verdict ({len(verdicts)} rows); pass what vp.verify returns"
        raise ValueError(msg)
    # Layers of one network need not all repeat what it is called.
    named = len(set(decided["configuration"])) > 1 or bool(decided["layer"].isna().any())
    rows = [_row(record, named=named) for record in decided.to_dict("records")]
    order = {group: i for i, group in enumerate(dict.fromkeys(row.group for row in rows))}
    return sorted(rows, key=lambda row: order[row.group])


def _row(record: Mapping[Any, Any], *, named: bool) -> ForestRow:
    """One record of a frame, which may be a user's own, as a row, named by its configuration or without."""
    import pandas as pd

    def value(name: str) -> float:
        return math.nan if pd.isna(record[name]) else float(record[name])

    def text(name: str) -> str:
        return "" if pd.isna(record[name]) else str(record[name])

    parts = [plain(text("configuration")) if named else "", axis_label(str(record["quantity"]))]
    layer, test = value("layer"), TESTS.get(text("test"))
    standardised = test is not None and test.standardised and math.isnan(value("ratio"))
    if not math.isnan(layer):
        parts.append(f"layer {int(layer)}")
    label = " · ".join(part for part in parts if part)
    return ForestRow(
        group=plain(text("claim")),
        label=label if len(label) <= _LONGEST_LABEL else "…" + label[-_LONGEST_LABEL + 1 :],
        verdict=str(record["verdict"]),
        standardised=standardised,
        estimate=value("estimate"),
        value=value("estimate" if standardised else "ratio"),
        low=value("ci_low"),
        high=value("ci_high"),
        margin=math.nan if test is not None and test.margin is None else value("margin"),
    )


def forest_scale(rows: Sequence[ForestRow]) -> ForestScale:
    """Choose a window in which the margins stay visible, however far the farthest row lies."""
    standardised = all(row.standardised or math.isnan(row.value) for row in rows) and any(
        row.standardised for row in rows
    )
    mine = [row for row in rows if row.standardised == standardised]

    def distance(value: float) -> float:
        return abs(value) if standardised else abs(math.log(value))

    def measurable(value: float) -> bool:
        return math.isfinite(value) and (standardised or value > 0)

    margins = [row.margin for row in mine if row.margin > 0]
    unit = max(margins, default=_DEFAULT_MARGIN)
    unit = unit if standardised else math.log1p(unit)
    ends = [distance(end) for row in mine for end in (row.value, row.low, row.high) if measurable(end)]
    # Without a margin that has to stay visible, as of claims about bounds, the axis may span decades.
    widest = _WINDOW[1] * unit if margins or standardised else _WIDEST
    reach = 1.15 * min(max([*ends, _WINDOW[0] * unit]), widest)
    low, high = (-reach, reach) if standardised else (math.exp(-reach), math.exp(reach))
    return ForestScale(standardised, low, high)


def draw_forest(axes: Axes, verdicts: pd.DataFrame) -> None:
    """Draw a row for every verdict: marker and colour tell it, the band is its margin.

    Rows outside the axis stand at its edge with an arrow and their value; rows that have no value on this axis (a
    standardised mean among ratios, an exact test) say their estimate in words.
    """
    from matplotlib import rcParams

    rows = forest_rows(verdicts)
    scale = forest_scale(rows)
    _set_value_axis(axes, scale, ticks=8)
    ticks: list[float] = []
    labels: list[str] = []
    position, group = 0.0, ""
    for row in rows:
        if row.group and row.group != group:
            position += 0.25 if ticks else 0.0
            ticks.append(position)
            labels.append(row.group)
            position += 1.0
        group = row.group
        ticks.append(position)
        labels.append(row.label)
        _draw_row(axes, scale, row, position)
        position += 1.0
    axes.axvline(scale.centre, color=rcParams["text.color"], linewidth=0.8, zorder=1)
    axes.set_ylim(position - 0.4, -0.6)
    axes.set_yticks(ticks, labels, parse_math=False)
    groups = {row.group for row in rows if row.group}
    for tick in axes.get_yticklabels():
        if tick.get_text() in groups:
            tick.set_fontweight("bold")
    axes.tick_params(axis="y", length=0, pad=9)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("standardised mean" if scale.standardised else "measured / predicted")


def draw_strip(axes: Axes, verdicts: pd.DataFrame, *, marker_size: float = _MARKER) -> None:
    """Draw a forest without labels, for a place where what the rows are called stands beside it."""
    from matplotlib import rcParams

    rows = forest_rows(verdicts)
    scale = forest_scale(rows)
    for position, row in enumerate(rows):
        _draw_row(axes, scale, row, position, marker_size, told=len(rows) <= _TOLD)
    axes.axvline(scale.centre, color=rcParams["text.color"], linewidth=0.8, zorder=1)
    _set_value_axis(axes, scale, ticks=4)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])


def _set_value_axis(axes: Axes, scale: ForestScale, *, ticks: int) -> None:
    """Scale the axis of ratios, or of standardised means, and put some round numbers on it."""
    if not scale.standardised:
        axes.set_xscale("log")
    axes.set_xlim(scale.low, scale.high)
    set_round_ticks(axes, most=ticks)


def _draw_row(
    axes: Axes, scale: ForestScale, row: ForestRow, y: float, marker_size: float = _MARKER, *, told: bool = True
) -> None:
    """Draw one row's margin, interval and marker, or what stands for them."""
    from matplotlib.patches import Rectangle

    style = VERDICTS[row.verdict]
    drawable = row.standardised == scale.standardised and not math.isnan(row.value)
    if drawable and row.margin > 0:
        left, right = scale.margin(row.margin)
        axes.add_patch(
            Rectangle((left, y - 0.5), right - left, 1.0, facecolor=MARGIN, alpha=MARGIN_ALPHA, linewidth=0, zorder=0.5)
        )
    marker: dict[str, Any] = {
        "color": style.color,
        "marker": style.marker,
        "markersize": marker_size,
        "linewidth": 0,
        "zorder": 4,
    }
    if not drawable:
        axes.plot(scale.at(_EDGE), y, **marker)
        said = "standardised mean" if row.standardised else "no ratio; estimate"
        if told:
            _write(axes, scale.at(2 * _EDGE), y, f"{said} {number(row.estimate)}", "left")
        return
    low, high = max(row.low, scale.low), min(row.high, scale.high)
    if low < high:
        axes.plot([low, high], [y, y], color=style.color, linewidth=1.6, solid_capstyle="butt", zorder=3)
    if scale.low <= row.value <= scale.high:
        axes.plot(row.value, y, **marker)
        return
    right = row.value > scale.high
    axes.plot(scale.at(1 - _EDGE if right else _EDGE), y, **marker)
    arrow = {**marker, "marker": ">" if right else "<", "clip_on": False}  # it stands on the edge, half outside
    axes.plot(scale.high if right else scale.low, y, **arrow)
    aside = 2 * _EDGE
    if told:
        _write(axes, scale.at(1 - aside if right else aside), y, number(row.value), "right" if right else "left")


def _write(axes: Axes, x: float, y: float, text: str, align: str) -> None:
    """Write beside a marker, in data coordinates."""
    axes.text(x, y, text, ha=align, va="center", fontsize=7.5, zorder=4, parse_math=False)


def forest_legend(verdicts: pd.DataFrame) -> dict[str, Any]:
    """Handles and labels of the verdicts, and of the margin where a row has one."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], color=VERDICTS[name].color, marker=VERDICTS[name].marker, markersize=5.5, linewidth=1.6)
        for name in SYMBOLS
    ]
    if not any(row.margin > 0 for row in forest_rows(verdicts)):
        return {"handles": handles, "labels": list(SYMBOLS)}
    return {
        "handles": [*handles, Patch(facecolor=MARGIN, alpha=MARGIN_ALPHA, linewidth=0)],
        "labels": [*SYMBOLS, "margin"],
    }


def forest_size(verdicts: pd.DataFrame) -> tuple[float, float]:
    """Inches in which every row of a forest is readable."""
    rows = forest_rows(verdicts)
    groups = len({row.group for row in rows if row.group})
    return 8.0, 0.9 + _ROW * (len(rows) + 1.25 * groups)


def forest_figure(verdicts: pd.DataFrame) -> Figure:
    """Draw every verdict with its estimate over prediction, its interval and its margin."""
    import seaborn as sns
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=forest_size(verdicts), layout="constrained")
        axes = figure.subplots()
        draw_forest(axes, verdicts)
        sns.despine(ax=axes, left=True)
        figure.legend(**forest_legend(verdicts), loc="outside upper right", ncols=4, frameon=False)
    return figure


def strip_figure(verdicts: pd.DataFrame) -> Figure:
    """Draw a line for every verdict, without labels."""
    import seaborn as sns
    from matplotlib.figure import Figure

    n_rows = int(verdicts["verdict"].notna().sum())
    height = min(_STRIP_ROW * n_rows, _STRIP_MOST)
    with house_style():
        figure = Figure(figsize=(_STRIP, _STRIP_AXIS + height))
        axes = figure.add_axes(
            (0.04, _STRIP_AXIS / (_STRIP_AXIS + height), 0.92, height / (_STRIP_AXIS + height) - 0.02)
        )
        draw_strip(axes, verdicts, marker_size=min(5.0, 72 * 0.8 * height / n_rows))
        sns.despine(ax=axes, left=True)
    return figure


def marks_figure(verdicts: pd.DataFrame) -> Figure:
    """Draw a mark for every verdict, twelve to a line: of tests of equality there is nothing to measure along an axis."""
    from matplotlib.figure import Figure

    found = verdicts["verdict"].dropna().sort_values(key=lambda names: names.map(list(SYMBOLS).index), kind="stable")
    lines = -(-len(found) // _MARKS)
    height = min(_STRIP_ROW * lines, _STRIP_MOST)
    with house_style():
        figure = Figure(figsize=(_STRIP, height + 0.1))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        for index, verdict in enumerate(found):
            style = VERDICTS[verdict]
            axes.plot(
                index % _MARKS, index // _MARKS, color=style.color, marker=style.marker, markersize=5.0, linewidth=0
            )
        axes.set(xlim=(-0.7, _MARKS - 0.3), ylim=(lines - 0.4, -0.6))
        axes.set_axis_off()
    return figure
