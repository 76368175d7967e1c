"""The site has a page for every public name, and a place for every page."""

import ast
import re
from pathlib import Path

import pytest

import varprop as vp

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = (ROOT / "docs/reference/index.rst").read_text(encoding="utf-8")


def _listed(module):
    """Names that the reference lists while the module is the current one."""
    sections = re.split(r"^\.\. currentmodule:: (.+)$", REFERENCE, flags=re.MULTILINE)
    blocks = [text for name, text in zip(sections[1::2], sections[2::2], strict=True) if name == module]
    return set(re.findall(r"^   (\w+)$", "\n".join(blocks), re.MULTILINE))


@pytest.mark.parametrize("module", [vp, vp.plot, vp.theory], ids=lambda module: module.__name__)
def test_every_public_name_is_in_the_reference(module):
    public = {name for name in dir(module) if not name.startswith("_")} if module is vp else set(module.__all__)
    elsewhere = {"plot", "theory"} if module is vp else {"THEORIES", "predict"}  # modules; a table, and vp.predict
    assert public - elsewhere == _listed(module.__name__)


def test_every_page_has_a_place():
    tree = ast.parse((ROOT / "docs/conf.py").read_text(encoding="utf-8"))
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    built = ("_build", "gallery", "generated")
    pages = [path for path in (ROOT / "docs").rglob("*.md") if not set(built) & set(path.parts)]
    assert {path.relative_to(ROOT).with_suffix("").as_posix() for path in pages} <= named
