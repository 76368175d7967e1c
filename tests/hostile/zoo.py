"""Values that nobody means to give, of every kind that a program meets; what all suites of this folder draw from.

`VALUES` has a name for each and a function that makes it anew, since a generator is used up and an array can be changed.
"""

import datetime as dt
import decimal
import fractions
import functools
import io
import math
import pathlib
import re
import sys
import types
from collections import Counter, OrderedDict, UserList, deque, namedtuple

import numpy as np
import pandas as pd

NUMBERS = {
    "zero": 0,
    "minus-zero": -0.0,
    "one": 1,
    "minus-one": -1,
    "two": 2,
    "seven": 7,
    "half": 0.5,
    "tenth": 0.1,
    "one-and-a-half": 1.5,
    "minus-half": -0.5,
    "true": True,
    "false": False,
    "million": 10**6,
    "2-to-the-31": 2**31,
    "2-to-the-62": 2**62,
    "2-to-the-64": 2**64,
    "minus-2-to-the-63": -(2**63),
    "400-digits": 10**400,
    "minus-400-digits": -(10**400),
    "hexadecimal-digits": int("0x" + "f" * 6000, 16),  # Python refuses to print it as a decimal number
    "subnormal": 5e-324,
    "nearly-nothing": 1e-320,
    "least-normal": sys.float_info.min,
    "1e-100": 1e-100,
    "1e-17": 1e-17,
    "epsilon": sys.float_info.epsilon,
    "just-below-one": math.nextafter(1.0, 0.0),
    "just-above-one": math.nextafter(1.0, 2.0),
    "1e16": 1e16,
    "1e100": 1e100,
    "1e200": 1e200,
    "1e308": 1e308,
    "largest": sys.float_info.max,
    "minus-1e308": -1e308,
    "nan": math.nan,
    "infinity": math.inf,
    "minus-infinity": -math.inf,
}

TEXTS = {
    "empty": "",
    "space": " ",
    "newline": "\n",
    "nul": "a\0b",
    "bell": "\a",
    "escape": "\x1b[31mred\x1b[0m",
    "title-of-a-terminal": "\x1b]0;owned\x07",
    "c1-control": "\x9b31m",
    "right-to-left": "\u202egnp.exe",
    "byte-order-mark": "\ufeffrelu",
    "zero-width": "re\u200blu",
    "surrogate": "\udcff",
    "emoji": "é 😀",
    "full-width": "＝1+1",
    "combining": "a" + "\u0301" * 50,
    "half-a-formula": r"$\frac{$",
    "two-dollars": "$ $",
    "formula": r"$\sigma_w^2$",
    "latex": r"\input{/etc/passwd} \write18{id} % & # _ ~ ^",
    "html": "<script>alert(1)</script>",
    "entity": "&lt;b&gt; \" '",
    "markdown": "[a](javascript:alert(1)) | `b` | **c**",
    "rich": "[bold]a[/bold] [/]",
    "csv": '=cmd|"/c calc"!A1',
    "template": "{{ 7 * 7 }} {% raw %} {0} %s %(a)s",
    "shell": "; touch owned; $(touch owned) `touch owned`",
    "long": "a" * 5000,
    "long-line-of-words": "many words " * 1000,
    "number": "1",
    "decimal": "0.1",
    "exponent": "1e400",
    "not-a-number": "nan",
    "widths": "1x65536",
    "too-wide": "65536x65536",
    "activation": "relu",
    "law": "he_normal",
    "theory": "mean-field",
    "quantity": "pivot",
    "call": "leaky_relu(slope=1e400)",
    "open-call": "normal(std=",
    "nested-call": "normal(std=" * 200,
    "brackets": "[" * 2000,
    "option": "--help",
    "dashes": "--",
    "file": "study.toml",
    "up": "../outside",
    "far-up": "../" * 40 + "proc/nowhere",
    "home": "~/nowhere",
    "device": "/dev/null",
    "below-a-device": "/dev/null/below",
    "full-device": "/dev/full",
    "proc": "/proc/self/nowhere",
    "no-such-folder": "no/such/folder",
    "windows": "C:\\CON\\aux.txt",
    "colon": "a:b",
    "dot": ".",
}

OWN_FAULT = "a fault of the caller's own"
Point = namedtuple("Point", "x y")
ROW = [0.5, -1.0, 2.0, 0.0]


def function(*_arguments, **_options):
    """Takes whatever it is given."""
    return 1.0


def failing(*_arguments, **_options):
    """Fails whatever it is given."""
    raise RuntimeError(OWN_FAULT)


def coroutine():
    """What an async function gives, closed, so that none is left without having been awaited."""

    async def nothing():
        pass

    made = nothing()
    made.close()
    return made


class Odd:
    """Whatever is asked of it fails, in ways that nobody expects."""

    def __len__(self):
        return -1  # noqa: PLE0303 - that is what is odd

    def __getitem__(self, key):
        raise KeyError(key)


