"""What one case may take: a second of this process's own time, which a loaded machine does not change, and 200 MB."""

import contextlib
import signal
import sys
import time
from pathlib import Path

try:
    import resource
except ImportError:  # Windows, where time alone is limited
    resource = None

SECONDS = 1.0  # of all threads of this process, in user and system
MEGABYTES = 200.0  # between what the process held before and the most that it held meanwhile
_PATIENCE_SECONDS = 3.0  # after which a case is interrupted, so that one that hangs is named
_ROOM = (
    3 * 2**30
)  # bytes of addresses beyond which nothing more is had, so that a greedy case does not take the machine along
_RESETS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class TooLongError(BaseException):
    """A case goes on and on; no handler of errors in the package may take it for one."""


def _held(key):
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1000


def _reset_peak():
    """Let the kernel forget the most that was held; where it cannot, growth of the most is what can be told."""
    try:
        _RESETS.write_text("5", encoding="ascii")
    except OSError:
        return _peak()
    return _held("VmRSS")


def _peak():
    if _STATUS.exists():
        return _held("VmHWM")
    if resource is None:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


@contextlib.contextmanager
def _bounded():
    """Keep one case from taking the machine along."""
    if resource is None:
        yield
        return

    def interrupt(_signal, _frame):
        raise TooLongError

    before = signal.signal(signal.SIGPROF, interrupt)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if _STATUS.exists():
        resource.setrlimit(resource.RLIMIT_AS, (int(_held("VmSize") * 1000) + _ROOM, hard))
    signal.setitimer(signal.ITIMER_PROF, _PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def limited(what):
    """Fail if what happens inside takes more than a case may.

    Parameters
    ----------
    what : object
        The case, as the failure names it.
    """
    with _bounded():
        before, start = _reset_peak(), time.process_time()
        with contextlib.suppress(TooLongError):
            yield
        seconds, grown = time.process_time() - start, _peak() - before
    assert seconds <= SECONDS, f"{what!r} took {seconds:.2f} s"
    assert grown <= MEGABYTES, f"{what!r} took {grown:.0f} MB"
