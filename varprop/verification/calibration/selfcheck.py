"""The toolkit's check of all its tests: which networks, which plans, which controls, and one table of what came out."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from varprop.engine.executors import ExecutorLike, run_tasks
from varprop.model.network import Network, mlp
from varprop.stats.equivalence import decide, p_equivalence, p_refute
from varprop.stats.outcome import Outcome
from varprop.stats.power import required_networks
from varprop.verification.calibration.counting import WRONG_TESTS
from varprop.verification.calibration.rates import Rate
from varprop.verification.calibration.studies import (
    Setting,
    judge_studies,
    measured_truth,
    needs_truth,
    rates_frame,
    rates_of,
)
from varprop.verification.calibration.truths import claim_of, layer_norms
from varprop.verification.claims import Claim
from varprop.verification.tests.of_bounds import mean_activation, mean_gain

if TYPE_CHECKING:
    import pandas as pd

REPEATS = 2000
NETWORKS = 200
MARGIN = 0.05
ALPHAS = (0.05, 0.01)
REPORT_CLAIMS = 30

_SIZES = ((16, 10), (16, 50), (64, 10), (64, 50), (256, 50))
_STEPS = ("step_mean", "pooled_step_mean", "cumulative_mean")
_BOUNDS = ("directional", "typical_directional", "level")


@dataclass(frozen=True, slots=True)
class TestFamily:
    """Networks of one kind in several sizes (width, depth), and the tests that are valid on them."""

    activation: str
    weights: str
    sizes: tuple[tuple[int, int], ...]
    tests: tuple[str, ...]


_LAWS = ("activation_map", "pivot_law", "exact_law", "log_mean", "dead_rate", "spread", "band")
FULL = (
    TestFamily("relu", "he_normal", _SIZES, (*_STEPS, "growth_rate", *_BOUNDS, *_LAWS)),
    TestFamily("tanh", "xavier_normal", _SIZES, (*_STEPS, "zero_mean", "activation_map", "pivot_law")),
    # Every weight of these is drawn, so they are the narrow ones; what `spread` expects of them takes time over depth.
    TestFamily("relu", "he_uniform", _SIZES[:4], (*_STEPS, "activation_map", "dead_rate")),
    TestFamily("relu", "he_uniform", _SIZES[:1], (*_BOUNDS, "spread")),
    # Where the law of norms is not known, a bound's truth is measured.
    TestFamily("tanh", "xavier_normal", (_SIZES[0], _SIZES[2]), _BOUNDS),
    TestFamily("tanh", "xavier_uniform", (_SIZES[0], _SIZES[2]), ("cumulative_mean", "zero_mean", "spread")),
)
QUICK = (
    TestFamily("relu", "he_normal", _SIZES[:3], (*_STEPS, "growth_rate", *_LAWS[:-1])),
    TestFamily("relu", "he_normal", _SIZES[:1], _BOUNDS),
)


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """A plan by `required_networks`: a test over so many steps, its margin, the truth and the number of claims."""

    test: str
    width: int
    steps: int
    margin: float
    theta: float = 0.0
    claims: int = 1
    quantity: str = "preactivation_second_moment"

    @property
    def n_networks(self) -> int:
        """Networks for a power of .9."""
        return required_networks(
            self.test,
            quantity=self.quantity,
            width=self.width,
            depth=self.steps,
            margin=self.margin,
            theta=self.theta,
            claims=self.claims,
        )

    @property
    def depth(self) -> int:
        """Layers of a network with so many steps: of pre-activations, a step starts from the layer before."""
        return self.steps + (self.test != "cumulative_mean" and self.quantity != "pivot")


PLANS = (
    PlannedStudy("cumulative_mean", 64, 10, 0.05),
    PlannedStudy("cumulative_mean", 16, 10, 0.2),
    PlannedStudy("cumulative_mean", 64, 50, 0.2),
    PlannedStudy("cumulative_mean", 256, 50, 0.1),
    PlannedStudy("cumulative_mean", 64, 10, 0.05, theta=math.log(1.15)),
    PlannedStudy("cumulative_mean", 64, 50, 0.1, theta=math.log(0.75)),
    PlannedStudy("pooled_step_mean", 16, 10, 0.01, quantity="pivot"),
    PlannedStudy("pooled_step_mean", 64, 10, 0.02),
    PlannedStudy("growth_rate", 16, 10, 0.03, claims=21),
    PlannedStudy("step_mean", 64, 10, 0.2),
)

_TRUTHS = tuple((sign, margin) for margin in (0.02, 0.05, 0.1, 0.2, 0.4) for sign in (-1.0, 1.0))
_REPORT = tuple((width, depth) for width, depth in ((16, 10), (64, 10), (64, 50)))


def selfcheck(
    *,
    full: bool,
    seed: int,
    repeats: int = REPEATS,
    executor: ExecutorLike = None,
    progress: Callable[[int, int], object] | None = None,
) -> pd.DataFrame:
    """Check every test that can be calibrated."""
    checks = list(_tests(FULL if full else QUICK, seed, repeats))
    if full:
        checks += [*_controls(seed, repeats), _report(seed, repeats), *_plans(seed, repeats)]
    tasks = [(work, (i, j)) for i, check in enumerate(checks) for j, work in enumerate(check.work)]
    done: dict[tuple[int, int], Any] = {}
    with contextlib.closing(run_tasks(_do, tasks, "processes" if executor is None else executor)) as results:
        for name, result in results:
            done[name] = result
            if progress is not None:
                progress(len(done), len(tasks))
    parts = [
        check.conclude([done[i, j] for j in range(len(check.work))]).assign(part=check.part)
        for i, check in enumerate(checks)
    ]
    return _joined(parts)


@dataclass(frozen=True, slots=True)
class Check:
    """Pieces of work for workers, and what follows from their results."""

    part: str
    work: tuple[Callable[[], Any], ...]
    conclude: Callable[[list[Any]], pd.DataFrame]


def _do(work: Callable[[], Any], _name: tuple[int, int]) -> Any:
    return work()


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.concat(parts, ignore_index=True)
    controls = frame["part"] == "controls"
    frame["met"] = frame["accepted"].where(~controls, ~frame["accepted"])
    return frame[["part", *(name for name in frame.columns if name != "part")]]


def _setting(
    seed: int,
    repeats: int,
    *,
    widths: Sequence[int],
    activation: str = "relu",
    weights: str = "he_normal",
    drawn: Any = None,
    n_networks: int = NETWORKS,
    purpose: str = "",
) -> Setting:
    """Networks under test with a stream of their own, which their name fixes and not their place in the list."""
    network = mlp(widths, activation=activation, weights=weights)
    sampled = network if drawn is None else mlp(widths, activation=activation, weights=drawn)
    name = f"{purpose} {network.label} {sampled.label} {n_networks}"
    words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], dtype="<u4")
    root = np.random.SeedSequence(seed, spawn_key=tuple(int(word) for word in words))
    return Setting(network=network, drawn=sampled, n_networks=n_networks, repeats=repeats, source="auto", root=root)


def _studies(claims: Sequence[Claim], setting: Setting) -> tuple[Callable[[], Any], ...]:
    """Pieces of work that simulate and test all studies of a setting."""
    return tuple(partial(judge_studies, tuple(claims), setting, size, i) for i, size in enumerate(setting.chunks))


def _put_together(chunks: Sequence[list[list[Outcome | None]]]) -> list[list[Outcome | None]]:
    """Outcomes by claim, of all chunks in order."""
    return [[one for part in parts for one in part] for parts in zip(*chunks, strict=True)]


def _tests(families: Sequence[TestFamily], seed: int, repeats: int) -> Iterator[Check]:
    for family in families:
        for width, depth in family.sizes:
            setting = _setting(
                seed, repeats, widths=[width] * (depth + 1), activation=family.activation, weights=family.weights
            )
            claims = [claim_of(test, setting.network, margin=MARGIN) for test in family.tests]
            unknown = [claim for claim in claims if needs_truth(claim, setting)]
            truths = [partial(measured_truth, claim, setting) for claim in unknown]
            work: tuple[Callable[[], Any], ...] = (*_studies(claims, setting), *truths)
            yield Check("tests", work, partial(_rates_of_tests, claims, unknown, setting))


def _rates_of_tests(
    claims: Sequence[Claim], unknown: Sequence[Claim], setting: Setting, done: list[Any]
) -> pd.DataFrame:
    chunks, measured = done[: len(setting.chunks)], done[len(setting.chunks) :]
    truths = {claim.id: truth for claim, truth in zip(unknown, measured, strict=True)}
    rows = [
        (claim, setting, rate)
        for claim, outcomes in zip(claims, _put_together(chunks), strict=True)
        for rate in rates_of(claim, setting, outcomes, truth=truths.get(claim.id, 0.0), alphas=ALPHAS)
    ]
    return rates_frame(rows)


def _controls(seed: int, repeats: int) -> Iterator[Check]:
    for test, (width, depth) in (("naive t", (16, 50)), ("t over pooled neurons", (64, 10))):
        setting = _setting(seed, repeats, widths=[width] * (depth + 1), purpose=test)
        yield Check("controls", (partial(_wrong_test, test, setting),), partial(_rejections, test, setting))
    wrong: tuple[tuple[str, list[int], Any], ...] = (
        ("variance 5 % too large", [64] * 11, _scaled(2.1, "fan_in", "normal")),
        ("truncated normal, not rescaled", [16] * 11, _truncated(16)),
        ("fan_in and fan_out exchanged", [128, 64, 32, 16], _scaled(2.0, "fan_out", "normal")),
    )
    for name, widths, drawn in wrong:
        setting = _setting(seed, repeats, widths=widths, drawn=drawn, purpose=name)
        claim = replace(claim_of("cumulative_mean", setting.network, margin=MARGIN), id=f"cumulative_mean: {name}")
        yield Check("controls", _studies([claim], setting), partial(_found_out, claim, setting))
    yield from _wrong_bounds(seed, repeats)


def _wrong_bounds(seed: int, repeats: int) -> Iterator[Check]:
    """The right networks: another bound than the test's own, and a mean that its t-test does not know how to judge."""
    z = "preactivation_second_moment"
    controls: tuple[tuple[str, str, list[int], str, Callable[[Network], float]], ...] = (
        ("typical_directional", "the mean network's gain", [64] * 11, z, mean_gain),
        ("level", "a mean that few networks carry", [16] * 51, "activation_mean", mean_activation),
    )
    for test, name, widths, quantity, bound in controls:
        setting = _setting(seed, repeats, widths=widths, purpose=name)
        own = claim_of(test, setting.network, margin=MARGIN)
        claim = replace(own, id=f"{test}: {name}", quantity=quantity, below=bound(setting.network))
        yield Check("controls", _studies([claim], setting), partial(_found_out, claim, setting))