class Unprintable:
    """Has no representation."""

    def __repr__(self):
        msg = "no words"
        raise ValueError(msg)


def of_itself():
    """A list that contains itself."""
    found = []
    found.append(found)
    return found


def nested(levels):
    """A list in a list, and so on."""
    found = []
    for _ in range(levels):
        found = [found]
    return found


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "list-of-list": lambda: [[]],
    "list-of-dict": lambda: [{}],
    "list-of-none": lambda: [None],
    "list-of-texts": lambda: ["relu", "he"],
    "list-of-ones": lambda: [1, 1, 1],
    "list-of-zeros": lambda: [0, 0],
    "list-of-negatives": lambda: [-1, -2],
    "list-of-floats": lambda: [0.5, 0.5],
    "list-of-nans": lambda: [math.nan, math.nan],
    "list-of-infinities": lambda: [math.inf, -math.inf],
    "list-of-bools": lambda: [True, False],
    "list-of-huge": lambda: [10**400, 2**62],
    "list-of-large": lambda: [1e308, 1e308],
    "list-of-mixed": lambda: [1, "a", None, {}],
    "rows": lambda: [ROW, ROW],
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "deep": lambda: nested(500),
    "of-itself": of_itself,
    "long": lambda: [1] * 100_000,
    "set-of-numbers": lambda: {1.0, 2.0},
    "dict-of-numbers": lambda: {"from": 1, "to": 2},
    "dict-of-name": lambda: {"name": "relu"},
    "dict-of-law": lambda: {"name": "normal", "std": 1e200},
    "dict-of-odd-keys": lambda: {1: 2, None: 3, (): 4},
    "ordered": lambda: OrderedDict(a=1),
    "counter": lambda: Counter("aab"),
    "deque": lambda: deque([1, 2]),
    "user-list": lambda: UserList([4, 4]),
    "named-tuple": lambda: Point(1, 2),
    "range": functools.partial(range, 3),
    "range-of-a-billion": functools.partial(range, 10**9),
    "slice": lambda: slice(None),
    "mapping-proxy": lambda: types.MappingProxyType({"a": 1}),
    "keys": {"a": 1}.keys,
}

OTHERS = {
    "none": lambda: None,
    "ellipsis": lambda: ...,
    "not-implemented": lambda: NotImplemented,
    "object": object,
    "odd": Odd,
    "unprintable": Unprintable,
    "class": lambda: int,
    "type-of-the-zoo": lambda: Odd,
    "function": lambda: function,
    "failing-function": lambda: failing,
    "lambda": lambda: lambda: 1,
    "builtin": lambda: len,
    "ufunc": lambda: np.tanh,
    "partial": lambda: functools.partial(function, 1),
    "generator": lambda: (i for i in range(3)),
    "generator-of-texts": lambda: (text for text in ("pivot",)),
    "iterator": lambda: iter([1, 2]),
    "map": lambda: map(float, [1, 2]),
    "coroutine": coroutine,
    "module": lambda: math,
    "exception": lambda: ValueError("a value"),
    "bytes": lambda: b"relu",
    "bytearray": lambda: bytearray(b"1"),
    "memoryview": lambda: memoryview(b"1"),
    "path": lambda: pathlib.Path("no/such/path"),
    "path-of-nothing": pathlib.Path,
    "file": lambda: io.StringIO("schema = 1"),
    "binary-file": lambda: io.BytesIO(b"schema = 1"),
    "decimal": lambda: decimal.Decimal("0.1"),
    "decimal-nan": lambda: decimal.Decimal("sNaN"),
    "fraction": lambda: fractions.Fraction(1, 10),
    "fraction-of-digits": lambda: fractions.Fraction(10**400, 3),
    "complex": lambda: 1 + 2j,
    "complex-of-a-real": lambda: 1 + 0j,
    "date": lambda: dt.date(2026, 1, 1),
    "time": lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "duration": lambda: dt.timedelta(1),
    "pattern": lambda: re.compile("a"),
    "dtype": lambda: np.dtype("float32"),
    "dtype-of-objects": lambda: np.dtype(object),
    "dtype-of-fields": lambda: np.dtype([("a", "f8")]),
    "type-of-numpy": lambda: np.float64,
    "extension-dtype": pd.Int64Dtype,
    "generator-of-numbers": lambda: np.random.default_rng(1),
    "bit-generator": lambda: np.random.PCG64(1),
    "seed-sequence": lambda: np.random.SeedSequence(1),
    "random-state": lambda: np.random.RandomState(1),
}

