"""Training as a value."""

import pytest

from varprop.model.inputs import Training
from varprop.model.quantities import ALL_QUANTITIES, QUANTITIES, TRAINING_QUANTITIES


def test_a_description_is_plain_data():
    assert Training(steps=20, learning_rate=1).describe() == {"steps": 20, "learning_rate": 1.0, "train_biases": True}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": True}, "steps must be an integer from 1 to 10,000, got True"),
        ({"steps": 10_001}, "got 10001"),
        ({"learning_rate": 0}, "learning_rate must be a finite number > 0"),
        ({"learning_rate": float("nan")}, "got nan"),
        ({"learning_rate": "fast"}, "got 'fast'"),
        ({"train_biases": 1}, "train_biases must be True or False, got 1"),
    ],
)
def test_a_wrong_value_is_refused(wrong, said):
    with pytest.raises((TypeError, ValueError), match=said):
        Training(**({"steps": 1, "learning_rate": 0.1} | wrong))


def test_families_of_quantities_share_the_forward_variances_alone():
    assert set(QUANTITIES) & set(TRAINING_QUANTITIES) == {"preactivation_variance", "activation_variance"}
    assert set(ALL_QUANTITIES) >= set(QUANTITIES) | set(TRAINING_QUANTITIES)
