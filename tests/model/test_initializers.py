"""Initializers: moments against their distribution functions, draws against both, and errors."""

import math
import pickle

import cloudpickle
import numpy as np
import pytest
from scipy import integrate

import varprop as vp
from varprop.model.initializers import Initializer, as_initializer, get_initializer, initializer_names

FANS = {"fan_in": 60, "fan_out": 25}
PARAMETERS = {
    "constant": {"value": 0.3},
    "normal": {"std": 0.05},
    "uniform": {"limit": 0.1},
    "truncated_normal": {"std": 0.05},
    "rademacher": {"std": 0.05},
    "student_t": {"std": 0.05},
    "sparse": {"std": 0.05},
}
EVERY = [get_initializer(name, **PARAMETERS.get(name, {})) for name in initializer_names()] + [
    get_initializer("variance_scaling", scale=2.0, mode=mode, distribution=distribution)
    for mode, distribution in [("fan_out", "truncated_normal"), ("fan_avg", "uniform"), ("fan_in", "normal")]
]
# Atoms, heavy tails and entries that depend on each other need tests of their own: test_laws has them.
OTHERS = {"orthogonal", "rademacher", "sparse", "student_t"}
SPREAD = [i for i in EVERY if i.variance(**FANS) > 0 and i.name not in OTHERS]
laws = pytest.mark.parametrize("initializer", SPREAD, ids=lambda i: i.label)
floats = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# Var(w), by hand, at fan_in 60 and fan_out 25; of a standard normal cut at +-2, 0.7737413 (a published constant).
CUT = 0.7737413035760703
BY_HAND = {
    "constant": 0.0,
    "he_normal": 2 / 60,
    "he_uniform": 2 / 60,
    "lecun_normal": 1 / 60,
    "lecun_uniform": 1 / 60,
    "normal": 0.05**2,
    "orthogonal": 1 / 60,
    "rademacher": 0.05**2,
    "sparse": 0.05**2,
    "student_t": 0.05**2,
    "torch_linear": 1 / 180,
    "truncated_normal": 0.05**2 * CUT,
    "uniform": 0.1**2 / 3,
    "variance_scaling": 1 / 60,
    "xavier_normal": 2 / 85,
    "xavier_uniform": 2 / 85,
    "zeros": 0.0,
}


def raw_moment(initializer, power):
    """E |w|^power of a symmetric law, from its distribution function alone."""
    far = 10 * math.sqrt(initializer.variance(**FANS))

    def integrand(x):
        below, above = initializer.cdf(np.array([-x, x]), **FANS)
        return power * x ** (power - 1) * (below + 1 - above)

    edges = [math.sqrt(initializer.variance(**FANS)) * ratio for ratio in (math.sqrt(3), 2 / math.sqrt(CUT))]
    return integrate.quad(integrand, 0, far, points=edges, limit=400, epsabs=0, epsrel=1e-11)[0]


def variance_score(draws, variance, kurtosis):
    """Standardised mean square of draws with these claimed moments: N(0, 1) if the claim is true."""
    return (np.mean(np.square(draws, dtype=np.float64)) / variance - 1) / math.sqrt((kurtosis - 1) / draws.size)


def law_distance(draws, initializer, fans):
    """Kolmogorov's statistic times sqrt(n)."""
    values = np.sort(draws, axis=None).astype(np.float64)
    cdf, n = initializer.cdf(values, **fans), values.size
    ranks = np.arange(n + 1) / n
    return math.sqrt(n) * max((ranks[1:] - cdf).max(), (cdf - ranks[:-1]).max())


def test_variances_by_hand():
    found = {name: get_initializer(name, **PARAMETERS.get(name, {})).variance(**FANS) for name in initializer_names()}
    assert found == pytest.approx(BY_HAND, rel=1e-14)


@pytest.mark.parametrize("distribution", ["normal", "rademacher", "truncated_normal", "uniform"])
@pytest.mark.parametrize(("mode", "n"), [("fan_in", 60), ("fan_out", 25), ("fan_avg", 42.5)])
def test_variance_scaling_has_the_variance_it_says(mode, n, distribution):
    scaled = get_initializer("variance_scaling", scale=2.0, mode=mode, distribution=distribution)
    assert scaled.variance(**FANS) == pytest.approx(2 / n, rel=1e-14)


