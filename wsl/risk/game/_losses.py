"""What a wrong guess costs, and the best that one can do who knows how likely each value is.

Whose guesses these are lives in ``_game``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from ...distributions._properties import class_array
from ...exceptions import InvalidInputError

NAMED: dict[str, bool] = {"zero_one": True, "absolute": False, "squared": False}  # is it of classes


@dataclass(frozen=True)
class GuessLoss:
    """A loss with the values that it is of.

    Parameters
    ----------
    name : str or callable
        "zero_one" of classes; "absolute" or "squared" of numbers, the mean over several; or a
        function of guesses and true values, element by element, ``(n,)``.
    classes : tuple or None
        None where guesses are numbers.
    """

    name: str | Callable[[np.ndarray, np.ndarray], Any]
    classes: tuple | None

    def __call__(self, guesses: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return the loss of each guess ``(n,)``; classes are given by their index."""
        if self.classes is not None:
            return self.matrix()[guesses, truth]
        if callable(self.name):
            return _checked(self.name(guesses, truth), len(truth))
        apart = np.abs(guesses - truth).reshape(len(truth), -1)
        return (apart**2 if self.name == "squared" else apart).mean(axis=1)

    def matrix(self) -> np.ndarray:
        """Return the loss of each decision, a row, at each true class, a column."""
        assert self.classes is not None
        n_classes = len(self.classes)
        if not callable(self.name):
            return 1.0 - np.eye(n_classes)
        values = class_array(self.classes)
        decided, true = np.indices((n_classes, n_classes)).reshape(2, -1)
        losses = _checked(self.name(values[decided], values[true]), n_classes**2)
        return losses.reshape(n_classes, n_classes)

    def decide(self, guesses: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
        """Return the decisions with the least expected loss; guesses where nothing is expected.

        Parameters
        ----------
        guesses : ndarray ``(..., n_targets)``
        scores : ndarray ``(..., n_targets, n_classes)`` of probabilities, or None
        """
        if scores is None or not callable(self.name):
            return guesses
        return (scores @ self.matrix().T).argmin(axis=-1)

    def best_constant(self, values: np.ndarray) -> Any:
        """Return the decision that costs least over ``values``, draws from a prior."""
        if self.classes is not None:
            shares = np.bincount(values, minlength=len(self.classes)) / len(values)
            return int((self.matrix() @ shares).argmin())
        start = np.median(values, axis=0)
        if self.name == "absolute":
            return start
        if self.name == "squared":
            return values.mean(axis=0)
        found = minimize(
            lambda guess: self.of_constant(guess.reshape(np.shape(start)), values).mean(),
            np.ravel(start),
            method="Nelder-Mead",
        )
        return found.x.reshape(np.shape(start))

    def of_constant(self, guess: Any, values: np.ndarray) -> np.ndarray:
        """Return the loss of one guess at each of ``values``, ``(n,)``."""
        return self(np.broadcast_to(guess, values.shape), values)


def resolve_loss(loss: Any, is_class: bool, classes: tuple | None) -> GuessLoss:
    """Return the loss by name, or the usual one; InvalidInputError if it is of other values."""
    usual = "zero_one" if is_class else "absolute"
    name = usual if isinstance(loss, str) and loss == "auto" else loss
    if not callable(name) and name not in NAMED:
        raise InvalidInputError(
            f"loss={loss!r}; wanted 'auto', one of {sorted(NAMED)}, or a function of guesses and "
            "true values"
        )
    if not callable(name) and NAMED[name] != is_class:
        raise InvalidInputError(
            f"loss={loss!r}, but the property is {'a class' if is_class else 'a number'}"
        )
    return GuessLoss(name, classes if is_class else None)


def _checked(losses: Any, n_values: int) -> np.ndarray:
    losses = np.asarray(losses, dtype=float)
    if losses.shape != (n_values,) or not np.isfinite(losses).all():
        raise InvalidInputError(
            f"loss returned shape {losses.shape} for {n_values} guesses, or values that are not "
            f"finite; wanted a number for each, ({n_values},)"
        )
    return losses
