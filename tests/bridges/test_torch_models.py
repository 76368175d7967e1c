"""PyTorch models, module by module; `nox -s torch` runs it."""

import itertools

import numpy as np
import pytest
from scipy import stats

import varprop as vp

torch = pytest.importorskip("torch", reason="PyTorch is not installed here; nox -s torch installs it")
pytestmark = pytest.mark.torch
nn = torch.nn

WIDTH, DEPTH = 12, 4
X = torch.ones(1, WIDTH)


@pytest.fixture(autouse=True)
def one_thread():
    """Small models: threads that wait for each other take most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def simulate(factory, inputs=X, n_networks=3, rng=1, **options):
    from varprop.bridges.torch import simulate

    return simulate(factory, inputs, n_networks=n_networks, rng=rng, **options)


def he(fan_in, fan_out):
    layer = nn.Linear(fan_in, fan_out)
    nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def he_mlp(activation=nn.ReLU):
    layers = [part for _ in range(DEPTH - 1) for part in (he(WIDTH, WIDTH), activation())]
    return nn.Sequential(*layers, he(WIDTH, WIDTH))


class Recording(nn.Module):
    """Parts by name, called by a function: a model in one line of a test."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.function = forward

    def forward(self, *args, **kwargs):
        return self.function(*args, **self.parts, **kwargs)


def modules(sim):
    return [module.name.removeprefix("parts.") for module in sim.network.modules]


# ---- the same law as the sampler's own ------------------------------------------------------------------------------


def _pairs(activation, torch_activation, n=1500):
    """(quantity, place) to values of both samplers, for the network that both have."""
    net = vp.mlp([WIDTH] * (DEPTH + 1), activation=activation, weights="he_normal")
    ours = vp.simulate(net, n_networks=n, rng=np.random.SeedSequence(901))
    theirs = simulate(lambda: he_mlp(torch_activation), n_networks=n, rng=np.random.SeedSequence(902))
    same = {
        "preactivation_mean": ("activation_mean", 0),
        "preactivation_variance": ("activation_variance", 0),
        "preactivation_second_moment": ("activation_second_moment", 0),
        "gradient_mean": ("gradient_mean", 0),
        "gradient_second_moment": ("gradient_second_moment", 0),
        "gradient_variance": ("gradient_variance", 0),
        "activation_second_moment": ("activation_second_moment", 1),
        "activation_variance": ("activation_variance", 1),
        "saturated_fraction": ("saturated_fraction", 1),
        "dead_fraction": ("dead_fraction", 1),
    }
    for quantity, (name, after) in same.items():
        for layer in range(1, DEPTH if after else DEPTH + 1):
            place = (layer, str(2 * (layer - 1) + after))
            if place in ours.places(quantity):
                yield quantity, layer, ours.column(quantity, place).ravel(), theirs.column(name, place)


@pytest.mark.parametrize(("activation", "kind"), [("relu", nn.ReLU), ("tanh", nn.Tanh)])
def test_the_law_is_that_of_our_own_sampler(activation, kind):
    """Two-sample Kolmogorov tests, at most 40 a case at 1e-8 each: false alarm below 1e-6 in all."""
    found = {(quantity, layer): stats.ks_2samp(a, b).pvalue for quantity, layer, a, b in _pairs(activation, kind)}
    assert len(found) >= 36
    assert min(found.values()) > 1e-8, min(found, key=found.get)


def test_another_law_is_told_apart():
    """The control: PyTorch's own default, whose variance is a sixth, and a loss of another law."""
    net = vp.mlp([WIDTH] * 3, activation="relu", weights="he_normal")
    ours = vp.simulate(net, n_networks=1500, rng=np.random.SeedSequence(903))

    def factory():
        return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))

    theirs = simulate(factory, n_networks=1500, loss=lambda y: y.sum())
    for ours_name, name in (
        ("preactivation_second_moment", "activation_second_moment"),
        ("gradient_second_moment",) * 2,
    ):
        pvalue = stats.ks_2samp(ours.column(ours_name, (2, "2")).ravel(), theirs.column(name, (2, "2"))).pvalue
        assert pvalue < 1e-8


# ---- what is measured, by a second road -----------------------------------------------------------------------------


