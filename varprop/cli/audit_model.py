"""``varprop audit-model``: where a PyTorch model loses the signal or the gradient when it is new."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from varprop.cli.failures import fail, guarded
from varprop.cli.terminal import say

if TYPE_CHECKING:
    from varprop.model.modules import ModuleNetwork

NETWORKS_MAX, BATCH_MAX = 10**6, 10**6
_SEED = 2015
_NO_TORCH = "torch is not installed; install it with: pip install 'varprop[torch]'"


def audit_model(
    *,
    factory: Annotated[
        str, typer.Argument(metavar="MODULE:FACTORY", help="A function that returns a new model.", show_default=False)
    ],
    shape: Annotated[
        list[str],
        typer.Option(
            "--input", metavar="SHAPE", help="Of one input, 3x32x32; again for each argument.", show_default=False
        ),
    ],
    batch: Annotated[int, typer.Option(min=1, max=BATCH_MAX, help="Inputs that every model sees.")] = 16,
    tokens: Annotated[
        int | None, typer.Option(min=1, metavar="SIZE", help="Inputs are token ids below this, not normal numbers.")
    ] = None,
    networks: Annotated[int, typer.Option(min=2, max=NETWORKS_MAX, help="How many models to build.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every number.")] = _SEED,
    margin: Annotated[float, typer.Option(help="Largest relative change that counts as none.")] = 0.05,
    alpha: Annotated[float, typer.Option(help="Chance of any false verdict.")] = 0.05,
    top: Annotated[int | None, typer.Option(min=1, help="Show so many modules; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
) -> None:
    """Build a PyTorch model many times and say which modules gain or lose most, and what would fix them."""
    with guarded():
        from varprop.cli.show import print_json, print_table, records
        from varprop.verification.compare import hold_against
        from varprop.verification.modules import module_gains
        from varprop.verification.verdict import to_frame

        shapes = [_shape(text) for text in shape]
        build = _factory(factory)
        inputs = _inputs(shapes, batch=batch, tokens=tokens, seed=seed)
        simulate = _simulate()
        try:
            found = simulate(build, inputs, n_networks=networks, rng=seed)
        except (IndexError, RuntimeError, TypeError) as error:  # what PyTorch says of inputs that do not fit
            given = ", ".join(str(x.shape) for x in inputs)
            fail(f"{factory} with inputs of shape {given}: {error}")
        gains = module_gains(found)
        verdicts = hold_against(found, "preserved", margin=margin, alpha=alpha)
        network: ModuleNetwork = found.network
        if as_json:
            lists = {name: list(getattr(network, name)) for name in _LISTS}
            content = {"model": network.label, "networks": networks, "seed": seed, **lists}
            print_json({**content, "modules": records(gains), "verdicts": records(to_frame(verdicts))})
            return
        say(f"{network.label}: {networks:,} networks, {batch} inputs, seed {seed}")
        told = {(one.measured.place, one.claim.quantity): one.verdict for one in verdicts}
        rows = [
            {
                **{name: _short(value) for name, value in row.items()},
                "signal kept": told.get(((row["layer"], row["module"]), "activation_second_moment")),
                "gradient kept": told.get(((row["layer"], row["module"]), "gradient_second_moment")),
            }
            for row in records(gains)[:top]
        ]
        print_table(rows, _SHOWN)
        for name, words in _LISTS.items():
            if getattr(network, name):
                say(f"{words}: {', '.join(getattr(network, name))}")


_LISTS = {
    "uncalled": "never called",
    "unmeasured": "without floating-point output",
    "unreached": "reached by no gradient",
}
_SHOWN = [
    "module",
    "kind",
    "step",
    "std_factor",
    "gain",
    "signal kept",
    "gradient_gain",
    "gradient kept",
    "note",
]


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _shape(text: str) -> tuple[int, ...]:
    from varprop._arguments import quoted

    if not re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8})*", text):
        msg = (
            f"--input takes sizes with x between them, got {quoted(text)}; write for example 3x32x32, without the batch"
        )
        raise ValueError(msg)
    return tuple(map(int, text.split("x")))


def _factory(text: str) -> Callable[[], Any]:
    """What ``package.module:factory`` names, looked for in the working directory too."""
    from varprop._arguments import quoted
    from varprop.bridges.discovery import BridgeError

    module, _, name = text.partition(":")
    if not (module and name):
        msg = f"a factory is named as package.module:factory, got {quoted(text)}"
        raise ValueError(msg)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise BridgeError(_NO_TORCH) from error
        msg = f"{text}: there is no module {quoted(error.name)} here or among what is installed"
        raise ValueError(msg) from error
    except Exception as error:
        msg = f"{text}: {error}" if isinstance(error, AttributeError) else f"{text}: {type(error).__name__}: {error}"
        raise ValueError(msg) from error  # whatever a module of the user's does while it is loaded
    if not callable(found):
        msg = f"{text} must be a function that returns a model, it is {type(found).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - a flag of the command line that is wrong
    built: Callable[[], Any] = found
    return built


def _inputs(shapes: list[tuple[int, ...]], *, batch: int, tokens: int | None, seed: int) -> list[Any]:
    """Standard normal numbers, or token ids, of which all models see the same."""
    from varprop.numerics.streams import input_generator, root_sequence

    rng = input_generator(root_sequence(seed))
    if tokens is None:
        return [rng.standard_normal((batch, *shape)) for shape in shapes]
    return [rng.integers(tokens, size=(batch, *shape)) for shape in shapes]


def _simulate() -> Callable[..., Any]:
    from varprop.bridges.discovery import BridgeError

    try:
        from varprop.bridges.torch import simulate
    except ModuleNotFoundError as error:
        raise BridgeError(_NO_TORCH) from error
    return simulate
