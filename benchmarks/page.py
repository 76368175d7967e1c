"""Laps and machine -> the page. Every number on it comes from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.contenders.registry import CONTENDERS, NORMALS, OURS, PEERS, SERIAL
from benchmarks.figure import TITLE
from benchmarks.machine import sentence_about
from benchmarks.ratios import number, pick, ratio
from benchmarks.targets import targets

if TYPE_CHECKING:
    import pandas as pd

_NOT_HERE = (
    "neural-tangents does not take part: its last release (0.6.5, of 2023) imports `jax.core.Jaxpr`, which current "
    "versions of JAX do not have, and its `monte_carlo_kernel_fn` estimates kernels of the output, forward, and no "
    "moment of a layer's gradient."
)
_GROWTH = (
    "Medians; varprop with two workers, as the peers with two cores. The exponents stand among the targets: each is fitted, "
    "round by round, to all points of a line of one thread."
)
_HOW = """\
Each contender runs in a process of its own, pinned to two cores (one where it says one thread), in float32. It is built,
compiled and warmed up outside the clock. Within a comparison the contenders take turns, round by round, and every ratio is
one of two times of the same round: what disturbs the machine disturbs both. Ratios stand as median (least to largest
round), times as median. All contenders sample what varprop samples: networks without biases, all layers of one width,
N(0, 2/n) weights unless it says otherwise, forward and backward from a normal readout at the last pre-activation, and for
each network and layer the second moments of pre-activation, activation and gradient. That they do is a test
(`tests/benchmarks`). varprop is exact in law without drawing the matrices; the peers draw them, as does varprop, dense.

- **PyTorch nn.Linear**: one network at a time, `kaiming_normal_` in place, gradients of the pre-activations by autograd;
  a thread for each core, since PyTorch draws random numbers in one.
- **PyTorch bmm**: batches of networks, weights drawn in place, `torch.bmm` forward and backward by hand, no autograd;
  likewise two threads.
- **JAX vmap**: a network as a function of its key, `jax.grad`, `vmap`, `jit`; the threefry generator, which on a processor
  is faster than rbg.
- **NumPy normals**: `Generator(SFC64).standard_normal(dtype=float32)`, 2 x networks x depth x width numbers into one array
  of the size of a tile's signal, which are then thrown away."""


def page(laps: pd.DataFrame, machine: dict[str, Any]) -> str:
    """Write the page as Markdown; the figure stands beside it as scaling.svg."""
    parts = [
        "# How fast varprop samples",
        "*Written by `nox -s bench` from [benchmark.csv](benchmark.csv) and [machine.json](machine.json); not edited by hand.*",
        *_machine(machine),
        "## Targets",
        table(
            ("Target", "Bound", "Measured", "Outcome"),
            (
                (
                    each.statement,
                    f"{each.relation} {each.bound:g}",
                    str(each.measured) if each.measured else "–",
                    each.outcome,
                )
                for each in targets(laps)
            ),
        ),
        "## Against PyTorch and JAX",
        table(("Network", "Contender", "Time of a network", "Over ours", "Peak memory"), _peer_rows(laps)),
        f"Peak memory is the largest resident size of the process and its workers, libraries included. {_NOT_HERE}",
        *_absent(laps),
        "## Against drawing the normals",
        table(("Activation", "Recorded", "Contender", "Time of a network", "Over NumPy normals"), _draw_rows(laps)),
        "## Workers",
        table(("Width", "Contender", "Time of a network", "Speed over one thread"), _worker_rows(laps)),
        "## Growth",
        f"![{TITLE}](scaling.svg)",
        _GROWTH,
        "## How it was measured",
        _HOW,
    ]
    return "\n\n".join(parts) + "\n"


def _machine(machine: dict[str, Any]) -> Iterator[str]:
    yield sentence_about(machine)
    if machine.get("quick"):
        yield "**This is the short version (`--quick`): two short rounds, no large networks. Its numbers are no result.**"


def _peer_rows(laps: pd.DataFrame) -> Iterator[Sequence[str]]:
    mine = pick(laps, {"suite": "peers"})
    for keys, group in mine.groupby(["inputs", "activation", "width", "depth"], sort=False):
        inputs, activation, width, depth = keys
        label = f"{activation}, {width}x{depth}, {'1 input' if inputs == 1 else f'{inputs} inputs'}"
        for name in _contenders(group):
            found = ratio(group, {"contender": name}, {"contender": OURS})
            yield (label, name, _time(group, name), "1" if name == OURS else str(found), _memory(group, name))
            label = ""


def _draw_rows(laps: pd.DataFrame) -> Iterator[Sequence[str]]:
    for activation, group in pick(laps, {"suite": "draws"}).groupby("activation", sort=False):
        for name in _contenders(group):
            for record in pick(group, {"contender": name})["record"].unique():
                one = pick(group, {"record": record})
                found = ratio(group, {"contender": name, "record": record}, {"contender": NORMALS})
                what = {"three": "three second moments", "all": "all quantities"}[record]
                yield (
                    str(activation),
                    "–" if name == NORMALS else what,
                    name,
                    _time(one, name),
                    "1" if name == NORMALS else str(found),
                )


def _worker_rows(laps: pd.DataFrame) -> Iterator[Sequence[str]]:
    for width, group in pick(laps, {"suite": "workers"}).groupby("width"):
        for name in _contenders(group):
            found = ratio(group, {"contender": SERIAL}, {"contender": name})
            yield (str(width), name, _time(group, name), "1" if name == SERIAL else str(found))


def _absent(laps: pd.DataFrame) -> Iterator[str]:
    took_part = set(laps["contender"])
    absent = [peer for peer in PEERS if peer not in took_part]
    if absent:
        needs = sorted({CONTENDERS[peer].needs for peer in absent})
        yield f"Not measured, since {' and '.join(needs)} was not installed: {', '.join(absent)}."


def _contenders(group: pd.DataFrame) -> list[str]:
    return [name for name in CONTENDERS if name in set(group["contender"])]


def _time(group: pd.DataFrame, name: str) -> str:
    microseconds = 1e6 * float(pick(group, {"contender": name})["seconds_per_network"].median())
    return f"{number(microseconds)} µs" if microseconds < 1000 else f"{number(microseconds / 1000)} ms"


def _memory(group: pd.DataFrame, name: str) -> str:
    peak = int(pick(group, {"contender": name})["peak_bytes"].max())
    return f"{peak / 2**20:,.0f} MiB" if peak else "–"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
