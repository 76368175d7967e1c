"""Point nulls beside verdicts: what p-values may say, and that a difference can be real and too small to matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from varprop.stats import multiple
from varprop.verification.claims import TESTS
from varprop.verification.findings import ROUNDING, p_value

if TYPE_CHECKING:
    import pandas as pd


def with_point_nulls(frame: pd.DataFrame) -> pd.DataFrame:
    """Adjust a report's p-values, and note where a supported claim's difference from the null is detectable.

    Notes
    -----
    A p-value supports nothing, and with enough networks rejects every approximation. Beside a verdict of "supported" a small
    one (adjusted for an exact null, as it is for the others) means that there is a difference, within the margin. That is said
    of tests that have a margin, and not where the whole interval is as close to the prediction as single precision can tell.
    """
    judged = frame["verdict"].notna().to_numpy()
    exact = judged & _are(frame, {name for name, test in TESTS.items() if test.point_null})
    adjusted = multiple.adjust_report(frame["pvalue"].to_numpy(), exact)
    pvalue = np.where(exact, adjusted, frame["pvalue"].to_numpy())
    small = (frame["verdict"] == "supported").to_numpy() & (pvalue <= frame["alpha"].to_numpy())
    seen = small & _are(frame, {name for name, test in TESTS.items() if test.margin}) & ~_rounded(frame)
    notes = [
        "; ".join(filter(None, (note, f"a difference is detectable ({p_value(p)}) but within the margin")))
        if here
        else note
        for note, p, here in zip(frame["note"], pvalue, seen, strict=True)
    ]
    return frame.assign(pvalue_adjusted=adjusted, note=notes)


def _are(frame: pd.DataFrame, tests: set[str]) -> NDArray[np.bool_]:
    """Which rows are of one of these tests."""
    return np.asarray(frame["test"].isin(tests), dtype=bool)


def _rounded(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Where no end of an estimate's interval is farther from the prediction than rounding may take it.

    Networks have one value there but for its last digits, as under orthogonal weights between identities, and no number of them
    makes a difference of these. Distances and shares are counted, and free of rounding.
    """
    ends = frame.reindex(columns=["ci_low", "ci_high"]).to_numpy(dtype=np.float64)
    rounded = np.zeros(len(frame), dtype=bool)
    for unit, right in (("ratio", 1.0), ("root mean square", 0.0)):
        near = (np.abs(ends - right) <= ROUNDING).all(axis=1)  # False of an interval that is missing
        rounded |= near & _are(frame, {name for name, test in TESTS.items() if test.margin == unit})
    return rounded
