"""The sources of leakage of linear Gaussian cases, in closed form."""

import numpy as np
from scipy import stats

from wsl import GaussianFamily

SOURCES = ("conditional", "bias", "sample")


def closed_form_parts(constant: bool, n: int, d: float, a: float, b: float) -> dict[str, float]:
    """Return the Shapley parts of an attack that knows the two distributions.

    A row has an attribute of mean 0 or d, an input of a times the attribute plus noise, and an
    outcome of b times the attribute plus noise; the noises have variance 1. Where the bias is
    removed, least squares replaces the constant learner.
    """
    deviation = np.sqrt(b**2 / (1 + a**2) + 1)
    conditional = advantage(np.sqrt(n) * b * d / (1 + a**2) / deviation)
    fitted = {
        (1, 1): least_squares(n, d, a, b, 1.0),
        (0, 1): least_squares(n, d, a, 0.0, deviation),
        (1, 0): conditional,
        (0, 0): 0.0,
    }
    shift = {1: b * d, 0: a**2 * b * d / (1 + a**2)}
    by_mean = {on: advantage(np.sqrt(n / (4 + b**2)) * shift[on]) for on in shift}

    def value(c: int, biased: int, s: int) -> float:
        return by_mean[c] if biased and constant else fitted[c, s]

    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    parts = np.zeros(3)
    for order in orders:
        on = np.zeros(3, int)
        for index in order:
            before = value(*on)
            on[index] = 1
            parts[index] += (value(*on) - before) / len(orders)
    return {**dict(zip(SOURCES, parts.tolist(), strict=True)), "rest": 0.0, "total": parts.sum()}


def advantage(distance: float) -> float:
    """Return the advantage on two normals that are ``distance`` standard deviations apart."""
    return float(2 * stats.norm.cdf(distance / 2) - 1)


def least_squares(n: int, d: float, a: float, b: float, noise: float) -> float:
    """Return the advantage of an adversary who observes least-squares coefficients."""
    family = GaussianFamily("mean", properties=(0, d), on_inputs=a, on_outcome=b, noise=noise)
    return 2 * family.bayes_accuracy(n, "coefficients") - 1
