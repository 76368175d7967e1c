"""The command line: it parses, calls, and prints."""

from varprop.cli.app import main

__all__ = ["main"]
