"""Cards: what a notebook shows of a network or a sample, as a little HTML that takes its colours from the page."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Mapping, Sequence

from varprop.model.activations import Activation
from varprop.model.initializers import Initializer
from varprop.model.layers import Dense
from varprop.model.network import Network, Site
from varprop.model.quantities import ALL_QUANTITIES
from varprop.model.reading import read_sites
from varprop.model.simulation import Simulation

MAX_ROWS = 30
"""A card is for a glance; of a longer table the middle is left out, and that is said."""

_CELL = ' style="text-align: left; vertical-align: top"'


def card(
    title: str, facts: Mapping[str, object], columns: Sequence[str] = (), rows: Iterable[Sequence[object]] = ()
) -> str:
    """Set a title, facts and a table as HTML.

    Parameters
    ----------
    title : str
        What it is, in bold.
    facts : mapping of str to object
        Named values, shown as a line each.
    columns : sequence of str
        Heads of a table below.
    rows : iterable of sequence
        Its cells.

    Returns
    -------
    str
        Every text in it is escaped.

    Examples
    --------
    >>> card("<b>", {"seed": 1}).count("&lt;b&gt;")
    1
    """
    parts = [f"<div><strong>{_text(title)}</strong>"]
    if facts:
        lines = (
            f"<tr><th{_CELL}>{_text(name)}</th><td{_CELL}>{_text(value)}</td></tr>" for name, value in facts.items()
        )
        parts.append(f"<table><tbody>{''.join(lines)}</tbody></table>")
    cells = [_row("td", row) for row in rows]
    if cells:
        if len(cells) > MAX_ROWS:
            half = MAX_ROWS // 2
            left_out = f'<tr><td{_CELL} colspan="{len(columns)}">… {len(cells) - 2 * half:,} more …</td></tr>'
            cells = [*cells[:half], left_out, *cells[-half:]]
        parts.append(f"<table><thead>{_row('th', columns)}</thead><tbody>{''.join(cells)}</tbody></table>")
    return "".join([*parts, "</div>"])


def network_card(network: Network) -> str:
    """Describe a network: for its layers with weights the fans, the law and its variance; layers alike share a row."""
    rows = []
    for (_, fans, *said), alike in itertools.groupby(_blocks(network), key=lambda block: (None, *block[1:])):
        layers = [block[0] for block in alike]
        span = f"{layers[0]}" if len(layers) == 1 else f"{layers[0]} to {layers[-1]}"
        rows.append((span, *fans, *said))
    before = [site.noun.label for site in read_sites(network, "a card") if site.layer == 0]
    facts = {"label": network.label, "input": " x ".join(map(str, network.input_shape))}
    if before:
        facts["before layer 1"] = ", ".join(before)
    columns = ("layer", "fan_in", "fan_out", "weights", "Var(W)", "biases", "then")
    return card(f"Network of {count(network.depth, 'layer')} with weights", facts, columns, rows)


def simulation_card(simulation: Simulation) -> str:
    """Describe a sample: of what it is, how it was drawn, and a row for each quantity with the layers that have it."""
    facts = {
        "of": simulation.network.label,
        "networks": f"{simulation.n_networks:,}",
        "inputs": f"{len(simulation.inputs):,}, {'kept apart' if simulation.per_input else 'averaged'}",
        "method": f"{simulation.method}, normals {simulation.normals}",
        "seed": simulation.seed,
    }
    rows = []
    for name in simulation.quantities:
        layers = simulation.layers(name)
        rows.append(
            (name, f"{layers[0]} to {layers[-1]}" if len(layers) > 1 else layers[0], ALL_QUANTITIES[name].meaning)
        )
    return card(
        f"Simulation of {count(simulation.n_networks, 'network')}", facts, ("quantity", "layers", "meaning"), rows
    )


Block = tuple[int, tuple[int, int], str, str, str, str]
"""Of a layer with weights: its number, fans, law, variance, law of the biases, and what follows it."""


def _blocks(network: Network) -> Iterable[Block]:
    for layer, group in itertools.groupby(read_sites(network, "a card"), key=lambda site: site.layer):
        if layer:
            yield _block(layer, *group)


def _block(layer: int, dense: Site, *after: Site) -> Block:
    noun = dense.noun
    assert isinstance(noun, Dense)  # noqa: S101 - a layer's number counts them
    variance = f"{noun.weights.variance(*dense.fans):.4g}" if noun.weights.has_variance else "not stated"
    then = ", ".join(site.noun.label for site in after if isinstance(site.noun, Activation))
    return layer, dense.fans, _law(noun.weights), variance, _law(noun.biases), then


def _law(law: Initializer) -> str:
    """Its label, and whatever is known of it by its author's word alone."""
    return f"{law.label}, declared symmetric" if law.symmetry_declared else law.label


def count(number: int, noun: str) -> str:
    """A number with thousands separated and its noun: ``1 layer``, ``2,000 networks``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _row(tag: str, cells: Iterable[object]) -> str:
    return "<tr>" + "".join(f"<{tag}{_CELL}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _text(value: object) -> str:
    return html.escape(str(value))
