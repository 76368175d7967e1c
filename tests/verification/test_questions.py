"""A sample read piece by piece gets the verdicts of the whole, in the memory that a piece takes."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import varprop as vp
from varprop.model.simulation import Samples, Simulation
from varprop.numerics.moments import Moments
from varprop.verification.claims import Claim
from varprop.verification.compare import Case, assess, needed_quantities
from varprop.verification.questions import Question, SampleTable, Summed, UndecidableError, ask

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

RELU = vp.mlp([16] * 6, activation="relu", weights="he_normal")
TANH = vp.mlp([16] * 6, activation="tanh", weights="xavier_normal", biases={"name": "normal", "std": 0.1})
FORWARD = {"quantity": "preactivation_second_moment"}
CLAIMS = [
    {"id": "step", "test": "step_mean", "theory": "he", **FORWARD},
    {"id": "back", "test": "step_mean", "theory": "mean-field", "quantity": "gradient_second_moment"},
    {"id": "depth", "test": "cumulative_mean", "theory": "mean-field", **FORWARD, "margin": 0.3},
    {"id": "some", "test": "cumulative_mean", "theory": "preserved", **FORWARD, "layers": (2, 4)},
    {"id": "rate", "test": "growth_rate", "theory": "preserved", "quantity": "gradient_second_moment"},
    {"id": "below", "test": "directional", **FORWARD, "below": 1.2},
    {"id": "zero", "test": "zero_mean", "quantity": "activation_mean"},
]


def in_pieces(simulation, sizes):
    def pieces():
        first = 0
        for size in sizes:
            yield {n: Samples(s.values[first : first + size], s.places) for n, s in simulation.samples.items()}
            first += size

    return Simulation(
        network=simulation.network,
        inputs=simulation.inputs,
        samples=simulation.samples,
        seed=simulation.seed,
        per_input=simulation.per_input,
        pieces=pieces,
    )


@pytest.mark.parametrize("network", [RELU, TANH], ids=lambda network: network.label)
@pytest.mark.parametrize("inputs", [None, 2], ids=["one", "two"])
def test_verdicts_do_not_depend_on_the_pieces(network, inputs):
    """Every test that takes a sample piece by piece, with the product form and without, and with dying networks."""
    whole = vp.simulate(network, n_networks=700, rng=11, inputs=inputs, per_input=inputs is not None)
    expected = vp.verify(whole, claims=CLAIMS)
    assert set(expected["verdict"].dropna()) <= {"supported", "refuted", "inconclusive"}
    for sizes in ([700], [500, 200], [1, 2, 297, 400]):
        found = vp.verify(in_pieces(whole, sizes), claims=CLAIMS)
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9)
    pd.testing.assert_frame_equal(
        vp.verify(in_pieces(whole, [500, 200]), theory="mean-field"), vp.verify(whole, theory="mean-field"), rtol=1e-9
    )


def test_pieces_are_read_once_for_all_claims():
    whole = vp.simulate(RELU, n_networks=60, rng=1)
    readings = []

    def pieces():
        readings.append(1)
        yield whole.samples

    read = Simulation(network=RELU, inputs=whole.inputs, samples=whole.samples, pieces=pieces)
    vp.verify(read, claims=CLAIMS)
    assert len(readings) == 1


def peak_memory(n_pieces):
    """Most memory that verdicts on so many pieces of 2,000 networks take, in bytes."""
    whole = vp.simulate(RELU, n_networks=2000, rng=1, executor="serial")

    class Counted:
        """Says how many networks there are; nobody may ask for all their values."""

        def __init__(self, sample):
            self.places, self.n_networks = sample.places, n_pieces * 2000

    def pieces():
        for _ in range(n_pieces):
            yield {name: Samples(sample.values.copy(), sample.places) for name, sample in whole.samples.items()}

    samples = {name: Counted(sample) for name, sample in whole.samples.items()}
    read = Simulation(network=RELU, inputs=whole.inputs, samples=samples, pieces=pieces)
    tracemalloc.start()
    try:
        table = vp.verify(read, claims=CLAIMS)
        read.summary([c["quantity"] for c in CLAIMS])
        return tracemalloc.get_traced_memory()[1], table["n_networks"].max()
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_a_piece():
    """Five times the networks, and a tenth more memory at most; a piece of all quantities is 1.2 MB."""
    peak_memory(1)  # imports
    (few, n_few), (many, n_many) = peak_memory(12), peak_memory(60)
    assert (n_few, n_many) == (24_000, 120_000)
    assert many < 1.1 * few
    assert many < 30e6


def question(tables, conclude=lambda summed: summed[0].moments.mean.tolist()):
    return Question(tables, conclude)


def test_more_covariances_than_fit_into_memory_are_no_verdict(monkeypatch):
    """Of ten thousand layers they would take gigabytes; steps of a product have none, and are judged at any depth."""
    simulation = vp.simulate(RELU, n_networks=400, rng=3)
    whole = vp.verify(simulation, theory="he").set_index(["quantity", "layer"])
    monkeypatch.setattr("varprop.verification.questions.MOST_COVARIANCES", 4)
    monkeypatch.setattr("varprop.verification.tests.of_depth.MOST_JOINT", 4)
    found = vp.verify(simulation, theory="he").set_index(["quantity", "layer"])
    refused = found["note"].str.contains("the covariances of 10 columns, and 4 fit into memory", na=False)
    products = found.index.get_level_values("quantity").str.endswith("n_second_moment")
    products |= found.index.get_level_values("quantity") == "gradient_second_moment"
    assert set(found[refused]["verdict"]) == {"inconclusive"}
    assert not refused[products].any()
    np.testing.assert_array_equal(found["ratio"][products], whole["ratio"][products])
    differ = found["ci_low"][products] != whole["ci_low"][products]
    assert differ.any(), "this sample's correlations by chance are left out"
    assert not whole["note"].str.contains("fit into memory", na=False).any()


def test_one_question_s_trouble_is_not_another_s():
    whole = vp.simulate(RELU, n_networks=30, rng=1)
    read = in_pieces(whole, [20, 10])

    def fine(piece):
        return (SampleTable(piece.values("pivot")[:, :1], ((1, "0"),)),)

    def bad_data(piece):
        if piece.first:
            msg = "network 3 is wrong"
            raise UndecidableError(msg)
        return fine(piece)

    def bad_question(_piece):
        msg = "no such thing"
        raise ValueError(msg)

    def infinite(piece):
        return (SampleTable(np.full((piece.n_networks, 1), np.inf), ((1, "0"),)),)

    def refuses(_summed):
        msg = "too few"
        raise ValueError(msg)

    asked = [question(fine), question(bad_data), question(bad_question), question(infinite), question(fine, refuses)]
    good, *bad = ask(asked, read)
    assert good == pytest.approx([whole.values("pivot")[:, 0].mean()])
    assert [str(error) for error in bad[:2]] == ["network 3 is wrong (networks counted from 20)", "no such thing"]
    assert [type(error) for error in bad] == [UndecidableError, ValueError, UndecidableError, UndecidableError]
    assert question(fine).then(len).conclude((Summed(Moments.of([[1.0]]), ()),)) == 1


def test_errors_name_the_claim_and_the_sample():
    sim = vp.simulate(RELU, n_networks=10, rng=1, quantities=["pivot"])
    claim = Claim(id="needs.more", quantity="activation_mean", test="zero_mean")
    with pytest.raises(ValueError, match=r"claim 'needs.more' on 'here': 'activation_mean' was not recorded"):
        assess([Case("here", sim, (claim,))])


@pytest.mark.parametrize(
    ("claim", "needs"),
    [
        ({"test": "step_mean", "theory": "he", **FORWARD}, {"preactivation_second_moment", "conditional_variance"}),
        (
            {"test": "step_mean", "theory": "xavier-variance", **FORWARD},
            {"preactivation_second_moment", "activation_variance"},
        ),
        ({"test": "cumulative_mean", "theory": "he", **FORWARD}, {"preactivation_second_moment"}),
        ({"test": "zero_mean", "quantity": "activation_mean"}, {"activation_mean", "activation_second_moment"}),
        ({"test": "weights_law", "theory": "he", "quantity": "weights"}, set()),
    ],
)
@pytest.mark.parametrize("inputs", [1, 3])
def test_what_a_claim_needs_is_known_before_sampling(claim, needs, inputs):
    """It is what the test finds sufficient, and without any of which it refuses."""
    whole = vp.simulate(RELU, n_networks=20, rng=1, inputs=inputs, per_input=True)
    where = {name: whole.places(name) for name in whole.quantities}
    assert needed_quantities(Claim(id="one", **claim), RELU, whole.inputs, where) == needs
    for left_out in (None, *needs):
        kept = {name: s for name, s in whole.samples.items() if name in needs | {"pivot"} and name != left_out}
        sample = Simulation(network=RELU, inputs=whole.inputs, samples=kept, per_input=True)
        if left_out is None:
            vp.verify(sample, claims=[{"id": "one", **claim}])
        else:
            with pytest.raises(ValueError, match=f"'{left_out}' was not recorded"):
                vp.verify(sample, claims=[{"id": "one", **claim}])
