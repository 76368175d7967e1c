"""A report is replaced whole or not at all, at whatever moment its writer is killed, and leaves nothing of the old one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from varprop.report import write_report
from varprop.report.content import study_page
from varprop.report.latex import page_latex
from varprop.report.replacing import ASIDE, FileSet, check_pages, read_record, replace_report, run_of_page
from varprop.study.errors import StudyError
from varprop.study.lock import locked

pytestmark = pytest.mark.false_alarm(0)

PAGE = "# Page\n\n*Written by varprop from the run’s data; not edited by hand. Run {}.*\n"
KILLED = r"""
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_replacing as test
from varprop.report.replacing import replace_report

def one(root, k):
    left = [k]
    def dying(real):
        def call(*args, **kwargs):
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return real(*args, **kwargs)
        return call
    for name in ("replace", "unlink", "fsync", "mkdir", "rmdir"):
        setattr(os, name, dying(getattr(os, name)))
    replace_report(root, test.report("b", new=True))
    os._exit(0)

os.fsync = lambda _: None  # a process that is killed loses nothing that it has written, and this takes most of the time
k, states = 0, []
while True:
    root = Path(sys.argv[1]) / str(k)
    replace_report(root, test.report("a"))
    old = test.contents(root)
    child = os.fork()
    if not child:
        one(root, k)
    done = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seen = test.contents(root)
    decided = (root / ".varprop-report/plan.json").exists()
    # Whoever writes there next finds the old one or the new one.
    replace_report(root, [test.FileSet("third", {"md": {"README.md": test.page("c")}}, "c" * 16)])
    after = {name: data for name, data in test.contents(root).items() if not name.startswith("third/")}
    states.append((done, seen == old, decided, "old" if after == old else "new" if after == test.expected(root.parent) else "torn"))
    if done == 0:
        break
    k += 1
print(states)
"""


def page(run):
    return PAGE.format(run * 16).encode()


def report(run, *, new=False):
    """A study and the index; the new one lacks a table, and has another in its place."""
    table = "tables/renamed.csv" if new else "tables/claim.csv"
    study = {"md": {"README.md": page(run), "forest.svg": run.encode()}, "tables": {table: run.encode()}}
    return [FileSet("study", study, run * 16), FileSet("", {"md": {"README.md": page(run)}}, run * 16)]


def contents(root):
    """All files but those aside."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    names = {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
    return {name: data for name, data in names.items() if not name.startswith(ASIDE)}


def expected(folder):
    """The new report as it is in a folder of its own."""
    replace_report(folder / "whole", report("b", new=True))
    return contents(folder / "whole")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked in this test")
