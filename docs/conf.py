"""How Sphinx makes a site of the project's Markdown pages: ``nox -s docs``.

The source folder is the root of the repository, so that a link between pages leads to the same place on a forge and in
the site, and the pages need no directive of Sphinx's: which page stands below which is said here, in `CONTENTS`.
Nothing is fetched while the site is built, and its pages ask for nothing that is not in it.
"""

import re
import shutil
from pathlib import Path

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).resolve().parent.parent

CONTENTS = {
    "docs/index": (
        "docs/quickstart",
        "docs/tutorial",
        "docs/how-to",
        "docs/gallery/index",
        "docs/reference/index",
        "docs/ledger",
        "docs/theory",
        "docs/statistics",
        "docs/engine",
        "docs/training",
        "docs/project",
    ),
    "docs/how-to": (
        "docs/how-to/study",
        "docs/how-to/activation",
        "docs/how-to/initialiser",
        "docs/how-to/test",
        "docs/how-to/measurements",
        "docs/clusters",
        "docs/command-line",
        "docs/pandas",
        "docs/reports",
        "docs/files",
        "docs/how-to/notebook",
        "docs/how-to/audit",
        "docs/torch",
        "docs/training",
    ),
    "docs/theory": ("docs/theory/xavier-he", "docs/theory/mean-field", "docs/theory/finite-width"),
    "docs/ledger": tuple(
        path.relative_to(ROOT).with_suffix("").as_posix()
        for path in sorted((ROOT / "reports").rglob("README.md"), key=lambda path: (len(path.parts), path))
    ),
    "docs/project": ("CHANGELOG", "ARCHITECTURE", "CONTRIBUTING"),
}

# ---- the project --------------------------------------------------------------------------------------------------

project = "varprop"
author = "The varprop developers"
copyright = author  # no year, so that a rebuilt page is the same page
root_doc = "docs/index"
include_patterns = ["docs/**", "reports/**", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
exclude_patterns = [
    ".*",
    "docs/_build",
    "docs/_templates",
    "docs/gallery/*.ipynb",
    "docs/gallery/*.py",
    "runs",
    "varprop",
    "tests",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r"varprop\.\w+\..*"),  # a module that has no page
    ("py:obj", r"(numpy|torch)\..*"),  # another project, whose inventory would have to be fetched
]

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_gallery.gen_gallery",
]

# ---- pages --------------------------------------------------------------------------------------------------------

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

# ---- the reference ------------------------------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it, with shapes and ranges
numpydoc_show_class_members = False  # the template of a class lists them
default_role = "py:obj"
modindex_common_prefix = ["varprop."]
templates_path = [str(ROOT / "docs" / "_templates")]  # for autosummary, which looks from the source folder

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "docs/gallery",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 10**9,  # timings would differ from build to build
    "write_computation_times": False,
    "remove_config_comments": True,
    "show_signature": False,
    "within_subsection_order": "FileNameSortKey",
    "default_thumb_file": str(ROOT / "docs" / "_static" / "script.svg"),
}

# ---- how it looks -------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "varprop"
html_static_path = ["_static"]
html_css_files = ["varprop.css"]
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is; the theme takes offence at none
html_copy_source = False
html_theme_options = {
    "footer_end": [],
    "footer_start": [],
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {page: [] for page in CONTENTS["docs/index"] if page not in CONTENTS and not page.endswith("/index")}


def add_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put the pages below a page into its table of contents; a folder, which is no page, loses its link."""
    if not (ROOT / f"{page}.md").is_file():
        return
    here = (ROOT / page).parent

    def unlink(link: re.Match[str]) -> str:
        return link[1] if (here / link[2]).is_dir() else link[0]

    text = re.sub(r"\[([^\]\n]*)\]\(([^)#:\n]+)\)", unlink, source[0])
    below = "\n".join(f"/{name}" for name in CONTENTS.get(page, ()))
    source[0] = text + (f"\n\n```{{toctree}}\n:hidden:\n\n{below}\n```\n" if below else "")


def find_by_last_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element) -> Element | None:
    """Let a docstring of any module call a name of the reference briefly: `simulate` is varprop.simulate."""
    python = env.domains.python_domain
    target = node["reftarget"].removesuffix("()")
    found = python.find_obj(env, None, None, target, None, 1) if node.get("refdomain") == "py" else []
    if len(found) != 1:
        return None
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0][0], node, text)


def add_reports(app: Sphinx, error: Exception | None) -> None:
    """Copy the reports in HTML as they are, and make the folder itself lead to the first page."""
    if error is None and app.builder.format == "html":
        for path in sorted((ROOT / "reports").rglob("*")):
            if path.suffix in {".csv", ".html", ".svg"}:
                to = Path(app.outdir) / path.relative_to(ROOT)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
        first = (
            '<!doctype html>\n<title>varprop</title>\n<meta http-equiv="refresh" content="0; url=docs/index.html">\n'
        )
        (Path(app.outdir) / "index.html").write_text(
            first + '<a href="docs/index.html">varprop</a>\n', encoding="utf-8"
        )


def setup(app: Sphinx) -> None:
    """Tell Sphinx of these."""
    app.connect("source-read", add_contents)
    app.connect("missing-reference", find_by_last_name)
    app.connect("build-finished", add_reports)
