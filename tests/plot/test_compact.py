"""Drawings in fewer bytes: element by element they are what matplotlib wrote, by a reader of SVG that is the tests' own."""

import io
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varprop.plot.axes import house_style, panel_grid
from varprop.plot.figure_files import compact, compact_path

SAID_ELSEWHERE = {"d", "style", "clip-path", "transform"}
LENGTHS = {"M": 2, "L": 2, "Q": 4, "C": 6, "H": 1, "V": 1, "Z": 0}


def points_of(data):
    """All points of a path, absolute, with the letters that lead there, by the grammar of SVG 1.1."""
    tokens = re.findall(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", data)
    found, here, start, letter, i = [], (0.0, 0.0), (0.0, 0.0), "", 0
    while i < len(tokens):
        if tokens[i].isalpha():
            letter, i = tokens[i], i + 1
        kind = letter.upper()
        numbers, i = [float(token) for token in tokens[i : i + LENGTHS[kind]]], i + LENGTHS[kind]
        if kind == "Z":
            here = start
        elif kind in "HV":
            axis, moved = "HV".index(kind), list(here)
            moved[axis] = numbers[0] + (here[axis] if letter.islower() else 0.0)
            here = (moved[0], moved[1])
            found.append(("L", *here))
        else:
            shift = here if letter.islower() else (0.0, 0.0)
            pairs = [(x + shift[0], y + shift[1]) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            here = pairs[-1]
            start = here if kind == "M" else start
            found += [(kind, *pair) for pair in pairs]
        if kind == "Z":
            found.append(("Z", *here))
    return found


def close(one, other):
    return [p[0] for p in one] == [p[0] for p in other] and np.allclose(
        [p[1:] for p in one], [p[1:] for p in other], rtol=0, atol=0.005001
    )


number = st.floats(-2000, 2000, allow_nan=False)
piece = st.one_of(
    st.tuples(st.just("L"), number, number),
    st.tuples(st.just("Q"), *[number] * 4),
    st.tuples(st.just("C"), *[number] * 6),
    st.just(("z",)),
)


@given(st.lists(st.tuples(number, number, st.lists(piece, max_size=8)), min_size=1, max_size=4))
def test_a_path_leads_through_the_same_points(subpaths):
    written = [part for x, y, pieces in subpaths for one in [("M", x, y), *pieces] for part in one]
    data = " ".join(map(str, written))
    assert close(points_of(data), points_of(compact_path(data)))


def test_rounding_does_not_add_up():
    x = np.arange(3000) / 3
    data = "M 0 0 " + " ".join(f"L {value} {value / 7}" for value in x)
    assert close(points_of(data), points_of(compact_path(data)))
    assert len(compact_path(data)) < 0.7 * len(" ".join(f"L {value:.2f} {value / 7:.2f}" for value in x))


def test_a_path_that_is_slightly_off_is_found():
    assert not close(points_of("M 0 0 L 1 1"), points_of("M0 0l1 1.01"))
    assert not close(points_of("M 0 0 L 1 1"), points_of("M0 0l1 1z"))


@pytest.fixture(scope="module")
def raw():
    """A figure with a bit of all that reports draw, as matplotlib writes it."""
    with house_style():
        figure, (first, second) = panel_grid(2, sharex=False)
        x = np.linspace(0.1, 10, 30)
        first.plot(x, x**2, marker="o", linewidth=0, label="marks")
        first.plot(x, x, linestyle=(0, (4, 3)))
        first.fill_between(x, x, x**2, alpha=0.3)
        first.set(xscale="log", yscale="log", title="-- a $x^{$ <b> & c")
        first.title.set_parse_math(False)
        second.bar(x, x, alpha=0.5)
        second.scatter(x, x, alpha=0.4, c="#d55e00")
        second.set(ylabel=r"$\sigma_w^2$", xlabel="x")
        figure.legend(loc="outside upper left")
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue().decode()
    return text[text.index("<svg") :]


def drawn(svg):
    """Every drawn element with all that it inherits, in order; what is invisible is left out."""
    found = []

    def declared(text):
        return dict(part.split(": ", 1) for part in text.split("; ") if part)

    # A rule for every element stands before what the element inherits, and behind what it says itself.
    everywhere = declared("; ".join(re.findall(r"\*\{([^}]*)\}", svg)))

    def walk(element, style, around):
        style = style | everywhere | declared(element.get("style", ""))
        tag = element.tag.rpartition("}")[2]
        around = (*around, *((key, element.get(key)) for key in ("clip-path", "transform") if element.get(key)))
        around = tuple(pair for pair in around if not pair[1].startswith(("rotate(-0 ", "rotate(0 ")))
        if tag in {"path", "use", "text", "tspan", "rect"}:
            looks = {key: value for key, value in style.items() if (key, value) != ("stroke-dashoffset", "0")}
            if "font-family" in looks:
                looks["font-family"] = looks["font-family"].partition(",")[0] if (element.text or "").strip() else ""
            looks = {key: value for key, value in looks.items() if value}
            geometry = {key: value for key, value in element.attrib.items() if key not in SAID_ELSEWHERE}
            if not (tag == "path" and looks.get("fill") == "none" and "stroke" not in looks):
                path = points_of(element.get("d", ""))
                found.append((tag, looks, around, geometry, (element.text or "").strip(), path))
        for child in element:
            walk(child, style, around)

    walk(ET.fromstring(svg), {}, ())
    return found


def test_every_element_looks_as_it_did(raw):
    before, after = drawn(raw), drawn(compact(raw))
    assert len(before) > 100
    assert [one[0] for one in before] == [one[0] for one in after]
    for one, other in zip(before, after, strict=True):
        assert one[1:5] == other[1:5]
        assert close(one[5], other[5])
    assert len(compact(raw)) < 0.6 * len(raw)


def test_marks_that_see_through_keep_their_own_opacity():
    mark = '<use href="#m" x="1" y="2" style="fill: #000000; {}opacity: 0.5"/>\n'
    each = compact("<svg >\n" + 2 * mark.format("") + "</svg>")
    assert each.count("opacity") == 2
    once = compact("<svg >\n" + 2 * mark.format("fill-") + "</svg>")
    assert once.count("fill-opacity") == 1
    assert ET.fromstring(once).find("g").get("style") == "fill: #000000; fill-opacity: 0.5"


def test_nothing_is_left_that_says_nothing(raw):
    text = compact(raw)
    assert not re.search(r"<g>|<g/>|<!--|^ |\n\n", text)
    assert text.count("font-family") == 1
