"""`vp.train`: reproducible block by block, and refuses what it cannot train."""

import numpy as np
import pytest

import varprop as vp
from varprop.engine.plan import make_inputs
from varprop.engine.training import make_training_plan
from varprop.model.inputs import Training
from varprop.model.quantities import TRAINING_QUANTITIES
from varprop.numerics.randomness import root_sequence

pytestmark = pytest.mark.false_alarm(0)

NET = vp.mlp([4, 9, 9, 2], activation="tanh", weights="xavier_normal", biases={"name": "normal", "std": 0.1})
TASK = {"steps": 3, "learning_rate": 0.1}


def values(sim):
    return {name: sim.values(name) for name in sim.quantities}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_every_quantity_is_recorded_where_it_exists():
    sim = vp.train(NET, **TASK, n_networks=6, rng=1)
    assert sim.quantities == tuple(TRAINING_QUANTITIES)
    assert (sim.method, sim.n_networks, sim.inputs.shape) == ("trained", 6, (16, 4))
    layers = {name: sim.layers(name) for name in sim.quantities}
    assert layers.pop("initial_loss") == layers.pop("final_loss") == (3,)
    assert set(layers.values()) == {(1, 2, 3)}
    frame = sim.to_frame()
    assert len(frame) == 6 * (3 * len(layers) + 2)
    again = vp.Simulation.from_frame(frame, NET)
    np.testing.assert_array_equal(again.values("weight_change"), sim.values("weight_change"))
    assert set(sim.summary()["quantity"]) == set(TRAINING_QUANTITIES)


def test_one_output_has_no_variance():
    sim = vp.train(vp.mlp([4, 9, 1], activation="tanh", weights="xavier_normal"), **TASK, n_networks=2, rng=1)
    assert sim.layers("preactivation_variance") == sim.layers("loss_gradient_variance") == (1,)


def test_draws_depend_on_the_seed_alone():
    small = values(vp.train(NET, **TASK, n_networks=7, rng=1))
    assert not same(small, values(vp.train(NET, **TASK, n_networks=7, rng=2)))
    assert make_training_plan(NET, Training(**TASK), n_networks=2010, rng=1).blocks[1].networks == 10
    longer = values(vp.train(NET, **TASK, n_networks=2010, rng=1, executor="serial"))
    assert same(small, {name: found[:7] for name, found in longer.items()})
    assert same(longer, values(vp.train(NET, **TASK, n_networks=2010, rng=1, executor="threads")))


def test_what_is_trained_is_part_of_the_key():
    def key(**changed):
        task = TASK | {"train_biases": True} | changed
        return make_training_plan(NET, Training(**task), n_networks=9, rng=1).key

    assert len({key(), key(steps=4), key(learning_rate=0.2), key(train_biases=False)}) == 4


def test_the_task_is_the_same_for_all_networks_and_configurations():
    wide = vp.mlp([4, 30, 2], activation="relu", weights="zeros")
    plans = [make_training_plan(net, Training(**TASK), n_networks=3, rng=5) for net in (NET, wide)]
    np.testing.assert_array_equal(plans[0].task.targets, plans[1].task.targets)
    np.testing.assert_array_equal(plans[0].inputs, make_inputs(16, NET, root_sequence(5)))
    x, y = plans[0].inputs, plans[0].task.targets
    # Without noise: a linear map of the inputs leaves nothing over.
    assert np.abs(x @ np.linalg.lstsq(x, y, rcond=None)[0] - y).max() < 1e-12
    more = make_training_plan(NET, Training(**TASK), n_networks=3, rng=5, inputs=20)
    np.testing.assert_array_equal(more.task.targets[:16], y)
    other = make_training_plan(NET, Training(**TASK), n_networks=3, rng=6)
    assert not np.array_equal(other.task.targets, y)
    given = make_training_plan(NET, Training(**TASK), n_networks=3, rng=5, inputs=x, targets=y)
    assert given.key != plans[0].key  # another description, and so streams of its own


def test_any_law_can_be_trained():
    laws = [
        "orthogonal",
        lambda shape, rng: rng.choice([-0.1, 0.1], shape),
        {"name": "student_t", "std": 0.1, "df": 5.0},
    ]
    for law in laws:
        net = vp.mlp([4, 9, 9, 2], activation="tanh", weights=law)
        sim = vp.train(net, **TASK, n_networks=3, rng=1, executor="serial")
        assert (sim.values("weight_change") > 0).all()


def test_only_what_is_asked_for():
    sim = vp.train(NET, **TASK, n_networks=2, rng=1, quantities=["weight_change", "final_loss"])
    assert sim.quantities == ("weight_change", "final_loss")
    whole = vp.train(NET, **TASK, n_networks=2, rng=1)
    np.testing.assert_array_equal(sim.values("weight_change"), whole.values("weight_change"))


def test_progress_counts_networks():
    seen = []
    vp.train(NET, **TASK, n_networks=5, rng=1, executor="serial", progress=seen.append)
    assert sum(seen) == 5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 0}, "steps must be an integer from 1 to 10,000, got 0"),
        ({"steps": 2.5}, "steps must be an integer"),
        ({"learning_rate": -1.0}, "learning_rate must be a finite number > 0, got -1.0"),
        ({"n_networks": 0}, "n_networks must be an integer"),
        ({"inputs": 0}, "inputs must lie between 1 and"),
        ({"inputs": [[1.0, 2.0]]}, r"shape \(inputs, 4\)"),
        ({"targets": [[1.0, 2.0]]}, r"targets must be an array of shape \(16, 2\)"),
        ({"targets": np.full((16, 2), np.nan)}, "targets must be finite"),
        ({"quantities": ["pivot"]}, "unknown quantity 'pivot'"),
        ({"quantities": ["most_distinct_row"]}, "did you mean 'most_distinct_rows'"),
    ],
)
def test_what_cannot_be_trained_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        vp.train(NET, **({"n_networks": 2, "rng": 1} | TASK | wrong))


def test_a_network_beyond_memory_is_refused():
    wide = vp.mlp([2**15, 2**15, 2**15], activation="tanh", weights="zeros")
    with pytest.raises(ValueError, match="narrower layers or fewer inputs"):
        vp.train(wide, **TASK, n_networks=1, rng=1)
