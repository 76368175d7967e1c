import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from varprop.report.content import study_page
from varprop.report.index import index_page
from varprop.report.markdown import escape, page_markdown, paragraph
from varprop.study.files import plain

HOSTILE = "<script>alert('x')</script> & 100 % of {z_1} a|b `code` *b* _i_ [l](http://x.y) $m$ 漢字 😀 \n\n# h\n\n| a |"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a|b", "a\\|b"),
        ("<b>", "&lt;b&gt;"),
        ("a & b &lt;", "a &amp; b &amp;lt;"),
        ("`x` *y* [z](u)", "\\`x\\` \\*y\\* \\[z\\](u)"),
        ("he_normal, W_l _x_", "he_normal, W_l \\_x\\_"),
        ("two\nlines\r\n\tand more", "two lines and more"),
        ("$x$ @you #1 ~~s~~", "&#36;x&#36; &#64;you \\#1 \\~\\~s\\~\\~"),
        ("\\", "\\\\"),
        ("100 % of {z}", "100 % of {z}"),
        ("漢字 😀", "漢字 😀"),
    ],
)
def test_escape_keeps_a_text_a_text(text, safe):
    assert escape(text) == safe


@pytest.mark.parametrize("address", ["http://x.y", "https://x.y", "www.x.y", "HTTP://X", "mailto:a"])
def test_escape_leaves_no_address_that_a_forge_would_link(address):
    assert address not in escape(f"see {address} now")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("- a", "\\- a"),
        ("+ a", "\\+ a"),
        ("1. a", "1\\. a"),
        ("12) a", "12\\) a"),
        ("# a", "\\# a"),
        ("> a", "&gt; a"),
        ("===", "\\==="),
        ("1.5 a", "1.5 a"),
    ],
)
def test_a_paragraph_starts_nothing_else(text, safe):
    assert paragraph(text) == safe


@given(st.text(max_size=60) | st.text(alphabet="ab1 .-+*_`~#|<>&[]()!:\\$@={}\n", max_size=40))
def test_a_reader_sees_what_the_user_wrote(text):
    """A Markdown parser finds nothing but text in it, and that very text: in a paragraph, and in a table's cell."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    expected = plain(text)
    for source, blocks in ((paragraph(text), 3), (f"| h |\n| --- |\n| {escape(text)} |", 16)):
        tokens = parser.parse(source)
        assert len(tokens) == (blocks if expected or blocks == 16 else 0)
        inline = [token for token in tokens if token.type == "inline"][-1:]
        children = inline[0].children if inline else []
        assert {child.type for child in children} <= {"text"}
        assert "".join(child.content for child in children) == expected


def set_page(run):
    return page_markdown(study_page(run))


@pytest.fixture(scope="module")
def page(plain_page):
    return page_markdown(plain_page)


def test_a_ledger_row_has_id_and_verdict_on_one_line(page):
    lines = page.splitlines()
    for start in (
        "| he.forward | supported |",
        "| he.forward | refuted |",
        "| he.forward | inconclusive |",
        "| goal.zero-mean | refuted |",
    ):
        assert sum(line.startswith(start) for line in lines) == 1


def test_every_table_is_rectangular_whatever_the_user_wrote(make_run):
    text = set_page(make_run(statement=HOSTILE, title=HOSTILE))
    text = re.sub(r"(?s)```+toml.*?```+", "", text)
    blocks = re.findall(r"(?m)(?:^\|.*\|$\n?)+", text)
    assert len(blocks) >= 6
    for block in blocks:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1
    assert "<script" not in text


def test_the_order_of_the_page(page):
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == [
        "# Forward",
        "## Claim ledger",
        "## Claim by claim",
        "### he.forward",
        "### goal.zero-mean",
        "## Figures",
        "## Layer by layer",
        "## How to reproduce it",
    ]


def test_figures_are_files_with_a_text_alternative(page):
    images = re.findall(r"(?m)^!\[([^\]]+)\]\(([^)]+)\)$", page)
    assert [name for _, name in images] == [
        "profile-preactivation_second_moment.svg",
        "profile-activation_second_moment.svg",
        "profile-activation_mean.svg",
        "forest.svg",
        "forest-zero-mean.svg",
    ]
    assert all(len(alternative) > 40 for alternative, _ in images)


def test_the_study_file_cannot_leave_its_fence(make_run):
    text = set_page(make_run(more="# ````\n# ```sh\n# | x |"))
    assert "`````toml\n" in text
    assert text.count("`````") == 2


def test_every_fold_is_closed(page):
    assert page.count("<details>") == page.count("</details>") == page.count("<summary>") > 3


@pytest.fixture(scope="module")
def index(make_run):
    runs = [make_run(name="one", statement="As made.", corrected="As it is."), make_run(name="a b")]
    return page_markdown(index_page(runs))


def test_the_ledger_of_the_index_has_one_row_for_each_claim(index):
    lines = index.splitlines()
    (row,) = [line for line in lines if line.startswith("| he.forward |")]
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    assert cells[1] == "refuted in 2 of 8"
    assert cells[2] == "As made. CONTRADICTS the expectation (supported)."
    assert cells[3] == (
        "measured/predicted 7.100 (6.900 to 7.300); margin ±10 %; leaky\\_relu(slope=0.1), he_normal · z²"
    ).replace("\\_", "_")
    assert cells[4] == "As it is."
    assert cells[5] == "jointly"
    assert cells[6] == "[one](one/README.md#heforward), [a b](a%20b/README.md#heforward)"
    assert re.match(r"!\[he\.forward: [^\]]{40,}\]\(ledger/he\.forward\.svg\)<br>8 tests, n = 40 networks\.", cells[7])


def test_further_statements_stand_below_their_claim(index):
    lines = index.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("| he.forward |"))
    assert [line[: len("| ↳ he.forward |")] for line in lines[at + 1 : at + 3]] == ["| ↳ he.forward |"] * 2
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("| ↳") or "he.forward |" in line}
    assert widths == {9}


def test_a_correction_and_the_files_of_tables_are_on_the_page(make_run):
    document = study_page(make_run(corrected=HOSTILE))
    text = page_markdown(document)
    assert f"**What holds instead:** {escape(HOSTILE)}" in text
    assert re.findall(r"\[CSV\]\(([^)]+)\)", text) == sorted(
        (table.file for table in document.tables), key=lambda file: text.index(f"({file})")
    )
    assert len(document.tables) == text.count("[CSV](") == 7


def test_hostile_texts_stay_texts_in_the_index(make_run):
    text = page_markdown(index_page([make_run(title=HOSTILE, statement=HOSTILE, corrected=HOSTILE)]))
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    html = parser.render(text)
    assert "<script" not in html
    assert "<code>code</code>" not in html
    assert "http" not in re.sub(r"h(&#116;|t)tp", "", " ".join(re.findall(r'href="([^"]*)"', html)))
    seen = re.sub(r"<[^>]+>", "", html)
    assert seen.count(parser.render(escape(HOSTILE)).strip().removeprefix("<p>").removesuffix("</p>")) >= 3
