"""Samples on disk: one Parquet part a block, written whole or not at all, and checked when it is read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._typing import Float64Array
from varprop.engine.plan import Block, Plan
from varprop.model.quantities import ALL_QUANTITIES
from varprop.study.errors import Problem, StudyError
from varprop.study.files import TooLargeError, read_bytes

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2
"""Raised when the layout of a part changes. Version 1 had no hash of the values, and is read all the same."""
_METADATA = b"varprop"
_COMPRESSION_LEVEL = 3  # higher ones take three times as long and save 2 %: the values are random digits


_ROW_BYTES = 32
_SPARE_BYTES = 2**24  # for the file's own tables, which name every module
"""A part takes some nine bytes a row; what has many times that is none, and is not read."""


LEFT = re.compile(r"\.(.+)\.\d+\.tmp")
"""What a killed process leaves of a file that it was writing: the file's name, and its own number."""


class DamagedPartError(RuntimeError):
    """A part that is not what was written, or not what the plan asks for."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """What a file of samples holds."""

    networks: int
    hashed: bool
    values: dict[str, Float64Array]


def part_path(samples: Path, plan: Plan, block: Block) -> Path:
    """Return where a block is kept: the folder is the key of the content, so no text of a user's becomes a path."""
    return samples / plan.key / f"part-{block.index:05d}.parquet"


def encode_part(plan: Plan, block: Block, values: dict[str, Float64Array]) -> bytes:
    """Write one block as a Parquet file."""
    import pyarrow.parquet as pq

    about = _about(FORMAT, plan, block, block.networks)
    about["values"] = _hash(about, (values[name] for name in plan.where))
    schema = _schema(plan).with_metadata({_METADATA: json.dumps(about, sort_keys=True)})
    buffer = io.BytesIO()
    with pq.ParquetWriter(
        buffer,
        schema,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        use_dictionary=[name for name in schema.names if name != "value"],
        use_byte_stream_split=["value"],
        write_page_checksum=True,
    ) as writer:
        for name in plan.where:  # a row group for each quantity: rows take five times the memory of their values
            rows = _rows_of(plan, block, name, values[name])
            writer.write_table(rows, row_group_size=max(rows.num_rows, 1))
    return buffer.getvalue()


def _about(version: int, plan: Plan, block: Block, networks: int) -> dict[str, Any]:
    """What a part says of itself."""
    return {"format": version, "key": plan.key, "block": block.index, "networks": networks}


def _hash(about: Mapping[str, Any], values: Iterable[Float64Array]) -> str:
    """Hash values and what they are said to be; a missing one counts as such, with whatever bits it is written."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for some in values:
        digest.update(np.where(np.isnan(some), np.nan, some).astype("<f8", copy=False).tobytes())
    return digest.hexdigest()


def table_of(plan: Plan, block: Block, values: Mapping[str, Float64Array]) -> pa.Table:
    """Set the tidy rows of a block, as they are written."""
    import pyarrow as pa

    return pa.concat_tables([_rows_of(plan, block, name, values[name]) for name in plan.where])


def _schema(plan: Plan) -> pa.Schema:
    """Columns of a part and their types."""
    import pyarrow as pa

    text = pa.dictionary(pa.int32(), pa.string())
    types = {"network": pa.int32(), "layer": pa.int32(), "module": text, "input": pa.int32(), "quantity": text}
    if not plan.per_input:
        del types["input"]
    return pa.schema([*types.items(), ("value", pa.float64())])


def _rows_of(plan: Plan, block: Block, quantity: str, values: Float64Array) -> pa.Table:
    """Set the tidy rows of one quantity."""
    import pyarrow as pa

    modules = list(dict.fromkeys(module for places in plan.where.values() for _, module in places))
    places, names = plan.where[quantity], list(plan.where)
    network, place, *inputs = (
        index.ravel() for index in np.indices(_shape(plan, quantity, block.networks), dtype=np.int32)
    )
    code = np.full(place.size, names.index(quantity), dtype=np.int32)
    at = np.array([modules.index(module) for _, module in places], dtype=np.int32)[place]
    flat = values.ravel()
    arrays = {
        "network": pa.array(network + np.int32(block.first)),
        "layer": pa.array(np.array([layer for layer, _ in places], dtype=np.int32)[place]),
        "module": pa.DictionaryArray.from_arrays(pa.array(at), pa.array(modules)),
        "input": pa.array(inputs[0]) if inputs else pa.nulls(place.size, pa.int32()),
        "quantity": pa.DictionaryArray.from_arrays(pa.array(code), pa.array(names)),
        "value": pa.array(flat, mask=np.isnan(flat)),
    }
    schema = _schema(plan)
    return pa.table([arrays[name] for name in schema.names], schema=schema)


def _shape(plan: Plan, quantity: str, networks: int) -> tuple[int, ...]:
    """Shape of one quantity's values in a block."""
    flat = (networks, len(plan.where[quantity]))
    return (*flat, len(plan.inputs)) if plan.per_input and not ALL_QUANTITIES[quantity].joint else flat