def test_killed_at_any_call_it_is_the_old_report_or_the_new_one(tmp_path):
    """A process for the many that are forked from it and killed; one at each call that changes something on disk."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    states = eval(done.stdout)
    assert len(states) > 20
    assert states[-1][0] == 0
    assert {code for code, *_ in states[:-1]} == {9}
    assert {told for *_, told in states} == {"old", "new"}
    for _, untouched, decided, after in states[:-1]:
        assert untouched if not decided and after == "old" else after == "new"
    # Before the plan nothing of the old report has changed: the control is that the plan is met in both states.
    assert {decided for _, _, decided, _ in states} == {False, True}


def test_what_is_no_longer_made_goes_and_what_is_the_users_stays(tmp_path):
    replace_report(tmp_path, report("a"))
    (tmp_path / "study/tables/mine.csv").write_text("mine")
    (tmp_path / "study/.README.md.4711.tmp").write_text("left by a version before")
    (tmp_path / "study/.notes.4711.tmp").write_text("mine")
    replace_report(tmp_path, report("b", new=True))
    assert set(contents(tmp_path)) == {
        "README.md",
        "varprop-report.json",
        "study/README.md",
        "study/forest.svg",
        "study/varprop-report.json",
        "study/tables/mine.csv",
        "study/tables/renamed.csv",
        "study/.notes.4711.tmp",
    }
    assert not (tmp_path / ASIDE).exists()


def test_another_format_of_the_same_run_stays_and_of_another_run_goes(tmp_path):
    replace_report(tmp_path, report("a"))
    replace_report(tmp_path, [FileSet("study", {"png": {"forest.png": b"a"}}, "a" * 16)])
    assert {"study/README.md", "study/forest.png", "study/tables/claim.csv"} <= set(contents(tmp_path))
    replace_report(tmp_path, [FileSet("study", {"png": {"forest.png": b"b"}}, "b" * 16)])
    assert {name for name in contents(tmp_path) if name.startswith("study/")} == {
        "study/forest.png",
        "study/varprop-report.json",
    }
    replace_report(tmp_path, [FileSet("study", {"png": {"forest.png": b"b"}}, "b" * 16)])  # known without a page


def test_a_disk_that_fills_leaves_the_old_report(tmp_path, monkeypatch):
    replace_report(tmp_path, report("a"))
    before = contents(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            replace_report(tmp_path, report("b", new=True))
    assert contents(tmp_path) == before
    assert not (tmp_path / ASIDE).exists()


def test_ctrl_c_while_files_are_put_in_place_leaves_the_new_report(tmp_path, monkeypatch):
    replace_report(tmp_path / "there", report("a"))
    real, calls = os.replace, []

    def replace(*arguments):
        calls.append(arguments)
        if len(calls) == 3:  # the plan, a file, and
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(KeyboardInterrupt):
        replace_report(tmp_path / "there", report("b", new=True))
    assert contents(tmp_path / "there") == expected(tmp_path)


def test_two_at_once_are_one_too_many(tmp_path):
    (tmp_path / ASIDE).mkdir()
    with locked(tmp_path / ASIDE), pytest.raises(StudyError, match="another varprop writes a report there"):
        replace_report(tmp_path, report("a"))
    replace_report(tmp_path, report("a"))


@pytest.mark.parametrize("name", ["../secret.md", "link/secret.md", "secret", "/etc/secret.md"])
def test_a_strangers_plan_and_record_reach_nothing_outside(tmp_path, name):
    root = tmp_path / "root"
    replace_report(root, report("a"))
    (tmp_path / "secret.md").write_text("mine")
    (root / "link").symlink_to(tmp_path)
    (root / "secret").write_text("mine")
    (root / "study/varprop-report.json").write_text(json.dumps({"run": "x", "files": {"md": [f"../{name}"]}}))
    replace_report(root, report("b"))
    assert (tmp_path / "secret.md").read_text() == (root / "secret").read_text() == "mine"
    (root / ASIDE).mkdir()
    (root / ASIDE / "plan.json").write_text(json.dumps({"moves": [], "remove": [name]}))
    with pytest.raises(ValueError, match="is damaged; remove"):
        replace_report(root, report("b"))
    assert (tmp_path / "secret.md").read_text() == (root / "secret").read_text() == "mine"


def test_a_page_says_of_which_run_it_is_and_a_stale_one_is_told(make_run, tmp_path):
    run = make_run(more='[report]\nfigures = ["forest"]')
    write_report(run, tmp_path, formats=["html", "md"])
    document = study_page(run)
    (tmp_path / "forward/supplement.tex").write_text(page_latex(document), encoding="utf-8")
    pages = [tmp_path / "forward" / name for name in ("README.md", "index.html", "supplement.tex")]
    assert {run_of_page(page) for page in pages} == {run.fingerprint}
    assert read_record(tmp_path / "forward")[0] == run.fingerprint
    (index,) = {run_of_page(tmp_path / name) for name in ("README.md", "index.html")}
    assert index not in {None, run.fingerprint}
    assert [one.state for one in check_pages(run, tmp_path)] == ["sound"] * 3
    for changed in (make_run(networks=41), make_run(statement="Another.")):
        assert changed.fingerprint != run.fingerprint
        assert [one.state for one in check_pages(changed, tmp_path)] == ["stale"] * 3
    pages[0].write_text("# Page\n\n*Written by varprop from the run’s data; not edited by hand.*\n", encoding="utf-8")
    assert {one.state for one in check_pages(run, tmp_path)} == {"sound", "no hash"}
    assert [one.state for one in check_pages(make_run(name="other"), tmp_path)] == ["missing"]
