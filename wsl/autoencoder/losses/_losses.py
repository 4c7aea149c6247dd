"""The formulas of the losses, as functions of tensors."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..._outputs import class_probabilities, two_class_logits

CONTRASTIVE_TEMPERATURE = 0.1
DISTILLATION_TEMPERATURE = 2.0


def structural_loss(rebuilt: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    r"""Masked mean squared error of the weights.

    .. math:: L_S = \frac{1}{\sum m} \sum m (\hat w - w)^2

    Parameters
    ----------
    rebuilt, tokens : Tensor ``(n_models, n_tokens, token_size)``
        Rebuilt and original weights.
    mask : Tensor of bool ``(n_tokens, token_size)``
        False where a token is padded.
    """
    return (rebuilt - tokens)[:, mask].square().mean()


def contrastive_loss(
    view: Tensor, other: Tensor, temperature: float = CONTRASTIVE_TEMPERATURE
) -> Tensor:
    r"""NT-Xent between two views of each model (Chen et al. 2020).

    .. math:: L_C = -\frac{1}{2B} \sum_i \log
        \frac{\exp(s_{i,p(i)} / \tau)}{\sum_{k \ne i} \exp(s_{ik} / \tau)}

    with :math:`s` the cosine similarity and :math:`p(i)` the other view of the same model.

    Parameters
    ----------
    view, other : Tensor ``(n_models, n_features)``
        Two views of the same models.
    temperature : float
        :math:`\tau`.
    """
    n_models = len(view)
    features = nn.functional.normalize(torch.cat([view, other]), dim=1)
    similarity = features @ features.T / temperature
    similarity.fill_diagonal_(float("-inf"))
    partner = torch.arange(2 * n_models, device=view.device).roll(n_models)
    return nn.functional.cross_entropy(similarity, partner)


def softmax_outputs(outputs: Tensor) -> Tensor:
    """Return softmax outputs; a single output is returned unchanged."""
    return outputs if outputs.shape[-1] == 1 else outputs.softmax(-1)


def raw_outputs(outputs: Tensor) -> Tensor:
    """Return outputs unchanged: the predictions of a regression."""
    return outputs


def l2_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Squared distance of softmax outputs, :math:`\|\sigma(\hat f) - \sigma(f)\|^2`.

    Parameters
    ----------
    rebuilt, original : Tensor ``(n_models, n_queries, n_outputs)``
        Logits; a single output is compared without a softmax.
    """
    return (softmax_outputs(rebuilt) - softmax_outputs(original)).square().sum(-1).mean()


def squared_error_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Squared distance of raw outputs, :math:`\|\hat f - f\|^2`, for regression."""
    return (rebuilt - original).square().sum(-1).mean()


def cross_entropy_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Cross-entropy, :math:`-\sum_c \sigma(f)_c \log \sigma(\hat f)_c`.

    A single output is a binary logit.
    """
    log_probabilities = two_class_logits(rebuilt).log_softmax(-1)
    return -(class_probabilities(original) * log_probabilities).sum(-1).mean()


def distillation_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Knowledge distillation, :math:`T^2 KL(\sigma(f / T) \| \sigma(\hat f / T))` with T = 2."""
    temperature = DISTILLATION_TEMPERATURE
    target = (two_class_logits(original) / temperature).log_softmax(-1)
    student = (two_class_logits(rebuilt) / temperature).log_softmax(-1)
    return temperature**2 * (target.exp() * (target - student)).sum(-1).mean()


def compared_outputs(behavioral_loss: str) -> Callable[[Tensor], Tensor]:
    """Return the function of the outputs that a behavioral loss compares."""
    return raw_outputs if behavioral_loss == "squared_error" else softmax_outputs


BEHAVIORAL_LOSSES = {
    "l2": l2_loss,
    "squared_error": squared_error_loss,
    "cross_entropy": cross_entropy_loss,
    "distillation": distillation_loss,
}
