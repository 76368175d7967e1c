"""Whoever asks a public name for help is told all of it."""

import inspect
import re

import varprop as vp


def _gaps(function):
    """What a function's docstring lacks: parameters by name, then whole sections by title."""
    doc, signature = inspect.getdoc(function) or "", inspect.signature(function)
    documented = re.findall(r"\w+", " ".join(re.findall(r"^([\w*, ]+) :", doc, re.MULTILINE)))
    sections = ["Examples"] if signature.return_annotation in (None, "None") else ["Returns", "Examples"]
    gaps = [name for name in signature.parameters if name not in documented]
    return gaps + [title for title in sections if not re.search(rf"^{title}\n-+$", doc, re.MULTILINE)]


def _public(kind):
    return {name: getattr(vp, name) for name in dir(vp) if kind(getattr(vp, name))}


def test_public_functions_document_parameters_result_and_use():
    gaps = {name: _gaps(function) for name, function in _public(inspect.isfunction).items()}
    assert {name: found for name, found in gaps.items() if found} == {}


def test_public_classes_say_what_they_are():
    docs = {name: vars(value).get("__doc__") or "" for name, value in _public(inspect.isclass).items()}
    # A dataclass without a docstring is given its signature for one.
    assert [name for name, doc in docs.items() if not doc or doc.startswith(f"{name}(")] == []


def test_gaps_are_seen():
    def half(documented: int, *, missing: int) -> int:
        """Half a docstring.

        Parameters
        ----------
        documented : int
            This one.
        """
        return documented + missing

    assert _gaps(half) == ["missing", "Returns", "Examples"]
