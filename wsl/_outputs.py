"""How the outputs of classifiers are read: logits of two classes, probabilities."""

import torch
from torch import Tensor


def two_class_logits(outputs: Tensor) -> Tensor:
    """Return logits ``(..., n_classes)``; a single output f is a binary logit, ``(0, f)``."""
    if outputs.shape[-1] > 1:
        return outputs
    return torch.cat([torch.zeros_like(outputs), outputs], dim=-1)


def class_probabilities(outputs: Tensor) -> Tensor:
    """Return probabilities ``(..., n_classes)``; of two classes for a single output."""
    return two_class_logits(outputs).softmax(-1)