def _scaled(scale: float, mode: str, distribution: str) -> Any:
    from varprop.model.initializers import get_initializer

    return get_initializer("variance_scaling", scale=scale, mode=mode, distribution=distribution)


def _truncated(width: int) -> Any:
    from varprop.model.initializers import get_initializer

    return get_initializer("truncated_normal", std=math.sqrt(2.0 / width))


def _wrong_test(test: str, setting: Setting) -> list[Outcome]:
    found = []
    for study in range(setting.repeats):
        rng = np.random.default_rng(setting.child(0, study))
        found.append(WRONG_TESTS[test](layer_norms(setting.network, n_networks=setting.n_networks, rng=rng), rng))
    return found


def _rejections(test: str, setting: Setting, done: list[Any]) -> pd.DataFrame:
    claim = replace(claim_of("cumulative_mean", setting.network, margin=MARGIN), id=test)
    return rates_frame([(claim, setting, _level(done[0]))])


def _found_out(claim: Claim, setting: Setting, done: list[Any]) -> pd.DataFrame:
    (outcomes,) = _put_together(done)
    return rates_frame([(claim, setting, replace(_level(outcomes), rate="rejection"))])


def _level(outcomes: Sequence[Outcome | None]) -> Rate:
    """Rejections of the point null at the first level."""
    events = sum(one is not None and one.pvalue <= ALPHAS[0] for one in outcomes)
    return Rate(rate="level", alpha=ALPHAS[0], theta=0.0, events=events, studies=len(outcomes), planned=ALPHAS[0])


