"""Planted faults are found and named, correct initialisers are left alone, and what is no array of weights is told."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import varprop as vp
from varprop.model.initializers import as_initializer
from varprop.model.laws import Fans, Reading, channels_first, channels_last
from varprop.verification.audit.causes import CAUSES, hypotheses
from varprop.verification.audit.parts import MEANINGS

TRUNCATED_STD = 0.8796256610342398  # of a standard normal cut at two standard deviations: erf and exp, by hand
DRAWS = 100_000
MATRICES = [(64, 100), (96, 40), (30, 200), (256, 60)]
KERNELS = [(32, 16, 3, 3), (24, 8, 5), (64, 12, 5, 5), (18, 10, 3)]
GROUPED = [(32, 5, 3, 3), (64, 12, 5), (48, 3, 3, 3), (16, 10, 3)]
PACKED = [(3 * 50, 50), (2 * 64, 40), (4 * 30, 70), (3 * 32, 70)]


def normal(std):
    return lambda shape, rng: rng.normal(0.0, std, shape)


def uniform(limit):
    return lambda shape, rng: rng.uniform(-limit, limit, shape)


def truncated(std):
    def draw(shape, rng):
        draws = rng.standard_normal(shape)
        while (outside := np.abs(draws) > 2).any():
            draws[outside] = rng.standard_normal(int(outside.sum()))
        return std * draws

    return draw


def repeated(std):
    kept = {}
    return lambda shape, rng: kept.setdefault(shape, rng.normal(0.0, std, shape))


def square(std):
    """Its own transpose in the square part."""

    def draw(shape, rng):
        w, n = rng.normal(0.0, std, shape), min(shape)
        w[:n, :n] = np.tril(w[:n, :n]) + np.tril(w[:n, :n], -1).T
        return w

    return draw


def two_rows(std, sign):
    def draw(shape, rng):
        w = rng.normal(0.0, std, shape)
        w[-1] = sign * w[2]
        return w

    return draw


def permuted(std):
    kept = {}
    return lambda shape, rng: rng.permutation(kept.setdefault(shape, rng.normal(0.0, std, math.prod(shape)))).reshape(
        shape
    )


def periodic(std, period):
    """A stream that begins anew after so many numbers."""
    numbers, position = (
        std * np.random.default_rng(np.random.SeedSequence(3)).standard_normal(period),
        iter(range(10**9)),
    )

    def draw(shape, rng):
        return numbers[[next(position) % period for _ in range(math.prod(shape))]].reshape(shape)

    return draw


def matrix(law, faulty):
    """A fault for every matrix: the law, and what is drawn for fan_in and fan_out."""
    return [(law, shape, {}, faulty(shape[1], shape[0])) for shape in MATRICES]


def kernel(law, faulty):
    return [(law, shape, {}, faulty(shape, math.prod(shape[2:]))) for shape in KERNELS]


PLANTED = {
    "same_array": matrix("he_normal", lambda fan_in, _: repeated(math.sqrt(2 / fan_in))),
    "symmetric_matrix": [("he_normal", (n, n), {}, square(math.sqrt(2 / n))) for n in (16, 50, 64, 200)],
    "equal_lines": [
        ("he_normal", (64, 64), {}, two_rows(math.sqrt(2 / 64), 1)),
        ("he_normal", (64, 100), {}, two_rows(math.sqrt(2 / 100), -1)),
        ("he_normal", (200, 30), {}, lambda shape, rng: two_rows(math.sqrt(2 / 30), 1)(shape[::-1], rng).T),
        ("he_normal", (32, 8, 3, 3), {}, two_rows(math.sqrt(2 / 72), 1)),
    ],
    "permuted_array": matrix("he_normal", lambda fan_in, _: permuted(math.sqrt(2 / fan_in))),
    "replayed_numbers": [
        ("he_normal", shape, {}, periodic(math.sqrt(2 / shape[1]), period))
        for shape, period in zip(MATRICES, (10_007, 20_011, 10_007, 40_009), strict=True)
    ],
    "transposed_layout": kernel("he_normal", lambda shape, _: normal(math.sqrt(2 / math.prod(shape[:-2]) / shape[-2]))),
    "fan_in_used": matrix("xavier_normal", lambda fan_in, _: normal(math.sqrt(1 / fan_in))),
    "fan_out_used": matrix("he_normal", lambda _, fan_out: normal(math.sqrt(2 / fan_out))),
    "fan_avg_used": matrix("he_uniform", lambda fan_in, fan_out: uniform(math.sqrt(12 / (fan_in + fan_out)))),
    "receptive_field_forgotten": kernel("he_uniform", lambda shape, _: uniform(math.sqrt(6 / shape[1]))),
    "groups_ignored": [
        (
            "xavier_uniform",
            shape,
            {"groups": 4 if shape[0] % 3 else 3},
            uniform(math.sqrt(6 / (shape[0] + shape[1]) / math.prod(shape[2:]))),
        )
        for shape in GROUPED
    ],
    "packed_projections": [
        ("xavier_uniform", shape, {"fan_out": shape[0] // k}, uniform(math.sqrt(6 / sum(shape))))
        for shape, k in zip(PACKED, (3, 2, 4, 3), strict=True)
    ],
    "truncation_not_corrected": matrix(
        {"name": "variance_scaling", "scale": 2.0, "distribution": "truncated_normal"},
        lambda fan_in, _: truncated(math.sqrt(2 / fan_in)),
    ),
    "bound_as_std": matrix("xavier_uniform", lambda fan_in, fan_out: normal(math.sqrt(6 / (fan_in + fan_out)))),
    "sqrt3_missing": matrix("he_uniform", lambda fan_in, _: uniform(math.sqrt(2 / fan_in))),
    "factor_2_missing": matrix("he_normal", lambda fan_in, _: normal(math.sqrt(1 / fan_in))),
}


def test_every_cause_is_planted():
    assert list(PLANTED) == list(CAUSES)


def test_every_cause_is_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "audit.md").read_text(encoding="utf-8")
    assert [cause for cause in CAUSES if f"`{cause}`" not in page] == []


@pytest.mark.false_alarm(1e-7)
@pytest.mark.parametrize("cause", PLANTED)
@pytest.mark.parametrize("case", range(4))
def test_a_planted_fault_is_found_and_named(cause, case, rng):
    """At 100,000 draws a margin of 5 % is 10.9 standard errors or more, of which the verdict takes 5.3: missed with 1e-7.

    Fans are chosen so that no cause that is preferred predicts the same.
    """
    law, shape, fans, faulty = PLANTED[cause][case]
    result = vp.audit(faulty, shape, law=law, **fans, n_draws=DRAWS, margin=0.05, rng=rng)
    assert (result.verdict, result.cause) == ("refuted", cause), str(result)
    assert result.note
    assert result.n_draws <= 10**6


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("shape", "came"), [((64, 100), (100, 64)), ((8, 4, 3, 3), (3, 3, 4, 8)), ((8, 4, 3), (4, 8, 3)), ((5, 1), (1, 5))]
)
def test_an_array_in_another_layout_is_named(shape, came, rng):
    result = vp.audit(lambda _: np.zeros(came), shape, law="he_normal", rng=rng)
    assert (result.verdict, result.cause) == ("refuted", "transposed_layout")


LAWS = [
    "xavier_normal",
    "he_uniform",
    "torch_linear",
    {"name": "truncated_normal", "std": 0.1},
    {"name": "rademacher", "std": 0.1},
    {"name": "student_t", "std": 0.1, "df": 9},
    {"name": "sparse", "std": 0.1, "density": 0.6},
    {"name": "constant", "value": 0.3},
    "zeros",
    "orthogonal",
    {"name": "orthogonal", "gain": 3.0},
]


@pytest.mark.false_alarm(1e-8)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: as_initializer(law).label)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_correct_initialiser_is_supported(law, dtype, rng):
    """False alarm at most alpha, 1e-8 a case, of a dependence where there is none. The law with the heaviest tails is 15
    standard errors from its margin, of which the verdict takes 6.2."""
    stated = as_initializer(law)

    def draw(shape, rng):
        return stated.sample(shape, fan_in=shape[1], fan_out=shape[0], rng=rng, dtype=dtype)

    result = vp.audit(draw, (40, 60), law=law, n_draws=400_000, margin=0.05, alpha=1e-8, rng=rng)
    assert (result.verdict, result.cause, result.candidates) == ("supported", None, ()), str(result)


@pytest.mark.false_alarm(1e-6)
@pytest.mark.parametrize("factor", [0.98, 1.02])
@pytest.mark.parametrize("law", ["he_normal", "he_uniform"])
def test_two_per_cent_of_the_standard_deviation_are_found(law, factor, rng):
    """At the default of 10^6 draws the variance lies 14 standard errors beyond the margin, of which the inequalities that
    refute it take 8; missed with probability 1e-9.

    False alarm 1e-6, the default of alpha, by which a right one is refuted.
    """
    stated = as_initializer(law)
    result = vp.audit(
        lambda shape, rng: factor * stated.sample(shape, fan_in=shape[1], fan_out=shape[0], rng=rng),
        (128, 256),
        law=law,
        rng=rng,
    )
    assert (result.verdict, result.cause) == ("refuted", None)
    assert vp.audit(stated, (128, 256), law=law, rng=rng).verdict == "supported"


@pytest.mark.false_alarm(2e-7)
def test_correct_initialisers_are_hardly_ever_refuted(rng):
    """200 audits at alpha 1e-9: any refutation has probability below 2e-7."""
    for _ in range(200):
        result = vp.audit(as_initializer("he_uniform"), (8, 12), law="he_uniform", n_draws=1000, alpha=1e-9, rng=rng)
        assert result.verdict != "refuted"
        assert result.cause is None


@pytest.mark.false_alarm(2e-6)
@pytest.mark.montecarlo
@pytest.mark.parametrize("ratio", [1.0, 1.02])
def test_the_declared_rate_holds(ratio, fresh_seed):
    """10,000 audits at alpha 1 %, of correct draws and of a variance right on the margin: 148 refuted have probability 1e-6."""
    rng = np.random.default_rng(fresh_seed)
    std = math.sqrt(ratio * 2 / 40)
    results = [
        vp.audit(normal(std), (50, 40), law="he_normal", n_draws=10_000, alpha=0.01, rng=rng) for _ in range(10_000)
    ]
    assert sum(result.verdict == "refuted" for result in results) <= 148
    assert sum(result.cause is not None for result in results) <= 148


LAWS = {
    name: as_initializer(name)
    for name in ("he_normal", "he_uniform", "lecun_normal", "xavier_uniform", "torch_linear", "orthogonal")
} | {
    "normal": as_initializer({"name": "normal", "std": 0.02}),
    "uniform": as_initializer({"name": "uniform", "limit": 0.05}),
    "truncated": as_initializer({"name": "truncated_normal", "std": 0.05}),
    "rademacher": as_initializer({"name": "rademacher", "std": 0.1}),
    "sparse": as_initializer({"name": "sparse", "std": 0.5, "density": 0.2}),
    "student": as_initializer({"name": "student_t", "std": 0.1, "df": 9}),
    "constant": as_initializer({"name": "constant", "value": 0.1}),
}
SHAPES = [(2, 3), (16, 16), (64, 48), (128, 256), (1, 40), (300, 20), (16, 8, 3, 3)]


@pytest.mark.false_alarm(1e-6)
@pytest.mark.montecarlo
def test_no_law_and_no_shape_is_refuted_too_often(fresh_seed):
    """2,000 audits at alpha 1 % over 13 laws and 7 shapes: 46 refuted, or 46 causes, have probability 1e-6 at most.

    Control: with a std that is 3 % too large for its margin most are refuted.
    """
    cases = [(law, shape) for law in LAWS.values() for shape in SHAPES if law.name != "orthogonal" or len(shape) == 2]
    rng = np.random.default_rng(fresh_seed)
    results = [
        vp.audit(law, shape, law=law, n_draws=100_000, alpha=0.01, rng=rng)
        for law, shape in itertools.islice(itertools.cycle(cases), 2000)
    ]
    assert sum(result.verdict == "refuted" for result in results) < 46
    assert sum(result.cause is not None for result in results) < 46
    assert sum(result.verdict == "supported" for result in results) > 1000
    wrong = [vp.audit(normal(0.0206), (64, 48), law=LAWS["normal"], alpha=0.01, rng=rng) for _ in range(20)]
    assert all(result.verdict == "refuted" for result in wrong)


@pytest.mark.false_alarm(1e-7)
def test_causes_that_predict_the_same_are_all_told(rng):
    result = vp.audit(normal(math.sqrt(2 / 200)), (200, 100), law="he_normal", n_draws=DRAWS, margin=0.05, rng=rng)
    assert result.cause == "fan_out_used"
    assert "factor_2_missing would give the same" in result.note


@pytest.mark.false_alarm(1e-6)
def test_a_square_matrix_cannot_tell_its_fans_apart(rng):
    result = vp.audit(normal(math.sqrt(2 / 90)), (90, 90), law="he_normal", n_draws=DRAWS, margin=0.05, rng=rng)
    assert result.verdict == "supported"
    causes = {one.cause for one in hypotheses(as_initializer("he_normal"), (90, 90), channels_first((90, 90)).fans, 1)}
    assert not causes & {"fan_out_used", "fan_avg_used", "transposed_layout"}


def test_no_prediction_is_the_law_itself():
    for name in ("he_normal", "xavier_uniform", "torch_linear"):
        law = as_initializer(name)
        for shape in (*MATRICES, *KERNELS):
            fans = channels_first(shape).fans
            assert all(one.law.law != law.law for one in hypotheses(law, shape, fans, 1))


def test_layouts():
    assert channels_first((64, 16, 3, 5)) == Reading(Fans(16 * 15, 64 * 15), 15)
    assert channels_last((3, 5, 16, 64)) == Reading(Fans(16 * 15, 64 * 15), 15)
    assert channels_first((64, 4, 3), groups=4).fans == (12, 48)


@pytest.mark.false_alarm(1e-6)
def test_a_truncated_law_for_a_normal_one_is_close_and_said_to_be(rng):
    """The distance is 0.017, within the default of 0.05; the cut shows in the extremes with certainty."""
    result = vp.audit(
        truncated(math.sqrt(2 / 100) / TRUNCATED_STD), (64, 100), law="he_normal", n_draws=DRAWS, margin=0.05, rng=rng
    )
    assert result.verdict == "supported"
    assert "within the margins" in result.note
    assert result.pvalue < 1e-6


@pytest.mark.false_alarm(1e-12)
def test_draws_beyond_the_bounds_refute(rng):
    result = vp.audit(truncated(0.1), (64, 100), law={"name": "uniform", "limit": 0.15}, n_draws=DRAWS, rng=rng)
    frame = result.to_frame().set_index("part")
    assert frame.loc["bounds", "verdict"] == "refuted"


@pytest.mark.false_alarm(1e-7)
def test_dependent_entries_are_told_and_have_no_other_cause(rng):
    """Every row shares a term that is half of its variance, so that no two rows are alike."""

    def rows_together(shape, rng):
        w = rng.normal(0.0, math.sqrt(1 / shape[1]), shape)
        return w + rng.normal(0.0, math.sqrt(1 / shape[1]), (shape[0], 1))

    result = vp.audit(rows_together, (64, 100), law="he_normal", n_draws=DRAWS, margin=0.05, rng=rng)
    assert (result.verdict, result.cause) == ("refuted", None)
    assert "depend on each other" in result.note


@pytest.mark.false_alarm(1e-12)
def test_two_arrays_in_turn_are_the_same_array_again(rng):
    both = [rng.normal(0.0, math.sqrt(2 / 100), (64, 100)) for _ in range(2)]
    turn = iter(range(10**6))
    result = vp.audit(lambda _: both[next(turn) % 2], (64, 100), law="he_normal", rng=rng)
    assert result.cause == "same_array"


@pytest.mark.false_alarm(1e-6)
def test_of_large_arrays_random_rows_are_looked_at(rng):
    """Only the last rows are wrong: half of them, so that some 150 of 300 rows looked at are; missed never."""

    def half_wrong(shape, rng):
        draws = rng.normal(0.0, math.sqrt(2 / shape[1]), shape)
        draws[shape[0] // 2 :] *= 2
        return draws

    result = vp.audit(half_wrong, (3000, 200), law="he_normal", n_draws=120_000, rng=rng)
    assert result.verdict == "refuted"
    assert (result.n_calls, result.n_draws) == (2, 120_000)
    right = vp.audit(as_initializer("he_uniform"), (3000, 200), law="he_uniform", n_draws=120_000, margin=0.05, rng=rng)
    assert right.verdict == "supported"


# ---- what comes back -----------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("returned", "part", "told"),
    [
        (np.zeros(3), "shape", "not heeded"),
        (0.5, "shape", "not heeded"),
        (np.full((4, 6), np.nan), "values", "not finite"),
        (np.full((4, 6), np.inf), "values", "not finite"),
        (np.zeros((4, 6), dtype=int), "values", "integers"),
        (np.zeros((4, 6)), "values", "every entry"),
    ],
)
def test_a_fault_at_sight_is_refuted_and_told(returned, part, told, rng):
    result = vp.audit(lambda _: returned, (4, 6), law="he_normal", rng=rng)
    assert (result.verdict, result.cause) == ("refuted", None)
    assert result.to_frame()["part"].tolist() == [part]
    assert told in result.note
    assert told in str(result)


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("returned", "error", "told"),
    [
        (None, TypeError, "return the array that was filled"),
        ("weights", TypeError, "real numbers"),
        (np.zeros((4, 6), dtype=bool), TypeError, "real numbers"),
        (np.zeros((4, 6), dtype=complex), TypeError, "real numbers"),
        ([[1.0], [1.0, 2.0]], TypeError, "real numbers"),
        (np.zeros((4, 6), dtype=np.float16), ValueError, "float32"),
    ],
)
def test_what_is_no_array_of_weights_is_an_error(returned, error, told, rng):
    with pytest.raises(error, match=told):
        vp.audit(lambda _: returned, (4, 6), law="he_normal", rng=rng)


class Tensor:
    """As PyTorch's: no array while it is being trained."""

    def __init__(self, array, *, trained=True):
        self.array, self.trained = array, trained

    def detach(self):
        return Tensor(self.array, trained=False)

    def cpu(self):
        return self

    def __array__(self, dtype=None, copy=None):
        if self.trained:
            msg = "requires grad"
            raise RuntimeError(msg)
        return np.asarray(self.array, dtype=dtype)