def test_published_constants():
    # PyTorch's nn.Linear and its kaiming_uniform_ bound at fan_in 100; the divisor in Keras' VarianceScaling.
    assert get_initializer("torch_linear").variance(**FANS) * 60 == pytest.approx(1 / 3, rel=1e-14)
    draws = get_initializer("kaiming_uniform").sample((50, 2000), fan_in=100, fan_out=50, rng=1)
    assert draws.max() == pytest.approx(0.2449489742783178, rel=1e-3)
    parent = get_initializer("truncated_normal", std=1.0)
    assert math.sqrt(parent.variance(**FANS)) == pytest.approx(0.8796256610342398, rel=1e-13)
    assert parent.kurtosis(**FANS) - 3 == pytest.approx(-0.6344633, abs=5e-8)


@laws
def test_moments_agree_with_the_distribution_function(initializer):
    variance = raw_moment(initializer, 2)
    assert initializer.variance(**FANS) == pytest.approx(variance, rel=1e-9)
    assert initializer.kurtosis(**FANS) == pytest.approx(raw_moment(initializer, 4) / variance**2, rel=1e-9)
    assert initializer.mean(**FANS) == 0
    x = np.linspace(-0.5, 0.5, 41)
    assert initializer.cdf(x, **FANS) + initializer.cdf(-x, **FANS) == pytest.approx(1, abs=1e-15)


@pytest.mark.false_alarm(1e-8)
@floats
@laws
def test_draws_have_the_stated_law(initializer, dtype, rng):
    """Mean, mean square and Kolmogorov distance of 425,000 draws.

    False alarm 1e-8 a case: 2e-9 for each of the first two (two-sided, 6 standard errors) and 2 exp(-2 * 3.2^2) = 2.6e-9.
    """
    draws = initializer.sample((283, 25, 60), **FANS, rng=rng, dtype=dtype)
    assert draws.dtype == dtype
    variance, kurtosis = initializer.variance(**FANS), initializer.kurtosis(**FANS)
    assert abs(draws.mean(dtype=np.float64)) / math.sqrt(variance / draws.size) < 6.0
    assert abs(variance_score(draws, variance, kurtosis)) < 6.0
    assert law_distance(draws, initializer, FANS) < 3.2


@pytest.mark.false_alarm(0)
def test_the_wrong_law_is_found_out(rng):
    """Negative control of the test above: each wrong claim is far outside what it allows."""
    cut = get_initializer("truncated_normal", std=0.05)
    draws = cut.sample((283, 25, 60), **FANS, rng=rng)
    assert variance_score(draws, 0.05**2, 3.0) < -50  # taken for the parent's variance
    assert law_distance(draws, get_initializer("normal", std=0.05), FANS) > 5
    for name in ("he_normal", "lecun_uniform", "torch_linear"):
        law = get_initializer(name)
        draws = law.sample((283, 25, 60), **FANS, rng=rng)
        swapped = {"fan_in": 25, "fan_out": 60}
        assert abs(variance_score(draws, law.variance(**swapped), law.kurtosis(**swapped))) > 50
        assert law_distance(draws, law, swapped) > 5
    uniform = get_initializer("he_uniform").sample((283, 25, 60), **FANS, rng=rng)
    assert law_distance(uniform, get_initializer("he_normal"), FANS) > 5


@pytest.mark.false_alarm(0)
@floats
def test_uniform_draws_are_exactly_symmetric(dtype, rng):
    # At limit 1 every draw is an odd multiple of 2^-24 (2^-53): the mirror image of each is as likely, 0 impossible.
    draws = get_initializer("uniform", limit=1.0).sample((10**5,), **FANS, rng=rng, dtype=dtype)
    units = draws.astype(np.float64) * 2.0 ** (24 if dtype is np.float32 else 53)
    assert np.all(units % 2 == 1)


