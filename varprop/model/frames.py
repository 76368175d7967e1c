"""A user's own frame of measurements as arrays: every row is understood, or refused with what to write instead."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from varprop._arguments import quoted
from varprop._typing import Float64Array
from varprop.model.inputs import check_size
from varprop.model.network import Network, read_leaves
from varprop.model.quantities import ALL_QUANTITIES, Quantity, check_quantities
from varprop.model.sites import ModuleNetwork

if TYPE_CHECKING:
    import pandas as pd

_Place = tuple[int, str]  # (layer, module)
_Rows = NDArray[np.intp]
_ROUNDING = 1e-4
"""By how much of its range a share or a cosine in single precision may lie beyond an end."""
_LONGEST = 60  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """A frame as arrays: by quantity the values, (networks, places) or (networks, places, inputs), and the places; the inputs."""

    columns: dict[str, tuple[Float64Array, tuple[_Place, ...]]]
    inputs: Float64Array
    per_input: bool


def read_frame(frame: pd.DataFrame, network: Network | ModuleNetwork, inputs: object) -> ReadFrame:
    """Read rows of measurements, one number each."""
    where = _check_frame(frame, network)
    values = _real(frame, "value")
    _refuse(~np.isfinite(values), frame, "value", "values are finite numbers; leave out rows of what was not measured")
    names = _quantities(frame)
    for name, rows in names.items():
        _check_range(frame, ALL_QUANTITIES[name], rows, values)
    networks, n_networks = _identifiers(frame, "network", np.arange(len(frame)))
    layers = _whole(frame, "layer") if where == "layer" else np.zeros(len(frame), dtype=np.int64)
    per_input = "input" in frame.columns
    apart = [rows for name, rows in names.items() if per_input and not ALL_QUANTITIES[name].joint]
    which, n_inputs = _identifiers(frame, "input", np.sort(np.concatenate(apart))) if apart else (networks, None)
    columns = {}
    for name, rows in names.items():
        codes, places = _places(frame, rows, network, ALL_QUANTITIES[name], layers)
        axes, shape = [networks[rows], codes], [n_networks, len(places)]
        if n_inputs is not None and not ALL_QUANTITIES[name].joint:
            axes, shape = [*axes, which[rows]], [*shape, n_inputs]
        flat = np.ravel_multi_index(tuple(axes), tuple(shape))
        _check_once(frame, name, rows, flat)
        table = np.full(shape, np.nan)
        table.flat[flat] = values[rows]
        columns[name] = table, places
    return ReadFrame(columns, _read_inputs(inputs, network, n_inputs), per_input)


# ---- what is refused ---------------------------------------------------------------------------------------------------


def _check_frame(frame: pd.DataFrame, network: Network | ModuleNetwork) -> str:
    """Refuse what is no frame of measurements; return the column that says where they were made."""
    import pandas as pd

    if not isinstance(network, Network | ModuleNetwork):
        msg = (
            f"network must be what was measured, a Network, got {type(network).__name__}; write for example vp.mlp(...)"
        )
        raise TypeError(msg)
    where = "module" if isinstance(network, ModuleNetwork) else "layer"
    needs = f"it needs network, {where}, quantity and value (one row for each)"
    if not isinstance(frame, pd.DataFrame):
        kind = f"{type(frame).__module__.split('.', maxsplit=1)[0]}.{type(frame).__qualname__}".removeprefix(
            "builtins."
        )
        to_pandas = "its to_pandas()" if hasattr(frame, "to_pandas") else "pandas.DataFrame(...)"
        msg = f"from_frame takes a pandas DataFrame, got {kind}; write {to_pandas}: {needs}"
        raise TypeError(msg)
    missing = {"network", where, "quantity", "value"} - set(frame.columns)
    if missing:
        msg = f"the frame has no column {', '.join(sorted(missing))}; {needs}"
        raise ValueError(msg)
    for name in ("network", where, "quantity", "value", "module", "input"):
        if (count := list(frame.columns).count(name)) > 1:
            msg = f"the frame has {count} columns called {quoted(name)}; keep one"
            raise ValueError(msg)
    if frame.empty:
        msg = f"the frame has no rows; {needs}"
        raise ValueError(msg)
    return where


def _refuse(wrong: NDArray[np.bool_], frame: pd.DataFrame, column: str, why: str) -> None:
    """Raise for the first row that is marked, with what it has in a column."""
    if wrong.any():
        row = int(np.argmax(wrong))
        others = int(wrong.sum()) - 1
        more = f" (so have {others:,} more rows)" if others else ""
        one = frame[column].iloc[row]
        told = repr(one.item() if isinstance(one, np.generic) else one)
        msg = (
            f"frame.iloc[{row}] has {column} {told if len(told) <= _LONGEST else f'{told[:_LONGEST]}...'}{more}: {why}"
        )
        raise ValueError(msg)


def _real(frame: pd.DataFrame, name: str) -> Float64Array:
    """A column of real numbers, NaN where one is missing; nothing is parsed, and nothing cut off."""
    from pandas.api import types

    column = frame[name]
    if types.is_any_real_numeric_dtype(column.dtype):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    missing, given = column.isna().to_numpy(), column.astype(object).to_numpy()
    wrong = np.array([not (absent or _is_real(one)) for one, absent in zip(given, missing, strict=True)])
    if wrong.any():
        first = given[np.argmax(wrong)]
        write = f"write {_EXAMPLES[name]}"
        if isinstance(first, str):
            write = f"it is a text; {write}, or convert the column with pandas.to_numeric"
        elif isinstance(first, numbers.Complex) and not isinstance(first, bool):
            write = (
                "it is complex; write its real part, if the imaginary one is rounding, or a mean of squared magnitudes"
            )
        _refuse(wrong, frame, name, write)
    return np.array([np.nan if absent else float(one) for one, absent in zip(given, missing, strict=True)])


_EXAMPLES = {"value": "a number, as 0.5", "layer": "a layer's number, as 1"}


def _is_real(one: object) -> bool:
    return isinstance(one, numbers.Real) and not isinstance(one, bool)


def _whole(frame: pd.DataFrame, name: str) -> NDArray[np.int64]:
    """A column of whole numbers."""
    found = _real(frame, name)
    wrong = ~(np.isfinite(found) & (found == np.floor(found)) & (np.abs(found) < 2.0**53))
    _refuse(wrong, frame, name, "layers are counted; write 1 for the first layer with weights, 2 for the next")
    return found.astype(np.int64)


def _quantities(frame: pd.DataFrame) -> dict[str, _Rows]:
    """The rows of each quantity, in canonical order."""
    import pandas as pd

    codes, labels = pd.factorize(frame["quantity"])
    names = list(labels)
    known = np.array([isinstance(name, str) and name in ALL_QUANTITIES for name in names] + [False])  # -1: missing
    if not known[codes].all():
        first = frame["quantity"].iloc[int(np.argmin(known[codes]))]
        try:
            check_quantities([str(first)], known=ALL_QUANTITIES)
        except ValueError as error:
            _refuse(~known[codes], frame, "quantity", str(error))
    return {name: np.flatnonzero(codes == names.index(name)) for name in check_quantities(names, known=ALL_QUANTITIES)}


def _check_range(frame: pd.DataFrame, quantity: Quantity, rows: _Rows, values: Float64Array) -> None:
    """Refuse values that a quantity cannot have by its definition."""
    low, high = quantity.ends
    bounded = math.isfinite(high)
    slack = _ROUNDING * (high - low) if bounded else 0.0
    wrong = _marked(frame, rows[(values[rows] < low - slack) | (values[rows] > high + slack)])
    range_ = f"lies between {low:g} and {high:g}" if bounded else f"is at least {low:g}"
    _refuse(wrong, frame, "value", f"{quantity.name} ({quantity.meaning}) {range_}; were quantities exchanged?")


def _check_once(frame: pd.DataFrame, name: str, rows: _Rows, flat: NDArray[np.intp]) -> None:
    """Refuse a second row for one network, place and input."""
    _, first = np.unique(flat, return_index=True)
    if len(first) < len(flat):
        why = f"{name} has two rows for one network and layer; keep one, or average them first"
        _refuse(_marked(frame, np.delete(rows, first)), frame, "network", why)


def _identifiers(frame: pd.DataFrame, name: str, rows: _Rows) -> tuple[NDArray[np.int64], int]:
    """Numbers from 0 on for what a column calls networks or inputs in some rows, in the order of its values; and how many."""
    import pandas as pd

    column = frame[name].iloc[rows]
    absent = _marked(frame, rows[column.isna().to_numpy()])
    _refuse(absent, frame, name, f"every row says of which {name} it is; write a number or a name")
    try:
        codes, labels = pd.factorize(column)
    except TypeError:
        lists = [not isinstance(one, Hashable) for one in column]
        _refuse(_marked(frame, rows[lists]), frame, name, "an identifier is a number or a name; write one")
        raise
    try:
        order = sorted(range(len(labels)), key=list(labels).__getitem__)
    except TypeError:  # they have no order
        kinds = [_kind(one) for one in column]
        other = _marked(frame, rows[[kind != kinds[0] for kind in kinds]])
        _refuse(
            other,
            frame,
            name,
            f"the first row has {kinds[0]}, and these are mixed; write frame[{quoted(name)}].astype(str)",
        )
        raise
    found = np.zeros(len(frame), dtype=np.int64)
    found[rows] = np.argsort(order)[codes]
    return found, len(labels)


def _kind(one: object) -> str:
    """What an identifier is, in a word."""
    return "a number" if isinstance(one, numbers.Real) else "a text" if isinstance(one, str) else type(one).__name__


def _marked(frame: pd.DataFrame, rows: _Rows) -> NDArray[np.bool_]:
    marks = np.zeros(len(frame), dtype=bool)
    marks[rows] = True
    return marks


# ---- places ------------------------------------------------------------------------------------------------------------


def _places(
    frame: pd.DataFrame,
    rows: _Rows,
    network: Network | ModuleNetwork,
    quantity: Quantity,
    layers: NDArray[np.int64],
) -> tuple[NDArray[np.intp], tuple[_Place, ...]]:
    """Return of every row the number of its place, and the places in the order of the network."""
    if isinstance(network, ModuleNetwork):
        codes, found = _modules(frame, rows, network)
        order = {place: i for i, place in enumerate(network.places)}
        places = sorted(dict.fromkeys(found), key=order.__getitem__)
    else:
        codes, found = _layers(frame, rows, network, quantity, layers)
        places = sorted(dict.fromkeys(found), key=_order)
    return np.array([places.index(place) for place in found])[codes], tuple(places)


def _modules(frame: pd.DataFrame, rows: _Rows, network: ModuleNetwork) -> tuple[NDArray[np.intp], list[_Place]]:
    """By their names."""
    import pandas as pd

    known = {module: (layer, module) for layer, module in network.places}
    codes, names = pd.factorize(frame["module"].iloc[rows].astype(str))
    for code, name in enumerate(names):
        if name not in known:
            why = f"{network.label} has no module {quoted(name)}; it has {_listed(known)}"
            _refuse(_marked(frame, rows[codes == code]), frame, "module", why)
    return codes, [known[name] for name in names]


def _layers(
    frame: pd.DataFrame, rows: _Rows, network: Network, quantity: Quantity, layers: NDArray[np.int64]
) -> tuple[NDArray[np.intp], list[_Place]]:
    """By their numbers and, where there is a column of them, modules; else at the first module of a layer that has the quantity."""
    import pandas as pd

    known: dict[int, list[str]] = {}
    for layer, module in _where(network, quantity):
        known.setdefault(layer, []).append(module)
    absent = _marked(frame, rows[~np.isin(layers[rows], list(known))])
    why = f"{quantity.name} does not exist at that layer of this network, which has it in layers {_listed(known)}"
    _refuse(absent, frame, "layer", why)
    if "module" not in frame.columns:
        numbers_, codes = np.unique(layers[rows], return_inverse=True)
        return codes, [(layer, known[layer][0]) for layer in numbers_.tolist()]
    modules, names = pd.factorize(frame["module"].iloc[rows].astype(str))
    pairs, codes = np.unique(layers[rows] * len(names) + modules, return_inverse=True)
    places = [(pair // len(names), str(names[pair % len(names)])) for pair in pairs.tolist()]
    for code, (layer, module) in enumerate(places):
        if module not in known[layer]:
            why = f"{quantity.name} of layer {layer} is at module {_listed(known[layer])}; write that, or leave the column out"
            _refuse(_marked(frame, rows[codes == code]), frame, "module", why)
    return codes, places


def _where(network: Network, quantity: Quantity) -> list[_Place]:
    """Everywhere that a network has a quantity."""
    sites = read_leaves(network, "a frame of measurements")
    found = [site.place for site in sites if quantity.place in site.layer.records]
    return found[-1:] if quantity.place == "loss" else found


def _order(place: _Place) -> tuple[int, list[tuple[int, int, str]]]:
    """Sort by layer, then by module, the numbers in a path before the names."""
    layer, module = place
    return layer, [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in module.split(".")]


def _listed(names: Iterable[object], most: int = 12) -> str:
    """Names with commas, the first ones of many."""
    told = [str(name) for name in names]
    return ", ".join(told) if len(told) <= most else f"{', '.join(told[: most - 1])}, ..., {told[-1]}"


# ---- inputs ------------------------------------------------------------------------------------------------------------


def _read_inputs(given: object, network: Network | ModuleNetwork, n_inputs: int | None) -> Float64Array:
    """The inputs as an array whose first axis counts them; all ones where none are given."""
    flat = isinstance(network, Network)
    shape = network.input_shape if isinstance(network, Network) else (1,)
    if given is None:
        return np.ones((n_inputs or 1, *shape))
    check_size(given, "inputs")
    wanted = f"(inputs, {', '.join(map(str, shape))})" if flat else "(inputs, ...)"
    if np.ma.isMaskedArray(given):
        msg = "inputs are masked, and a network sees no mask; write inputs=x.filled(...) with what was fed in"
        raise ValueError(msg)
    try:
        x = np.asarray(given)
    except ValueError:  # rows of different lengths
        x = np.empty(0, dtype=object)
    if x.dtype.kind not in "iuf" or x.ndim == 0:
        msg = f"inputs must be the numbers that were fed in, an array of shape {wanted}, got {_told(given)}; write for example "
        msg += f"inputs=numpy.ones((1, {', '.join(map(str, shape))}))" if flat else "inputs=x"
        raise ValueError(msg)
    shape_given, x = x.shape, x.astype(np.float64)
    x = x[None] if x.shape == shape or x.ndim == 1 else x
    if (flat and x.shape[1:] != shape) or not x.size:
        msg = f"inputs must be of shape {wanted}, one row for each, got shape {shape_given}"
        raise ValueError(msg)
    if not np.isfinite(x).all():
        msg = f"inputs must be finite, got {x[~np.isfinite(x)][0]}; write what was fed in"
        raise ValueError(msg)
    if n_inputs is not None and len(x) != n_inputs:
        msg = (
            f"the column input tells {n_inputs} inputs apart and inputs has {len(x)} rows; give one row for each, in the order of "
            "the column's values"
        )
        raise ValueError(msg)
    return x


def _told(given: object) -> str:
    """What came in place of an array of numbers, in a few words."""
    if isinstance(given, np.ndarray):
        return f"an array of {given.dtype}"
    return repr(given) if isinstance(given, int | float | complex | str) else f"a {type(given).__name__}"
