"""Tensors in what modules take and return: tuples, lists, mappings, dataclasses, and any nesting of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch


def is_signal(value: Any) -> bool:
    """Whether something is a plain tensor of floating-point numbers."""
    return (
        isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and value.layout == torch.strided
        and not value.is_nested
        and value.numel() > 0
    )


def signals(tree: Any) -> Iterator[torch.Tensor]:
    """The floating-point tensors of a tree, in order."""
    if is_signal(tree):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from signals(value)
    elif isinstance(tree, tuple | list):
        for value in tree:
            yield from signals(value)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            yield from signals(getattr(tree, field.name))


def replaced(tree: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The tree with every floating-point tensor replaced; containers of other types are left as they are."""
    if is_signal(tree):
        return function(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(replaced(value, function) for value in tree))
    if type(tree) in (tuple, list):
        return type(tree)(replaced(value, function) for value in tree)
    if type(tree) is dict:
        return {key: replaced(value, function) for key, value in tree.items()}
    return tree
