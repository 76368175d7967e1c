"""Reports as files: a folder for each study, and an index over them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from varprop._arguments import checked, items_of, quoted
from varprop.plot.figure_files import render_pdf, render_png, standalone
from varprop.report.audits import read_defaults
from varprop.report.blocks import LEDGER_FOLDER, Page
from varprop.report.content import study_page
from varprop.report.index import index_page
from varprop.report.latex import page_fragments, page_latex
from varprop.report.markdown import page_markdown
from varprop.report.pdf import check_weasyprint, page_html, page_pdf
from varprop.report.replacing import ASIDE, RECORD, FileSet, check_target, replace_report
from varprop.study.files import csv_text

if TYPE_CHECKING:
    from varprop.study.run import Run

_PAGES: dict[str, tuple[str, Callable[[Page, Sequence[Page]], str | bytes]]] = {
    "html": ("index.html", lambda page, _: page_html(page)),
    "md": ("README.md", lambda page, _: page_markdown(page)),
    "latex": ("supplement.tex", page_latex),
    "pdf": ("report.pdf", lambda page, _: page_pdf(page)),
}
"""The file of each format, and how a page is set in it, with the pages that it is over."""
_PICTURES = "png"
FORMATS = (*_PAGES, _PICTURES)
"""What a report may be written as."""
_VERDICTS = "verdicts.csv"
_FORBIDDEN = frozenset('/\\:<>"|?*')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, with whatever ending."""
_MAX_BYTES = 200  # of 255, so that temporary files of it have room


@checked
def write_report(
    run_or_runs: Run | Iterable[Run],
    directory: str | Path,
    formats: Sequence[str] = ("html", "md", "latex"),
    *,
    audits: str | Path | None = None,
) -> tuple[Path, ...]:
    """Write a page for every run, and an index over the claims of all of them.

    Parameters
    ----------
    run_or_runs : Run or iterable of Run
        Finished runs, each of another study.
    directory : str or Path
        Made if it is missing. Gets ``index.html`` and ``README.md`` over all runs given with a folder ``ledger`` for
        their figures and numbers, and for each run a folder named after its study with the same two files, the figures as
        SVG, ``verdicts.csv``, and a folder ``tables`` with a CSV file for each table of the page. Folders of other studies
        are left as they are; the index lists the runs given and no others.
    formats : sequence of str
        ``"html"`` and ``"md"`` for pages; ``"latex"`` for ``supplement.tex``, a document to compile, over all runs and for
        each of them, with the figures as PDF and each table as a file beside its CSV; ``"pdf"`` for ``report.pdf``, the
        page as it is printed, which needs WeasyPrint (``pip install 'varprop[pdf]'``); ``"png"`` for the figures as
        pictures to look at.
    audits : str or Path, optional
        A folder with one for each audited framework, whose ``defaults.csv`` the ledger takes up. The ledger leads to the
        audits' pages if that folder is inside ``directory``.

    Returns
    -------
    tuple of Path
        Every file written. The same runs always give the same bytes, and the report appears whole or not at all: what was
        killed while it put files in place is finished by the next call. Beside it ``varprop-report.json`` says of which run
        the files are; those of another run that are not written now are removed.

    Raises
    ------
    ValueError
        If a format is unknown or what it needs is not installed, two runs have one study's name, a name cannot be a
        folder's, there is no audit in ``audits``, or one that cannot be read, or a file of the report is there already and
        is not varprop's.
    TypeError
        If ``formats`` is a single string, or something is given that is no run.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import varprop as vp
    >>> text = '''
    ... schema = 1
    ... title = "He"
    ... seed = 1
    ... networks = 100
    ... network = { widths = "16x3", activation = "relu", weights = "he_normal" }
    ... [[claims]]
    ... id = "he.forward"
    ... quantity = "preactivation_second_moment"
    ... theory = "he"
    ... test = "cumulative_mean"
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = Path(folder, "he.toml")
    ...     _ = study.write_text(text)
    ...     run = vp.run_study(vp.load_study(study), Path(folder, "runs"), "serial")
    ...     written = vp.write_report(run, Path(folder, "reports"), formats=["md"])
    ...     [path.relative_to(folder).as_posix() for path in written if path.suffix == ".md"]
    ['reports/he/README.md', 'reports/README.md']
    """
    runs = _as_runs(run_or_runs)
    check_formats(formats)
    if unfit := unfit_names([run.study.name for run in runs]):
        raise ValueError("; ".join(unfit.values()))
    # Everything is made before anything is written: a run that makes no report leaves the old ones as they were.
    audited = [] if audits is None else read_defaults(audits, beside=directory)
    pages = [study_page(run) for run in runs]
    sets = []
    for run, page in zip(runs, pages, strict=True):
        verdicts = ("verdicts", _VERDICTS, csv_text(run.verdicts()))
        sets.append(FileSet(page.name, _by_format([*_files(page, formats), verdicts]), page.run))
    index = index_page(runs, audited)
    return replace_report(directory, [*sets, FileSet("", _by_format(_files(index, formats, pages)), index.run)])


