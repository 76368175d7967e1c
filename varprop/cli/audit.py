"""``varprop audit`` and ``varprop audit-model``: initialisers against their documentation, and a model's modules."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from varprop.cli.failures import CONTRADICTED, fail, guarded
from varprop.cli.options import folder
from varprop.cli.show import Json, say

if TYPE_CHECKING:
    from varprop.model.sites import ModuleNetwork


DRAWS_MAX = 10**8
_SEED = 2015
_SHOWN = ["verdict", "initializer", "shape", "law", "variance_ratio", "kurtosis", "cause", "note"]
_CLAIMED = ["verdict", "claim", "entry", "law", "ratio", "note"]


def audit(
    *,
    framework: Annotated[str, typer.Argument(help="torch, keras or jax, or a bridge of your own.", show_default=False)],
    only: Annotated[str | None, typer.Option(metavar="NAME", help="Initialisers with this in their names.")] = None,
    draws: Annotated[
        int | None, typer.Option(min=2, max=DRAWS_MAX, help="Single weights of each, 10^6 by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every number.")] = _SEED,
    report: Annotated[
        Path, typer.Option(metavar="DIR", parser=folder, help="Where reports go, each framework's to a folder.")
    ] = Path("reports/frameworks"),
    as_json: Json = False,
) -> None:
    """Audit a framework's initialisers; exit status 1 if one is not what its documentation states.

    A law is supported within 2 % of the variance, 2 % of a standard deviation for the mean, and a Kolmogorov distance of 0.05;
    an orthogonal one where a list of departures from the uniform law was gone through and none was found.
    Claims about defaults are tested, and the report is written, when all are audited, not with --only.
    """
    with guarded():
        from varprop.bridges import load_bridge
        from varprop.cli.show import print_json, print_table, records
        from varprop.verification.audit.frameworks import audit_bridge, audit_claims, claims_frame, to_frame

        bridge = load_bridge(framework)
        if only is None:
            from varprop.report.audits import FILES
            from varprop.report.replacing import check_target

            check_target(report, {bridge.name: FILES})  # before the hours, not after
        found = audit_bridge(bridge, only=only, n_draws=draws, rng=seed, progress=say)
        frame = to_frame(found)
        # Of all entries or none: the bound on false verdicts is one for the whole table.
        whole = [] if only is not None else audit_claims(bridge, n_draws=draws, rng=seed, progress=say)
        claims = records(claims_frame(whole))
        if as_json:
            content = {"framework": bridge.name, "version": bridge.version, "seed": seed}
            audits = [
                {**row, "parts": records(one.audit.to_frame())} for row, one in zip(records(frame), found, strict=True)
            ]
            print_json({**content, "audits": audits, "claims": claims})
        else:
            print_table(records(frame), _SHOWN)
            if whole:
                print_table(claims, _CLAIMED)
        if only is None:
            from varprop.report.audits import write_audits

            place, name = report / bridge.name, f"{bridge.name} {bridge.version}"
            write_audits(found, place, framework=name, seed=seed, claims=whole)
            say(f"the report is in {place}")
        if any(one.contradicts for one in found):
            raise typer.Exit(CONTRADICTED)


# ---- a model ---------------------------------------------------------------------------------------------------------


NETWORKS_MAX, BATCH_MAX = 10**6, 10**6
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
        print_table(rows, _MODULE_COLUMNS)
        for name, words in _LISTS.items():
            if getattr(network, name):
                say(f"{words}: {', '.join(getattr(network, name))}")


_LISTS = {
    "uncalled": "never called",
    "unmeasured": "without floating-point output",
    "unreached": "reached by no gradient",
}
_MODULE_COLUMNS = [
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
    from varprop.bridges.catalogue import BridgeError

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
    from varprop.numerics.randomness import input_generator, root_sequence

    rng = input_generator(root_sequence(seed))
    if tokens is None:
        return [rng.standard_normal((batch, *shape)) for shape in shapes]
    return [rng.integers(tokens, size=(batch, *shape)) for shape in shapes]


def _simulate() -> Callable[..., Any]:
    from varprop.bridges.catalogue import BridgeError

    try:
        from varprop.bridges.torch import simulate
    except ModuleNotFoundError as error:
        raise BridgeError(_NO_TORCH) from error
    return simulate
