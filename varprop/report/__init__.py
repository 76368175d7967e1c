"""Reports: frames -> tables and figures -> HTML, Markdown, LaTeX and PDF files.

`content` says what a report says, `tables` and the figures turn frames into it, `html`, `markdown` and `latex` set it, `pdf`
prints it, and `write` makes files of it.
"""

from varprop.report.write import write_report

__all__ = ["write_report"]