def _report(seed: int, repeats: int) -> Check:
    """Many claims with the truth at an end of their margins, where either verdict is false."""
    work: list[Callable[[], Any]] = []
    settings = []
    for width, depth in _REPORT:
        setting = _setting(seed, repeats, widths=[width] * (depth + 1), purpose="report")
        claims = [claim_of("cumulative_mean", setting.network, margin=MARGIN)]
        settings.append(setting)
        work += _studies(claims, setting)
    return Check("report", tuple(work), partial(_any_false, settings))


def _any_false(settings: Sequence[Setting], done: list[Any]) -> pd.DataFrame:
    columns, start = [], 0
    for setting in settings:
        end = start + len(setting.chunks)
        columns.append(_put_together(done[start:end])[0])
        start = end
    rows = []
    for name, m in (("any false verdict", REPORT_CLAIMS), ("any false verdict, uncorrected", 1)):
        events = sum(any(_false_verdict(one, m) for one in report) for report in zip(*columns, strict=True))
        rate = Rate(
            rate=name,
            alpha=ALPHAS[0],
            theta=math.nan,
            events=events,
            studies=len(columns[0]),
            planned=ALPHAS[0],
            bound=True,
        )
        claim = replace(claim_of("cumulative_mean", settings[0].network, margin=MARGIN), id=f"{REPORT_CLAIMS} claims")
        rows.append((claim, settings[0], rate if m > 1 else replace(rate, planned=math.nan)))
    frame = rates_frame(rows)
    return frame.assign(configuration=", ".join(setting.network.label for setting in settings))


