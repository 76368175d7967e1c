"""A browser, reports to look at with it, and a loud word where something could not be checked."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.pages.browsing import launch
from tests.pages.tools import ACCEPTED, GAPS, TOOLS, accepted, gaps

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


# ---- what is missing ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def need():
    """Ask for a tool by its name: ``need("pdflatex")`` gives the program's path, or fails the test that asks.

    Where whoever runs the tests has said that gaps are accepted, the test is skipped instead.
    """
    missing = gaps()

    def ask(name: str) -> str | None:
        if name in missing:
            (pytest.skip if accepted() else pytest.fail)(f"{name}: {missing[name]}")
        return TOOLS[name].program()

    return ask


def pytest_terminal_summary(terminalreporter, config):
    """Name what was not checked, last and in red, whatever else was said."""
    asked = str(config.getoption("markexpr"))
    if "not pages" in asked or not {"pages", "site"} & set(asked.split()):
        return
    missing = gaps()
    if missing:
        terminalreporter.section("NOT CHECKED", red=True, bold=True)
        for name, gap in missing.items():
            terminalreporter.write_line(f"{name}: {gap}", red=True)
        said = "accepted, as asked" if accepted() else f"a failure; {GAPS}={ACCEPTED} leaves these tests out instead"
        terminalreporter.write_line(f"What lacks is {said}.", red=True)


# ---- a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser(need):
    """One Chromium for all tests."""
    need("chromium")
    need("axe-core")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def screenshots():
    """A folder that git ignores, for a person to look at."""
    folder = HERE / "screenshots"
    folder.mkdir(exist_ok=True)
    return folder


# ---- reports of small real runs ----------------------------------------------------------------------------------

HOSTILE = {
    # All that a folder may be called on every system; a study's name is its file's.
    "name": "&lt;script&gt;alert(1) & 100%_{z} #'q [a](b) 漢字 Ωμέγα عربي 😀",
    "title": "</title><script>alert(1)</script> & 100 % of {z_1}|z \"q\" 'q' 漢字 Ωμέγα عربي 😀",
    "statement": "<img src=x onerror=alert(1)> &amp; {{ 7 * 7 }} $\\frac{a}{b}$ a|b `c` *d* ]]> --> 漢字 Ωμέγα عربي 😀\t\u202eend",
    "second": "</style></script><script>alert(1)</script> javascript:alert(1) # % _ { } | 'q\" 漢字 Ωμέγα عربي 😀",
}
HARMLESS = {
    "name": "plain",
    "title": "A plain title of about the same length as the other one",
    "statement": "A plain statement of about the same length as the other one, since long cells are set wider.",
    "second": "Another plain statement of about the same length as the other one, for the same reason.",
}

STUDY = """\
schema = 1
title = {title}
seed = 20150206
networks = 120
network = {{ widths = "32x6" }}

[grid]
activation = ["relu", "tanh"]
weights = ["he_normal", "xavier_normal"]

[[claims]]
id = "he.forward"
statement = {statement}
where = {{ activation = "relu", weights = "he_normal" }}
quantity = ["preactivation_second_moment", "gradient_second_moment"]
theory = "he"
test = "cumulative_mean"
margin = 0.3

[[claims]]
id = "he.exact"
statement = {second}
where = {{ activation = "relu", weights = "he_normal" }}
quantity = "preactivation_second_moment"
test = "exact_law"

[[claims]]
id = "xavier.collapse"
statement = {second}
where = {{ activation = "relu", weights = "xavier_normal" }}
quantity = "preactivation_second_moment"
theory = "preserved"
test = "cumulative_mean"
margin = 0.1
expect = "supported"

[[claims]]
id = "goal.zero-mean"
quantity = "activation_mean"
test = "zero_mean"

[report]
figures = ["profile", "forest", "exact-law", "histograms", "distributions"]
"""

SWEPT = {"name": "sweep", "title": "A variable through its values"}

SWEEP = """\
schema = 1
title = {title}
seed = 20150206
networks = 120
network = {{ widths = "32x6", activation = "tanh" }}
sweep = {{ variable = "weight_variance", values = [0.25, 1.0, 4.0] }}

[[claims]]
id = "small.decay"
statement = "Small weights lose the signal."
where = {{ weight_variance = 0.25 }}
quantity = "preactivation_second_moment"
test = "directional"
below = 0.9

[report]
figures = ["sweep", "phase", "profile"]
"""


@dataclass(frozen=True)
class Reports:
    """A folder of reports that was made here, and the names of the studies in it."""

    root: Path
    studies: dict[str, dict[str, str]] = field(default_factory=dict)

    def page(self, kind: str) -> Path:
        """The page of the hostile study, of the harmless one or of the sweep, or the index."""
        return self.root / ("" if kind == "index" else self.studies[kind]["name"]) / "index.html"


def toml(text: str) -> str:
    """A TOML basic string that holds any text."""
    plain = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(plain.get(c, c if c.isprintable() else f"\\u{ord(c):04x}") for c in text) + '"'


@pytest.fixture(scope="session")
def reports(tmp_path_factory) -> Reports:
    """Two studies that differ in nothing but what their author wrote, and a sweep; run and reported as a user does it."""
    import varprop as vp

    folder = tmp_path_factory.mktemp("pages")
    runs = []
    for texts, template in ((HOSTILE, STUDY), (HARMLESS, STUDY), (SWEPT, SWEEP)):
        study = folder / f"{texts['name']}.toml"
        study.write_text(template.format(**{key: toml(text) for key, text in texts.items()}), encoding="utf-8")
        runs.append(vp.run_study(vp.load_study(study), folder / "runs", "serial"))
    vp.write_report(runs, folder / "reports", formats=["html"])
    return Reports(folder / "reports", {"hostile": HOSTILE, "harmless": HARMLESS, "sweep": SWEPT})
