import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varprop.report.tex import tex, tex_code
from varprop.study.files import plain

PRINTED = {
    r"\textbackslash": "\\",
    r"\textasciicircum": "^",
    r"\textasciitilde": "~",
    r"\textquotedbl": '"',
    r"\textquotesingle": "'",
    r"\textasciigrave": "`",
    r"\textless": "<",
    r"\textgreater": ">",
    r"\textbar": "|",
    r"\allowbreak": "",
}
TOKEN = re.compile(
    r"\\varpropchar\{([0-9A-F]{4,6})\}|(\\[a-zA-Z]+)\{\}|\\([{}$&#%_])|\{([\[\]*])\}|(\{\})|([^\\{}$&#%_^~])"
)


def read_back(source):
    """What LaTeX prints of text without letters beyond ASCII; None if anything in it is a command of another kind."""
    printed, at = [], 0
    while at < len(source):
        token = TOKEN.match(source, at)
        if token is None or (token[2] and token[2] not in PRINTED):
            return None
        number, command, escaped, braced, nothing, char = token.groups()
        printed.append(
            chr(int(number, 16)) if number else PRINTED[command] if command else escaped or braced or char or ""
        )
        assert not (nothing and printed[-1])
        at = token.end()
    return "".join(printed)


@given(st.text(alphabet=string.printable, max_size=60), st.booleans())
def test_ascii_prints_itself_and_is_no_command(text, breakable):
    assert read_back(tex(text, breakable=breakable)) == plain(text)


@given(
    st.text(alphabet=st.characters(min_codepoint=0x3000, max_codepoint=0x1FAFF, categories=["Lo", "So"]), max_size=20)
)
def test_what_has_no_command_is_told_by_its_number(text):
    import unicodedata

    assert read_back(tex(text)) == unicodedata.normalize("NFC", plain(text))


@given(st.text(max_size=80))
def test_any_text_becomes_ascii_with_balanced_braces(text):
    source = tex(text, breakable=True)
    assert source.isascii()
    assert "\n" not in source
    bare = re.sub(r"\\[{}]", "", source.replace(r"\\", ""))
    depth = 0
    for char in bare:
        depth += (char == "{") - (char == "}")
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"(?<!\\)[%&#$_]", source)


def test_the_reader_refuses_a_command():
    assert read_back(r"\input{x}") is None
    assert read_back("100 % off") is None


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("é Š ő ï ß ł", r"\'{e} \v{S} \H{o} \"{\i} \ss{} \l{}"),
        ("δ² ∂ ±", r"\ensuremath{\delta}\textsuperscript{2} \ensuremath{\partial} \ensuremath{\pm}"),
        ("– ✓ ✗ z₁", r"\textendash{} \ding{51} \ding{55} z\textsubscript{1}"),
        ("e\u0301", r"\'{e}"),  # composed
        ("--x ,,y''", r"-{}-x ,{},y'{}'"),  # no dash, no quotation marks made of them
    ],
)
def test_letters_symbols_and_ligatures(text, source):
    assert tex(text) == source


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gradient_second_moment", r"gradient\_|second\_|moment"),
        ("a_b", r"a\_b"),
        ("layers.MultiHeadAttention", "layers.|Multi|Head|Attention"),
        ("incomprehensibilities", "incomprehensibilities"),
        ("0" * 32, "|".join("0" * 32)),
        ("a 漢字", r"a \varpropchar{6F22}|\varpropchar{5B57}"),
    ],
)
def test_long_names_may_break(text, shown):
    assert tex(text, breakable=True).replace(r"\allowbreak{}", "|") == shown


def test_code_keeps_indentation_and_straight_quotes():
    assert tex_code("    x = 'é'") == r"~~~~x = \textquotesingle{}\'{e}\textquotesingle{}"
