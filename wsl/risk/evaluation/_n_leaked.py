"""What an attack's accuracy means: its advantage over the prior, and the rows that tell as much.

Intervals live in ``_intervals``.
"""

import math

from ...exceptions import InvalidInputError


def advantage(value: float, chance: float, perfect: float) -> float:
    """Rescale a figure so that guessing by the prior is 0 and a perfect attack 1."""
    return (value - chance) / (perfect - chance)


def n_leaked(accuracy: float, share_0: float, share_1: float) -> float:
    r"""Return how many rows of the training distribution would tell as much as the model did.

    Parameters
    ----------
    accuracy : float
        Share of models for which the attack tells the two distributions apart, both equally likely.
    share_0, share_1 : float
        The share of the group in either distribution.

    Returns
    -------
    float
        No fewer rows allow this accuracy; 0 at or below chance, infinity at accuracy 1.

    Raises
    ------
    InvalidInputError
        If the shares are equal, or a number lies outside [0, 1].

    Notes
    -----
    Theorem 4.1 of [1]_: whoever sees n rows tells shares :math:`\alpha_0 < \alpha_1` apart with an
    accuracy of at most

    .. math:: \omega \le \frac12 + \frac12 \sqrt{1 - \rho^n}, \qquad
              \rho = \max\Big(\frac{\alpha_0}{\alpha_1}, \frac{1 - \alpha_1}{1 - \alpha_0}\Big),

    and solved for n, :math:`n = \log(1 - (2 \omega - 1)^2) / \log \rho`. It is a bound, so the rows
    that are truly needed may be several times as many. One row tells shares 0 and 1 apart.

    References
    ----------
    .. [1] Suri and Evans, "Formalizing and estimating distribution inference risks", PETS 2022.

    Examples
    --------
    >>> from wsl.risk import n_leaked
    >>> round(n_leaked(0.9, 0.2, 0.5), 2)
    2.17
    """
    for name, value in (("accuracy", accuracy), ("share_0", share_0), ("share_1", share_1)):
        if not 0 <= value <= 1:
            raise InvalidInputError(f"{name}={value!r}; wanted a number in [0, 1]")
    low, high = sorted((share_0, share_1))
    if low == high:
        raise InvalidInputError(f"share_0 and share_1 are both {low!r}; wanted different shares")
    if accuracy <= 0.5:
        return 0.0
    ratio = max(low / high, (1 - high) / (1 - low))
    if ratio == 0:
        return float(accuracy == 1)
    if accuracy == 1:
        return math.inf
    return math.log(1 - (2 * accuracy - 1) ** 2) / math.log(ratio)
