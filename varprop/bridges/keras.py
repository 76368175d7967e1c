"""Keras 3: keras.initializers, and what its layers begin with, on whatever backend Keras runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any

import keras
import numpy as np
from keras import initializers, layers

from varprop._typing import FloatArray
from varprop.bridges.catalogue import ATTENTION, CONVOLUTION, DENSE, Bridge, DefaultClaim, StatedInitializer, offered
from varprop.model.laws import channels_last

_GLOROT = "Glorot's uniform law, within sqrt(6 / (fan_in + fan_out))"
_XAVIER = ("xavier_uniform", _GLOROT)
_Stated = tuple[Any, str]  # a law, and the same in words
_Inputs = tuple[int | None, ...]


def bridge() -> Bridge:
    """Keras' catalogue."""
    return Bridge(
        name="keras",
        version=f"{keras.__version__} on {keras.backend.backend()}",
        cases=(*_functions(), *_layers(), *_recurrent(), *_attention()),
        seeded=_seeded,
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    # An initialiser without a seed takes one from Python's own generator.
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def _called(make: Callable[[], Any], shape: tuple[int, ...]) -> FloatArray:
    """What a new initialiser returns; one that is called twice without a seed generator returns the same twice."""
    return np.asarray(keras.ops.convert_to_numpy(make()(shape)))


def _function(
    kind: Callable[..., Any],
    law: Any,
    statement: str,
    *,
    shape: tuple[int, ...] = (120, 200),
    claims: tuple[DefaultClaim, ...] = (),
) -> StatedInitializer:
    name = f"initializers.{kind.__name__}"
    fans = channels_last(shape).fans
    return StatedInitializer(
        name=name,
        initializer=partial(_called, kind),
        shape=shape,
        law=law,
        statement=statement,
        source=f"docstring of keras.{name}",
        fan_in=fans.fan_in,
        fan_out=fans.fan_out,
        claims=claims,
    )


def _scaled(scale: float, mode: str) -> dict[str, Any]:
    return {"name": "variance_scaling", "scale": scale, "mode": mode, "distribution": "truncated_normal"}


def _functions() -> Iterator[StatedInitializer]:
    yield _function(initializers.RandomNormal, {"name": "normal", "std": 0.05}, "normal, stddev 0.05")
    yield _function(initializers.RandomUniform, {"name": "uniform", "limit": 0.05}, "uniform in -0.05 to 0.05")
    yield _function(
        initializers.TruncatedNormal,
        {"name": "truncated_normal", "std": 0.05},
        "normal of stddev 0.05, redrawn beyond two of them; so the variance is 0.774 of stddev^2",
    )
    cut = "truncated normal, its standard deviation {} after the cut"
    yield _function(initializers.VarianceScaling, _scaled(1.0, "fan_in"), cut.format("sqrt(scale / fan_in)"))
    yield _function(
        initializers.GlorotNormal,
        _scaled(1.0, "fan_avg"),
        cut.format("sqrt(2 / (fan_in + fan_out))"),
        claims=(offered("xavier_normal"),),
    )
    yield _function(
        initializers.HeNormal, _scaled(2.0, "fan_in"), cut.format("sqrt(2 / fan_in)"), claims=(offered("he_normal"),)
    )
    yield _function(initializers.LecunNormal, _scaled(1.0, "fan_in"), cut.format("sqrt(1 / fan_in)"))
    yield _function(initializers.GlorotUniform, "xavier_uniform", _GLOROT, claims=(offered("xavier_uniform"),))
    yield _function(
        initializers.HeUniform, "he_uniform", "uniform within sqrt(6 / fan_in)", claims=(offered("he_uniform"),)
    )
    yield _function(initializers.LecunUniform, "lecun_uniform", "uniform within sqrt(3 / fan_in)")
    yield _function(initializers.HeUniform, "he_uniform", "fan_in counts the kernel's positions", shape=(3, 3, 20, 48))
    yield _function(initializers.Orthogonal, "orthogonal", "an orthogonal matrix, times the gain 1")
    yield _function(initializers.Zeros, "zeros", "zeros")
    once = initializers.GlorotUniform()
    shape = (120, 200)
    yield StatedInitializer(
        name="initializers.GlorotUniform, one instance",
        initializer=partial(_called, lambda: once),
        shape=shape,
        law="xavier_uniform",
        statement="new numbers at every call; the documentation warns that there are none without a seed generator",
        source="taken for granted by who shares an instance between layers",
        documented=False,
        fan_in=shape[0],
        fan_out=shape[1],
    )


def _weight(make: Callable[[], Any], inputs: _Inputs, path: str, _shape: tuple[int, ...]) -> FloatArray:
    """A weight of a new layer, built for inputs of a shape."""
    layer = make()
    layer.build(*([inputs] * 2 if isinstance(layer, layers.MultiHeadAttention) else [inputs]))
    weight = reduce(getattr, path.split("."), layer)
    return np.asarray(keras.ops.convert_to_numpy(getattr(weight, "value", weight)))


def _layer(
    name: str, make: Callable[[], Any], inputs: _Inputs, shape: tuple[int, ...], stated: _Stated, **options: Any
) -> StatedInitializer:
    """A weight's default; its name is ``Layer(options).weight``."""
    layer, _, path = name.partition(".")
    law, statement = stated
    fan_in, fan_out = channels_last(shape).fans if len(shape) > 1 else (None, None)
    return StatedInitializer(
        name=f"layers.{name}",
        initializer=partial(_weight, make, inputs, path),
        shape=shape,
        law=law,
        statement=statement,
        source=f"docstring of keras.layers.{layer.partition('(')[0]}",
        **{"fan_in": fan_in, "fan_out": fan_out, **options},
    )


def _layers() -> Iterator[StatedInitializer]:
    dense = partial(layers.Dense, 200)
    yield _layer("Dense.kernel", dense, (None, 120), (120, 200), _XAVIER, claims=(DENSE,))
    yield _layer("Dense.bias", dense, (None, 120), (200,), ("zeros", "zeros"))
    for kind, dimensions in ((layers.Conv1D, 1), (layers.Conv2D, 2), (layers.Conv3D, 3)):
        kernel, inputs = (3,) * dimensions, (None, *(9,) * dimensions, 16)
        make, shape = partial(kind, 40, kernel), (*kernel, 16, 40)
        yield _layer(f"{kind.__name__}.kernel", make, inputs, shape, _XAVIER, claims=(CONVOLUTION,))
    image = (None, 9, 9, 16)
    grouped, name, shape = partial(layers.Conv2D, 40, 3, groups=4), "Conv2D(groups=4).kernel", (3, 3, 4, 40)
    yield _layer(name, grouped, image, shape, ("xavier_uniform", f"{_GLOROT}, with the fan_out of all groups"))
    one_group = ("xavier_uniform", f"{_GLOROT}, both fans those of one group, as a unit sees them")
    yield _layer(name, grouped, image, shape, one_group, fan_in=36, fan_out=90, groups=4, documented=False)
    transposed = partial(layers.Conv2DTranspose, 40, 3)
    yield _layer("Conv2DTranspose.kernel", transposed, image, (3, 3, 40, 16), _XAVIER)
    yield _layer(
        "DepthwiseConv2D.kernel",
        partial(layers.DepthwiseConv2D, 3, depth_multiplier=6),
        image,
        (3, 3, 16, 6),
        ("xavier_uniform", f"{_GLOROT}, with the fans of the array, as if each unit saw all channels"),
    )
    uniform = ({"name": "uniform", "limit": 0.05}, "'uniform', that is RandomUniform in -0.05 to 0.05")
    yield _layer("Embedding.embeddings", partial(layers.Embedding, 500, 80), (None, 7), (500, 80), uniform)


def _recurrent() -> Iterator[StatedInitializer]:
    size, units = 48, 60
    for kind, gates in ((layers.SimpleRNN, 1), (layers.LSTM, 4), (layers.GRU, 3)):
        make, inputs, name = partial(kind, units), (None, 5, size), kind.__name__
        said = f"{_GLOROT}, of the array in which the gates are stored" if gates > 1 else _GLOROT
        yield _layer(f"{name}.cell.kernel", make, inputs, (size, gates * units), ("xavier_uniform", said))
        orthogonal = ("orthogonal", "orthogonal")
        yield _layer(f"{name}.cell.recurrent_kernel", make, inputs, (units, gates * units), orthogonal)


def _attention() -> Iterator[StatedInitializer]:
    size, heads, per_head = 64, 4, 20
    make, inputs = partial(layers.MultiHeadAttention, heads, per_head), (None, 5, size)
    stated = ("xavier_uniform", f"{_GLOROT}, of the projection as a matrix")
    for name, shape, fans in (
        ("_query_dense", (size, heads, per_head), (size, heads * per_head)),
        ("_output_dense", (heads, per_head, size), (heads * per_head, size)),
    ):
        options = {"fan_in": fans[0], "fan_out": fans[1], "claims": (ATTENTION,)}
        yield _layer(f"MultiHeadAttention.{name}.kernel", make, inputs, shape, stated, **options)
