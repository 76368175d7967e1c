"""One model seen at work: numbers of what every module is fed, puts out, and gets back as a gradient.

Modules are followed by hooks. Their inputs are handed on as views, so that a gradient that comes back through a module can
be told from one that comes back around it; a view keeps what the model means where it works in place.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn


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


_PARAMETRIZATIONS = "parametrizations"  # where torch keeps functions of a weight, which see no signal


@dataclass(slots=True)
class Call:
    """One call of a module, and what was measured of it."""

    module: nn.Module
    name: str
    source: int | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    calls_others: bool = False
    handed: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    squares: float = 0.0
    entries: int = 0

    @property
    def weights(self) -> bool:
        """Whether the module itself has a weight of two or more dimensions."""
        return any(parameter.ndim > 1 for parameter in self.module.parameters())

    @property
    def biases(self) -> bool:
        """Whether it has biases that are not 0."""
        named = self.module.named_parameters()
        return any("bias" in name and bool(parameter.any()) for name, parameter in named)


class ModelWatch:
    """Follows one forward and one backward pass of a model."""

    def __init__(self, model: nn.Module) -> None:
        self.calls: list[Call] = []
        self.unmeasured: list[str] = []
        self._model = model
        self._names = {
            module: name or "(model)"
            for name, module in model.named_modules()
            if _PARAMETRIZATIONS not in name.split(".")
        }
        self._forward = True
        self._stack: list[Call] = []
        self._starts: list[torch.Tensor] = []
        self._made_by: dict[Any, int] = {}
        self._times: Counter[str] = Counter()
        self._within: set[nn.Module] = set()

    @property
    def uncalled(self) -> tuple[str, ...]:
        """Modules without parts of their own that took part in no call."""
        return tuple(name for module, name in self._names.items() if module not in self._within and not _parts(module))

    def start(self, x: torch.Tensor) -> torch.Tensor:
        """A copy of a tensor from which gradients are wanted, and which may be worked on in place."""
        self._starts.append(x.detach().clone().requires_grad_())
        return self._starts[-1].clone()

    def backward(self, loss: torch.Tensor) -> None:
        """Send gradients back to every start; hooks take what they need on the way."""
        self._forward = False  # what is computed again on the way (torch.utils.checkpoint) is no further call
        if loss.requires_grad and self._starts:
            torch.autograd.grad(loss, self._starts, allow_unused=True)
        for call in self.calls:
            if call.entries:
                call.numbers["input_gradient_second_moment"] = call.squares / call.entries

    @contextmanager
    def following(self) -> Iterator[None]:
        """Within this context a call of the model is followed, and the way back."""
        wanted = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        handles = [
            handle
            for module in self._names
            for handle in (
                module.register_forward_pre_hook(self._enter, with_kwargs=True),
                module.register_forward_hook(self._leave),
            )
        ]
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # which would go past the modules inside
        try:
            for parameter in wanted:
                parameter.requires_grad_(False)
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for handle in handles:
                handle.remove()
            for parameter in wanted:
                parameter.requires_grad_(True)

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._forward:
            return None
        name = self._names[module]
        if self._stack:
            self._stack[-1].calls_others = True
        call = Call(module, name)
        self._stack.append(call)
        differentiable = torch.is_grad_enabled()
        fed = {id(x): x for x in signals((args, kwargs)) if x.requires_grad or not differentiable}
        if not fed:
            return None
        squares = sum(float(torch.linalg.vector_norm(x.detach(), dtype=torch.float64)) ** 2 for x in fed.values())
        call.numbers["input_second_moment"] = squares / sum(x.numel() for x in fed.values())
        if is_elementwise(module):
            (x, *_) = fed.values()
            call.numbers["saturated_fraction"] = saturated_fraction(module, x)
        if not differentiable:
            return None
        call.source = self._source(list(fed.values()))
        # Views only where no other module is called: for what works in place, and for modules inside, the tensor itself
        # has to be there, whose new values are what others see.
        if getattr(module, "inplace", False):
            for x in fed.values():
                x.register_hook(partial(_came_back, call))
        elif not _parts(module) or isinstance(module, nn.MultiheadAttention):
            views = {key: x.view_as(x) for key, x in fed.items()}
            for view in views.values():
                view.register_hook(partial(_came_back, call))
            call.handed = {id(view): (view, fed[key]) for key, view in views.items()}
            return replaced(args, lambda x: views.get(id(x), x)), replaced(kwargs, lambda x: views.get(id(x), x))
        return None

    def _leave(self, module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        if not self._forward:
            return None
        call = self._stack.pop()
        self._within.add(module)
        if call.calls_others:
            return None
        self._within.update(module.modules())
        self._times[call.name] += 1
        if self._times[call.name] > 1:
            call.name = f"{call.name}#{self._times[call.name]}"
        found = list(signals(output))
        if not found:
            self.unmeasured.append(call.name)
            return None
        first, changed = found[0], None
        if id(first) in call.handed:  # passed on as it came: so is the tensor itself, not our view of it
            first = call.handed[id(first)][1]
            first.register_hook(partial(_came_back, call))
            changed = replaced(output, lambda x: first if x is found[0] else x)
        call.handed = {}
        if torch.is_grad_enabled() and not first.requires_grad:
            first = self.start(first)
            changed = replaced(output, lambda x: first if x is found[0] else x)
        call.numbers |= _moments("activation", first)
        call.numbers["dead_fraction"] = float((_rows(first) == 0).all(dim=0).double().mean())
        if first.requires_grad:
            first.register_hook(partial(_arrived, call))
            self._made_by |= {x.grad_fn: len(self.calls) for x in (first, *found) if x.grad_fn is not None}
        self.calls.append(call)
        return changed

    def _source(self, fed: list[torch.Tensor]) -> int | None:
        """The call whose output is all that went into some tensors; None where several meet, or there was none."""
        found: set[int | None] = set()
        seen: set[Any] = set()
        todo: list[Any] = [x.grad_fn for x in fed]
        while todo and len(found) < 2:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self._made_by:
                found.add(self._made_by[node])
                continue
            before = [] if node is None else [parent for parent, _ in node.next_functions if parent is not None]
            todo += before
            if not before:
                found.add(None)
        return found.pop() if len(found) == 1 else None


def _parts(module: nn.Module) -> list[str]:
    """Names of the modules directly inside, functions of weights aside."""
    return [name for name, _ in module.named_children() if name != _PARAMETRIZATIONS]


def _came_back(call: Call, gradient: torch.Tensor) -> None:
    """Add one of the tensors that a module was fed to its mean square."""
    call.squares += float(torch.linalg.vector_norm(gradient, dtype=torch.float64)) ** 2
    call.entries += gradient.numel()


def _arrived(call: Call, gradient: torch.Tensor) -> None:
    call.numbers |= _moments("gradient", gradient)


def _rows(x: torch.Tensor) -> torch.Tensor:
    """A row for each entry of the first axis; what has no other axis is one row."""
    values = x.detach()
    return values.flatten(1) if values.ndim > 1 else values.reshape(1, -1)


def _moments(of: str, x: torch.Tensor) -> dict[str, float]:
    """Mean, second moment, and variance within each entry of the first axis where it has several numbers."""
    rows = _rows(x)
    count = rows.shape[1]
    sums = rows.sum(dim=1, dtype=torch.float64)
    squares = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).square()
    found = {f"{of}_mean": float(sums.mean()) / count, f"{of}_second_moment": float(squares.mean()) / count}
    if count > 1:
        found[f"{of}_variance"] = float((squares - sums.square() / count).clamp_min(0).mean()) / (count - 1)
    return found
