"""The only module that touches what scikit-learn does not promise to keep."""

import os
from contextlib import AbstractContextManager

from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_params,
)

__all__ = [
    "DocumentedEstimator",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "arrays_inside",
    "fit_context",
    "safe_indexing",
    "validate_params",
]


def arrays_inside() -> AbstractContextManager[None]:
    """Return a context in which transformers return arrays, whatever the user has configured."""
    return config_context(transform_output="default")


class DocumentedEstimator(BaseEstimator):
    """Base of the public estimators, whose HTML representation links to the API reference.

    The address of the documentation is the environment variable ``WSL_DOC_URL``; without it there
    is no link.
    """

    _doc_link_module = "wsl"

    @property
    def _doc_link_template(self) -> str:
        site = os.environ.get("WSL_DOC_URL", "").rstrip("/")
        return f"{site}/reference/generated/wsl.{{estimator_name}}.html" if site else ""
