"""What a folder from a stranger can do to whoever runs its study: nothing but take time and disk."""

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.false_alarm(0)

STUDY = """
schema = 1
title = "From a stranger"
seed = 1
networks = 3000
network = { widths = "6x3", activation = "relu", weights = "he_normal" }
"""


def run(folder, *arguments):
    """The installed command, which unlike ``python -m`` does not begin with the working folder on Python's path."""
    command = [sys.executable, "-P", "-m", "varprop.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path):
    """A repository whose settings, and modules whose import, leave a mark that they were obeyed."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    (tmp_path / ".gitattributes").write_text("*.toml filter=mark\n")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "--quiet"],
        ["add", "study.toml"],
        ["commit", "--quiet", "-m", "one"],
        ["config", "core.fsmonitor", f"touch {tmp_path}/obeyed-monitor; false"],
        ["config", "filter.mark.clean", f"touch {tmp_path}/obeyed-filter; cat"],
    ):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    for name in ("loky", "pickle", "argparse", "numpy", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / f'obeyed-{name}')!r}, 'w')\nraise SystemExit\n")
    (tmp_path / "study.toml").touch()
    os.utime(tmp_path / "study.toml", (1, 1))  # else Git need not look at it
    return tmp_path


def obeyed(folder):
    return sorted(path.name for path in folder.glob("obeyed-*"))


def test_a_run_obeys_no_setting_and_imports_no_module_of_the_folder(folder):
    done = run(folder, "run", "study.toml", "--executor", "processes", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert obeyed(folder) == []
    assert '"git_commit": "' in (folder / "runs/study/manifest.json").read_text(encoding="utf-8")


def test_the_folder_does_what_it_says_to_whoever_asks_git_and_python(folder):
    """The negative control."""
    subprocess.run(["git", "describe", "--always", "--dirty"], cwd=folder, capture_output=True, check=False)
    subprocess.run([sys.executable, "-c", "import pickle"], cwd=folder, capture_output=True, check=False)
    assert {"obeyed-monitor", "obeyed-pickle"} <= set(obeyed(folder))
