"""The measure of the package's structure, on a small package whose structure is known."""

import pytest

from benchmarks.structure import measured

FILES = {
    "__init__.py": '"""A package."""\n',
    "a.py": '"""A module."""\n\nfrom small.inner.b import B\n\n\nclass A(B):\n    """A class."""\n\n    x = 1  # code\n',
    "inner/__init__.py": "",
    "inner/b.py": "def f():\n    from . import c\n    return c\n\n\nclass B:\n    pass\n",
    "inner/c.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from small.inner.b import B\nimport small.d\n",
    "d.py": "Pair = tuple[int, int]\n",
    "inner/d.py": "# nothing but a comment\n\nclass Pair:\n    pass\n",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    root = tmp_path_factory.mktemp("structure") / "small"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return measured(root)


def test_lines_of_code_are_neither_blank_nor_comment_nor_docstring(found):
    assert found["files"] == found["modules under 70 lines"] == 7
    assert found["lines"] == sum(text.count("\n") for text in FILES.values())
    assert found["code"] == 3 + 5 + 4 + 1 + 2


def test_a_circle_through_a_function_and_through_type_checking_is_one(found):
    assert found["circles"] == [["small.inner.b", "small.inner.c"]]


def test_a_circle_counts_as_one_module_of_a_chain(found):
    assert found["the chain"] == ["small.a", "small.inner.b", "small.d"]


def test_names_that_stand_twice_are_listed(found):
    assert found["classes of one name"] == {"Pair": ["small.d", "small.inner.d"]}
    assert found["modules of one name"] == {"d": ["small.d", "small.inner.d"]}
