"""Warnings whose place is the code that calls wsl."""

import contextlib
import os
import sys
import warnings

import joblib
import sklearn

from .exceptions import WslWarning

_INSIDE = (
    os.path.join(os.path.dirname(__file__), ""),
    os.path.join(os.path.dirname(sklearn.__file__), ""),
    os.path.join(os.path.dirname(joblib.__file__), ""),
    contextlib.__file__,
)


def warn_caller(message: str, category: type[WslWarning]) -> None:
    """Issue a warning at the first caller outside of wsl and of what wsl is called through."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
