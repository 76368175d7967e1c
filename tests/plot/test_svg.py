import re
from xml.etree import ElementTree as ET

from varprop.plot.axes import DARK
from varprop.plot.figure_files import dark_rules, render_png, render_svg, standalone
from varprop.plot.forests import forest_figure


def figure(make_verdicts):
    return forest_figure(make_verdicts({"ratio": 1.01, "ci_low": 0.99, "ci_high": 1.03, "verdict": "supported"}))


def test_the_same_figure_gives_the_same_bytes(make_verdicts):
    first, second = (render_svg(figure(make_verdicts), title="t", name="n") for _ in range(2))
    assert first == second


def test_matplotlib_settings_of_a_user_change_nothing(make_verdicts):
    import matplotlib as mpl

    before = render_svg(figure(make_verdicts), title="t", name="n")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "pink", "svg.fonttype": "path", "text.color": "red"}):
        assert render_svg(figure(make_verdicts), title="t", name="n") == before


def test_drawing_leaves_no_trace_in_pyplot(make_verdicts):
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    settings, figures = dict(mpl.rcParams), plt.get_fignums()
    render_svg(figure(make_verdicts), title="t", name="n")
    assert dict(mpl.rcParams) == settings
    assert plt.get_fignums() == figures


def test_no_date_no_version_no_address_to_fetch(make_verdicts):
    text = standalone(render_svg(figure(make_verdicts), title="t", name="n"), title="t")
    assert "metadata" not in text
    assert not re.search(r"20\d\d-\d\d|Matplotlib", text)
    addresses = set(re.findall(r"https?://[^\"<> ]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, not places


def test_a_file_is_xml_that_names_itself(make_verdicts):
    title = 'a "quoted" <b> & c'
    svg = render_svg(figure(make_verdicts), title=title, name="n")
    root = ET.fromstring(standalone(svg, title=title))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == title
    assert root.find("{http://www.w3.org/2000/svg}title").text == title


def test_ids_carry_the_name_so_that_figures_share_a_page(make_verdicts):
    svg = render_svg(figure(make_verdicts), title="t", name="forest")
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert ids
    assert all(identifier.startswith("forest-") for identifier in ids)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]*)', svg)) <= set(ids)


def test_every_colour_has_a_dark_counterpart(make_verdicts):
    text = render_svg(figure(make_verdicts), title="t", name="n")
    assert set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", text)) <= set(DARK)
    assert text.count("#000000") == 0
    assert all(dark in dark_rules() for dark in DARK.values())


def test_png_is_an_image_of_the_figure(make_verdicts):
    assert render_png(figure(make_verdicts), dpi=40).startswith(b"\x89PNG")
