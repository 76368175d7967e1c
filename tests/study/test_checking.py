"""What a run's folder may have come to, each kind of damage made by hand, and what is said and done about it."""

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from varprop.cli.app import app
from varprop.study import StudyError, load_run, load_study, run_study
from varprop.study.checking import check_run
from varprop.study.store import DamagedPartError, open_part

pytestmark = pytest.mark.false_alarm(0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    file = folder / "small.toml"
    file.write_text(
        'schema = 1\ntitle = "Small"\nseed = 3\nnetworks = 40\n'
        'network = { widths = "6x3", weights = "he_normal" }\ngrid = { activation = ["relu", "tanh"] }\n'
    )
    run_study(load_study(file), folder / "runs", "serial")
    return folder


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return load_run(tmp_path / "runs/small")


def parts(run):
    return sorted(run.path.glob("samples/*/part-*.parquet"))


def rewrite(path, change, *, about=None):
    """Write a part anew with other values, and the metadata it had unless others are given."""
    table = pq.read_table(path)
    column = pa.array(change(table.column("value").to_numpy()))
    said = table.schema.metadata if about is None else {b"varprop": json.dumps(about).encode()}
    table = table.set_column(table.column_names.index("value"), "value", column).replace_schema_metadata(said)
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def states(run):
    found = {}
    for one in check_run(run.path):
        found.setdefault(one.state, []).append(one.path)
    return found


def states_of(run, path):
    return [(one.state, one.note) for one in check_run(run.path) if run.path / one.path == path]


def ints(values):
    return np.nan_to_num(values).astype(np.int64)


@pytest.mark.parametrize(
    "change",
    [lambda v: v * 1.5, lambda v: v[::-1], lambda v: np.full_like(v, np.nan), ints, lambda v: v.astype(str)],
    ids=["times", "permuted", "missing", "integers", "texts"],
)
def test_values_that_were_rewritten_are_found_and_sampled_again(run, change):
    path = parts(run)[0]
    sound = path.read_bytes()
    rewrite(path, change)
    with pytest.raises(StudyError, match=r"is damaged \(it(s values are not those| has .* rows of type)"):
        run.samples()
    assert [state for state, _ in states_of(run, path)] == ["damaged"]
    with pytest.warns(RuntimeWarning, match="is damaged"):
        run_study(run.study, run.path.parent, "serial")
    assert path.read_bytes() == sound


def test_what_a_part_says_of_itself_is_hashed_too(run):
    first = parts(run)[0]
    about = json.loads(pq.read_schema(first).metadata[b"varprop"])
    shown = pq.read_table(first).num_rows // 40
    rewrite(first, lambda v: v, about=about | {"networks": 39})
    assert states_of(run, first)[0][0] == "damaged"
    table = pq.read_table(first).slice(0, 39 * shown)  # the right number of rows for what it says
    pq.write_table(table, first)
    assert states_of(run, first)[0][0] == "damaged"


def without_hash(path):
    about = json.loads(pq.read_schema(path).metadata[b"varprop"])
    del about["values"]
    rewrite(path, lambda v: v, about=about | {"format": 1})


def test_parts_of_a_version_without_hashes_are_read_and_told(run):
    expected = run.samples()
    for path in parts(run):
        without_hash(path)
    before = [path.read_bytes() for path in parts(run)]
    again = run_study(run.study, run.path.parent, "serial")
    assert again.samples().equals(expected)
    assert [path.read_bytes() for path in parts(run)] == before
    assert len(states(run)["no hash"]) == len(before) == 2


def test_a_hash_cannot_be_left_out_of_a_part_that_has_one(run):
    path = parts(run)[0]
    about = json.loads(pq.read_schema(path).metadata[b"varprop"])
    del about["values"]
    rewrite(path, lambda v: v, about=about)
    assert states_of(run, path)[0][0] == "damaged"


def test_rows_in_other_places_are_found_by_the_check(run):
    path = parts(run)[0]
    table = pq.read_table(path)
    layer = table.column("layer").to_numpy()[::-1]
    pq.write_table(table.set_column(1, "layer", pa.array(layer)), path)
    assert states_of(run, path) == [("damaged", "its rows do not stand where they were written")]


def test_too_many_rows_are_refused_before_they_are_unpacked(run, monkeypatch):
    rows = 3_000_000
    store = next(iter(run._stores(run.used).values()))
    path = run.path / f"samples/{store.plan.key}/part-00000.parquet"
    about = pq.read_schema(path).metadata[b"varprop"]
    table = pa.table({"value": pa.array(np.zeros(rows))}).replace_schema_metadata({b"varprop": about})
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 100_000
    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read", lambda *_, **__: pytest.fail("they were unpacked"))
    with pytest.raises(DamagedPartError, match=r"it has 3,000,000 rows of type double, not"):
        open_part(path, store.plan, store.plan.blocks[0])


def test_a_part_far_too_large_is_not_even_read(run):
    store = next(iter(run._stores(run.used).values()))
    path = run.path / f"samples/{store.plan.key}/part-00000.parquet"
    os.truncate(path, 2**36)  # a file with a hole, which takes no disk
    with pytest.raises(DamagedPartError, match="it has more than"):
        open_part(path, store.plan, store.plan.blocks[0])


@pytest.mark.parametrize("number", [13, 5, 12], ids=["EACCES", "EIO", "ENOMEM"])
def test_a_part_that_cannot_be_read_is_not_sampled_over(run, monkeypatch, number):
    path = parts(run)[0]
    sound, real = path.read_bytes(), os.open

    def refuse(name, *rest, **more):
        if str(name) == str(path):
            raise OSError(number, os.strerror(number), str(name))
        return real(name, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr("varprop.study.files.os.open", refuse)
        with pytest.raises(StudyError, match=f"cannot be read .{os.strerror(number)}"):
            run_study(run.study, run.path.parent, "serial")
        with pytest.raises(StudyError, match="cannot be read"):
            run.samples()
        assert states_of(run, path)[0][0] == "unreadable"
    assert path.read_bytes() == sound


def test_too_little_memory_is_no_damage(run, monkeypatch):
    def short(*_):
        raise MemoryError

    path = parts(run)[0]
    monkeypatch.setattr("varprop.study.store._decode", short)
    assert "not enough memory" in states_of(run, path)[0][1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
@pytest.mark.parametrize("name", ["study.toml", "manifest.json", "part"])
def test_a_pipe_is_not_waited_for(run, name):
    path = parts(run)[0] if name == "part" else run.path / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StudyError, match="not a regular file"):
        load_run(run.path).samples()
    found = states(run)
    assert found["unreadable"] == [path.relative_to(run.path).as_posix()]


def test_everything_in_a_folder_is_named(run):
    first, second = parts(run)
    (run.path / "notes.txt").touch()
    (run.path / "samples/mine").mkdir()
    (first.parent / "part.csv").touch()
    (first.parent / ".part-00000.parquet.77.tmp").touch()
    (run.path / ".manifest.json.77.tmp").touch()
    (run.path / "samples" / ("a" * 32)).mkdir()
    shutil.copy(first, run.path / "samples" / ("a" * 32))
    shutil.copy(first, first.with_name("part-00007.parquet"))
    second.unlink()
    found = states(run)
    names = {state: {name.rsplit("/", 1)[-1] for name in paths} for state, paths in found.items()}
    assert names == {
        "sound": {"manifest.json", "study.toml", first.name},
        "missing": {second.name},
        "foreign": {"notes.txt", "mine", "part.csv"},
        "orphaned": {".part-00000.parquet.77.tmp", ".manifest.json.77.tmp", "part-00000.parquet", "part-00007.parquet"},
    }


def test_the_command_counts_and_says_what_is_wrong(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def check(*options):
        return CliRunner().invoke(app, ["check", "runs/small", *options], prog_name="varprop")

    done = check()
    assert (done.exit_code, done.stderr) == (0, "runs/small: 4 sound\n")
    rewrite(parts(run)[0], lambda v: v + 1.0)
    done = check()
    assert done.exit_code == 2
    assert "runs/small: 3 sound, 1 damaged" in done.stderr
    assert "its values are not those that were written; `varprop run` samples it again" in done.stdout
    (told,) = json.loads(check("--json").stdout)
    assert [one["state"] for one in told["files"]].count("damaged") == 1
    assert CliRunner().invoke(app, ["check", "."], prog_name="varprop").exit_code == 2