@pytest.mark.false_alarm(1e-6)
def test_a_tensor_is_taken_for_its_numbers(rng):
    draw = normal(math.sqrt(2 / 60))
    result = vp.audit(
        lambda shape: Tensor(draw(shape, rng)), (40, 60), law="he_normal", n_draws=DRAWS, margin=0.05, rng=rng
    )
    assert result.verdict == "supported"


@pytest.mark.false_alarm(1e-6)
def test_whole_numbers_are_right_where_the_law_has_them(rng):
    assert vp.audit(lambda shape: np.zeros(shape, int), (5,), law="zeros", rng=rng).verdict == "supported"
    assert vp.audit(lambda shape: np.ones(shape, int), 5, law="zeros", rng=rng).verdict == "refuted"
    signs = {"name": "rademacher", "std": 1.0}
    assert vp.audit(lambda s, rng: rng.choice([-1, 1], s), (60, 40), law=signs, rng=rng).verdict == "supported"


@pytest.mark.false_alarm(1e-6)
def test_a_law_of_ones_own_needs_its_variance_and_no_more(rng):
    draw = normal(0.1)
    law = as_initializer(draw, name="own", variance=0.01)
    assert vp.audit(draw, (40, 60), law=law, n_draws=DRAWS, margin=0.05, rng=rng).verdict == "supported"
    assert vp.audit(normal(0.12), (40, 60), law=law, n_draws=DRAWS, margin=0.05, rng=rng).verdict == "refuted"
    with pytest.raises(ValueError, match="variance of 'own'"):
        vp.audit(draw, (40, 60), law=as_initializer(draw, name="own"), rng=rng)


