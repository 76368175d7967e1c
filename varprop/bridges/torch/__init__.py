"""PyTorch: what its initialisers are said to do, and what a model of it does to signals."""

from varprop.bridges.torch.initialisers import bridge
from varprop.bridges.torch.models import simulate

__all__ = ["bridge", "simulate"]
