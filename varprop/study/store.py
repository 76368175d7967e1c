"""Samples on disk: one Parquet part a block, written whole or not at all, and checked when it is read."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from varprop._typing import Float64Array
from varprop.engine.plan import Block, Plan
from varprop.model.quantities import ALL_QUANTITIES

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
"""Raised when the layout of a part changes."""
_METADATA = b"varprop"
_COMPRESSION_LEVEL = 3  # higher ones take three times as long and save 2 %: the values are random digits


class DamagedPartError(RuntimeError):
    """A part that is not what was written, or not what the plan asks for."""


def part_path(samples: Path, plan: Plan, block: Block) -> Path:
    """Return where a block is kept: the folder is the key of the content, so no text of a user's becomes a path."""
    return samples / plan.key / f"part-{block.index:05d}.parquet"


def encode_part(plan: Plan, block: Block, values: dict[str, Float64Array]) -> bytes:
    """Write one block as a Parquet file.

    Parameters
    ----------
    plan : Plan
        What was sampled.
    block : Block
        Which block of it.
    values : dict of str to ndarray
        By quantity, shape (networks, places) or (networks, places, inputs).

    Returns
    -------
    bytes
        Tidy rows ``network``, ``layer``, ``module``, (``input``,) ``quantity``, ``value``; a null where a network has
        no value. Rows stand in the order quantity, network, place, input, so that they read back by shape alone. The
        bytes depend on the arguments and on pyarrow's version, on nothing else.
    """
    import pyarrow.parquet as pq

    table = _table(plan, block, values)
    about = {"format": FORMAT, "key": plan.key, "block": block.index, "networks": block.networks}
    table = table.replace_schema_metadata({_METADATA: json.dumps(about, sort_keys=True)})
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        use_dictionary=[name for name in table.column_names if name != "value"],
        use_byte_stream_split=["value"],
        write_page_checksum=True,
        row_group_size=max(table.num_rows, 1),
    )
    return buffer.getvalue()


def _table(plan: Plan, block: Block, values: dict[str, Float64Array]) -> pa.Table:
    import pyarrow as pa

    modules = list(dict.fromkeys(module for places in plan.where.values() for _, module in places))
    names = list(plan.where)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("network", "layer", "module", "input", "quantity")}
    for code, (name, places) in enumerate(plan.where.items()):
        shape = _shape(plan, name, block.networks)
        network, place, *inputs = (index.ravel() for index in np.indices(shape, dtype=np.int32))
        columns["network"].append(network + np.int32(block.first))
        columns["layer"].append(np.array([layer for layer, _ in places], dtype=np.int32)[place])
        columns["module"].append(np.array([modules.index(module) for _, module in places], dtype=np.int32)[place])
        columns["input"].append(inputs[0] if inputs else np.full(place.size, -1, dtype=np.int32))
        columns["quantity"].append(np.full(place.size, code, dtype=np.int32))
    flat = {name: np.concatenate(parts) for name, parts in columns.items()}
    value = np.concatenate([values[name].ravel() for name in names])
    arrays = {
        "network": pa.array(flat["network"]),
        "layer": pa.array(flat["layer"]),
        "module": pa.DictionaryArray.from_arrays(pa.array(flat["module"]), pa.array(modules)),
        "input": pa.array(flat["input"], mask=flat["input"] < 0),
        "quantity": pa.DictionaryArray.from_arrays(pa.array(flat["quantity"]), pa.array(names)),
        "value": pa.array(value, mask=np.isnan(value)),
    }
    if not plan.per_input:
        del arrays["input"]
    return pa.table(arrays)


def _shape(plan: Plan, quantity: str, networks: int) -> tuple[int, ...]:
    """Shape of one quantity's values in a block."""
    flat = (networks, len(plan.where[quantity]))
    return (*flat, len(plan.inputs)) if plan.per_input and not ALL_QUANTITIES[quantity].joint else flat


def read_part(path: Path, plan: Plan, block: Block) -> dict[str, Float64Array] | None:
    """Read one block back.

    Parameters
    ----------
    path : Path
        The part.
    plan, block : Plan, Block
        What it should hold. A part of a longer run, with more networks, begins with those of the shorter one.

    Returns
    -------
    dict of str to ndarray, or None
        By quantity; None if there is no such part yet, or a shorter run left one with fewer networks.

    Raises
    ------
    DamagedPartError
        If the file is truncated, a checksum does not match, or it holds something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            about = json.loads(file.schema_arrow.metadata[_METADATA])
            networks, wanted = about.pop("networks"), {"format": FORMAT, "key": plan.key, "block": block.index}
            if about != wanted or not isinstance(networks, int) or networks > plan.block:
                msg = f"it says to hold {about}, not {wanted}"
                raise DamagedPartError(msg)
            if networks < block.networks:
                return None
            column = file.read(columns=["value"], use_threads=False).column("value")
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        msg = str(error).partition("\n")[0] or type(error).__name__
        raise DamagedPartError(msg) from error
    # Nulls come back as NaN, which is what a missing value is in a Simulation.
    return _by_quantity(plan, block, column.to_numpy(), networks)


def _by_quantity(plan: Plan, block: Block, flat: Float64Array, networks: int) -> dict[str, Float64Array]:
    """Cut the column of values into the quantities' arrays, and these to the networks of the block."""
    shapes = {name: _shape(plan, name, networks) for name in plan.where}
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    if sum(sizes) != len(flat):
        msg = f"it has {len(flat)} rows, not {sum(sizes)}"
        raise DamagedPartError(msg)
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return {
        name: part.reshape(shape)[: block.networks] for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that after a crash at any moment it is there as a whole, or as it was before.

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full; the temporary file is then removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a renamed file's new name survive a power cut, where the system lets a folder be synced."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporary_files(folder: Path) -> None:
    """Remove what killed runs left half written; only the holder of the run's lock may call this."""
    for pattern in (".*.tmp", "samples/*/.*.tmp"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
