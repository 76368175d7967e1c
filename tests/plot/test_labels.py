"""Labels of points: where they stand is judged by matplotlib's own paths and boxes, which the search does not use."""

import itertools

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import varprop as vp
from varprop.plot.labels import label_points, nearest_places
from varprop.plot.phases import phase_figure, phase_points
from varprop.report.law_pictures import phase_tables, point_names

pytestmark = pytest.mark.false_alarm(0)

FRAME = (0.0, 0.0, 200.0, 120.0)


def boxes_of(places, sizes):
    return [
        Bbox.from_extents(*(place.centre - size / 2), *(place.centre + size / 2))
        for place, size in zip(places, sizes, strict=True)
        if place is not None
    ]


def test_a_lone_label_stands_beside_its_point():
    (place,) = nearest_places(np.array([[100.0, 60.0]]), np.array([[40.0, 9.0]]), frame=FRAME, lines=np.empty((0, 2)))
    assert 5 < place.distance < 14
    (box,) = boxes_of([place], [np.array([40.0, 9.0])])
    assert not box.contains(100.0, 60.0)
    assert np.hypot(*(place.start - [100.0, 60.0])) == pytest.approx(place.distance)


@pytest.mark.parametrize("seed", range(8))
def test_labels_meet_nothing_whatever_the_points(seed):
    draw = np.random.default_rng(seed)
    anchors, sizes = draw.uniform(0, 1, (6, 2)) * FRAME[2:], draw.uniform((20, 8), (70, 18), (6, 2))
    x = np.linspace(0, 200, 401)
    line = np.stack([x, 60 + 50 * np.sin(x / 40 + seed)], axis=1)
    places = nearest_places(anchors, sizes, frame=FRAME, lines=line)
    boxes = boxes_of(places, sizes)
    assert len(boxes) >= 5
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= 200
        assert box.y1 <= 120
        assert not any(box.contains(*point) for point in [*line, *anchors])
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    # Control: labels above their points, as they would stand without a search, do meet something.
    above = [Bbox.from_bounds(x - w / 2, y + 5, w, h) for (x, y), (w, h) in zip(anchors, sizes, strict=True)]
    assert any(box.contains(*point) for box in above for point in [*line, *anchors])


def test_a_label_without_room_is_left_out():
    anchors, sizes = np.array([[100.0, 60.0], [20.0, 20.0]]), np.array([[250.0, 9.0], [40.0, 9.0]])
    first, second = nearest_places(anchors, sizes, frame=FRAME, lines=np.empty((0, 2)))
    assert first is None
    assert second is not None
    everywhere = np.stack(np.meshgrid(np.arange(0.0, 200, 4), np.arange(0.0, 120, 4)), axis=-1).reshape(-1, 2)
    assert nearest_places(anchors[1:], sizes[1:], frame=FRAME, lines=everywhere) == [None]


def test_marks_without_a_line_between_them_leave_room_there():
    axes = Figure(figsize=(4, 3)).subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.plot([0, 1], [0, 1], marker="o", linewidth=0)
    axes.plot([0, 1], [1, 0], marker="o", linestyle="none")
    label_points(axes, np.array([[0.5, 0.5]]), ["a" * 25])
    (label,) = axes.texts
    assert np.hypot(*label.xyann) < 20
    axes.plot([0, 1], [0.55, 0.55])
    label.remove()
    label_points(axes, np.array([[0.5, 0.5]]), ["a" * 25])
    assert axes.texts[0].xyann[1] < 0  # control: a line that is seen is in the way


@pytest.fixture(scope="module")
def networks():
    nets = [
        vp.mlp([256] * 4, activation=activation, weights=weights)
        for activation in ("linear", "tanh", "elu")
        for weights in ("xavier_normal", "he_normal", {"name": "normal", "std": 0.08})
    ]
    return {net.label: net for net in nets}


@pytest.fixture
def diagram(networks):
    points, _ = phase_points(networks)
    return phase_figure(points, phase_tables(points, networks), point_names(networks))


def overlaps(axes):
    """Whatever a label of these axes meets: the edge of chaos, another label, or what is outside."""
    axes.figure.draw_without_rendering()
    (edge,) = [one for one in axes.collections if isinstance(one, ContourSet) and not one.filled]
    paths = [path.transformed(edge.get_transform()) for path in edge.get_paths()]
    labels = {text.get_text(): Text.get_window_extent(text) for text in axes.texts}
    met = [name for name, box in labels.items() if any(path.intersects_bbox(box, filled=False) for path in paths)]
    met += [f"{a} and {b}" for a, b in itertools.combinations(labels, 2) if labels[a].overlaps(labels[b])]
    window = axes.get_window_extent()
    return met + [name for name, box in labels.items() if window.count_contains([box.min, box.max]) < 2]


def test_no_label_of_a_phase_diagram_meets_the_edge_or_another(diagram):
    assert [len(axes.texts) for axes in diagram.axes] == [3, 3, 3]
    assert [overlaps(axes) for axes in diagram.axes] == [[], [], []]


def test_labels_that_are_moved_are_found_out(diagram):
    """Control of the test above: the same labels centred on their points meet the edge, and each other if they have one place."""
    linear = diagram.axes[0]
    for text in linear.texts:
        text.xyann = (0, 12)
    assert "xavier_normal" in overlaps(linear)  # which stands on the edge
    for text in linear.texts:
        text.xy = (3.9, 0.1)
    assert {"he_normal", "xavier_normal and he_normal"} <= set(overlaps(linear))  # now outside, and on each other
