"""Runs the Python blocks of README and of the user guide: ``pytest README.md docs/user_guide``.

The blocks of a page run in order, in one namespace and in an empty folder.
"""

import os
import tempfile

from sybil import Sybil
from sybil.parsers import markdown, rest

os.environ.setdefault("MPLBACKEND", "agg")


def enter_empty_folder(namespace):
    """Work in a new folder, so that what a page writes leaves no trace."""
    namespace["_folder"] = tempfile.TemporaryDirectory(prefix="wsl-page-")
    namespace["_before"] = os.getcwd()
    os.chdir(namespace["_folder"].name)


def leave_folder(namespace):
    """Go back and remove the folder."""
    os.chdir(namespace["_before"])
    namespace["_folder"].cleanup()


FOLDERS = {"setup": enter_empty_folder, "teardown": leave_folder}
README = Sybil([markdown.PythonCodeBlockParser()], patterns=["README.md"], **FOLDERS)
GUIDE = Sybil([rest.PythonCodeBlockParser()], patterns=["*.rst"], path="docs", **FOLDERS)

pytest_collect_file = (README + GUIDE).pytest()
