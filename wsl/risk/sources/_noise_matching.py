"""Answers of models of large training sets, seen through the fluctuations of small ones.

So a figure can be followed to infinite data without a sight that sharpens on the way.
"""

from dataclasses import replace

import numpy as np

from ..shadows._population import Population


def blurred(
    large: Population, small: Population, shadows: Population, growth: int, seed: int
) -> Population:
    r"""Return models of ``growth`` times the rows, with what a small training set blurs.

    Parameters
    ----------
    large, small : Population
        The same models, trained on more rows and on few.
    shadows : Population
        Those of few rows by which the mean answers at each value of the property are known; may be
        ``small``.
    growth : int
    seed : int

    Notes
    -----
    An answer fluctuates about its mean :math:`m_n(p)` over training sets of n rows, and the
    fluctuations of models that see more rows are smaller by :math:`1 / \sqrt k`. An adversary who
    reads answers to the last digit would see through that: of a least-squares fit the fluctuations
    tell as much of the property at any n. So the rest of the fluctuation is put back, from another
    model whatever its property:

    .. math:: \tilde a_i = a_i^{(kn)} + \sqrt{1 - 1/k}\, \big(a_j^{(n)} - m_n(p_j)\big),
              \qquad j = \sigma(i),

    with a random permutation :math:`\sigma`. At k = 1 these are the models as they are; as k grows,
    what is left of the property is what the models of infinite data show through fluctuations
    as large as ever, which tell nothing themselves.
    """
    rest = small.responses - _mean_answers(shadows, small.properties)
    order = np.random.default_rng(seed).permutation(len(rest))
    share = np.float32(np.sqrt(1 - 1 / growth))
    return replace(large, responses=large.responses + share * rest[order])


def _mean_answers(shadows: Population, properties: np.ndarray) -> np.ndarray:
    """Return the mean answers at each property, ``(n_models, n_queries, n_outputs)``."""
    flat = shadows.responses.reshape(len(shadows), -1)
    fitted, wanted = _design(shadows.properties, properties)
    means = wanted @ np.linalg.lstsq(fitted, flat, rcond=None)[0]
    return means.reshape(len(properties), *shadows.responses.shape[1:]).astype(np.float32)


def _design(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of a regression on the property: of classes one each, of numbers squares.

    Properties are classes by their index, or numbers.
    """
    if known.dtype.kind == "i":
        n_classes = int(max(known.max(), wanted.max())) + 1
        return np.eye(n_classes)[known], np.eye(n_classes)[wanted]
    columns = [values.reshape(len(values), -1) for values in (known, wanted)]
    first, second = (np.hstack([np.ones((len(c), 1)), c, c**2]) for c in columns)
    return first, second
