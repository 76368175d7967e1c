"""What frameworks initialise weights with: catalogues of initialisers and of the laws that their documentation states.

A bridge is found through the entry-point group ``varprop.bridges``, and its framework is imported when it is loaded.
"""

from varprop._arguments import renamed
from varprop.bridges.catalogue import Bridge, BridgeError, StatedInitializer, bridge_names, load_bridge

__all__ = ["Bridge", "BridgeError", "StatedInitializer", "bridge_names", "load_bridge"]

__getattr__ = renamed(__name__, Case=StatedInitializer)
