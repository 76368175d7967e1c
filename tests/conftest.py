"""What every test can rely on."""

import gc
import hashlib
import os
import signal
import sys

import hypothesis
import numpy as np
import pytest

from tests.false_alarms import DECLARATIONS, Declarations

# No test opens a window, whatever the machine; set before anything can import matplotlib.
os.environ["MPLBACKEND"] = "Agg"

# Under nohup a hang-up is ignored, and so it is by all that tests start; some of them are about what a hang-up does.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A loaded machine is slow, not wrong.
hypothesis.settings.register_profile("varprop", deadline=None)
hypothesis.settings.load_profile("varprop")


def _not_synced(descriptor: int) -> None:
    """Say what `os.fsync` says of a descriptor that is none, and wait for no disk: no test outlives a power cut."""
    os.fstat(descriptor)


os.fsync = _not_synced


def pytest_configure(config: pytest.Config) -> None:
    """Note what every test declares of its false alarms, for tests/test_false_alarms.py."""
    config.pluginmanager.register(config.stash.setdefault(DECLARATIONS, Declarations()))


def pytest_collection_finish() -> None:
    """Keep what was collected, which stays to the end, out of what the garbage collector goes through again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the test's own id, parameters included.

    So a test draws the same numbers alone, in any order and in any worker, and two tests never share a stream. The
    seed is a hash that, unlike `hash()`, does not change from one process to the next.
    """
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


@pytest.fixture
def fresh_seed() -> int:
    """A seed from the system's entropy, for the slow session; pytest shows the line below where a test fails."""
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    sys.stdout.write(f"fresh seed: {seed}\n")
    return seed
