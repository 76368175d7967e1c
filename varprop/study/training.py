"""``[training]``: what makes a study one of networks that are trained, and what goes with that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from varprop._arguments import quoted
from varprop.model.quantities import QUANTITIES, TRAINING_QUANTITIES
from varprop.model.training import MAX_STEPS, Training
from varprop.study.errors import Problem, suggestion
from varprop.study.items import StrictTable
from varprop.verification.claims import Claim

_TEST = "identity"
"""The one test whose claims are about trained networks: all others hold random networks against a theory of their start."""
_OF_THE_START = {
    "method": "weights that are trained are drawn in full",
    "dtype": "training is in float64",
    "normals": "training takes NumPy's",
}


class TrainingTable(StrictTable):
    """``[training]``: steps of gradient descent on a regression task."""

    steps: int = Field(ge=1, le=MAX_STEPS, description="of full-batch gradient descent", examples=[20])
    learning_rate: float = Field(gt=0, description="what gradients are multiplied with", examples=[0.1])
    train_biases: bool = Field(default=True, description="whether biases are trained too", examples=[False])

    def training(self) -> Training:
        """Return what the engine is to do."""
        return Training(steps=self.steps, learning_rate=self.learning_rate, train_biases=self.train_biases)


def top_problems(raw: Mapping[str, Any]) -> list[Problem]:
    """Find what does not go with the study's kind at the top of a file."""
    trained = "training" in raw
    problems = []
    for key, why in _OF_THE_START.items():
        if trained and key in raw:
            problems.append(Problem(key, f"has no meaning with [training]: {why}; leave it out"))
    listed = raw.get("quantities")
    for index, name in enumerate(listed if isinstance(listed, list) else ()):
        if (
            isinstance(name, str)
            and name in (QUANTITIES | TRAINING_QUANTITIES)
            and (why := _unrecorded(name, trained=trained))
        ):
            problems.append(Problem(f"quantities[{index}]", why))
    return problems


def kind_problems(claims: Sequence[Claim], path: str, *, trained: bool) -> list[Problem]:
    """Find what does not go with the study's kind in a table of ``[[claims]]``."""
    problems: dict[Problem, None] = {}
    for index, claim in enumerate(claims):
        if trained and claim.test != _TEST:
            why = f"{quoted(claim.test)} does not go with [training], whose claims are exact; use 'identity', or another study"
            problems[Problem(f"{path}.test", why)] = None
        elif claim.quantity != "weights" and (why := _unrecorded(claim.quantity, trained=trained)):
            problems[Problem(f"{path}.quantity{f'[{index}]' if len(claims) > 1 else ''}", why)] = None
    return list(problems)


def _unrecorded(quantity: str, *, trained: bool) -> str:
    """Say that a study of this kind does not record a quantity; an empty text if it does."""
    known = TRAINING_QUANTITIES if trained else QUANTITIES
    if quantity in known:
        return ""
    if trained:
        return f"{quantity} is not recorded of trained networks; {suggestion(quantity, known)}"
    return f"{quantity} is recorded of trained networks; add a table [training], or name another quantity"
