"""The blocks that a run lacks: which they are, and how they are sampled and encoded."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor
from pathlib import Path

from varprop.engine.executors import ExecutorLike, run_tasks
from varprop.engine.plan import Block, Plan
from varprop.engine.simulate import run_block
from varprop.study.errors import Problem, RunStoppedError, StudyError
from varprop.study.store import DamagedPartError, encode_part, part_path, read_part

BlockName = tuple[str, int]
"""A configuration's label, and the index of one of its blocks."""


def remove_parts(folder: Path, plans: Mapping[str, Plan]) -> None:
    """Remove every part of these plans, and nothing else."""
    for plan in plans.values():
        for path in (folder / "samples" / plan.key).glob("part-*.parquet"):
            path.unlink()


def missing_blocks(folder: Path, plans: Mapping[str, Plan]) -> dict[BlockName, Block]:
    """Blocks of which there is no whole and sound part in the folder; a damaged one is warned about."""
    missing = {}
    for label, plan in plans.items():
        for block in plan.blocks:
            path = part_path(folder / "samples", plan, block)
            try:
                there = read_part(path, plan, block) is not None
            except DamagedPartError as error:
                there = False
                msg = f"{path} is damaged ({error}) and is sampled again"
                warnings.warn(msg, RuntimeWarning, stacklevel=4)
            if not there:
                missing[label, block.index] = block
    return missing


def sampled_parts(
    plans: Mapping[str, Plan],
    missing: Mapping[BlockName, Block],
    executor: ExecutorLike,
    workers: int | None,
) -> Iterator[tuple[str, Block, bytes]]:
    """Sample the missing blocks; yield label, block and part as they are finished, in any order."""
    tasks = [(plans[label], (label, index)) for label, index in missing]
    work = sum(plans[label].draws * block.networks // plans[label].n_networks for (label, _), block in missing.items())
    try:
        # Closed at once if the caller stops, so that nothing goes on in the background.
        with contextlib.closing(run_tasks(_sample, tasks, executor, workers=workers, work=work)) as results:
            for name, data in results:
                yield name[0], missing[name], data
    except BrokenExecutor as error:
        msg = f"{error}; start the run again to go on"
        raise RunStoppedError(msg) from error


def _sample(plan: Plan, name: BlockName) -> bytes:
    """Sample and encode one block, in a worker: compressed it travels at a tenth of the size."""
    label, index = name
    try:
        values = run_block(plan, index)
    except (ValueError, ArithmeticError, MemoryError) as error:
        raise StudyError(label, [Problem("", str(error) or "needs more memory than there is")]) from error
    return encode_part(plan, plan.block_at(index), values)
