"""Deep networks in little memory: segments that are gone through again give the same bits, and peaks are bounded."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.engine import propagate, simulate
from varprop.engine.plan import block_sizes, make_plan, round_sizes
from varprop.engine.signal import Streams
from varprop.engine.simulate import sampled_in_little_memory
from varprop.model.activations import get_activation

pytestmark = pytest.mark.false_alarm(0)

_RELU = vp.mlp([16] * 6, activation="relu", weights="he_normal")
NETWORKS = {
    "undrawn": vp.mlp([16] * 13, activation="relu", weights="he_normal"),
    "biases": vp.mlp([16] * 13, activation="tanh", weights="xavier_normal", biases={"name": "normal", "std": 0.1}),
    "drawn": vp.mlp([16, 8, 24, 16, 16, 4], activation="gelu", weights="he_uniform"),
    "orthogonal": vp.mlp([16, 8, 24, 16, 16, 4], activation="relu", weights="orthogonal"),
    "extremes": vp.mlp([16] * 13, activation="relu", weights={"name": "normal", "std": 40.0}),
    "framed": vp.Network(16, [get_activation("tanh"), *_RELU.layers, get_activation("tanh")]),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("inputs", [1, 3])
def test_segments_change_no_bit(monkeypatch, name, inputs):
    def sampled():
        return vp.simulate(NETWORKS[name], n_networks=30, rng=4, inputs=inputs, executor="serial")

    whole = sampled()
    cut = propagate.segments
    counts = []

    def counted(*arguments, **keywords):
        runs = cut(*arguments, **keywords)
        counts.append(len(runs))
        return runs

    monkeypatch.setattr(propagate, "_KEPT", 0)
    monkeypatch.setattr("varprop.engine.propagate.segments", counted)
    found = sampled()
    assert min(counts) > 1, "nothing was gone through again"
    for quantity in whole.quantities:
        np.testing.assert_array_equal(found.values(quantity), whole.values(quantity))


def test_the_way_back_has_draws_of_its_own(monkeypatch):
    """The control: a way back that went on in the copy of the stream would draw the numbers of the way there again."""
    net = NETWORKS["undrawn"]
    whole = vp.simulate(net, n_networks=30, rng=4, executor="serial")
    monkeypatch.setattr(propagate, "_KEPT", 0)

    class Stuck(Streams):
        def __setattr__(self, name, value):
            if not hasattr(self, name):
                object.__setattr__(self, name, value)

    monkeypatch.setattr("varprop.engine.propagate.replace", lambda old, rng: Stuck(rng, old.dense, old.normals))
    found = vp.simulate(net, n_networks=30, rng=4, executor="serial")
    for quantity in ("gradient_second_moment", "preactivation_second_moment"):
        same = found.values(quantity) == whole.values(quantity)
        assert same.all() == quantity.startswith("pre")


@pytest.mark.parametrize("depth", [1, 10, 1000, 100_000])
@pytest.mark.parametrize("dense", [False, True])
def test_what_is_kept_grows_with_the_root_of_the_depth(depth, dense):
    sites = vp.mlp([64] * 11, activation="relu", weights="he_normal").sites[:2] * depth
    keywords = {"inputs": 1, "dense": dense, "itemsize": 4}
    runs = propagate.segments(sites, networks=200, **keywords)
    assert [site for run in runs for site in run] == list(sites)
    one = 200 * (2 * (2 * 4 * 64 + 64) + 4 * 64 * 64 * dense)  # a layer and its activation
    beginning = 200 * (4 * 64 + 64)
    kept = beginning * (len(runs) - 1) + max(map(len, runs)) * one / 2
    assert kept <= max(2**28, 2.1 * (beginning * one * depth) ** 0.5 + one)
    assert len(runs) == 1 or one * depth > 2**28


def test_only_very_deep_networks_have_smaller_blocks():
    def sizes(width, depth):
        return block_sizes(vp.mlp([width] * (depth + 1), activation="relu", weights="he_normal"))

    assert sizes(64, 10) == sizes(64, 1048) == (2000, 2000)
    assert sizes(64, 1049) == (1000, 1000)
    assert sizes(256, 1000) == (500, 500)
    assert round_sizes(2048, 2 * 64 * 10_000, 10_000) == (200, 200)


def test_samples_in_files_are_those_in_memory(monkeypatch):
    net = vp.mlp([16] * 4, activation="relu", weights="he_normal")
    several = 2 * block_sizes(net)[1] + 100
    expected = vp.simulate(net, n_networks=several, rng=4, executor="serial")
    monkeypatch.setattr(simulate, "_IN_MEMORY", 0)
    monkeypatch.setattr(simulate, "_PIECE", 2**15)
    with sampled_in_little_memory(make_plan(net, n_networks=several, rng=4), "serial") as found:
        pieces = list(found.chunks())
        assert len(pieces) > 3
        for quantity in expected.quantities:
            values, places = expected.values(quantity), expected.places(quantity)
            np.testing.assert_array_equal(found.values(quantity), values)
            np.testing.assert_array_equal(np.concatenate([piece.values(quantity) for piece in pieces]), values)
            np.testing.assert_array_equal(found.column(quantity, places[-1]), values[:, -1])
        assert found.n_networks == several
        table = vp.verify(found, theory="he")
    # Moments are added piece by piece, which rounds otherwise.
    pd.testing.assert_frame_equal(table, vp.verify(expected, theory="he"), check_exact=False, rtol=1e-10)


PEAK = """
import re
import varprop as vp
from varprop.engine.plan import make_plan
from varprop.engine.simulate import assemble, run_block
network = vp.mlp([64] * 1001, activation="relu", weights="he_normal")
names = ["conditional_variance", "preactivation_variance", "gradient_second_moment"]
plan = make_plan(network, n_networks=20, rng=1, quantities=names)
assert len(vp.verify(assemble(plan, [run_block(plan, 0)]), theory="he")) == 2000
# Not getrusage, which begins with what the process that started this one had.
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1)) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak")
def test_a_thousand_layers_are_sampled_and_judged_in_little_memory():
    """A tile of 2,000 networks is sampled whole, for any number of networks, which takes seconds; it took 2.3 GB."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500


DEEPEST = """
import contextlib
import re
import sys
from varprop.cli.app import app
options = "--activation relu --weights he_normal --theory he --networks 300 --seed 1"
with contextlib.suppress(SystemExit):
    app(["verify", "--widths", sys.argv[1], *options.split()])
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1)) // 1024, file=sys.stderr)
"""


@pytest.mark.montecarlo
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak")
@pytest.mark.parametrize("widths", ["64x10000", "256x1000"])
def test_the_command_takes_little_memory_at_any_depth(widths):
    """Minutes for the deeper one: sampled in pieces on disk, judged without covariances, printed a thousand rows at a time."""
    done = subprocess.run([sys.executable, "-c", DEEPEST, widths], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("verdict ")
    assert len(done.stdout.splitlines()) > 6 * int(widths.split("x")[1])
    assert int(done.stderr.splitlines()[-1]) < 500
