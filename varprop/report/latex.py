"""A page as LaTeX: a supplement that compiles as it is, and tables for one's own paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from varprop.plot.wording import SYMBOLS, plain_lines
from varprop.report.blocks import (
    LEDGER_FOLDER,
    Block,
    Claimed,
    Definitions,
    Folded,
    Image,
    Items,
    Ledger,
    LedgerRow,
    Listing,
    Page,
    Paragraph,
    Picture,
    Reproduction,
    Section,
    Span,
    Statement,
    Table,
    VerdictTally,
    Words,
    spaced,
)
from varprop.report.latex_tables import fragment, label_of, paragraphs, set_table
from varprop.report.tex import tex, tex_code

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


def page_latex(page: Page, studies: Sequence[Page] = ()) -> str:
    """Set a page, and behind it those of the studies that it is over, but for what is long and belongs to their own."""
    body = "\n".join(part for part in _parts(page, studies) if part)
    return (
        f"% Written by varprop from the run's data ({page.source}); compile with pdflatex, twice.\n{_PREAMBLE}"
        f"\\hypersetup{{pdftitle={{{tex(page.title)}}}}}\n\\title{{{tex(page.title, breakable=True)}}}\n\\author{{}}\n\\date{{}}\n"
        f"\\begin{{document}}\n\\maketitle\n\\thispagestyle{{plain}}\n{body}\n\\end{{document}}\n"
    )


def page_fragments(page: Page) -> Iterator[tuple[str, str]]:
    """Yield the path, from the page's folder, and the text of each table that a paper might take."""
    for table in page.tables:
        if table.paper and table.rows:
            path = PurePosixPath(table.file).with_suffix("").as_posix()
            label = label_of("tab", page.name or "index", path.removeprefix("tables/").replace("/", "."))
            yield f"{path}.tex", fragment(table, label=label)


def _parts(page: Page, studies: Sequence[Page]) -> Iterator[str]:
    yield from _head(page)
    yield from _Setter(page.name).blocks(page.blocks, level=0)
    for study in studies:
        yield r"\clearpage"
        yield _heading(0, study.title, label_of("sec", study.name))
        yield from _head(study)
        own = [block for block in study.blocks if not (isinstance(block, Section) and block.kind in _LONG)]
        yield from _Setter(study.name, f"{study.name}/").blocks(own, level=1)


def _head(page: Page) -> Iterator[str]:
    """The lead, and what contradicts."""
    yield _paragraph(page.lead)
    if page.contradictions:
        yield rf"\textbf{{{tex('✗ A verdict contradicts what the study expected.')}}}"
        yield _items([tex(sentence, breakable=True) for sentence in page.contradictions])


def _heading(level: int, text: str, *labels: str, lines: int = 9) -> str:
    """A section of a level with room for so many lines, itself among them, on its page."""
    name = ("section", "subsection", "subsubsection")[level]
    marks = "".join(rf"\label{{{one}}}" for one in labels)
    return f"\\room{{{lines}\\baselineskip}}\n\\{name}{{{tex(text, breakable=True)}}}{marks}"


def _paragraph(text: Words) -> str:
    return f"{_words(text)}\n" if text else ""


def _words(text: Words) -> str:
    return tex(text, breakable=True) if isinstance(text, str) else "".join(map(_span, text))


def _span(span: str | Span) -> str:
    """A piece of a text; what leads to a file is set as its name."""
    if isinstance(span, str):
        return spaced(span, partial(tex, breakable=True))
    command = r"\texttt" if span.to else {"": "", "strong": r"\textbf", "emphasis": r"\emph"}[span.look]
    return rf"{command}{{{tex(span.text, breakable=True)}}}"


def _items(texts: Sequence[str]) -> str:
    return "\n".join(["\\begin{itemize}", *(rf"\item {text}" for text in texts), "\\end{itemize}"])


def _definitions(pairs: Sequence[tuple[str, str]]) -> str:
    items = (rf"\item[{{{tex(term)}}}] {tex(meaning, breakable=True)}" for term, meaning in pairs)
    return "\n".join(["\\begin{description}", *items, "\\end{description}"])