def read_part(path: Path, plan: Plan, block: Block) -> dict[str, Float64Array] | None:
    """Read one block back."""
    part = open_part(path, plan, block)
    if part is None or part.networks < block.networks:
        return None
    return {name: values[: block.networks] for name, values in part.values.items()}


def open_part(path: Path, plan: Plan, block: Block) -> StoredPart | None:
    """Read a part, of however many networks it is."""
    try:
        data = read_bytes(path, limit=_ROW_BYTES * _rows(plan, plan.block) + _SPARE_BYTES)
        return _decode(data, plan, block)
    except FileNotFoundError:
        return None
    except TooLargeError as error:
        raise DamagedPartError(str(error)) from error
    except (OSError, MemoryError) as error:  # of the file: what is wrong with its bytes is said in `_decode`
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        msg = f"it cannot be read ({reason}), so that nobody knows whether it is sound; mend that, or remove it to sample it again"
        raise StudyError(str(path), [Problem("", msg)]) from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _decode(data: bytes, plan: Plan, block: Block) -> StoredPart:
    """Read a part's bytes, nothing of which is believed before it is checked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            about = json.loads(file.schema_arrow.metadata[_METADATA])
            networks, version, given = about["networks"], about["format"], about.pop("values", None)
            if type(networks) is not int or not 0 < networks <= plan.block or version not in (1, FORMAT):
                raise DamagedPartError(_says(about))
            if about != _about(version, plan, block, networks):
                raise DamagedPartError(_says(about))
            rows, kind = _rows(plan, networks), file.schema_arrow.field("value").type
            # Before anything is unpacked: a small file may hold very many rows.
            if file.metadata.num_rows != rows or kind != pa.float64():
                msg = f"it has {file.metadata.num_rows:,} rows of type {kind}, not {rows:,} of type double"
                raise DamagedPartError(msg)
            column = file.read(columns=["value"], use_threads=False).column("value")
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedPartError(_first_line(error)) from error
    # Nulls come back as NaN, which is what a missing value is in a Simulation.
    flat = column.to_numpy()
    if version > 1 and given != _hash(about, [flat]):
        msg = "its values are not those that were written"
        raise DamagedPartError(msg)
    return StoredPart(networks, version > 1, _by_quantity(plan, flat, networks))


def _says(about: Mapping[str, Any]) -> str:
    said = str({name: about[name] for name in ("format", "key", "block", "networks") if name in about})
    return f"it says to hold {said[:200]}, which is another block, or of another version"


def _rows(plan: Plan, networks: int) -> int:
    return sum(int(np.prod(_shape(plan, name, networks))) for name in plan.where)


def _by_quantity(plan: Plan, flat: Float64Array, networks: int) -> dict[str, Float64Array]:
    """Cut the column of values into the quantities' arrays."""
    shapes = {name: _shape(plan, name, networks) for name in plan.where}
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(flat, ends[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def has_its_places(path: Path, plan: Plan, block: Block, part: StoredPart) -> bool:
    """Tell whether the other columns of a part say of each value what it is; reading goes by the rows' order alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = read_bytes(path, limit=_ROW_BYTES * _rows(plan, plan.block) + _SPARE_BYTES)
    try:
        read = pq.read_table(pa.BufferReader(data), use_threads=False)
        whole = table_of(plan, replace(block, networks=part.networks), part.values)
        return read.column_names == whole.column_names and all(
            _plainly(read.column(name)).equals(_plainly(whole.column(name)))
            for name in whole.column_names
            if name != "value"
        )
    except (pa.ArrowException, OSError, ValueError):
        return False


def _plainly(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, its texts as texts however they are coded."""
    import pyarrow as pa

    array = column.combine_chunks()
    return array.cast(pa.string()) if pa.types.is_dictionary(array.type) else array


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that after a crash at any moment it is there as a whole, or as it was before."""
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
            if LEFT.fullmatch(path.name):
                path.unlink(missing_ok=True)