class _Extreme(np.random.Generator):
    """A generator whose uniforms are the smallest and the largest there are."""

    def random(self, size=None, dtype=np.float64, out=None):  # noqa: ARG002  the signature is NumPy's
        low = np.zeros(size, dtype)
        low.flat[::2] = dtype(1) - np.finfo(dtype).epsneg
        return low


@pytest.mark.false_alarm(0)
@floats
def test_no_uniform_draw_exceeds_its_limit(dtype):
    extreme = _Extreme(np.random.PCG64(1))
    for fan_in in range(1, 400):
        fans = {"fan_in": fan_in, "fan_out": 7}
        draws = get_initializer("torch_linear").sample((4,), **fans, rng=extreme, dtype=dtype)
        assert np.abs(draws.astype(np.longdouble)).max() <= 1 / np.sqrt(np.longdouble(fan_in)) * (1 + 1e-16)
        assert draws.min() == -draws.max()


@pytest.mark.false_alarm(0)
@floats
def test_no_truncated_draw_exceeds_two_standard_deviations(dtype, rng):
    draws = get_initializer("truncated_normal", std=0.07).sample((200, 2000), **FANS, rng=rng, dtype=dtype)
    assert 0.1399 < float(np.abs(draws).max()) <= 0.14


def test_same_seed_same_draws():
    he = get_initializer("he_normal")
    one, two = (he.sample((3, 4), fan_in=4, fan_out=3, rng=2015) for _ in range(2))
    assert np.array_equal(one, two)


def test_constants():
    constant, zeros = get_initializer("constant", value=0.3), get_initializer("zeros")
    assert constant.mean(**FANS) == 0.3
    assert np.all(constant.sample((2, 3), **FANS, rng=1) == 0.3)
    assert zeros.cdf([-1e-9, 0.0, 1.0], **FANS).tolist() == [0.0, 1.0, 1.0]
    assert constant.cdf([0.2, 0.3], **FANS).tolist() == [0.0, 1.0]
    assert zeros.symmetric
    assert not constant.symmetric
    assert not zeros.gaussian
    assert not zeros.continuous
    for degenerate in (constant, zeros, get_initializer("normal", std=0.0)):
        with pytest.raises(ValueError, match="has variance 0, and so no kurtosis"):
            degenerate.kurtosis(**FANS)
    assert get_initializer("uniform", limit=0).cdf([-1.0, 0.0], **FANS).tolist() == [0.0, 1.0]


def test_other_names_are_the_same_objects():
    for other, name in (("glorot", "xavier"), ("kaiming", "he")):
        for law in ("normal", "uniform"):
            assert get_initializer(f"{other}_{law}") == get_initializer(f"{name}_{law}")
            assert get_initializer(f"{other}_{law}").label == f"{name}_{law}"


def test_labels():
    assert get_initializer("normal", std=0.05).label == "normal(std=0.05)"
    scaled = get_initializer("variance_scaling", scale=2, mode="fan_out")
    assert scaled.label == "variance_scaling(scale=2, mode=fan_out, distribution=normal)"


def test_which_are_gaussian():
    gaussian = {i.name for i in EVERY if i.gaussian}
    assert gaussian == {"he_normal", "lecun_normal", "normal", "variance_scaling", "xavier_normal"}
    assert not get_initializer("variance_scaling", distribution="uniform").gaussian


@pytest.mark.parametrize("initializer", EVERY, ids=lambda i: i.label)
def test_equality_hash_and_pickling(initializer):
    again = get_initializer(initializer.name, **dict(initializer.parameters))
    assert again == initializer
    assert hash(again) == hash(initializer)
    assert pickle.loads(pickle.dumps(initializer)) == initializer


def signs(shape, rng):
    return rng.choice([-0.1, 0.1], shape)


