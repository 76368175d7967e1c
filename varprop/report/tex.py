"""A user's text -> LaTeX that prints that text: plain ASCII, and nothing in it is a command of the user's."""

from __future__ import annotations

import re
import unicodedata

from varprop.report.wording import plain

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # After the end of a row, these would be read as its options.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    # Typography.
    "\u00a0": "~",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "«": r"\guillemotleft{}",
    "»": r"\guillemotright{}",
    "…": r"\dots{}",
    "•": r"\textbullet{}",
    "§": r"\S{}",
    "©": r"\textcopyright{}",
    "°": r"\textdegree{}",
    "¡": r"\textexclamdown{}",
    "¿": r"\textquestiondown{}",
    "✓": r"\ding{51}",
    "✗": r"\ding{55}",
}
_MATHS = {
    **dict(zip("αβγδεζηθικλμνξπρστυφχψω", (
        "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon varphi "
        "chi psi omega").split(), strict=True)),
    **dict(zip("ΓΔΘΛΞΠΣΥΦΨΩ", "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split(), strict=True)),
    **dict(zip("ϵϑϕϱς", "epsilon vartheta phi varrho varsigma".split(), strict=True)),
    **dict(zip("±×÷·−≤≥≠≈≡∝∼∞√∂∇∑∏∫", (
        "pm times div cdot {-} le ge ne approx equiv propto sim infty surd partial nabla sum prod int").split(),
        strict=True)),
    **dict(zip("∈∉⊂⊆∪∩∀∃¬∧∨⊥∥‖∘⊗⊕⊙", (
        "in notin subset subseteq cup cap forall exists neg wedge vee perp parallel Vert circ otimes oplus odot"
    ).split(), strict=True)),
    **dict(zip("←→↑↓↔⇒⇐⇔↦↳ℓ⟨⟩′", (
        "leftarrow rightarrow uparrow downarrow leftrightarrow Rightarrow Leftarrow Leftrightarrow mapsto hookrightarrow "
        "ell langle rangle prime").split(), strict=True)),
    "ℝ": "mathbb{R}", "𝔼": "mathbb{E}", "ℕ": "mathbb{N}",
}  # fmt: skip
"""What is set as mathematics, in whatever font the text has."""
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀ", "0123456789+-nT", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030b": "H", "\u030a": "r",
    "\u030c": "v", "\u0306": "u", "\u0304": "=", "\u0307": ".", "\u0327": "c", "\u0328": "k",
}  # fmt: skip
_LETTERS = {
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "đ": r"\dj{}", "Đ": r"\DJ{}", "ð": r"\dh{}", "Ð": r"\DH{}",
    "þ": r"\th{}", "Þ": r"\TH{}",
}  # fmt: skip
_LIGATURES = re.compile(r"(?<=-)(?=-)|(?<=,)(?=,)|(?<=')(?=')")
_STRAIGHT = re.compile(r"(?<!\\)'")  # and not the accent \'
_LONG_WORD = re.compile(r"\S{12,}")
_BREAK_AFTER = frozenset("_./,=()-·:")

CHARACTER_COMMAND = r"\varpropchar"
"""What prints a character that no command stands for; ``\\varpropchar{1F600}``."""


def tex(text: str, *, breakable: bool = False) -> str:
    r"""Make a user's text mean itself in LaTeX.

    Parameters
    ----------
    text : str
        Anything.
    breakable : bool, optional
        Allow lines to end within long words such as the names of quantities.

    Returns
    -------
    str
        One line of ASCII, for the font encoding T1. A character that no command stands for, such as those of Chinese or an
        emoji, becomes ``\varpropchar{...}``, which the preamble of a supplement defines: the character itself where
        engine and font have it, else its number in Unicode.

    Examples
    --------
    >>> print(tex(r"100 % of {z_1} \input{x} é δ² 😀"))
    100 \% of \{z\_1\} \textbackslash{}input\{x\} \'{e} \ensuremath{\delta}\textsuperscript{2} \varpropchar{1F600}
    """
    line = unicodedata.normalize("NFC", plain(text))
    if breakable:
        line = _LONG_WORD.sub(lambda word: _with_breaks(word[0]), line)
    pieces = (_character(char) for char in _LIGATURES.sub("\x02", line))
    return "".join(pieces)


def tex_code(line: str) -> str:
    """Set one line of a file in a typewriter font: straight quotes, and the spaces it begins with."""
    indentation = len(line) - len(line.lstrip(" "))
    return "~" * indentation + _STRAIGHT.sub(r"\\textquotesingle{}", tex(line, breakable=True))


def _with_breaks(word: str) -> str:
    """Mark where a line may end: behind punctuation inside a word."""
    inner = "".join(f"{char}\x01" if char in _BREAK_AFTER else char for char in word[:-1])
    return inner + word[-1]


def _character(char: str) -> str:
    if char == "\x01":
        return r"\allowbreak{}"
    if char == "\x02":
        return "{}"
    if char in _COMMANDS:
        return _COMMANDS[char]
    if char in _MATHS:
        name = _MATHS[char]
        return rf"\ensuremath{{{name if name.startswith('{') else chr(92) + name}}}"
    if char in _RAISED:
        return rf"\textsuperscript{{{_RAISED[char]}}}"
    if char in _LOWERED:
        return rf"\textsubscript{{{_LOWERED[char]}}}"
    if " " <= char <= "~":
        return char
    return _LETTERS.get(char) or _accented(char) or rf"{CHARACTER_COMMAND}{{{ord(char):04X}}}"


def _accented(char: str) -> str:
    r"""A Latin letter with one accent, as in ``\'{e}``; empty for anything else."""
    base, accent = (unicodedata.normalize("NFD", char) + "  ")[:2]
    if len(unicodedata.normalize("NFD", char)) != 2 or accent not in _ACCENTS or not (base.isascii() and base.isalpha()):
        return ""
    letter = rf"\{base}" if base in "ij" and accent not in "\u0327\u0328" else base
    return rf"\{_ACCENTS[accent]}{{{letter}}}"