def _by_format(files: Iterable[tuple[str, str, str | bytes]]) -> dict[str, dict[str, bytes]]:
    """Gather files by their format."""
    found: dict[str, dict[str, bytes]] = {}
    for kind, name, content in files:
        found.setdefault(kind, {})[name] = content if isinstance(content, bytes) else content.encode("utf-8")
    return found


def check_place(
    directory: str | Path, names: Sequence[str], formats: Sequence[str], *, option: str = "--report"
) -> None:
    """Refuse, before anything is sampled, a directory where a report would replace what varprop did not write."""
    if unfit := unfit_names(names):
        raise ValueError("\n".join(unfit.values()))
    pages = [file for name, (file, _) in _PAGES.items() if name in formats]
    check_target(directory, {"": pages, **{name: [*pages, _VERDICTS] for name in names}}, option=option)


def _as_runs(run_or_runs: Run | Iterable[Run]) -> list[Run]:
    """One run or several as a list, by name, so that the index does not depend on the order they came in."""
    several = isinstance(run_or_runs, Iterable) and not isinstance(run_or_runs, str | bytes | Mapping)
    runs = items_of("runs", run_or_runs, most=10_000, example="[run]") if several else [run_or_runs]
    if not runs:
        msg = "there is no run to report on; pass what vp.run_study or vp.load_run returns"
        raise ValueError(msg)
    others = [run_or_runs] if isinstance(run_or_runs, str) else [run for run in runs if not hasattr(run, "study")]
    if others:
        msg = f"write_report takes runs, got {type(others[0]).__name__}; pass what vp.run_study or vp.load_run returns"
        raise TypeError(msg)
    return sorted(runs, key=lambda run: run.study.name)


def check_formats(formats: Sequence[str]) -> None:
    """Refuse what cannot be written."""
    if isinstance(formats, str):
        msg = f"formats must be a sequence of names, got the text {quoted(formats)}; write formats=({quoted(formats)},)"
        raise TypeError(msg)
    known = ", ".join(map(repr, FORMATS))
    for name in formats:
        if name not in FORMATS:
            msg = f"unknown format {quoted(name)}; there are {known}"
            raise ValueError(msg)
    if not formats:
        msg = f"formats is empty; name one or more of {known}"
        raise ValueError(msg)
    if "pdf" in formats:
        check_weasyprint()


def unfit_names(names: Sequence[str]) -> dict[int, str]:
    """Say which studies' names can be no folders of a report: by position, what is wrong and what to do."""
    return name_problems(names, [LEDGER_FOLDER, RECORD, ASIDE, *(file for file, _ in _PAGES.values())])


def _files(page: Page, formats: Sequence[str], studies: Sequence[Page] = ()) -> Iterator[tuple[str, str, str | bytes]]:
    """Formats, names and contents of one page's files."""
    for name, (file, set_page) in _PAGES.items():
        if name in formats:
            yield name, file, set_page(page, studies)
    small = [(f"{LEDGER_FOLDER}/{row.picture.name}", row.picture) for row in page.rows]
    for stem, picture in [*((picture.name, picture) for picture in page.pictures), *small]:
        if "md" in formats:
            yield "md", f"{stem}.svg", standalone(picture.svg, title=picture.alternative)
        if "latex" in formats:
            yield "latex", f"{stem}.pdf", render_pdf(picture.draw())
        if _PICTURES in formats and page.name:
            yield _PICTURES, f"{stem}.png", render_png(picture.draw())
    if "latex" in formats:
        for file, text in page_fragments(page):
            yield "latex", file, text
    if any(name in formats for name in _PAGES):  # else no page leads to the tables' files
        for table in page.tables:
            yield "tables", table.file, table.csv


def name_problems(names: Sequence[str], taken: Sequence[str]) -> dict[int, str]:
    """Say which studies' names can be no folders of a report.

    Examples
    --------
    >>> name_problems(["depth", "Depth"], [])
    {1: "the studies' names 'depth' and 'Depth' are one folder on many systems; rename a file, or report on them separately"}
    """
    found: dict[int, str] = {}
    seen: dict[str, str] = {}
    own = {_folded(name) for name in taken}
    for i, name in enumerate(names):
        key = _folded(name)
        if not _is_folder(name):
            found[i] = (
                f"the study's name {quoted(name)} cannot be a folder's on every system; rename its file, for example to "
                "forward-signal.toml"
            )
        elif key in own:
            found[i] = f"the study's name {quoted(name)} is that of the index; rename its file"
        elif seen.get(key) == name:
            found[i] = (
                f"two runs are of a study called {quoted(name)} and would share one folder; report on them separately"
            )
        elif key in seen:
            found[i] = (
                f"the studies' names {quoted(seen[key])} and {quoted(name)} are one folder on many systems; rename a file, or report on "
                "them separately"
            )
        else:
            seen[key] = name
    return found


def _folded(name: str) -> str:
    """What systems that do not tell capitals apart, or ways to write an accent, make of a name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _is_folder(name: str) -> bool:
    if not name or not name.isprintable() or name != name.strip() or name.startswith(".") or name.endswith("."):
        return False
    if set(name) & _FORBIDDEN or _DEVICES.fullmatch(name):
        return False
    return len(name.encode("utf-8")) <= _MAX_BYTES  # a printable text has no lone surrogates