_KINDS = "bool int8 uint8 int16 int32 int64 uint64 float16 float32 float64 longdouble complex64 complex128"
ARRAYS = {
    **{f"array-of-{kind}": functools.partial(np.ones, 4, kind) for kind in _KINDS.split()},
    **{f"scalar-of-{kind}": functools.partial(np.dtype(kind).type, 1) for kind in _KINDS.split()},
    "array-of-nothing": lambda: np.empty(0),
    "array-without-axes": lambda: np.array(0.5),
    "rows": lambda: np.array([ROW, ROW]),
    "rows-without-columns": lambda: np.empty((4, 0)),
    "five-axes": lambda: np.ones((1, 1, 2, 1, 4)),
    "nans": lambda: np.full((1, 4), np.nan),
    "infinities": lambda: np.full((1, 4), np.inf),
    "largest": lambda: np.full((1, 4), sys.float_info.max),
    "subnormals": lambda: np.full((1, 4), 5e-324),
    "zeros": lambda: np.zeros((1, 4)),
    "objects": lambda: np.array([1.0, None, "a", 2], dtype=object),
    "texts": lambda: np.array(["1.0", "2.0"]),
    "strings": lambda: np.array(["1.0", "2.0"], dtype=np.dtypes.StringDType()),
    "bytes": lambda: np.array([b"1.0"]),
    "dates": lambda: np.ones(2).astype("M8[s]"),
    "durations": lambda: np.ones(2).astype("m8[s]"),
    "fields": lambda: np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]),
    "records": lambda: np.zeros(2, dtype=[("a", "f8")]).view(np.recarray),
    "masked": lambda: np.ma.masked_array([ROW], mask=[[True, False, True, False]]),
    "masked-number": lambda: np.ma.masked,
    "matrix-of-rows": lambda: np.asfortranarray(np.ones((2, 4)))[::-1, ::2],
    "read-only": lambda: np.broadcast_to(1.0, (2, 4)),
    "broadcast-of-a-billion": lambda: np.broadcast_to(1.0, (10**9,)),
    "other-byte-order": lambda: np.ones(4, dtype=">f8"),
}

FRAMES = {
    "series": lambda: pd.Series(ROW),
    "series-of-na": lambda: pd.Series([1.0, None]),
    "series-of-nullable": lambda: pd.Series([1, None], dtype="Int64"),
    "series-of-nullable-bools": lambda: pd.Series([True, None], dtype="boolean"),
    "series-of-texts": lambda: pd.Series(["a", None], dtype="string"),
    "series-of-categories": lambda: pd.Series(["a", "b"], dtype="category"),
    "series-of-dates": lambda: pd.Series(pd.date_range("2026-01-01", periods=2)),
    "series-of-nothing": lambda: pd.Series([], dtype=float),
    "series-of-one": lambda: pd.Series([0.05]),
    "frame": lambda: pd.DataFrame([ROW, ROW]),
    "frame-of-na": lambda: pd.DataFrame({"layer": [1, None], "value": [pd.NA, 1.0]}),
    "frame-of-nothing": pd.DataFrame,
    "frame-of-a-simulation": lambda: pd.DataFrame(
        {"network": [0, 1], "layer": [1, 1], "module": ["a", "a"], "quantity": ["pivot"] * 2, "value": [1.0, 2.0]}
    ),
    "frame-of-two-names": lambda: pd.DataFrame([[1, 2]], columns=["layer", "layer"]),
    "frame-of-levels": lambda: pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
    "index": lambda: pd.Index([1, 2]),
    "nullable-array": lambda: pd.array([1, None], dtype="Int64"),
    "na": lambda: pd.NA,
    "nat": lambda: pd.NaT,
    "stamp": lambda: pd.Timestamp("2026-01-01"),
    "interval": lambda: pd.Interval(0, 1),
}


def _arrow():
    pyarrow = __import__("pyarrow")
    return {
        "arrow-series": lambda: pd.Series([1.0, None], dtype=pd.ArrowDtype(pyarrow.float64())),
        "arrow-frame": lambda: pd.DataFrame({"value": pd.Series([1, None], dtype=pd.ArrowDtype(pyarrow.int64()))}),
        "arrow-array": lambda: pyarrow.array([1.0, None]),
        "arrow-table": lambda: pyarrow.table({"value": [1.0, None]}),
    }


def _polars():
    try:
        polars = __import__("polars")
    except ModuleNotFoundError:  # it is no dependency of varprop's; where somebody has it, its values are tried too
        return {}
    return {
        "polars-series": lambda: polars.Series([1.0, None]),
        "polars-frame": lambda: polars.DataFrame({"value": [1.0, None]}),
        "polars-plan": lambda: polars.LazyFrame({"value": [1.0]}),
    }


def _named(kind, values):
    return {f"{kind}: {name}": make for name, make in values.items()}


def _constant(value):
    return lambda: value


VALUES = {
    **_named("number", {name: _constant(value) for name, value in NUMBERS.items()}),
    **_named("text", {name: _constant(value) for name, value in TEXTS.items()}),
    **_named("container", CONTAINERS),
    **_named("other", OTHERS),
    **_named("array", ARRAYS),
    **_named("frame", {**FRAMES, **_arrow(), **_polars()}),
}
"""Functions that make a value, by its name."""
