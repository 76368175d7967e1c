"""``varprop audit``: initialisers of a framework against the laws that its documentation states."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from varprop.cli.failures import CONTRADICTED, guarded, say

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")]
DRAWS_MAX = 10**8
_SEED = 2015


def audit(
    *,
    framework: Annotated[str, typer.Argument(help="torch, keras or jax, or a bridge of your own.", show_default=False)],
    only: Annotated[str | None, typer.Option(metavar="NAME", help="Initialisers with this in their names.")] = None,
    draws: Annotated[
        int | None, typer.Option(min=2, max=DRAWS_MAX, help="Single weights of each, 10^6 by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every number.")] = _SEED,
    report: Annotated[Path, typer.Option(metavar="DIR", help="Where reports go, each framework's to a folder.")] = Path(
        "reports/frameworks"
    ),
    as_json: Json = False,
) -> None:
    """Audit a framework's initialisers; exit status 1 if one is not what its documentation states.

    The report is written when all of them are audited, not with --only.
    """
    with guarded():
        from varprop.bridges import load_bridge
        from varprop.cli.show import print_json, print_table, records
        from varprop.verification.audit.frameworks import audit_bridge, to_frame

        bridge = load_bridge(framework)
        found = audit_bridge(bridge, only=only, n_draws=draws, rng=seed, progress=say)
        frame = to_frame(found)
        rows = records(frame)
        if as_json:
            print_json({"framework": bridge.name, "version": bridge.version, "seed": seed, "audits": rows})
        else:
            print_table(rows, ["verdict", "initializer", "shape", "law", "variance_ratio", "cause", "note"])
        if only is None:
            from varprop.report.audits import write_audits

            folder = report / bridge.name
            write_audits(frame, folder, framework=f"{bridge.name} {bridge.version}", seed=seed)
            say(f"the report is in {folder}")
        if any(one.contradicts for one in found):
            raise typer.Exit(CONTRADICTED)
