"""Training as a value: how many steps of gradient descent, and how long they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from varprop._arguments import quoted

MAX_STEPS = 10_000
"""These steps exist to see what an initialisation does under training, not to train for use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Full-batch gradient descent on the mean squared error.

    Examples
    --------
    >>> Training(steps=20, learning_rate=0.1).train_biases
    True
    """

    steps: int
    learning_rate: float
    train_biases: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not hasattr(self.steps, "__index__") or not 1 <= self.steps <= MAX_STEPS:
            msg = f"steps must be an integer from 1 to {MAX_STEPS:,}, got {quoted(self.steps)}; write for example steps=20"
            raise ValueError(msg)
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not (math.isfinite(rate) and rate > 0):
            msg = f"learning_rate must be a finite number > 0, got {quoted(rate)}; write for example learning_rate=0.1"
            raise ValueError(msg)
        if not isinstance(self.train_biases, bool):
            msg = f"train_biases must be True or False, got {quoted(self.train_biases)}"
            raise TypeError(msg)

    def describe(self) -> dict[str, Any]:
        """Return the content as plain data, as `Network.describe` does."""
        return {
            "steps": int(self.steps),
            "learning_rate": float(self.learning_rate),
            "train_biases": self.train_biases,
        }
