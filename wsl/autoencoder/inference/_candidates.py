"""Choosing the best of many generated models by their loss on queries."""

import numpy as np
import torch

from ..._batches import row_slices
from ...zoo.training._losses import LOSSES, resolve_loss
from .._codec import Codec
from ._ensemble_sampling import averaged_logits
from ._sampling_arguments import SamplingRequest


def averaged_labels(codec: Codec, rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return what models predict on average: classes, or continuous targets in regression."""
    mixture_weights = np.full((1, len(rows)), 1.0 / len(rows))
    average = averaged_logits(codec, rows, mixture_weights, queries)[0]
    if codec.regresses:
        return average.numpy()
    if average.shape[-1] > 1:
        return average.argmax(-1).numpy()
    return (average[:, 0] > 0).long().numpy()


def data_losses(
    codec: Codec, rows: np.ndarray, queries: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return the mean loss of each model on labelled queries ``(n_models,)``.

    Cross-entropy for class labels, squared error for float targets.
    """
    architecture = codec.architecture
    loss = LOSSES[resolve_loss("auto", labels, architecture.n_outputs)]
    targets = loss.targets(labels, architecture.n_outputs)
    losses = []
    for part in row_slices(len(rows), 4 * len(queries) * architecture.forward_pass.activation_size):
        outputs = torch.from_numpy(architecture.forward(rows[part], queries))
        losses.append(loss.value(outputs, targets.expand(len(outputs), *targets.shape)).mean(1))
    return torch.cat(losses).numpy()


def best_candidates(
    codec: Codec, request: SamplingRequest, rows: np.ndarray, anchors: np.ndarray
) -> np.ndarray:
    """Return the rows of lowest loss on the queries, the best first.

    Without labels the averaged predictions of the anchors take their place.
    """
    assert request.queries is not None
    labels = request.labels
    if labels is None:
        labels = averaged_labels(codec, anchors, request.queries)
    losses = data_losses(codec, rows, request.queries, labels)
    return rows[np.argsort(losses, kind="stable")[: request.n_models]]
