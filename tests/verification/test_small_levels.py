"""Two networks, dead layers, and levels down to 1e-300: a verdict or "inconclusive" for each row, and never an error."""

import itertools

import pytest

import varprop as vp

pytestmark = pytest.mark.false_alarm(0)
WIDE = vp.mlp([16] * 5, activation="relu", weights="he_normal")
DYING = vp.mlp([2] * 30, activation="relu", weights="he_normal")
CLAIMS = [
    {"id": "dead_rate", "test": "dead_rate", "quantity": "activation_second_moment"},
    {"id": "exact_law", "test": "exact_law", "quantity": "preactivation_second_moment"},
    {"id": "backward", "test": "exact_law", "quantity": "gradient_second_moment"},
    {"id": "pivot_law", "test": "pivot_law", "quantity": "pivot"},
    {"id": "spread", "test": "spread", "quantity": "pivot"},
    {"id": "share", "test": "identity", "quantity": "activation_second_moment"},
    {"id": "stated", "test": "identity", "quantity": "activation_second_moment", "equals": 0, "layers": (4, 4)},
    {"id": "all", "test": "identity", "quantity": "pivot", "share": 1},
]


@pytest.mark.parametrize(("net", "networks"), list(itertools.product((WIDE, DYING), (2, 5))), ids=str)
def test_every_row_has_a_verdict(net, networks):
    sim = vp.simulate(net, n_networks=networks, rng=811)
    for alpha in (1e-3, 1e-12, 1e-100, 1e-300):
        rows = vp.verify(sim, claims=CLAIMS, alpha=alpha)
        rows = rows[rows["verdict"].notna()].set_index("claim")
        assert rows.index.tolist() == [claim["id"] for claim in CLAIMS]
        decided = rows[rows["verdict"] != "inconclusive"]
        # What one exception proves; and that 5 of 5 networks are no part of a claimed 99 %: .01^5.
        assert set(decided.index) <= ({"all"} if alpha < 1e-11 else {"all", "share", "stated"})
        assert rows[["p_equivalence", "p_refute", "pvalue"]].notna().all(axis=None)
