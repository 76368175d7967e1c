"""The commands: each parses its arguments, calls the library, and prints."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from varprop._limits import MAX_NETWORKS
from varprop.cli.audit import audit, audit_model
from varprop.cli.calibrate import calibrate, plan
from varprop.cli.failures import CONTRADICTED, STATUSES, fail, guarded, show_tracebacks
from varprop.cli.listing import Catalogue, check, entries
from varprop.cli.options import folder
from varprop.cli.show import Json, out, say

if TYPE_CHECKING:
    from varprop.study import Run

app = typer.Typer(
    name="varprop",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class ExecutorChoice(StrEnum):
    """Where blocks of networks are sampled."""

    serial = "serial"
    threads = "threads"
    processes = "processes"
    dask = "dask"


WidthsOption = Annotated[str, typer.Option(help="256x20 (256 inputs, 20 weight layers of 256), or 784-64-10.")]
ActivationOption = Annotated[str, typer.Option(help="Such as relu, or leaky_relu(slope=0.1).")]
WeightsOption = Annotated[str, typer.Option(help="Such as he_normal, or normal(std=0.05).")]
BiasesOption = Annotated[str, typer.Option(help="Such as zeros, or normal(std=0.1).")]
AuditsOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Audits of frameworks for the ledger: what `varprop audit --report DIR` wrote."),
]
FormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format", metavar="NAME", help="html, md, latex, pdf or png; may be given again. By default html and md."
    ),
]
_USUAL_FORMATS = ("html", "md")
"""What is committed with a project; a supplement or a PDF is made when it is wanted."""


def _version(wanted: bool) -> None:
    if wanted:
        import varprop as vp

        out(f"varprop {vp.__version__}")
        raise typer.Exit


@app.callback(epilog=STATUSES)
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            callback=show_tracebacks,
            is_eager=True,
            help="Show the traceback of an error that is varprop's own.",
        ),
    ] = False,
) -> None:
    """Say whether a weight initialisation does what the theory says it does."""


@app.command()
def run(
    *,
    studies: Annotated[list[Path], typer.Argument(metavar="STUDY...", help="Study files (TOML).", show_default=False)],
    networks: Annotated[
        int | None, typer.Option(min=1, max=MAX_NETWORKS, help="Networks per configuration, not the study's number.")
    ] = None,
    executor: Annotated[
        ExecutorChoice | None, typer.Option(help="By default serial for short work, else processes.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads or processes; by default one a core.")] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Of a Dask scheduler, as in tcp://10.0.0.1:8786; else one is started here."),
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", parser=folder, help="Where runs are kept.")] = Path("runs"),
    report: Annotated[Path | None, typer.Option(metavar="DIR", parser=folder, help="Write reports there, too.")] = None,
    formats: FormatOption = None,
    audits: AuditsOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Sample everything again.")] = False,
    as_json: Json = False,
) -> None:
    """Sample what is missing of each study, test its claims, and say what came out."""
    with guarded():
        from varprop.cli.options import Pace, executor_for, progress_of
        from varprop.study import StudyError, load_study, run_study
        from varprop.study.files import reading

        loaded, errors = [], []
        for path in studies:
            try:
                loaded.append(load_study(path))
            except StudyError as error:
                errors.append(str(error))
        if errors:
            fail("\n".join(errors))
        names = [study.name for study in loaded]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            fail(f"two of the files are called {twice}, and would share a folder; rename one, or run them apart")
        _check_report(report, formats, audits, names)
        done = []
        with executor_for(executor, address=address, workers=workers) as where:
            for study in loaded:
                pace = Pace()
                with progress_of(study.name, pace) as progress:
                    finished = run_study(
                        study,
                        runs,
                        executor=where,
                        progress=progress,
                        networks=networks,
                        workers=workers,
                        fresh=fresh,
                    )
                done.append(finished)
                say(f"{study.name}: {pace.summary()}; in {finished.path}")
                if not as_json:
                    _print_run(finished)
            if report is not None:
                with reading(one.path for one in done):
                    _write_reports(done, report, formats or _USUAL_FORMATS, audits=audits)
        if as_json:
            _print_runs_as_json(done)
        if _contradicted(done):
            raise typer.Exit(CONTRADICTED)


def _print_run(finished: Run) -> None:
    from varprop.cli.show import plain, print_verdicts

    out(plain(finished.study.title))
    print_verdicts(finished.judged)
    for told in finished.standing.told:
        say(f"{finished.study.name}: {told}")


def _print_runs_as_json(done: list[Run]) -> None:
    from dataclasses import asdict

    from varprop.cli.show import print_json, records

    print_json(
        [
            {
                "study": finished.study.name,
                "title": finished.study.title,
                "path": str(finished.path),
                "networks": finished.networks,
                **_looks(finished),
                "verdicts": records(finished.verdicts()),
                "surprises": [asdict(one) for one in finished.surprises()],
            }
            for finished in done
        ]
    )


def _looks(finished: Run) -> dict[str, Any]:
    """Which look this is, and what is promised of its verdicts."""
    standing = finished.standing
    ladder = standing.design == "ladder"
    return {
        "look": standing.number,
        "rung": standing.rung if ladder else None,
        "judged_networks": standing.judged,
        "next_rung": standing.next if ladder else None,
        "m": standing.m,
        "alpha": standing.promised,
        "guaranteed": standing.guaranteed,
        "guarantee": standing.promise,
        "remarks": list(standing.told),
    }


def _contradicted(done: list[Run]) -> bool:
    """Name every verdict that is not the expected one; tell whether any contradicts it."""
    surprises = [(finished.study.name, one) for finished in done for one in finished.surprises()]
    for name, one in surprises:
        word = "contradicted" if one.contradicts else "warning"
        say(f"{name}: {word}: {one.claim} ({one.configuration}, {one.quantity}) is {one.verdict}, not {one.expect}")
    return any(one.contradicts for _, one in surprises)


def _check_report(
    report: Path | None, formats: list[str] | None, audits: Path | None, names: Sequence[str], option: str = "--report"
) -> None:
    """Refuse what makes no report, or audits that make no row of a ledger, before anything is sampled, not after."""
    if report is None:
        if formats:
            fail(f"--format {formats[0]} says how a report is written; write --report DIR too")
        if audits is not None:
            fail(f"--audits {audits} goes into a report's ledger; write --report DIR too")
        return
    from varprop.report.audits import read_defaults
    from varprop.report.write import check_formats, check_place

    check_formats(formats or _USUAL_FORMATS)
    check_place(report, names, formats or _USUAL_FORMATS, option=option)
    if audits is not None:
        read_defaults(audits, beside=report)


def _write_reports(done: list[Run], directory: Path, formats: Sequence[str], *, audits: Path | None) -> None:
    from varprop.report.write import write_report

    write_report(done, directory, formats=formats, audits=audits)
    say(f"reports are in {directory}")


app.command()(plan)
app.command()(audit)
app.command()(audit_model)
app.command()(calibrate)
app.command()(check)


@app.command("report")
def report_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.", show_default=False)],
    output: Annotated[Path, typer.Option(metavar="DIR", parser=folder, help="Where to write.")] = Path("reports"),
    formats: FormatOption = None,
    png: Annotated[bool, typer.Option("--png", help="Write the figures as PNG too, to look at.")] = False,
    audits: AuditsOption = None,
) -> None:
    """Write the reports of finished runs; one that cannot be opened does not keep the others from theirs."""
    with guarded():
        from varprop.report.write import check_formats, unfit_names
        from varprop.study import StudyError, load_run
        from varprop.study.files import reading

        wanted = [*(formats or _USUAL_FORMATS), *(["png"] if png else [])]
        check_formats(wanted)
        done, errors = [], []
        with reading(runs):
            for path in runs:
                try:
                    done.append(load_run(path))
                except StudyError as error:
                    errors.append(str(error))
            unfit = unfit_names([finished.study.name for finished in done])
            errors += unfit.values()
            fit = [finished for i, finished in enumerate(done) if i not in unfit]
            if fit:
                _check_report(output, wanted, audits, [finished.study.name for finished in fit], option="--output")
                _write_reports(fit, output, wanted, audits=audits)
        if errors:
            fail("\n".join(errors))


@app.command()
def predict(
    *,
    widths: WidthsOption,
    activation: ActivationOption,
    weights: WeightsOption,
    biases: BiasesOption = "zeros",
    theory: Annotated[list[str] | None, typer.Option(help="May be given again; mean-field by default.")] = None,
    quantity: Annotated[list[str] | None, typer.Option(help="May be given again; all by default.")] = None,
    as_json: Json = False,
) -> None:
    """Say what theory expects of every layer."""
    with guarded():
        from varprop.cli.show import print_json, print_table, records
        from varprop.model.quantities import check_quantities
        from varprop.study.items import parse_network
        from varprop.theory import predict as predicted

        network = parse_network(widths=widths, activation=activation, weights=weights, biases=biases)
        wanted = check_quantities(quantity or None)
        frame = predicted(network, theory=theory or ["mean-field"])
        rows = records(frame[frame["quantity"].isin(wanted)])
        if as_json:
            print_json({"network": network.describe(), "predictions": rows})
        else:
            print_table(rows, ["layer", "quantity", "theory", "predicted", "exact"])


@app.command()
def verify(
    *,
    widths: WidthsOption,
    activation: ActivationOption,
    weights: WeightsOption,
    theory: Annotated[str, typer.Option(help="Such as he, xavier, preserved or mean-field.")],
    biases: BiasesOption = "zeros",
    networks: Annotated[int, typer.Option(min=1, max=MAX_NETWORKS, help="How many to sample.")] = 2000,
    seed: Annotated[int | None, typer.Option(min=0, help="A fresh one by default; it is printed.")] = None,
    margin: Annotated[float, typer.Option(help="Largest relative departure that counts as agreement.")] = 0.05,
    alpha: Annotated[float, typer.Option(help="Chance of any false verdict.")] = 0.05,
    as_json: Json = False,
) -> None:
    """Sample networks and hold every layer against a theory, without a study file; no record is kept for a second look."""
    with guarded():
        import secrets

        from varprop.cli.show import print_json, print_verdicts, records
        from varprop.engine.plan import make_plan
        from varprop.engine.simulate import sampled_in_little_memory
        from varprop.study.items import parse_network
        from varprop.theory import get_theory
        from varprop.verification.compare import hold_against
        from varprop.verification.verdict import to_frame

        network = parse_network(widths=widths, activation=activation, weights=weights, biases=biases)
        get_theory(theory)  # before sampling, not after
        chosen = secrets.randbits(32) if seed is None else seed
        plan = make_plan(network, n_networks=networks, rng=chosen)
        with sampled_in_little_memory(plan) as found:
            verdicts = hold_against(found, theory, margin=margin, alpha=alpha)
        if as_json:
            print_json({"network": network.describe(), "seed": chosen, "verdicts": records(to_frame(verdicts))})
        else:
            say(f"{network.label}: {networks:,} networks, seed {chosen}")
            print_verdicts(verdicts)


@app.command()
def init(path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("study.toml")) -> None:
    """Write a commented study to begin with; never over a file that is there."""
    with guarded():
        from importlib import resources

        template = resources.files("varprop.study").joinpath("template.toml").read_text(encoding="utf-8")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(template)
        except FileExistsError:
            fail(f"{path} is there already; name another file")
        say(f"wrote {path}; now: varprop run {path}")


@app.command("list")
def list_command(
    what: Annotated[Catalogue, typer.Argument(help="What to list.", show_default=False)],
    studies: Annotated[Path, typer.Option(metavar="DIR", help="Where studies are looked for.")] = Path("studies"),
    as_json: Json = False,
) -> None:
    """List what can be named in a study, or the studies in a folder."""
    with guarded():
        from varprop.cli.show import print_json, print_table

        rows: list[dict[str, Any]] = entries(what, studies)
        if as_json:
            print_json(rows)
        elif rows:
            print_table(rows, list(rows[0]))


@app.command()
def schema() -> None:
    """Print the JSON schema of study files, for editors."""
    with guarded():
        from varprop.cli.show import print_json
        from varprop.study.schema import json_schema

        print_json(json_schema())