@dataclass(frozen=True, slots=True)
class _Setter:
    """Sets blocks of the page of a name, whose figures are in a folder."""

    page: str
    folder: str = ""

    def blocks(self, blocks: Iterable[Block], *, level: int) -> Iterator[str]:
        """Set every block, the headings of sections at a level."""
        for block in blocks:
            if isinstance(block, Section):
                labels = [label_of(label_of("sec", self.page), block.title)] if block.kind == "claim" else []
                yield _heading(level, block.title, *labels, lines=_room(block))
                yield from self.blocks(block.blocks, level=level + 1)
                yield r"\clearpage" if any(isinstance(inner, Picture) for inner in block.blocks) else ""
            else:
                yield from self._set(block)

    def _set(self, block: Block) -> Iterator[str]:
        match block:
            case Paragraph():
                yield _paragraph(block.text)
            case Items():
                yield _items(list(map(_words, block.texts)))
            case Definitions():
                yield _definitions(block.pairs)
            case Claimed():
                yield _paragraph(block.statement)
                yield rf"\textbf{{What holds instead:}} {_paragraph(block.corrected)}" if block.corrected else ""
                yield _paragraph(" ".join(block.facts))
            case Listing() | VerdictTally() | Folded():
                yield self._table(block.table)
            case Picture():
                yield self._figure(block)
            case Image():
                yield _file(block.file, block.alternative)
            case Ledger():
                yield _ledger(block.rows)
            case Reproduction():
                yield from _reproduction(block)

    def _table(self, table: Table) -> str:
        path = PurePosixPath(table.file).with_suffix("").parts[1:]
        links = label_of("sec", self.page) if self.page else ""
        return set_table(table, label=label_of("tab", *filter(None, [self.page]), *path), floating=False, links=links)

    def _figure(self, picture: Picture) -> str:
        """A figure with its caption."""
        caption = rf"\caption{{\textbf{{{tex(picture.heading)}.}} {tex(picture.caption, breakable=True)}}}"
        label = rf"\label{{{label_of('fig', self.page, picture.name)}}}"
        lines = [r"\begin{figure}[htbp]", r"\centering", _shown(f"{self.folder}{picture.name}.pdf")]
        return "\n".join([_alternative(picture.alternative), *lines, f"{caption}{label}", r"\end{figure}"])


_LONG = ("layers", "reproduce")
"""Sections of a study's own page that the page over several studies leaves to it."""


def _room(section: Section) -> int:
    """Lines that have to be left on a page for a heading, and for the beginning of what is below it."""
    if any(isinstance(block, Picture) for block in section.blocks):
        return 24
    if any(isinstance(block, Section) for block in section.blocks):
        return _TWO_HEADINGS
    return 12 if section.kind == "claim" else 9


def _alternative(text: str) -> str:
    """A figure's text alternative as a comment, for whoever makes an accessible PDF of it."""
    return f"% Text alternative: {tex(text)}"


def _file(path: str, alternative: str) -> str:
    return f"{_alternative(alternative)}\n{_shown(path)}"


def _shown(path: str) -> str:
    """Show a figure's file. Only a path without anything special is written into the source: a study may be called whatever a file may."""
    if _SAFE_PATH.fullmatch(path):
        return rf"\figurefile{{{path}}}"
    return rf"\emph{{The figure is in the file}} \texttt{{{tex(path, breakable=True)}}}"


def _reproduction(block: Reproduction) -> Iterator[str]:
    yield _definitions(block.facts)
    stem, suffix = block.file.rsplit(".", 1)
    yield rf"Save the study file below as \texttt{{{tex(stem, breakable=True)}.{suffix}}}, then:"
    yield _code(block.commands)
    yield "The study file:"
    yield _code(plain_lines(block.study_file).splitlines())


def _code(lines: Sequence[str]) -> str:
    set_lines = (rf"\codeline{{{tex_code(line)}}}" if line else r"\codeline{\strut}" for line in lines)
    return "\n".join(["\\begin{code}", *set_lines, "\\end{code}"])


# ---- the ledger --------------------------------------------------------------------------------------------------

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
        shown = _shown(f"{LEDGER_FOLDER}/{row.picture.name}.pdf")
        lines.append(_alternative(row.picture.alternative))
        lines.append(_statement(row.claim, row.leading, rf"\par\smallskip {shown}"))
        lines += [_statement(f"↳ {statement.claim}", statement, "") for statement in row.further]
    return "\n".join(line for line in [*lines, r"\end{longtable}", r"\endgroup"] if line)


def _statement(claim: str, statement: Statement, below: str) -> str:
    sources = ", ".join(_source(source.text, source.study, source.claim) for source in statement.sources)
    verdict = f"{tex(SYMBOLS[statement.verdict])}~{tex(statement.outcome)}"
    verdict += rf"\par {tex(statement.mark)}" if statement.mark else ""
    text = tex(statement.told, breakable=True)
    if statement.corrected:
        text += rf"\par\smallskip\textbf{{What holds instead:}} {tex(statement.corrected, breakable=True)}"
    cells = (
        rf"\textbf{{{tex(claim, breakable=True)}}}\par {sources}",
        verdict,
        text,
        tex(statement.departure, breakable=True) + below,
    )
    return " & ".join(cells) + r" \\"


def _source(text: str, study: str, claim: str) -> str:
    shown = tex(text, breakable=True)
    return rf"\hyperref[{label_of(label_of('sec', study), claim)}]{{{shown}}}" if study and claim else shown
