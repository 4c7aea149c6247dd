"""Whether a training set has environments that can be compared."""

from typing import Any

import numpy as np

from .._caller_warnings import warn_caller
from .._validation import check_environments
from ..exceptions import EnvironmentsWarning


def warn_unless_comparable(
    environments: Any, n_samples: int, penalty: Any, is_invariant: bool, name: str = ""
) -> None:
    """Warn if environments are to be compared, but are fewer than two or as many as samples.

    Parameters
    ----------
    environments : array-like of shape (n_samples,) or None
    n_samples : int
    penalty : str, callable or None
        The penalty that compares them; None if there is none.
    is_invariant : bool
        Whether the learner searches invariant columns.
    name : str
        Of the dataset, if there are several.
    """
    asked = [] if penalty is None else [f"`penalty`={getattr(penalty, '__name__', penalty)!r}"]
    asked += ["`causal_features`='invariant'"] if is_invariant else []
    if not asked:
        return
    n_environments = 1
    if environments is not None:
        n_environments = len(np.unique(check_environments(environments, n_samples, name)))
    if 1 < n_environments < n_samples:
        return
    found = f"{n_environments} environments of one sample each"
    effect = "Differences between single samples are noise"
    if n_environments == 1:
        found = "no environments" if environments is None else "one environment"
        effect = "Training goes on without this"
    warn_caller(
        f"{' and '.join(asked)} must have at least two environments of several samples each, which "
        f"are compared; got {found}{f' in `{name}`' if name else ''}. {effect}: pass "
        "`environments`, or leave it out.",
        EnvironmentsWarning,
    )
