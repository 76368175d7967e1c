"""The page of a framework's audit says what the frame says."""

import math

import numpy as np
import pandas as pd
import pytest

from varprop.bridges import Bridge, StatedInitializer
from varprop.bridges.catalogue import DENSE, DefaultClaim
from varprop.model.initializers import as_initializer
from varprop.report.audits import audits_page, write_audits
from varprop.report.markdown import page_markdown
from varprop.verification.audit.frameworks import COLUMNS, audit_bridge, audit_claims, to_frame

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

DRAWS = 400_000


def he(scale):
    return lambda shape, rng: math.sqrt(scale / shape[1]) * rng.uniform(-math.sqrt(3), math.sqrt(3), shape)


@pytest.fixture(scope="module")
def bridge():
    """A framework that does one thing right, one wrong, and one that only a reader gets wrong."""
    common = {"shape": (40, 60), "law": "he_uniform", "statement": "variance 2 / fan_in", "source": "docstring of toy"}
    return Bridge(
        name="toy",
        version="1",
        cases=(
            StatedInitializer(name="right", initializer=he(2.0), **common),
            StatedInitializer(name="wrong|_x_", initializer=he(1.0), **common),
            StatedInitializer(name="assumed", initializer=np.zeros, documented=False, **common),
            StatedInitializer(name="zeros", initializer=np.zeros, **(common | {"law": "zeros"})),
        ),
    )


@pytest.fixture(scope="module")
def audits(bridge):
    return audit_bridge(bridge, n_draws=DRAWS, rng=1)


@pytest.mark.false_alarm(2e-6)
def test_verdicts_and_what_contradicts(audits):
    """A margin of 2 % is 14 standard errors, of which a verdict takes 5."""
    assert [one.audit.verdict for one in audits] == ["supported", "refuted", "refuted", "supported"]
    assert [one.contradicts for one in audits] == [False, True, False, False]
    assert audits[1].audit.cause == "factor_2_missing"


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_audited(bridge, audits):
    (alone,) = audit_bridge(bridge, only="WRONG", n_draws=DRAWS, rng=1)
    assert alone.audit == audits[1].audit
    with pytest.raises(ValueError, match=r"no initialiser of toy has 'dense' .* right"):
        audit_bridge(bridge, only="dense", rng=1)


def test_progress_is_told_every_name(bridge):
    names = []
    audit_bridge(bridge, n_draws=5000, rng=1, progress=names.append)
    assert names == [case.name for case in bridge.cases]


@pytest.mark.false_alarm(2e-6)
def test_the_page_has_every_case_and_tells_what_is_refuted(audits):
    page = page_markdown(audits_page(audits, framework="toy 1", seed=1))
    assert "3 initialisers" in page
    assert "2 supported and 1 refuted" in page
    first, second = page.index("## What is refuted"), page.index("## What is taken for granted")
    assert "Cause: factor_2_missing" in page[first:second]
    laws = page[: page.index("## What was looked at")]
    rows = [line for line in laws.splitlines() if line.startswith("| ")]
    assert len(rows) == 4 + 2 * 2
    assert all(line.replace(r"\|", "").count("|") == 9 for line in rows)


def test_the_same_frame_gives_the_same_bytes(audits, tmp_path):
    written = [write_audits(audits, tmp_path / name, framework="toy 1", seed=1) for name in "ab"]
    assert [path.name for path in written[0]] == ["README.md", "audits.csv", "parts.csv"]
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]


@pytest.fixture(scope="module")
def claims():
    """A claim that is true, with a text that Markdown would take for markup, and one that is not."""
    own = DefaultClaim(claim="own", statement="a | b *c* <script>", laws=("he_uniform",))
    case = StatedInitializer(
        name="x", initializer=he(2.0), shape=(40, 60), law="he_uniform", statement="", source="", claims=(own,)
    )
    wrong = StatedInitializer(
        name="y", initializer=he(1.0), shape=(40, 60), law="zeros", statement="", source="", claims=(DENSE,)
    )
    bridge = Bridge(name="toy", version="1", cases=(case, wrong))
    return audit_claims(bridge, n_draws=DRAWS, rng=1)


@pytest.mark.false_alarm(2e-6)
def test_claims_have_a_section_and_a_table_of_their_own(audits, claims, tmp_path):
    """At 400,000 draws of a uniform law a margin of 2 % is 14 standard errors, of which a verdict takes 5.3."""
    written = write_audits(audits, tmp_path, framework="toy 1", seed=1, claims=claims)
    assert [path.name for path in written] == ["README.md", "audits.csv", "parts.csv", "defaults.csv"]
    page = written[0].read_text(encoding="utf-8")
    assert r"a \| b \*c\*" in page
    assert "<script>" not in page
    assert DENSE.corrected.split(".")[0] in page
    assert page.index("**own**") < page.index("**framework.defaults**")  # as the catalogue has them
    rows = [line for line in page.splitlines() if line.startswith(("| own", "| framework.defaults"))]
    assert ["✓ supported" in rows[0], "✗ refuted" in rows[1], len(rows)] == [True, True, 2]
    assert all(line.replace(r"\|", "").count("|") == 8 for line in rows)
    read = pd.read_csv(written[3])
    assert read["verdict"].tolist() == ["supported", "refuted"]
    assert read.columns.tolist() == list(COLUMNS)


@pytest.mark.false_alarm(1e-9)
def test_every_part_is_in_a_table_of_its_own_and_summed_up_on_the_page(audits, tmp_path):
    written = write_audits(audits, tmp_path, framework="toy 1", seed=1)
    assert [path.name for path in written] == ["README.md", "audits.csv", "parts.csv"]
    read = pd.read_csv(written[2])
    assert read.columns.tolist()[:4] == ["initializer", "shape", "statement", "part"]
    assert len(read) == sum(len(one.audit.parts) for one in audits)
    page = written[0].read_text(encoding="utf-8")
    section = page[page.index("## What was looked at") :]
    assert "| variance | the variance, within the margin | 2 | 1 | &lt;0.0001 |" in section
    assert (
        "| replay | a run of numbers that comes again: a generator of a short period | 2 | 0 | &gt;0.9999 |" in section
    )
    assert "Haar" not in section


@pytest.mark.false_alarm(0)
def test_of_orthogonal_laws_the_page_says_what_a_verdict_means():
    law = as_initializer("orthogonal")
    case = StatedInitializer(
        name="q", initializer=law, shape=(64, 64), law="orthogonal", statement="orthogonal", source="docstring"
    )
    found = audit_bridge(Bridge(name="toy", version="1", cases=(case,)), n_draws=10_000, rng=1)
    page = page_markdown(audits_page(found, framework="toy 1", seed=1))
    assert (
        "no departure of the list was found, which is not to say that the matrices are uniformly random (Haar)" in page
    )
    assert "| left rotations | the same of Q' = R Q" in page


def test_kurtosis_is_told_beside_the_laws(audits):
    """Uniform: 9/5, with a standard error of 0.002; nothing of an initialiser that is constant."""
    frame = to_frame(audits).set_index("initializer")
    assert frame.loc["right", "kurtosis"] == pytest.approx(1.8, abs=0.03)
    assert frame.loc["right", "law_kurtosis"] == pytest.approx(1.8)
    page = page_markdown(audits_page(audits, framework="toy 1", seed=1))
    cells = {line.split(" | ")[0]: line.split(" | ")[-1] for line in page.splitlines() if line.startswith("| ")}
    assert cells["| right"].endswith("(1.800) |")
    assert cells["| zeros"] == "– |"
