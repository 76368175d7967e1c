"""A report as LaTeX: a supplement that compiles as it is, and tables for one's own paper."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from varprop.plot.wording import SYMBOLS, plain_lines
from varprop.report.document import LEDGER_FOLDER, IndexDocument, LedgerRow, Picture, Statement, StudyDocument, Table
from varprop.report.latex_tables import fragment, label_of, paragraphs, set_table
from varprop.report.tex import tex, tex_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TWO_HEADINGS = 18  # lines: a heading upon another, and what is below
_SAFE_PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage{lmodern}
  \input{glyphtounicode}\pdfgentounicode=1 % so that what is copied from the page is what was written
  \newcommand{\varpropchar}[1]{\texttt{U+#1}}
\else
  \usepackage{fontspec}
  \newcommand{\varpropchar}[1]{\iffontchar\font"#1 \char"#1\relax\else\texttt{U+#1}\fi}
\fi
\usepackage[margin=20mm]{geometry}
\usepackage{amsmath,amssymb,pifont}
\usepackage{array,booktabs,longtable,pdflscape,siunitx}
\usepackage{graphicx}
\usepackage[font=small,labelfont=bf,singlelinecheck=false]{caption}
\usepackage{hyperref}
\pdfstringdefDisableCommands{\def\varpropchar#1{U+#1}\def\allowbreak{}\def\ensuremath#1{#1}\def\ding#1{}}
\hypersetup{hidelinks,pdflang={en},bookmarksnumbered}
\setlength{\emergencystretch}{3em}
\setlength{\LTleft}{0pt}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.5\baselineskip}
\raggedbottom
% A new page where less than so much is left: no heading at the foot of a page.
\newcommand{\room}[1]{\par\ifdim\pagetotal>0pt\dimen0=\pagegoal\advance\dimen0 by-\pagetotal\ifdim\dimen0<#1\newpage\fi\fi}
% A figure in its own size, or as large as the page allows.
\newsavebox{\figurebox}
\newcommand{\figurefile}[1]{\sbox{\figurebox}{\includegraphics{#1}}%
  \ifdim\wd\figurebox>\linewidth\includegraphics[width=\linewidth,height=0.8\textheight,keepaspectratio]{#1}%
  \else\ifdim\ht\figurebox>0.8\textheight\includegraphics[height=0.8\textheight]{#1}\else\usebox{\figurebox}\fi\fi}
\newcommand{\codeline}[1]{\par\hangindent=2em\hangafter=1\leavevmode#1}
\newenvironment{code}{\par\begingroup\small\ttfamily\raggedright\setlength{\parskip}{0pt}}{\par\endgroup}
"""


def study_latex(document: StudyDocument) -> str:
    """Set the report of one study."""
    return _compilable(document.title, f"run {document.run}", _study_lines(document, folder="", level=0))


def index_latex(document: IndexDocument, studies: Sequence[StudyDocument]) -> str:
    """Set the ledger of all claims, and behind it the reports of the studies."""
    return _compilable(document.title, f"runs {document.runs}", _index_lines(document, studies))


def study_tables(document: StudyDocument) -> Iterator[tuple[str, str]]:
    """Yield the path, from the study's folder, and the text of each table that a paper might take."""
    tables = [document.ledger, *(claim.verdicts for claim in document.claims)]
    tables += [claim.layers for claim in document.claims if claim.layers]
    yield from _fragments(tables, document.name)


def index_tables(document: IndexDocument) -> Iterator[tuple[str, str]]:
    """Yield likewise the ledger of all claims."""
    yield from _fragments([document.ledger], "index")


def _fragments(tables: Sequence[Table], owner: str) -> Iterator[tuple[str, str]]:
    for table in tables:
        if table.rows and table.file:
            path = PurePosixPath(table.file).with_suffix("").as_posix()
            yield (
                f"{path}.tex",
                fragment(table, label=label_of("tab", owner, path.removeprefix("tables/").replace("/", "."))),
            )


def _compilable(title: str, source: str, lines: Iterator[str]) -> str:
    body = "\n".join(line for line in lines if line)
    return (
        f"% Written by varprop from the run's data ({source}); compile with pdflatex, twice.\n{_PREAMBLE}"
        f"\\hypersetup{{pdftitle={{{tex(title)}}}}}\n\\title{{{tex(title, breakable=True)}}}\n\\author{{}}\n\\date{{}}\n"
        f"\\begin{{document}}\n\\maketitle\n\\thispagestyle{{plain}}\n{body}\n\\end{{document}}\n"
    )


