"""The commit of a folder, against Git itself in folders of every kind, and without running anything that a folder names."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import varprop.study.manifest as module
from varprop.study.manifest import commit_of

pytestmark = pytest.mark.false_alarm(0)
HASH = "0123456789abcdef0123456789abcdef01234567"


def git(folder, *arguments):
    """Git as if this machine had no settings of its own."""
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", *who, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init")
    git(folder, "commit", "--allow-empty", "-m", "one")
    return folder


def test_a_commit_is_found_in_every_kind_of_folder(repository, tmp_path):
    head = git(repository, "rev-parse", "HEAD")
    below = repository / "a" / "b"
    below.mkdir(parents=True)
    assert commit_of(repository) == commit_of(below) == head
    git(repository, "worktree", "add", "-b", "side", "../tree")
    git(tmp_path / "tree", "commit", "--allow-empty", "-m", "two")
    second = git(tmp_path / "tree", "rev-parse", "HEAD")
    assert commit_of(tmp_path / "tree") == second != head
    git(repository, "pack-refs", "--all", "--prune")
    assert not (repository / ".git/refs/heads/side").exists()
    assert (commit_of(repository), commit_of(tmp_path / "tree")) == (head, second)
    git(tmp_path / "tree", "commit", "--allow-empty", "-m", "three")  # a file of its own goes before the packed one
    assert commit_of(tmp_path / "tree") == git(tmp_path / "tree", "rev-parse", "HEAD") != second
    git(repository, "checkout", "--detach")
    assert commit_of(repository) == head


def test_where_there_is_no_commit_there_is_none(repository, tmp_path):
    assert commit_of(tmp_path) is None
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init")
    assert commit_of(empty) is None


@pytest.mark.parametrize(
    "head",
    [
        "",
        "ref: ",
        "ref: refs/heads/../../../secret",
        "ref: /etc/passwd",
        "ref: refs/heads/self",
        "x" * 40,
        HASH + "0",
        "\0",
    ],
)
def test_a_head_that_says_nothing_of_use_is_no_commit(tmp_path, head):
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    (tmp_path / ".git/HEAD").write_text(head)
    (tmp_path / ".git/refs/heads/self").write_text("ref: refs/heads/self")
    (tmp_path / "secret").write_text(HASH)
    assert commit_of(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".git/HEAD")
    assert commit_of(tmp_path) is None


def test_no_program_is_run(repository):
    assert "subprocess" not in Path(module.__file__).read_text(encoding="utf-8")
    assert commit_of(repository) is not None
