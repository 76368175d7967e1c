"""JAX and Flax: jax.nn.initializers, and what layers of flax.linen and flax.nnx begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import flax
import jax
import numpy as np
from flax import linen, nnx
from jax.nn import initializers

from varprop._typing import FloatArray
from varprop.bridges.catalogue import CONVOLUTION, XAVIER_AND_HE, Bridge, DefaultClaim, StatedInitializer, offered
from varprop.model.initializers import Initializer, as_initializer
from varprop.model.laws import channels_last

_LECUN = {"name": "variance_scaling", "scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal"}
_SAID = "LeCun's normal law, truncated, its standard deviation sqrt(1 / fan_in) after the cut"
_LECUN_NORMAL = (_LECUN, _SAID)
_OF_A_MATRIX = (_LECUN, f"{_SAID}, of the map as a matrix")
_DENSE = (
    DefaultClaim(
        claim="framework.defaults.flax",
        statement="Flax' dense layers begin with LeCun's normal law, truncated, of variance 1/n_in.",
        laws=(_LECUN,),
    ),
    DefaultClaim(
        claim="framework.defaults.flax-xavier-he",
        statement="Flax' dense layers begin with Xavier's or He's law.",
        laws=XAVIER_AND_HE,
        corrected="They begin with LeCun's normal law, truncated, of variance 1/n_in. Both laws are offered as functions.",
    ),
)
_ZEROS = ("zeros", "zeros")
_EMBEDDING = (
    {"name": "variance_scaling", "distribution": "normal"},
    "normal, variance 1 / features: the fan_in of a map back",
)
_Stated = tuple[Any, str]  # a law, and the same in words
_Sizes = tuple[int, ...]
_CODE = "default in the signature of flax.{}; its documentation names the argument alone"


def bridge() -> Bridge:
    """The catalogue of JAX and Flax."""
    return Bridge(
        name="jax",
        version=f"{jax.__version__}, flax {flax.__version__}",
        cases=(*_functions(), *_linen(), *_cells(), *_nnx()),
    )


def _key(rng: np.random.Generator) -> Any:
    return jax.random.key(int(rng.integers(2**32)))


def _called(initializer: Callable[..., Any], shape: tuple[int, ...], *, rng: np.random.Generator) -> FloatArray:
    return np.asarray(initializer(_key(rng), shape))


def _function(
    name: str,
    law: Any,
    statement: str,
    *options: Any,
    shape: tuple[int, ...] = (120, 200),
    claims: tuple[DefaultClaim, ...] = (),
) -> StatedInitializer:
    fans = channels_last(shape).fans
    values = f"({', '.join(map(repr, options))})" if options else ""
    return StatedInitializer(
        name=f"initializers.{name}{values}",
        initializer=partial(_called, getattr(initializers, name)(*options)),
        shape=shape,
        law=law,
        statement=statement,
        source=f"docstring of jax.nn.initializers.{name}",
        fan_in=fans.fan_in,
        fan_out=fans.fan_out,
        claims=claims,
    )


def _one_sided(limit: float) -> Initializer:
    """Uniform between 0 and a limit, which is no law of varprop's own."""
    return as_initializer(
        lambda shape, rng: rng.uniform(0.0, limit, shape),
        name=f"uniform(0, {limit:g})",
        variance=limit**2 / 12,
        kurtosis=9 / 5,
        mean=limit / 2,
    )


def _functions() -> Iterator[StatedInitializer]:
    yield _function("normal", {"name": "normal", "std": 0.01}, "normal, stddev 0.01")
    yield _function("uniform", _one_sided(0.01), "uniform in [0, scale), scale 0.01: all positive")
    yield _function(
        "truncated_normal",
        {"name": "truncated_normal", "std": 0.01},
        "normal of stddev 0.01 before it is cut at two of them; so the variance is 0.774 of stddev^2",
    )
    cut = "truncated normal, its standard deviation {} after the cut"
    glorot, he = {**_LECUN, "mode": "fan_avg"}, {**_LECUN, "scale": 2.0}
    yield _function(
        "glorot_normal", glorot, cut.format("sqrt(2 / (fan_in + fan_out))"), claims=(offered("xavier_normal"),)
    )
    yield _function("he_normal", he, cut.format("sqrt(2 / fan_in)"), claims=(offered("he_normal"),))
    yield _function("lecun_normal", _LECUN, cut.format("sqrt(1 / fan_in)"))
    yield _function(
        "glorot_uniform",
        "xavier_uniform",
        "uniform, variance 2 / (fan_in + fan_out)",
        claims=(offered("xavier_uniform"),),
    )
    yield _function("he_uniform", "he_uniform", "uniform, variance 2 / fan_in", claims=(offered("he_uniform"),))
    yield _function("lecun_uniform", "lecun_uniform", "uniform, variance 1 / fan_in")
    yield _function("variance_scaling", "he_normal", "normal, variance scale / fan_in", 2.0, "fan_in", "normal")
    yield _function("he_normal", he, "fan_in counts the kernel's positions", shape=(3, 3, 20, 48))
    yield _function("orthogonal", "orthogonal", "a uniformly distributed orthogonal matrix")
    yield _function("constant", {"name": "constant", "value": 0.3}, "a constant", 0.3)


def _found(parameters: Any, path: str) -> FloatArray:
    """One of nested mappings of parameters."""
    for name in path.split("."):
        parameters = parameters[name]
    return np.asarray(parameters)


