"""The tests: a class each, and a file a family. To import the package is to let claims name them, in this order."""

from varprop.verification.tests import of_steps

from varprop.verification.tests import of_depth  # isort: skip
from varprop.verification.tests import of_bounds  # isort: skip
from varprop.verification.tests import of_laws  # isort: skip
from varprop.verification.tests import of_equality  # isort: skip
from varprop.verification.tests import of_weights  # isort: skip

__all__ = ["of_bounds", "of_depth", "of_equality", "of_laws", "of_steps", "of_units", "of_weights"]
