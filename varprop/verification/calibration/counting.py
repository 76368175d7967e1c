"""The count of false verdicts, for all tests: cases simulated by workers, counted by configuration, pooled, and controls."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from varprop._typing import Float64Array
from varprop.engine.executors import ExecutorLike, run_tasks
from varprop.model.simulation import Simulation
from varprop.stats.means import mean_outcome
from varprop.stats.outcome import Outcome
from varprop.verification.calibration.cases import level_cases
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


def naive_t(study: Simulation, _rng: np.random.Generator) -> Outcome:
    """Test the mean of the last layer's mean square over networks as it stands, close to log-normal over depth."""
    values = study.values("preactivation_second_moment")[:, -1]
    first = study.values("conditional_variance")[0, 0]  # the same in all networks: what every layer has on average
    return mean_outcome("naive t", values / first, null=1.0)


def pooled_neurons_t(study: Simulation, rng: np.random.Generator) -> Outcome:
    """Test the mean of z^2 over all units of the last layer in all networks, as if units were independent.

    Given its conditional variance v a unit is N(0, v), so that its square is v chi2_1.
    """
    v = study.values("conditional_variance")
    units = v[:, [-1]] * rng.chisquare(1.0, size=(len(v), study.architecture.widths[-1]))
    return mean_outcome("t over pooled neurons", units.ravel() / v[0, 0], null=1.0)


WRONG_TESTS: dict[str, Callable[[Simulation, np.random.Generator], Outcome]] = {
    "naive t": naive_t,
    "t over pooled neurons": pooled_neurons_t,
}
"""Both take ReLU networks with He's weights, whose mean square is the same in expectation in every layer."""


# ---- rules that do not hold, each with the level that it promises -------------------------------------------------


def plain_spread(rng: np.random.Generator, studies: int) -> Float64Array:
    """The variance of 50 pivots of 2 units, judged as a mean of squares by a t test."""
    pivots = rng.chisquare(2.0, size=(studies, 50)) / 2.0
    squares = (pivots - pivots.mean(axis=1, keepdims=True)) ** 2 * (50 / 49)
    return _log_t(squares)[0]