def _heading(level: int, text: str, *labels: str, lines: int = 9) -> str:
    """A section of a level with room for so many lines, itself among them, on its page."""
    name = ("section", "subsection", "subsubsection")[level]
    marks = "".join(rf"\label{{{one}}}" for one in labels)
    return f"\\room{{{lines}\\baselineskip}}\n\\{name}{{{tex(text, breakable=True)}}}{marks}"


def _paragraph(text: str) -> str:
    return f"{tex(text, breakable=True)}\n" if text else ""


def _items(texts: Sequence[str]) -> str:
    return "\n".join(["\\begin{itemize}", *(rf"\item {text}" for text in texts), "\\end{itemize}"])


def _definitions(pairs: Sequence[tuple[str, str]]) -> str:
    items = (rf"\item[{{{tex(term)}}}] {tex(meaning, breakable=True)}" for term, meaning in pairs)
    return "\n".join(["\\begin{description}", *items, "\\end{description}"])


def _alarm(sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield rf"\textbf{{{tex('✗ A verdict contradicts what the study expected.')}}}"
        yield _items([tex(sentence, breakable=True) for sentence in sentences])


# ---- one study ---------------------------------------------------------------------------------------------------


def _study_lines(document: StudyDocument, *, folder: str, level: int) -> Iterator[str]:
    """A study's report; ``folder`` is where its figures are, ``level`` that of its headings."""
    here = label_of("sec", document.name)
    yield _paragraph(document.lead)
    yield from _alarm(document.contradictions)
    yield _heading(level, "Claim ledger")
    if document.ledger.rows:
        yield set_table(document.ledger, label=label_of("tab", document.name, "ledger"), floating=False, links=here)
        yield from map(_paragraph, document.guarantee)
    yield from map(_paragraph, document.remarks)
    if document.claims:
        yield _heading(level, "Claim by claim", lines=_TWO_HEADINGS)
    for claim in document.claims:
        yield _heading(level + 1, claim.claim, label_of(here, claim.claim), lines=12)
        yield _paragraph(claim.statement)
        if claim.corrected:
            yield rf"\textbf{{What holds instead:}} {_paragraph(claim.corrected)}"
        yield _paragraph(" ".join(claim.facts))
        yield set_table(claim.verdicts, label=label_of("tab", document.name, "verdicts", claim.claim), floating=False)
    if document.pictures:
        yield _heading(level, "Figures", lines=24)
    for picture in document.pictures:
        yield _figure(picture, document.name, folder)
    yield r"\clearpage" if document.pictures else ""
    if not folder:
        yield from _layers(document)
        yield from _reproduction(document, level)


def _layers(document: StudyDocument) -> Iterator[str]:
    layered = [(claim.claim, claim.layers) for claim in document.claims if claim.layers]
    if layered:
        yield _heading(0, "Layer by layer")
    for claim, table in layered:
        yield set_table(table, label=label_of("tab", document.name, "layers", claim), floating=False)


def _figure(picture: Picture, study: str, folder: str) -> str:
    """A figure with its caption; its text alternative is a comment, for whoever makes an accessible PDF of it."""
    path = f"{folder}{picture.name}.pdf"
    caption = rf"\caption{{\textbf{{{tex(picture.heading)}.}} {tex(picture.caption, breakable=True)}}}"
    # Only a path without anything special is written into the source: a study may be called whatever a file may.
    shown = rf"\figurefile{{{path}}}" if _SAFE_PATH.fullmatch(path) else _elsewhere(path)
    return "\n".join(
        [
            f"% Text alternative: {tex(picture.alternative)}",
            r"\begin{figure}[htbp]",
            r"\centering",
            shown,
            f"{caption}\\label{{{label_of('fig', study, picture.name)}}}",
            r"\end{figure}",
        ]
    )


def _elsewhere(path: str) -> str:
    return rf"\emph{{The figure is in the file}} \texttt{{{tex(path, breakable=True)}}}"


def _reproduction(document: StudyDocument, level: int) -> Iterator[str]:
    yield _heading(level, "How to reproduce it")
    yield _definitions(document.reproduction.facts)
    yield rf"Save the study file below as \texttt{{{tex(document.name, breakable=True)}.toml}}, then:"
    yield _code(document.reproduction.commands)
    yield "The study file:"
    yield _code(plain_lines(document.reproduction.study_file).splitlines())


def _code(lines: Sequence[str]) -> str:
    set_lines = (rf"\codeline{{{tex_code(line)}}}" if line else r"\codeline{\strut}" for line in lines)
    return "\n".join(["\\begin{code}", *set_lines, "\\end{code}"])


# ---- all studies -------------------------------------------------------------------------------------------------


def _index_lines(document: IndexDocument, studies: Sequence[StudyDocument]) -> Iterator[str]:
    yield _paragraph(document.lead)
    yield from _alarm(document.contradictions)
    yield _heading(0, "What is tested")
    yield from map(_paragraph, document.introduction)
    if document.families:
        yield set_table(document.tally, label="tab:tally", floating=False)
    yield _heading(0, "How to read a row")
    yield _definitions(document.terms)
    yield _heading(0, "Claim ledger", lines=_TWO_HEADINGS)
    yield from map(_paragraph, document.guarantee)
    if document.apart.rows:
        yield set_table(document.apart, label="tab:apart", floating=False)
    for family in document.families:
        yield _heading(1, family.title)
        yield _ledger(family.rows)
    yield _heading(0, "Notation")
    yield _definitions(document.notation)
    yield _heading(0, "Studies")
    yield set_table(document.studies, label="tab:studies", floating=False)
    for study in studies:
        yield r"\clearpage"
        yield _heading(0, study.title, label_of("sec", study.name))
        yield from _study_lines(study, folder=f"{study.name}/", level=1)


_LEDGER_COLUMNS = "".join(map(paragraphs, (0.15, 0.12, 0.37, 0.3)))
_LEDGER_HEAD = r"Claim & Verdict & Statement & Largest departure \\"


def _ledger(rows: Sequence[LedgerRow]) -> str:
    """Claims with their statements; below the largest departure, the claim's verdicts as a small figure."""
    lines = [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3.5pt}",
        rf"\begin{{longtable}}{{@{{}}{_LEDGER_COLUMNS}@{{}}}}",
        rf"\toprule {_LEDGER_HEAD} \midrule \endhead",
        r"\bottomrule \endfoot",
    ]
    for i, row in enumerate(rows):
        lines.append(r"\midrule" if i else "")
        path = f"{LEDGER_FOLDER}/{row.picture.name}.pdf"
        shown = rf"\figurefile{{{path}}}" if _SAFE_PATH.fullmatch(path) else _elsewhere(path)
        lines.append(f"% Text alternative: {tex(row.picture.alternative)}")
        lines.append(_statement(row.claim, row.leading, rf"\par\smallskip {shown}"))
        lines += [_statement(f"↳ {statement.claim}", statement, "") for statement in row.further]
    return "\n".join(line for line in [*lines, r"\end{longtable}", r"\endgroup"] if line)


def _statement(claim: str, statement: Statement, below: str) -> str:
    sources = ", ".join(_source(source.text, source.study, source.claim) for source in statement.sources)
    verdict = f"{tex(SYMBOLS[statement.verdict])}~{tex(statement.outcome)}"
    verdict += rf"\par {tex(statement.mark)}" if statement.mark else ""
    text = tex(" ".join(part for part in (statement.text, statement.remark) if part), breakable=True)
    if statement.corrected:
        text += rf"\par\smallskip\textbf{{What holds instead:}} {tex(statement.corrected, breakable=True)}"
    margin = f"margin {statement.margin}" if statement.margin else ""
    farthest = "; ".join(part for part in (statement.estimate, margin, statement.where) if part)
    cells = (
        rf"\textbf{{{tex(claim, breakable=True)}}}\par {sources}",
        verdict,
        text,
        tex(farthest, breakable=True) + below,
    )
    return " & ".join(cells) + r" \\"


def _source(text: str, study: str, claim: str) -> str:
    shown = tex(text, breakable=True)
    return rf"\hyperref[{label_of(label_of('sec', study), claim)}]{{{shown}}}" if study and claim else shown
