"""Test whether a weight initialisation does what the theory says it does.

varprop samples thousands of random networks, tests what every layer measured against the Xavier and He closed forms and
against mean-field theory, and writes the tables and figures. Names are loaded when they are first used.
"""

import lazy_loader as lazy

__version__ = "0.1.0"

# The names and where they live stand in __init__.pyi, which type checkers read too.
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

del lazy