@pytest.mark.false_alarm(0)
def test_a_sampler_of_ones_own():
    own = as_initializer(signs, variance=0.01, kurtosis=1)
    assert (own.name, own.iid, own.gaussian, own.symmetric) == ("signs", False, False, False)
    assert (own.batched, own.continuous, own.for_biases) == (False, False, True)
    assert (own.mean(**FANS), own.variance(**FANS), own.kurtosis(**FANS)) == (0.0, 0.01, 1.0)
    draws = own.sample((25, 60), **FANS, rng=3, dtype=np.float32)
    assert draws.dtype == np.float32
    assert np.array_equal(draws, signs((25, 60), np.random.default_rng(3)).astype(np.float32))
    assert own.sample((25,), **FANS, rng=3).shape == (25,)  # biases
    by_fan = as_initializer(
        lambda shape, rng: rng.normal(size=shape), variance=lambda fan_in, fan_out: fan_in / fan_out
    )
    assert by_fan.variance(**FANS) == 60 / 25
    travelled = pickle.loads(cloudpickle.dumps(by_fan))
    assert np.array_equal(travelled.sample((25, 60), **FANS, rng=1), by_fan.sample((25, 60), **FANS, rng=1))


@pytest.mark.false_alarm(0)
def test_symmetry_is_what_the_author_of_a_sampler_states_and_changes_no_draw():
    plain, declared = (as_initializer(signs, variance=0.01, symmetric=stated) for stated in (False, True))
    assert (plain.symmetric, declared.symmetric) == (False, True)
    assert (plain.symmetry_declared, declared.symmetry_declared) == (False, True)
    assert not get_initializer("he_normal").symmetry_declared
    assert (declared.iid, declared.continuous, declared.label) == (False, False, plain.label)
    assert np.array_equal(declared.sample((25, 60), **FANS, rng=3), plain.sample((25, 60), **FANS, rng=3))
    nets = [vp.mlp([6] * 4, activation="relu", weights=weights) for weights in (plain, declared)]
    assert nets[0].describe() == nets[1].describe()  # which is what streams and stored samples are keyed by
    first, second = (vp.simulate(net, n_networks=20, rng=1).to_frame() for net in nets)
    assert first.equals(second)
    assert pickle.loads(pickle.dumps(declared)) == declared


def test_a_symmetric_law_has_mean_0():
    with pytest.raises(ValueError, match=r"symmetric about 0 has mean 0, got mean=0.3; leave out mean, or symmetric"):
        as_initializer(signs, variance=0.01, mean=0.3, symmetric=True)
    assert as_initializer(signs, variance=0.01, mean=0, symmetric=True).mean(**FANS) == 0.0
    for wrong in (1, "yes", None):
        with pytest.raises(TypeError, match="symmetric must be True or False"):
            as_initializer(signs, variance=0.01, symmetric=wrong)
    with pytest.raises(TypeError, match="a name, moments and symmetry are stated for a sampler"):
        as_initializer("he_normal", symmetric=True)


def test_what_is_not_stated_of_a_sampler_is_not_made_up():
    own = as_initializer(signs)
    for asked in (own.variance, own.mean):
        with pytest.raises(ValueError, match=r"variance of 'signs'.*as_initializer\(sampler, variance=0.01\)"):
            asked(**FANS)
    with pytest.raises(ValueError, match=r"kurtosis of 'signs'.*kurtosis=3.0"):
        own.kurtosis(**FANS)
    with pytest.raises(ValueError, match="distribution function of 'signs'"):
        own.cdf(0.0, **FANS)


@pytest.mark.parametrize(
    ("sampler", "shape", "message"),
    [
        (signs, (5, 25, 60), "one array at a time"),
        (signs, (60, 25), "one array at a time"),
        (lambda shape, rng: rng.normal(size=shape[::-1]), (25, 60), r"shape \(25, 60\), it returned float64 of shape"),
        (lambda shape, _rng: np.full(shape, "a"), (25, 60), "must return real numbers"),
        (lambda shape, _rng: np.full(shape, 1j), (25, 60), "must return real numbers"),
        (lambda shape, _rng: np.full(shape, np.nan), (25, 60), "of 1500, 1500 are not"),
    ],
)
def test_a_sampler_that_does_not_keep_its_promise(sampler, shape, message):
    with pytest.raises(ValueError, match=message):
        as_initializer(sampler).sample(shape, **FANS, rng=1)


