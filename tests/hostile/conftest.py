"""What the suites of this folder tried, told at the end of a session."""

from collections import Counter

import pytest

TRIED = Counter()


@pytest.fixture(scope="session")
def tried():
    """Cases by suite and by what became of them; those that failed are told by pytest itself."""
    return TRIED


def pytest_terminal_summary(terminalreporter):
    """Write a line for each suite."""
    for suite in dict.fromkeys(suite for suite, _ in TRIED):
        ends = ", ".join(f"{n} {end}" for (of, end), n in sorted(TRIED.items(), key=str) if of == suite)
        total = sum(n for (of, _), n in TRIED.items() if of == suite)
        terminalreporter.write_line(f"hostile: {suite}: {total} tried: {ends}")
