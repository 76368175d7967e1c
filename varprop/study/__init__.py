"""Studies: a question as a TOML file, and its run as a folder of samples.

`load_study` reads the file, `run_study` samples what is missing and tests the claims, `load_run` opens what is there and
`check_run` says whether it is what was written.
"""

from varprop._arguments import renamed
from varprop.study.checking import CheckedFile, check_run
from varprop.study.errors import FewNetworksWarning, Problem, RunStoppedError, StudyError
from varprop.study.filling import RunProgress, run_study
from varprop.study.parsing import load_study
from varprop.study.run import Run, Surprise, load_run
from varprop.study.schema import json_schema
from varprop.study.study import Study

__all__ = [
    "CheckedFile",
    "FewNetworksWarning",
    "Problem",
    "Run",
    "RunProgress",
    "RunStoppedError",
    "Study",
    "StudyError",
    "Surprise",
    "check_run",
    "json_schema",
    "load_run",
    "load_study",
    "run_study",
]

__getattr__ = renamed(__name__, Finding=CheckedFile)
