import re
from html.parser import HTMLParser

import pytest

from varprop.report.blocks import anchor
from varprop.report.content import study_page
from varprop.report.index import index_page
from varprop.report.pdf import page_html, source_hash

VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = "<script>alert('x')</script> & \"q\" 100 % of {z_1} {{ 7 * 7 }} a|b </style> </title> 漢字 😀 $x$ \\frac"


class Checker(HTMLParser):
    """Follows a page: what is open, and what a reader without eyes or without a mouse needs."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.ids, self.headings, self.attributes, self.text = [], [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self._note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self._note(tag, attrs)

    def _note(self, tag, attrs):
        found = dict(attrs)
        self.attributes.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]


def check(page):
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.problems == []
    assert checker.open == []
    return checker


@pytest.fixture(scope="module")
def pages(make_run):
    run = make_run(title=HOSTILE, statement=HOSTILE, corrected=f"Not {HOSTILE}", name="a b'é&")
    return {"study": page_html(study_page(run)), "index": page_html(index_page([run]))}


@pytest.mark.parametrize("kind", ["study", "index"])
def test_a_page_is_well_formed_and_has_no_id_twice(pages, kind):
    checker = check(pages[kind])
    assert len(checker.ids) == len(set(checker.ids))
    targets = {a["href"][1:] for a in checker.of("a") if a["href"].startswith("#")}
    assert targets <= set(checker.ids)
    labels = {name for _, found in checker.attributes for name in found.get("aria-labelledby", "").split()}
    assert labels <= set(checker.ids)


@pytest.mark.parametrize("kind", ["study", "index"])
def test_a_page_asks_for_nothing_and_runs_nothing(pages, kind):
    checker = check(pages[kind])
    addresses = [
        value
        for tag, found in checker.attributes
        for name, value in found.items()
        if name in {"src", "href", "xlink:href", "srcset", "action", "data", "poster"} and tag != "a"
    ]
    assert all(address.startswith(("#", "data:,")) for address in addresses)
    links = [a["href"] for a in checker.of("a")]
    assert not any(re.match(r"(?i)[a-z]+:|//", link) for link in links)
    assert not re.search(r"url\((?!#)|@import", pages[kind])
    assert not any(name.startswith("on") for _, found in checker.attributes for name in found)


@pytest.mark.parametrize("kind", ["study", "index"])
def test_a_page_reads_aloud(pages, kind):
    checker = check(pages[kind])
    assert checker.of("html") == [{"lang": "en"}]
    assert checker.headings[0] == 1
    assert checker.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(checker.headings, checker.headings[1:], strict=False))
    assert len(checker.of("caption")) == len(checker.of("table")) > 0
    assert all(th.get("scope") in {"row", "col"} for th in checker.of("th"))
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 40 for svg in checker.of("svg"))
    assert next(a for a in checker.of("a"))["href"] == "#ledger"
    assert [main["id"] for main in checker.of("main")] == ["content"]
    assert [nav["aria-label"] for nav in checker.of("nav")] == ["Contents"]
    scrolled = [div for div in checker.of("div") if div.get("class") == "scroll"]
    assert all(div["tabindex"] == "0" and div["aria-label"] for div in scrolled)
    assert checker.of("meta")[1]["content"] == "width=device-width, initial-scale=1"


@pytest.mark.parametrize("kind", ["study", "index"])
def test_what_a_user_wrote_is_text(pages, kind):
    checker = check(pages[kind])
    text = " ".join("".join(checker.text).split())
    assert HOSTILE in text
    assert f"What holds instead: Not {HOSTILE}" in text
    assert pages[kind].count("<script") == pages[kind].count("</script") == 1
    assert "49" not in re.findall(r"\{\{.*?\}\}", pages[kind])


@pytest.fixture(scope="module")
def page(plain_page):
    return page_html(plain_page)


def test_a_verdict_is_a_word_and_a_symbol(page):
    for word, symbol in (("supported", "✓"), ("refuted", "✗"), ("inconclusive", "?")):
        assert f'<td class="verdict {word}"><span aria-hidden="true">{symbol}</span> {word}</td>' in page


def test_a_contradiction_stands_above_everything_else(page):
    assert page.index('class="alarm"') < page.index("<table")
    assert "he.forward was expected to be supported and is refuted in 1 of its 4 tests." in page


def test_light_and_dark_are_both_given(page):
    dark = page[page.index("@media screen and (prefers-color-scheme: dark)") :]
    assert '[style*="fill: #262626"] { fill: #e6e6e6 !important; }' in dark


def test_the_index_leads_to_every_study_and_claim(make_run, plain_page):
    runs = [make_run(name="one"), make_run(name="two words")]
    checker = check(page_html(index_page(runs)))
    links = {a["href"] for a in checker.of("a")}
    assert {"one/index.html", "two%20words/index.html", "one/index.html#claim-he.forward"} <= links
    there = check(page_html(plain_page))
    assert "claim-he.forward" in there.ids


def test_anchors_differ_and_need_no_quoting():
    assert anchor("he.forward") == "claim-he.forward"
    assert re.fullmatch(r"[A-Za-z0-9._-]+", anchor("a b/é😀"))


@pytest.mark.parametrize("kind", ["study", "index"])
def test_the_policy_lets_nothing_run_but_the_pages_own_script(pages, kind):
    policy = check(pages[kind]).of("meta")[2]["content"]
    (script,) = re.findall(r"<script>(.*?)</script>", pages[kind], re.DOTALL)
    assert f"script-src '{source_hash(script)}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert {"base-uri 'none'", "form-action 'none'"} <= {part.strip() for part in policy.split(";")}
    assert "innerHTML" not in script


@pytest.mark.parametrize("kind", ["study", "index"])
def test_every_heading_is_an_anchor_with_a_link_and_the_contents_lead_there(pages, kind):
    page = pages[kind]
    checker = check(page)
    headings = re.findall(r'<h[23] id="([^"]+)">(.*?)</h[23]>', page)
    assert len(headings) == len([level for level in checker.headings if level > 1]) > 3
    links = {a["href"][1:]: a["aria-label"] for a in checker.of("a") if a.get("class") == "permalink"}
    assert links == {name: f"Link to {text}" for name, text in headings}
    contents = page[page.index("<nav") : page.index("</nav>")]
    assert {name for name, _ in headings} <= set(re.findall(r'href="#([^"]+)"', contents))


@pytest.mark.parametrize("kind", ["study", "index"])
def test_regions_of_a_page_have_names_of_their_own(pages, kind):
    regions = [found["aria-label"] for _, found in check(pages[kind]).attributes if found.get("role") == "region"]
    assert len(regions) == len(set(regions)) > 2


def test_tables_have_a_csv_file_and_figures_open_large(plain_page):
    document = plain_page
    checker = check(page_html(document))
    downloads = [a["href"] for a in checker.of("a") if "download" in a]
    assert sorted(downloads) == sorted(table.file for table in document.tables)
    assert len({a["aria-label"] for a in checker.of("a") if "download" in a}) == len(downloads)
    enlarged = [a["href"] for a in checker.of("a") if a.get("class") == "enlarge"]
    assert enlarged == [f"#figure-{picture.name}" for picture in document.pictures]
    assert set(enlarged) <= {f"#{found['id']}" for found in checker.of("figure")}


def test_a_row_of_the_ledger_has_statement_verdict_correction_figure_and_further_statements(make_run, make_judged):
    more = '[[claims]]\nid = "he.forward.more"\nstatement = "More."\nquantity = "activation_mean"\ntest = "zero_mean"'
    rows = [
        {"claim": claim, "ratio": 1.0, "ci_low": 0.9, "ci_high": 1.1, "verdict": "refuted"}
        for claim in ("he.forward", "goal.zero-mean", "he.forward.more")
    ]
    run = make_run(statement="As made.", corrected="As it is.", more=more, verdicts=make_judged(*rows))
    page = page_html(index_page([run]))
    start = page.index('<tr role="row" id="claim-he.forward">')
    text = page[start : page.index("</tr>", start)]
    for part in ("As made.", "As it is.", "measured/predicted 1.000 (0.9000 to 1.100)", "margin ±10 %", "<svg role"):
        assert part in text
    assert '<span class="refuted"><span aria-hidden="true">✗</span> refuted</span>' in text
    assert "1 further statement on he.forward</summary>" in text
    assert "forward/index.html#claim-he.forward.more" in text
    assert "More." in text
    assert 'id="claim-he.forward.more"' not in page


def test_the_index_is_light(plain_index):
    """Forty rows, twice as many as there are article claims, stay far below a megabyte."""
    page = page_html(plain_index)
    row = page[page.index('<tr role="row" id="claim-he.forward">') :]
    assert 40 * len(row[: row.index("</tr>")]) < 750_000
