"""The studies by which levels are counted: every test, on networks narrow and wide, shallow and deep, few and many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from varprop.model.initializers import Initializer, as_initializer, get_initializer
from varprop.model.network import Network, mlp
from varprop.verification.calibration.levels import LevelCase, claim_for
from varprop.verification.calibration.studies import Setting
from varprop.verification.calibration.truths import Source
from varprop.verification.claims import TESTS, Claim
from varprop.verification.tests.of_bounds import mean_activation

MARGIN = 0.05
_Z, _G = "preactivation_second_moment", "gradient_second_moment"
_STEPS = ("step_mean", "pooled_step_mean", "cumulative_mean", "growth_rate", "directional", "typical_directional")
_LAWS = ("level", "activation_map", "pivot_law", "exact_law", "log_mean", "dead_rate", "spread")
_FULL_SIZES = ((4, 5, 200), (16, 5, 200), (16, 50, 200), (64, 5, 200), (64, 50, 200), (8, 30, 400), (16, 5, 1000))
_FEW = ((16, 5, 2), (16, 5, 20), (16, 5, 50))
"""Width, depth and networks of a study."""
_DEEP_STUDIES, _FEW_STUDIES, _MANY_STUDIES = 0.4, 0.3, 3.3


def level_cases(*, full: bool, seed: int, studies: int) -> list[list[LevelCase]]:
    """Return the cases, those of one setting together."""
    make = _Maker(seed, studies)
    found = list(_exact_laws(make, (*_FULL_SIZES, *_FEW) if full else ((16, 5, 200), (16, 5, 20))))
    found += _biases(make, ((8, 30, 400), (16, 50, 200), (8, 10, 1000)) if full else ((8, 10, 400),))
    found += _bounded(make, full=full)
    if full:
        found += [*_both_ways(make), *_sampled(make), *_heavy(make), *_bands(make), *_small_levels(make)]
        found += _others(make, named={case.claim.test for cases in found for case in cases})
    return [cases for cases in found if cases]


class _Maker:
    """Settings with streams of their own, which their networks and purpose fix and not their place in a list."""

    def __init__(self, seed: int, studies: int) -> None:
        self._seed, self._studies = seed, studies

    def setting(
        self, network: Network, n_networks: int, purpose: str, *, source: Source = "auto", share: float = 1.0
    ) -> Setting:
        """So many networks a study; a share of the studies."""
        import hashlib

        name = f"levels {purpose} {network.label} {n_networks}"
        words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], dtype="<u4")
        root = np.random.SeedSequence(self._seed, spawn_key=tuple(int(word) for word in words))
        studies = max(1, round(share * self._studies))
        return Setting(network=network, drawn=network, n_networks=n_networks, repeats=studies, source=source, root=root)


def _plain(
    width: int, depth: int, weights: Any = "he_normal", activation: Any = "relu", biases: Any = "zeros"
) -> Network:
    return mlp([width] * (depth + 1), activation=activation, weights=weights, biases=biases)


def _own(tests: Sequence[str], setting: Setting) -> list[LevelCase]:
    """Each test's own claim."""
    cases = []
    for test in tests:
        claim, truth = claim_for(test, setting, margin=MARGIN)
        cases.append(LevelCase(name=test, claim=claim, setting=setting, truth=truth))
    return cases


def _others(make: _Maker, *, named: AbstractSet[str]) -> Iterator[list[LevelCase]]:
    """Tests that no networks were chosen for: a test takes part by being one."""
    for test, rule in TESTS.items():
        if test not in named and rule.null is not None:
            yield _own((test,), make.setting(_plain(16, 5), 200, "others"))


def _exact_laws(make: _Maker, sizes: Sequence[tuple[int, int, int]]) -> Iterator[list[LevelCase]]:
    for width, depth, n_networks in sizes:
        # Deep networks take the most time; with two networks most tests refuse.
        share = _FEW_STUDIES if n_networks < 20 else _DEEP_STUDIES if depth >= 30 else 1.0
        yield _own((*_STEPS, *_LAWS), make.setting(_plain(width, depth), n_networks, "law", share=share))
    for n_networks in (20, 200):
        linear = _plain(8, 4, "xavier_normal", "linear")
        yield _own(("step_mean", "cumulative_mean", "growth_rate"), make.setting(linear, n_networks, "law"))


def _small_levels(make: _Maker) -> Iterator[list[LevelCase]]:
    """Where steps and logarithms give verdicts at .05/150 too; narrower and fewer networks refuse, and few studies would be left."""
    tests = ("step_mean", "pooled_step_mean", "typical_directional", "log_mean")
    yield _own(tests, make.setting(_plain(32, 3), 400, "law", share=_MANY_STUDIES))


def _bands(make: _Maker) -> Iterator[list[LevelCase]]:
    """A band draws 20,000 multipliers a study."""
    for width, depth in ((16, 10), (64, 10)):
        yield _own(("band",), make.setting(_plain(width, depth), 200, "band", share=0.4))


def _biases(make: _Maker, sizes: Sequence[tuple[int, int, int]]) -> Iterator[list[LevelCase]]:
    for (width, depth, n_networks), std in zip(sizes, (1.0, 0.1, 0.001), strict=False):
        network = _plain(width, depth, biases=get_initializer("normal", std=std))
        setting = make.setting(network, n_networks, "biases", source="law", share=_DEEP_STUDIES)
        yield [
            LevelCase(name="cumulative_mean, biases", claim=_claim(_Z, "cumulative_mean"), setting=setting),
            LevelCase(
                name="cumulative_mean, biases",
                claim=_claim("activation_second_moment", "cumulative_mean"),
                setting=setting,
            ),
        ]


