"""A user's model, built anew for every replicate, measured module by module."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from varprop._arguments import quoted
from varprop._typing import Float64Array, RNGLike
from varprop.bridges.torch.watch import Call, ModelWatch, signals
from varprop.model.layers import UnsupportedError
from varprop.model.quantities import MODULE_QUANTITIES
from varprop.model.simulation import Samples, Simulation
from varprop.model.sites import Module, ModuleNetwork
from varprop.numerics.randomness import model_seeds, root_sequence

Factory = Callable[[], nn.Module]
Inputs = Any
"""A tensor or an array, several as a sequence, or by name as a mapping."""
Loss = Callable[[Any], torch.Tensor]


def simulate(
    factory: Factory, inputs: Inputs, *, n_networks: int, rng: RNGLike, loss: Loss | None = None
) -> Simulation:
    r"""Build a PyTorch model many times and measure what every module does to the signal and to the gradient.

    Parameters
    ----------
    factory : callable
        Without arguments; returns a new ``nn.Module`` with new random parameters. The mode it is returned in, that of
        training unless it says otherwise, is kept.
    inputs : tensor or array, or a sequence or mapping of these
        What every model is called with, the batch along the first axis: positional arguments, or keyword arguments by
        name. Arrays of floats take torch's default dtype; integers, such as token ids, stay integers.
    n_networks : int
        How many models are built.
    rng : None, int, SeedSequence or Generator
        Fixes torch's random numbers in the factory and in the model; they go on from where they were afterwards.
    loss : callable, optional
        From the model's output to a tensor with one number. None takes the inner product of the last floating-point
        tensor of the output with standard normal numbers, drawn anew for every model.

    Returns
    -------
    Simulation
        Of a `varprop.model.sites.ModuleNetwork`: one place for every call of a module that calls no other, in the order
        of the calls; a module that is called again is ``name#2``. ``network.uncalled``, ``network.unmeasured`` and
        ``network.unreached`` list the modules that were never called, put out no floating-point numbers, and got no
        gradient.

    Raises
    ------
    UnsupportedError
        If the factory returns no ``nn.Module``, or a compiled one, into which no hook reaches.
    ValueError
        If two models share parameters or are equal, if a module is fed or puts out NaN or infinity, if models call
        different modules, or if no output is of floating-point numbers.

    Notes
    -----
    Of each call are recorded the mean, variance and second moment of its output (``activation_*``) and of dLoss/doutput
    (``gradient_*``), and the second moments of what it is fed (``input_second_moment``) and of the gradient that comes back
    to that through the module itself, not around it (``input_gradient_second_moment``). Of several outputs the first
    floating-point one is measured; inputs are all floating-point tensors that depend on the model's own. Means are over all
    entries, variances over those of each input, averaged over the inputs. ``dead_fraction`` counts the units, that is
    entries beyond the first axis, that are 0 on every input; ``saturated_fraction`` is recorded of torch.nn's elementwise
    activations.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from varprop.bridges.torch import simulate
    >>> def factory():
    ...     return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> sim = simulate(factory, torch.randn(4, 8), n_networks=5, rng=1)
    >>> sim.places("activation_second_moment"), sim.values("gradient_second_moment").shape
    (((1, '0'), (1, '1'), (2, '2')), (5, 3))
    """
    if not isinstance(n_networks, int | np.integer) or n_networks < 1:
        msg = f"n_networks must be a positive integer, got {quoted(n_networks)}"
        raise ValueError(msg)
    args, kwargs = _arguments(inputs)
    root = root_sequence(rng)
    network: ModuleNetwork | None = None
    table: dict[str, Float64Array] = {}
    before: nn.Module | None = None
    for index in range(n_networks):
        seed, readout = model_seeds(root, index)
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())), torch.enable_grad():
            torch.manual_seed(seed)
            model = _built(factory)
            if before is not None:
                _require_new(model, before, index)
            watch = _measured(model, args, kwargs, loss or _readout(readout))
        _require_finite(watch.calls, index)
        seen = _described(model, watch)
        if network is None:
            network = seen
            table = _empty(watch.calls, int(n_networks))
        elif seen != network:
            raise ValueError(_difference(network, seen, index))
        for name, values in table.items():
            values[index] = [call.numbers.get(name, math.nan) for call in watch.calls]
        before = model
    assert network is not None  # noqa: S101 - for type checkers: there was at least one
    return Simulation(
        network=network,
        inputs=_first(args, kwargs),
        samples={name: _present(values, network) for name, values in table.items()},
        seed=_said(root),
        method=f"torch {torch.__version__}",
        normals="torch",
    )


def _arguments(inputs: Inputs) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Positional and keyword arguments of the model, as tensors."""
    if isinstance(inputs, Mapping):
        return (), {name: _tensor(value) for name, value in inputs.items()}
    several = isinstance(inputs, Sequence) and all(isinstance(value, torch.Tensor | np.ndarray) for value in inputs)
    return tuple(map(_tensor, inputs if several else [inputs])), {}