@pytest.mark.false_alarm(1e-6)
def test_too_few_draws_are_inconclusive_and_it_is_told_how_many_would_do(rng):
    result = vp.audit(as_initializer("he_normal"), (40, 60), law="he_normal", n_draws=10_000, rng=rng)
    assert result.verdict == "inconclusive"
    needed = int(result.note.split()[1].replace(",", ""))
    assert 10_000 < needed < 10**7


@pytest.mark.false_alarm(1e-6)
def test_a_cause_that_takes_more_draws_is_no_cause_yet(rng):
    """20,000 draws refute a missing factor 2, but show no variance to within 2 %: 2 standard errors."""
    result = vp.audit(normal(math.sqrt(1 / 60)), (40, 60), law="he_normal", n_draws=20_000, rng=rng)
    assert (result.verdict, result.cause) == ("refuted", None)
    assert "more draws would tell" in result.note
    assert "factor_2_missing" in result.note


@pytest.mark.false_alarm(0)
def test_the_same_seed_gives_the_same_audit():
    first, again = (
        vp.audit(as_initializer("he_normal"), (40, 60), law="he_normal", n_draws=20_000, rng=7) for _ in range(2)
    )
    assert first == again


@pytest.mark.false_alarm(0)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"shape": ()}, "shape"),
        ({"shape": (0, 3)}, "shape"),
        ({"shape": (2.5, 3)}, "shape"),
        ({"shape": (True, 3)}, "shape"),
        ({"shape": (5,)}, "fan_in and fan_out"),
        ({"fan_in": 0}, "fan_in"),
        ({"groups": 0}, "groups"),
        ({"n_draws": 1}, "n_draws"),
        ({"margin": 0.0}, "margin"),
        ({"margin": math.nan}, "margin"),
        ({"distance": 1.0}, "distance"),
        ({"alpha": 0.0}, "alpha"),
        ({"law": "he_norml"}, "he_normal"),
        ({"law": {"name": "student_t", "std": 1.0, "df": 4}}, "fourth moment"),
        ({"law": "orthogonal", "shape": (5,), "fan_in": 5, "fan_out": 5}, "matrices"),
    ],
)
def test_what_makes_no_audit_is_refused(options, told, rng):
    arguments = {"shape": (4, 6), "law": "he_normal", "rng": rng} | options
    shape = arguments.pop("shape")
    with pytest.raises(ValueError, match=told):
        vp.audit(np.zeros, shape, **arguments)


