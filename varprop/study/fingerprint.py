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
    """Return the fingerprint of a run.

    Parameters
    ----------
    standing : Standing
        How its study stands.
    samples : mapping of str to tuple
        By the configurations' labels the key of the samples, which holds their content, seed and version, and their number of
        networks.

    Returns
    -------
    str
        Sixteen hexadecimal digits. It is another one as soon as anything differs that a verdict comes from: the study's text,
        what was sampled, how many networks of it, and which look this is. It is the same on every machine, although the last bits
        of samples may not be, and does not depend on varprop's version.
    """
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
