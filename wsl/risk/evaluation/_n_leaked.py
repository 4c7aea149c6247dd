"""Advantage of an attack over guessing, and the number of rows that reveal as much."""

import math

from ...exceptions import InvalidInputError


def advantage(value: float, chance: float, perfect: float) -> float:
    """Rescale a metric so that guessing by the prior is 0 and a perfect attack 1."""
    return (value - chance) / (perfect - chance)


def n_leaked(accuracy: float, proportion_0: float, proportion_1: float) -> float:
    r"""Return the least number of rows of the training distribution that reveal as much as a model.

    Parameters
    ----------
    accuracy : float
        Fraction of models for which the attack guesses the right one of two distributions, both
        equally likely.
    proportion_0 : float
        Proportion of the group in one distribution.
    proportion_1 : float
        Proportion of the group in the other distribution.

    Returns
    -------
    float
        With fewer rows, nobody reaches this accuracy; 0 at or below chance, infinity at
        accuracy 1.

    Raises
    ------
    InvalidInputError
        If the proportions are equal, or a number is outside [0, 1].

    See Also
    --------
    GameReport : Measures the number of rows instead of bounding it.
    wsl.audit : Reports it for families of two proportions.

    Notes
    -----
    By Theorem 4.1 of [1]_, an adversary who observes n rows distinguishes proportions
    :math:`\alpha_0 < \alpha_1` with an accuracy of at most

    .. math:: \omega \le \frac12 + \frac12 \sqrt{1 - \rho^n}, \qquad
              \rho = \max\Big(\frac{\alpha_0}{\alpha_1}, \frac{1 - \alpha_1}{1 - \alpha_0}\Big),

    and solved for n, :math:`n = \log(1 - (2 \omega - 1)^2) / \log \rho`. It is a bound, so the
    number of rows that are needed may be several times as large. One row distinguishes
    proportions 0 and 1.

    References
    ----------
    .. [1] Suri and Evans, "Formalizing and estimating distribution inference risks", PETS 2022.

    Examples
    --------
    >>> from wsl.risk import n_leaked
    >>> round(n_leaked(0.9, 0.2, 0.5), 2)
    2.17
    """
    arguments = {
        "accuracy": accuracy, "proportion_0": proportion_0, "proportion_1": proportion_1,
    }  # fmt: skip
    for name, value in arguments.items():
        if not 0 <= value <= 1:
            raise InvalidInputError(f"`{name}` must be in [0, 1]; got {value!r}.")
    low, high = sorted((proportion_0, proportion_1))
    if low == high:
        raise InvalidInputError(
            f"`proportion_0` and `proportion_1` must differ; got {low!r} for both."
        )
    if accuracy <= 0.5:
        return 0.0
    ratio = max(low / high, (1 - high) / (1 - low))
    if ratio == 0:
        return float(accuracy == 1)
    if accuracy == 1:
        return math.inf
    return math.log(1 - (2 * accuracy - 1) ** 2) / math.log(ratio)
