"""Elementwise activations of torch.nn: how many units of them sit where the slope is next to nothing."""

from __future__ import annotations

import torch
from torch import nn

_SATURATED = 0.05  # of the steepest slope, as varprop's own sampler has it
_ELEMENTWISE = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.ReLU,
    nn.ReLU6,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
)


def is_elementwise(module: nn.Module) -> bool:
    """Whether a module is one of torch.nn's functions of single numbers; a subclass may do something else."""
    return type(module) in _ELEMENTWISE


def saturated_fraction(module: nn.Module, x: torch.Tensor) -> float:
    """Share of units whose slope at x is below 5 % of the function's steepest, found on a grid from -20 to 20."""
    steepest = _slope(module, torch.linspace(-20, 20, 8001).to(x)).abs().max()
    return float((_slope(module, x).abs() < _SATURATED * steepest).double().mean())


def _slope(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        z = x.detach().clone().requires_grad_()
        # Not the call itself, which is being watched; and of a copy, since the function may work in place.
        (slope,) = torch.autograd.grad(module.forward(z.clone()).sum(), z)
    return slope