@pytest.mark.false_alarm(0)
def test_what_cannot_be_called_is_refused(rng):
    with pytest.raises(TypeError, match="takes a shape"):
        vp.audit(np.zeros((4, 6)), (4, 6), law="he_normal", rng=rng)


@pytest.mark.false_alarm(1e-10)
def test_frame_and_text_have_every_part(rng):
    result = vp.audit(normal(0.3), (40, 60), law="he_normal", n_draws=DRAWS, margin=0.05, rng=rng)
    frame = result.to_frame()
    expected = "mean variance distribution bounds repeats permutation replay lines independence"
    assert frame["part"].tolist() == expected.split()
    assert set(frame["part"]) <= set(MEANINGS)
    assert frame.loc[frame["part"] == "variance", "estimate"].item() == pytest.approx(0.09, rel=0.03)
    text = str(result)
    assert all(name in text for name in (*frame["part"], result.verdict, "he_normal"))
    assert all(candidate.cause in text for candidate in result.candidates)


@pytest.mark.false_alarm(1e-7)
def test_a_notebook_is_shown_the_verdict_the_cause_and_the_parts_as_text(rng):
    """The variance is 100/64 of the law's, which 100,000 draws tell from it as surely as the planted faults."""

    def mine(shape, rng):
        return rng.normal(0.0, (2 / shape[0]) ** 0.5, shape)

    mine.__name__ = "<script>"
    found = vp.audit(mine, (64, 100), law="he_normal", n_draws=DRAWS, margin=0.05, rng=rng)
    assert (
        repr(found)
        == f"Audit({found.initializer} (64, 100) against he_normal: 'refuted', cause 'fan_out_used', {found.n_draws:,} draws)"
    )
    html = found._repr_html_()
    assert "✗ refuted" in html
    assert "fan_out_used" in html
    assert all(part.name in html for part in found.parts)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
