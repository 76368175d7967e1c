"""A study with a run made by hand: real study, claims and simulations, verdicts whose every number is chosen."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from varprop.model.simulation import Samples, Simulation
from varprop.report import write_report
from varprop.report.content import study_page
from varprop.report.index import index_page
from varprop.study.fingerprint import fingerprint_of
from varprop.study.looks import Look
from varprop.study.parsing import parse_study
from varprop.study.standing import Standing, stand
from varprop.study.study import Study
from varprop.verification.compare import COLUMNS

STUDY = """\
schema = 1
title = {title}
seed = 7
networks = 40
network.widths = "8x4"
network.biases = "zeros"

[grid]
activation = ["relu", {{ name = "leaky_relu", slope = 0.1 }}]
weights = ["xavier_normal", "he_normal"]

[[claims]]
id = "he.forward"
statement = {statement}
corrected = {corrected}
where = {{ weights = "he_normal" }}
quantity = ["preactivation_second_moment", "activation_second_moment"]
theory = "he"
test = "cumulative_mean"
margin = 0.1
expect = "supported"

[[claims]]
id = "goal.zero-mean"
quantity = "activation_mean"
where = {{ activation = "relu", weights = "he_normal" }}
test = "zero_mean"
expect = "supported"

{more}
"""


def toml(text: str) -> str:
    """A TOML basic string that holds any text."""
    plain = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(plain.get(c, c if c.isprintable() else f"\\u{ord(c):04x}") for c in text) + '"'


def verdict_row(**given: Any) -> dict[str, Any]:
    """One row of a verdict frame; what is not given is missing."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    row |= {"claim": "he.forward", "configuration": "relu, he_normal", "layer": pd.NA, "module": "", "note": ""}
    row |= {"quantity": "preactivation_second_moment", "test": "cumulative_mean", "theory": "he", "n_networks": 40}
    row |= {"margin": 0.1, "alpha": 0.05, "verdict": pd.NA, "n_required": pd.NA}
    return row | given


def verdict_frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows as a verdict frame with the types of `verify`."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS)).astype({"layer": "Int64", "n_required": "Int64"})


def default_verdicts() -> pd.DataFrame:
    """Two quantities of he.forward in two configurations, three verdicts among them; zero mean refuted."""
    supported = {"estimate": 2.01, "predicted": 2.0, "ratio": 1.005, "ci_low": 0.98, "ci_high": 1.03}
    supported |= {"p_equivalence": 1e-9, "p_refute": 0.99, "pvalue": 0.35, "verdict": "supported"}
    leaky = {"configuration": "leaky_relu(slope=0.1), he_normal"}
    refuted = {"estimate": 14.2, "predicted": 2.0, "ratio": 7.1, "ci_low": 6.9, "ci_high": 7.3, "verdict": "refuted"}
    refuted |= {"p_equivalence": 1.0, "p_refute": 1e-9}
    open_ = {"estimate": 2.1, "predicted": 2.0, "ratio": 1.05, "ci_low": 0.9, "ci_high": 1.2, "verdict": "inconclusive"}
    zero = {"claim": "goal.zero-mean", "quantity": "activation_mean", "test": "zero_mean", "theory": np.nan}
    zero |= {"estimate": 0.56, "predicted": 0.0, "ci_low": 0.55, "ci_high": 0.57, "margin": 0.05, "verdict": "refuted"}
    zero |= {"p_equivalence": 1.0, "p_refute": 1e-9}
    layers = [verdict_row(layer=n, estimate=2.0 + n / 100, predicted=2.0, ratio=1 + n / 200) for n in range(1, 5)]
    return verdict_frame(
        verdict_row(**supported),
        *layers,
        verdict_row(**supported, quantity="activation_second_moment"),
        verdict_row(**refuted, **leaky),
        verdict_row(**open_, **leaky, quantity="activation_second_moment", n_required=3300, chance=0.62, note="skewed"),
        verdict_row(**zero),
    )


def simulation(study: Study, label: str) -> Simulation:
    """Numbers in place of samples: layer l of network i has a value that both tell."""
    configuration = next(c for c in study.configurations if c.label == label)
    places = tuple((layer, str(2 * layer - 2)) for layer in range(1, 5))
    steps = np.linspace(0.5, 1.5, 40)[:, np.newaxis]
    gain = 1.0 if "he" in label else 0.01
    values = {
        "preactivation_second_moment": steps * gain ** np.arange(4),
        "activation_second_moment": steps * np.ones(4),
        "activation_mean": steps - 1.0 + np.zeros(4),
    }
    samples = {name: Samples(array, places) for name, array in values.items()}
    return Simulation(network=configuration.network, inputs=np.ones((1, 8)), samples=samples)


