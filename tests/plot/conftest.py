"""Verdict frames made by hand, as the tests of reports have them."""

from tests.report.conftest import make_run, make_verdicts

__all__ = ["make_run", "make_verdicts"]
