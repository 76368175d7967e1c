"""What frameworks initialise weights with: catalogues of initialisers and of the laws that their documentation states.

A bridge is found through the entry-point group ``varprop.bridges``, and its framework is imported when it is loaded.
"""

from varprop.bridges.catalogue import Bridge, Case
from varprop.bridges.discovery import BridgeError, bridge_names, load_bridge

__all__ = ["Bridge", "BridgeError", "Case", "bridge_names", "load_bridge"]
