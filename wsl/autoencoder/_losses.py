"""The three losses of the autoencoder, as functions of tensors.

How they are weighed and when they are drawn lives in ``_objective``.
"""

import torch
from torch import Tensor, nn

from ._linear_code import behavior

DISTILLATION_TEMPERATURE = 2.0


def structural_loss(rebuilt: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    r"""Masked mean squared error of the weights.

    .. math:: L_S = \frac{1}{\sum m} \sum m (\hat w - w)^2

    Parameters
    ----------
    rebuilt, tokens : Tensor ``(n_models, n_tokens, token_size)``
    mask : Tensor ``(n_tokens, token_size)`` bool, False where a place is padding
    """
    return (rebuilt - tokens)[:, mask].square().mean()


def contrastive_loss(view: Tensor, other: Tensor, temperature: float) -> Tensor:
    r"""NT-Xent between two views of each model (Chen et al. 2020).

    .. math:: L_C = -\frac{1}{2B} \sum_i \log
        \frac{\exp(s_{i,p(i)} / \tau)}{\sum_{k \ne i} \exp(s_{ik} / \tau)}

    with :math:`s` the cosine similarity and :math:`p(i)` the other view of the same model.

    Parameters
    ----------
    view, other : Tensor ``(n_models, n_features)``
    temperature : float
        :math:`\tau`.
    """
    n_models = len(view)
    features = nn.functional.normalize(torch.cat([view, other]), dim=1)
    similarity = features @ features.T / temperature
    similarity.fill_diagonal_(float("-inf"))
    partner = torch.arange(2 * n_models, device=view.device).roll(n_models)
    return nn.functional.cross_entropy(similarity, partner)


def l2_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Squared distance of softmax outputs, :math:`\|\sigma(\hat f) - \sigma(f)\|^2`.

    One output is taken as it stands.

    Parameters
    ----------
    rebuilt, original : Tensor ``(n_models, n_queries, n_outputs)``, logits
    """
    return (behavior(rebuilt) - behavior(original)).square().sum(-1).mean()


def cross_entropy_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Cross-entropy, :math:`-\sum_c \sigma(f)_c \log \sigma(\hat f)_c`.

    One output is a binary logit.
    """
    rebuilt, original = two_class_logits(rebuilt), two_class_logits(original)
    return -(original.softmax(-1) * rebuilt.log_softmax(-1)).sum(-1).mean()


def distillation_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Knowledge distillation, :math:`T^2 KL(\sigma(f / T) \| \sigma(\hat f / T))` with T = 2."""
    temperature = DISTILLATION_TEMPERATURE
    target = (two_class_logits(original) / temperature).log_softmax(-1)
    given = (two_class_logits(rebuilt) / temperature).log_softmax(-1)
    return temperature**2 * (target.exp() * (target - given)).sum(-1).mean()


def two_class_logits(outputs: Tensor) -> Tensor:
    """Return logits of two classes where a network has one output, ``(0, f)``."""
    if outputs.shape[-1] > 1:
        return outputs
    return torch.cat([torch.zeros_like(outputs), outputs], dim=-1)


BEHAVIORAL_LOSSES = {
    "l2": l2_loss,
    "cross_entropy": cross_entropy_loss,
    "distillation": distillation_loss,
}
