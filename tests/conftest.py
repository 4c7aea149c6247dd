"""Settings of the test session, made before anything of scipy is imported.

With ``testpaths`` this file is also read before the doctests of the package are collected.
"""

import inspect
import os
import re
import tempfile

import pytest
from hypothesis import given, settings

os.environ["SCIPY_ARRAY_API"] = "1"  # scikit-learn leaves out a check of every estimator without it

if "PYTEST_XDIST_WORKER" in os.environ:  # two workers with two threads each wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

_DATA = tempfile.TemporaryDirectory(prefix="wsl-tests-")
os.environ["WSL_DATA"] = _DATA.name  # what is built in tests stays out of the user's cache


def pytest_configure(config):
    config.add_cleanup(_DATA.cleanup)


@pytest.fixture(scope="session")
def documented():
    """Return a function: names that a section of a numpydoc docstring explains."""

    def names(docstring: str, section: str) -> list[str]:
        lines = inspect.cleandoc(docstring).splitlines()
        heads = [i for i in range(len(lines) - 1) if re.fullmatch("-{3,}", lines[i + 1])]
        for head, end in zip(heads, [*heads[1:], len(lines)], strict=True):
            if lines[head] == section:  # "a, b : type" explains two
                entries = [
                    re.match(r"\*{0,2}(\w+(?:, \w+)*)(?: : .*)?$", line)
                    for line in lines[head + 2 : end]
                ]
                return [name for entry in entries if entry for name in entry[1].split(", ")]
        return []

    return names


@pytest.fixture(params=[50, pytest.param(2000, marks=pytest.mark.slow)], ids=["few", "many"])
def fuzz(request):
    """Return a function that calls a check with values drawn from strategies, many times."""

    def run(check, *strategies):
        budget = settings(
            max_examples=request.param, deadline=None, derandomize=True, database=None
        )
        # an anonymous wrapper: hypothesis would look for the arguments of ``check`` by name
        budget(given(*strategies)(check))()

    return run
