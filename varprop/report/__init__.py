"""Reports: frames -> tables and figures -> HTML and Markdown files.

`content` says what a report says, `tables` and the figures turn frames into it, `html` and `markdown` set it, and
`write` makes files of it.
"""

from varprop.report.write import write_report

__all__ = ["write_report"]
