"""A part reads back as what was written, or is found to be damaged."""

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import varprop as vp
from varprop.engine.plan import make_plan
from varprop.engine.simulate import run_block
from varprop.study.store import (
    DamagedPartError,
    encode_part,
    part_path,
    read_part,
    remove_temporary_files,
    write_atomically,
)

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another


def make(n_networks=30, **keywords):
    network = vp.mlp([4, 3, 5, 1], activation="relu", weights="he_normal")
    return make_plan(network, n_networks=n_networks, rng=1, **keywords)


def written(tmp_path, plan, index=0):
    block = plan.blocks[index]
    values = run_block(plan, index)
    path = part_path(tmp_path, plan, block)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, encode_part(plan, block, values))
    return path, block, values


@pytest.mark.parametrize("inputs", [None, 1, 3], ids=["ones", "one", "three"])
@pytest.mark.parametrize("per_input", [False, True])
def test_values_read_back_exactly_nan_included(tmp_path, inputs, per_input):
    plan = make(n_networks=400, inputs=inputs, per_input=per_input)
    path, block, values = written(tmp_path, plan)
    back = read_part(path, plan, block)
    assert list(back) == list(values)
    for name, array in values.items():
        np.testing.assert_array_equal(back[name], array, err_msg=name)
    # One narrow ReLU network in seven dies, so the missing values are really tried: none does with probability 1e-28.
    assert any(np.isnan(array).any() for array in values.values())


def test_a_part_is_a_tidy_frame_for_pandas(tmp_path):
    plan = make(n_networks=5)
    path, _, _ = written(tmp_path, plan)
    frame = pd.read_parquet(path)
    simulation = vp.simulate(plan.network, n_networks=5, rng=1)
    expected = simulation.to_frame()
    assert list(frame.columns) == ["network", "layer", "module", "quantity", "value"]
    assert isinstance(frame["quantity"].dtype, pd.CategoricalDtype)
    rows = frame.dropna(subset="value").astype({"quantity": str, "module": str, "network": int, "layer": int})
    keys = ["network", "layer", "module", "quantity"]
    pd.testing.assert_frame_equal(
        rows.sort_values(keys, ignore_index=True),
        expected.astype({"quantity": str, "module": str}).sort_values(keys, ignore_index=True),
    )


def test_inputs_kept_apart_have_a_column(tmp_path):
    plan = make(n_networks=5, inputs=2, per_input=True)
    path, _, _ = written(tmp_path, plan)
    frame = pd.read_parquet(path)
    joint = frame["quantity"].isin(["cosine", "dead_fraction"])
    assert frame.loc[joint, "input"].isna().all()
    assert set(frame.loc[~joint, "input"]) == {0, 1}


def test_the_bytes_depend_on_the_content_alone(tmp_path):
    plan = make()
    first = written(tmp_path, plan)[0].read_bytes()
    again = encode_part(make(), make().blocks[0], run_block(make(), 0))
    assert first == again


def test_networks_are_numbered_through_the_blocks(tmp_path):
    networks = make().block + 9
    plan = make(n_networks=networks)
    path, block, _ = written(tmp_path, plan, 1)
    assert set(pd.read_parquet(path)["network"]) == set(range(block.first, networks))


def test_a_longer_runs_part_serves_a_shorter_run_and_not_the_other_way(tmp_path):
    long, short = make(n_networks=30), make(n_networks=12)
    path, block, values = written(tmp_path, long)
    back = read_part(path, short, short.blocks[0])
    np.testing.assert_array_equal(back["pivot"], values["pivot"][:12])
    np.testing.assert_array_equal(back["pivot"], run_block(short, 0)["pivot"])
    path.unlink()
    written(tmp_path, short)
    assert read_part(path, long, block) is None


def test_a_part_that_is_not_there_is_none(tmp_path):
    plan = make()
    assert read_part(part_path(tmp_path, plan, plan.blocks[0]), plan, plan.blocks[0]) is None


@pytest.mark.parametrize("keep", [0, 1, 4, 100, -9, -1])
def test_a_truncated_part_is_damaged(tmp_path, keep):
    plan = make()
    path, block, _ = written(tmp_path, plan)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedPartError):
        read_part(path, plan, block)


def test_a_flipped_byte_among_the_values_is_damage(tmp_path):
    plan = make()
    path, block, values = written(tmp_path, plan)
    sound = path.read_bytes()
    found = 0
    for position in range(len(sound) // 4, len(sound) // 2, 97):
        path.write_bytes(sound[:position] + bytes([sound[position] ^ 0x10]) + sound[position + 1 :])
        try:
            back = read_part(path, plan, block)
        except DamagedPartError:
            found += 1
        else:  # a byte of a column that reading does not use
            np.testing.assert_array_equal(back["pivot"], values["pivot"])
    assert found


def test_a_part_of_something_else_is_damaged(tmp_path):
    plan = make()
    path, block, _ = written(tmp_path, plan)
    other = make_plan(plan.network, n_networks=30, rng=2)
    with pytest.raises(DamagedPartError, match="it says to hold"):
        read_part(path, other, other.blocks[0])
    pd.DataFrame({"value": [1.0]}).to_parquet(path)
    with pytest.raises(DamagedPartError):
        read_part(path, plan, block)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_only_temporary_files_are_removed(tmp_path):
    folder = tmp_path / "samples" / "key"
    folder.mkdir(parents=True)
    for file in (
        tmp_path / ".manifest.json.7.tmp",
        folder / ".part-00000.parquet.7.tmp",
        folder / "part-00000.parquet",
    ):
        file.touch()
    remove_temporary_files(tmp_path)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["part-00000.parquet"]


def test_a_part_is_written_in_little_more_memory_than_its_values_take():
    """The file and one quantity's rows beside them; it took seven times the values."""
    network = vp.mlp([4] * 60, activation="relu", weights="he_normal")
    plan = make_plan(network, n_networks=600, rng=1)
    values = {name: np.full((600, len(places)), 0.1) for name, places in plan.where.items()}
    encode_part(plan, plan.blocks[0], values)  # imports
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)  # which has a peak of its own
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        encode_part(plan, plan.blocks[0], values)
        peak = tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)
    assert peak < 2 * sum(one.nbytes for one in values.values())


def test_a_part_written_in_one_group_of_rows_is_read(tmp_path):
    """As before each quantity had a group of its own."""
    plan = make()
    path, block, values = written(tmp_path, plan)
    whole = pq.read_table(path)
    pq.write_table(whole, path, compression="zstd", row_group_size=whole.num_rows)
    assert pq.ParquetFile(path).num_row_groups == 1
    read = read_part(path, plan, block)
    assert all(np.array_equal(read[name], values[name], equal_nan=True) for name in values)
