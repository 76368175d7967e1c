"""One claim on one sample, and the design by which a level is judged."""

import pytest

import varprop as vp


@pytest.fixture
def judge():
    """The row with the verdict of one claim; id, quantity and margin may be left out."""

    def judge(sim, test, quantity, **claim):
        table = vp.verify(sim, claims=[{"id": test, "test": test, "quantity": quantity} | claim])
        rows = table[table["verdict"].notna()]
        assert len(rows) == 1
        return rows.iloc[0]

    return judge


@pytest.fixture
def at_level():
    """Counts of rejections, of 2,000, that agree with a level of .05: outside with probability 1e-7 if that is the level."""
    return range(52, 157)
