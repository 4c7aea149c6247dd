"""Settings of the test session, made before anything of scipy is imported.

With ``testpaths`` this file is also read before the doctests of the package are collected.
"""

import os
import tempfile

os.environ["SCIPY_ARRAY_API"] = "1"  # scikit-learn leaves out a check of every estimator without it

if "PYTEST_XDIST_WORKER" in os.environ:  # two workers with two threads each wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

_DATA = tempfile.TemporaryDirectory(prefix="wsl-tests-")
os.environ["WSL_DATA"] = _DATA.name  # what is built in tests stays out of the user's cache


def pytest_configure(config):
    config.add_cleanup(_DATA.cleanup)
