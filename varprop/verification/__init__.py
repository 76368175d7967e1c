"""Where prediction meets simulation: claims, tests and verdicts.

The package is not called ``verify`` because importing it would then hide the function ``varprop.verify``.
"""

from varprop.verification import tests

__all__ = ["tests"]
