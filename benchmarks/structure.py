"""The size and the shape of the package, by one command: ``python -m benchmarks.structure [--trace] [--json]``.

Counts files, lines and lines of code, finds the longest chain of imports and every circle of them (inside packages too),
and lists classes and modules of one name. With ``--trace`` the smallest study is taken from its file to its page, and the files
and functions of the package that are entered on the way are counted.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import statistics
import sys
import tempfile
import threading
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent / "varprop"
SHORT = 70
"""Lines below which a module is called short."""
STUDY = """
schema = 1
title = "The smallest study"
seed = 1
networks = 100

[network]
widths = "16x3"
activation = "relu"
weights = "he_normal"

[[claims]]
id = "he.signal"
statement = "The signal keeps its second moment."
quantity = "preactivation_second_moment"
theory = "he"
test = "cumulative_mean"
margin = 0.2
"""


def module_of(path: Path, root: Path = ROOT) -> str:
    """Return the dotted name of a file."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def code_lines(text: str) -> int:
    """Count lines that are neither blank, comment nor docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for docstring in _texts_alone(ast.parse(text)):
        lines -= set(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    return len(lines)


_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING),
    tokenize.ENDMARKER,
}


def _texts_alone(tree: ast.AST) -> Iterator[ast.Expr]:
    """Docstrings, and texts that stand below a name to describe it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node


def imports_of(module: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """Modules of the package that a file imports anywhere, in functions and for type checking too."""
    found = set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(
                    [*package.split(".")[: len(package.split(".")) - node.level + 1], *filter(None, [base])]
                )
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in known else base)
    return {name for name in found if name in known and name != module}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Find the groups of modules that import each other (strongly connected components, by Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return sorted(found)


def longest_chain(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the longest way down the imports; a circle counts as one module, and is named by its first."""
    named = {module: module for module in graph} | {m: circle[0] for circle in circles(graph) for m in circle}
    below: dict[str, set[str]] = defaultdict(set)
    for module, others in graph.items():
        below[named[module]] |= {named[other] for other in others} - {named[module]}
    chains: dict[str, list[str]] = {}

    def chain(module: str) -> list[str]:
        if module not in chains:
            chains[module] = [module, *max((chain(other) for other in sorted(below[module])), key=len, default=[])]
        return chains[module]

    return max((chain(module) for module in sorted(named.values())), key=len)


def measured(root: Path = ROOT) -> dict[str, Any]:
    """Measure a package.

    Parameters
    ----------
    root : Path
        Its folder.

    Returns
    -------
    dict
        Numbers, and lists of what is to be looked at.
    """
    known = {module_of(path, root): path for path in sorted(root.rglob("*.py"))}
    texts = {module: path.read_text("utf-8") for module, path in known.items()}
    lines = {module: text.count("\n") for module, text in texts.items()}
    # A package's face hands names on: whoever imports from it imports what stands behind, and is counted there.
    graph = {module: imports_of(module, path, known) for module, path in known.items() if path.name != "__init__.py"}
    graph = {module: {other for other in others if other in graph} for module, others in graph.items()}
    classes: dict[str, list[str]] = defaultdict(list)
    for module, text in texts.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(module)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _names_a_type(node):
                classes[node.targets[0].id].append(module)
    stems: dict[str, list[str]] = defaultdict(list)
    for module, path in known.items():
        if path.stem not in {"__init__", "__main__"}:
            stems[path.stem].append(module)
    chain = longest_chain(graph)
    return {
        "files": len(known),
        "lines": sum(lines.values()),
        "code": sum(map(code_lines, texts.values())),
        "median lines of a module": statistics.median(lines.values()),
        "modules under 70 lines": sum(count < SHORT for count in lines.values()),
        "longest module": max(lines.values()),
        "longest chain of imports": len(chain),
        "the chain": chain,
        "circles": circles(graph),
        "classes of one name": {name: where for name, where in sorted(classes.items()) if len(where) > 1},
        "modules of one name": {name: where for name, where in sorted(stems.items()) if len(where) > 1},
    }


def _names_a_type(node: ast.Assign) -> bool:
    """Whether an assignment gives a type a name, such as ``Rows = tuple[int, ...]``."""
    name = node.targets[0]
    assert isinstance(name, ast.Name)
    value = node.value
    return name.id[:1].isupper() and not name.id.isupper() and isinstance(value, ast.Subscript | ast.BinOp)


def traced() -> dict[str, int]:
    """Take the smallest study from its file to its page, and count what is entered."""
    from varprop.cli.app import app

    entered: set[tuple[str, str, int]] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(ROOT)) and code.co_name != "<module>":
            entered.add((code.co_filename, code.co_qualname, code.co_firstlineno))

    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "smallest.toml"
        study.write_text(STUDY, "utf-8")
        arguments = [
            "run",
            str(study),
            "--runs",
            f"{folder}/runs",
            "--report",
            f"{folder}/reports",
            "--executor",
            "serial",
        ]
        sys.setprofile(note)
        threading.setprofile(note)
        try:
            app(arguments, prog_name="varprop", standalone_mode=False)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return {"files entered": len({file for file, _, _ in entered}), "functions entered": len(entered)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trace", action="store_true", help="also take the smallest study through the package")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    found = measured() | (traced() if given.trace else {})
    lines = [json.dumps(found, indent=1)] if given.json else list(_told(found))
    sys.stdout.write("\n".join(lines) + "\n")


def _told(found: Mapping[str, Any]) -> Iterator[str]:
    """Say what was measured, a number a line and what it counts below it."""
    for name, value in found.items():
        if isinstance(value, dict):
            yield f"{name}: {len(value)}"
            yield from (f"    {key}: {', '.join(where)}" for key, where in value.items())
        elif isinstance(value, list):
            yield f"{name}:"
            yield from (f"    {one if isinstance(one, str) else ' <-> '.join(one)}" for one in value)
        else:
            yield f"{name}: {value:,}"


if __name__ == "__main__":
    main()
