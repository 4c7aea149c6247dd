"""What models answer to queries as a few numbers each: the part of an embedding beside the latents.

No labels are seen. How weights are encoded lives in ``_codec``.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.decomposition import PCA

from .._batches import map_rows
from ..architectures import Architecture
from .network._losses import seen_outputs, two_class_logits

N_DIRECTIONS = 64
N_MODELS = 2048
N_NUMBERS = 2**25  # in the answers of all that are drawn: 128 MiB
COPIES = 4  # of answers: outputs, probabilities, decisions, differences from the average


@dataclass(frozen=True, eq=False)
class BehaviorCode:
    r"""A zoo's average answers and the directions in which its models leave them.

    Parameters
    ----------
    architecture : Architecture
    queries : ndarray ``(n_queries, n_inputs)``
    behavioral_loss : str
        Decides what of an answer is seen, as it does in training.
    average : ndarray ``(n_queries, n_seen)``
        Over models; ``n_seen`` is 2 for a binary logit, else ``n_outputs``.
    variance : ndarray ``(n_seen,)``
        Of each output, over models and queries.
    directions : ndarray ``(n_queries * n_seen, n_directions)``
        Orthogonal, and scaled so that models spread by 1 along the first.

    Notes
    -----
    With :math:`\pi_c(x)` the average probability of class c, a stand-in for the unknown labels, a
    model that decides :math:`\hat y(x)` is scored by its expected accuracy
    :math:`E_x\, \pi_{\hat y(x)}(x)`, its agreement with :math:`\arg\max_c \pi_c(x)`, and its
    expected recall of each class, :math:`E_x[\pi_c(x) 1(\hat y(x) = c)] / E_x\, \pi_c(x)`. In
    regression it is scored by the mean squared distance of each output from its average, over the
    variance of that output.
    """

    architecture: Architecture
    queries: np.ndarray
    behavioral_loss: str
    average: np.ndarray
    variance: np.ndarray
    directions: np.ndarray

    @classmethod
    def fit(
        cls, rows: np.ndarray, architecture: Architecture, queries: np.ndarray, behavioral_loss: str
    ) -> "BehaviorCode":
        """Choose average and directions from rows ``(n_models, n_weights)``.

        Of many rows some are drawn, the same at every call: ``N_MODELS`` at most, and fewer where
        a model's answers are many.
        """
        n_answers = len(queries) * architecture.n_outputs
        most = max(2, min(N_MODELS, N_NUMBERS // n_answers))
        drawn = np.sort(np.random.default_rng(0).permutation(len(rows))[:most])
        answers = map_rows(
            lambda part: seen_answers(architecture, rows[part], queries, behavioral_loss),
            drawn,
            COPIES * 4 * n_answers + rows[:1].nbytes,
        )
        flat = answers.reshape(len(answers), -1)
        pca = PCA(min(N_DIRECTIONS, *flat.shape), random_state=0).fit(flat)
        average, variance = answers.mean(axis=0), answers.var(axis=(0, 1))
        directions = pca.components_.T / max(np.sqrt(pca.explained_variance_[0]), _noise(average))
        return cls(architecture, queries, behavioral_loss, average, variance, directions)

    @property
    def n_features(self) -> int:
        """Numbers for one model."""
        n_scores = self.average.shape[1] + (2 if self._decides else 0)
        return n_scores + self.directions.shape[1]

    @property
    def row_bytes(self) -> int:
        """What work on one row takes."""
        return COPIES * self.average.nbytes

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Return ``(n_models, n_features)`` float32: scores, then places along the directions."""
        answers = seen_answers(self.architecture, rows, self.queries, self.behavioral_loss)
        scores = self._class_scores(answers) if self._decides else self._distances(answers)
        places = (answers - self.average).reshape(len(rows), -1) @ self.directions
        return np.concatenate([scores, places], axis=1, dtype=np.float32)

    @property
    def _decides(self) -> bool:
        return self.average.shape[1] > 1 and self.behavioral_loss != "squared_error"

    def _class_scores(self, answers: np.ndarray) -> np.ndarray:
        n_queries, n_classes = self.average.shape
        decisions = answers.argmax(axis=2)
        agreed = decisions == self.average.argmax(axis=1)
        decided = decisions[..., None] == np.arange(n_classes)
        hits = (decided * self.average).sum(axis=1)  # (n_models, n_classes)
        recall = hits / self.average.sum(axis=0)
        return np.column_stack([hits.sum(axis=1) / n_queries, agreed.mean(axis=1), recall])

    def _distances(self, answers: np.ndarray) -> np.ndarray:
        squares = np.square(answers - self.average).mean(axis=1)
        return squares / np.maximum(self.variance, _noise(self.average))


def _noise(answers: np.ndarray) -> np.float32:
    """Return what rounding may amount to, so that models that are all alike differ in nothing."""
    return np.finfo(np.float32).eps * np.maximum(np.float32(1.0), np.linalg.norm(answers))


def seen_answers(
    architecture: Architecture, rows: np.ndarray, queries: np.ndarray, behavioral_loss: str
) -> np.ndarray:
    """Return what the behavioral loss compares, ``(n_models, n_queries, n_seen)``.

    The losses that read one output as a binary logit see the probabilities of both classes.
    """
    outputs = torch.from_numpy(architecture.forward(rows, queries))
    if behavioral_loss in ("cross_entropy", "distillation"):
        outputs = two_class_logits(outputs)
    return seen_outputs(behavioral_loss)(outputs).numpy()
