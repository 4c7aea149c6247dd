"""Noise matching: responses of models of large training sets with the noise of small ones."""

from dataclasses import replace

import numpy as np

from ..shadows._population import Population


def match_noise(
    large: Population, small: Population, shadows: Population, multiplier: int, seed: int
) -> Population:
    r"""Return models of ``multiplier`` times the rows, with the noise that small sets would add.

    Parameters
    ----------
    large, small : Population
        The same models, trained on more rows and on few.
    shadows : Population
        Models of few rows, from which the mean response at each value of the property is estimated;
        may be ``small``. Properties are class indices, or floats.
    multiplier : int
        Rows of the large training sets per row of the small ones.
    seed : int

    Notes
    -----
    A response :math:`a^{(n)}` to a query varies about its mean :math:`m_n(p)` over training sets
    of n rows, with a standard deviation that falls as :math:`1 / \sqrt n`. An adversary that
    observes exact responses adapts to that: for least squares the noise itself reveals as much of
    the property at any n. So the noise that is missing is added, from another model of whatever
    property:

    .. math:: \tilde a_i = a_i^{(kn)} + \sqrt{1 - 1/k}\, \big(a_j^{(n)} - m_n(p_j)\big),
              \qquad j = \sigma(i),

    with a random permutation :math:`\sigma`. At k = 1 responses are unchanged; as k grows, what is
    left of the property is what models of infinite data reveal under noise that stays as large and
    reveals nothing.
    """
    noise = small.responses - _mean_responses(shadows, small.properties)
    order = np.random.default_rng(seed).permutation(len(noise))
    scale = np.float32(np.sqrt(1 - 1 / multiplier))
    return replace(large, responses=large.responses + scale * noise[order])


def _mean_responses(shadows: Population, properties: np.ndarray) -> np.ndarray:
    """Return the mean responses at each property, ``(n_models, n_queries, n_outputs)``."""
    flat = shadows.responses.reshape(len(shadows), -1)
    design, new_design = _design_matrices(shadows.properties, properties)
    means = new_design @ np.linalg.lstsq(design, flat, rcond=None)[0]
    return means.reshape(len(properties), *shadows.responses.shape[1:]).astype(np.float32)


def _design_matrices(
    properties: np.ndarray, new_properties: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of a regression on the property: indicators of classes, or squares."""
    if properties.dtype.kind == "i":
        n_classes = int(max(properties.max(), new_properties.max())) + 1
        return np.eye(n_classes)[properties], np.eye(n_classes)[new_properties]
    columns = [values.reshape(len(values), -1) for values in (properties, new_properties)]
    design, new_design = (np.hstack([np.ones((len(c), 1)), c, c**2]) for c in columns)
    return design, new_design
