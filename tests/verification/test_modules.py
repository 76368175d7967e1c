"""Models of which the modules alone are known: steps, verdicts, the table of gains. No PyTorch is needed here."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.model.sites import Module, ModuleNetwork

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

GAINS = {"fc1": 0.5, "act1": 0.5, "fc2": 2.0, "act2": 0.5, "head": 1.0}
NET = ModuleNetwork(
    label="a model",
    modules=(
        Module(name="fc1", kind="Linear", layer=1, weights=True),
        Module(name="act1", kind="ReLU", layer=1, source="fc1"),
        Module(name="fc2", kind="Linear", layer=2, weights=True, source="act1"),
        Module(name="act2", kind="ReLU", layer=2, source="fc2"),
        Module(name="head", kind="Linear", layer=3, weights=True),
    ),
)
QUANTITIES = (
    "input_second_moment",
    "activation_second_moment",
    "gradient_second_moment",
    "input_gradient_second_moment",
)


def sample(gains=GAINS, network=NET, n=400, seed=1):
    """A chain in which every step multiplies by its gain and by a factor of mean 1, forward and backward."""
    rng = np.random.default_rng(np.random.SeedSequence([904, seed]))
    rows, signal = [], np.ones(n)
    for name, gain in gains.items():
        after = signal * gain * rng.gamma(200, 1 / 200, n)
        back = rng.gamma(200, 1 / 200, n)
        for quantity, values in zip(
            QUANTITIES, (signal, after, back, back * gain * rng.gamma(200, 1 / 200, n)), strict=True
        ):
            rows.append(pd.DataFrame({"network": range(n), "module": name, "quantity": quantity, "value": values}))
        signal = after
    return vp.Simulation.from_frame(pd.concat(rows), network)


def test_a_frame_needs_modules_alone_and_comes_back_in_the_order_of_the_calls():
    sim = sample()
    assert sim.places("activation_second_moment") == NET.places
    assert list(sim.to_frame()["layer"].unique()) == [1, 2, 3]


def test_a_frame_with_a_foreign_module_is_refused():
    frame = pd.DataFrame({"network": [0], "module": "nobody", "quantity": "activation_mean", "value": [1.0]})
    with pytest.raises(ValueError, match="a model has no module 'nobody'; it has fc1, act1"):
        vp.Simulation.from_frame(frame, NET)
    with pytest.raises(ValueError, match="no column module"):
        vp.Simulation.from_frame(frame.drop(columns="module").assign(layer=1), NET)


@pytest.mark.false_alarm(1e-9)
def test_preservation_is_judged_module_by_module():
    """Standard errors are 0.11 %, the margin is 5 %: a wrong verdict in 10 has a chance below 1e-9."""
    out = vp.verify(sample(n=4000), theory="preserved")
    assert set(out["test"]) == {"step_mean"}
    for quantity, part in out.groupby("quantity"):
        assert dict(zip(part["module"], part["verdict"], strict=True)) == {
            name: "supported" if gain == 1 else "refuted" for name, gain in GAINS.items()
        }, quantity
        assert part["ratio"].tolist() == pytest.approx(list(GAINS.values()), rel=0.02)


@pytest.mark.false_alarm(1e-9)
def test_a_claim_about_all_modules():
    claim = {"id": "kept", "quantity": "activation_second_moment", "test": "step_mean", "theory": "preserved"}
    kept = dict.fromkeys(GAINS, 1.0)
    verdicts = [vp.verify(sample(gains), claims=[claim])["verdict"].dropna().tolist() for gains in (kept, GAINS)]
    assert verdicts == [["supported"], ["refuted"]]


def test_a_module_that_puts_out_nothing_is_no_evidence():
    out = vp.verify(sample({**GAINS, "head": 0.0}), theory="preserved").set_index("module")
    assert set(out.loc["head", "verdict"]) == {"inconclusive"}
    assert out.loc["head", "note"].str.len().gt(0).all()


@pytest.mark.parametrize("theory", ["he", "xavier", "mean-field", "finite-width"])
def test_other_theories_say_what_they_lack(theory):
    with pytest.raises(vp.UnsupportedError, match=r"of a model only the modules are known.*'preserved'"):
        vp.verify(sample(n=3), theory=theory)


@pytest.mark.parametrize("test", ["cumulative_mean", "growth_rate", "band"])
def test_no_test_over_depth_is_made_of_what_is_no_chain(test):
    claim = {"id": "x", "quantity": "gradient_second_moment", "test": test, "theory": "mean-field"}
    with pytest.raises(vp.UnsupportedError, match="only the modules are known"):
        vp.verify(sample(n=3), claims=[claim])


@pytest.mark.false_alarm(1e-9)
def test_gains_name_the_worst_first_and_what_would_mend_it():
    """Bounds of ten standard errors and more."""
    gains = vp.module_gains(sample(n=4000))
    assert gains["module"].iloc[0] == "fc1"
    assert gains["module"].tolist()[3:] == ["act1", "act2"]
    table = gains.set_index("module")
    assert table["gain"].to_dict() == pytest.approx(GAINS, rel=0.03)
    assert table["gradient_gain"].to_dict() == pytest.approx(GAINS, rel=0.03)
    assert table["step"].to_dict() == pytest.approx(
        {"fc1": 0.25, "fc2": 1.0, "head": 1.0, "act1": math.nan, "act2": math.nan}, rel=0.03, nan_ok=True
    )
    assert table.loc["fc1", "std_factor"] == pytest.approx(2, rel=0.02)
    assert (gains["gain_low"] < gains["gain"]).all()
    assert (gains["gain"] < gains["gain_high"]).all()


@pytest.mark.false_alarm(1e-9)
def test_the_cure_cures():
    """Twice the standard deviation, four times the gain, makes the step 1, which is known to .2 % here."""
    factor = vp.module_gains(sample(n=10_000)).set_index("module").loc["fc1", "std_factor"]
    cured = vp.module_gains(sample({**GAINS, "fc1": GAINS["fc1"] * factor**2}, n=10_000, seed=2)).set_index("module")
    assert cured.loc["fc1", "step"] == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "biases", "note"),
    [("BatchNorm2d", False, r"act1 \(BatchNorm2d\) undoes"), ("ReLU", True, "leaves the biases out")],
)
def test_what_a_multiple_cannot_mend_is_noted(kind, biases, note):
    modules = (
        Module(name="fc1", kind="Linear", layer=1, weights=True, biases=biases),
        Module(name="act1", kind=kind, layer=1, source="fc1"),
        *NET.modules[2:],
    )
    row = vp.module_gains(sample(network=ModuleNetwork(label="m", modules=modules))).set_index("module").loc["fc1"]
    assert math.isnan(row["std_factor"]) == (not biases)
    assert pd.Series([row["note"]]).str.contains(note).all()


def test_gains_are_of_modules():
    net = vp.mlp([4, 4], activation="relu", weights="he_normal")
    with pytest.raises(vp.UnsupportedError, match="write verify"):
        vp.module_gains(vp.simulate(net, n_networks=2, rng=1))
    with pytest.raises(ValueError, match="level must lie in"):
        vp.module_gains(sample(n=3), level=1.0)


def test_gains_of_what_was_not_recorded_or_is_dead_say_so():
    frame = pd.DataFrame({"network": [0, 1], "module": "fc1", "quantity": "activation_second_moment", "value": 0.0})
    table = vp.module_gains(vp.Simulation.from_frame(frame, NET)).set_index("module")
    assert table["gain"].isna().all()
    assert table.loc["fc1", "note"].startswith("it is fed no signal")
    dead = vp.module_gains(sample({**GAINS, "head": 0.0})).set_index("module").loc["head"]
    assert (dead["gain"], dead["note"]) == (0.0, "0 in every network")
    assert math.isnan(dead["std_factor"])


def test_names_are_told_apart():
    with pytest.raises(ValueError, match="number the calls, as in 'fc#2'"):
        ModuleNetwork(label="m", modules=(Module(name="fc", kind="Linear", layer=1),) * 2)
    with pytest.raises(ValueError, match="has no modules"):
        ModuleNetwork(label="m", modules=())
    with pytest.raises(KeyError):
        NET["nobody"]


@pytest.mark.parametrize("count", [5, 130])
def test_a_profile_names_the_modules(count):
    from matplotlib import pyplot as plt

    names = [f"m{i}" for i in range(count)]
    network = ModuleNetwork(label="m", modules=tuple(Module(name=name, kind="Linear", layer=1) for name in names))
    ax = vp.plot.profile(sample(dict.fromkeys(names, 1.0), network, n=4))
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels == names[:: -(-count // 60)]
    assert ax.get_ylabel() == "a²"
    dots = next(line for line in ax.lines if len(line.get_xdata()) == count)
    assert list(dots.get_xdata()) == list(range(1, count + 1))
    with pytest.raises(vp.UnsupportedError):
        vp.plot.profile(sample(n=3), theories=["he"])
    plt.close("all")


def test_verdicts_do_not_depend_on_the_order_of_rows():
    frame = sample(n=20).to_frame()
    back, forth = (vp.Simulation.from_frame(rows, NET) for rows in (frame[::-1], frame))
    for a, b in itertools.pairwise([vp.verify(back, theory="preserved"), vp.verify(forth, theory="preserved")]):
        assert a.equals(b)
