"""Losses of guesses, and the best guess of an adversary that only knows the prior."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from ...distributions._properties import class_array
from ...exceptions import InvalidInputError

# by name: whether it is a loss of classes, otherwise of continuous properties
IS_CLASS_LOSS: dict[str, bool] = {"zero_one": True, "absolute": False, "squared": False}


@dataclass(frozen=True)
class GuessLoss:
    """A loss, with the classes of the property that it is applied to.

    Parameters
    ----------
    name : str or callable
        "zero_one" for classes; "absolute" or "squared" for continuous properties, averaged over
        several; or an elementwise function of guesses and true values, ``(n,)``.
    classes : tuple or None
        None for continuous properties.
    """

    name: str | Callable[[np.ndarray, np.ndarray], Any]
    classes: tuple | None

    def __call__(self, guesses: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return the loss of each guess ``(n,)``; classes are given by their indices."""
        if self.classes is not None:
            return self.matrix()[guesses, truth]
        if callable(self.name):
            return _check_losses(self.name(guesses, truth), len(truth))
        distances = np.abs(guesses - truth).reshape(len(truth), -1)
        return (distances**2 if self.name == "squared" else distances).mean(axis=1)

    def matrix(self) -> np.ndarray:
        """Return the loss of each guess (row) for each true class (column)."""
        assert self.classes is not None
        n_classes = len(self.classes)
        if not callable(self.name):
            return 1.0 - np.eye(n_classes)
        values = class_array(self.classes)
        guessed, true = np.indices((n_classes, n_classes)).reshape(2, -1)
        losses = _check_losses(self.name(values[guessed], values[true]), n_classes**2)
        return losses.reshape(n_classes, n_classes)

    def decide(self, guesses: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
        """Return the guesses of least expected loss under a loss function, else ``guesses``.

        Parameters
        ----------
        guesses : ndarray of shape (..., n_targets)
        scores : ndarray of shape (..., n_targets, n_classes) or None
            Probabilities, with which losses are expected.
        """
        if scores is None or not callable(self.name):
            return guesses
        return (scores @ self.matrix().T).argmin(axis=-1)

    def best_constant(self, values: np.ndarray) -> Any:
        """Return the guess with the least mean loss over ``values``, draws from a prior."""
        if self.classes is not None:
            frequencies = np.bincount(values, minlength=len(self.classes)) / len(values)
            return int((self.matrix() @ frequencies).argmin())
        median = np.median(values, axis=0)
        if self.name == "absolute":
            return median
        if self.name == "squared":
            return values.mean(axis=0)
        result = minimize(
            lambda guess: self.of_constant(guess.reshape(np.shape(median)), values).mean(),
            np.ravel(median),
            method="Nelder-Mead",
        )
        return result.x.reshape(np.shape(median))

    def of_constant(self, guess: Any, values: np.ndarray) -> np.ndarray:
        """Return the loss of one guess for each of ``values``, ``(n,)``."""
        return self(np.broadcast_to(guess, values.shape), values)


def resolve_loss(loss: Any, is_class: bool, classes: tuple | None) -> GuessLoss:
    """Return the loss by name, or the usual one; InvalidInputError if it does not suit."""
    usual = "zero_one" if is_class else "absolute"
    name = usual if isinstance(loss, str) and loss == "auto" else loss
    if not callable(name) and name not in IS_CLASS_LOSS:
        raise InvalidInputError(
            f"`loss` must be 'auto', one of {sorted(IS_CLASS_LOSS)}, or a function of guesses and "
            f"true values; got {loss!r}."
        )
    if not callable(name) and IS_CLASS_LOSS[name] != is_class:
        raise InvalidInputError(
            f"`loss` must suit a property that is {'a class' if is_class else 'continuous'}; got "
            f"{loss!r}."
        )
    return GuessLoss(name, classes if is_class else None)


def _check_losses(losses: Any, n_values: int) -> np.ndarray:
    losses = np.asarray(losses, dtype=float)
    if losses.shape != (n_values,) or not np.isfinite(losses).all():
        raise InvalidInputError(
            f"`loss` must return one finite number per guess, of shape ({n_values},); got shape "
            f"{losses.shape}."
        )
    return losses