def test_numbers_are_those_of_autograd_done_by_hand():
    x = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(1))
    kept = []

    def factory():
        kept.append(nn.Sequential(nn.Linear(WIDTH, 7), nn.Tanh(), nn.Linear(7, 2)))
        return kept[-1]

    sim = simulate(factory, x, n_networks=2, loss=lambda y: y.square().mean())
    for network, model in enumerate(kept):
        signals = [x.clone().requires_grad_()]
        for part in model:
            signals.append(part(signals[-1]))
        gradients = torch.autograd.grad(signals[-1].square().mean(), signals)
        for i, place in enumerate(sim.network.places):
            for name, (first, second) in {
                "activation": (signals[i + 1], signals[i]),
                "gradient": (gradients[i + 1], gradients[i]),
            }.items():
                entering = "input_second_moment" if name == "activation" else "input_gradient_second_moment"
                expected = {
                    f"{name}_mean": first.mean(),
                    f"{name}_second_moment": first.square().mean(),
                    f"{name}_variance": first.var(dim=1).mean(),
                    entering: second.square().mean(),
                }
                for quantity, value in expected.items():
                    assert sim.column(quantity, place)[network] == pytest.approx(value.item(), rel=1e-4, abs=1e-7), (
                        quantity
                    )
    slope = 1 - np.tanh(model[0](x).detach().numpy()) ** 2
    assert sim.column("saturated_fraction", (1, "1"))[-1] == pytest.approx((slope < 0.05).mean())


def test_a_gradient_around_a_module_is_not_counted_as_one_through_it():
    def factory():
        return Recording(lambda x, fc: x + 0 * fc(x), fc=nn.Linear(WIDTH, WIDTH))

    assert simulate(factory).column("input_gradient_second_moment", (1, "parts.fc")).tolist() == [0, 0, 0]


def test_the_global_random_state_goes_on_as_if_nothing_had_been():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = simulate(he_mlp).to_frame()
    assert torch.equal(torch.rand(2), expected)
    assert first.equals(simulate(he_mlp).to_frame())
    assert not first.equals(simulate(he_mlp, rng=2).to_frame())


def test_a_longer_sample_begins_with_the_shorter():
    short, long = (simulate(he_mlp, n_networks=n).values("activation_mean") for n in (2, 4))
    assert np.array_equal(short, long[:2])


# ---- what models do -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nn.ReLU, nn.ELU, nn.LeakyReLU])
def test_in_place_activations_change_no_number(kind):
    plain, in_place = (simulate(lambda flag=flag: he_mlp(lambda: kind(inplace=flag))) for flag in (False, True))
    for quantity in plain.quantities:
        assert plain.places(quantity) == in_place.places(quantity)
        assert in_place.values(quantity) == pytest.approx(plain.values(quantity), rel=1e-4, abs=1e-6)


def test_what_works_in_place_on_a_shared_signal_still_does():
    """A block that adds to its input what an in-place activation has already changed: the model's own meaning."""
    expected = []

    def factory():
        model = Recording(
            lambda x, act, fc: fc(act(y := 2 * x - 1.5)) + y, act=nn.ReLU(True), fc=nn.Linear(WIDTH, WIDTH)
        )
        with torch.no_grad():
            expected.append(float(model(torch.linspace(0, 1, WIDTH)[None]).square().mean()))
        return nn.Sequential(model, nn.Identity())

    sim = simulate(factory, torch.linspace(0, 1, WIDTH)[None])
    assert sim.column("activation_second_moment", (1, "1")) == pytest.approx(expected, rel=1e-6)
    assert sim.network.unreached == ()


def test_an_identity_whose_output_is_changed_in_place_is_reached():
    def forward(x, fc, same):
        y = same(fc(x))
        y += x
        return y

    sim = simulate(lambda: Recording(forward, fc=nn.Linear(WIDTH, WIDTH), same=nn.Identity()))
    assert sim.network.unreached == ()
    step = sim.values("input_gradient_second_moment")[:, -1] / sim.values("gradient_second_moment")[:, -1]
    assert step == pytest.approx(1)


def test_a_module_called_again_has_a_row_for_each_call():
    def factory():
        return Recording(lambda x, fc, act: act(fc(act(fc(x)))), fc=nn.Linear(WIDTH, WIDTH), act=nn.Tanh())

    assert modules(simulate(factory)) == ["fc", "act", "fc#2", "act#2"]


