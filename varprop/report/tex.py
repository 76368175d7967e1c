"""A user's text -> LaTeX that prints that text: plain ASCII, and nothing in it is a command of the user's."""

from __future__ import annotations

import re
import unicodedata

from varprop.study.files import plain

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
    "−": r"\ensuremath{-}",
    "✓": r"\ding{51}",
    "✗": r"\ding{55}",
}
_MATHS = """
    α alpha β beta γ gamma δ delta ε varepsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu ξ xi
    π pi ρ rho σ sigma τ tau υ upsilon φ varphi χ chi ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi
    Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega ϵ epsilon ϑ vartheta ϕ phi ϱ varrho ς varsigma ± pm × times
    ÷ div · cdot ≤ le ≥ ge ≠ ne ≈ approx ≡ equiv ∝ propto ∼ sim ∞ infty √ surd ∂ partial ∇ nabla ∑ sum
    ∏ prod ∫ int ∈ in ∉ notin ⊂ subset ⊆ subseteq ∪ cup ∩ cap ∀ forall ∃ exists ¬ neg ∧ wedge ∨ vee ⊥ perp
    ∥ parallel ‖ Vert ∘ circ ⊗ otimes ⊕ oplus ⊙ odot ← leftarrow → rightarrow ↑ uparrow ↓ downarrow
    ↔ leftrightarrow ⇒ Rightarrow ⇐ Leftarrow ⇔ Leftrightarrow ↦ mapsto ↳ hookrightarrow ℓ ell ⟨ langle
    ⟩ rangle ′ prime ℝ mathbb{R} 𝔼 mathbb{E} ℕ mathbb{N}
"""
"""Characters, each with the command that sets it as mathematics."""
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
_BREAK = re.compile(r"(?<=[_./,=()\-·:])(?!$)|(?<=[a-z]{2})(?=[A-Z])")  # behind punctuation, and in CamelCase
_NO_WORD = re.compile(r"[^\W_]{25,}")  # such as a hash: no word is as long
_IDEOGRAPH = re.compile(r"(?<=\S)(?=[\u2e80-\U0010ffff])")

_NAMES = _MATHS.split()
_PRINTED = {
    **{char: char for char in map(chr, range(ord(" "), ord("~") + 1))},
    **_COMMANDS,
    **_LETTERS,
    **{char: rf"\ensuremath{{\{name}}}" for char, name in zip(_NAMES[::2], _NAMES[1::2], strict=True)},
    **{char: rf"\textsuperscript{{{plain_char}}}" for char, plain_char in _RAISED.items()},
    **{char: rf"\textsubscript{{{plain_char}}}" for char, plain_char in _LOWERED.items()},
    "\x01": r"\allowbreak{}",  # marks that are set here, and in no text of a user's: `plain` leaves none
    "\x02": "{}",
}

CHARACTER_COMMAND = r"\varpropchar"
"""What prints a character that no command stands for; ``\\varpropchar{1F600}``."""


def tex(text: str, *, breakable: bool = False) -> str:
    r"""Make a user's text mean itself in LaTeX.

    Examples
    --------
    >>> print(tex(r"100 % of {z_1} \input{x} é δ² 😀"))
    100 \% of \{z\_1\} \textbackslash{}input\{x\} \'{e} \ensuremath{\delta}\textsuperscript{2} \varpropchar{1F600}
    """
    line = unicodedata.normalize("NFC", plain(text))
    if breakable:
        line = _LONG_WORD.sub(lambda word: _BREAK.sub("\x01", word[0]), line)
        line = _NO_WORD.sub(lambda run: "\x01".join(run[0]), line)
        line = _IDEOGRAPH.sub("\x01", line)
    pieces = (_character(char) for char in _LIGATURES.sub("\x02", line))
    return "".join(pieces)


def tex_code(line: str) -> str:
    """Set one line of a file in a typewriter font: straight quotes, and the spaces it begins with."""
    indentation = len(line) - len(line.lstrip(" "))
    return "~" * indentation + _STRAIGHT.sub(r"\\textquotesingle{}", tex(line, breakable=True))


def _character(char: str) -> str:
    return _PRINTED.get(char) or _accented(char) or rf"{CHARACTER_COMMAND}{{{ord(char):04X}}}"


def _accented(char: str) -> str:
    r"""A Latin letter with one accent, as in ``\'{e}``; empty for anything else."""
    parts = unicodedata.normalize("NFD", char)
    if len(parts) != 2 or parts[1] not in _ACCENTS or not (parts[0].isascii() and parts[0].isalpha()):
        return ""
    base, accent = parts[0], parts[1]
    letter = rf"\{base}" if base in "ij" and accent not in "\u0327\u0328" else base
    return rf"\{_ACCENTS[accent]}{{{letter}}}"