def test_what_stands_for_an_initializer():
    he = get_initializer("he_normal")
    assert as_initializer(he) is he
    assert as_initializer("kaiming_normal") == he
    assert as_initializer({"name": "normal", "std": 0.1}) == get_initializer("normal", std=0.1)


@pytest.mark.parametrize(
    ("obj", "error", "message"),
    [
        ("he_norml", ValueError, "did you mean 'he_normal'"),
        ("Glorot_normal", ValueError, "did you mean 'glorot_normal'"),
        (3, TypeError, 'a name such as "he_normal"'),
        ({"std": 0.1}, ValueError, 'its "name"'),
        ("normal", ValueError, r"needs 'std': get_initializer\('normal', std="),
        ({"name": "normal", "std": -0.1}, ValueError, "std must be >= 0, got -0.1"),
        ({"name": "normal", "std": math.nan}, ValueError, "std must be finite"),
        ({"name": "normal", "std": "0.1"}, TypeError, "std must be a number"),
        ({"name": "constant", "value": math.inf}, ValueError, "value must be finite"),
        ({"name": "uniform", "limit": -1}, ValueError, "limit must be >= 0"),
        ({"name": "he_normal", "gain": 2}, ValueError, "no parameter 'gain'; it takes none"),
        ({"name": "variance_scaling", "mode": "fan"}, ValueError, "mode must be one of fan_in, fan_out, fan_avg"),
        ({"name": "variance_scaling", "distribution": "cauchy"}, ValueError, "distribution must be one of normal"),
        ({"name": "student_t", "std": 1, "df": 2}, ValueError, "df must be > 2, got 2"),
        ({"name": "sparse", "std": 1, "density": 0}, ValueError, r"density.*must lie in \(0, 1\], got 0"),
        ({"name": "sparse", "std": 1, "density": 1.1}, ValueError, r"must lie in \(0, 1\], got 1.1"),
        ({"name": "orthogonal", "gain": -1}, ValueError, "gain must be >= 0"),
        ({"name": "rademacher", "std": -1}, ValueError, "std must be >= 0"),
    ],
)
def test_what_does_not(obj, error, message):
    with pytest.raises(error, match=message):
        as_initializer(obj)


@pytest.mark.parametrize(
    ("stated", "error", "message"),
    [
        ({"variance": -1.0}, ValueError, "variance must be >= 0"),
        ({"kurtosis": 0.5}, ValueError, "never below 1"),
        ({"mean": math.nan}, ValueError, "mean must be finite"),
    ],
)
def test_stated_moments_are_possible_ones(stated, error, message):
    with pytest.raises(error, match=message):
        as_initializer(signs, **stated)
    with pytest.raises(TypeError, match="sampler of one's own only"):
        as_initializer("he_normal", **stated)


def test_a_stated_variance_is_checked_when_the_fans_are_known():
    with pytest.raises(ValueError, match="variance must be >= 0"):
        as_initializer(signs, variance=lambda fan_in, _fan_out: -fan_in).variance(**FANS)


@pytest.mark.parametrize(
    "fans", [{"fan_in": 0, "fan_out": 3}, {"fan_in": 3, "fan_out": -1}, {"fan_in": 2.5, "fan_out": 3}]
)
@pytest.mark.parametrize("name", ["he_normal", "zeros"])
def test_fans_are_positive_integers(name, fans):
    law = get_initializer(name)
    for ask in (law.mean, law.variance, law.kurtosis):
        with pytest.raises(ValueError, match=r"fan_(in|out) must be a positive integer"):
            ask(**fans)
    with pytest.raises(ValueError, match="must be a positive integer"):
        law.sample((3, 2), **fans, rng=1)


def test_other_dtypes_are_refused():
    with pytest.raises(ValueError, match="float32 or float64, got dtype float16"):
        get_initializer("he_normal").sample((3, 2), **FANS, rng=1, dtype=np.float16)


def test_it_cannot_exist_in_a_wrong_state():
    with pytest.raises(ValueError, match="non-empty string"):
        Initializer(name="", law=get_initializer("zeros").law)
    with pytest.raises(TypeError, match="must be a law"):
        Initializer(name="own", law=signs)