def _tensor(value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach()
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        msg = f"inputs must be tensors or arrays of numbers, got {type(value).__name__}; write for example torch.randn(16, 32)"
        raise TypeError(msg)
    return torch.tensor(array, dtype=torch.get_default_dtype() if array.dtype.kind == "f" else None)


def _first(args: tuple[torch.Tensor, ...], kwargs: Mapping[str, torch.Tensor]) -> Float64Array:
    (first, *_) = (*args, *kwargs.values())
    array: Float64Array = first.cpu().double().numpy()
    return array


def _built(factory: Factory) -> nn.Module:
    model = factory()
    if not isinstance(model, nn.Module):
        msg = f"the factory must return a torch.nn.Module, it returned {type(model).__name__}"
        raise UnsupportedError(msg)
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
            msg = f"{name or 'the model'} ({type(module).__name__}) is compiled; let the factory return it as it was before"
            raise UnsupportedError(msg)
    return model


def _require_new(model: nn.Module, before: nn.Module, index: int) -> None:
    """Refuse a model that is, or repeats, the one before."""
    known = {parameter.data_ptr() for parameter in before.parameters() if parameter.numel()}
    shared = [name for name, parameter in model.named_parameters() if parameter.data_ptr() in known]
    if shared:
        msg = (
            f"models {index - 1} and {index} share {len(shared)} parameters, {shared[0]} among them, so they are no "
            "independent replicates; build every layer inside the factory"
        )
        raise ValueError(msg)
    pairs = list(zip(model.parameters(), before.parameters(), strict=False))
    if pairs and all(torch.equal(one, other) for one, other in pairs):
        msg = (
            f"all parameters of models {index - 1} and {index} are equal; do not seed or copy inside the factory: "
            "random numbers are fixed by rng"
        )
        raise ValueError(msg)


def _readout(seed: int) -> Loss:
    """The inner product of the last floating-point output with a standard normal of its shape."""

    def loss(output: Any) -> torch.Tensor:
        found = list(signals(output))
        if not found:
            msg = f"the model put out no floating-point tensor but {type(output).__name__}; give a loss, or another output"
            raise ValueError(msg)
        normal = torch.randn(found[-1].shape, generator=torch.Generator().manual_seed(seed))
        return (found[-1] * normal.to(found[-1])).sum()

    return loss


def _measured(
    model: nn.Module, args: tuple[torch.Tensor, ...], kwargs: Mapping[str, torch.Tensor], loss: Loss
) -> ModelWatch:
    watch = ModelWatch(model)

    def begun(x: torch.Tensor) -> torch.Tensor:
        return watch.start(x) if x.is_floating_point() else x

    with watch.following():
        output = model(*map(begun, args), **{name: begun(x) for name, x in kwargs.items()})
        value = loss(output)
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            came = (
                f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
            )
            msg = f"the loss must be a tensor with one number, got {came}; end it with .sum() or .mean()"
            raise ValueError(msg)
        watch.backward(value)
    if not watch.calls:
        msg = f"no module of {type(model).__name__} put out floating-point numbers; there is nothing to measure"
        raise ValueError(msg)
    return watch


def _require_finite(calls: Sequence[Call], index: int) -> None:
    """Name the first module, on the way of the signal or of the gradient, at which numbers are not finite."""
    ways = (
        (calls, "input_second_moment", "is fed"),
        (calls, "activation_second_moment", "puts out"),
        (calls[::-1], "gradient_second_moment", "gets as the gradient of its output"),
        (calls[::-1], "input_gradient_second_moment", "gives back as the gradient of its input"),
    )
    for ordered, name, what in ways:
        for call in ordered:
            if not math.isfinite(call.numbers.get(name, 0.0)):
                msg = f"what module {quoted(call.name)} ({type(call.module).__name__}) {what} is NaN or infinite in model {index}"
                raise ValueError(msg)


def _described(model: nn.Module, watch: ModelWatch) -> ModuleNetwork:
    layer, modules = 0, []
    for call in watch.calls:
        layer += call.weights
        modules.append(
            Module(
                name=call.name,
                kind=type(call.module).__name__,
                layer=layer,
                weights=call.weights,
                biases=call.biases,
                source=None if call.source is None else watch.calls[call.source].name,
            )
        )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return ModuleNetwork(
        label=f"{type(model).__name__}, {parameters:,} parameters",
        modules=tuple(modules),
        uncalled=watch.uncalled,
        unmeasured=tuple(watch.unmeasured),
        unreached=tuple(call.name for call in watch.calls if "gradient_second_moment" not in call.numbers),
    )


def _difference(first: ModuleNetwork, other: ModuleNetwork, index: int) -> str:
    """Say what the models do not have in common."""
    kinds = "called", "reached by gradients", "of the same kind, and fed by the same"
    sets = [[{module.name for module in net.modules}, set(net.unreached), set(net.modules)] for net in (first, other)]
    for kind, one, two in zip(kinds, *sets, strict=True):
        if one != two:
            names = sorted(getattr(x, "name", x) for x in one ^ two)
            return (
                f"models 0 and {index} differ: {', '.join(dict.fromkeys(names))} is not {kind} in both; the factory must build "
                "one architecture, and one that skips modules at random is to be put into eval mode"
            )
    return (
        f"models 0 and {index} differ: {first.label} and {other.label}, in the order of their calls or what is uncalled"
    )


def _empty(calls: Sequence[Call], n_networks: int) -> dict[str, Float64Array]:
    there = {name for call in calls for name in call.numbers}
    return {name: np.full((n_networks, len(calls)), math.nan) for name in MODULE_QUANTITIES if name in there}


def _present(values: Float64Array, network: ModuleNetwork) -> Samples:
    """The columns of the modules that have the quantity."""
    kept = [i for i in range(values.shape[1]) if not np.isnan(values[:, i]).all()]
    return Samples(values[:, kept], tuple(network.places[i] for i in kept))


def _said(root: np.random.SeedSequence) -> str:
    return f"{root.entropy}" if not root.spawn_key else f"{root.entropy}, spawn_key={tuple(root.spawn_key)}"