def t_of_shares(rng: np.random.Generator, studies: int) -> Float64Array:
    """A t test of shares of 64 units that are saturated once in 2,400, of 20 networks, most of which show none."""
    shares = rng.binomial(64, _RARE, size=(studies, 20)) / 64
    mean, sd = shares.mean(axis=1), shares.std(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = special.stdtr(19, (mean - _RARE) / (sd / np.sqrt(20)))
    return np.where(sd > 0.0, below, np.where(mean < _RARE, 0.0, 1.0))


_RARE = 4.19e-4


def noted_t(rng: np.random.Generator, studies: int) -> Float64Array:
    """The t test of 5,000 log-normal values, believed wherever their skewness is below .148 roots of their number."""
    values = np.exp(rng.normal(-_LOG_VARIANCE / 2.0, np.sqrt(_LOG_VARIANCE), size=(studies, 5000)))
    pvalues, skewness = _log_t(values)
    return np.where(skewness / np.sqrt(5000) <= 0.148, pvalues, 1.0)


_LOG_VARIANCE = 2.0


def product_of_asymmetric(rng: np.random.Generator, studies: int) -> Float64Array:
    """The product form under exponential weights, where a row's sign is no fair coin: 4 units, 4 layers, 200 networks."""
    squares = _dense(rng, studies * 200, lambda size: rng.exponential(size=size) - 1.0, width=4, depth=4)
    return _product_p(squares.reshape(studies, 200, 4))


def product_of_lattice(rng: np.random.Generator, studies: int) -> Float64Array:
    """The backward product under random signs of width 2, where a unit is often exactly 0: 4 layers, 5,000 networks."""
    gradients = _gradients(rng, studies * 5000, width=2, depth=4)
    return _product_p(gradients.reshape(studies, 5000, 4))


def many_looks(rng: np.random.Generator, studies: int) -> Float64Array:
    """A t test looked at six times, each time with four times as many values; the smallest p-value of them."""
    sizes = 50 * 4 ** np.arange(6)
    sums, squares, before = np.zeros(studies), np.zeros(studies), 0
    smallest = np.ones(studies)
    for size in sizes.tolist():
        more = size - before
        total = rng.normal(0.0, np.sqrt(more), size=studies)
        sums += total
        squares += rng.chisquare(more - 1, size=studies) + total**2 / more
        variance = (squares - sums**2 / size) / (size - 1)
        smallest = np.minimum(smallest, special.stdtr(size - 1, sums / np.sqrt(size * variance)))
        before = size
    return smallest


WRONG_RULES: dict[str, Callable[[np.random.Generator, int], Float64Array]] = {
    "spread by a plain t test": plain_spread,
    "t test of rare shares": t_of_shares,
    "t test with a note on skewness": noted_t,
    "product form, asymmetric weights": product_of_asymmetric,
    "backward product, random signs": product_of_lattice,
    "six looks at a fixed level": many_looks,
}
"""From a generator and a number of studies to one-sided p-values, which are too small too often."""


def _log_t(values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """One-sided p-values of "the mean is at least its truth", by the log t test against the mean of all, and skewnesses."""
    n, truth = values.shape[1], values.mean()
    mean = values.mean(axis=1)
    centred = values - mean[:, None]
    second = np.mean(centred**2, axis=1)
    relative = np.sqrt(second * n / (n - 1)) / mean
    t = (np.log(mean / truth) + relative**2 / (2 * n)) / (relative / np.sqrt(n))
    return np.asarray(special.stdtr(n - 1, t)), np.mean(centred**3, axis=1) / second**1.5


def _product_p(values: Float64Array) -> Float64Array:
    """Two-sided p-values of the growth from the first layer to the last, by means of steps; its truth is that of all networks."""
    n = values.shape[1]
    first, last = values[..., 0].mean(), values[..., -1].mean()
    truth = float(np.log(last / first))
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(values[..., :-1] > 0.0, values[..., 1:] / values[..., :-1], np.nan)
    at_risk = np.sum(~np.isnan(steps), axis=1)
    means = np.nanmean(steps, axis=1)
    influence = np.nansum((steps / means[:, None, :] - 1.0) * (n / at_risk)[:, None, :], axis=2)
    theta = np.log(means).sum(axis=1)
    se = influence.std(axis=1, ddof=1) / np.sqrt(n)
    pvalue = 2.0 * special.stdtr(at_risk.min(axis=1) - 1, -np.abs(theta - truth) / se)
    return np.asarray(pvalue, dtype=np.float64)


def _dense(
    rng: np.random.Generator, networks: int, draw: Callable[[tuple[int, ...]], Float64Array], *, width: int, depth: int
) -> Float64Array:
    """Mean squares of every layer of ReLU networks with weights of variance 2 / width."""
    del rng  # `draw` has it
    signal, found = np.ones((networks, width)), []
    for _ in range(depth):
        z = np.einsum("noi,ni->no", draw((networks, width, width)) * np.sqrt(2.0 / width), signal)
        found.append(np.mean(z**2, axis=1))
        signal = np.maximum(z, 0.0)
    return np.stack(found, axis=1)


def _gradients(rng: np.random.Generator, networks: int, *, width: int, depth: int) -> Float64Array:
    """Mean squared gradients of ReLU networks with random signs, from the last layer to the first."""
    scale = np.sqrt(2.0 / width)
    signal, weights, masks = np.ones((networks, width)), [], []
    for _ in range(depth):
        w = scale * (2.0 * rng.integers(0, 2, size=(networks, width, width)) - 1.0)
        z = np.einsum("noi,ni->no", w, signal)
        # Sums of products of the same two numbers cancel exactly but for rounding.
        masks.append(z > 1e-9 * np.abs(signal).max(axis=1, keepdims=True))
        weights.append(w)
        signal = np.where(masks[-1], z, 0.0)
    delta, found = rng.standard_normal((networks, width)), []
    found.append(np.mean(delta**2, axis=1))
    for layer in range(depth - 1, 0, -1):
        delta = np.einsum("noi,no->ni", weights[layer], delta) * masks[layer - 1]
        found.append(np.mean(delta**2, axis=1))
    return np.stack(found, axis=1)


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