def test_a_module_under_two_names_goes_by_the_first():
    def factory():
        one = nn.Linear(WIDTH, WIDTH)
        return Recording(lambda x, a, b: b(a(x)), a=one, b=one)

    sim = simulate(factory)
    assert modules(sim) == ["a", "a#2"]
    assert sim.layers("activation_mean") == (1, 2)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_the_factorys(training):
    def factory():
        return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.Dropout(0.5)).train(training)

    x = torch.randn(64, WIDTH, generator=torch.Generator().manual_seed(1))
    sim = simulate(factory, x)
    normed = sim.column("activation_second_moment", (1, "1"))
    dropped = sim.column("dead_fraction", (1, "2"))
    steps = sim.column("activation_second_moment", (1, "2")) / normed
    assert (normed == pytest.approx(1, rel=1e-3)) == training
    assert (steps == pytest.approx(1)) != training
    assert not dropped.any()


def test_frozen_parameters_stay_frozen_and_hide_nothing():
    models = []

    def factory():
        models.append(nn.Sequential(nn.Embedding(9, 6), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)))
        models[-1][:2].requires_grad_(False)
        return models[-1]

    sim = simulate(factory, torch.arange(8).reshape(2, 4))
    assert sim.network.unreached == ()
    assert [parameter.requires_grad for parameter in models[-1].parameters()] == [False] * 3 + [True] * 2
    assert all(parameter.grad is None for parameter in models[-1].parameters())
    assert (1, "0") not in sim.places("input_second_moment"), "token ids are no signal"
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in models[-1].modules())


def test_several_inputs_by_place_and_by_name_and_outputs_of_every_form():
    def forward(ids, x, embed, lstm):
        out, (h, c) = lstm(embed(ids) + x)
        return {"ids": ids, "rest": [out, (h, c)]}

    def factory():
        return Recording(forward, embed=nn.Embedding(9, 6), lstm=nn.LSTM(6, 5, batch_first=True))

    ids, x = np.arange(8).reshape(2, 4), np.ones((2, 4, 6))
    by_place, by_name = simulate(factory, (ids, x)), simulate(factory, {"x": x, "ids": ids})
    assert by_place.to_frame().equals(by_name.to_frame())
    assert modules(by_place) == ["embed", "lstm"]
    # The readout is on the cell state, the last floating-point output, which does not depend on the last hidden ones alone.
    assert (by_place.column("input_gradient_second_moment", by_place.network.places[1]) > 0).all()


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_a_transformer_is_measured_in_either_mode(norm_first, training):
    def factory():
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=norm_first)
        return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).train(training)

    sim = simulate(factory, torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(1)))
    names = modules(sim)
    assert "layers.1.self_attn" in names
    assert sim.network.uncalled == (), "the projection inside attention is part of it"
    assert sim.network.unreached == ()


def test_what_is_computed_again_on_the_way_back_is_counted_once():
    from torch.utils.checkpoint import checkpoint

    def factory():
        fc = nn.Linear(WIDTH, WIDTH)
        return Recording(lambda x, fc: checkpoint(fc, x, use_reentrant=False), fc=fc)

    sim = simulate(factory)
    assert modules(sim) == ["fc"]
    assert (sim.values("gradient_second_moment") > 0).all()


def test_parametrizations_see_no_signal():
    def factory():
        return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, WIDTH)), nn.ReLU())

    assert modules(simulate(factory)) == ["0", "1"]


def test_what_was_not_measured_is_listed():
    def forward(x, a, unused, chosen, aside):
        aside(x.detach())
        return a(x) + 0.0 * chosen(x)

    class Chosen(nn.Module):
        def forward(self, x):
            return x.argmax(dim=-1, keepdim=True)

    def factory():
        parts = {name: nn.Linear(WIDTH, WIDTH) for name in ("a", "unused", "aside")}
        return Recording(forward, chosen=Chosen(), **parts)

    network = simulate(factory).network
    assert network.uncalled == ("parts.unused",)
    assert network.unmeasured == ("parts.chosen",)
    assert network.unreached == ("parts.aside",)


def test_who_feeds_whom():
    def forward(x, a, b, c):
        y = torch.relu(a(x))
        return c(y + b(y))

    linear = {name: lambda: nn.Linear(WIDTH, WIDTH) for name in "abc"}
    sim = simulate(lambda: Recording(forward, **{name: make() for name, make in linear.items()}))
    assert [module.source for module in sim.network.modules] == [None, "parts.a", None]