def _claim(
    quantity: str,
    test: str,
    *,
    layer: int | None = None,
    theory: str | None = "mean-field",
    below: float | None = None,
) -> Claim:
    layers = None if layer is None else (layer, layer)
    return Claim(id=test, quantity=quantity, test=test, theory=theory, margin=MARGIN, layers=layers, below=below)


def _both_ways(make: _Maker) -> Iterator[list[LevelCase]]:
    """Gradients, and what is measured both ways, from the exact law of norms."""
    for width, depth, n_networks, layer in ((16, 50, 200, 25), (8, 30, 200, 15), (4, 6, 1000, 4)):
        setting = make.setting(_plain(width, depth), n_networks, "both ways", source="norms", share=_DEEP_STUDIES)
        yield [
            LevelCase(
                name="cumulative_mean, weight gradient",
                claim=_claim("weight_gradient_second_moment", "cumulative_mean", layer=layer, theory="finite-width"),
                setting=setting,
            ),
            LevelCase(
                name="cumulative_mean, gradient",
                claim=_claim(_G, "cumulative_mean", theory="finite-width"),
                setting=setting,
            ),
        ]


def _bounded(make: _Maker, *, full: bool) -> Iterator[list[LevelCase]]:
    """Shares, means over units and cosines, of which bets are the judges."""
    sizes = (2, 20, 200, 1000) if full else (2, 20, 200)
    for n_networks in sizes:
        share = 0.2 if n_networks > 100 else 1.0
        linear = _plain(8, 2, "xavier_normal", "linear")
        setting = make.setting(linear, n_networks, "zero mean", source="engine", share=share)
        claim, _ = claim_for("zero_mean", setting, margin=MARGIN)
        # Odd, so that the mean over units is 0 whatever the width.
        yield [LevelCase(name="zero_mean", claim=claim, setting=setting, truth=0.0)]
        rare = _plain(64, 2, get_initializer("normal", std=0.1225), "tanh")
        saturated = Claim(
            id="level", quantity="saturated_fraction", test="level", below=4.2e-4, layers=(2, 2), margin=MARGIN
        )
        setting = make.setting(rare, n_networks, "rare saturation", source="engine", share=share / 2)
        yield [LevelCase(name="level, shares", claim=saturated, setting=setting, truth=None)]


def _sampled(make: _Maker) -> Iterator[list[LevelCase]]:
    """Quantities and networks without an exact law of norms, which the engine samples."""
    network = _plain(16, 10)
    setting = make.setting(network, 400, "last steps", source="engine", share=0.15)
    mean = _claim("activation_mean", "level", theory=None, layer=10, below=mean_activation(network))
    yield [
        LevelCase(
            name="cumulative_mean, variances",
            claim=_claim("preactivation_variance", "cumulative_mean"),
            setting=setting,
        ),
        LevelCase(
            name="cumulative_mean, variances", claim=_claim("gradient_variance", "cumulative_mean"), setting=setting
        ),
        LevelCase(name="level, mean activations", claim=mean, setting=setting),
    ]
    for n_networks, width in ((200, 64), (1000, 32)):
        tanh = _plain(width, 10, "xavier_normal", "tanh")
        setting = make.setting(tanh, n_networks, "smooth", source="engine", share=0.1)
        steep = _claim(_G, "directional", theory=None, below=0.9)
        yield [
            LevelCase(name="means as they stand", claim=_claim(_G, "cumulative_mean"), setting=setting, truth=None),
            LevelCase(name="growth as it stands", claim=steep, setting=setting, truth=None),
            *_own(("step_mean", "activation_map"), setting),
        ]
    uniform = _plain(16, 10, "he_uniform")
    yield _own(("step_mean", "pooled_step_mean", "cumulative_mean"), make.setting(uniform, 200, "uniform", share=0.1))
    skewed = _plain(8, 4, as_initializer(_exponential(8), variance=0.25, kurtosis=9.0))
    yield [
        LevelCase(
            name="means as they stand",
            claim=_claim(_Z, "cumulative_mean"),
            setting=make.setting(skewed, 1000, "asymmetric", source="engine", share=0.004),
            truth=None,
        )
    ]


def _exponential(width: int) -> Any:
    """Asymmetric weights of mean 0 and variance 2 / width."""

    def exponential(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        return (rng.exponential(size=shape) - 1.0) * np.sqrt(2.0 / width)

    return exponential


def _heavy(make: _Maker) -> Iterator[list[LevelCase]]:
    """Weights of heavy tails, and on a lattice."""
    for law, width, n_networks, share in (
        (get_initializer("student_t", std=0.5, df=5.0), 4, 50, 0.3),
        (get_initializer("student_t", std=0.5, df=5.0), 4, 200, 0.3),
        (get_initializer("student_t", std=0.5, df=3.0), 4, 200, 0.1),
        (get_initializer("student_t", std=0.5, df=12.0), 4, 200, 0.3),
        (get_initializer("student_t", std=0.35, df=8.0), 8, 2000, 0.03),
        (get_initializer("rademacher", std=0.5), 4, 20, 0.3),
        (get_initializer("rademacher", std=0.7), 2, 50, 0.3),
        (get_initializer("sparse", std=0.35, density=0.3), 8, 200, 0.1),
    ):
        yield [_pivots(make, law, width, n_networks, share)]


def _pivots(make: _Maker, law: Initializer, width: int, n_networks: int, share: float) -> LevelCase:
    setting = make.setting(_plain(width, 2, law), n_networks, "pivots", source="engine", share=share)
    claim = Claim(id="step_mean", quantity="pivot", test="step_mean", theory="mean-field", margin=MARGIN, layers=(2, 2))
    return LevelCase(name=f"step_mean of pivots, {law.label.split('(', maxsplit=1)[0]}", claim=claim, setting=setting)
