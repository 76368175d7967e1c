"""Names along a profile over modules: level where there is room, and a class beside what is but a number."""

import itertools

import pandas as pd
import pytest
from matplotlib.figure import Figure

from varprop.model.sites import Module, ModuleNetwork
from varprop.plot.depth import label_modules, module_figure_size


def network(*names):
    modules = tuple(Module(name=name, kind="Linear", layer=i + 1) for i, name in enumerate(names))
    return ModuleNetwork(label="mine", modules=modules)


def labelled(net):
    ax = Figure(figsize=module_figure_size(net), layout="constrained").subplots()
    count = len(net.modules)
    label_modules(ax, pd.DataFrame({"layer": range(1, count + 1), "mean": [1.0] * count}), net)
    return ax


def test_a_number_is_told_with_its_class():
    texts = [text.get_text() for text in labelled(network("0", "body.3#2", "body.fc")).get_xticklabels()]
    assert texts == ["0 Linear", "body.3#2 Linear", "body.fc"]


@pytest.mark.parametrize("count", [4, 12, 60, 200])
def test_names_do_not_run_into_each_other(count):
    ax = labelled(network(*(f"layers.{i}.self_attention" for i in range(count))))
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.get_xticklabels()]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
    assert min(box.y0 for box in boxes) >= 0
    assert ax.figure.get_figheight() < 9
    assert ax.figure.get_figwidth() < 16


def test_few_short_names_are_level():
    rotations = {text.get_rotation() for text in labelled(network("embed", "lower", "head")).get_xticklabels()}
    assert rotations == {0.0}
