"""PyTorch: torch.nn.init, and what its layers begin with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any

import torch
from torch import nn

from varprop._typing import FloatArray
from varprop.bridges.catalogue import ATTENTION, CONVOLUTION, DENSE, Bridge, DefaultClaim, StatedInitializer, offered

_SQUARE_ROOT = "uniform within sqrt(k), k = 1 / {}"
_OWN_LAW = DefaultClaim(
    claim="framework.defaults.torch",
    statement="PyTorch's nn.Linear begins uniform within 1/sqrt(n_in), of variance 1/(3 n_in).",
    laws=("torch_linear",),
)


def bridge() -> Bridge:
    """PyTorch's catalogue."""
    return Bridge(
        name="torch",
        version=torch.__version__,
        cases=(*_functions(), *_linear(), *_convolutions(), *_others(), *_recurrent(), *_attention()),
        seeded=_seeded,
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _filled(fill: Callable[..., torch.Tensor], shape: tuple[int, ...]) -> FloatArray:
    """What one of torch.nn.init leaves in a tensor."""
    array: FloatArray = fill(torch.empty(shape)).numpy()
    return array


def _weight(make: Callable[[], nn.Module], path: str, _shape: tuple[int, ...]) -> FloatArray:
    """A weight of a new layer; its shape is the layer's, and the audit sees whether it is the one that was asked for."""
    tensor: torch.Tensor = reduce(getattr, path.split("."), make())
    array: FloatArray = tensor.detach().numpy()
    return array


def _function(
    fill: Callable[..., torch.Tensor],
    law: Any,
    statement: str,
    *,
    claims: tuple[DefaultClaim, ...] = (),
    **options: Any,
) -> StatedInitializer:
    shape = options.pop("shape", (200, 120))
    values = ", ".join(f"{key}={value!r}" for key, value in options.items())
    name = f"nn.init.{fill.__name__}"
    return StatedInitializer(
        name=f"{name}({values})" if values else name,
        initializer=partial(_filled, partial(fill, **options)),
        shape=shape,
        law=law,
        statement=statement,
        source=f"docstring of torch.{name}",
        claims=claims,
    )


def _functions() -> Iterator[StatedInitializer]:
    init = nn.init
    yield _function(init.normal_, {"name": "normal", "std": 1.0}, "N(mean, std^2), by default N(0, 1)")
    yield _function(init.uniform_, {"name": "uniform", "limit": 0.1}, "uniform between a and b", a=-0.1, b=0.1)
    yield _function(
        init.trunc_normal_,
        {"name": "truncated_normal", "std": 1.0},
        "N(0, 1), redrawn outside [a, b] = [-2, 2]; so the variance is 0.774 and not std^2",
        std=1.0,
    )
    yield _function(
        init.trunc_normal_,
        {"name": "normal", "std": 0.02},
        "N(0, 0.02^2), redrawn outside [a, b] = [-2, 2]: bounds that are not multiples of std, and here at 100 of it",
        std=0.02,
    )
    for fill, law, statement in (
        (init.xavier_normal_, "xavier_normal", "N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out))"),
        (init.xavier_uniform_, "xavier_uniform", "uniform within gain sqrt(6 / (fan_in + fan_out))"),
        (init.kaiming_normal_, "he_normal", "N(0, std^2), std = gain / sqrt(fan_in), gain = sqrt(2)"),
        (init.kaiming_uniform_, "he_uniform", "uniform within gain sqrt(3 / fan_in), gain = sqrt(2)"),
    ):
        yield _function(fill, law, statement, claims=(offered(law),))
    yield _function(
        init.kaiming_normal_,
        {"name": "variance_scaling", "scale": 2.0, "mode": "fan_out"},
        "the same with fan_out",
        mode="fan_out",
    )
    yield _function(init.kaiming_normal_, "he_normal", "fan_in counts the kernel's positions", shape=(48, 20, 3, 3))
    yield _function(init.orthogonal_, "orthogonal", "a semi-orthogonal matrix")
    yield _function(init.orthogonal_, "orthogonal", "trailing dimensions are flattened", shape=(60, 12, 3, 3))
    yield _function(
        init.sparse_,
        {"name": "normal", "std": 0.1},
        "what is not set to 0 is N(0, 0.01), read as the module's other docstrings are, N(mean, std^2)",
        sparsity=0.0,
    )
    yield _function(init.zeros_, "zeros", "zeros")


def _layer(
    name: str, make: Callable[[], nn.Module], shape: tuple[int, ...], law: Any, statement: str, **options: Any
) -> StatedInitializer:
    """A weight's default; its name is ``Layer(options).weight``."""
    layer, _, path = name.partition(".")
    return StatedInitializer(
        name=f"nn.{name}",
        initializer=partial(_weight, make, path),
        shape=shape,
        law=law,
        statement=statement,
        **{"source": f"docstring of torch.nn.{layer.partition('(')[0]}", **options},
    )


def _linear() -> Iterator[StatedInitializer]:
    def make() -> nn.Module:
        return nn.Linear(120, 200)

    said = _SQUARE_ROOT.format("in_features")
    weight = f"{said}; variance 1 / (3 in_features)"
    yield _layer("Linear.weight", make, (200, 120), "torch_linear", weight, claims=(DENSE, _OWN_LAW))
    yield _layer("Linear.bias", make, (200,), "torch_linear", said, fan_in=120, fan_out=200)
    yield _layer(
        "Bilinear.weight",
        lambda: nn.Bilinear(30, 20, 40),
        (40, 30, 20),
        "torch_linear",
        _SQUARE_ROOT.format("in1_features"),
        fan_in=30,
        fan_out=40,
    )


def _convolutions() -> Iterator[StatedInitializer]:
    kinds = {1: (nn.Conv1d, nn.ConvTranspose1d), 2: (nn.Conv2d, nn.ConvTranspose2d), 3: (nn.Conv3d, nn.ConvTranspose3d)}
    for dimensions, (plain, transposed) in kinds.items():
        for groups in (1, 4):
            channels_in, channels_out, kernel = 16, 40, (3,) * dimensions
            positions = math.prod(kernel)
            suffix = f"(groups={groups})" if groups > 1 else ""
            yield _layer(
                f"{plain.__name__}{suffix}.weight",
                partial(plain, channels_in, channels_out, kernel, groups=groups),
                (channels_out, channels_in // groups, *kernel),
                "torch_linear",
                _SQUARE_ROOT.format("(C_in positions / groups)"),
                groups=groups,
                claims=() if groups > 1 else (CONVOLUTION,),
            )
            # Stored as (C_in, C_out / groups, *kernel), and scaled as its documentation says: by outputs, not inputs.
            yield _layer(
                f"{transposed.__name__}{suffix}.weight",
                partial(transposed, channels_in, channels_out, kernel, groups=groups),
                (channels_in, channels_out // groups, *kernel),
                "torch_linear",
                _SQUARE_ROOT.format("(C_out positions / groups)"),
                groups=groups,
                fan_in=channels_out // groups * positions,
                fan_out=channels_in // groups * positions,
            )


def _others() -> Iterator[StatedInitializer]:
    normal = {"name": "normal", "std": 1.0}
    yield _layer("Embedding.weight", lambda: nn.Embedding(500, 80), (500, 80), normal, "N(0, 1)")
    yield _layer("EmbeddingBag.weight", lambda: nn.EmbeddingBag(500, 80), (500, 80), normal, "N(0, 1)")
    one = {"name": "constant", "value": 1.0}
    source = {"source": "docstring of torch.nn.LayerNorm"}
    yield _layer("LayerNorm.weight", lambda: nn.LayerNorm(64), (64,), one, "ones", **source)
    yield _layer("LayerNorm.bias", lambda: nn.LayerNorm(64), (64,), "zeros", "zeros", **source)


def _recurrent() -> Iterator[StatedInitializer]:
    inputs, hidden = 48, 60
    for kind, gates in ((nn.RNN, 1), (nn.LSTM, 4), (nn.GRU, 3)):
        for path, columns in (("weight_ih_l0", (inputs,)), ("weight_hh_l0", (hidden,)), ("bias_ih_l0", ())):
            yield _layer(
                f"{kind.__name__}.{path}",
                partial(kind, inputs, hidden),
                (gates * hidden, *columns),
                "torch_linear",
                _SQUARE_ROOT.format("hidden_size"),
                fan_in=hidden,
                fan_out=gates * hidden,
            )


def _attention() -> Iterator[StatedInitializer]:
    size = 64
    make = partial(nn.MultiheadAttention, size, 4)
    code = "code of torch.nn.MultiheadAttention; its documentation states no law"
    yield _layer(
        "MultiheadAttention.in_proj_weight",
        make,
        (3 * size, size),
        "xavier_uniform",
        "Xavier's uniform law of the array in which three projections are stored",
        source=code,
    )
    yield _layer(
        "MultiheadAttention.in_proj_weight",
        make,
        (3 * size, size),
        "xavier_uniform",
        "Xavier's uniform law of each projection, as where they are stored apart (kdim, vdim)",
        source=code,
        fan_in=size,
        fan_out=size,
        documented=False,
        claims=(ATTENTION,),
    )
    yield _layer(
        "MultiheadAttention.q_proj_weight",
        partial(nn.MultiheadAttention, size, 4, kdim=48),
        (size, size),
        "xavier_uniform",
        "Xavier's uniform law of the projection",
        source=code,
    )
    yield _layer(
        "MultiheadAttention.out_proj.weight",
        make,
        (size, size),
        "torch_linear",
        "that of nn.Linear",
        source=code,
    )
