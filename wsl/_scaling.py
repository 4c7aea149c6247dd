"""Columns of one scale."""

import numpy as np


def standardized(columns: np.ndarray, tolerance: float = 0.0) -> np.ndarray:
    """Return columns with mean 0 and variance 1; constant columns become 0.

    A column is constant if its standard deviation is at most ``tolerance`` times its largest
    magnitude, or ``tolerance`` if that is larger.
    """
    centred = columns - columns.mean(axis=0)
    deviation = centred.std(axis=0)
    varies = deviation > tolerance * np.maximum(1, np.abs(columns).max(axis=0))
    return np.where(varies, centred / np.where(varies, deviation, 1), 0.0)
