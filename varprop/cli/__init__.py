"""The command line: it parses, calls, and prints."""

from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line to one of the exit statuses of `varprop.cli.failures`."""
    import os

    from varprop.cli.failures import run

    # Else worker processes would look for every module in the working folder first, and run a loky.py that lies there.
    os.environ["PYTHONSAFEPATH"] = "1"

    def command() -> object:
        from varprop.cli.app import app

        return app(prog_name="varprop", standalone_mode=False)

    run(command)
