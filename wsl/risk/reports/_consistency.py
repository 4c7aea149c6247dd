"""Whether the fields of a report fit each other."""

from collections.abc import Mapping

import numpy as np


def check_guesses(
    truth: np.ndarray | None,
    arrays: Mapping[str, Mapping[str, np.ndarray]],
    classes: tuple | None,
) -> None:
    """Raise ValueError unless arrays by field and attack fit the truth, and hold indices.

    Parameters
    ----------
    truth : ndarray of shape (n_targets,) or (n_targets, n_properties), or None
    arrays : dict from "guesses", "scores" or "losses" to dict from attack to ndarray
    classes : tuple or None
    """
    if truth is None:
        if any(arrays.values()):
            raise ValueError("`truth` must be known of reports with guesses")
        return
    shapes = {"guesses": truth.shape, "losses": truth.shape[:1]}
    if classes is not None:
        shapes["scores"] = (len(truth), len(classes))
        _check_indices("`truth`", truth, classes)
    for field, by_attack in arrays.items():
        for attack, values in by_attack.items():
            name, shape = f"`{field}` of '{attack}'", shapes.get(field)
            if shape is None or values.ndim != len(shape) + 1 or values.shape[1:] != shape:
                raise ValueError(f"{name} must have shape (n_repeats, *{shape})")
            if field == "guesses" and classes is not None:
                _check_indices(name, values, classes)


def _check_indices(name: str, values: np.ndarray, classes: tuple) -> None:
    inside = values.dtype.kind in "biu" and ((values >= 0) & (values < len(classes))).all()
    if not inside:
        raise ValueError(f"{name} must hold indices of {len(classes)} classes")
