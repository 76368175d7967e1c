"""The phase diagram against the fixed points, cell by cell."""

import math

import numpy as np
import pytest

from varprop.theory import depth_scales, edge_of_chaos, phase_diagram


@pytest.mark.parametrize("name", ["tanh", "erf", "elu", "gelu", "gaussian", "hard_tanh", "relu"])
def test_every_cell_is_what_its_fixed_points_say(name):
    table = phase_diagram(name, np.linspace(0.6, 3.5, 5), [0.0, 0.02, 0.3])
    assert len(table) == 15
    for row in table.itertuples():
        arguments = {"weight_variance": row.weight_variance, "bias_variance": row.bias_variance}
        if row.phase == "diverging":
            assert row.q == math.inf
            assert math.isnan(row.c_star)
            assert math.isnan(row.xi_c)
            with pytest.raises(ValueError, match="no fixed point"):
                depth_scales(name, **arguments)
            continue
        scales = depth_scales(name, **arguments)
        assert row.q == pytest.approx(scales.q, rel=1e-10)
        assert row.xi_q == pytest.approx(scales.xi_q, rel=1e-8)
        assert row.xi_c == pytest.approx(scales.xi_c, rel=1e-8)
        assert math.isnan(row.c_star) if scales.c is None else row.c_star == pytest.approx(scales.c, abs=1e-10)
        assert row.phase == ("ordered" if row.chi_1 < 1 else "chaotic")


def test_relu_in_closed_form():
    table = phase_diagram("relu", [1.0, 2.0, 3.0], [0.0, 0.5], q=0.7)
    assert table["phase"].tolist() == ["ordered", "ordered", "critical", "diverging", "diverging", "diverging"]
    assert table["q"].tolist() == [0.0, 1.0, 0.7, math.inf, math.inf, math.inf]
    assert table["chi_1"].tolist() == [0.5, 0.5, 1.0, 1.0, 1.5, 1.5]


def test_the_phase_changes_at_the_edge():
    edge = edge_of_chaos("tanh", 0.05).weight_variance
    table = phase_diagram("tanh", [edge - 1e-6, edge, edge + 1e-6], [0.05])
    assert table["phase"].tolist() == ["ordered", "critical", "chaotic"]
    assert table["c_star"].iloc[:2].tolist() == [1.0, 1.0]
    assert 0.9999 < table["c_star"].iloc[2] < 1


def test_where_the_signal_starts_decides():
    """GELU at C_W = 2: beyond the unstable fixed point near 54, signals grow for ever."""
    assert phase_diagram("gelu", [2.0], [0.05], q=1.0)["phase"].tolist() == ["ordered"]
    assert phase_diagram("gelu", [2.0], [0.05], q=100.0)["phase"].tolist() == ["diverging"]


def test_flat_stretches_of_the_length_map_lead_to_0():
    """hard_tanh at unit gain is the identity for all but rounding up to q = 0.01, and a contraction above."""
    table = phase_diagram("hard_tanh", [1.0], [0.0])
    assert table["q"].tolist() == [0.0]
    assert table["phase"].tolist() == ["critical"]


def test_ten_thousand_cells_all_have_a_phase():
    table = phase_diagram("tanh", np.linspace(0.5, 4, 100), np.linspace(0, 1, 100))
    assert table["phase"].isin(["ordered", "chaotic", "critical"]).all()
    assert not table[["q", "chi_1", "chi_parallel", "xi_q", "xi_c"]].isna().any(axis=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight_variances": []}, "weight_variances must be one-dimensional and not empty"),
        ({"bias_variances": [[0.1]]}, "bias_variances must be one-dimensional"),
        ({"weight_variances": [1.0, -1.0]}, "weight_variances must be a finite number >= 0"),
        ({"q": 0.0}, "q must be"),
        ({"activation": "sign"}, "sign jumps"),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, message):
    given = {"activation": "tanh", "weight_variances": [1.0], "bias_variances": [0.1]} | arguments
    with pytest.raises(ValueError, match=message):
        phase_diagram(given.pop("activation"), given.pop("weight_variances"), given.pop("bias_variances"), **given)