def _false_verdict(outcome: Outcome | None, m: int) -> bool:
    """Whether any claim about one estimate gets a verdict, the truth being at an end of each claim's margin."""
    if outcome is None:
        return False
    for sign, margin in _TRUTHS:
        delta = math.log1p(margin)
        at_end = replace(outcome, theta=outcome.theta + sign * delta)
        p_support, p_against = p_equivalence(at_end, delta), p_refute(at_end, delta)
        if decide(p_support, p_against, level=ALPHAS[0] / m) != "inconclusive":
            return True
    return False


def _plans(seed: int, repeats: int) -> Iterator[Check]:
    for plan in PLANS:
        setting = _setting(
            seed, repeats, widths=[plan.width] * (plan.depth + 1), n_networks=plan.n_networks, purpose="plan"
        )
        claim = replace(claim_of(plan.test, setting.network, margin=plan.margin), quantity=plan.quantity)
        yield Check("plans", _studies([claim], setting), partial(_power, plan, claim, setting))


def _power(plan: PlannedStudy, claim: Claim, setting: Setting, done: list[Any]) -> pd.DataFrame:
    (outcomes,) = _put_together(done)
    delta, alpha = claim.log_margin, ALPHAS[0] / plan.claims
    support = abs(plan.theta) < delta
    evidence = p_equivalence if support else p_refute
    events = sum(
        one is not None and evidence(replace(one, theta=one.theta + plan.theta), delta) <= alpha for one in outcomes
    )
    rate = Rate(
        rate="support" if support else "refutation",
        alpha=alpha,
        theta=plan.theta,
        events=events,
        studies=len(outcomes),
        planned=0.9,
    )
    named = replace(claim, id=f"{plan.test} of {plan.quantity}, margin {100 * plan.margin:g} %")
    return rates_frame([(named, setting, rate)])
