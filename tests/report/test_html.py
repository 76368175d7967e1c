import re
from html.parser import HTMLParser

import pytest

from varprop.report.content import study_document
from varprop.report.html import anchor, index_html, study_html
from varprop.report.index import index_document

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
    run = make_run(title=HOSTILE, statement=HOSTILE, name="a b'é&")
    return {"study": study_html(study_document(run)), "index": index_html(index_document([run]))}


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
    assert HOSTILE in " ".join("".join(checker.text).split())
    assert pages[kind].count("<script") == pages[kind].count("</script") == 1
    assert "49" not in re.findall(r"\{\{.*?\}\}", pages[kind])


@pytest.fixture(scope="module")
def page(make_run):
    return study_html(study_document(make_run()))


def test_a_verdict_is_a_word_and_a_symbol(page):
    for word, symbol in (("supported", "✓"), ("refuted", "✗"), ("inconclusive", "?")):
        assert f'<td class="verdict {word}"><span aria-hidden="true">{symbol}</span> {word}</td>' in page


def test_a_contradiction_stands_above_everything_else(page):
    assert page.index('class="alarm"') < page.index("<table")
    assert "he.forward was expected to be supported and is refuted in 1 of its 4 tests." in page


def test_light_and_dark_are_both_given(page):
    dark = page[page.index("@media screen and (prefers-color-scheme: dark)") :]
    assert '[style*="fill: #262626"] { fill: #e6e6e6 !important; }' in dark


def test_the_index_leads_to_every_study_and_claim(make_run):
    runs = [make_run(name="one"), make_run(name="two words")]
    checker = check(index_html(index_document(runs)))
    links = {a["href"] for a in checker.of("a")}
    assert {"one/index.html", "two%20words/index.html", "one/index.html#claim-he.forward"} <= links
    there = check(study_html(study_document(runs[0])))
    assert "claim-he.forward" in there.ids


def test_anchors_differ_and_need_no_quoting():
    assert anchor("he.forward") == "claim-he.forward"
    assert re.fullmatch(r"[A-Za-z0-9._-]+", anchor("a b/é😀"))