ARCHITECTURES = {
    "MLP": 19,
    "VGG-like": 17,
    "VGG-like, batch norm": 23,
    "residual": 53,
    "residual, batch norm": 54,
    "transformer, pre-norm": 34,
    "transformer, post-norm": 34,
    "LSTM": 4,
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_module_of_an_architecture_is_measured_and_drawn(name):
    from matplotlib import pyplot as plt

    from benchmarks.architectures import architectures

    (model,) = [one for one in architectures() if one.name == name]
    sim = simulate(model.factory, model.inputs, n_networks=2)
    assert len(modules(sim)) == ARCHITECTURES[name]
    assert (sim.network.uncalled, sim.network.unmeasured, sim.network.unreached) == ((), (), ())
    gains = vp.module_gains(sim)
    assert gains["std_factor"].notna().any()
    for quantity in ("activation_second_moment", "gradient_second_moment"):
        ax = vp.plot.profile(sim, quantity=quantity)
        assert len(ax.get_xticks()) == ARCHITECTURES[name]
        plt.close(ax.figure)


# ---- what is refused ------------------------------------------------------------------------------------------------


def _nan(x, fc, act):
    return act(torch.log(fc(x)) * 0 + torch.inf)


SHARED = nn.Linear(WIDTH, 2)
DEPTHS = itertools.count(3)
REFUSED = {
    "the same model": (lambda: SHARED, ValueError, "share 2 parameters, weight among them"),
    "a seed inside": (lambda: (torch.manual_seed(0), nn.Linear(WIDTH, 2))[1], ValueError, "do not seed or copy"),
    "no module": (lambda: 3, TypeError, "must return a torch.nn.Module, it returned int"),
    "infinite": (
        lambda: Recording(_nan, fc=nn.Linear(WIDTH, 2), act=nn.ReLU()),
        ValueError,
        r"what module 'parts.act' \(ReLU\) is fed is NaN or infinite in model 0",
    ),
    "integers": (
        lambda: Recording(lambda x, fc: fc(x).argmax(), fc=nn.Linear(WIDTH, 2)),
        ValueError,
        "no floating-point tensor but Tensor",
    ),
    "at random": (
        lambda: nn.Sequential(*[nn.Linear(WIDTH, WIDTH) for _ in range(next(DEPTHS))]),
        ValueError,
        "models 0 and 1 differ: 3 is not called in both",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    factory, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        simulate(factory)


def test_a_loss_is_one_number():
    with pytest.raises(ValueError, match=r"one number, got a tensor of shape \(1, 12\)"):
        simulate(he_mlp, loss=lambda y: y)


def test_there_is_something_to_measure():
    with pytest.raises(ValueError, match="no module of Recording put out floating-point numbers"):
        simulate(lambda: Recording(lambda x: x.argmax()), loss=lambda y: y.float())


@pytest.mark.parametrize("n_networks", [0, -1, 2.5])
def test_a_number_of_networks_is_positive(n_networks):
    with pytest.raises(ValueError, match="n_networks must be a positive integer"):
        simulate(he_mlp, n_networks=n_networks)


# ---- what is made of it ---------------------------------------------------------------------------------------------


def test_he_is_kept_from_weights_to_weights_and_the_default_is_named_with_its_cure():
    """Means of 400 networks; bounds of more than six standard errors."""

    def default():
        return nn.Sequential(nn.Linear(64, 64, bias=False), nn.ReLU(), nn.Linear(64, 64, bias=False), nn.ReLU())

    x = torch.ones(1, 64)
    gains = vp.module_gains(simulate(default, x, n_networks=400)).set_index("module")
    assert gains.loc[["0", "2"], "std_factor"].tolist() == pytest.approx([6**0.5] * 2, rel=0.05)
    verdicts = vp.verify(simulate(default, x, n_networks=400), theory="preserved", margin=0.1)
    assert set(verdicts["verdict"]) == {"refuted"}

    def cured():
        model = default()
        for i in (0, 2):
            nn.init.kaiming_normal_(model[i].weight)
        return model

    cure = vp.module_gains(simulate(cured, x, n_networks=400)).set_index("module")
    assert cure.loc[["0", "2"], "std_factor"].tolist() == pytest.approx([1, 1], abs=0.05)


def test_the_command_reports_a_model(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from varprop.cli.app import app

    (tmp_path / "model_of_a_user.py").write_text(
        "from torch import nn\n\ndef build():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path), *__import__("sys").path])
    arguments = ["audit-model", "model_of_a_user:build", "--input", "3x8x8", "--batch", "4", "--networks", "10"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "1 (BatchNorm2d) undoes the scale of these weights" in done.stdout
    wrong = CliRunner().invoke(app, [*arguments[:3], "5x8x8"])
    assert wrong.exit_code == 2
    assert "with inputs of shape (16, 5, 8, 8)" in wrong.stderr