@dataclass
class HandMadeRun:
    """What a report reads of a run."""

    study: Study
    path: Path
    networks: int
    frame: pd.DataFrame
    looks: tuple[Look, ...] = ()

    @property
    def manifest(self) -> dict[str, Any]:
        return {"environment": {"versions": {"varprop": "0.1.0", "python": "3.11.7", "numpy": "2.4.0"}}}

    def simulations(self) -> dict[str, Simulation]:
        return {c.label: simulation(self.study, c.label) for c in self.study.configurations}

    @property
    def standing(self) -> Standing:
        return stand(self.study, self.looks, self.networks)

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.standing, {c.label: ("", self.networks) for c in self.study.configurations})

    def verdicts(self) -> pd.DataFrame:
        return self.frame.copy()

    def predictions(self) -> pd.DataFrame:
        rows = [
            (c.label, layer, str(2 * layer - 2), quantity, theory, 1.0 / layer, np.nan, True)
            for c in self.study.configurations
            for theory in ("he", "mean-field")
            for quantity in ("preactivation_second_moment", "activation_second_moment")
            for layer in range(1, 5)
        ]
        return pd.DataFrame(
            rows,
            columns=["configuration", "layer", "module", "quantity", "theory", "predicted", "predicted_sd", "exact"],
        )


def hand_made_run(
    *, name="forward", title="Forward", statement="ReLU keeps z².", corrected="", more="", verdicts=None, networks=40
) -> HandMadeRun:
    text = STUDY.format(title=toml(title), statement=toml(statement), corrected=toml(corrected), more=more)
    study = parse_study(text, name=name, source=f"{name}.toml")
    return HandMadeRun(study, Path("runs") / name, networks, default_verdicts() if verdicts is None else verdicts)


WIDE = {
    "name": "0123456789abcdef" * 4,
    "title": "漢字" * 30,
    "statement": f"{'MultiHeadAttention' * 4}.{'incomprehensibility' * 5} {'a/path/to/something/' * 6}",
}


def wide_run(**texts: str) -> HandMadeRun:
    """Texts without a space, and a table with all that makes one wide: numbers with powers of ten, columns that differ."""
    rows = [
        verdict_row(claim=claim, quantity=quantity, verdict=verdict, margin=0.05 * i, n_networks=40_000 * i,
                    n_required=123_456_789, chance=0.5, estimate=(-1) ** i * 1.052e6, predicted=2e-7, ratio=5.259e12,
                    ci_low=-5.153e12, ci_high=5.367e-12, pvalue=0.1 / i, p_equivalence=1e-3 * i, p_refute=0.3 / i,
                    configuration="leaky_relu(slope=0.1), he_normal", note="over the whole depth, to layer 20; " * 4)
        for i, (claim, quantity, verdict) in enumerate([
            ("he.forward", "preactivation_second_moment", "supported"),
            ("he.forward", "activation_second_moment", "inconclusive"),
            ("goal.zero-mean", "activation_mean", "refuted"),
        ], 1)
    ]  # fmt: skip
    return hand_made_run(verdicts=verdict_frame(*rows), **(WIDE | texts))


@pytest.fixture(scope="session")
def make_run():
    """Make a run by hand: ``make_run(name=, title=, statement=, corrected=, more=, verdicts=, networks=)``."""
    return hand_made_run


@pytest.fixture(scope="session")
def make_verdicts():
    """Make a verdict frame of rows given by their columns: ``make_verdicts({...}, {...})``."""
    return lambda *rows: verdict_frame(*(verdict_row(**row) for row in rows))


@pytest.fixture(scope="session")
def plain_page(make_run):
    """The page of a run by hand, for all tests that only read it."""
    return study_page(make_run())


@pytest.fixture(scope="session")
def plain_index(make_run):
    """Likewise the page over one run."""
    return index_page([make_run()])


@pytest.fixture(scope="session")
def written(make_run, tmp_path_factory):
    """The files of a report of one run, in all formats that are usual: rendered once, for all workers of a session."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each has a folder of its own in that of the session
        root = root.parent
    folder = root / "report-of-the-session"
    if not folder.exists():
        aside = Path(tempfile.mkdtemp(dir=root)) / "report"
        write_report(make_run(), aside)
        with contextlib.suppress(OSError):  # another worker was faster
            aside.rename(folder)
    return folder
