"""``varprop audit``: initialisers of a framework against the laws that its documentation states."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from varprop.cli.failures import CONTRADICTED, guarded
from varprop.cli.folders import folder
from varprop.cli.terminal import Json, say

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
        from varprop.verification.audit.frameworks import audit_bridge, parts_frame, to_frame
        from varprop.verification.audit.stated import audit_claims, claims_frame

        bridge = load_bridge(framework)
        if only is None:
            from varprop.report.audits import FILES
            from varprop.report.replacing import check_target

            check_target(report, {bridge.name: FILES})  # before the hours, not after
        found = audit_bridge(bridge, only=only, n_draws=draws, rng=seed, progress=say)
        frame = to_frame(found)
        # Of all entries or none: the bound on false verdicts is one for the whole table.
        whole = [] if only is not None else audit_claims(bridge, n_draws=draws, rng=seed, progress=say)
        claims = claims_frame(whole, bridge)
        if as_json:
            content = {"framework": bridge.name, "version": bridge.version, "seed": seed}
            audits = [
                {**row, "parts": records(one.audit.to_frame())} for row, one in zip(records(frame), found, strict=True)
            ]
            print_json({**content, "audits": audits, "claims": records(claims)})
        else:
            print_table(records(frame), _SHOWN)
            if whole:
                print_table(records(claims), _CLAIMED)
        if only is None:
            from varprop.report.audits import write_audits

            place, name = report / bridge.name, f"{bridge.name} {bridge.version}"
            write_audits(frame, place, framework=name, seed=seed, defaults=claims, parts=parts_frame(found))
            say(f"the report is in {place}")
        if any(one.contradicts for one in found):
            raise typer.Exit(CONTRADICTED)
