"""What a run is, in sixteen digits, by which a page tells whether it is of this run or of another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from varprop.study.standing import Standing

DIGITS = 16


def digest(content: object) -> str:
    """Hash plain data to as many digits as a page shows."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:DIGITS]


def fingerprint_of(standing: Standing, samples: Mapping[str, tuple[str, int]]) -> str:
    """Return the fingerprint of a run."""
    study = standing.study
    look = [
        standing.number,
        standing.design,
        standing.rung,
        standing.judged,
        standing.m,
        standing.alpha,
        standing.promised,
    ]
    return digest([study.name, study.text, {label: list(one) for label, one in samples.items()}, look])
