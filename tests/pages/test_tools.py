"""Nothing that could not be checked goes unsaid. In the ordinary suite: it takes no browser."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import tools

HERE = Path(__file__).parent
TEST = """\
import pytest

pytestmark = pytest.mark.pages


def test_with_a_browser(need):
    assert need("chromium")
"""


@pytest.fixture
def bare(tmp_path):
    """Run something where there is nothing: no browser, no TeX, no apt-get, no npm."""
    root = tmp_path / "root"
    pages = root / "tests" / "pages"
    pages.mkdir(parents=True)
    for name in ("tools.py", "browsing.py", "conftest.py", "package.json"):
        shutil.copy(HERE / name, pages / name)
    (root / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\nmarkers = ["pages: pages"]\n',
        encoding="utf-8",
    )
    (pages / "test_one.py").write_text(TEST, encoding="utf-8")

    def run(*arguments, **variables):
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "VARPROP_", "COV_"))
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=root,
            env=kept | {"PATH": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


ASK = ("-m", "pytest", "-m", "pages", "-p", "no:cacheprovider", "tests/pages")


def test_what_is_missing_is_a_failure_that_names_it(bare):
    done = bare(*ASK)
    assert done.returncode == 1
    assert "NOT CHECKED" in done.stdout
    for name, tool in tools.TOOLS.items():
        assert f"{name}: no " in done.stdout
        assert f"{tool.checks} NOT CHECKED" in done.stdout
    assert "apt-get install chromium" in done.stdout
    assert "npm ci --prefix" in done.stdout


def test_an_accepted_gap_is_named_all_the_same(bare):
    done = bare(*ASK, VARPROP_PAGES_GAPS="accepted")
    assert done.returncode == 0
    assert "1 skipped" in done.stdout
    assert "What lacks is accepted, as asked." in done.stdout
    assert "pages in a browser NOT CHECKED" in done.stdout


def test_a_misspelt_acceptance_accepts_nothing(bare):
    done = bare(*ASK, VARPROP_PAGES_GAPS="yes")
    assert done.returncode != 0
    assert "write VARPROP_PAGES_GAPS=accepted" in done.stdout + done.stderr


def test_the_installer_says_what_it_could_not_install(bare):
    done = bare("tests/pages/tools.py")
    assert done.returncode == 0  # what is there is still to be tested
    assert "FAILED: no apt-get here to install chromium" in done.stdout
    assert "FAILED: npm: " in done.stdout
    assert {line.split(": ")[1] for line in done.stdout.splitlines() if "MISSING" in line} == {
        f"MISSING {name}" for name in tools.TOOLS
    }


def test_an_installer_that_fails_is_quoted():
    words = tools.run(sys.executable, "-c", "print('no such package'); raise SystemExit(100)")
    assert len(words) == 1
    assert "gave status 100: no such package" in words[0]


def test_another_version_of_axe_core_is_a_gap(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "AXE", tmp_path)
    assert tools.axe_lacks() == f"no {tmp_path}"
    (tmp_path / "axe.min.js").touch()
    (tmp_path / "package.json").write_text('{"version": "1.0.0"}', encoding="utf-8")
    assert tools.axe_lacks().startswith("axe-core 1.0.0 in place of ")


def test_a_style_that_tex_does_not_find_is_a_gap(monkeypatch):
    monkeypatch.setattr(tools.shutil, "which", lambda name: f"/somewhere/{name}")
    monkeypatch.setattr(tools, "found_by_tex", lambda name: name != "siunitx.sty")
    assert tools.PDFLATEX.lacks() == "TeX does not find siunitx.sty"
    assert tools.CHROMIUM.lacks() == ""
