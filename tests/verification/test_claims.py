"""A claim cannot exist in a wrong state, and says what is wrong with it."""

import math

import pytest

from varprop.verification.claims import TESTS, Claim, claim_problems

GOOD = {"id": "he.forward", "quantity": "preactivation_second_moment", "test": "step_mean", "theory": "he"}


def test_a_good_claim_has_no_problem():
    assert not claim_problems(**{key: value for key, value in GOOD.items() if key != "id"})
    assert Claim(**GOOD).margin == 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": "step_means"}, "did you mean 'step_mean'"),
        ({"quantity": "preactivation_second_momnt"}, "did you mean 'preactivation_second_moment'"),
        ({"quantity": "activation_mean"}, "does not go with test 'step_mean'"),
        ({"theory": None}, "is missing"),
        ({"theory": "hee"}, "did you mean 'he'"),
        ({"margin": 0}, "margin must be a number > 0"),
        ({"margin": float("nan")}, "margin must be"),
        ({"expect": "suported"}, "did you mean 'supported'"),
        ({"layers": (5, 2)}, "first and last layer"),
        ({"below": 0.5}, "goes with tests directional, typical_directional, level only"),
        ({"test": "directional"}, "theory"),
        ({"test": "directional", "theory": None}, "one of them"),
        ({"test": "directional", "theory": None, "below": 1.0, "above": 2.0}, "one of them"),
        ({"test": "directional", "theory": None, "above": -1.0}, "the factor per layer"),
        ({"test": "zero_mean", "quantity": "activation_mean"}, "compares with no prediction"),
        ({"test": "weights_law", "quantity": "weights", "theory": "mean-field"}, "prescribes no variance"),
        ({"test": "pivot_law", "quantity": "pivot"}, "compares with no prediction"),
        ({"test": "identity", "quantity": "preactivation_variance"}, "is held against 0"),
        ({"test": "band", "theory": None}, "is missing"),
        ({"equals": 1.0}, "equals goes with test 'identity' only"),
        ({"test": "identity", "equals": 1.0}, "keep one of the two"),
        ({"test": "identity", "theory": None, "equals": float("inf")}, "equals must be a finite number, got inf"),
        ({"test": "identity", "theory": None, "equals": True}, "equals must be a finite number, got True"),
        ({"test": "identity", "quantity": "gradient_variance", "theory": None, "equals": 0.0}, "held against 0"),
        ({"test": "identity", "quantity": "weight_change"}, "theory does not go with weight_change"),
        ({"reason": "orthogonal"}, "reason goes with test 'identity' only"),
        ({"share": 0.9}, "share goes with test 'identity' only"),
        ({"test": "identity", "theory": None, "reason": "orthogonals"}, "did you mean 'orthogonal'?"),
        ({"test": "identity", "theory": None, "reason": "equal-units"}, "says nothing of preactivation_second_moment"),
        ({"test": "identity", "theory": None, "reason": "orthogonal", "share": 0.9}, "do not go together"),
        ({"test": "identity", "theory": None, "share": 0.0}, "share must be a number > 0 and at most 1, got 0.0"),
        ({"test": "identity", "theory": None, "share": 1.5}, "share must be a number > 0 and at most 1, got 1.5"),
        ({"test": "identity", "theory": None, "share": True}, "share must be a number"),
        ({"quantity": "most_distinct_rows"}, "does not go with test 'step_mean'"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Claim(**(GOOD | change))


def test_every_problem_is_reported_at_once():
    found = claim_problems(quantity="nothing", test="step_mean", theory="nobody", margin=-1, expect="maybe", layers=[0])
    assert set(found) == {"quantity", "theory", "margin", "expect", "layers"}


def test_a_claim_knows_its_layers_and_its_margin():
    claim = Claim(**GOOD, layers=(2, 4), margin=0.1)
    assert [claim.covers((layer, "0")) for layer in (1, 2, 4, 5)] == [False, True, True, False]
    assert Claim(**GOOD).covers((99, "7"))
    assert math.exp(claim.log_margin) == pytest.approx(1.1)


@pytest.mark.parametrize("test", ["identity", "weights_law"])
def test_a_theory_may_be_left_out(test):
    quantity = TESTS[test].quantities[-1]
    assert Claim(id="x", test=test, quantity=quantity).theory is None
    assert Claim(id="x", test=test, quantity=quantity, theory="he").theory == "he"


WITHOUT_MARGIN = {"directional", "typical_directional", "level", "identity"}
HALF_WIDTHS = {"zero_mean": 0.25, "pivot_law": 0.25, "exact_law": 0.25, "dead_rate": 0.25}


@pytest.mark.parametrize("name", sorted(TESTS))
def test_a_margin_is_measured_in_the_unit_of_its_test(name):
    rule = TESTS[name]
    parts = {"theory": "he" if rule.theory == "required" else None}
    parts |= {"below": 0.5} if name in {"directional", "typical_directional", "level"} else {}
    claim = Claim(id=name, quantity=rule.quantities[0], test=name, margin=0.25, **parts)
    assert (rule.margin is None) == math.isnan(claim.shown_margin) == (name in WITHOUT_MARGIN)
    if rule.margin:
        assert claim.shown_margin == 0.25
        assert claim.half_width == pytest.approx(HALF_WIDTHS.get(name, math.log(1.25)))
