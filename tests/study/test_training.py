"""A study of trained networks: what its file may say, and that it runs, resumes and reports as any other."""

import json
import warnings

import numpy as np
import pytest

import varprop as vp
from varprop.model.inputs import Training
from varprop.study import StudyError, load_run, load_study, run_study
from varprop.study.planning import plan_study

pytestmark = pytest.mark.false_alarm(0)

TRAINING = """
[training]
steps = 4
learning_rate = 0.1
"""
TABLES = (
    TRAINING
    + """
[network]
widths = [5, 12, 12, 3]
activation = "tanh"

[grid]
weights = [{ name = "constant", value = 0.05 }, "xavier_normal"]

[[claims]]
id = "alike"
where = { weights = "constant" }
quantity = "most_distinct_rows"
layers = [1, 2]
test = "identity"
reason = "equal-units"
equals = 1
expect = "supported"

[[claims]]
id = "forward"
where = { weights = "constant" }
quantity = ["preactivation_variance", "activation_variance"]
test = "identity"
reason = "equal-units"
expect = "supported"

[[claims]]
id = "control"
where = { weights = "xavier_normal" }
quantity = "fewest_distinct_rows"
layers = [1, 2]
test = "identity"
reason = "continuous-weights"
equals = 12
expect = "supported"

[[claims]]
id = "alike-at-random"
where = { weights = "xavier_normal" }
quantity = "most_distinct_rows"
test = "identity"
share = 1
equals = 1
expect = "refuted"
"""
)
NETWORK = '[network]\nwidths = "6x3"\nactivation = "relu"\nweights = "he_normal"\n'
CLAIM = '[[claims]]\nid = "c"\ntest = "identity"\nquantity = "weight_change"\nequals = 0\n'


