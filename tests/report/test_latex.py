import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from varprop.report import write_report
from varprop.report.blocks import Column, Table
from varprop.report.content import study_page
from varprop.report.index import index_page
from varprop.report.latex import page_fragments, page_latex
from varprop.report.latex_tables import fragment, set_table

HOSTILE = r"<b> & 100 % of {z_1} $x$ \input{/etc/passwd} \end{document} \write18{id} # ^ ~ 漢字 😀"
ESCAPED = (
    r"\textless{}b\textgreater{} \& 100 \% of \{z\_1\} \$x\$ \textbackslash{}input\{/etc/passwd\} "
    r"\textbackslash{}end\{document\} \textbackslash{}write18\{id\} \# \textasciicircum{} \textasciitilde{} "
    r"\varpropchar{6F22}\varpropchar{5B57} \varpropchar{1F600}"
)
TABLE = Table.of(
    "Numbers.",
    [Column("Name"), Column("Measured", "number"), Column("Interval", "number"), Column("p", "number")],
    [
        ["one", "1.005", "0.9800 to 1.030", "0.3500"],
        ["[two]", "-3.142e-07", "–", "<0.0001"],
        ["three", "2,000", "–", "–"],
    ],
)


def body_rows(source):
    """Cells of the rows of a table, without notes."""
    lines = [line for line in source.splitlines() if line.endswith((r" \\", r" \\*")) and " & " in line]
    return [re.sub(r" \\\\\*?$", "", line).split(" & ") for line in lines if "toprule" not in line]


def without_breaks(source):
    return source.replace(r"\allowbreak{}", "")


@pytest.fixture(scope="module")
def documents(make_run, plain_page):
    return [plain_page, study_page(make_run(name="a b&%", title=HOSTILE, statement=HOSTILE))]


def test_numbers_are_aligned_and_what_is_none_is_text():
    source = set_table(TABLE, label="tab:x", floating=True)
    assert r"lS[table-format=-4.3e-1,group-digits=integer,group-minimum-digits=4,group-separator={,}]" in source
    assert body_rows(source) == [
        ["one", "1.005", "0.9800", "1.030", "0.3500"],
        ["{[}two{]}", "-3.142e-7", r"{\textendash{}}", r"{\textendash{}}", r"\textless{}0.0001"],
        ["three", "2000", r"{\textendash{}}", r"{\textendash{}}", r"\textendash{}"],
    ]


def test_what_every_row_says_stands_in_the_caption_and_notes_below_their_rows():
    columns = [Column("Name"), Column("Margin", "number"), Column("Note")]
    source = set_table(
        Table.of("C.", columns, [["a", "±5 %", ""], ["b", "±5 %", "see & ask"]]), label="t", floating=True
    )
    assert r"\caption{C. In every row: Margin: \ensuremath{\pm}5 \%.}" in source
    lines = source.splitlines()
    assert lines[lines.index(r"b \\*") + 1].endswith(r"{\itshape see \& ask}}} \\")
    assert lines.index(r"a \\") < lines.index(r"b \\*")


def test_long_tables_break_over_pages_and_short_ones_float():
    rows = [[f"row {i}", f"{i}.5"] for i in range(31)]
    columns = [Column("Name"), Column("Value", "number")]
    assert r"\begin{longtable}" in fragment(Table.of("C.", columns, rows), label="t")
    short = fragment(Table.of("C.", columns, rows[:30]), label="t")
    assert r"\begin{table}[htbp]" in short
    assert "longtable}" not in short.replace(", longtable,", "")
    assert short.count(r"\toprule") == short.count(r"\midrule") == short.count(r"\bottomrule") == 1


def test_a_table_wider_than_the_page_is_turned():
    columns = [Column("Name"), *(Column(f"Column number {i}", "number") for i in range(17))]
    source = set_table(
        Table.of("C.", columns, [["a", *["1.234e-10"] * 17], ["b", *["2.234e-10"] * 17]]), label="t", floating=True
    )
    assert source.startswith(r"\begin{landscape}")
    assert source.rstrip().endswith(r"\end{landscape}")


def test_every_number_of_the_verdicts_stands_in_its_row_or_in_the_caption(documents):
    source = page_latex(documents[0])
    for claim in documents[0].section("claims").blocks:
        verdicts = claim.blocks[-1].table
        table = set_table(verdicts, label="t", floating=False)
        assert table.split("\\midrule")[-1] in source
        caption = table[table.index(r"\caption{") : table.index(r"\label{")]
        for cells, row in zip(body_rows(table), verdicts.rows, strict=True):
            told = " ".join([*cells, caption])
            numbers = [number for cell in row[1:] for number in re.findall(r"\d+\.\d+", cell.text)]
            assert numbers
            assert all(number in told for number in numbers)


def test_what_a_user_wrote_is_text(documents):
    index = index_document_of(documents)
    for source in (page_latex(documents[1]), index, *(text for _, text in page_fragments(documents[1]))):
        assert source.isascii()
        assert r"\input{/etc" not in source
        assert "write18{id}" not in source
        assert source.count(r"\end{document}") == (1 if r"\begin{document}" in source else 0)
    assert ESCAPED in without_breaks(page_latex(documents[1]))
    assert ESCAPED in without_breaks(index)


def index_document_of(documents):
    empty = index_page([])
    return page_latex(empty, documents)


def test_only_a_plain_path_is_written_into_the_source(documents):
    source = index_document_of(documents)
    paths = re.findall(r"\\figurefile\{([^{}#]*)\}", source)
    assert paths
    assert all(path.startswith("forward/") for path in paths)
    assert r"\texttt{a b\&\%/" in source  # where the figures of the other study are, as text


def test_references_lead_somewhere_and_labels_are_different(documents):
    for source in (page_latex(documents[0]), index_document_of(documents)):
        labels = re.findall(r"\\label\{([^}]*)\}", source)
        assert len(labels) == len(set(labels))
        assert set(re.findall(r"\\hyperref\[([^\]]*)\]", source)) <= set(labels)
        assert all(re.fullmatch(r"[A-Za-z0-9:.-]+", label) for label in labels)


def test_environments_are_balanced(documents):
    for source in (page_latex(documents[1]), index_document_of(documents)):
        stack = []
        for kind, name in re.findall(r"\\(begin|end)\{([a-z]+)\}", source):
            if kind == "begin":
                stack.append(name)
            else:
                assert stack.pop() == name
        assert stack == []


def test_every_figure_has_caption_and_alternative(documents):
    source = page_latex(documents[0])
    assert source.count(r"\begin{figure}") == source.count("% Text alternative: ") == len(documents[0].pictures) > 0
    assert source.count(r"\caption{\textbf{") == len(documents[0].pictures)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import hand_made_run
from varprop.report import write_report
write_report(hand_made_run(more='[report]\\nfigures = ["forest"]'), sys.argv[2])
"""


def test_two_processes_write_the_same_bytes(make_run, tmp_path):
    """This process and one whose sets are in another order, in all formats."""
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(tmp_path / "other")]
    seed = "2" if os.environ.get("PYTHONHASHSEED") != "2" else "1"
    environment = os.environ | {"PYTHONHASHSEED": seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = write_report(make_run(more='[report]\nfigures = ["forest"]'), tmp_path / "this")
    names = [path.relative_to(tmp_path / "this") for path in files]
    assert Path("forward/forest.pdf") in names
    assert all(
        path.read_bytes() == (tmp_path / "other" / name).read_bytes() for path, name in zip(files, names, strict=True)
    )


def test_figures_are_dateless_pdf_with_truetype_fonts(written):
    data = (written / "forward" / "forest.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert b"/CreationDate" not in data
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
