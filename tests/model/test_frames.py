"""A user's own frame: every row is understood, or refused with the row and what to write instead."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.model.quantities import ALL_QUANTITIES

pytestmark = pytest.mark.false_alarm(0)

NET = vp.mlp([4, 4, 4], activation="tanh", weights="xavier_normal")
Z = "preactivation_second_moment"


def frame(**columns):
    """Three networks, two layers; columns may be replaced."""
    rows = [(n, layer, Z, 1.0 + 0.1 * n) for n in range(3) for layer in (1, 2)]
    return pd.DataFrame(rows, columns=["network", "layer", "quantity", "value"]).assign(**columns)


def changed(column, row, value):
    """One entry of another kind."""
    found = frame()
    found[column] = found[column].astype(object)
    found.loc[row, column] = value
    return found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (changed("layer", 3, 1.7), r"iloc\[3\] has layer 1.7: layers are counted; write 1 for the first"),
        (frame(layer=[1, 2, 1, 2, 1, 1.7]), r"iloc\[5\] has layer 1.7: layers are counted"),
        (changed("layer", 3, "layer1"), r"iloc\[3\] has layer 'layer1': it is a text; write a layer's number, as 1"),
        (frame(layer=["1", "2"] * 3), r"iloc\[0\] has layer '1' \(so have 5 more rows\): it is a text"),
        (frame(layer=True), r"has layer True"),
        (changed("layer", 2, None), r"iloc\[2\] has layer None: layers are counted"),
        (changed("layer", 4, 0), r"iloc\[4\] has layer 0: preactivation_second_moment does not exist at that layer"),
        (changed("layer", 3, 99), r"iloc\[3\] has layer 99: .* which has it in layers 1, 2"),
        (changed("layer", 3, 99).assign(module="0"), r"iloc\[3\] has layer 99: .* which has it in layers 1, 2"),
        (frame(module="7"), r"iloc\[0\] has module '7' .*of layer 1 is at module 0; write that, or leave the column"),
        (frame(value=1j), r"iloc\[0\] has value 1j .*: it is complex; write its real part"),
        (changed("value", 2, 1 + 2j), r"iloc\[2\] has value \(1\+2j\): it is complex"),
        (changed("value", 2, "0.9"), r"iloc\[2\] has value '0.9': it is a text; write a number, as 0.5"),
        (frame(value=True), r"iloc\[0\] has value True"),
        (changed("value", 1, Decimal("0.5")), r"has value Decimal\('0.5'\): write a number, as 0.5"),
        (changed("value", 1, float("inf")), r"iloc\[1\] has value inf: values are finite numbers"),
        (frame(value=frame()["value"].astype("Float64").where(frame().index != 2)), r"iloc\[2\] has value <NA>"),
        (changed("value", 2, -1.0), r"iloc\[2\] has value -1.0: .* is at least 0; were quantities exchanged"),
        (frame(quantity="saturated_fraction", value=7.0), r"has value 7.0 .* lies between 0 and 1"),
        (frame(quantity="saturated_fraction", value=[0.5, -1.0] * 3), r"iloc\[1\] has value -1.0 .* between 0 and 1"),
        (frame(quantity="cosine", value=[0.5, 1.1] * 3), r"iloc\[1\] has value 1.1 .* lies between -1 and 1"),
        (changed("network", 1, "a"), r"iloc\[1\] has network 'a': the first row has a number.*\.astype\(str\)"),
        (changed("network", 1, None), r"iloc\[1\] has network None: every row says of which network it is"),
        (frame(network=[[1]] * 6), r"iloc\[0\] has network \[1\].*: an identifier is a number or a name"),
        (
            changed("quantity", 1, "preactivation_second_momnt"),
            r"iloc\[1\] .*did you mean 'preactivation_second_moment'",
        ),
        (changed("quantity", 1, None), r"iloc\[1\] has quantity None: unknown quantity"),
        (pd.concat([frame(), frame()]), r"iloc\[6\] has network 0 .*: preactivation_second_moment has two rows"),
        (pd.concat([frame(), frame()[["value"]]], axis=1), r"2 columns called 'value'; keep one"),
        (frame()[:0], r"has no rows; it needs network, layer, quantity and value"),
        (frame().drop(columns="value"), r"has no column value; it needs network"),
        (frame(input=[0, None, 0, 1, 1, 1]), r"iloc\[1\] has input nan: every row says of which input it is"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        vp.Simulation.from_frame(given, NET)


@pytest.mark.parametrize("given", [None, "mine.csv", [1], {"network": [0]}, np.ones((3, 4))])
def test_what_is_no_frame_is_refused(given):
    with pytest.raises(TypeError, match=r"takes a pandas DataFrame, got .*; write pandas.DataFrame\(...\): it needs"):
        vp.Simulation.from_frame(given, NET)
    with pytest.raises(TypeError, match="network must be what was measured, a Network, got"):
        vp.Simulation.from_frame(frame(), given)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (3, r"inputs must be the numbers that were fed in, an array of shape \(inputs, 4\), got 3; write for example"),
        (True, "got True"),
        ("ones", "got 'ones'"),
        (np.ones((2, 3)), r"of shape \(inputs, 4\), one row for each, got shape \(2, 3\)"),
        (np.ones(3), r"got shape \(3,\)"),
        (np.ones((1, 2, 4)), r"got shape \(1, 2, 4\)"),
        (np.ones((0, 4)), r"got shape \(0, 4\)"),
        (np.ones((1, 4)) * 1j, "got an array of complex128"),
        ([[1, 2, 3, 4], [1, 2]], "got a list"),
        ([[1, 2, 3, np.nan]], "inputs must be finite, got nan"),
        (np.ma.masked_array(np.ones((1, 4)), mask=[[0, 1, 0, 0]]), "inputs are masked"),
    ],
)
def test_inputs_that_nobody_fed_in_are_refused(inputs, message):
    with pytest.raises(ValueError, match=message):
        vp.Simulation.from_frame(frame(), NET, inputs=inputs)


def test_what_can_be_meant_in_one_way_is_taken():
    plain = vp.Simulation.from_frame(frame(), NET).values(Z)
    for same in (
        frame(layer=[1.0, 2.0] * 3),
        frame(network=["a", "a", "b", "b", "c", "c"]),
        frame(network=[("x", n) for n in (1, 1, 2, 2, 3, 3)]),
        frame(value=frame()["value"].astype("Float64")),
        frame(value=frame()["value"].map(Fraction).astype(object)),
        frame(module=["0", "2"] * 3),
        frame().sample(frac=1.0, random_state=1),
        frame().set_index("network", drop=False),
    ):
        np.testing.assert_array_equal(vp.Simulation.from_frame(same, NET).values(Z), plain)
    rounded = frame(quantity="saturated_fraction", value=1.0 + 1e-7)  # as single precision leaves it
    assert vp.Simulation.from_frame(rounded, NET).values("saturated_fraction").max() > 1
    assert vp.Simulation.from_frame(frame(), NET, inputs=[1, 2, 3, 4]).inputs.tolist() == [[1.0, 2.0, 3.0, 4.0]]


def test_inputs_are_told_apart_by_one_numbering():
    """Of quantities that were measured on other inputs, too."""
    both = [frame(input=name, value=number) for name, number in (("b", 2.0), ("a", 1.0))]
    late = frame(input="b", quantity="pivot", value=5.0)
    found = vp.Simulation.from_frame(pd.concat([*both, late]), NET)
    assert found.values(Z)[0].tolist() == [[1.0, 2.0], [1.0, 2.0]]
    np.testing.assert_array_equal(found.values("pivot")[0], [[np.nan, 5.0], [np.nan, 5.0]])
    assert found.inputs.shape == (2, 4)
    with pytest.raises(ValueError, match="the column input tells 2 inputs apart and inputs has 3 rows"):
        vp.Simulation.from_frame(pd.concat(both), NET, inputs=np.ones((3, 4)))


def test_what_varprop_writes_it_reads():
    sim = vp.simulate(NET, n_networks=20, rng=1, inputs=3, per_input=True)
    again = vp.Simulation.from_frame(sim.to_frame(), NET, inputs=sim.inputs)
    assert again.quantities == sim.quantities
    for quantity in sim.quantities:
        np.testing.assert_array_equal(again.values(quantity), sim.values(quantity))
        assert again.places(quantity) == sim.places(quantity)
    trained = vp.train(NET, n_networks=3, rng=1, steps=2, inputs=5, learning_rate=0.1)
    again = vp.Simulation.from_frame(trained.to_frame(), NET)
    np.testing.assert_array_equal(again.values("final_loss"), trained.values("final_loss"))


def test_every_quantity_says_between_which_ends_it_lies():
    sim = vp.simulate(NET, n_networks=200, rng=1, inputs=2)
    for name in sim.quantities:
        low, high = ALL_QUANTITIES[name].ends
        values = sim.values(name)
        assert low - 1e-6 <= np.nanmin(values) <= np.nanmax(values) <= high + 1e-6
    assert {name for name, one in ALL_QUANTITIES.items() if one.ends == (0.0, 1.0)} == {
        "saturated_fraction",
        "dead_fraction",
    }
