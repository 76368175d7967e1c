"""Point nulls beside verdicts: what p-values may say, and that a difference can be real and too small to matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from varprop.stats import multiple
from varprop.verification.claims import TESTS
from varprop.verification.findings import p_value

if TYPE_CHECKING:
    import pandas as pd


def with_point_nulls(frame: pd.DataFrame) -> pd.DataFrame:
    """Adjust a report's p-values, and note where a supported claim's difference from the null is detectable.

    Parameters
    ----------
    frame : DataFrame
        Rows of verdicts and of layers: ``test``, ``verdict`` (missing on rows of layers), ``pvalue``, ``alpha``, ``note``.

    Returns
    -------
    DataFrame
        With ``pvalue_adjusted``: by Holm among the verdicts' rows of tests with an exact point null, by Benjamini and
        Yekutieli among all others.

    Notes
    -----
    A p-value supports nothing, and with enough networks rejects every approximation. Beside a verdict of "supported" a small
    one (adjusted for an exact null, as it is for the others) means that there is a difference, within the margin.
    """
    judged = frame["verdict"].notna().to_numpy()
    exact = judged & frame["test"].map(lambda name: TESTS[name].point_null).to_numpy(dtype=bool)
    adjusted = multiple.adjust_report(frame["pvalue"].to_numpy(), exact)
    pvalue = np.where(exact, adjusted, frame["pvalue"].to_numpy())
    seen = judged & (frame["verdict"] == "supported").to_numpy() & (pvalue <= frame["alpha"].to_numpy())
    notes = [
        "; ".join(filter(None, (note, f"a difference is detectable ({p_value(p)}) but within the margin")))
        if here
        else note
        for note, p, here in zip(frame["note"], pvalue, seen, strict=True)
    ]
    return frame.assign(pvalue_adjusted=adjusted, note=notes)