def _layer(
    name: str, draw: Callable[..., FloatArray], shape: _Sizes, stated: _Stated, source: str, **options: Any
) -> StatedInitializer:
    """A weight's default, from what draws it; its name is ``library.Layer(options).weight``."""
    law, statement = stated
    fan_in, fan_out = channels_last(shape).fans if len(shape) > 1 else (None, None)
    return StatedInitializer(
        name=name,
        initializer=draw,
        shape=shape,
        law=law,
        statement=statement,
        source=source,
        **{"fan_in": fan_in, "fan_out": fan_out, **options},
    )


def _module(make: Callable[[], Any], x: Any, path: str, _shape: _Sizes, *, rng: np.random.Generator) -> FloatArray:
    """A parameter of a new module of flax.linen, made for inputs like x."""
    return _found(make().init(_key(rng), x)["params"], path)


def _module_case(
    name: str, make: Callable[[], Any], x: Any, shape: _Sizes, stated: _Stated = _LECUN_NORMAL, **options: Any
) -> StatedInitializer:
    kind, _, path = name.partition(".")
    source = _CODE.format(f"linen.{kind.partition('(')[0]}")
    return _layer(f"linen.{name}", partial(_module, make, x, path), shape, stated, source, **options)


def _linen() -> Iterator[StatedInitializer]:
    row, image, sequence = (np.zeros(size, np.float32) for size in ((1, 120), (1, 9, 9, 20), (1, 5, 64)))
    yield _module_case("Dense.kernel", partial(linen.Dense, 200), row, (120, 200), claims=_DENSE)
    yield _module_case("Dense.bias", partial(linen.Dense, 200), row, (200,), _ZEROS)
    general = partial(linen.DenseGeneral, (20, 10))
    yield _module_case("DenseGeneral.kernel", general, row, (120, 20, 10), _OF_A_MATRIX, fan_in=120, fan_out=200)
    convolution = partial(linen.Conv, 48, (3, 3))
    yield _module_case("Conv.kernel", convolution, image, (3, 3, 20, 48), claims=(CONVOLUTION,))
    grouped = partial(linen.Conv, 48, (3, 3), feature_group_count=4)
    yield _module_case("Conv(groups=4).kernel", grouped, image, (3, 3, 5, 48), groups=4, fan_out=12 * 9)
    transposed = partial(linen.ConvTranspose, 48, (3, 3))
    yield _module_case("ConvTranspose.kernel", transposed, image, (3, 3, 20, 48))
    embed, index = partial(linen.Embed, 500, 80), np.zeros(1, np.int32)
    yield _module_case("Embed.embedding", embed, index, (500, 80), _EMBEDDING, fan_in=80, fan_out=500)
    attention = partial(linen.MultiHeadDotProductAttention, 4)
    for path, shape in (("query", (64, 4, 16)), ("out", (4, 16, 64))):
        name = f"MultiHeadDotProductAttention.{path}.kernel"
        yield _module_case(name, attention, sequence, shape, _OF_A_MATRIX, fan_in=64, fan_out=64)


def _cell(make: Callable[[], Any], x: Any, path: str, _shape: _Sizes, *, rng: np.random.Generator) -> FloatArray:
    """A parameter of a new recurrent cell of flax.linen."""
    cell = make()
    return _found(cell.init(_key(rng), cell.initialize_carry(_key(rng), x.shape), x)["params"], path)


def _cells() -> Iterator[StatedInitializer]:
    inputs, hidden = 96, 128
    x = np.zeros((1, inputs), np.float32)
    orthogonal = ("orthogonal", "orthogonal")
    # One gate of each, by the names of its maps from the inputs and from the state.
    for kind, of_inputs, of_state in (
        (linen.SimpleCell, *"ih"),
        (linen.LSTMCell, "if", "hf"),
        (linen.GRUCell, "ir", "hr"),
    ):
        source = f"docstring of flax.linen.{kind.__name__}"
        for gate, rows, stated in ((of_inputs, inputs, _LECUN_NORMAL), (of_state, hidden, orthogonal)):
            path = f"{gate}.kernel"
            draw = partial(_cell, partial(kind, hidden), x, path)
            yield _layer(f"linen.{kind.__name__}.{path}", draw, (rows, hidden), stated, source)


def _attribute(make: Callable[..., Any], path: str, _shape: _Sizes, *, rng: np.random.Generator) -> FloatArray:
    """A parameter of a new module of flax.nnx."""
    return np.asarray(getattr(make(rngs=nnx.Rngs(int(rng.integers(2**32)))), path)[...])


def _nnx() -> Iterator[StatedInitializer]:
    linear, convolution = partial(nnx.Linear, 120, 200), partial(nnx.Conv, 20, 48, (3, 3))
    for name, make, shape, stated, options in (
        ("Linear.kernel", linear, (120, 200), _LECUN_NORMAL, {"claims": _DENSE}),
        ("Linear.bias", linear, (200,), _ZEROS, {}),
        ("Conv.kernel", convolution, (3, 3, 20, 48), _LECUN_NORMAL, {}),
        ("Embed.embedding", partial(nnx.Embed, 500, 80), (500, 80), _EMBEDDING, {"fan_in": 80, "fan_out": 500}),
    ):
        kind, _, path = name.partition(".")
        yield _layer(
            f"nnx.{name}", partial(_attribute, make, path), shape, stated, _CODE.format(f"nnx.{kind}"), **options
        )