def parts(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


# ---- the file ----------------------------------------------------------------------------------------------------


def test_a_file_says_how_networks_are_trained(parse):
    study = parse(TABLES, top="inputs = 6")
    assert study.training == Training(steps=4, learning_rate=0.1)
    assert (study.inputs, study.dtype) == (6, "float64")
    plan = study.plan(study.configurations[0])
    assert (plan.method, plan.inputs.shape, plan.task.targets.shape) == ("trained", (6, 5), (6, 3))
    assert parse(TABLES).n_inputs == 16
    assert parse(NETWORK).training is None
    assert not parse(TABLES.replace("rate = 0.1", "rate = 0.1\ntrain_biases = false")).training.train_biases


WRONG = [
    (
        "[training]\nsteps = 4\n" + NETWORK,
        "",
        {"training.learning_rate": "is required; write for example learning_rate = 0.1"},
    ),
    (TRAINING.replace("4", "0") + NETWORK, "", {"training.steps": "must be >= 1, got 0"}),
    (TRAINING.replace("4", "20_000") + NETWORK, "", {"training.steps": "must be <= 10000"}),
    (TRAINING.replace("0.1", "-0.1") + NETWORK, "", {"training.learning_rate": "must be > 0, got -0.1"}),
    (TRAINING + "step = 3\n" + NETWORK, "", {"training.step": "did you mean 'steps'?"}),
    (TRAINING + "train_biases = 1\n" + NETWORK, "", {"training.train_biases": "must be true or false, got 1"}),
    (
        TRAINING + NETWORK,
        'method = "dense"\ndtype = "float64"',
        {"method": "has no meaning with [training]: weights that are trained", "dtype": "training is in float64"},
    ),
    (
        TRAINING + NETWORK,
        'quantities = ["weight_change", "pivot"]',
        {"quantities[1]": "is not recorded of trained networks"},
    ),
    (NETWORK, 'quantities = ["weight_change"]', {"quantities[0]": "add a table [training]"}),
    (
        NETWORK + CLAIM,
        "",
        {"claims[0].quantity": "weight_change is recorded of trained networks; add a table [training]"},
    ),
    (
        TRAINING + NETWORK + CLAIM.replace("weight_change", "gradient_variance").replace("equals = 0\n", ""),
        "",
        {"claims[0].quantity": "did you mean 'loss_gradient_variance'?"},
    ),
    (
        TRAINING
        + NETWORK
        + CLAIM.replace("identity", "step_mean").replace("weight_change", "pivot")
        + 'theory = "he"\n',
        "",
        {"claims[0].equals": "goes with test 'identity' only"},
    ),
    (
        TRAINING
        + NETWORK
        + CLAIM.replace("identity", "zero_mean")
        .replace("weight_change", "activation_mean")
        .replace("equals = 0\n", ""),
        "",
        {"claims[0].test": "'zero_mean' does not go with [training], whose claims are exact; use 'identity'"},
    ),
    (TRAINING + NETWORK + CLAIM.replace("= 0", "= nan"), "", {"claims[0].equals": "must be a finite number, got nan"}),
    (TRAINING + NETWORK.replace("6x3", "40000x3"), "", {"network.widths": "narrower layers or fewer inputs"}),
    (
        TRAINING + NETWORK + CLAIM,
        'quantities = ["bias_change"]',
        {"claims[0]": "needs weight_change too; add that to quantities"},
    ),
    (
        TRAINING + NETWORK + CLAIM + 'reason = "nothing-moves"\n',
        "",
        {"claims[0].reason": "relu, he_normal, 6x3: its layer 1 has weights he_normal, which are not zero"},
    ),
    (TRAINING + NETWORK + CLAIM + 'reason = "nothing"\n', "", {"claims[0].reason": "did you mean 'nothing-moves'?"}),
    (TRAINING + NETWORK + CLAIM + "share = 1.01\n", "", {"claims[0].share": "must be <= 1, got 1.01"}),
]


@pytest.mark.parametrize(("tables", "top", "said"), WRONG)
def test_what_is_wrong_is_said_at_its_key(parse, tables, top, said):
    with pytest.raises(StudyError) as caught:
        parse(tables, top=top)
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert found.keys() == said.keys()
    for path, message in said.items():
        assert message in found[path]


# ---- the run -----------------------------------------------------------------------------------------------------


def test_a_run_is_judged_stored_and_read_again(write, tmp_path):
    study = load_study(write(TABLES, networks=6))
    run = run_study(study, tmp_path / "runs", "serial")
    verdicts = run.verdicts()
    assert run.surprises() == ()
    assert verdicts["verdict"].dropna().value_counts().to_dict() == {"supported": 4, "refuted": 1}
    assert json.loads((run.path / "manifest.json").read_text())["configurations"][0]["method"] == "trained"
    direct = vp.train(study.configurations[1].network, steps=4, learning_rate=0.1, n_networks=6, rng=study.seed)
    label = study.configurations[1].label
    for name in direct.quantities:
        np.testing.assert_array_equal(run.simulations()[label].values(name), direct.values(name))
    again = load_run(run.path)
    assert again.verdicts().equals(verdicts)
    assert len(again.predictions()) == 0
    assert set(again.summary()["quantity"]) == set(direct.quantities)


def test_a_run_resumes_extends_and_never_trains_twice(write, tmp_path):
    study = load_study(write(TABLES, networks=6))
    whole = run_study(study, tmp_path / "whole", "threads")
    seen = []

    def stop(progress):
        seen.append(progress.networks)
        if progress.networks:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path / "runs", "serial", stop)
    resumed = run_study(study, tmp_path / "runs", "serial")
    assert parts(resumed.path) == parts(whole.path)
    assert (
        run_study(study, tmp_path / "runs", "serial", lambda p: seen.append(p.networks))
        .verdicts()
        .equals(whole.verdicts())
    )
    assert seen == [0, 6, 0]
    edited = load_study(write(TABLES.replace("equals = 12", "equals = 11"), networks=6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other = run_study(edited, tmp_path / "runs", "serial", lambda p: seen.append(p.networks))
    assert seen == [0, 6, 0, 0]
    assert [one.claim for one in other.surprises()] == ["control"]
    other = load_study(write(TABLES.replace("steps = 4", "steps = 5"), networks=6))
    run_study(other, tmp_path / "runs", "serial", lambda p: seen.append(p.networks))
    assert seen[-2:] == [6, 6]


def test_a_plan_needs_no_more_networks_than_there_are(write):
    found = plan_study(load_study(write(TABLES, networks=3)))
    assert set(found.claims["pilot"]) == {3}
    assert (found.networks, found.on_ladder) == (2, 3)  # any number decides, and three are what there will be
    assert len(found.undecided) == 0
    assert found.claims["heads_for"].tolist() == ["supported", "supported", "supported", "supported", "refuted"]
    assert found.claims["margin"].isna().all()
