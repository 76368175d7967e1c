"""The count of false verdicts, for all tests: cases simulated by workers, counted by configuration, pooled, and controls."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop._typing import Float64Array
from varprop.engine.executors import ExecutorLike, run_tasks
from varprop.verification.calibration.cases import level_cases
from varprop.verification.calibration.controls import WRONG_RULES
from varprop.verification.calibration.levels import (
    LevelCase,
    Sides,
    counted,
    judge_levels,
    level_rows,
    levels_frame,
    pooled_rows,
    truth_of,
)

if TYPE_CHECKING:
    import pandas as pd

FULL_STUDIES, QUICK_STUDIES = 42_000, 1_000
"""Of a setting with an exact law: together 300,000, a hundred of which are false at .05/150, and 1.5 times as many are told."""
CONTROLS = {
    "spread by a plain t test": (2_000, 0.05 / 20),
    "t test of rare shares": (2_000, 0.05),
    "t test with a note on skewness": (20_000, 0.05 / 150),
    "product form, asymmetric weights": (2_000, 0.05),
    "backward product, random signs": (400, 0.05),
    "six looks at a fixed level": (2_000, 0.05),
}
"""Studies of each wrong rule, and the level at which it has to be found out."""

Progress = Callable[[int, int], object]


def count_levels(
    *,
    full: bool,
    seed: int,
    studies: int | None = None,
    executor: ExecutorLike = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Count false verdicts of every test at the levels that verdicts are given at."""
    wanted = (FULL_STUDIES if full else QUICK_STUDIES) if studies is None else studies
    groups = level_cases(full=full, seed=seed, studies=wanted)
    where = "processes" if executor is None else executor
    unknown = [case for group in groups for case in group if case.truth is None]
    controls = CONTROLS if full else {}
    total = sum(len(group[0].setting.chunks) for group in groups) + len(unknown) + len(controls)
    done = _Told(total, progress)
    truths = done.over(run_tasks(truth_of, [(case, i) for i, case in enumerate(unknown)], where))
    measured = iter([truths[i] for i in range(len(unknown))])
    known = [[case.truth if case.truth is not None else next(measured) for case in group] for group in groups]
    tasks = [
        (tuple(group), tuple(truth), size, (j, i))
        for j, (group, truth) in enumerate(zip(groups, known, strict=True))
        for i, size in enumerate(group[0].setting.chunks)
    ]
    found = done.over(run_tasks(judge_levels, tasks, where))
    merged = [_merged([found[j, i] for i in range(len(group[0].setting.chunks))]) for j, group in enumerate(groups)]
    wrong = done.over(run_tasks(partial(_control, seed), [(name,) for name in controls], where))
    rows = [*_counts(groups, merged), *_of_controls([wrong[name] for name in controls], list(controls))]
    return levels_frame(rows)


class _Told:
    """Tells how much of the work is done."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def over(self, results: Generator[tuple[Any, Any], None, None]) -> dict[Any, Any]:
        """Take all results, counting them as they come."""
        found = {}
        with contextlib.closing(results):
            for name, result in results:
                found[name] = result
                self._done += 1
                if self._progress is not None:
                    self._progress(self._done, self._total)
        return found


def _merged(chunks: Sequence[Sequence[Sides]]) -> list[Sides]:
    """The cases of one setting, over all chunks of its studies."""
    whole = list(chunks[0])
    for chunk in chunks[1:]:
        whole = [before + more for before, more in zip(whole, chunk, strict=True)]
    return whole


def _counts(groups: Sequence[Sequence[LevelCase]], merged: Sequence[Sequence[Sides]]) -> Iterator[dict[str, object]]:
    by_test: dict[str, list[Sides]] = {}
    for group, sides in zip(groups, merged, strict=True):
        for case, one in zip(group, sides, strict=True):
            by_test.setdefault(case.name, []).append(one)
            quantity = "" if case.claim.quantity in case.name else f", {case.claim.quantity}"
            label = f"{case.setting.network.label}{quantity}"
            yield from level_rows(case.name, label, case.setting.n_networks, one)
    for name, every in by_test.items():
        yield from pooled_rows(name, every)


def _control(seed: int, name: str) -> Float64Array:
    words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], dtype="<u4")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(int(word) for word in words)))
    return WRONG_RULES[name](rng, CONTROLS[name][0])


def _of_controls(pvalues: Sequence[Float64Array], names: Sequence[str]) -> Iterator[dict[str, object]]:
    for name, found in zip(names, pvalues, strict=True):
        yield {"part": "controls", "test": name, "side": "too low", **counted(found, CONTROLS[name][1])}
